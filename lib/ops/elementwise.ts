import { DTypeError } from '../errors';
import { defineOp } from '../graph/op';
import type { Opcode } from '../graph/program/elementwise';
import { broadcastShapes } from '../tensor/shape';
import type { Operand, Tensor } from '../tensor/tensor';
import { cast } from './cast';
import { zerosLike } from './create';
import { asFloat, asTensor, promoted, promotedFloats, promotedNumbers } from './operands';

/** d output / d x, from x and the output; null: zero everywhere. */
type Derivative = ((x: Tensor, y: Tensor) => Tensor) | null;

/** A function of one number: its derivative gives both gradient rules. */
function defineUnary(name: Opcode, derivative: Derivative): (x: Tensor) => Tensor {
  const apply = defineOp(name, {
    shape: ([x]) => x!.shape,
    lower: { elementwise: name },
    vjp: derivative === null ? (g) => [zerosLike(g)] : (g, [x], y) => [mul(g, derivative(x!, y))],
    jvp: derivative === null ? ([dx]) => zerosLike(dx!) : ([dx], [x], y) => mul(dx!, derivative(x!, y)),
  });
  return (x) => apply([x], undefined);
}

/** A function of two numbers from its two partial derivatives. */
function defineBinary(
  name: Opcode,
  partials: readonly [(a: Tensor, b: Tensor, y: Tensor) => Tensor, (a: Tensor, b: Tensor, y: Tensor) => Tensor],
): (a: Tensor, b: Tensor) => Tensor {
  const apply = defineOp(name, {
    shape: ([a, b]) => broadcastShapes(name, a!.shape, b!.shape),
    lower: { elementwise: name },
    vjp: (g, [a, b], y) => [mul(g, partials[0](a!, b!, y)), mul(g, partials[1](a!, b!, y))],
    jvp: ([da, db], [a, b], y) => [da && mul(da, partials[0](a!, b!, y)), db && mul(db, partials[1](a!, b!, y))],
  });
  return (a, b) => apply([a, b], undefined);
}

function defineComparison(name: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge') {
  const apply = defineOp(name, {
    shape: ([a, b]) => broadcastShapes(name, a!.shape, b!.shape),
    dtype: () => 'bool',
    lower: { elementwise: name },
    vjp: 'none',
  });
  return (a: Operand, b: Operand): Tensor => {
    const [x, y] = promoted(name, a, b);
    if (x.dtype === 'int64') throw new DTypeError(`${name}: int64 is for interchange; cast to int32 or float64 first`);
    return apply([x, y], undefined);
  };
}

// ---- arithmetic

const addOp = defineOp('add', {
  shape: ([a, b]) => broadcastShapes('add', a!.shape, b!.shape),
  lower: { elementwise: 'add' },
  vjp: (g) => [g, g],
  jvp: (tangents) => tangents,
});

const subOp = defineOp('sub', {
  shape: ([a, b]) => broadcastShapes('sub', a!.shape, b!.shape),
  lower: { elementwise: 'sub' },
  vjp: (g) => [g, neg(g)],
  jvp: ([da, db]) => [da, db && neg(db)],
});

const mulOp = defineBinary('mul', [(_a, b) => b, (a) => a]);
const divOp = defineBinary('div', [(_a, b) => div(1, b), (_a, b, y) => neg(div(y, b))]);
const powOp = defineBinary('pow', [
  // At b = 0 the derivative is 0 whatever a is, also where a^(b-1) is infinite.
  (a, b) => where(eq(b, 0), 0, mul(b, powOp(a, sub(b, 1)))),
  (a, _b, y) => where(eq(a, 0), 0, mul(y, log(a))),
]);
// Where both are equal each gets half of the gradient, as in PyTorch.
const share = (preferred: Tensor, equal: Tensor): Tensor => where(equal, 0.5, cast(preferred, 'float32'));
const maximumOp = defineBinary('maximum', [
  (a, b) => cast(share(gt(a, b), eq(a, b)), a.dtype),
  (a, b) => cast(share(lt(a, b), eq(a, b)), a.dtype),
]);
const minimumOp = defineBinary('minimum', [
  (a, b) => cast(share(lt(a, b), eq(a, b)), a.dtype),
  (a, b) => cast(share(gt(a, b), eq(a, b)), a.dtype),
]);

