import { setAddressOf } from '../tensor/storage';
import type { Tensor } from '../tensor/tensor';
import { currentTrace, refuseInTrace } from '../tensor/tracing';
import { abortErrorOf, signalOf, type AbortOptions, type AbortSignalLike } from './abort';
import type { Backend } from './backend';
import { completed, deferred, type Completion } from './completion';
import { countPending, sitesOf, trace, type Trace } from './program/trace';
import { Compilation, failureOf, prepareInSlices, Preparation, type Operands } from './preparation';
import { ProgramCache, type Compiled } from './programs';
import { Flight, Queue } from './queue';
import { opOf } from './op';
import { setOnRecord } from './record';
import { recorder } from './recorder';

/** Programs estimated to take longer than this run on the backend's own thread. */
const INLINE_NANOSECONDS = 100_000;
/** A longer pending recipe is submitted by itself. */
const MAX_PENDING = 4096;
const COUNT_EVERY = 64;
const NONE: readonly Tensor[] = [];

let selectBackend: (() => Backend) | null = null;
let queue: Queue | null = null;
let cache = new ProgramCache();
let recording = 0;
let recorded = 0;
let warned = false;
const counts = { programs: 0, compilations: 0, recomputed: 0 };

/** How the first evaluation finds its backend; index.ts wires lib/backend/select.ts in. */
export function setBackendSelector(select: () => Backend): void {
  selectBackend = select;
}

/** Switches to another backend. What is queued ends first; values stay, as both keep them alike. */
export function useBackend(backend: Backend): void {
  queue?.waitForAll();
  queue = new Queue(backend);
  cache = new ProgramCache();
  setAddressOf((buffer) => backend.addressOf(buffer));
}

export function currentBackend(): Backend {
  return backendQueue().backend;
}

/** The queue of the backend in use; the first call chooses it. */
export function backendQueue(): Queue {
  if (queue === null) {
    if (selectBackend === null) throw new Error('evaluate: no backend; import saddlepoint, not its parts');
    useBackend(selectBackend());
  }
  return queue!;
}

/** Counts since the start: programs run, programs compiled, and operations computed again for a later read. */
export function stats(): { programs: number; compilations: number; recomputed: number; inFlight: number } {
  return { ...counts, inFlight: queue?.inFlight ?? 0 };
}

/** Resolves when nothing is in flight. */
export async function settled(): Promise<void> {
  while (queue !== null && queue.inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 1));
}

export interface SubmitOptions extends AbortOptions {
  /** Called when the program fails, after its Variables have gone back. */
  readonly onFailure?: (error: Error) => void;
}

/**
 * Computes the tensors, with whatever is bound to them, without waiting. The completion rejects with the error of the
 * program, or of the one it depends on; unobserved, that error is thrown at the next step or read. Nothing is started if
 * the signal has aborted.
 */
export function submit(roots: readonly Tensor[], options: SubmitOptions = {}): Completion<void> {
  const signal = signalOf('step', options);
  // A compiled function submits by itself, at every replay.
  if (currentTrace() !== null) {
    if (signal !== null) refuseInTrace('a step is given a signal', 'it cannot be taken along');
    return completed();
  }
  const target = backendQueue();
  const ended = throwOrAbort(target, signal);
  if (ended !== null) return ended;
  // What is on its way already is left to be prepared between turns of the event loop.
  const completion = roots.every(({ run }) => target.isRunning(run)) ? null : start(target, roots, false, options);
  if (completion !== null) return completion;
  // Nothing is left to start; the latest that is still running decides.
  const latest = Math.max(0, ...roots.map((root) => root.run));
  return target.completionOf(latest) ?? completed();
}

/** Computes what a program is about to read, in the background; its error becomes that of the program. */
export function computeFirst(tensors: readonly Tensor[]): void {
  submit(tensors).observed = true;
  // Long recipes are prepared in slices; what reads them binds their memory now.
  backendQueue().finishPreparing();
}

/**
 * What `submit` does before anything is started: throws the error of an earlier run that nobody listened to. A completion
 * that is rejected if the signal has aborted, or null.
 */
export function beforeSubmission(options: AbortOptions): Completion<void> | null {
  const signal = signalOf('step', options);
  return currentTrace() === null ? throwOrAbort(backendQueue(), signal) : null;
}

function throwOrAbort(target: Queue, signal: AbortSignalLike | null): Completion<void> | null {
  target.collect();
  target.throwHeld();
  return signal?.aborted === true ? rejected(target, abortErrorOf(signal)) : null;
}

/** Computes the tensors and returns when they have their values. */
export function evaluateSync(roots: readonly Tensor[]): void {
  if (currentTrace() !== null) return;
  const target = backendQueue();
  target.collect();
  target.throwHeld();
  if (!roots.every(isReady)) {
    const completion = start(target, roots, true, {});
    if (completion !== null) completion.observed = true;
  }
  for (const root of roots) {
    target.wait(root.run);
    if (root.failure !== null) throw root.failure;
  }
}

