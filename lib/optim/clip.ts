import { ValueError } from '../errors';
import { evaluateSync } from '../graph/evaluate';
import { readItemSync } from '../graph/reading';
import { noGrad } from '../graph/modes';
import { zeros } from '../ops/create';
import { abs, add, div, maximum, minimum, mul, pow, sqrt, square } from '../ops/elementwise';
import { max, sum } from '../ops/reduce';
import { Variable, type Tensor } from '../tensor/tensor';
import { checkBoolean, checkNumber } from './options';

export interface ClipGradNormOptions {
  /** p of the norm (Σ|g|ᵖ)^(1/p), above 0; Infinity for the largest |g|. */
  normType?: number;
  /** Throws for a norm that is infinite or NaN; this waits until the gradients are computed. */
  errorIfNonfinite?: boolean;
}

/**
 * Scales the gradients of all parameters by one factor, so that their common norm is at most `maxNorm`; returns the norm
 * before, a scalar tensor. The factor is min(1, maxNorm / (norm + 10⁻⁶)). Parameters without a gradient are left out.
 * Throws ValueError for a maxNorm below 0, a normType that is not above 0, or, if asked, a norm that is not finite: then
 * nothing is scaled. Pascanu, Mikolov and Bengio 2013;
 * https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html.
 *
 *     loss.backward();
 *     const norm = clipGradNorm(model.parameters(), 1);
 */
export function clipGradNorm(
  parameters: Variable | Iterable<Variable>,
  maxNorm: number,
  options: ClipGradNormOptions = {},
): Tensor {
  const { normType = 2, errorIfNonfinite = false } = options;
  checkNumber('clipGradNorm', 'maxNorm', maxNorm, 0);
  checkBoolean('clipGradNorm', 'errorIfNonfinite', errorIfNonfinite);
  if (!(typeof normType === 'number' && normType > 0))
    throw new ValueError(`clipGradNorm: normType is a number above 0 or Infinity, got ${String(normType)}`);
  const variables = withGradients('clipGradNorm', parameters);
  if (variables.length === 0) return zeros([]);

  const gradients = variables.map((variable) => variable.grad!);
  const norm = noGrad(() => normOf(gradients, normType));
  if (errorIfNonfinite) {
    evaluateSync([norm, ...gradients]);
    if (!Number.isFinite(readItemSync(norm)))
      throw new ValueError(`clipGradNorm: the norm of the gradients is ${readItemSync(norm)}; nothing has been scaled`);
  }
  noGrad(() => {
    const factor = minimum(div(maxNorm, add(norm, 1e-6)), 1);
    for (const variable of variables) variable.grad = mul(variable.grad!, factor);
  });
  return norm;
}

/**
 * Cuts every element of the gradients to [-clipValue, clipValue]. Unlike clipGradNorm this turns the direction.
 * Throws ValueError for a clipValue below 0. https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_value_.html.
 *
 *     loss.backward();
 *     clipGradValue(model.parameters(), 0.5);
 */
export function clipGradValue(parameters: Variable | Iterable<Variable>, clipValue: number): void {
  checkNumber('clipGradValue', 'clipValue', clipValue, 0);
  const variables = withGradients('clipGradValue', parameters);
  noGrad(() => {
    for (const variable of variables) variable.grad = minimum(maximum(variable.grad!, -clipValue), clipValue);
  });
}

/** The common norm of tensors, (Σ|x|ᵖ)^(1/p). */
export function normOf(gradients: readonly Tensor[], p = 2): Tensor {
  if (p === Infinity) return gradients.map((g) => max(abs(g))).reduce((a, b) => maximum(a, b));
  const power = (g: Tensor): Tensor => sum(p === 2 ? square(g) : pow(abs(g), p));
  const total = gradients.map(power).reduce((a, b) => add(a, b));
  return p === 2 ? sqrt(total) : pow(total, 1 / p);
}

function withGradients(owner: string, parameters: Variable | Iterable<Variable>): Variable[] {
  const isList = typeof (parameters as Partial<Iterable<Variable>> | null)?.[Symbol.iterator] === 'function';
  const variables = isList ? [...(parameters as Iterable<Variable>)] : [parameters as Variable];
  for (const variable of variables)
    if (!(variable instanceof Variable))
      throw new ValueError(`${owner}: takes parameters, got ${variable === null ? 'null' : typeof variable}`);
  return variables.filter((variable) => variable.grad !== null);
}