/** a + b, broadcast. */
export const add = (a: Operand, b: Operand): Tensor => addOp(promotedNumbers('add', a, b), undefined);
/** a - b, broadcast. */
export const sub = (a: Operand, b: Operand): Tensor => subOp(promotedNumbers('sub', a, b), undefined);
/** a · b, element by element, broadcast. */
export const mul = (a: Operand, b: Operand): Tensor => mulOp(...promotedNumbers('mul', a, b));
/** a / b, broadcast; integers give float32. */
export const div = (a: Operand, b: Operand): Tensor => divOp(...promotedFloats('div', a, b));
/** The larger of both; NaN if either is. */
export const maximum = (a: Operand, b: Operand): Tensor => maximumOp(...promotedNumbers('maximum', a, b));
/** The smaller of both; NaN if either is. */
export const minimum = (a: Operand, b: Operand): Tensor => minimumOp(...promotedNumbers('minimum', a, b));

/** a to the power of b, broadcast; integers give float32. Small whole exponents given as numbers are multiplications. */
export function pow(a: Operand, b: Operand): Tensor {
  if (b === 1) return asFloat('pow', a);
  if (b === 2) return square(a);
  if (b === 3) return mul(square(a), asFloat('pow', a));
  if (b === 0.5) return sqrt(a);
  if (b === -1) return reciprocal(a);
  return powOp(...promotedFloats('pow', a, b));
}

const negOp = defineOp('neg', {
  shape: ([x]) => x!.shape,
  lower: { elementwise: 'neg' },
  vjp: (g) => [neg(g)],
  jvp: ([dx]) => neg(dx!),
});
const absOp = defineUnary('abs', (x) => sign(x));
const signOp = defineUnary('sign', null);

function number(op: string, x: Operand): Tensor {
  const tensor = asTensor(op, x);
  if (tensor.dtype === 'int64') throw new DTypeError(`${op}: int64 is for interchange; cast to int32 or float64 first`);
  return tensor.dtype === 'bool' ? cast(tensor, 'int32') : tensor;
}

/** -x. */
export const neg = (x: Operand): Tensor => negOp([number('neg', x)], undefined);
/** |x|; its derivative at 0 is 0. */
export const abs = (x: Operand): Tensor => absOp(number('abs', x));
/** -1, 0 or 1; NaN stays. */
export const sign = (x: Operand): Tensor => signOp(number('sign', x));
/** x². */
export function square(x: Operand): Tensor {
  const tensor = asFloat('square', x);
  return mul(tensor, tensor);
}
/** 1 / x. */
export const reciprocal = (x: Operand): Tensor => div(1, asFloat('reciprocal', x));

// ---- comparisons and choice

/** a = b, as bool. */
export const eq = defineComparison('eq');
/** a ≠ b, as bool; NaN differs from everything. */
export const ne = defineComparison('ne');
/** a < b, as bool. */
export const lt = defineComparison('lt');
/** a ≤ b, as bool. */
export const le = defineComparison('le');
/** a > b, as bool. */
export const gt = defineComparison('gt');
/** a ≥ b, as bool. */
export const ge = defineComparison('ge');

function defineLogical(name: 'logicalAnd' | 'logicalOr') {
  const apply = defineOp(name, {
    shape: ([a, b]) => broadcastShapes(name, a!.shape, b!.shape),
    dtype: () => 'bool',
    lower: { elementwise: name },
    vjp: 'none',
  });
  return (a: Operand, b: Operand): Tensor =>
    apply([cast(asTensor(name, a), 'bool'), cast(asTensor(name, b), 'bool')], undefined);
}

