import fc from 'fast-check';
import * as sp from '../../../lib';
import { evaluateSync } from '../../../lib/graph/evaluate';
import { registry } from '../../../lib/graph/op';
import { record, setOnRecord } from '../../../lib/graph/record';
import { Storage } from '../../../lib/tensor/storage';
import { Tensor } from '../../../lib/tensor/tensor';
import { backends, onEachBackend } from '../../helpers/backends';
import { Program, recipes, type Recipe } from './random-program';

const isFull = process.env.SADDLEPOINT_TEST_FULL === '1';
const numRuns = isFull ? 1000 : 60;
const RUNS = 3;

/** Runs `fn` with every operation evaluated when it is recorded, and told to `then`. */
function oneByOne<T>(fn: () => T, then: (tensor: Tensor) => void = () => undefined): T {
  setOnRecord((tensor) => {
    then(tensor);
    evaluateSync([tensor]);
  });
  try {
    return fn();
  } finally {
    // These recipes are too short to be submitted by themselves.
    setOnRecord(() => undefined);
  }
}

type Numbers = readonly (readonly (number | bigint)[])[];

const numbersOf = (tensors: readonly Tensor[]): Numbers =>
  tensors.map((t) => Array.from<number | bigint>(t.dataSync() as Float64Array));

/** What the runs of a program give, and where its Variables are after each. */
function results(program: Program, run: () => readonly Tensor[]): Numbers[] {
  return Array.from({ length: RUNS }, () => {
    const outputs = run();
    return [...numbersOf(outputs), ...numbersOf(program.variables.map((variable) => variable.capture()))];
  });
}

function expectSameBits(
  actual: readonly Numbers[],
  expected: readonly Numbers[],
  what: string,
  program: Program,
): void {
  const places = expected.flatMap((run, r) => run.flatMap((values, v) => values.map((_, i) => [r, v, i] as const)));
  for (const [r, v, i] of places)
    if (!Object.is(actual[r]![v]![i], expected[r]![v]![i]))
      throw new Error(
        `${what}: run ${r}, output ${v}, element ${i} is ${actual[r]![v]![i]}, not ${expected[r]![v]![i]}\n${String(program)}`,
      );
  expect(actual.map((run) => run.map(({ length }) => length))).toEqual(
    expected.map((run) => run.map(({ length }) => length)),
  );
}

const property = (check: (recipe: Recipe) => void): void =>
  fc.assert(fc.property(recipes, check), { numRuns, ...(isFull ? {} : { seed: 20240607 }) });

onEachBackend('random programs', () => {
  test('one fused program gives the bits of operations computed one by one; compiled ones too, and take as many random numbers', () => {
    property((recipe) => {
      const alone = new Program(recipe);
      const expected = results(alone, () => oneByOne(() => alone.run()));

      const fused = new Program(recipe);
      const together = results(fused, () => {
        const outputs = fused.run();
        evaluateSync([...outputs, ...fused.variables.map(({ current }) => current)]);
        return outputs;
      });
      const { offset } = sp.defaultGenerator;
      expectSameBits(together, expected, 'fused', fused);

      const compiled = new Program(recipe);
      const step = sp.compile((...leaves: Tensor[]) => compiled.run(leaves));
      expectSameBits(
        results(compiled, () => step(...compiled.leaves)),
        expected,
        'compiled',
        compiled,
      );
      expect(sp.defaultGenerator.offset).toBe(offset);
    });
  });
});

// ---- both backends

interface Recorded {
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly attrs: unknown;
  readonly output: Tensor;
}

const isSubnormal = (x: number | bigint, dtype: Tensor['dtype']): boolean =>
  x !== 0 && Math.abs(Number(x)) < (dtype === 'float32' ? 2 ** -126 : 2 ** -1022);

const elementsOf = (t: Tensor): readonly (number | bigint)[] =>
  t.scalar !== null ? [t.scalar] : Array.from<number | bigint>(t.storage!.data as Float64Array);

/** The same operation on the same numbers, in the library that runs on the other backend. */
function computedAgain({ name, inputs, attrs }: Recorded): Tensor {
  const again = record(
    registry.get(name)!,
    inputs.map((t) =>
      t.scalar !== null
        ? Tensor.ofScalar(t.scalar, t.dtype)
        : Tensor.ofStorage(Storage.from(t.dtype, t.storage!.data as Float64Array), t.shape),
    ),
    attrs,
  );
  evaluateSync([again]);
  return again;
}

