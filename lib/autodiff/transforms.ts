import { DTypeError, GradientError, ShapeError, ValueError } from '../errors';
import { enableGrad } from '../graph/modes';
import { opOf } from '../graph/op';
import { cast } from '../ops/cast';
import { zerosLike } from '../ops/create';
import { add, mul } from '../ops/elementwise';
import { alias, detach } from '../ops/identity';
import { stack } from '../ops/join';
import { sum } from '../ops/reduce';
import { reshape, slice } from '../ops/shape';
import { isFloat } from '../tensor/dtype';
import { formatShape, shapesEqual } from '../tensor/shape';
import { Tensor, TensorBase } from '../tensor/tensor';
import type { BackwardOptions } from './backward';
import { checkDifferentiable, fit, pathTo, pullBack, seedFor } from './reverse';

export interface GradientOptions extends BackwardOptions {
  /** Inputs that the outputs do not depend on get null instead of an error. Default: false. */
  readonly allowUnused?: boolean;
}

/**
 * Gradients of outputs with respect to inputs, returned and not accumulated; as `torch.autograd.grad`. `gradOutputs` are
 * what they start from (default: 1 for outputs of one element). Throws GradientError if an input is not used.
 *
 *     const [dx] = gradients([loss], [x], undefined, { createGraph: true });
 */
export function gradients(
  outputs: readonly TensorBase[],
  inputs: readonly TensorBase[],
  gradOutputs?: readonly TensorBase[],
  options: GradientOptions = {},
): (Tensor | null)[] {
  const ends = outputs.map((output) => output.capture());
  ends.forEach((end) => checkDifferentiable('gradients', end));
  const starts = inputs.map((input) => input.capture());
  const seeds = ends.map((end, i) => seedFor('gradients', end, gradOutputs?.[i]?.capture()));
  const createGraph = options.createGraph ?? false;
  const wanted = new Set(starts);
  const { cotangents, path } = pullBack('gradients', ends, seeds, (tensor) => wanted.has(tensor), createGraph);
  const result = starts.map((start) => cotangents.get(start) ?? null);
  result.forEach((g, i) => {
    if (g === null && options.allowUnused !== true)
      throw new GradientError(
        `gradients: the outputs do not depend on input ${i}; pass { allowUnused: true } for null`,
      );
  });
  if (!(options.retainGraph ?? createGraph))
    for (const tensor of path) if (!tensor.isLeaf && !wanted.has(tensor)) tensor.released = true;
  return result;
}

function gradientsOf(output: Tensor, inputs: readonly Tensor[], seed: Tensor): (Tensor | null)[] {
  const wanted = new Set(inputs);
  const { cotangents } = pullBack('grad', [output], [seed], (tensor) => wanted.has(tensor), true);
  return inputs.map((input) => cotangents.get(input) ?? null);
}

// ---- functions of functions

type Function1 = (...inputs: Tensor[]) => TensorBase;

/** Runs `fn` on fresh stand-ins of the inputs, through which gradients can be asked. */
function traceFunction(op: string, fn: Function1, inputs: readonly TensorBase[]): { starts: Tensor[]; output: Tensor } {
  const primals = inputs.map((input, i) => {
    if (!(input instanceof TensorBase)) throw new ValueError(`${op}: input ${i} is not a tensor`);
    if (!isFloat(input.dtype))
      throw new DTypeError(`${op}: input ${i} is ${input.dtype}; only floats have derivatives`);
    return input.capture();
  });
  return enableGrad(() => {
    const starts = primals.map((primal) => {
      const start = alias(primal);
      start.requiresGrad = true;
      return start;
    });
    const output = fn(...starts);
    if (!(output instanceof TensorBase))
      throw new ValueError(`${op}: the function returns a tensor, got ${typeof output}`);
    return { starts, output: output.capture() };
  });
}

/**
 * After a transform its results only need gradients if something the user holds does: the stand-ins' own mark is taken
 * back from everything recorded since, so that recipes can be forgotten.
 */
function settle(starts: readonly Tensor[], results: readonly Tensor[]): void {
  const first = Math.min(...starts.map((start) => start.serial));
  const seen = new Set<Tensor>();
  const stack = [...results, ...starts];
  while (stack.length > 0) {
    const tensor = stack.pop()!;
    if (tensor.serial < first || seen.has(tensor)) continue;
    seen.add(tensor);
    stack.push(...tensor.inputs);
  }
  const ordered = [...seen].sort((a, b) => a.serial - b.serial);
  for (const tensor of ordered)
    if (!tensor.isLeaf && tensor.requiresGrad) tensor.requiresGrad = tensor.inputs.some((input) => input.requiresGrad);
}

