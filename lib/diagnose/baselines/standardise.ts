/** Features were (x - mean) / scale; scale is 1 where a feature is constant, which then is 0 and has no weight. */
export interface Scaling {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

/** A standard deviation that small, relative to the largest value, is rounding. */
const CONSTANT = 1e-13;

/** Gives every column of x [count, features] mean 0 and variance 1, in place; the divisor of the variance is count. */
export function standardise(x: Float64Array, count: number, features: number): Scaling {
  const mean = new Float64Array(features);
  const scale = new Float64Array(features);
  const largest = new Float64Array(features);
  for (let i = 0; i < count; i++)
    for (let j = 0; j < features; j++) {
      const value = x[i * features + j]!;
      mean[j]! += value / count;
      largest[j] = Math.max(largest[j]!, Math.abs(value));
    }
  for (let i = 0; i < count; i++)
    for (let j = 0; j < features; j++) scale[j]! += (x[i * features + j]! - mean[j]!) ** 2 / count;
  for (let j = 0; j < features; j++) {
    const deviation = Math.sqrt(scale[j]!);
    scale[j] = deviation <= CONSTANT * largest[j]! ? 0 : deviation;
  }
  for (let i = 0; i < count; i++)
    for (let j = 0; j < features; j++) {
      const at = i * features + j;
      x[at] = scale[j] === 0 ? 0 : (x[at]! - mean[j]!) / scale[j]!;
    }
  for (let j = 0; j < features; j++) if (scale[j] === 0) scale[j] = 1;
  return { mean, scale };
}

/** Weights [outputs, features + 1], the bias last, that give for x what `weights` give for standardised features. */
export function unstandardised(weights: Float64Array, outputs: number, { mean, scale }: Scaling): Float64Array {
  const features = mean.length;
  const result = new Float64Array(weights.length);
  for (let k = 0; k < outputs; k++) {
    const at = k * (features + 1);
    let bias = weights[at + features]!;
    for (let j = 0; j < features; j++) {
      const weight = weights[at + j]! / scale[j]!;
      result[at + j] = weight;
      bias -= weight * mean[j]!;
    }
    result[at + features] = bias;
  }
  return result;
}
