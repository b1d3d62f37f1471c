import fs from 'node:fs';
import path from 'node:path';
import type { Contender } from '../measure';
import { benchmarkModels, isModelName } from '../models';
import { MissingPeerError, Peer, UnsupportedTaskError, type PeerSpec, type Task } from './peer';
import { peerSpecs } from './specs';

const exported = path.join(__dirname, '..', '..', '.cache', 'benchmarks');

/** The peers of one run: each is started when first needed, once for each number of threads. */
export class Peers {
  /** Those that could not be started, as null. */
  readonly #running = new Map<string, Peer | null>();
  readonly #files = new Map<string, string>();
  readonly #noted = new Set<string>();

  /** `note` gets what the user should hear of, each sentence once. */
  constructor(
    private readonly specs: readonly PeerSpec[],
    private readonly note: (text: string) => void,
  ) {}

  /** Whoever can do the task, once for each number of threads that it may be at its best with. */
  async open(task: Task, threads: number, parameters?: number): Promise<Contender[]> {
    const contenders: Contender[] = [];
    for (const spec of this.specs)
      for (const count of spec.threads(threads)) {
        const peer = await this.#start(spec, count);
        if (peer === null) break;
        try {
          contenders.push(await peer.open(task, parameters, spec.readsModels ? await this.#modelFile(task) : {}));
        } catch (error) {
          if (!(error instanceof UnsupportedTaskError)) throw error;
          const what = 'model' in task ? `${task.task} ${task.model}` : task.task;
          this.#once(`${spec.name}, ${what}: ${error.message}`);
          break;
        }
      }
    return contenders;
  }

  /** Ends them all; what is needed again starts again. */
  close(): void {
    for (const peer of this.#running.values()) peer?.close();
    this.#running.clear();
  }

  async #start(spec: PeerSpec, threads: number): Promise<Peer | null> {
    const key = `${spec.name} ${threads}`;
    const known = this.#running.get(key);
    if (known !== undefined) return known;
    let peer: Peer | null = null;
    try {
      peer = await Peer.start(spec, threads);
      this.#once(peer.about);
    } catch (error) {
      if (!(error instanceof MissingPeerError)) throw error;
      this.#once(error.message);
    }
    this.#running.set(key, peer);
    return peer;
  }

  /** Where torch has written the model, and the shape of its input. */
  async #modelFile(task: Task): Promise<object> {
    if (task.task !== 'infer') return {}; // It refuses.
    const { model, batch } = task;
    if (!isModelName(model)) throw new Error(`no model ${model}`);
    const key = `${model}-${batch}`;
    const file = path.join(exported, `${key}.onnx`);
    if (!this.#files.has(key)) {
      const torch = await this.#start(peerSpecs.torch!, 1);
      if (torch === null) throw new UnsupportedTaskError('torch, which writes its models, is not installed');
      fs.mkdirSync(exported, { recursive: true });
      await torch.call('export', { model, batch, file });
      this.#files.set(key, file);
    }
    return { file, shape: [batch, ...benchmarkModels[model].input] };
  }

  #once(text: string): void {
    if (!this.#noted.has(text)) this.note(text);
    this.#noted.add(text);
  }
}
