import { ValueError } from '../errors';
import { signalOf, type AbortOptions } from '../graph/abort';
import { inTurns } from '../graph/turns';
import { Generator } from '../ops/random';
import { checkInteger } from '../tensor/shape';
import type { Variable } from '../tensor/tensor';
import { Curvature, operatorOf, type Loss } from './curvature';
import { Krylov } from './krylov';
import { symmetricEigen } from './symmetric';

export interface SpectralDensityOptions extends AbortOptions {
  /** Random start vectors to average over. Default: 8. */
  readonly probes?: number;
  /** Lanczos steps of each, so many Hessian-vector products. Default: 40. */
  readonly steps?: number;
  /** Values of λ at which the density is given, evenly spaced. Default: 201. */
  readonly points?: number;
  /** Standard deviation of the Gaussian that stands for an eigenvalue, as a share of the spectrum's width. Default: 0.01. */
  readonly bandwidth?: number;
  /** Default: one with seed 0. */
  readonly generator?: Generator;
  readonly onProgress?: (progress: { readonly products: number; readonly maxProducts: number }) => void;
}

export interface SpectralDensity {
  /** Ascending values of λ. */
  readonly lambda: Float64Array;
  /** The share of the eigenvalues per unit of λ: its integral is 1. */
  readonly density: Float64Array;
  /** What the density was made of: weights add up to 1. */
  readonly nodes: readonly { readonly value: number; readonly weight: number }[];
  readonly products: number;
}

/**
 * How the eigenvalues of a loss's Hessian are spread, by stochastic Lanczos quadrature (Ubaru, Chen and Saad, 2017; for
 * networks Ghorbani, Krishnan and Xiao, 2019): a random vector's Lanczos steps give Gauss quadrature nodes of its spectral
 * measure, whose mean over random vectors is the density. Throws as `hessianSpectrum` does.
 *
 *     const { lambda, density } = await spectralDensity(loss, model.parameters(), { probes: 4 });
 */
export async function spectralDensity(
  loss: Loss,
  params: Iterable<Variable>,
  options: SpectralDensityOptions = {},
): Promise<SpectralDensity> {
  const op = 'spectralDensity';
  const curvature = new Curvature(op, loss, params);
  const operator = operatorOf(curvature);
  const { probes = 8, points = 201, bandwidth = 0.01, generator = new Generator(0), onProgress } = options;
  const { steps = 40 } = options;
  checkInteger(op, 'probes', probes, 1);
  checkInteger(op, 'steps', steps, 1);
  checkInteger(op, 'points', points, 2);
  if (!(bandwidth > 0)) throw new ValueError(`${op}: bandwidth is positive, got ${bandwidth}`);
  const signal = signalOf(op, options) ?? undefined;
  await curvature.prepare(signal);
  const length = Math.min(steps, operator.size);
  const nodes: { value: number; weight: number }[] = [];
  for (let probe = 0; probe < probes; probe++) {
    const krylov = new Krylov(operator, length, generator, signal);
    do {
      await krylov.step();
      onProgress?.({ products: curvature.products, maxProducts: probes * length });
      // What the start vector does not lead to is no part of its measure.
    } while (krylov.length < length && krylov.beta > 0);
    const { values, vectors } = await inTurns(symmetricEigen(krylov.matrix(), krylov.length), signal);
    vectors.forEach((vector, i) => nodes.push({ value: values[i]!, weight: vector[0]! ** 2 / probes }));
  }
  nodes.sort((a, b) => a.value - b.value);
  return { ...smooth(nodes, points, bandwidth), nodes, products: curvature.products };
}

function smooth(
  nodes: readonly { readonly value: number; readonly weight: number }[],
  points: number,
  bandwidth: number,
): { lambda: Float64Array; density: Float64Array } {
  const [least, most] = [nodes[0]!.value, nodes.at(-1)!.value];
  const width = most - least || Math.abs(most) || 1;
  const sigma = bandwidth * width;
  const [start, end] = [least - 4 * sigma, most + 4 * sigma];
  const lambda = Float64Array.from({ length: points }, (_, i) => start + ((end - start) * i) / (points - 1));
  const density = lambda.map((at) =>
    nodes.reduce((sum, { value, weight }) => sum + weight * Math.exp(-0.5 * ((at - value) / sigma) ** 2), 0),
  );
  return { lambda, density: density.map((value) => value / (sigma * Math.sqrt(2 * Math.PI))) };
}
