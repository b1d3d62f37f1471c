/** Every error that saddlepoint throws on purpose; catch this one to tell them from bugs. */
export class SaddlepointError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Shapes, ranks or dims that do not fit an operation. */
export class ShapeError extends SaddlepointError {}

/** A dtype that an operation does not take, or a number that a dtype cannot hold. */
export class DTypeError extends SaddlepointError {}

/** An argument outside what is possible: a stride of 0, a NaN learning rate, a label without a class. */
export class ValueError extends SaddlepointError {}

/** A file, buffer or message whose content is not what its format says. */
export class DataError extends SaddlepointError {}

/** Gradients asked where the recorded graph has none, or has been freed. */
export class GradientError extends SaddlepointError {}

/** Something in a compiled function that its replays could not repeat: a number read inside, a tensor kept from the trace. */
export class TraceError extends SaddlepointError {}

/** A program was not run to its end, because its AbortSignal said so; `cause` is the reason of the signal. */
export class AbortError extends SaddlepointError {}

/** A program would need more memory than `setMemoryLimit` allows. */
export class MemoryLimitError extends SaddlepointError {}

/** The backend failed: no memory, an addon that does not fit, a program that it refuses. */
export class BackendError extends SaddlepointError {}
