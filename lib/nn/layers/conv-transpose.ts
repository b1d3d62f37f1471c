import { ShapeError } from '../../errors';
import { zeros } from '../../ops/create';
import { formatShape } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { Module } from '../module';
import { Parameter } from '../parameter';
import { convTranspose1d, convTranspose2d, convTranspose3d, transposedSizes } from '../transposed-convolution';
import { sizesOf, type SizeLike } from '../window';
import { checkChannels, drawUniform } from './conv';

export interface ConvTransposeLayerOptions {
  /** How far the kernel moves in the output for each input. */
  stride?: SizeLike;
  /** How much is taken away at both ends of the output. */
  padding?: SizeLike;
  /** How much longer the output is at its end; below stride or dilation. */
  outputPadding?: SizeLike;
  /** Channels are cut into so many parts that do not see each other. */
  groups?: number;
  bias?: boolean;
  /** Distance between the taps of the kernel. */
  dilation?: SizeLike;
}

/** Transposed convolution in one to three directions. */
abstract class ConvTranspose extends Module {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
  /** [inChannels, outChannels / groups, ...kernelSize]. */
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: SizeLike,
    options: ConvTransposeLayerOptions,
    dims: number,
  ) {
    super();
    const name = this.constructor.name;
    const { groups = 1 } = options;
    checkChannels(name, inChannels, outChannels, groups);
    this.kernelSize = sizesOf(name, 'kernelSize', kernelSize, dims, 1);
    this.stride = sizesOf(name, 'stride', options.stride ?? 1, dims, 1);
    this.padding = sizesOf(name, 'padding', options.padding ?? 0, dims, 0);
    this.outputPadding = sizesOf(name, 'outputPadding', options.outputPadding ?? 0, dims, 0);
    this.dilation = sizesOf(name, 'dilation', options.dilation ?? 1, dims, 1);
    this.groups = groups;
    this.weight = new Parameter(zeros([inChannels, outChannels / groups, ...this.kernelSize]));
    this.bias = (options.bias ?? true) ? new Parameter(zeros([outChannels])) : null;
    this.resetParameters();
  }

  /** Draws weight and bias anew. */
  resetParameters(): void {
    drawUniform(this.weight, this.bias);
  }

  /** The function that this layer is. */
  protected abstract readonly convolve: typeof convTranspose1d;

  /** With outputSize, the sizes behind the channels, outputPadding is what leads there. Throws ShapeError if none does. */
  forward(x: TensorBase, options: { outputSize?: readonly number[] } = {}): Tensor {
    const { stride, padding, dilation, groups } = this;
    const outputPadding =
      options.outputSize === undefined ? this.outputPadding : this.#paddingTo(x, options.outputSize);
    return this.convolve(x, this.weight, this.bias, { stride, padding, outputPadding, dilation, groups });
  }

  #paddingTo(x: TensorBase, outputSize: readonly number[]): number[] {
    const { kernelSize, stride, padding, dilation, groups } = this;
    const none = kernelSize.map(() => 0);
    const geometry = { stride, padding, outputPadding: none, dilation, groups };
    const least = transposedSizes(x.shape.slice(-kernelSize.length), kernelSize, geometry);
    const missing = outputSize.slice(-kernelSize.length).map((size, i) => size - least[i]!);
    if (missing.length !== least.length || missing.some((size, i) => !(size >= 0 && size < stride[i]!)))
      throw new ShapeError(
        `${this.constructor.name}: outputSize is from ${formatShape(least)} to ${formatShape(least.map((size, i) => size + stride[i]! - 1))}, got ${formatShape(outputSize)}`,
      );
    return missing;
  }

  protected override describe(): string {
    const { inChannels, outChannels, kernelSize, stride, padding, outputPadding, dilation, groups } = this;
    const parts = [
      `${inChannels}, ${outChannels}, kernelSize=[${kernelSize.join(', ')}]`,
      `stride=[${stride.join(', ')}]`,
    ];
    if (padding.some((size) => size !== 0)) parts.push(`padding=[${padding.join(', ')}]`);
    if (outputPadding.some((size) => size !== 0)) parts.push(`outputPadding=[${outputPadding.join(', ')}]`);
    if (dilation.some((size) => size !== 1)) parts.push(`dilation=[${dilation.join(', ')}]`);
    if (groups !== 1) parts.push(`groups=${groups}`);
    if (this.bias === null) parts.push('bias=false');
    return parts.join(', ');
  }
}

/**
 * The transpose of `Conv1d`: [N, inChannels, L] or [inChannels, L] to [N, outChannels, (L - 1) stride - 2 padding +
 * dilation (kernelSize - 1) + outputPadding + 1]. Weights start uniform in ±1/√fanIn. Throws ValueError for sizes below 1, a
 * padding below 0, or groups that do not divide both channels.
 *
 *     const layer = new ConvTranspose1d(16, 4, 4, { stride: 2, padding: 1 }); // doubles L
 */
export class ConvTranspose1d extends ConvTranspose {
  protected readonly convolve = convTranspose1d;

  constructor(inChannels: number, outChannels: number, kernelSize: SizeLike, options: ConvTransposeLayerOptions = {}) {
    super(inChannels, outChannels, kernelSize, options, 1);
  }
}

/**
 * The transpose of `Conv2d`, for images [N, inChannels, H, W] or [inChannels, H, W]; sizes and errors as for
 * `ConvTranspose1d`.
 *
 *     const layer = new ConvTranspose2d(16, 3, 4, { stride: 2, padding: 1 }); // doubles H and W
 */
export class ConvTranspose2d extends ConvTranspose {
  protected readonly convolve = convTranspose2d;

  constructor(inChannels: number, outChannels: number, kernelSize: SizeLike, options: ConvTransposeLayerOptions = {}) {
    super(inChannels, outChannels, kernelSize, options, 2);
  }
}

/**
 * The transpose of `Conv3d`, for volumes [N, inChannels, D, H, W] or [inChannels, D, H, W]; sizes and errors as for
 * `ConvTranspose1d`.
 *
 *     const layer = new ConvTranspose3d(16, 1, 2, { stride: 2 }); // doubles D, H and W
 */
export class ConvTranspose3d extends ConvTranspose {
  protected readonly convolve = convTranspose3d;

  constructor(inChannels: number, outChannels: number, kernelSize: SizeLike, options: ConvTransposeLayerOptions = {}) {
    super(inChannels, outChannels, kernelSize, options, 3);
  }
}
