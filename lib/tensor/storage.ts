import { constants } from 'node:buffer';
import { BackendError, DTypeError } from '../errors';
import { dtypes, type DType, type TypedArray } from './dtype';

const ALIGNMENT = 64;
/** Of a Node buffer; an ArrayBuffer may be longer. */
const { MAX_LENGTH } = constants;

let addressOf: (buffer: ArrayBuffer) => number = () => 0;

/** The backend tells how to find an address; without one, storages are only as aligned as V8 makes them. */
export function setAddressOf(f: (buffer: ArrayBuffer) => number): void {
  addressOf = f;
}

/** Not zeroed where that costs time: every kernel writes its whole output. */
function allocate(dtype: DType, length: number, bytes: number): ArrayBuffer {
  try {
    // A slow buffer owns its ArrayBuffer, alone and off the heap.
    return bytes <= MAX_LENGTH ? Buffer.allocUnsafeSlow(bytes).buffer : new ArrayBuffer(bytes);
  } catch (error) {
    throw new BackendError(`no memory for a ${dtype} tensor of ${length} elements`, { cause: error });
  }
}

/**
 * The numbers of a tensor: dense, row-major, owned by V8, never handed out (nobody else could detach or write them).
 * 64 bytes more than needed, so that the data can start at a cache line.
 */
export class Storage {
  readonly data: TypedArray;
  #address = 0;

  constructor(
    readonly dtype: DType,
    readonly length: number,
  ) {
    const { bytes, array } = dtypes[dtype];
    const buffer = allocate(dtype, length, length * bytes + ALIGNMENT);
    const address = addressOf(buffer);
    const padding = address === 0 ? 0 : (ALIGNMENT - (address % ALIGNMENT)) % ALIGNMENT;
    this.data = new array(buffer, padding, length);
    if (address !== 0) this.#address = address + padding;
  }

  /** Of the first element; 0 on a backend without addresses. Fixed: the buffer is never on V8's moving heap. */
  get address(): number {
    if (this.#address === 0) {
      const start = addressOf(this.data.buffer as ArrayBuffer);
      this.#address = start === 0 ? 0 : start + this.data.byteOffset;
    }
    return this.#address;
  }

  /** A storage with a copy of the values; numbers and booleans are converted to the dtype. */
  static from(dtype: DType, values: ArrayLike<number | bigint | boolean>): Storage {
    const storage = new Storage(dtype, values.length);
    const { data } = storage;
    if (data instanceof BigInt64Array)
      for (let i = 0; i < data.length; i++) {
        const value = values[i]!;
        if (typeof value === 'number' && !Number.isSafeInteger(value))
          throw new DTypeError(`tensor: ${value} is not an integer that int64 can take from a number`);
        data[i] = BigInt(value);
      }
    else if (dtype === 'bool') for (let i = 0; i < data.length; i++) data[i] = Number(values[i]) !== 0 ? 1 : 0;
    else if (ArrayBuffer.isView(values) && !(values instanceof BigInt64Array))
      data.set(values as unknown as ArrayLike<number>);
    else for (let i = 0; i < data.length; i++) data[i] = Number(values[i]);
    return storage;
  }
}
