import { recordTogether, submit } from '../graph/evaluate';
import { labelled, withGradMode } from '../graph/modes';
import { add } from '../ops/elementwise';
import { withoutCapturing, type Tensor, type TensorBase, type Variable } from '../tensor/tensor';
import { checkDifferentiable, pullBack, seedFor, type Cotangents } from './reverse';

export interface BackwardOptions {
  /** Keep the recipes, so that a second backward() through them is possible. Default: `createGraph`. */
  readonly retainGraph?: boolean;
  /** Record the gradients so that they can be differentiated in turn. Default: false. */
  readonly createGraph?: boolean;
}

/**
 * Adds the gradient of `loss` to `grad` of every leaf that requires one. Nothing is computed yet: the next
 * `optimizer.step()`, or reading a gradient, runs forward and backward as one program.
 *
 * `gradient` is where it starts from, of the loss's shape; a single number starts from 1. Throws GradientError if the
 * loss has no recorded gradient or its graph was freed by an earlier backward() without `retainGraph`; ShapeError if the
 * shape of `gradient` is another. As `torch.Tensor.backward`.
 *
 *     const loss = mseLoss(model.forward(x), y);
 *     backward(loss);
 */
export function backward(loss: TensorBase, gradient?: TensorBase, options: BackwardOptions = {}): void {
  const output = loss.capture();
  const createGraph = options.createGraph ?? false;
  checkDifferentiable('backward', output);
  const seed = seedFor('backward', output, gradient?.capture());
  const isTarget = (tensor: Tensor): boolean => tensor.isLeaf && tensor.requiresGrad;
  const { cotangents, path } = pullBack('backward', [output], [seed], isTarget, createGraph);
  const gradients = accumulate(cotangents, createGraph, Math.max(output.serial, seed.serial));
  // Whatever computes one gradient computes them all, and the loss.
  const companions = [output, ...gradients].filter((tensor) => tensor.pending);
  for (const gradient of gradients) {
    // Two leaves share it.
    if (gradient.companions === companions) gradient.captured = true;
    gradient.companions = companions;
  }
  if (!(options.retainGraph ?? createGraph)) free(path);
}

/** Adds each cotangent to the gradient of its leaf; gives the gradients. What was recorded after `last` is ours alone. */
function accumulate(cotangents: Cotangents, createGraph: boolean, last: number): Tensor[] {
  const targets: { owner: Tensor | Variable; g: Tensor; earlier: Tensor | null }[] = [];
  withoutCapturing(() => {
    for (const [leaf, g] of cotangents) {
      const owner = leaf.variable ?? leaf;
      targets.push({ owner, g, earlier: owner.grad });
    }
  });
  // An earlier backward's gradients that are still pending start now, so that accumulating over micro-batches never
  // builds one giant recipe.
  const pending = targets.flatMap(({ earlier }) => (earlier?.pending === true ? [earlier] : []));
  if (pending.length > 0) void submit(pending);
  return recordTogether(() =>
    withGradMode(createGraph, 'backward', () =>
      labelled('backward', () =>
        targets.map(({ owner, g, earlier }) => {
          const gradient = earlier === null ? g : add(earlier, g);
          // The caller's own tensor, or one that others may be made of: never written over.
          if (gradient.serial <= last || gradient.requiresGrad) gradient.captured = true;
          owner.grad = gradient;
          return gradient;
        }),
      ),
    ),
  );
}

/** As `backward` without retainGraph promises: these nodes can be computed, but not differentiated again. */
function free(path: readonly Tensor[]): void {
  for (const tensor of path) {
    if (tensor.isLeaf) continue;
    tensor.released = true;
    if (!tensor.pending) tensor.forgetInputs();
  }
}
