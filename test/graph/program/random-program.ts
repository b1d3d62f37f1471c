import fc from 'fast-check';
import * as sp from '../../../lib';

type Tensor = sp.Tensor;
type Variable = sp.Variable;
type DType = sp.DType;

/** Numbers choose: which operation, of which of the values so far, with which dims. Any numbers make a program. */
export interface Step {
  readonly op: number;
  readonly a: number;
  readonly b: number;
  readonly k: number;
}

export interface Recipe {
  readonly leaves: readonly { readonly dtype: DType; readonly shape: readonly number[]; readonly seed: number }[];
  readonly variables: readonly { readonly dtype: DType; readonly shape: readonly number[]; readonly seed: number }[];
  readonly steps: readonly Step[];
}

const MAX_SIZE = 400;

const shapes = fc.array(fc.constantFrom(2, 3, 1, 0, 5), { maxLength: 3 });
const natural = fc.nat({ max: 999 });
const inputs = (dtypes: readonly DType[]): fc.Arbitrary<Recipe['leaves'][number]> =>
  fc.record({ dtype: fc.constantFrom(...dtypes), shape: shapes, seed: natural });

export const recipes: fc.Arbitrary<Recipe> = fc.record({
  leaves: fc.array(inputs(['float32', 'float64', 'int32', 'bool']), { minLength: 1, maxLength: 4 }),
  variables: fc.array(inputs(['float32', 'float64']), { minLength: 1, maxLength: 2 }),
  steps: fc.array(fc.record({ op: natural, a: natural, b: natural, k: natural }), {
    minLength: 1,
    maxLength: 24,
    size: '+1',
  }),
});

/** Numbers between -2 and 2 with a few zeros and ties, the same for the same seed. */
function numbersOf(seed: number, size: number): number[] {
  return Array.from({ length: size }, (_, i) => {
    const mixed = Math.imul(Math.imul(seed * 31 + i + 1, 0x9e3779b1) ^ (i << 7), 0x85ebca6b) >>> 0;
    return mixed % 11 === 0 ? 0 : mixed % 7 === 0 ? (mixed % 5) - 2 : (mixed / 2 ** 32) * 4 - 2;
  });
}

/** A value of a program: a tensor, or a Variable, which stands for its version at that moment. */
type Value = Tensor | Variable;

interface Context {
  /** One of the values so far, by a number. */
  readonly pick: (n: number, fits?: (value: Value) => boolean) => Value | undefined;
  readonly variables: readonly Variable[];
}

/** What a step makes; undefined where it cannot be made of these values. */
type Operation = (context: Context, x: Value, step: Step) => Tensor | readonly Tensor[] | undefined;

const isFloat = ({ dtype }: Value): boolean => dtype === 'float32' || dtype === 'float64';
const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

function broadcasts(a: readonly number[], b: readonly number[]): boolean {
  for (let i = 1; i <= Math.min(a.length, b.length); i++)
    if (a.at(-i) !== b.at(-i) && a.at(-i) !== 1 && b.at(-i) !== 1) return false;
  return true;
}

const unary =
  (fn: (x: Value) => Tensor): Operation =>
  (_, x) =>
    fn(x);
/** With another value that broadcasts, or a number. */
const binary =
  (fn: (x: Value, y: Value | number) => Tensor): Operation =>
  ({ pick }, x, { b, k }) =>
    k % 4 === 0
      ? fn(x, (k % 5) - 2)
      : fn(
          x,
          pick(b, (y) => broadcasts(x.shape, y.shape))!,
        );
const alongDim =
  (fn: (x: Value, dim: number, step: Step) => Tensor | undefined): Operation =>
  (_, x, step) =>
    x.rank === 0 ? undefined : fn(x, step.k % x.rank, step);
const reduction =
  (fn: (x: Value, options: { dim?: number; keepdim?: boolean }) => Tensor, needsSome = false): Operation =>
  (_, x, { b, k }) => {
    const options = x.rank === 0 || k % 3 === 0 ? {} : { dim: k % x.rank, keepdim: b % 2 === 0 };
    const count = options.dim === undefined ? sizeOf(x.shape) : x.shape[options.dim]!;
    return needsSome && count === 0 ? undefined : fn(x, options);
  };
const floating =
  (operation: Operation): Operation =>
  (context, x, step) =>
    isFloat(x) ? operation(context, x, step) : undefined;

/** A loss of one number from a float value. */
const lossOf = (x: Value): Tensor => sp.mean(sp.square(sp.tanh(x)));

