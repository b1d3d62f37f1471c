import { buildBatch, buildModel, predictor, trainer, type ModelName } from '../../benchmarks/models';

/** What `numbers` of benchmarks/peers/torch_models.py gives: logits, losses of steps of Adam, logits after them. */
export interface Numbers {
  readonly keys: readonly string[];
  readonly before: readonly number[];
  readonly losses: readonly number[];
  readonly after: readonly number[];
}

/** Ours, in float64. */
export function numbersOf(name: ModelName, batch: number, steps: number): Numbers {
  const model = buildModel(name, 'float64');
  const { x, labels } = buildBatch(name, batch, 'float64');
  const logits = (): number[] => Array.from(predictor(model)(x).dataSync(), Number);
  const before = logits();
  const step = trainer(model);
  const losses = Array.from({ length: steps }, () => step(x, labels).itemSync());
  return { keys: [...model.stateDict().keys()], before, losses, after: logits() };
}

/**
 * Before any step both differ by the rounding of sums of up to 4,608 products, 4,608 x 1.1e-16 at most. A step of Adam
 * moves a weight by lr g / (|g| + eps): where the gradient g is below eps = 1e-8, its rounding, some 1e-15, moves the
 * weight by lr 1e-15 / eps = 1e-10 with lr = 1e-3.
 */
export function expectNear(ours: Numbers, theirs: Numbers): void {
  const compare = (a: readonly number[], b: readonly number[], tolerance: number): void => {
    expect(a).toHaveLength(b.length);
    const size = Math.max(...b.map(Math.abs));
    a.forEach((value, i) => expect(Math.abs(value - b[i]!)).toBeLessThanOrEqual(tolerance * size));
  };
  expect(ours.keys).toEqual(theirs.keys);
  compare(ours.before, theirs.before, 1e-12);
  compare(ours.losses, theirs.losses, 1e-10);
  compare(ours.after, theirs.after, 1e-10);
}
