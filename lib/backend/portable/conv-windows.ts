import type { ConvGeometry } from './conv-geometry';
import { clearLastPanel, PANEL, panelPosition } from './gemm';
import type { FloatArray } from './kernel';

/** A block of pixels: some of one image, or all of several small ones. They are the columns of a matrix product. */
export interface Block {
  readonly firstImage: number;
  readonly images: number;
  readonly firstPixel: number;
  readonly pixels: number;
  readonly columns: number;
  readonly endsImage: boolean;
}

/** Packs the window of every pixel of the block as a row of panels. */
export function packWindows(packed: Float64Array, padded: Float64Array, geometry: ConvGeometry, block: Block): void {
  const { windowOffsets, pixelOffsets, windowSize, paddedSize } = geometry;
  clearLastPanel(packed, block.columns, windowSize);
  let column = 0;
  for (let image = 0; image < block.images; image++)
    for (let pixel = block.firstPixel; pixel < block.firstPixel + block.pixels; pixel++) {
      const from = image * paddedSize + pixelOffsets[pixel]!;
      let to = panelPosition(column++, windowSize);
      for (let element = 0; element < windowSize; element++) {
        packed[to] = padded[from + windowOffsets[element]!]!;
        to += PANEL;
      }
    }
}

/** Packs every element of the windows as a row of panels, which runs over the pixels of the block. */
export function packTransposedWindows(
  packed: Float64Array,
  padded: Float64Array,
  geometry: ConvGeometry,
  block: Block,
): void {
  const { windowOffsets, pixelOffsets, windowSize, paddedSize } = geometry;
  clearLastPanel(packed, windowSize, block.columns);
  for (let element = 0; element < windowSize; element++) {
    const offset = windowOffsets[element]!;
    let to = panelPosition(element, block.columns);
    for (let image = 0; image < block.images; image++)
      for (let pixel = block.firstPixel; pixel < block.firstPixel + block.pixels; pixel++) {
        packed[to] = padded[image * paddedSize + pixelOffsets[pixel]! + offset]!;
        to += PANEL;
      }
  }
}

/** One output channel straight from the images; the same chain of additions as in panels, four pixels at a time. */
export function convolveChannel(
  weight: Float64Array,
  firstWeight: number,
  padded: Float64Array,
  geometry: ConvGeometry,
  block: Block,
  c: Float64Array,
  to: number,
): void {
  const { windowOffsets, pixelOffsets, windowSize, paddedSize } = geometry;
  const last = block.firstPixel + block.pixels - 1;
  for (let image = 0; image < block.images; image++)
    for (let pixel = block.firstPixel; pixel <= last; pixel += 4) {
      const start = image * paddedSize;
      // Past the last pixel that one is computed again.
      const at0 = start + pixelOffsets[pixel]!;
      const at1 = start + pixelOffsets[Math.min(pixel + 1, last)]!;
      const at2 = start + pixelOffsets[Math.min(pixel + 2, last)]!;
      const at3 = start + pixelOffsets[Math.min(pixel + 3, last)]!;
      let sum0 = 0;
      let sum1 = 0;
      let sum2 = 0;
      let sum3 = 0;
      for (let element = 0; element < windowSize; element++) {
        const factor = weight[firstWeight + element]!;
        const offset = windowOffsets[element]!;
        sum0 += factor * padded[at0 + offset]!;
        sum1 += factor * padded[at1 + offset]!;
        sum2 += factor * padded[at2 + offset]!;
        sum3 += factor * padded[at3 + offset]!;
      }
      const left = last - pixel;
      c[to++] = sum0;
      if (left > 0) c[to++] = sum1;
      if (left > 1) c[to++] = sum2;
      if (left > 2) c[to++] = sum3;
    }
}

/** Adds the gradient of one output channel, times a weight each, to elements firstRow .. firstRow + rows of the windows. */
export function addChannelGrad(
  padded: Float64Array,
  geometry: ConvGeometry,
  image: number,
  block: Block,
  g: FloatArray,
  from: number,
  weight: FloatArray,
  firstWeight: number,
  firstRow: number,
  rows: number,
): void {
  const { windowOffsets, pixelOffsets, paddedSize } = geometry;
  for (let row = firstRow; row < firstRow + rows; row++) {
    const factor = weight[firstWeight + row]!;
    const offset = image * paddedSize + windowOffsets[row]!;
    for (let i = 0; i < block.pixels; i++)
      padded[offset + pixelOffsets[block.firstPixel + i]!]! += factor * g[from + i]!;
  }
}

/** Adds to the sums of every weight of one output channel; the same chain of additions as in panels. */
export function addChannelProducts(
  sums: Float64Array,
  to: number,
  padded: Float64Array,
  geometry: ConvGeometry,
  image: number,
  block: Block,
  g: FloatArray,
  from: number,
): void {
  const { windowOffsets, pixelOffsets, windowSize, paddedSize } = geometry;
  for (let element = 0; element < windowSize; element++) {
    const offset = image * paddedSize + windowOffsets[element]!;
    let sum = sums[to + element]!;
    for (let i = 0; i < block.pixels; i++) sum += g[from + i]! * padded[offset + pixelOffsets[block.firstPixel + i]!]!;
    sums[to + element] = sum;
  }
}

/** Adds rows firstRow .. firstRow + rows of the windows' gradients to the padded images. */
export function addWindows(
  padded: Float64Array,
  geometry: ConvGeometry,
  block: Block,
  c: Float64Array,
  cStride: number,
  firstRow: number,
  rows: number,
): void {
  const { windowOffsets, pixelOffsets, paddedSize } = geometry;
  for (let row = 0; row < rows; row++) {
    const offset = windowOffsets[firstRow + row]!;
    let from = row * cStride;
    for (let image = 0; image < block.images; image++)
      for (let pixel = block.firstPixel; pixel < block.firstPixel + block.pixels; pixel++)
        padded[image * paddedSize + pixelOffsets[pixel]! + offset]! += c[from++]!;
  }
}
