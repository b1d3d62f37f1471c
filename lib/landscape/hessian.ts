import { ValueError } from '../errors';
import { signalOf, type AbortOptions } from '../graph/abort';
import { submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import { readData, readItem } from '../graph/reading';
import { eye } from '../ops/create';
import { stack } from '../ops/join';
import { reshape, slice } from '../ops/shape';
import { normOf } from '../optim/clip';
import { formatShape, shapesEqual } from '../tensor/shape';
import type { Tensor, TensorBase, Variable } from '../tensor/tensor';
import { Curvature, type Loss } from './curvature';
import type { ParameterVector } from './parameters';

/** Beyond it the matrix alone takes 64 MiB, and the products minutes. */
const MAX_SIZE = 4096;
/** Products that are on their way at a time. */
const AT_ONCE = 8;

/**
 * The length of the gradient of a loss where the parameters stand. Throws ValueError for a loss that is not the same at
 * every call; see `hessianSpectrum`.
 *
 *     const length = await gradientNorm(() => F.mseLoss(model.forward(x), y), model.parameters());
 */
export async function gradientNorm(
  loss: Loss,
  params: Iterable<Variable>,
  options: AbortOptions = {},
): Promise<number> {
  const { gradient } = new Curvature('gradientNorm', loss, params).gradient();
  return readItem(
    noGrad(() => normOf([gradient])),
    options,
  );
}

/**
 * The Hessian of a loss times a vector with one tensor for each parameter, at any size: Pearlmutter, "Fast exact
 * multiplication by the Hessian", 1994. Throws ValueError for vectors of other shapes than the parameters'.
 *
 *     const product = hvp(() => F.mseLoss(model.forward(x), y), model.parameters(), direction);
 */
export function hvp(loss: Loss, params: Iterable<Variable>, vector: readonly TensorBase[]): Tensor[] {
  const curvature = new Curvature('hvp', loss, params);
  const { vector: parameters } = curvature;
  checkDirection('hvp', parameters, vector);
  return noGrad(() => parameters.unflatten(curvature.product(parameters.flatten(vector))));
}

export interface HessianOptions extends AbortOptions {
  readonly onProgress?: (progress: { readonly products: number; readonly maxProducts: number }) => void;
}

/**
 * The Hessian of a loss over all parameters together, [n, n] for n elements: exact, symmetric but for rounding. n is at
 * most 4,096: it takes n Hessian-vector products. Throws ValueError beyond; see `hessianSpectrum` for large models.
 *
 *     const h = await hessian(() => F.mseLoss(model.forward(x), y), model.parameters());
 */
export async function hessian(loss: Loss, params: Iterable<Variable>, options: HessianOptions = {}): Promise<Tensor> {
  const curvature = new Curvature('hessian', loss, params);
  const { size, dtype } = curvature.vector;
  if (size > MAX_SIZE)
    throw new ValueError(`hessian: takes at most ${MAX_SIZE} parameters, got ${size}; see hessianSpectrum`);
  const signal = signalOf('hessian', options) ?? undefined;
  await curvature.prepare(signal);
  const units = noGrad(() => eye(size, { dtype }));
  await submit([units], { signal });
  const rows: Tensor[] = [];
  for (let first = 0; first < size; first += AT_ONCE) {
    const indices = Array.from({ length: Math.min(AT_ONCE, size - first) }, (_, i) => first + i);
    const products = indices.map((i) => curvature.product(noGrad(() => reshape(slice(units, [[i, i + 1]]), [size]))));
    await submit(products, { signal });
    rows.push(...products);
    options.onProgress?.({ products: rows.length, maxProducts: size });
  }
  const result = noGrad(() => stack(rows));
  await submit([result], { signal });
  return result;
}

/** The Hessian's numbers, made symmetric, and by how much they were not. */
export async function symmetricHessian(
  loss: Loss,
  params: Iterable<Variable>,
  options: AbortOptions,
): Promise<{ matrix: Float64Array; size: number; asymmetry: number }> {
  const h = await hessian(loss, params, options);
  const matrix = Float64Array.from((await readData(h, options)) as Float64Array);
  const size = h.shape[0]!;
  let asymmetry = 0;
  for (let i = 0; i < size; i++)
    for (let j = 0; j < i; j++) {
      const [a, b] = [matrix[i * size + j]!, matrix[j * size + i]!];
      asymmetry = Math.max(asymmetry, Math.abs(a - b));
      matrix[i * size + j] = matrix[j * size + i] = (a + b) / 2;
    }
  return { matrix, size, asymmetry };
}

/** Throws unless a direction has one tensor of the right shape for each parameter. */
export function checkDirection(op: string, { params }: ParameterVector, direction: readonly TensorBase[]): void {
  if (direction.length !== params.length)
    throw new ValueError(
      `${op}: a direction has one tensor for each of ${params.length} parameters, got ${direction.length}`,
    );
  params.forEach(({ shape }, i) => {
    const given = direction[i]!.shape;
    if (!shapesEqual(given, shape))
      throw new ValueError(
        `${op}: tensor ${i} of the direction has shape ${formatShape(given)}, its parameter ${formatShape(shape)}`,
      );
  });
}
