import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import readline from 'node:readline';
import type { KernelCase } from '../kernels/cases';
import type { Contender } from '../measure';

/** What a peer can be asked to do over and over. Whatever one cannot do it refuses with a reason. */
export type Task =
  | { readonly task: 'train' | 'infer'; readonly model: string; readonly batch: number }
  | { readonly task: 'add' | 'adam' | 'chain'; readonly size: number }
  | ({ readonly task: 'kernel' } & Pick<KernelCase, 'kind' | 'inputs' | 'options' | 'training' | 'copies'>);

export interface PeerSpec {
  readonly name: string;
  /** Program and arguments; the number of threads comes behind them. */
  readonly command: readonly string[];
  readonly environment?: (threads: number) => NodeJS.ProcessEnv;
  /** The command that installs it. */
  readonly install: string;
  /** It reads its models from ONNX files, which torch writes. */
  readonly readsModels?: boolean;
  /** Numbers of threads, up to ours, at which it may be at its best. */
  readonly threads: (ours: number) => readonly number[];
  /** See Contender. */
  readonly spins?: number;
}

/** It is not on this machine; the message has the command that installs it. */
export class MissingPeerError extends Error {
  constructor(spec: PeerSpec, reason: string) {
    super(`${spec.name} is not installed (${reason}); install it with: ${spec.install}`);
  }
}

/** It is here, and cannot do this. */
export class UnsupportedTaskError extends Error {}

type Reply = { readonly [key: string]: string | number | readonly (string | number)[] | undefined };

/**
 * A peer in its own process, which lives until `close`. Requests and replies are JSON objects, one a line, in turns:
 *
 *     {"call":"about"}                          {"version":"1.13.0","with":"BLAS ..."}
 *     {"call":"open","task":"train", ...}       {"parameters":1732}, or {"unsupported":"why"}
 *     {"call":"time","count":100}               {"seconds":0.00023}    of one call of what is open
 *     anything that fails                       {"error":"why"}
 *
 * One that is not installed writes {"missing":"why"} and ends.
 */
export class Peer {
  readonly name: string;
  #about = '';
  #stderr = '';
  #ended: string | null = null;
  #waiting: ((line: string | null) => void) | null = null;

  private constructor(
    readonly spec: PeerSpec,
    readonly threads: number,
    private readonly child: ChildProcessWithoutNullStreams,
  ) {
    this.name = spec.name;
    const end = (how: string): void => {
      this.#ended ??= how;
      this.#settle(null);
    };
    child.on('error', (error) => end(error.message));
    child.on('close', (code, signal) => end(`it ended with ${signal ?? `code ${code}`}`));
    child.stdin.on('error', () => undefined); // 'close' says more.
    child.stderr.on('data', (chunk: Buffer) => (this.#stderr = (this.#stderr + chunk.toString()).slice(-2000)));
    readline.createInterface({ input: child.stdout }).on('line', (line) => this.#settle(line));
  }

  /** Starts it. Throws MissingPeerError where it is not installed. */
  static async start(spec: PeerSpec, threads: number): Promise<Peer> {
    const [program, ...rest] = spec.command;
    const env = { ...process.env, ...spec.environment?.(threads) };
    const peer = new Peer(spec, threads, spawn(program!, [...rest, String(threads)], { env }));
    const about = await peer.call('about');
    peer.#about = `${spec.name} ${String(about.version)}: ${String(about.with)}`;
    return peer;
  }

  /** Name, version, and what it computes with. */
  get about(): string {
    return this.#about;
  }

  /** One request. Throws what the peer could not do. */
  async call(call: string, request: object = {}): Promise<Reply> {
    const line = await new Promise<string | null>((resolve) => {
      if (this.#ended !== null) return resolve(null);
      this.#waiting = resolve;
      this.child.stdin.write(`${JSON.stringify({ call, ...request })}\n`);
    });
    if (line === null) throw this.#failure();
    const reply = JSON.parse(line) as Reply;
    if (reply.missing !== undefined) throw new MissingPeerError(this.spec, String(reply.missing));
    if (reply.unsupported !== undefined) throw new UnsupportedTaskError(String(reply.unsupported));
    if (reply.error !== undefined) throw new Error(`${this.name}: ${call}: ${String(reply.error)}`);
    return reply;
  }

  /** Makes it ready for a task. Throws UnsupportedTaskError, or Error if its model is another one than ours. */
  async open(task: Task, parameters?: number, details: object = {}): Promise<Contender> {
    const reply = await this.call('open', { ...task, ...details });
    if (reply.parameters !== undefined && parameters !== undefined && reply.parameters !== parameters)
      throw new Error(`${this.name}: its model has ${String(reply.parameters)} parameters, ours ${parameters}`);
    const time = async (count: number): Promise<number> => Number((await this.call('time', { count })).seconds);
    return { name: this.name, time, spins: this.spec.spins };
  }

  close(): void {
    this.child.kill();
  }

  #settle(line: string | null): void {
    this.#waiting?.(line);
    this.#waiting = null;
  }

  #failure(): Error {
    // The program itself is not there.
    if (this.child.pid === undefined) return new MissingPeerError(this.spec, this.#ended!);
    return new Error(`${this.name}: ${this.#ended}\n${this.#stderr}`);
  }
}