/** Records without a submission in between: a backward pass or an optimizer step becomes one program. */
export function recordTogether<T>(fn: () => T): T {
  recording++;
  try {
    return fn();
  } finally {
    recording--;
  }
}

/** Starts a program for what is pending; its completion, or null if there is nothing to wait for. */
function start(
  target: Queue,
  wanted: readonly Tensor[],
  sync: boolean,
  options: SubmitOptions,
): Completion<void> | null {
  target.finishPreparing();
  const began = recorder?.now() ?? 0;
  const traced = trace(wanted);
  recorder?.span('tracing', began);
  const failure = failureOf(wanted) ?? failureOf(traced.leaves);
  if (traced.roots.length === 0 && failure === null) return null;
  const flight = new Flight(traced.roots, NONE, options);
  if (failure !== null) target.fail(flight, failure);
  else launch(target, flight, compilationOf(traced, target), operandsOf(traced), sync, () => release(traced));
  return flight.hasFailed || target.isRunning(flight.id) ? flight.completion : null;
}

function operandsOf({ leaves, scalars, roots, nodes }: Trace): Operands {
  const values = new Array<number>(scalars.length);
  for (let i = 0; i < values.length; i++) values[i] = scalars[i]!.scalar!;
  return { leaves, scalars: values, roots, sites: sitesOf(nodes) };
}

/**
 * Starts a run on its way to the queue: at once, or when its program is there; `onReady` is called just before. What cannot
 * start fails like what stops on its way: Variables go back, dependents get the same cause.
 */
export function launch(
  target: Queue,
  flight: Flight,
  compilation: Compilation,
  operands: Operands,
  sync: boolean,
  onReady: (compiled: Compiled) => void,
): void {
  const preparation = new Preparation(target, flight, compilation, operands);
  const enqueueNow = (): void => {
    const compiled = preparation.finish();
    onReady(compiled);
    enqueue(target, flight, compiled, sync);
  };
  try {
    if (sync || compilation.isShort) enqueueNow();
    else {
      compilation.begin();
      prepareInSlices(target, flight, preparation, enqueueNow);
    }
  } catch (error) {
    target.fail(flight, error as Error);
  }
}

/** It has its value, or will have it when its run ends. */
function isReady({ storage, failure }: Tensor): boolean {
  return storage !== null && failure === null;
}

/** Hands a run to the queue: inline if it is short or somebody waits. */
export function enqueue(target: Queue, flight: Flight, { program }: Compiled, sync: boolean): void {
  counts.programs++;
  const cost = program.estimatedNanoseconds * target.backend.costFactor;
  flight.start(target.backend);
  target.enqueue(flight, sync || cost < INLINE_NANOSECONDS);
}

/** The program for a trace, from the cache if it is known. */
export function compilationOf(traced: Trace, { backend }: Queue): Compilation {
  const compiled = cache.find(traced);
  if (compiled === null) counts.compilations++;
  return new Compilation(compiled, compiled === null ? cache.compile(traced, backend) : null, traced.nodes.length);
}

/** After submission: what has its value forgets its recipe unless a gradient may be asked; recomputation is counted. */
function release(traced: Trace): void {
  let again = 0;
  for (const node of traced.nodes) {
    if (node.computed && !('view' in opOf(node).lower)) again++;
    node.computed = true;
    node.companions = null;
  }
  counts.recomputed += again;
  if (again > 0) warnRecomputed(again);
  for (const root of traced.roots) {
    root.replaces = null;
    if (!root.requiresGrad || root.released || root.variable !== null) root.forgetInputs();
  }
}

function warnRecomputed(again: number): void {
  if (warned) return;
  warned = true;
  process.emitWarning(
    `${again} operations were computed a second time, because a tensor was read after the program that it was part of. ` +
      'Ask for it in the same step: optimizer.step({ also: [tensor] }), or read it before backward().',
    { code: 'SADDLEPOINT_RECOMPUTED' },
  );
}

/** A completion that ends with the error, which is held unless somebody listens. */
export function rejected<T>(target: Queue, error: Error): Completion<T> {
  const { promise, reject } = deferred<T>();
  reject(error);
  target.hold(error, promise);
  return promise;
}

/** Throws the error of a run that nobody listened to, once. */
export function throwHeld(): void {
  queue?.throwHeld();
}

// ---- while recording

/** SADDLEPOINT_EAGER=1: every operation is computed as it is recorded. */
export const isEager = process.env.SADDLEPOINT_EAGER === '1';

setOnRecord((tensor) => {
  if (isEager) return evaluateSync([tensor]);
  // A recipe that a gradient may be asked of is never cut: it could not be forgotten, and would be computed twice.
  if (tensor.requiresGrad || recording > 0 || tensor.serial - tensor.oldest < MAX_PENDING) return;
  // Counting is a walk: done now and then.
  if (++recorded % COUNT_EVERY === 0 && countPending(tensor, MAX_PENDING) > MAX_PENDING)
    void start(backendQueue(), [tensor], false, {});
});
