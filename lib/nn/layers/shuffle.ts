import { checkInteger } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { channelShuffle, pixelShuffle, pixelUnshuffle } from '../functional';
import { Module } from '../module';

/**
 * Channels become pixels: [..., C · r², H, W] to [..., C, H r, W r] (Shi et al. 2016). Throws ValueError for a factor below 1.
 *
 *     const layer = new PixelShuffle(2);
 */
export class PixelShuffle extends Module {
  constructor(readonly upscaleFactor: number) {
    super();
    checkInteger('PixelShuffle', 'upscaleFactor', upscaleFactor, 1);
  }

  forward(x: TensorBase): Tensor {
    return pixelShuffle(x, this.upscaleFactor);
  }

  protected override describe(): string {
    return `upscaleFactor=${this.upscaleFactor}`;
  }
}

/**
 * Pixels become channels: [..., C, H r, W r] to [..., C · r², H, W]. Throws ValueError for a factor below 1.
 *
 *     const layer = new PixelUnshuffle(2);
 */
export class PixelUnshuffle extends Module {
  constructor(readonly downscaleFactor: number) {
    super();
    checkInteger('PixelUnshuffle', 'downscaleFactor', downscaleFactor, 1);
  }

  forward(x: TensorBase): Tensor {
    return pixelUnshuffle(x, this.downscaleFactor);
  }

  protected override describe(): string {
    return `downscaleFactor=${this.downscaleFactor}`;
  }
}

/**
 * Channels of [N, C, ...] dealt out among groups (Zhang et al. 2018). Throws ValueError for groups below 1.
 *
 *     const layer = new ChannelShuffle(2);
 */
export class ChannelShuffle extends Module {
  constructor(readonly groups: number) {
    super();
    checkInteger('ChannelShuffle', 'groups', groups, 1);
  }

  forward(x: TensorBase): Tensor {
    return channelShuffle(x, this.groups);
  }

  protected override describe(): string {
    return `groups=${this.groups}`;
  }
}
