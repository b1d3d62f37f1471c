import type { Bench } from '../bench';
import { timed, type Contender } from '../measure';
import { benchmarkModels, buildBatch, buildModel, modelNames, parametersOf, predictor, trainer } from '../models';
import type { ModelName } from '../models';
import type { Unit } from '../rows';
import { ways } from '../ways';

/** Training steps and inference of the five models; inference also of a single input. */
export async function programs(bench: Bench): Promise<void> {
  for (const task of ['train', 'infer'] as const)
    for (const model of modelNames) await program(bench, task, model, benchmarkModels[model].batch, 'ms');
  await program(bench, 'infer', 'mlp16', 1, 'ms');
}

/**
 * One program in all ways, beside the peers: `train` is forward, cross-entropy, backward and Adam, with the loss read;
 * `infer` the forward pass, with the logits read.
 */
export async function program(
  bench: Bench,
  task: 'train' | 'infer',
  model: ModelName,
  batch: number,
  unit: Unit,
): Promise<void> {
  for (const [way, run] of Object.entries(ways)) {
    const name = `${task} ${benchmarkModels[model].title}, batch ${batch}, ${way}`;
    if (!bench.wants(name)) continue;
    const network = buildModel(model);
    const ours = (): Contender => {
      const { x, labels } = buildBatch(model, batch);
      if (task === 'train') {
        const step = run(trainer(network));
        return timed(way, () => step(x, labels).itemSync());
      }
      const predict = run(predictor(network));
      return timed(way, () => predict(x).dataSync());
    };
    await bench.compare({ name, unit, ours, task: { task, model, batch }, parameters: parametersOf(network) });
  }
}
