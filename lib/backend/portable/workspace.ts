import { dtypes, type DType, type TypedArray } from '../../tensor/dtype';
import { KernelFailure } from './kernel';

/** Elements that an elementwise chain takes through all its steps at a time. */
export const BLOCK = 512;

/**
 * Memory of one backend, shared by all its programs since runs never overlap: the arena, scratch arrays of doubles, and
 * the registers of elementwise chains.
 */
export class Workspace {
  /** Replaced by a larger one when a program needs it; views on the old one are then made anew. */
  arena = new ArrayBuffer(0);
  private readonly scratches: Float64Array[] = [];
  private readonly registers = new Map<string, TypedArray>();

  growArena(bytes: number): void {
    if (this.arena.byteLength < bytes) this.arena = allocate(() => new ArrayBuffer(bytes), bytes);
  }

  /** At least `length` doubles of any content; the next request for the same slot invalidates them. */
  scratch(slot: number, length: number): Float64Array {
    const kept = this.scratches[slot];
    if (kept !== undefined && kept.length >= length) return kept;
    const made = allocate(() => new Float64Array(length), 8 * length);
    this.scratches[slot] = made;
    return made;
  }

  register(id: number, dtype: DType): TypedArray {
    const key = `${id} ${dtype}`;
    let register = this.registers.get(key);
    if (register === undefined) {
      const { array, bytes } = dtypes[dtype];
      register = new array(new ArrayBuffer(BLOCK * bytes), 0, BLOCK);
      this.registers.set(key, register);
    }
    return register;
  }
}

function allocate<T>(make: () => T, bytes: number): T {
  try {
    return make();
  } catch {
    throw new KernelFailure('memory', `no memory for ${bytes} bytes`);
  }
}
