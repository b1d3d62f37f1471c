import { ValueError } from '../errors';
import { defaultGenerator } from '../ops/random';
import { permutation } from '../tensor/philox';
import { checkInteger, sizeOf } from '../tensor/shape';
import { Storage } from '../tensor/storage';
import { Tensor } from '../tensor/tensor';
import type { Dataset } from './dataset';

export interface Batch {
  /** float32 [size, channels, height, width]. */
  readonly images: Tensor;
  /** int32 [size]. */
  readonly labels: Tensor;
}

export interface DataLoaderOptions {
  /** Which images of the dataset; those to train with where not given. */
  indices?: Int32Array;
  batchSize?: number;
  /** A new order in every epoch, which depends on the seed and the epoch only. */
  shuffle?: boolean;
  /** Leaves out a last batch that is not full. */
  dropLast?: boolean;
  /** The default generator's where not given. */
  seed?: number;
}

/** Where a loader is: enough to continue with the same batches. */
export interface DataLoaderState {
  readonly seed: number;
  readonly epoch: number;
  /** Batches of the epoch that have been given out. */
  readonly batch: number;
}

// Random operations count their offsets up from 0; the loader's epochs count from here.
const FIRST_OFFSET = 2 ** 52;

/**
 * The images of a dataset in batches. Every `for ... of` is one epoch. Throws ValueError for a batch size below 1, indices
 * outside of the dataset, or nothing to load.
 *
 *     const loader = new DataLoader(loadDigits(), { batchSize: 64, shuffle: true, seed: 1 });
 *     for (const { images, labels } of loader) train(images, labels);
 */
export class DataLoader implements Iterable<Batch> {
  readonly batchSize: number;
  readonly indices: Int32Array;
  readonly #shuffle: boolean;
  readonly #dropLast: boolean;
  #seed: number;
  #epoch = 0;
  #batch = 0;
  /** The next iteration goes on where the state says, rather than starting an epoch. */
  #resumes = false;

  constructor(
    readonly dataset: Dataset,
    options: DataLoaderOptions = {},
  ) {
    const { indices = dataset.train, batchSize = 32, shuffle = false, dropLast = false } = options;
    const { seed = defaultGenerator.seed } = options;
    checkInteger('DataLoader', 'batchSize', batchSize, 1);
    checkInteger('DataLoader', 'seed', seed, 0);
    const count = dataset.labels.length;
    const wrong = indices.find((index) => index < 0 || index >= count);
    if (wrong !== undefined)
      throw new ValueError(`DataLoader: index ${wrong} is not one of the dataset's ${count} images`);
    if (indices.length === 0) throw new ValueError('DataLoader: there are no images to load');
    if (dropLast && indices.length < batchSize)
      throw new ValueError(
        `DataLoader: ${indices.length} images do not fill a batch of ${batchSize}, and dropLast leaves out the others`,
      );
    this.batchSize = batchSize;
    this.indices = indices;
    this.#shuffle = shuffle;
    this.#dropLast = dropLast;
    this.#seed = seed;
  }

  /** Batches in an epoch. */
  get length(): number {
    const batches = this.indices.length / this.batchSize;
    return this.#dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  *[Symbol.iterator](): IterableIterator<Batch> {
    if (this.#resumes) this.#resumes = false;
    else {
      // An epoch that was left before its end is over.
      if (this.#batch > 0) this.#epoch++;
      this.#batch = 0;
    }
    const order = this.#order();
    while (this.#batch < this.length) {
      const start = this.#batch * this.batchSize;
      this.#batch++;
      yield this.#load(order.subarray(start, start + this.batchSize));
    }
  }

  stateDict(): DataLoaderState {
    const isOver = this.#batch === this.length;
    return { seed: this.#seed, epoch: isOver ? this.#epoch + 1 : this.#epoch, batch: isOver ? 0 : this.#batch };
  }

  /** The next `for ... of` gives what is left of the epoch. Throws ValueError for a state that no loader has. */
  loadStateDict({ seed, epoch, batch }: DataLoaderState): void {
    checkInteger('DataLoader', 'seed', seed, 0);
    checkInteger('DataLoader', 'epoch', epoch, 0);
    checkInteger('DataLoader', 'batch', batch, 0);
    if (batch >= this.length)
      throw new ValueError(`DataLoader: batch ${batch} is not one of the ${this.length} of an epoch`);
    this.#seed = seed;
    this.#epoch = epoch;
    this.#batch = batch;
    this.#resumes = true;
  }

  /** The images of this epoch, in its order. */
  #order(): Int32Array {
    if (!this.#shuffle) return this.indices;
    const positions = new Int32Array(this.indices.length);
    permutation(this.#seed, FIRST_OFFSET + this.#epoch, positions.length, positions);
    return positions.map((position) => this.indices[position]!);
  }

  #load(indices: Int32Array): Batch {
    const { dataset } = this;
    const size = sizeOf(dataset.imageShape);
    const images = new Storage('float32', indices.length * size);
    const labels = new Storage('int32', indices.length);
    indices.forEach((index, row) => {
      (images.data as Float32Array).set(dataset.images.subarray(index * size, (index + 1) * size), row * size);
      labels.data[row] = dataset.labels[index]!;
    });
    return {
      images: Tensor.ofStorage(images, [indices.length, ...dataset.imageShape]),
      labels: Tensor.ofStorage(labels, [indices.length]),
    };
  }
}