function zerosFor(g: Tensor | null, start: Tensor): Tensor {
  return g ?? zerosLike(start);
}

function scalarOutput(op: string, output: Tensor): void {
  if (output.size !== 1)
    throw new ShapeError(`${op}: the function returns one number, got shape ${formatShape(output.shape)}; see vjp`);
}

/**
 * The function of the value and the gradients (one for each input) of `fn`, which returns one number. Can be nested.
 *
 *     const f = valueAndGrad((x) => x.square().sum());
 *     const { value, grads } = f(tensor([1, 2])); // 5, [[2, 4]]
 */
export function valueAndGrad(fn: Function1): (...inputs: TensorBase[]) => { value: Tensor; grads: Tensor[] } {
  return (...inputs) => {
    const { starts, output } = traceFunction('grad', fn, inputs);
    scalarOutput('grad', output);
    const found = gradientsOf(output, starts, seedFor('grad', output, undefined));
    const grads = found.map((g, i) => zerosFor(g, starts[i]!));
    settle(starts, [output, ...grads]);
    return { value: output, grads };
  };
}

/**
 * The gradient of `fn`, which returns one number, with respect to its first input; see `valueAndGrad` for all.
 *
 *     const df = grad((x) => x.pow(3).sum());
 *     const ddf = grad((x) => df(x).sum());
 */
export function grad(fn: Function1): (...inputs: TensorBase[]) => Tensor {
  const both = valueAndGrad(fn);
  return (...inputs) => {
    const [first] = both(...inputs).grads;
    if (first === undefined) throw new ValueError('grad: the function needs at least one input');
    return first;
  };
}

/**
 * The output of `fn`, and the function that takes a cotangent of it to those of the inputs: gᵀJ.
 *
 *     const { output, pullback } = vjp((x) => x.square(), x);
 *     const [gx] = pullback(onesLike(output));
 */
export function vjp(
  fn: Function1,
  ...inputs: TensorBase[]
): { output: Tensor; pullback: (cotangent: TensorBase) => Tensor[] } {
  const { starts, output } = traceFunction('vjp', fn, inputs);
  return {
    output,
    pullback: (cotangent) => {
      const seed = seedFor('vjp', output, cotangent.capture());
      return gradientsOf(output, starts, seed).map((g, i) => zerosFor(g, starts[i]!));
    },
  };
}

/**
 * The output of `fn` at `primals` and its directional derivative J·tangents, forward in one sweep.
 *
 *     const { output, tangent } = jvp((x) => x.square(), [x], [v]); // tangent = 2 x v
 */
export function jvp(
  fn: Function1,
  primals: readonly TensorBase[],
  tangents: readonly TensorBase[],
): { output: Tensor; tangent: Tensor } {
  checkTangents('jvp', primals, tangents);
  const { starts, output } = traceFunction('jvp', fn, primals);
  const [tangent] = pushForward([output], new Map(starts.map((start, i) => [start, tangents[i]!.capture()])));
  settle(starts, [output, tangent!]);
  return { output, tangent: tangent! };
}

function checkTangents(op: string, primals: readonly TensorBase[], tangents: readonly TensorBase[]): void {
  if (primals.length !== tangents.length)
    throw new ValueError(`${op}: as many tangents as primals, got ${tangents.length} and ${primals.length}`);
  primals.forEach((primal, i) => {
    if (!shapesEqual(primal.shape, tangents[i]!.shape))
      throw new ShapeError(
        `${op}: tangent ${i} has shape ${formatShape(tangents[i]!.shape)}, its primal ${formatShape(primal.shape)}`,
      );
  });
}

/** The forward walk: tangents of everything between the starts and the outputs, in the order of recording. */
function pushForward(outputs: readonly Tensor[], known: Map<Tensor, Tensor>): Tensor[] {
  const path = enableGrad(() => pathTo(outputs, (tensor) => known.has(tensor))).reverse();
  return enableGrad(() => {
    for (const tensor of path) {
      if (known.has(tensor) || tensor.isLeaf) continue;
      const tangents = tensor.inputs.map((input) => known.get(input) ?? null);
      if (tangents.every((tangent) => tangent === null)) continue;
      const op = opOf(tensor);
      const rule = op.jvp ?? derivedJvp;
      const terms = [rule(tangents, tensor.inputs, tensor, tensor.attrs)].flat().filter((term) => !!term);
      const tangent = terms.reduce((a, b) => add(a, b));
      known.set(tensor, spread(cast(tangent, tensor.dtype), tensor));
    }
    return outputs.map((output) => known.get(output) ?? zerosLike(output));
  });
}

