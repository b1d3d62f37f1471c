import { clamp } from '../ops/activations';
import { add, div, erf, exp, log1p, mul, neg, sign, sqrt, square, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';

/** In the first guess of Winitzki 2008, "A handy approximation for the error function and its inverse". */
const WINITZKI = 0.147;
/** The largest double below 1. */
const MOST = 1 - 2 ** -53;

/**
 * The x with erf(x) = y, for float64 y in [-1, 1], whose ends count as the doubles next to them: Winitzki's guess, right to
 * 2e-3, and two steps of Halley's method, each of which triples the number of right digits.
 */
export function inverseErf(y: Tensor): Tensor {
  const inside = clamp(y, { min: -MOST, max: MOST });
  const w = log1p(neg(square(inside)));
  const t = add(2 / (Math.PI * WINITZKI), mul(w, 0.5));
  const guess = mul(sign(inside), sqrt(sub(sqrt(sub(square(t), div(w, WINITZKI))), t)));
  return halley(halley(guess, inside), inside);
}

/** With f = erf(x) - y: f'' / f' = -2 x, so that the step is u / (1 + x u) with u = f / f'. */
function halley(x: Tensor, y: Tensor): Tensor {
  const u = div(sub(erf(x), y), mul(exp(neg(square(x))), 2 / Math.sqrt(Math.PI)));
  return sub(x, div(u, add(1, mul(x, u))));
}
