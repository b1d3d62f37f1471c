import { add, backendInfo, mul, tensor, useBackend, type Tensor } from '../../lib';
import { currentBackend, evaluateSync, useBackend as useBackendObject } from '../../lib/graph/evaluate';
import { Recorder, setRecorder } from '../../lib/graph/recorder';
import type { Bench } from '../bench';
import { timed, timedAwaited, type Contender } from '../measure';
import { benchmarkModels, buildBatch, buildModel, trainer, type ModelName } from '../models';
import { ways } from '../ways';
import { IdleBackend } from './idle-backend';
import { program } from './programs';

/** What one evaluation costs beside its arithmetic: small programs, from recording to the value. */
export async function overhead(bench: Bench): Promise<void> {
  await single(bench);
  const { title, batch } = benchmarkModels.mlp16;
  await program(bench, 'train', 'mlp16', batch, 'us');
  await program(bench, 'infer', 'mlp16', batch, 'us');
  for (const [way, run] of Object.entries(ways)) {
    const ours = () => {
      const { x, labels } = buildBatch('mlp16');
      const step = run(trainer(buildModel('mlp16')));
      return timedAwaited(way, () => step(x, labels).item());
    };
    await bench.compare({ name: `train ${title}, batch ${batch}, ${way}, awaited`, unit: 'us', ours });
  }
  await withoutExecution(bench, 'mlp16');
  await withoutExecution(bench, 'resnet18');
}

/** One addition, and two operations that become one pass. */
async function single(bench: Bench): Promise<void> {
  const [x, y] = [tensor([1, 2, 3, 4]), tensor([5, 6, 7, 8])];
  for (const [way, run] of Object.entries(ways)) {
    const ours = () => {
      const sum = run((a: Tensor, b: Tensor) => add(a, b));
      return timed(way, () => evaluateSync([sum(x, y)]));
    };
    await bench.compare({ name: `add, 4 elements, ${way}`, unit: 'us', ours, task: { task: 'add', size: 4 } });
  }
  const z = tensor(new Float32Array(64).fill(0.5));
  const ours = () => timed('plain', () => evaluateSync([mul(add(z, 1), 2)]));
  await bench.compare({ name: 'add and mul, 64 elements, plain', unit: 'us', ours });
}

/** A training step on a backend that runs nothing: recording, keying, binding, memory for the results. */
async function withoutExecution(bench: Bench, model: ModelName): Promise<void> {
  const { title, batch } = benchmarkModels[model];
  const name = (way: string): string => `all but execution: train ${title}, batch ${batch}, ${way}`;
  const keyed = `recording and keying: train ${title}, batch ${batch}, plain`;
  if (!bench.wants(keyed) && !Object.keys(ways).some((way) => bench.wants(name(way)))) return;
  const { x, labels } = buildBatch(model);
  const network = buildModel(model);
  evaluateSync([...network.parameters()].map(({ current }) => current));
  useBackendObject(new IdleBackend(currentBackend()));
  try {
    for (const [way, run] of Object.entries(ways)) {
      const step = run(trainer(network));
      await bench.compare({ name: name(way), unit: 'us', ours: () => timed(way, () => step(x, labels).itemSync()) });
    }
    const step = trainer(network);
    await bench.compare({ name: keyed, unit: 'us', ours: () => recordingAndKeying(() => step(x, labels).itemSync()) });
  } finally {
    useBackend(backendInfo().backend);
  }
}

/** A step until its program is found: without memory for the results, and handing over. */
function recordingAndKeying(step: () => unknown): Contender {
  const time = (count: number): number => {
    const recorder = new Recorder();
    setRecorder(recorder);
    const began = recorder.now();
    for (let i = 0; i < count; i++) step();
    const whole = recorder.now() - began;
    setRecorder(null);
    const submitting = recorder.spans.filter(({ phase }) => phase === 'submitting');
    return (whole - submitting.reduce((sum, { start, end }) => sum + end - start, 0)) / 1e9 / count;
  };
  return { name: 'recording and keying', time };
}
