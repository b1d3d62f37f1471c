import { ValueError } from '../../errors';
import { zeros } from '../../ops/create';
import { checkInteger } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { conv2d } from '../functional';
import * as init from '../init';
import { Module } from '../module';
import { Parameter } from '../parameter';
import { pairOf, type Pair, type PairLike } from '../../ops/window';

export interface Conv2dOptions {
  stride?: PairLike;
  /** Zeros around the image. */
  padding?: PairLike;
  /** Distance between the taps of the kernel. */
  dilation?: PairLike;
  /** Channels are cut into so many parts that do not see each other. */
  groups?: number;
  bias?: boolean;
}

/**
 * Convolution of images [N, inChannels, H, W] with outChannels kernels. Weights start uniform in ±1/√fanIn.
 * Throws ValueError for sizes below 1, a padding below 0, or groups that do not divide both channels.
 *
 *     const layer = new Conv2d(3, 16, 3, { padding: 1 });
 *     layer.forward(x); // [N, 3, H, W] to [N, 16, H, W]
 */
export class Conv2d extends Module {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    readonly inChannels: number,
    readonly outChannels: number,
    kernelSize: PairLike,
    options: Conv2dOptions = {},
  ) {
    super();
    checkInteger('Conv2d', 'inChannels', inChannels, 1);
    checkInteger('Conv2d', 'outChannels', outChannels, 1);
    this.kernelSize = pairOf('Conv2d', 'kernelSize', kernelSize, 1);
    this.stride = pairOf('Conv2d', 'stride', options.stride ?? 1, 1);
    this.padding = pairOf('Conv2d', 'padding', options.padding ?? 0, 0);
    this.dilation = pairOf('Conv2d', 'dilation', options.dilation ?? 1, 1);
    this.groups = options.groups ?? 1;
    checkInteger('Conv2d', 'groups', this.groups, 1);
    if (inChannels % this.groups !== 0 || outChannels % this.groups !== 0)
      throw new ValueError(
        `Conv2d: groups divides inChannels and outChannels, got ${this.groups} for ${inChannels} and ${outChannels}`,
      );
    this.weight = new Parameter(zeros([outChannels, inChannels / this.groups, ...this.kernelSize]));
    this.bias = (options.bias ?? true) ? new Parameter(zeros([outChannels])) : null;
    this.resetParameters();
  }

  /** Draws weight and bias anew. */
  resetParameters(): void {
    init.kaimingUniform(this.weight, { a: Math.sqrt(5) });
    const bound = 1 / Math.sqrt(init.calculateFans(this.weight.shape).fanIn);
    if (this.bias !== null) init.uniform(this.bias, { low: -bound, high: bound });
  }

  forward(x: TensorBase): Tensor {
    const { stride, padding, dilation, groups } = this;
    return conv2d(x, this.weight, this.bias, { stride, padding, dilation, groups });
  }

  protected override describe(): string {
    const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups } = this;
    const parts = [
      `${inChannels}, ${outChannels}, kernelSize=[${kernelSize.join(', ')}]`,
      `stride=[${stride.join(', ')}]`,
    ];
    if (padding.some((size) => size !== 0)) parts.push(`padding=[${padding.join(', ')}]`);
    if (dilation.some((size) => size !== 1)) parts.push(`dilation=[${dilation.join(', ')}]`);
    if (groups !== 1) parts.push(`groups=${groups}`);
    if (this.bias === null) parts.push('bias=false');
    return parts.join(', ');
  }
}