/** Roundoffs, relative to the result, between two computations of a step: each is as exact as test/backend/kernels says. */
const stepRoundoffs: Readonly<Record<string, number>> = {
  exp: 4,
  rsqrt: 4,
  pow: 8,
  expm1: 8,
  log: 8,
  log1p: 8,
  sin: 8,
  cos: 8,
  tanh: 8,
  sigmoid: 8,
  softplus: 8,
  erf: 8,
};

/**
 * How far two backends may be apart in each element of an operation's result. Sums of n terms in any order are within
 * n roundoffs of the sum of magnitudes (Higham, "Accuracy and stability of numerical algorithms", 2002, 4.2), each.
 */
function boundOf({ name, inputs, attrs, output }: Recorded): (element: number, value: number) => number {
  const { dtype } = output;
  if (dtype !== 'float32' && dtype !== 'float64') return () => 0;
  const roundoff = dtype === 'float32' ? 2 ** -24 : 2 ** -53;
  const x = inputs[0]!;
  /** The operation on magnitudes, in float64. */
  const ofMagnitudes = (): readonly (number | bigint)[] => {
    const magnitudes = inputs.map((t) => Float64Array.from(elementsOf(t), (v) => Math.abs(Number(v))));
    const again = inputs.map((t, k) => Tensor.ofStorage(Storage.from('float64', magnitudes[k]!), t.shape));
    return elementsOf(computedAgain({ name, inputs: again, attrs, output }));
  };
  const largest = Math.max(
    1,
    ...inputs.flatMap((t) =>
      elementsOf(t)
        .map((v) => Math.abs(Number(v)))
        .filter(Number.isFinite),
    ),
  );
  switch (name) {
    case 'sum':
    case 'matmul': {
      const [terms, sums] = [2 * (x.size + 2), ofMagnitudes()];
      return (i) => terms * roundoff * Number(sums[i]!);
    }
    case 'scatterAdd':
      return () => 2 * (x.size + 2) * roundoff * x.size * largest;
    // exp and log of numbers that are at most `largest`, and a sum of positive terms.
    case 'logSumExp':
    case 'logSoftmax':
      return () => 2 * (16 + x.size + largest) * roundoff * (1 + largest);
    case 'softmax':
      return (_i, value) => 2 * (16 + x.size + 2 * largest) * roundoff * Math.abs(value);
    // Deviations are rounded at the size of x, squares add up.
    case 'variance':
      return () => 2 * (16 + 4 * x.size) * roundoff * largest ** 2;
    case 'normal':
      return (_i, value) => 64 * roundoff * (1 + Math.abs(value));
    default:
      return (_i, value) => 2 * (stepRoundoffs[name] ?? 0) * roundoff * Math.abs(value);
  }
}

(backends.includes('native') ? describe : describe.skip)('native and portable', () => {
  // What one operation gives is what every program gives: see above.
  test('agree on every operation of random programs: exactly, or within the bound of its sums and functions', () => {
    property((recipe) => {
      const log: Recorded[] = [];
      sp.useBackend('portable');
      const program = oneByOne(
        () => {
          const made = new Program(recipe);
          made.run();
          return made;
        },
        (output) => log.push({ name: output.op!.name, inputs: output.inputs, attrs: output.attrs, output }),
      );
      sp.useBackend('native');
      for (const recorded of log) expectAgreement(recorded, program);
    });
  });
});

function expectAgreement(recorded: Recorded, program: Program): void {
  const { name, inputs, output } = recorded;
  const of = (t: Tensor): readonly (number | bigint)[] => elementsOf(t);
  // Native runs flush subnormal numbers to zero: no promise on those.
  if ([...inputs, output].some((t) => of(t).some((v) => isSubnormal(v, t.dtype)))) return;
  const [portable, native, bound] = [of(output), of(computedAgain(recorded)), boundOf(recorded)];
  expect(native.length).toBe(portable.length);
  portable.forEach((p, i) => {
    const n = native[i]!;
    if (Object.is(p, n) || p === n) return;
    if (!(Math.abs(Number(p) - Number(n)) <= bound(i, Number(p))))
      throw new Error(`${name}: element ${i} is ${n} natively, ${p} portably\n${String(program)}`);
  });
}
