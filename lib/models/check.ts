import { ShapeError, ValueError } from '../errors';
import { checkInteger, formatShape } from '../tensor/shape';
import { TensorBase } from '../tensor/tensor';

/** Throws ValueError, naming the model, unless every size is an integer of at least 1. */
export function checkSizes(model: string, sizes: { readonly [name: string]: number }): void {
  for (const [name, size] of Object.entries(sizes)) checkInteger(model, name, size, 1);
}

/** Throws, naming the model, unless x is [N, channels, H, W] with sides of at least `least`. */
export function checkImages(model: string, x: unknown, channels: number, least = 1): void {
  const wanted = `${model}: takes images [N, ${channels}, H, W]${least > 1 ? ` of at least ${least} x ${least}` : ''}`;
  if (!(x instanceof TensorBase)) throw new ValueError(`${wanted}, got ${x === null ? 'null' : typeof x}`);
  const [, found, height, width] = x.shape;
  if (x.rank !== 4 || found !== channels || !(Math.min(height!, width!) >= least))
    throw new ShapeError(`${wanted}, got ${formatShape(x.shape)}`);
}