export const operations: Readonly<Record<string, Operation>> = {
  add: binary((x, y) => sp.add(x, y)),
  mul: binary((x, y) => sp.mul(x, y)),
  sub: binary((x, y) => sp.sub(x, y)),
  div: binary((x, y) => sp.div(x, y)),
  maximum: binary((x, y) => sp.maximum(x, y)),
  minimum: binary((x, y) => sp.minimum(x, y)),
  neg: unary((x) => sp.neg(x)),
  abs: unary((x) => sp.abs(x)),
  sign: unary((x) => sp.sign(x)),
  exp: unary((x) => sp.exp(sp.minimum(x, 3))),
  log: unary((x) => sp.log(sp.add(sp.abs(x), 0.5))),
  sqrt: unary((x) => sp.sqrt(sp.abs(x))),
  tanh: unary((x) => sp.tanh(x)),
  sigmoid: unary((x) => sp.sigmoid(x)),
  relu: unary((x) => sp.relu(x)),
  sin: unary((x) => sp.sin(x)),
  round: unary((x) => sp.round(x)),
  gelu: unary((x) => sp.gelu(x)),
  lt: binary((x, y) => sp.lt(x, y)),
  eq: binary((x, y) => sp.eq(x, y)),
  logicalAnd: binary((x, y) => sp.logicalAnd(x, y)),
  where: binary((x, y) => sp.where(sp.gt(x, 0), x, y)),
  float32: unary((x) => sp.cast(x, 'float32')),
  float64: unary((x) => sp.cast(x, 'float64')),
  int32: unary((x) => sp.cast(x, 'int32')),
  bool: unary((x) => sp.cast(x, 'bool')),

  sum: reduction((x, options) => sp.sum(x, options)),
  mean: reduction((x, options) => sp.mean(x, options)),
  max: reduction((x, options) => sp.max(x, options), true),
  min: reduction((x, options) => sp.min(x, options), true),
  argmax: reduction((x, options) => sp.argmax(x, options), true),
  logSumExp: floating(reduction((x, options) => sp.logSumExp(x, options))),
  variance: floating(reduction((x, options) => sp.variance(x, { ...options, correction: 0 }))),
  softmax: floating(alongDim((x, dim) => sp.softmax(x, dim))),
  logSoftmax: floating(alongDim((x, dim) => sp.logSoftmax(x, dim))),

  matmul: floating(({ pick }, x, { b }) => {
    if (x.rank < 2) return undefined;
    const fits = (y: Value): boolean => y.rank === 2 && y.dtype === x.dtype && y.shape.includes(x.shape.at(-1)!);
    const y = pick(b, fits) ?? x;
    if (y.rank !== 2) return sp.matmul(x, sp.transpose(x, -1, -2));
    return sp.matmul(x, y.shape[0] === x.shape.at(-1) ? y : sp.transpose(y, 0, 1));
  }),
  reshape: (_, x, { k }) => {
    const size = sizeOf(x.shape);
    const rows = [1, 2, 3, 5].filter((n) => size % n === 0);
    return k % 3 === 0 || size === 0 ? sp.reshape(x, [size]) : sp.reshape(x, [rows[k % rows.length]!, -1]);
  },
  permute: (_, x, { k }) =>
    sp.permute(
      x,
      x.shape.map((_, dim) => (k % 2 === 0 ? x.rank - 1 - dim : (dim + 1 + (k % 3)) % x.rank)),
    ),
  slice: alongDim((x, dim, { a, b }) =>
    sp.slice(
      x,
      x.shape.map((size, i) => (i === dim ? [a % (size + 1), null, 1 + (b % 2)] : null)),
    ),
  ),
  select: alongDim((x, dim, { b }) => (x.shape[dim] === 0 ? undefined : sp.select(x, dim, b % x.shape[dim]!))),
  expand: (_, x, { k }) => (x.rank > 3 ? undefined : sp.expand(sp.unsqueeze(x, 0), [1 + (k % 3), ...x.shape])),
  unsqueeze: (_, x, { k }) => (x.rank > 3 ? undefined : sp.unsqueeze(x, k % (x.rank + 1))),
  squeeze: unary((x) => sp.squeeze(x)),
  concat: ({ pick }, x, { b, k }) => {
    if (x.rank === 0) return undefined;
    const y = pick(b, (other) => other.shape.join() === x.shape.join())!;
    return sp.concat([x, y], { dim: k % x.rank });
  },
  pad: (_, x, { k }) => (x.rank === 0 ? undefined : sp.pad(x, [k % 3, (k >> 2) % 2], { value: k % 2 })),
  gather: alongDim((x, dim) =>
    x.shape[dim] === 0 ? undefined : sp.gather(x, dim, sp.argmax(x, { dim, keepdim: true })),
  ),
  detach: unary((x) => sp.detach(x)),

  rand: unary((x) => sp.rand(x.shape)),
  randn: unary((x) => sp.randn(x.shape, { dtype: 'float64' })),
  dropout: floating((_, x, { k }) => sp.dropout(x, (k % 4) / 4)),

  checkpoint: floating(({ pick }, x, { b }) => {
    const y = pick(b, (other) => isFloat(other) && broadcasts(x.shape, other.shape))!;
    return sp.checkpoint((h: Value) => sp.tanh(sp.dropout(sp.mul(h, y), 0.25)), x);
  }),
  gradients: ({ variables }, x) => {
    if (!isFloat(x) || !x.requiresGrad) return undefined;
    const found = sp.gradients([lossOf(x)], variables, undefined, { createGraph: true, allowUnused: true });
    return found.filter((g) => g !== null);
  },
  backward: ({ variables }, x) => {
    if (!isFloat(x) || !x.requiresGrad) return undefined;
    sp.backward(lossOf(x), undefined, { retainGraph: true });
    return variables.flatMap(({ grad: g }) => (g === null ? [] : [g]));
  },
  assign: ({ variables }, x, { k }) => {
    const variable = variables[k % variables.length]!;
    variable.assign(sp.cast(sp.add(sp.mul(variable, 0.5), sp.mul(sp.mean(sp.tanh(x)), 0.5)), variable.dtype));
    return undefined;
  },
  optimize: ({ variables }, x, { k }) => {
    if (!isFloat(x) || !x.requiresGrad) return undefined;
    for (const variable of variables) variable.grad = null;
    sp.backward(lossOf(x), undefined, { retainGraph: true });
    const lr = 0.01 * (1 + (k % 3));
    for (const variable of variables)
      if (variable.grad !== null) variable.assign(sp.sub(variable, sp.mul(variable.grad, lr)));
    return undefined;
  },
};

