import { GradientError, ShapeError } from '../errors';
import { recordTogether } from '../graph/evaluate';
import { labelled, withGradMode, withSite } from '../graph/modes';
import { opOf } from '../graph/op';
import { cast } from '../ops/cast';
import { add } from '../ops/elementwise';
import { sum } from '../ops/reduce';
import { reshape } from '../ops/shape';
import { formatShape, shapesEqual } from '../tensor/shape';
import { Tensor } from '../tensor/tensor';
import { Recomputation } from './checkpoint';

/** Cotangents of tensors, as the walk finds them. */
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
  const path = pathTo(outputs, wants);
  for (const tensor of path) checkNotFreed(op, tensor);
  const onPath = new Set(path);
  const cotangents: Cotangents = new Map();
  const recomputation = new Recomputation(cotangents);
  const accumulate = (tensor: Tensor, g: Tensor): void => {
    recomputation.found(tensor, g);
    const known = cotangents.get(tensor);
    cotangents.set(tensor, known === undefined ? g : add(known, g));
  };
  recordTogether(() =>
    withGradMode(createGraph, 'gradients', () => {
      outputs.forEach((output, i) => {
        if (onPath.has(output)) accumulate(output, seeds[i]!);
      });
      for (const tensor of path) {
        const g = cotangents.get(tensor);
        if (g === undefined || tensor.isLeaf || !tensor.inputs.some((input) => onPath.has(input))) continue;
        const { vjp } = opOf(tensor);
        if (vjp === 'none') continue;
        recomputation.enter(tensor);
        const { inputs, output } = recomputation.read(tensor);
        // A gradient that fails is an error of the operation that the user called.
        const parts = withSite(tensor.site, () => labelled(tensor.label, () => vjp(g, inputs, output, tensor.attrs)));
        tensor.inputs.forEach((input, i) => {
          const part = parts[i];
          if (part && onPath.has(input)) accumulate(input, fit(part, input));
        });
        if (!wants(tensor)) cotangents.delete(tensor);
      }
      recomputation.end();
    }),
  );
  return { cotangents, path };
}

/** Everything between the outputs and what is wanted, the latest recorded first. */
export function pathTo(outputs: readonly Tensor[], wants: (tensor: Tensor) => boolean): Tensor[] {
  const seen = new Set<Tensor>(outputs);
  const stack = [...seen];
  const order: Tensor[] = [];
  while (stack.length > 0) {
    const tensor = stack.pop()!;
    order.push(tensor);
    if (tensor.isLeaf || opOf(tensor).vjp === 'none') continue;
    for (const input of tensor.inputs)
      if (input.requiresGrad && !seen.has(input)) {
        seen.add(input);
        stack.push(input);
      }
  }
  // Keep what leads to something wanted; inputs come before what uses them.
  order.sort((a, b) => a.serial - b.serial);
  const leads = new Set<Tensor>();
  for (const tensor of order)
    if (wants(tensor) || (!tensor.isLeaf && tensor.inputs.some((input) => leads.has(input)))) leads.add(tensor);
  return order.filter((tensor) => leads.has(tensor)).reverse();
}

/** A cotangent with its primal's shape and dtype: broadcast dims are summed out. */
export function fit(g: Tensor, primal: Tensor): Tensor {
  const typed = g.dtype === primal.dtype ? g : cast(g, primal.dtype);
  if (shapesEqual(typed.shape, primal.shape)) return typed;
  const missing = typed.shape.length - primal.shape.length;
  const dim = typed.shape.flatMap((size, i) =>
    i < missing || (primal.shape[i - missing] === 1 && size !== 1) ? [i] : [],
  );
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
