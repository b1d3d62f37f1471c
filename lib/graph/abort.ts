import { AbortError, ValueError } from '../errors';

/** An AbortSignal, as far as it is used here: whoever has no types of Node or the web can still compile against this. */
export interface AbortSignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** Option of whatever runs a program and may be asked to stop. */
export interface AbortOptions {
  /**
   * Ends the program: before it begins, or between two of its instructions. One that overwrites parameters or state by
   * then goes on to its end. The promise rejects with an AbortError whose `cause` is the signal's reason.
   */
  readonly signal?: AbortSignalLike | undefined;
}

const errors = new WeakMap<AbortSignalLike, AbortError>();

/** The signal of the options. Throws ValueError for something else in its place. */
export function signalOf(op: string, options: AbortOptions): AbortSignalLike | null {
  const { signal } = options;
  if (signal === undefined) return null;
  if (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function')
    throw new ValueError(`${op}: signal is an AbortSignal, got ${typeof signal}`);
  return signal;
}

/** The error of a signal that has aborted: the same for all that it ends. */
export function abortErrorOf(signal: AbortSignalLike): AbortError {
  let error = errors.get(signal);
  if (error === undefined) {
    const { reason } = signal;
    const why = reason instanceof Error ? `: ${reason.message}` : '';
    error = new AbortError(`the program was aborted by its signal${why}`, { cause: reason });
    errors.set(signal, error);
  }
  return error;
}

/** Calls `stop` when the signal aborts; the function returned ends that. */
export function whenAborted(signal: AbortSignalLike, stop: () => void): () => void {
  signal.addEventListener('abort', stop, { once: true });
  return () => signal.removeEventListener('abort', stop);
}
