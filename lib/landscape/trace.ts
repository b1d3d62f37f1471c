import { signalOf, type AbortOptions } from '../graph/abort';
import { submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import { readItem } from '../graph/reading';
import { add, mul } from '../ops/elementwise';
import { bernoulli, Generator } from '../ops/random';
import { full } from '../ops/create';
import { sum } from '../ops/reduce';
import { checkInteger } from '../tensor/shape';
import type { Variable } from '../tensor/tensor';
import { Curvature, type Loss } from './curvature';

export interface HessianTraceOptions extends AbortOptions {
  /** Random vectors, one Hessian-vector product each. At least 2. Default: 32. */
  readonly probes?: number;
  /** Default: one with seed 0. */
  readonly generator?: Generator;
  readonly onProgress?: (progress: { readonly products: number; readonly maxProducts: number }) => void;
}

export interface HessianTrace {
  /** The sum of the eigenvalues, estimated. */
  readonly trace: number;
  /** The standard deviation of that estimate. */
  readonly standardError: number;
  readonly products: number;
}

/**
 * The trace of a loss's Hessian by Hutchinson's estimator (1990): the mean of vᵀHv over vectors of random signs. Throws as
 * `hessianSpectrum` does.
 *
 *     const { trace, standardError } = await hessianTrace(loss, model.parameters());
 */
export async function hessianTrace(
  loss: Loss,
  params: Iterable<Variable>,
  options: HessianTraceOptions = {},
): Promise<HessianTrace> {
  const op = 'hessianTrace';
  const curvature = new Curvature(op, loss, params);
  const { size, dtype } = curvature.vector;
  const { probes = 32, generator = new Generator(0), onProgress } = options;
  checkInteger(op, 'probes', probes, 2);
  const signal = signalOf(op, options) ?? undefined;
  await curvature.prepare(signal);
  const values: number[] = [];
  for (let probe = 0; probe < probes; probe++) {
    const signs = noGrad(() => add(mul(bernoulli(full([size], 0.5, { dtype }), { generator }), 2), -1));
    await submit([signs], { signal });
    const product = curvature.product(signs);
    await submit([product], { signal });
    values.push(
      await readItem(
        noGrad(() => sum(mul(signs, product))),
        { signal },
      ),
    );
    onProgress?.({ products: curvature.products, maxProducts: probes });
  }
  const trace = values.reduce((total, value) => total + value, 0) / probes;
  const variance = values.reduce((total, value) => total + (value - trace) ** 2, 0) / (probes - 1);
  return { trace, standardError: Math.sqrt(variance / probes), products: curvature.products };
}
