import '../../ops/methods';
import type { Tensor } from '../../tensor/tensor';

/** A point where the gradient is zero, and what it is. */
export interface KnownPoint {
  readonly point: readonly number[];
  readonly kind: 'minimum' | 'maximum' | 'saddle';
  /** The loss there. */
  readonly value: number;
  /** Of the Hessian there, ascending, where there is a closed form. */
  readonly eigenvalues?: readonly number[];
  /** The Hessian has an eigenvalue of 0: only higher orders tell the kind. */
  readonly isDegenerate?: boolean;
}

/** A function of few variables whose critical points are known. */
export interface Surface {
  readonly title: string;
  readonly formula: string;
  /** A vector [dimensions] to a number; differentiable, of the vector's dtype. */
  readonly loss: (x: Tensor) => Tensor;
  /** Where a race starts. */
  readonly start: readonly number[];
  /** What a picture shows, for each of the first two coordinates. */
  readonly domain: readonly [x: readonly [number, number], y: readonly [number, number]];
  /** All of them inside of the domain, unless the surface says that they are a selection or form a curve. */
  readonly criticalPoints: readonly KnownPoint[];
}

/** The coordinates of a vector, each with the shape []. */
export function coordinates(x: Tensor): Tensor[] {
  return Array.from({ length: x.size }, (_, i) => x.slice([[i, i + 1]]).reshape([]));
}
