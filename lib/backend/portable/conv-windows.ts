import type { ConvGeometry } from './conv-geometry';
import { clearLastPanel, PANEL, panelPosition } from './gemm';

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

/** One output channel straight from the images; the same chain of additions as in panels. */
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
  for (let image = 0; image < block.images; image++)
    for (let pixel = block.firstPixel; pixel < block.firstPixel + block.pixels; pixel++) {
      const from = image * paddedSize + pixelOffsets[pixel]!;
      let sum = 0;
      for (let element = 0; element < windowSize; element++)
        sum += weight[firstWeight + element]! * padded[from + windowOffsets[element]!]!;
      c[to++] = sum;
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
