import { gradients, jvp } from '../../lib/autodiff';
import { evaluateSync } from '../../lib/graph/evaluate';
import { readDataSync } from '../../lib/graph/reading';
import { concat, reshape, tensor, zerosLike } from '../../lib/ops';
import { isFloat, type DType } from '../../lib/tensor/dtype';
import type { Tensor } from '../../lib/tensor/tensor';
import { count, random } from './ndarray';

/** An input of a checked function: floats are differentiated, others stay as they are. */
export interface Primal {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly dtype: DType;
}

export interface GradcheckOptions {
  /** Of the central differences. */
  step?: number;
  /** Accepted error relative to the size of the derivatives in the same input. */
  tolerance?: number;
  /** Accept an output that depends on nothing; its differences must then be 0. */
  mayBeConstant?: boolean;
}

type Fn = (...inputs: Tensor[]) => Tensor;

const makeTensor = ({ shape, data, dtype }: Primal, requiresGrad: boolean): Tensor =>
  tensor(dtype === 'float32' ? Float32Array.from(data) : Float64Array.from(data), {
    shape: [...shape],
    dtype,
    requiresGrad: requiresGrad && isFloat(dtype),
  });

export const numbersOf = (x: Tensor): number[] => Array.from(readDataSync(x) as Float64Array, Number);

