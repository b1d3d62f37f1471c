import { ValueError } from '../errors';

let gradEnabled = true;
let labels: string | null = null;
let site: Error | null = null;
/** Frames of a site: a few of the library's, then the user's. */
const SITE_FRAMES = 6;

/** Whether operations recorded now can be differentiated. */
export function isGradEnabled(): boolean {
  return gradEnabled;
}

/**
 * Records `fn` without gradients. `fn` is synchronous: recording always is, so no mode leaks across an await.
 * Throws ValueError if `fn` returns a promise.
 *
 *     const y = noGrad(() => model.forward(x));
 */
export function noGrad<T>(fn: () => T): T {
  return withGradMode(false, 'noGrad', fn);
}

/** Undoes an outer `noGrad` for the time of `fn`, which is synchronous. */
export function enableGrad<T>(fn: () => T): T {
  return withGradMode(true, 'enableGrad', fn);
}

export function withGradMode<T>(enabled: boolean, name: string, fn: () => T): T {
  const before = gradEnabled;
  gradEnabled = enabled;
  try {
    const result = fn();
    if (isPromise(result)) {
      // It rejects or not after we have thrown; either way nobody else listens.
      result.then(undefined, () => undefined);
      throw new ValueError(`${name}: takes a synchronous function, got one that returns a promise`);
    }
    return result;
  } finally {
    gradEnabled = before;
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** The operations that `fn` records are labelled as `label` (the outermost wins): error messages name what the user called. */
export function labelled<T>(label: string, fn: () => T): T {
  if (labels !== null) return fn();
  labels = label;
  try {
    return fn();
  } finally {
    labels = null;
  }
}

export function currentLabel(): string | null {
  return labels;
}

/**
 * As `labelled`, for functions that record operations which the data can make fail: remembers here where that was, as a
 * stack is the dearer the deeper it is taken.
 */
export function labelledHere<T>(label: string, fn: () => T): T {
  if (labels !== null || site !== null) return labelled(label, fn);
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = SITE_FRAMES;
  const here = new Error(label);
  Error.stackTraceLimit = before;
  return labelledThere(label, here, fn);
}

/** The site of what the data could make fail, had nobody looked at it. */
const CHECKED = new Error('data that has been checked');

/** As `labelledHere`, for data that has been checked already: nothing of it will fail, so no stack is taken. */
export function labelledChecked<T>(label: string, fn: () => T): T {
  return labelledThere(label, CHECKED, fn);
}

/** What `fn` records is labelled as `label` (the outermost wins), and was recorded there: a gradient where its operation was. */
export function labelledThere<T>(label: string, there: Error | null, fn: () => T): T {
  const [outerLabel, outerSite] = [labels, site];
  labels ??= label;
  site = there;
  try {
    return fn();
  } finally {
    labels = outerLabel;
    site = outerSite;
  }
}

/** Where an operation that the data can make fail is recorded now. Its message is the label. */
export function currentSite(label: string): Error {
  return site ?? new Error(label);
}
