/** Labelled images, in memory, and which of them train and which test. */
export interface Dataset {
  readonly name: string;
  /** [count, channels, height, width], scaled to 0..1. */
  readonly images: Float32Array;
  /** [channels, height, width]. */
  readonly imageShape: readonly [number, number, number];
  /** [count], each 0..classes - 1. */
  readonly labels: Int32Array;
  readonly classes: number;
  /** Indices of the images to train with. */
  readonly train: Int32Array;
  /** Indices of the images that training never sees. */
  readonly test: Int32Array;
}