const logicalNotOp = defineOp('logicalNot', {
  shape: ([x]) => x!.shape,
  dtype: () => 'bool',
  lower: { elementwise: 'logicalNot' },
  vjp: 'none',
});

/** Both true. */
export const logicalAnd = defineLogical('logicalAnd');
/** Either true. */
export const logicalOr = defineLogical('logicalOr');
/** Not true. */
export const logicalNot = (x: Operand): Tensor => logicalNotOp([cast(asTensor('logicalNot', x), 'bool')], undefined);
/** Whether x is not a number. */
export function isNaN(x: Operand): Tensor {
  const tensor = asTensor('isNaN', x);
  return ne(tensor, tensor);
}

const whereOp = defineOp('where', {
  shape: ([condition, a, b]) =>
    broadcastShapes('where', condition!.shape, broadcastShapes('where', a!.shape, b!.shape)),
  dtype: ([, a]) => a!.dtype,
  lower: { elementwise: 'where' },
  vjp: (g, [condition]) => [null, where(condition!, g, 0), where(condition!, 0, g)],
  jvp: ([, da, db], [condition]) => where(condition!, da ?? 0, db ?? 0),
});

/** a where the condition holds, b elsewhere; all three broadcast. Throws DTypeError unless the condition is bool. */
export function where(condition: Operand, a: Operand, b: Operand): Tensor {
  const test = asTensor('where', condition);
  if (test.dtype !== 'bool') throw new DTypeError(`where: the condition is bool, got ${test.dtype}`);
  return whereOp([test, ...promoted('where', a, b)], undefined);
}

// ---- functions of one float

function define(name: Opcode, derivative: Derivative): (x: Operand) => Tensor {
  const apply = defineUnary(name, derivative);
  return (x) => apply(asFloat(name, x));
}

/** e^x. */
export const exp = define('exp', (_x, y) => y);
/** e^x - 1, exact near 0. */
export const expm1 = define('expm1', (_x, y) => add(y, 1));
/** The natural logarithm. */
export const log = define('log', (x) => reciprocal(x));
/** log(1 + x), exact near 0. */
export const log1p = define('log1p', (x) => reciprocal(add(x, 1)));
/** √x. */
export const sqrt = define('sqrt', (_x, y) => div(0.5, y));
/** 1 / √x. */
export const rsqrt = define('rsqrt', (x, y) => mul(-0.5, div(y, x)));
/** Sine. */
export const sin = define('sin', (x) => cos(x));
/** Cosine. */
export const cos = define('cos', (x) => neg(sin(x)));
/** Hyperbolic tangent. */
export const tanh = define('tanh', (_x, y) => sub(1, square(y)));
/** 1 / (1 + e^-x). */
export const sigmoid = define('sigmoid', (_x, y) => mul(y, sub(1, y)));
/** log(1 + e^x), without overflow. */
export const softplus = define('softplus', (x) => sigmoid(x));
/** The error function, 2/√π ∫₀ˣ e^(-t²) dt. */
export const erf = define('erf', (x) => mul(2 / Math.sqrt(Math.PI), exp(neg(square(x)))));
const reluOp = defineOp('relu', {
  shape: ([x]) => x!.shape,
  lower: { elementwise: 'relu' },
  // A choice, not a product: an infinite cotangent of a unit that is off stays away.
  // From the output, which the next layer keeps anyway.
  vjp: (g, _inputs, y) => [where(gt(y, 0), g, 0)],
  jvp: ([dx], _inputs, y) => where(gt(y, 0), dx!, 0),
});

/** max(x, 0). Its derivative at 0 is 0, as in PyTorch. */
export const relu = (x: Operand): Tensor => reluOp([asFloat('relu', x)], undefined);
/** The largest integer below or at x. */
export const floor = define('floor', null);
/** The smallest integer above or at x. */
export const ceil = define('ceil', null);
/** The nearest integer; halves to the even one. */
export const round = define('round', null);
/** x without its fraction. */
export const trunc = define('trunc', null);
