import { GradientError, ShapeError } from '../errors';
import { recordTogether } from '../graph/evaluate';
import { labelledThere, withGradMode } from '../graph/modes';
import { opOf } from '../graph/op';
import { inOrder } from '../graph/program/trace';
import { cast } from '../ops/cast';
import { add } from '../ops/elementwise';
import { sum } from '../ops/reduce';
import { reshape } from '../ops/shape';
import { formatShape, shapesEqual } from '../tensor/shape';
import { Tensor } from '../tensor/tensor';
import { Recomputation } from './checkpoint';

/** Cotangents of what was wanted. */
export type Cotangents = Map<Tensor, Tensor>;

/**
 * The reverse walk: from cotangents of some outputs to those of everything that `wants` says, by the rules of the
 * operations between them. Recording order backwards is a topological order, so no recursion is needed.
 */
export function pullBack(
  op: string,
  outputs: readonly Tensor[],
  seeds: readonly Tensor[],
  wants: (tensor: Tensor) => boolean,
  createGraph: boolean,
): { cotangents: Cotangents; path: Tensor[] } {
  const walk = newWalk();
  const path = pathTo(outputs, wants, walk);
  /** By the places on the path, until they have been passed on. */
  const parts = new Array<Tensor | null>(path.length);
  for (let i = 0; i < path.length; i++) {
    checkNotFreed(op, path[i]!);
    path[i]!.place = i;
    parts[i] = null;
  }
  const cotangents: Cotangents = new Map();
  const recomputation = new Recomputation(path, parts);
  const accumulate = (tensor: Tensor, g: Tensor): void => {
    recomputation.found(tensor, g);
    const known = parts[tensor.place]!;
    parts[tensor.place] = known === null ? g : add(known, g);
  };
  const visit = (tensor: Tensor, g: Tensor): void => {
    const { vjp } = opOf(tensor);
    if (vjp === 'none') return;
    recomputation.enter(tensor);
    const { inputs, output } = recomputation.read(tensor);
    // A gradient that fails is an error of the operation that the user called.
    const shares = labelledThere(tensor.label, tensor.site, () => vjp(g, inputs, output, tensor.attrs));
    for (let i = 0; i < tensor.inputs.length; i++) {
      const input = tensor.inputs[i]!;
      const part = shares[i];
      if (part && input.walk === walk) accumulate(input, fit(part, input));
    }
  };
  recordTogether(() =>
    withGradMode(createGraph, 'gradients', () => {
      outputs.forEach((output, i) => {
        if (output.walk === walk) accumulate(output, seeds[i]!);
      });
      for (let i = 0; i < path.length; i++) {
        const tensor = path[i]!;
        const g = parts[i]!;
        if (g === null) continue;
        if (!tensor.isLeaf && hasInputOn(tensor, walk)) visit(tensor, g);
        // Whatever adds to it was recorded later, and so comes before it on the path.
        if (wants(tensor)) cotangents.set(tensor, g);
        else parts[i] = null;
      }
      recomputation.end();
    }),
  );
  return { cotangents, path };
}

let walks = 0;

/** A number that marks the tensors of one walk. */
function newWalk(): number {
  return ++walks;
}

/** Everything between the outputs and what is wanted, the latest recorded first; marked by `walk`. */
export function pathTo(outputs: readonly Tensor[], wants: (tensor: Tensor) => boolean, walk = newWalk()): Tensor[] {
  const order = differentiable(outputs, -walk);
  // Keep what leads to something wanted; inputs come before what uses them.
  const path: Tensor[] = [];
  for (let i = 0; i < order.length; i++) {
    const tensor = order[i]!;
    if (!wants(tensor) && (tensor.isLeaf || !hasInputOn(tensor, walk))) continue;
    tensor.walk = walk;
    path.push(tensor);
  }
  return path.reverse();
}

/** What the outputs are made of and gradients flow to, in the order of recording; marked by `walk`. */
function differentiable(outputs: readonly Tensor[], walk: number): Tensor[] {
  const found: Tensor[] = [];
  const reach = (tensor: Tensor): void => {
    if (tensor.walk === walk) return;
    tensor.walk = walk;
    found.push(tensor);
  };
  for (const output of outputs) reach(output);
  for (let next = 0; next < found.length; next++) {
    const tensor = found[next]!;
    if (tensor.isLeaf || opOf(tensor).vjp === 'none') continue;
    const { inputs } = tensor;
    for (let i = 0; i < inputs.length; i++) if (inputs[i]!.requiresGrad) reach(inputs[i]!);
  }
  return inOrder(found);
}

function hasInputOn({ inputs }: Tensor, walk: number): boolean {
  for (let i = 0; i < inputs.length; i++) if (inputs[i]!.walk === walk) return true;
  return false;
}

/** A cotangent with its primal's shape and dtype: broadcast dims are summed out. */
export function fit(g: Tensor, primal: Tensor): Tensor {
  const typed = g.dtype === primal.dtype ? g : cast(g, primal.dtype);
  if (shapesEqual(typed.shape, primal.shape)) return typed;
  const missing = typed.shape.length - primal.shape.length;
  const dim: number[] = [];
  for (let i = 0; i < typed.shape.length; i++)
    if (i < missing || (primal.shape[i - missing] === 1 && typed.shape[i] !== 1)) dim.push(i);
  const summed = dim.length === 0 ? typed : sum(typed, { dim });
  return shapesEqual(summed.shape, primal.shape) ? summed : reshape(summed, primal.shape);
}

/** Throws unless `seed` can be the cotangent of `output`; a number stands for a tensor full of it. */
export function seedFor(op: string, output: Tensor, seed: Tensor | undefined): Tensor {
  if (seed === undefined) {
    if (output.size !== 1)
      throw new GradientError(
        `${op}: the gradient of a tensor of shape ${formatShape(output.shape)} needs a gradient of that shape to start from; only a single number has one by itself`,
      );
    const one = Tensor.ofScalar(1, output.dtype);
    return output.shape.length === 0 ? one : reshape(one, output.shape);
  }
  if (!shapesEqual(seed.shape, output.shape))
    throw new ShapeError(
      `${op}: the gradient to start from has shape ${formatShape(seed.shape)}, the tensor ${formatShape(output.shape)}`,
    );
  return cast(seed, output.dtype);
}

function checkNotFreed(op: string, tensor: Tensor): void {
  if (tensor.released)
    throw new GradientError(
      `${op}: this graph was freed by an earlier backward(); pass { retainGraph: true } to that one`,
    );
}

/** Throws unless gradients of this tensor can be asked. */
export function checkDifferentiable(op: string, output: Tensor): void {
  checkNotFreed(op, output);
  if (!output.requiresGrad)
    throw new GradientError(
      `${op}: this tensor does not depend on anything that requires a gradient, or was recorded under noGrad`,
    );
}