/** A fixed direction: entries of size about 1, none near 0, all multiples of 1/64, so that exact steps stay exact. */
function direction(size: number, seed: number): number[] {
  const next = random(seed);
  return Array.from({ length: size }, () => (next() < 0.5 ? -1 : 1) * (0.5 + Math.round(64 * next()) / 64));
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

function values(fn: Fn, primals: readonly Primal[]): number[] {
  return numbersOf(fn(...primals.map((primal) => makeTensor(primal, false))));
}

function moved(primals: readonly Primal[], input: number, change: (value: number, i: number) => number): Primal[] {
  return primals.map((primal, i) => (i === input ? { ...primal, data: primal.data.map(change) } : primal));
}

function expectNear(actual: readonly number[], expected: readonly number[], tolerance: number, what: string): void {
  expect(actual.length).toBe(expected.length);
  const size = Math.max(1, ...expected.map(Math.abs));
  actual.forEach((x, i) => {
    if (!(Math.abs(x - expected[i]!) <= tolerance * size))
      throw new Error(`${what}, element ${i}: the rule gives ${x}, differences give ${expected[i]}`);
  });
}

const floatInputs = (primals: readonly Primal[]): number[] =>
  primals.flatMap(({ dtype }, i) => (isFloat(dtype) ? [i] : []));

/**
 * Holds the reverse rule of `fn` against central differences in every element of every float input: the gradient of
 * ⟨v, fn⟩ for one generic v.
 */
export function gradcheck(fn: Fn, primals: readonly Primal[], options: GradcheckOptions = {}): void {
  const { step = 1e-5, tolerance = 1e-7, mayBeConstant = false } = options;
  const inputs = primals.map((primal) => makeTensor(primal, true));
  const output = fn(...inputs);
  const v = direction(output.size, 3);
  const wanted = floatInputs(primals);
  const cotangent = makeTensor({ shape: output.shape, data: v, dtype: output.dtype }, false);
  if (!mayBeConstant) expect(output.requiresGrad).toBe(true);
  const starts = wanted.map((i) => inputs[i]!);
  const found = output.requiresGrad
    ? gradients([output], starts, [cotangent], { allowUnused: true })
    : starts.map(() => null);
  const ready = found.map((g, k) => g ?? zerosLike(starts[k]!));
  evaluateSync(ready);
  wanted.forEach((input, k) => {
    const expected = primals[input]!.data.map((_, element) => {
      const shifted = (by: number): number[] =>
        values(
          fn,
          moved(primals, input, (x, i) => (i === element ? x + by : x)),
        );
      return (dot(v, shifted(step)) - dot(v, shifted(-step))) / (2 * step);
    });
    expect(ready[k]!.shape).toEqual(primals[input]!.shape);
    expectNear(numbersOf(ready[k]!), expected, tolerance, `gradient of input ${input}`);
  });
}

/** The same for the gradients themselves, as a function of the inputs and of the cotangent. */
export function gradgradcheck(fn: Fn, primals: readonly Primal[], options: GradcheckOptions = {}): void {
  const wanted = floatInputs(primals);
  const sample = fn(...primals.map((primal) => makeTensor(primal, false)));
  const v: Primal = { shape: sample.shape, data: direction(sample.size, 5), dtype: sample.dtype };
  const gradientsOfFn = (...all: Tensor[]): Tensor => {
    const inputs = all.slice(0, -1).map((x, i) => {
      // Numerical calls come without gradients: the inner ones are always needed.
      if (x.requiresGrad || !wanted.includes(i)) return x;
      return makeTensor({ shape: x.shape, data: numbersOf(x), dtype: x.dtype }, true);
    });
    const starts = wanted.map((i) => inputs[i]!);
    const found = gradients([fn(...inputs)], starts, [all.at(-1)!], { createGraph: true, allowUnused: true });
    return concat(found.map((g, k) => reshape(g ?? zerosLike(starts[k]!), [starts[k]!.size])));
  };
  gradcheck(gradientsOfFn, [...primals, v], { ...options, mayBeConstant: true });
}

/**
 * Holds the forward rule against differences along one generic direction, exactly against the reverse rule, and against
 * itself with each input moved alone.
 */
export function jvpcheck(fn: Fn, primals: readonly Primal[], options: GradcheckOptions = {}): void {
  const { step = 1e-5, tolerance = 1e-7 } = options;
  const wanted = floatInputs(primals);
  const tangents = wanted.map((i) => direction(count(primals[i]!.shape), 11 + i));
  const floats = wanted.map((i) => makeTensor(primals[i]!, false));
  const others = primals.map((primal) => makeTensor(primal, false));
  const partial = (...xs: Tensor[]): Tensor => fn(...others.map((other, i) => xs[wanted.indexOf(i)] ?? other));
  const directions = tangents.map((data, k) => makeTensor({ ...primals[wanted[k]!]!, data }, false));
  const { output, tangent } = jvp(partial, floats, directions);
  const shifted = (by: number): number[] =>
    values(
      fn,
      primals.map((primal, i) => {
        const k = wanted.indexOf(i);
        return k < 0 ? primal : { ...primal, data: primal.data.map((x, e) => x + by * tangents[k]![e]!) };
      }),
    );
  const forward = shifted(step);
  const backward = shifted(-step);
  const expected = forward.map((y, i) => (y - backward[i]!) / (2 * step));
  expect(tangent.shape).toEqual(output.shape);
  expectNear(numbersOf(tangent), expected, tolerance, 'tangent');

  if (wanted.length > 1) {
    const alone = wanted.map((_, k) => {
      const one = (x: Tensor): Tensor => partial(...floats.map((float, other) => (other === k ? x : float)));
      return numbersOf(jvp(one, [floats[k]!], [directions[k]!]).tangent);
    });
    const total = numbersOf(tangent).map((_, i) => alone.reduce((sum, terms) => sum + terms[i]!, 0));
    expectNear(numbersOf(tangent), total, tolerance, 'tangent of one input after the other');
  }

  // ⟨v, J t⟩ = ⟨Jᵀ v, t⟩
  const v = direction(output.size, 23);
  const inputs = primals.map((primal) => makeTensor(primal, true));
  const again = fn(...inputs);
  const cotangent = makeTensor({ shape: again.shape, data: v, dtype: again.dtype }, false);
  const found = gradients(
    [again],
    wanted.map((i) => inputs[i]!),
    [cotangent],
    { allowUnused: true },
  );
  const reverse = found.reduce((sum, g, k) => sum + (g === null ? 0 : dot(numbersOf(g), tangents[k]!)), 0);
  const scale = found.reduce(
    (sum, g, k) => sum + (g === null ? 0 : dot(numbersOf(g).map(Math.abs), tangents[k]!.map(Math.abs))),
    1,
  );
  const rounding = primals.some(({ dtype }) => dtype === 'float32') || output.dtype === 'float32' ? 1e-5 : 1e-11;
  expect(Math.abs(dot(v, numbersOf(tangent)) - reverse)).toBeLessThanOrEqual(rounding * scale);
}
