import { constants } from 'node:buffer';
import { BackendError, DTypeError } from '../errors';
import { dtypes, infoOf, type DType, type TypedArray } from './dtype';

const ALIGNMENT = 64;
/** Of a Node buffer; an ArrayBuffer may be longer. */
const { MAX_LENGTH } = constants;

let addressOf: (buffer: ArrayBuffer) => number = () => 0;

/** The backend tells how to find an address; without one, storages are only as aligned as V8 makes them. */
export function setAddressOf(f: (buffer: ArrayBuffer) => number): void {
  addressOf = f;
  slabs = [];
}

/** Zeroed only where asked: every kernel writes its whole output. The system has zeroed pages for large ones. */
function allocate(dtype: DType, length: number, bytes: number, zeroed: boolean): ArrayBuffer {
  try {
    // A slow buffer owns its ArrayBuffer, alone and off the heap.
    return bytes <= MAX_LENGTH && !zeroed ? Buffer.allocUnsafeSlow(bytes).buffer : new ArrayBuffer(bytes);
  } catch (error) {
    throw new BackendError(`no memory for a ${dtype} tensor of ${length} elements`, { cause: error });
  }
}

/** Small storages of one size share a buffer, a slab, so that most need no allocation; a piece keeps all of its slab alive. */
const MOST_PIECES = 64;
const LARGEST_SLAB = 32 * 1024;
const LARGEST_PIECE = 4096;

interface Slab {
  buffer: ArrayBuffer;
  address: number;
  /** Of the next piece, in bytes. */
  offset: number;
  end: number;
}

/** By the logarithm of the pieces' size. */
let slabs: (Slab | undefined)[] = [];

/** The slab whose next piece has room for `bytes`; the caller takes that piece. */
function slabFor(dtype: DType, bytes: number): { slab: Slab; pieceBytes: number } {
  const size = Math.max(6, 32 - Math.clz32(bytes - 1));
  const pieceBytes = 2 ** size;
  let slab = slabs[size];
  if (slab === undefined || slab.offset === slab.end) {
    const bytesOfSlab = Math.min(MOST_PIECES * pieceBytes, LARGEST_SLAB);
    const { buffer, address, padding } = alignedBuffer(dtype, bytesOfSlab, false);
    slab = { buffer, address, offset: padding, end: padding + bytesOfSlab };
    slabs[size] = slab;
  }
  return { slab, pieceBytes };
}

/** A buffer with `bytes` from an aligned address on. */
function alignedBuffer(
  dtype: DType,
  bytes: number,
  zeroed: boolean,
): { buffer: ArrayBuffer; address: number; padding: number } {
  const buffer = allocate(dtype, bytes / dtypes[dtype].bytes, bytes + ALIGNMENT, zeroed);
  const address = addressOf(buffer);
  return { buffer, address, padding: address === 0 ? 0 : (ALIGNMENT - (address % ALIGNMENT)) % ALIGNMENT };
}

/**
 * The numbers of a tensor: dense, row-major, owned by V8, never handed out (nobody else could detach or write them). They
 * start at a cache line.
 */
export class Storage {
  #buffer: ArrayBuffer | null = null;
  /** In `#buffer`, in bytes. */
  #offset = 0;
  /** Made when it is asked for: a step of training makes many storages that only kernels ever see. */
  #data: TypedArray | null = null;
  #address = 0;

  /**
   * With `zeroed` they are zeros, and large ones get their memory at first use: so an optimizer's first step, which makes
   * states for all parameters, does not ask V8 for all that memory, and so for collections, in one turn of the event loop.
   */
  constructor(
    readonly dtype: DType,
    readonly length: number,
    { zeroed = false } = {},
  ) {
    const total = length * infoOf(dtype).bytes;
    if (total > 0 && total <= LARGEST_PIECE) {
      const { slab, pieceBytes } = slabFor(dtype, total);
      this.#buffer = slab.buffer;
      this.#offset = slab.offset;
      if (slab.address !== 0) this.#address = slab.address + slab.offset;
      slab.offset += pieceBytes;
      if (zeroed) this.data.fill(0 as never);
    } else if (!zeroed) this.#allocate(false);
  }

  get data(): TypedArray {
    if (this.#data !== null) return this.#data;
    const { array } = infoOf(this.dtype);
    this.#data = new array(this.#buffer ?? this.#allocate(true), this.#offset, this.length);
    return this.#data;
  }

  /** Of the first element; 0 on a backend without addresses. Fixed: the buffer is never on V8's moving heap. */
  get address(): number {
    if (this.#address === 0) {
      const start = addressOf(this.#buffer ?? this.#allocate(true));
      this.#address = start === 0 ? 0 : start + this.#offset;
    }
    return this.#address;
  }

  /** Takes the memory now, if it has none yet; whether it did. */
  allocate(): boolean {
    if (this.#buffer !== null) return false;
    this.#allocate(true);
    return true;
  }

  /** What it takes at first use. */
  get bytesToAllocate(): number {
    return this.#buffer === null ? this.length * dtypes[this.dtype].bytes : 0;
  }

  /** Another one with the same numbers; zeros that have no memory yet stay without. */
  copy(): Storage {
    const copy = new Storage(this.dtype, this.length, { zeroed: this.#buffer === null });
    if (this.#buffer !== null) copy.data.set(this.data as never);
    return copy;
  }

  #allocate(zeroed: boolean): ArrayBuffer {
    const { buffer, address, padding } = alignedBuffer(this.dtype, this.length * dtypes[this.dtype].bytes, zeroed);
    this.#buffer = buffer;
    this.#offset = padding;
    if (address !== 0) this.#address = address + padding;
    return buffer;
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
