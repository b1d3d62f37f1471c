import { MAX_ELEMENTS } from '../../tensor/shape';
import type { BoundView, Call, FloatArray } from './kernel';

/** The sizes of a convolution, and its images with their padding in doubles, where every window lies inside. */
export class ConvGeometry {
  /** Elements of a window: channels of a group * kh * kw. */
  readonly windowSize: number;
  readonly pixels: number;
  readonly paddedH: number;
  readonly paddedW: number;
  /** Elements of a group's channels of one padded image. */
  readonly paddedSize: number;
  /** From a window's first element to each of its elements, in weight order. */
  readonly windowOffsets: Int32Array;
  /** From an image's first element to the first element of each pixel's window. */
  readonly pixelOffsets: Int32Array;

  constructor(
    readonly images: number,
    readonly groups: number,
    /** Of one group. */
    readonly channels: number,
    readonly h: number,
    readonly w: number,
    /** Of one group. */
    readonly outChannels: number,
    oh: number,
    ow: number,
    kh: number,
    kw: number,
    strideH: number,
    strideW: number,
    readonly paddingH: number,
    readonly paddingW: number,
    dilationH: number,
    dilationW: number,
  ) {
    this.windowSize = channels * kh * kw;
    this.pixels = oh * ow;
    this.paddedH = h + 2 * paddingH;
    this.paddedW = w + 2 * paddingW;
    this.paddedSize = channels * this.paddedH * this.paddedW;
    this.windowOffsets = new Int32Array(this.windowSize);
    this.pixelOffsets = new Int32Array(this.pixels);
    let next = 0;
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < kh; i++)
        for (let j = 0; j < kw; j++)
          this.windowOffsets[next++] = (c * this.paddedH + i * dilationH) * this.paddedW + j * dilationW;
    next = 0;
    for (let i = 0; i < oh; i++)
      for (let j = 0; j < ow; j++) this.pixelOffsets[next++] = i * strideH * this.paddedW + j * strideW;
  }

  /** Checks x [N,C,H,W], weight [O,C/groups,kh,kw] and y [N,O,OH,OW] against each other and the attributes. */
  static read(call: Call, x: BoundView, weight: { readonly shape: readonly number[] }, y: BoundView): ConvGeometry {
    call.checkRank(x, 4, 'the input');
    call.checkRank(y, 4, 'the result');
    call.check(weight.shape.length === 4, `the weight has ${weight.shape.length} dims, not 4`);
    const [n, c, h, w] = x.shape as [number, number, number, number];
    const [o, channels, kh, kw] = weight.shape as [number, number, number, number];
    const [strideH, strideW] = [call.integer(0, 1), call.integer(1, 1)];
    const [paddingH, paddingW] = [call.integer(2, 0), call.integer(3, 0)];
    const [dilationH, dilationW] = [call.integer(4, 1), call.integer(5, 1)];
    const groups = call.integer(6, 1);
    call.check(channels * groups === c && o % groups === 0, `${c} to ${o} channels do not make ${groups} groups`);
    call.check(kh > 0 && kw > 0, 'the kernel is empty');
    const oh = outputSize(h, kh, strideH, paddingH, dilationH);
    const ow = outputSize(w, kw, strideW, paddingW, dilationW);
    call.check(oh > 0 && ow > 0, `a kernel of ${kh} x ${kw} does not fit into the padded input`);
    call.checkShape(y, [n, o, oh, ow], 'the result');
    const padded = Math.max(1, channels) * (h + 2 * paddingH) * (w + 2 * paddingW);
    call.check(padded <= MAX_ELEMENTS, `a padded image has ${padded} elements, more than ${MAX_ELEMENTS}`);
    const outChannels = o / groups;
    return new ConvGeometry(
      n,
      groups,
      channels,
      h,
      w,
      outChannels,
      oh,
      ow,
      kh,
      kw,
      strideH,
      strideW,
      paddingH,
      paddingW,
      dilationH,
      dilationW,
    );
  }

  /** Copies the channels of a group of image n into doubles, with zeros around; `padded` holds one image. */
  padImage(padded: Float64Array, at: number, x: FloatArray, offset: number, image: number, group: number): void {
    const { channels, h, w, paddedW, paddingH, paddingW } = this;
    padded.fill(0, at, at + this.paddedSize);
    let from = offset + (image * this.groups + group) * channels * h * w;
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < h; i++) {
        copyRow(w, padded, at + (c * this.paddedH + i + paddingH) * paddedW + paddingW, x, from);
        from += w;
      }
  }

  /** The reverse: takes the inside of a padded image. */
  unpadImage(padded: Float64Array, at: number, x: FloatArray, offset: number, image: number, group: number): void {
    const { channels, h, w, paddedW, paddingH, paddingW } = this;
    let to = offset + (image * this.groups + group) * channels * h * w;
    for (let c = 0; c < channels; c++)
      for (let i = 0; i < h; i++) {
        copyRow(w, x, to, padded, at + (c * this.paddedH + i + paddingH) * paddedW + paddingW);
        to += w;
      }
  }
}

function outputSize(size: number, kernel: number, stride: number, padding: number, dilation: number): number {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

function copyRow(n: number, target: FloatArray, to: number, source: FloatArray, from: number): void {
  for (let i = 0; i < n; i++) target[to + i] = source[from + i]!;
}
