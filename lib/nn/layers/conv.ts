import { ValueError } from '../../errors';
import { zeros } from '../../ops/create';
import { conv2d } from '../../ops/conv';
import { checkInteger } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { conv1d, conv3d, convPadding } from '../convolution';
import * as init from '../init';
import { Module } from '../module';
import { padAs, type PaddingMode } from '../padding';
import { Parameter } from '../parameter';
import { sizesOf, type SizeLike } from '../window';

/** How the input goes on beyond its ends. */
export type ConvPaddingMode = 'zeros' | 'reflect' | 'replicate' | 'circular';

const PADDING_MODES: { readonly [M in ConvPaddingMode]: PaddingMode } = {
  zeros: 'constant',
  reflect: 'reflect',
  replicate: 'replicate',
  circular: 'circular',
};

export interface ConvOptions {
  stride?: SizeLike;
  /** Around the input; 'same' keeps its sizes (stride 1), 'valid' is 0. */
  padding?: SizeLike | 'same' | 'valid';
  /** Distance between the taps of the kernel. */
  dilation?: SizeLike;
  /** Channels are cut into so many parts that do not see each other. */
  groups?: number;
  bias?: boolean;
  /** What the padding consists of: 'zeros' where not given. */
  paddingMode?: ConvPaddingMode;
}

/** Throws ValueError unless both counts are at least 1 and groups divides them. */
export function checkChannels(name: string, inChannels: number, outChannels: number, groups: number): void {
  checkInteger(name, 'inChannels', inChannels, 1);
  checkInteger(name, 'outChannels', outChannels, 1);
  checkInteger(name, 'groups', groups, 1);
  if (inChannels % groups !== 0 || outChannels % groups !== 0)
    throw new ValueError(
      `${name}: groups divides inChannels and outChannels, got ${groups} for ${inChannels} and ${outChannels}`,
    );
}

/** Draws weight and bias uniform in ±1/√fanIn. */
export function drawUniform(weight: Parameter, bias: Parameter | null): void {
  init.kaimingUniform(weight, { a: Math.sqrt(5) });
  const bound = 1 / Math.sqrt(init.calculateFans(weight.shape).fanIn);
  if (bias !== null) init.uniform(bias, { low: -bound, high: bound });
}

/** Convolution in one to three directions. */
abstract class Conv extends Module {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[] | 'same' | 'valid';
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly paddingMode: ConvPaddingMode;
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: SizeLike,
    options: ConvOptions,
    dims: number,
  ) {
    super();
    const name = this.constructor.name;
    const { padding = 0, groups = 1, paddingMode = 'zeros' } = options;
    checkChannels(name, inChannels, outChannels, groups);
    if (!Object.hasOwn(PADDING_MODES, paddingMode))
      throw new ValueError(
        `${name}: paddingMode is ${Object.keys(PADDING_MODES).join(', ')}, got ${String(paddingMode)}`,
      );
    this.kernelSize = sizesOf(name, 'kernelSize', kernelSize, dims, 1);
    this.stride = sizesOf(name, 'stride', options.stride ?? 1, dims, 1);
    this.dilation = sizesOf(name, 'dilation', options.dilation ?? 1, dims, 1);
    convPadding(name, padding, this.kernelSize, this.stride, this.dilation);
    this.padding = typeof padding === 'string' ? padding : sizesOf(name, 'padding', padding, dims, 0);
    this.groups = groups;
    this.paddingMode = paddingMode;
    this.weight = new Parameter(zeros([outChannels, inChannels / groups, ...this.kernelSize]));
    this.bias = (options.bias ?? true) ? new Parameter(zeros([outChannels])) : null;
    this.resetParameters();
  }

  /** Draws weight and bias anew. */
  resetParameters(): void {
    drawUniform(this.weight, this.bias);
  }

  /** The function that this layer is. */
  protected abstract readonly convolve: typeof conv1d;

  forward(x: TensorBase): Tensor {
    const { stride, padding, dilation, groups, paddingMode, kernelSize } = this;
    if (paddingMode === 'zeros') return this.convolve(x, this.weight, this.bias, { stride, padding, dilation, groups });
    const name = this.constructor.name;
    const { before, after } = convPadding(name, padding, kernelSize, stride, dilation);
    const around = before.flatMap((_, i) => [before.at(-1 - i)!, after.at(-1 - i)!]);
    const padded = padAs(name, x, around, { mode: PADDING_MODES[paddingMode] });
    return this.convolve(padded, this.weight, this.bias, { stride, dilation, groups });
  }

  protected override describe(): string {
    const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups, paddingMode } = this;
    const parts = [
      `${inChannels}, ${outChannels}, kernelSize=[${kernelSize.join(', ')}]`,
      `stride=[${stride.join(', ')}]`,
    ];
    if (typeof padding === 'string') parts.push(`padding=${padding}`);
    else if (padding.some((size) => size !== 0)) parts.push(`padding=[${padding.join(', ')}]`);
    if (dilation.some((size) => size !== 1)) parts.push(`dilation=[${dilation.join(', ')}]`);
    if (groups !== 1) parts.push(`groups=${groups}`);
    if (this.bias === null) parts.push('bias=false');
    if (paddingMode !== 'zeros') parts.push(`paddingMode=${paddingMode}`);
    return parts.join(', ');
  }
}

/**
 * Convolution of signals [N, inChannels, L] or [inChannels, L] with outChannels kernels. Weights start uniform in ±1/√fanIn.
 * Throws ValueError for sizes below 1, a padding below 0, or groups that do not divide both channels.
 *
 *     const layer = new Conv1d(4, 16, 5, { padding: 2, paddingMode: 'circular' });
 *     layer.forward(x); // [N, 4, L] to [N, 16, L]
 */
export class Conv1d extends Conv {
  protected readonly convolve = conv1d;

  constructor(inChannels: number, outChannels: number, kernelSize: SizeLike, options: ConvOptions = {}) {
    super(inChannels, outChannels, kernelSize, options, 1);
  }
}

/**
 * Convolution of images [N, inChannels, H, W] or [inChannels, H, W] with outChannels kernels. Weights start uniform in
 * ±1/√fanIn. Throws as `Conv1d` does.
 *
 *     const layer = new Conv2d(3, 16, 3, { padding: 1 });
 *     layer.forward(x); // [N, 3, H, W] to [N, 16, H, W]
 */
export class Conv2d extends Conv {
  protected readonly convolve = conv2d;

  constructor(inChannels: number, outChannels: number, kernelSize: SizeLike, options: ConvOptions = {}) {
    super(inChannels, outChannels, kernelSize, options, 2);
  }
}

/**
 * Convolution of volumes [N, inChannels, D, H, W] or [inChannels, D, H, W] with outChannels kernels. Weights start uniform
 * in ±1/√fanIn. Throws as `Conv1d` does.
 *
 *     const layer = new Conv3d(1, 8, [3, 5, 5], { stride: [1, 2, 2] });
 *     layer.forward(x); // [N, 1, 8, 32, 32] to [N, 8, 6, 14, 14]
 */
export class Conv3d extends Conv {
  protected readonly convolve = conv3d;

  constructor(inChannels: number, outChannels: number, kernelSize: SizeLike, options: ConvOptions = {}) {
    super(inChannels, outChannels, kernelSize, options, 3);
  }
}
