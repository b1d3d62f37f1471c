import type { DType } from '../../tensor/dtype';
import type { KernelName } from './kernels';

/**
 * A buffer that a program touches. `input`, `output` and `inout` are bound when it runs, in the order of this list;
 * `arena` buffers live at `offset` bytes in memory that the backend owns.
 */
export interface BufferSpec {
  readonly kind: 'input' | 'output' | 'inout' | 'arena';
  readonly dtype: DType;
  /** In elements. */
  readonly length: number;
  /** In bytes, a multiple of 64; 0 unless `arena`. */
  readonly offset: number;
}

/** A strided window on a buffer; offset and strides in elements, never negative. */
export interface View {
  /** Index into `Program.buffers`. */
  readonly buffer: number;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

export interface Instruction {
  readonly kernel: KernelName;
  readonly inputs: readonly View[];
  readonly outputs: readonly View[];
  readonly attributes: readonly number[];
  /** What the user called, for error messages and printing. */
  readonly label: string;
}

/** What a backend runs: instructions in order, over buffers and float64 scalars given anew at every run. */
export interface Program {
  readonly buffers: readonly BufferSpec[];
  readonly instructions: readonly Instruction[];
  readonly scalars: number;
  readonly arenaBytes: number;
  /** Rough cost in nanoseconds of one core: decides between the caller's thread and the backend's. */
  readonly estimatedNanoseconds: number;
}
