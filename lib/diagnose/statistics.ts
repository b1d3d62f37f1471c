import { backward } from '../autodiff/backward';
import { ShapeError, ValueError } from '../errors';
import { abortErrorOf, signalOf, type AbortOptions } from '../graph/abort';
import { recordTogether, submit } from '../graph/evaluate';
import { enableGrad } from '../graph/modes';
import { readItem } from '../graph/reading';
import { checkNumber } from '../nn/check';
import { ReLU, Sigmoid, Tanh } from '../nn/layers/activation';
import { inEvaluationMode } from '../nn/evaluation-mode';
import { Module, type Layer } from '../nn/module';
import { normOf } from '../optim/clip';
import { checkNames } from '../optim/options';
import { cast } from '../ops/cast';
import { abs, gt, le, mul, sub } from '../ops/elementwise';
import { detach } from '../ops/identity';
import { max, mean, variance } from '../ops/reduce';
import { isFloat } from '../tensor/dtype';
import { Tensor, TensorBase, type Variable } from '../tensor/tensor';

/** Of what one layer (a module without children) gave for the batch; one for each of its calls, in their order. */
export interface ActivationStatistics {
  readonly name: string;
  readonly kind: string;
  readonly mean: number;
  /** Population standard deviation over all elements. */
  readonly std: number;
  /** ReLU only: share of units that are 0 for the whole batch; a unit is a channel of images, else a feature. */
  readonly dead: number | null;
  /** Sigmoid and Tanh only: share of elements whose derivative is below 8 % of the largest one. */
  readonly saturated: number | null;
}

export interface ParameterStatistics {
  readonly name: string;
  readonly weightNorm: number;
  readonly gradientNorm: number;
  /** lr · gradientNorm / weightNorm, as SGD would step; null without lr or for weights that are 0. */
  readonly updateRatio: number | null;
}

export interface LayerStatistics {
  readonly loss: number;
  readonly activations: readonly ActivationStatistics[];
  /** Of the parameters that require a gradient. */
  readonly parameters: readonly ParameterStatistics[];
}

export interface LayerStatisticsOptions extends AbortOptions {
  /** Learning rate; without one there is no updateRatio. */
  readonly lr?: number;
}

/** σ' is 8 % of its largest value there; tanh' at the same share of its own is at 0.96. */
const SATURATED = 0.96;

/**
 * What a model's layers do for one batch, forward and backward, in evaluation mode (no dropout; batch normalisation with its
 * running statistics). The model is afterwards as before: its modes, its gradients, no hooks. Throws ValueError for
 * something else than a model, a batch { x, y } of tensors and a loss function, and for an lr that is not positive;
 * ShapeError unless the loss is one number. Dead units: Lu et al. 2019; saturation: Glorot and Bengio 2010.
 *
 *     const { activations } = await layerStatistics(model, { x, y }, F.crossEntropy);
 *     activations.filter(({ dead }) => dead !== null && dead > 0.5);
 */
export async function layerStatistics(
  model: Layer,
  batch: { readonly x: Tensor; readonly y: Tensor },
  loss: (output: Tensor, target: Tensor) => Tensor,
  options: LayerStatisticsOptions = {},
): Promise<LayerStatistics> {
  const op = 'layerStatistics';
  if (!(model instanceof Module)) throw new ValueError(`${op}: model is a Module, got ${typeof model}`);
  if (!(batch?.x instanceof Tensor) || !(batch.y instanceof Tensor))
    throw new ValueError(`${op}: batch is { x, y }, two tensors`);
  if (typeof loss !== 'function') throw new ValueError(`${op}: loss is a function, got ${typeof loss}`);
  checkNames(op, options, { signal: 0, lr: 0 });
  const { lr } = options;
  if (lr !== undefined) checkNumber(op, 'lr', lr, { least: Number.MIN_VALUE });
  const signal = signalOf(op, options);
  if (signal?.aborted === true) throw abortErrorOf(signal);

  const recorded = recordTogether(() => record(model, batch, loss));
  const tensors = [recorded.loss, ...recorded.calls.flatMap(({ values }) => Object.values(values))];
  for (const { norms } of recorded.parameters) tensors.push(...norms);
  await submit(tensors, options);
  const activations: ActivationStatistics[] = [];
  for (const { name, kind, values } of recorded.calls) {
    const { mean: average, variance: spread, dead, saturated } = values;
    activations.push({
      name,
      kind,
      mean: await readItem(average!),
      std: Math.sqrt(await readItem(spread!)),
      dead: dead === undefined ? null : await readItem(dead),
      saturated: saturated === undefined ? null : await readItem(saturated),
    });
  }
  const parameters: ParameterStatistics[] = [];
  for (const { name, norms } of recorded.parameters) {
    const [weightNorm, gradientNorm] = [await readItem(norms[0]), await readItem(norms[1])];
    const updateRatio = lr === undefined || weightNorm === 0 ? null : (lr * gradientNorm) / weightNorm;
    parameters.push({ name, weightNorm, gradientNorm, updateRatio });
  }
  return { loss: await readItem(recorded.loss), activations, parameters };
}