const names = Object.keys(operations);

/** A program that can be run again and again: its Variables go on, its random numbers too. */
export class Program {
  readonly variables: readonly Variable[];
  readonly leaves: readonly Tensor[];
  /** What each step of the last run made. */
  readonly lines: string[] = [];
  private readonly optimizer: sp.optim.Adam;

  constructor(private readonly recipe: Recipe) {
    sp.manualSeed(1);
    const make = ({ dtype, shape, seed }: Recipe['leaves'][number]): Tensor =>
      sp.cast(sp.tensor(Float64Array.from(numbersOf(seed, sizeOf(shape))), { shape }), dtype);
    this.leaves = recipe.leaves.map(make);
    this.variables = recipe.variables.map((variable) => new sp.Variable(make(variable), { requiresGrad: true }));
    this.optimizer = new sp.optim.Adam(this.variables, { lr: 0.05 });
  }

  /**
   * One run on the leaves: some of the values that it made, the last among them; the others are intermediates. Variables
   * that have a gradient in the end move by Adam.
   */
  run(leaves: readonly Tensor[] = this.leaves): Tensor[] {
    const { variables } = this;
    this.lines.length = 0;
    const values: Value[] = [...variables, ...leaves];
    const made: Tensor[] = [];
    values.forEach((value, i) => this.say(`v${i}`, i < variables.length ? 'Variable' : 'leaf', value));
    const pick = (n: number, fits: (value: Value) => boolean = () => true): Value | undefined => {
      const possible = values.filter(fits);
      // The latest for small numbers, so that chains are long.
      return possible[possible.length - 1 - (n % possible.length)];
    };
    this.optimizer.zeroGrad();
    for (const step of this.recipe.steps) {
      const name = names[step.op % names.length]!;
      const x = pick(step.a)!;
      const result = operations[name]!({ pick, variables }, x, step);
      for (const value of result === undefined
        ? []
        : Array.isArray(result)
          ? (result as Tensor[])
          : [result as Tensor]) {
        if (sizeOf(value.shape) > MAX_SIZE) continue;
        this.say(`v${values.length}`, `${name}(v${values.indexOf(x)}, …) b=${step.b} k=${step.k}`, value);
        values.push(value);
        if (step.k % 3 === 0) made.push(value);
      }
      if (result === undefined) this.lines.push(`    ${name}(v${values.indexOf(x)}) k=${step.k}`);
    }
    if (variables.some(({ grad: g }) => g !== null)) void this.optimizer.step();
    const last = values.at(-1)!;
    return last instanceof sp.Tensor && !made.includes(last) && !leaves.includes(last) ? [...made, last] : made;
  }

  /** Its last run, a line for each value: for a failure's message. */
  toString(): string {
    return this.lines.join('\n');
  }

  private say(name: string, made: string, { dtype, shape }: Value): void {
    this.lines.push(`${name} = ${made}: ${dtype} [${shape.join()}]`);
  }
}
