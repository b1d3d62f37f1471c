import type { Slices } from '../../graph/program/slices';
import { SLICE_WORK } from './running';

const MAX_BYTES = 256 * 1024 * 1024;

/** Rows of the matrix exp(-gamma ‖x_i - x_j‖²), made when asked for; those that were asked for longest ago are forgotten. */
export class KernelRows {
  #rows = new Map<number, Float64Array>();
  readonly #most: number;

  constructor(
    private readonly x: Float64Array,
    private readonly count: number,
    private readonly features: number,
    private readonly gamma: number,
  ) {
    this.#most = Math.max(2, Math.floor(MAX_BYTES / (8 * count)));
  }

  *row(i: number): Slices<Float64Array> {
    let row = this.#rows.get(i);
    if (row === undefined) row = yield* this.#make(i);
    else this.#rows.delete(i);
    this.#rows.set(i, row);
    if (this.#rows.size > this.#most) this.#rows.delete(this.#rows.keys().next().value!);
    return row;
  }

  *#make(i: number): Slices<Float64Array> {
    const { x, count, features, gamma } = this;
    const row = new Float64Array(count);
    const own = x.subarray(i * features, (i + 1) * features);
    const slice = Math.max(1, Math.floor(SLICE_WORK / features));
    for (let j = 0; j < count; j++) {
      if (j % slice === slice - 1) yield;
      let distance = 0;
      const at = j * features;
      for (let f = 0; f < features; f++) {
        const difference = own[f]! - x[at + f]!;
        distance += difference * difference;
      }
      row[j] = Math.exp(-gamma * distance);
    }
    return row;
  }
}