/** A rule may leave out broadcasting (d(a + b) = da): the tangent has the output's shape all the same. */
function spread(tangent: Tensor, output: Tensor): Tensor {
  return shapesEqual(tangent.shape, output.shape) ? tangent : add(tangent, zerosLike(output));
}

/**
 * J·t from two reverse rules: g ↦ gᵀJ is linear in g, so the gradient of ⟨gᵀJ, t⟩ with respect to g is J·t, whatever
 * g is (Townsend, "A new trick for calculating Jacobian vector products", 2017).
 */
function derivedJvp(
  tangents: readonly (Tensor | null)[],
  inputs: readonly Tensor[],
  output: Tensor,
  attrs: unknown,
): Tensor {
  const { vjp: rule } = opOf(output);
  if (rule === 'none') return zerosLike(output);
  const g = alias(zerosLike(output));
  g.requiresGrad = true;
  const parts = rule(g, inputs, output, attrs);
  const terms = parts.flatMap((part, i) => {
    const tangent = tangents[i];
    return part === null || !tangent ? [] : [sum(mul(fit(part, inputs[i]!), tangent))];
  });
  if (terms.length === 0) return zerosLike(output);
  const inner = terms.reduce((a, b) => add(a, b));
  const [result] = inner.requiresGrad ? gradientsOf(inner, [g], Tensor.ofScalar(1, inner.dtype)) : [null];
  return result ?? zerosLike(output);
}

/**
 * The gradient of `fn` and its Hessian times `vectors`, forward over reverse: two sweeps, no matrix. Pearlmutter, "Fast
 * exact multiplication by the Hessian", 1994.
 *
 *     const { products } = hvp(loss, [weight], [direction]);
 */
export function hvp(
  fn: Function1,
  primals: readonly TensorBase[],
  vectors: readonly TensorBase[],
): { value: Tensor; grads: Tensor[]; products: Tensor[] } {
  checkTangents('hvp', primals, vectors);
  const { starts, output } = traceFunction('hvp', fn, primals);
  scalarOutput('hvp', output);
  const { grads, products } = hessianVectorProduct(output, starts, vectors);
  settle(starts, [output, ...grads, ...products]);
  return { value: detach(output), grads: grads.map(detach), products };
}

/**
 * The gradients of a recorded number with respect to `inputs` (Variables or tensors that require gradients) and its Hessian
 * times `vectors` of their shapes; what `hvp` does, for a loss that was recorded already. Inputs that it does not depend on
 * get zeros. Throws ShapeError for a loss of more than one element or vectors of other shapes.
 *
 *     const { products } = hessianVectorProduct(loss, [...model.parameters()], vectors);
 */
export function hessianVectorProduct(
  output: TensorBase,
  inputs: readonly TensorBase[],
  vectors: readonly TensorBase[],
): { grads: Tensor[]; products: Tensor[] } {
  checkTangents('hessianVectorProduct', inputs, vectors);
  const end = output.capture();
  scalarOutput('hessianVectorProduct', end);
  const starts = inputs.map((input) => input.capture());
  const seed = seedFor('hessianVectorProduct', end, undefined);
  const grads = end.requiresGrad
    ? gradientsOf(end, starts, seed).map((g, i) => zerosFor(g, starts[i]!))
    : starts.map((start) => zerosLike(start));
  const products = pushForward(grads, new Map(starts.map((start, i) => [start, vectors[i]!.capture()])));
  return { grads, products };
}

/**
 * The matrix of second derivatives of `fn` (one number) at `x` of n elements, [n, n], row by row; exact, n gradients.
 *
 *     const h = hessian((x) => x.pow(3).sum(), tensor([1, 2])); // diag(6, 12)
 */
export function hessian(fn: (x: Tensor) => TensorBase, x: TensorBase): Tensor {
  const { starts, output } = traceFunction('hessian', (input) => grad(fn)(input), [x]);
  const start = starts[0]!;
  const n = start.size;
  const flat = enableGrad(() => reshape(output, [n]));
  const rows = Array.from({ length: n }, (_, i) => {
    const entry = enableGrad(() => reshape(slice(flat, [[i, i + 1]]), []));
    if (!entry.requiresGrad) return reshape(zerosLike(start), [n]);
    const [row] = gradientsOf(entry, [start], Tensor.ofScalar(1, entry.dtype));
    return reshape(zerosFor(row!, start), [n]);
  });
  const result = n === 0 ? reshape(zerosLike(start), [0, 0]) : stack(rows);
  settle(starts, [result]);
  return result;
}
