import { buildBatch, buildModel, modelNames, predictor, trainer } from '../../benchmarks/models';
import { IdleBackend } from '../../benchmarks/suites/idle-backend';
import { compile, useBackend } from '../../lib';
import { currentBackend, useBackend as use } from '../../lib/graph/evaluate';

/** What inference needs at its widest place, where activations are written over: a layer's input and its output, float32. */
const widest: { readonly [name: string]: number } = {
  mlp784: 4 * 128 * (512 + 256),
  lenet: 4 * 64 * 6 * (28 ** 2 + 14 ** 2),
};

describe('the arena of the models that are measured', () => {
  beforeAll(() => {
    useBackend('portable');
    // Runs nothing: only what programs need is looked at.
    use(new IdleBackend(currentBackend()));
  });
  afterAll(() => useBackend('portable'));

  test.each(modelNames)('%s: within 5 % of the lower bound', (name) => {
    const model = buildModel(name);
    const { x, labels } = buildBatch(name);
    const train = compile(trainer(model));
    train(x, labels);
    const infer = compile(predictor(model));
    infer(x);
    for (const compiled of [train, infer]) {
      const [program] = compile.explain(compiled).programs;
      expect(program!.arenaBytes).toBeLessThanOrEqual(1.05 * program!.arenaLowerBound);
    }
    const [inference] = compile.explain(infer).programs;
    if (name in widest) expect(inference!.arenaBytes).toBeLessThanOrEqual(widest[name]!);
  });
});
