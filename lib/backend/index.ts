import { ValueError } from '../errors';
import { currentBackend, setBackendSelector, useBackend as useBackendObject } from '../graph/evaluate';
import { selectBackend, type BackendName } from './select';

// Every public entry imports this file: the first evaluation then finds its backend.
setBackendSelector(() => selectBackend());

export { backendInfo, type BackendInfo, type BackendName } from './select';

/**
 * Switches to a backend; what is queued ends first, and tensors keep their values. Throws ValueError for an unknown name
 * and BackendError if 'native' is asked for where the addon does not load.
 *
 *     useBackend('portable');
 */
export function useBackend(name: BackendName): void {
  useBackendObject(selectBackend(name));
}

/**
 * Runs programs on this many threads, 1 to 64; results are the same bits for any number. The portable backend has one.
 *
 *     setThreads(1);
 */
export function setThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1 || threads > 64)
    throw new ValueError(`setThreads: threads is an integer from 1 to 64, got ${String(threads)}`);
  currentBackend().threads = threads;
}
