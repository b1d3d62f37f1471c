import { nn, tensor, type Variable } from '../../lib';
import type { CommonOptions, Optimizer } from '../../lib/optim';
import { count, random } from '../helpers/ndarray';

const STEPS = 50;

/** A parameter as a flat list; `memory` starts empty. */
export type Rule = (theta: number[], g: number[], t: number, memory: Record<string, number[]>) => number[];
type Make = (parameters: Variable[]) => Optimizer<CommonOptions>;

export const startOf = (shape: readonly number[]): number[] => {
  const next = random(5);
  return Array.from({ length: count(shape) }, () => 2 * next() - 1);
};

/** Gradients of all signs and sizes. */
export const gradientAt = (shape: readonly number[], t: number): number[] => {
  const next = random(100 + t);
  return Array.from({ length: count(shape) }, (_, i) => (next() - 0.4) * 10 ** ((i % 4) - 2));
};

/** Fails unless the optimizer moves a parameter of this shape as the rule says, to 1e-10 over 50 steps. */
export async function expectTrajectory(shape: readonly number[], make: Make, rule: Rule): Promise<void> {
  const parameter = new nn.Parameter(tensor(startOf(shape), { shape: [...shape], dtype: 'float64' }));
  const optimizer = make([parameter]);
  const memory = {};
  let expected = startOf(shape);
  for (let t = 1; t <= STEPS; t++) {
    const g = gradientAt(shape, t);
    parameter.grad = tensor(g, { shape: [...shape], dtype: 'float64' });
    await optimizer.step();
    expected = rule(expected, g, t, memory);
    if (t > 3 && t < STEPS) continue;
    const size = Math.max(...expected.map(Math.abs));
    [...parameter.dataSync()].forEach((value, i) =>
      expect(Math.abs(Number(value) - expected[i]!)).toBeLessThanOrEqual(1e-10 * size),
    );
  }
}

/** keep old + (1 - keep) value, remembered under a name; zeros at first. */
export function averaged(memory: Record<string, number[]>, name: string, values: number[], keep: number): number[] {
  const old = memory[name] ?? values.map(() => 0);
  return (memory[name] = values.map((value, i) => keep * old[i]! + (1 - keep) * value));
}
