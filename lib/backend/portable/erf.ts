/*
 * erf by Taylor polynomials around the points k / 8. With z = k / 8 and A = 2 / sqrt(pi) e^(-z^2),
 *   erf(z + h) = erf(z) + A (c0 h + c1 h^2 / 2 + c2 h^3 / 3 + ...),   e^(-2 z h - h^2) = c0 + c1 h + c2 h^2 + ...
 * z^2 is exact, |h| <= 1/16 makes 14 terms enough for doubles, and the largest rounding is that of the last addition.
 */
const POINTS = 49; // erf(6) is 1 in double
const TERMS = 14;

const values = new Float64Array(POINTS);
const coefficients = new Float64Array(POINTS * TERMS);

/** The polynomial around z, without erf(z): coefficients of h, h^2, h^3, ... */
function expand(z: number, terms: number): Float64Array {
  const scale = (2 / Math.sqrt(Math.PI)) * Math.exp(-z * z);
  const expansion = new Float64Array(terms);
  let before = 0;
  let current = 1;
  for (let n = 0; n < terms; n++) {
    expansion[n] = (scale * current) / (n + 1);
    const next = (-2 * z * current - 2 * before) / (n + 1);
    before = current;
    current = next;
  }
  return expansion;
}

function evaluate(terms: Float64Array, h: number): number {
  let sum = 0;
  for (let n = terms.length - 1; n >= 0; n--) sum = (sum + terms[n]!) * h;
  return sum;
}

// The values at the points, each from the one before it, summed with compensation (Kahan 1965).
let sum = 0;
let lost = 0;
for (let k = 0; k < POINTS; k++) {
  values[k] = sum + lost;
  coefficients.set(expand(k / 8, TERMS), k * TERMS);
  const step = evaluate(expand(k / 8, 24), 1 / 8);
  const next = sum + step;
  lost += Math.abs(sum) >= Math.abs(step) ? sum - next + step : step - next + sum;
  sum = next;
}

/** The error function, to about two units in the last place of a double. */
export function erf(x: number): number {
  const z = Math.abs(x);
  if (!(z < 6)) return z >= 6 ? Math.sign(x) : x;
  const k = (z * 8 + 0.5) | 0;
  const h = z - k / 8;
  const first = k * TERMS;
  let tail = 0;
  for (let n = first + TERMS - 1; n >= first; n--) tail = tail * h + coefficients[n]!;
  const value = values[k]! + tail * h;
  return x < 0 ? -value : value;
}