interface Call {
  readonly name: string;
  readonly kind: string;
  readonly values: Readonly<Record<string, Tensor>>;
}

interface Recorded {
  readonly loss: Tensor;
  readonly calls: readonly Call[];
  readonly parameters: readonly { readonly name: string; readonly norms: readonly [Tensor, Tensor] }[];
}

/** Records forward and backward; whatever that changes of the model is as before when it returns. */
function record(
  model: Layer,
  { x, y }: { readonly x: Tensor; readonly y: Tensor },
  lossOf: (output: Tensor, target: Tensor) => Tensor,
): Recorded {
  const calls: Call[] = [];
  const variables = [...model.namedParameters()].filter(([, variable]) => variable.requiresGrad);
  const gradients = variables.map(([, variable]) => variable.grad);
  const handles = [...model.namedModules()]
    .filter(([, module]) => [...module.children()].length === 0)
    .map(([name, module]) =>
      module.registerForwardHook((_module, _inputs, output) => {
        if (output instanceof TensorBase && isFloat(output.dtype) && output.size > 0)
          calls.push({ name, kind: module.constructor.name, values: valuesOf(module, detach(output)) });
      }),
    );
  try {
    for (const [, variable] of variables) variable.grad = null;
    const loss = enableGrad(() =>
      lossOf(
        inEvaluationMode(model, () => model.forward(x)),
        y,
      ),
    );
    if (!(loss instanceof Tensor) || loss.size !== 1)
      throw new ShapeError('layerStatistics: the loss is one number; give one with a reduction');
    backward(loss);
    return { loss: detach(loss), calls, parameters: variables.map(normsOf) };
  } finally {
    for (const handle of handles) handle.remove();
    variables.forEach(([, variable], i) => (variable.grad = gradients[i]!));
  }
}

function normsOf([name, variable]: [string, Variable]): { name: string; norms: [Tensor, Tensor] } {
  const weight = cast(detach(variable), 'float64');
  // A parameter that the loss does not depend on has no gradient.
  const gradient = variable.grad === null ? mul(weight, 0) : cast(variable.grad, 'float64');
  return { name, norms: [normOf([weight]), normOf([gradient])] };
}

function valuesOf(module: Module, given: Tensor): Record<string, Tensor> {
  const output = cast(given, 'float64');
  const values: Record<string, Tensor> = { mean: mean(output), variance: variance(output, { correction: 0 }) };
  if (module instanceof ReLU) {
    const { rank } = output;
    const unit = rank >= 4 ? 1 : rank - 1;
    const others = output.shape.map((_, dim) => dim).filter((dim) => dim !== unit);
    const largest = others.length === 0 ? output : max(output, { dim: others });
    values.dead = mean(cast(le(largest, 0), 'float64'));
  }
  const symmetric = module instanceof Tanh ? output : module instanceof Sigmoid ? sub(mul(output, 2), 1) : null;
  if (symmetric !== null) values.saturated = mean(cast(gt(abs(symmetric), SATURATED), 'float64'));
  return values;
}
