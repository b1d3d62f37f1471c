import { DTypeError, ShapeError } from '../errors';
import type { TypedArray } from '../tensor/dtype';
import { formatShape } from '../tensor/shape';
import { Storage } from '../tensor/storage';
import type { Tensor } from '../tensor/tensor';
import { refuseInTrace } from '../tensor/tracing';
import { abortErrorOf, signalOf, whenAborted, type AbortOptions, type AbortSignalLike } from './abort';
import { deferred, type Completion } from './completion';
import { backendQueue, evaluateSync, rejected, submit, throwHeld } from './evaluate';

/** The tensor's numbers, once they are there: a copy that the caller owns. */
export function readData(tensor: Tensor, options: AbortOptions = {}): Completion<TypedArray> {
  return read(tensor, copyOf, signalOf('data', options));
}

/** `readData` that waits. */
export function readDataSync(tensor: Tensor): TypedArray {
  ready(tensor);
  return copyOf(tensor);
}

/** The only number of the tensor. Throws ShapeError if there are more; DTypeError for an int64 beyond 2^53. */
export function readItem(tensor: Tensor, options: AbortOptions = {}): Completion<number> {
  checkItem(tensor);
  return read(tensor, itemOf, signalOf('item', options));
}

/** `readItem` that waits. */
export function readItemSync(tensor: Tensor): number {
  checkItem(tensor);
  ready(tensor);
  return itemOf(tensor);
}

function refuseReading(): void {
  refuseInTrace('a number is read', 'return the tensor from the compiled function and read it outside');
}

function ready(tensor: Tensor): void {
  refuseReading();
  throwFailure(tensor);
  if (tensor.pending) evaluateSync([tensor]);
  else if (tensor.run !== 0) backendQueue().wait(tensor.run);
  throwFailure(tensor);
  throwHeld();
}

function throwFailure({ failure }: Tensor): void {
  if (failure !== null) throw failure;
}

function read<T>(tensor: Tensor, get: (tensor: Tensor) => T, signal: AbortSignalLike | null): Completion<T> {
  refuseReading();
  const target = backendQueue();
  if (signal?.aborted === true) return rejected(target, abortErrorOf(signal));
  const { promise, resolve, reject } = deferred<T>();
  const fail = (error: Error): void => {
    reject(error);
    target.hold(error, promise);
  };
  const done = (): void => (tensor.failure !== null ? fail(tensor.failure) : resolve(get(tensor)));
  try {
    // Its error is this promise's.
    if (tensor.failure === null && tensor.pending && tensor.run === 0)
      submit([tensor], { signal: signal ?? undefined }).observed = true;
    else target.throwHeld();
  } catch (error) {
    reject(error as Error);
    return promise;
  }
  const running = target.completionOf(tensor.run);
  if (running === null) done();
  else if (signal === null) running.then(done, done);
  else {
    // The program may be somebody else's, who wants it still.
    const ignore = whenAborted(signal, () => fail(abortErrorOf(signal)));
    running.finally(ignore).then(done, done);
  }
  return promise;
}

function copyOf(tensor: Tensor): TypedArray {
  return numbersOf(tensor).slice();
}

/** A number has been rounded to its dtype where it is read, as kernels do. */
function numbersOf(tensor: Tensor): TypedArray {
  return tensor.scalar !== null ? Storage.from(tensor.dtype, [tensor.scalar]).data : tensor.storage!.data;
}

function itemOf(tensor: Tensor): number {
  const value = numbersOf(tensor)[0]!;
  if (typeof value === 'bigint' && !Number.isSafeInteger(Number(value)))
    throw new DTypeError(`item: ${value} is beyond 2^53, where numbers are no longer exact; use data()`);
  return Number(value);
}

function checkItem(tensor: Tensor): void {
  if (tensor.size !== 1)
    throw new ShapeError(`item: takes a tensor of one element, got shape ${formatShape(tensor.shape)}`);
}
