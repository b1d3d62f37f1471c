import { ShapeError } from '../errors';
import { labelled } from '../graph/modes';
import { add } from '../ops/elementwise';
import { matmul, matmulTransposed } from '../ops/matmul';
import { permute, reshape } from '../ops/shape';
import { formatShape, shapesEqual } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';

/**
 * x Wᵀ + b over the last dim: x [..., in], weight [out, in], bias [out] to [..., out].
 * Throws ShapeError for sizes that do not fit.
 *
 *     linear(x, weight, bias);
 */
export function linear(x: TensorBase, weight: TensorBase, bias: TensorBase | null = null): Tensor {
  const [outputs, inputs] = weight.shape;
  if (weight.rank !== 2 || x.shape.at(-1) !== inputs)
    throw new ShapeError(
      `linear: takes [..., in] and weight [out, in], got ${formatShape(x.shape)} and ${formatShape(weight.shape)}`,
    );
  if (bias && !shapesEqual(bias.shape, [outputs!]))
    throw new ShapeError(`linear: bias is [${outputs}], one number for each output, got ${formatShape(bias.shape)}`);
  return labelled('linear', () => {
    const product = matmulTransposed(x, weight);
    return bias ? add(product, bias) : product;
  });
}

/**
 * x1ᵀ A_k x2 + b_k over the last dims (https://pytorch.org/docs/1.13/generated/torch.nn.functional.bilinear.html):
 * x1 [..., in1], x2 [..., in2], weight [out, in1, in2], bias [out] to [..., out]. Throws ShapeError for sizes that do not fit.
 *
 *     bilinear(left, right, weight, bias);
 */
export function bilinear(x1: TensorBase, x2: TensorBase, weight: TensorBase, bias: TensorBase | null = null): Tensor {
  const [outputs, in1, in2] = weight.shape as [number, number, number];
  const leading = x1.shape.slice(0, -1);
  if (
    weight.rank !== 3 ||
    x1.rank === 0 ||
    x1.shape.at(-1) !== in1 ||
    x2.shape.at(-1) !== in2 ||
    !shapesEqual(leading, x2.shape.slice(0, -1))
  )
    throw new ShapeError(
      `bilinear: takes [..., in1], [..., in2] and weight [out, in1, in2], got ` +
        [x1, x2, weight].map((x) => formatShape(x.shape)).join(', '),
    );
  if (bias && !shapesEqual(bias.shape, [outputs]))
    throw new ShapeError(`bilinear: bias is [${outputs}], got ${formatShape(bias.shape)}`);
  return labelled('bilinear', () => {
    const left = matmul(x1, reshape(permute(weight, [1, 0, 2]), [in1, outputs * in2]));
    const products = matmul(reshape(left, [...leading, outputs, in2]), reshape(x2, [...leading, in2, 1]));
    const y = reshape(products, [...leading, outputs]);
    return bias ? add(y, bias) : y;
  });
}
