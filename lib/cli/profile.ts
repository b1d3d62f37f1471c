import { backendInfo } from '../backend';
import { backward } from '../autodiff';
import { DataLoader } from '../data/loader';
import { writeFileAtomic } from '../io/atomic';
import { profile } from '../graph/profile';
import { crossEntropy } from '../nn/losses/functional';
import { createTraining, loadDataset, type TrainingArguments } from './training';

/** The flags of `profile`, each checked by itself. */
export interface ProfileArguments extends TrainingArguments {
  readonly steps: number;
  readonly trace?: string;
  readonly json: boolean;
}

/** So that programs are compiled and memory is there. */
const WARMUP = 2;

/** Measures training steps and prints where the time goes. */
export async function runProfile(options: ProfileArguments): Promise<void> {
  const { steps, seed, json } = options;
  const { dataset, modelName, model, optimizer, batchSize } = createTraining(options, loadDataset(options));
  const batches = endless(
    new DataLoader(dataset, { batchSize, shuffle: true, seed, dropLast: batchSize <= dataset.train.length }),
  );
  const step = async (): Promise<void> => {
    const { images, labels } = batches.next().value;
    await optimizer.step(() => {
      optimizer.zeroGrad();
      const loss = crossEntropy(model.forward(images), labels);
      backward(loss);
      return loss;
    });
  };
  model.train();
  const report = await profile(step, { warmup: WARMUP, repeat: steps });
  if (options.trace !== undefined) writeFileAtomic(options.trace, report.toChromeTrace());
  const { backend, isa, threads } = backendInfo();
  if (json) {
    const settings = { dataset: dataset.name, model: modelName, batchSize, steps, backend, isa, threads };
    process.stdout.write(`${JSON.stringify({ ...settings, total: report.total, rows: report.rows })}\n`);
    return;
  }
  const what = `${steps} training steps of ${modelName} on ${dataset.name}, ${batchSize} images each`;
  process.stdout.write(`${what}; ${backend} backend (${isa}, threads: ${threads})\n${String(report)}\n`);
  if (options.trace !== undefined) process.stdout.write(`\n${options.trace}: open it in ui.perfetto.dev\n`);
}

function* endless<T>(loader: Iterable<T>): Generator<T, never> {
  for (;;) yield* loader;
}
