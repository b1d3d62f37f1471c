import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Contender } from '../measure';

/** Numbers copied at a time by all threads together: far more than caches hold. */
const LENGTH = 16 << 20;
const TIMES = 3;

/**
 * The bandwidth of this machine, by none of our kernels: each thread copies between two warm arrays of its own, by the
 * memmove of the system. A byte read and one written count as two.
 */
export class Bandwidth {
  readonly #workers: readonly Worker[];

  constructor(threads: number) {
    const file = path.join(__dirname, 'copy-worker.cjs');
    const workerData = { length: Math.ceil(LENGTH / threads) };
    this.#workers = Array.from({ length: threads }, () => new Worker(file, { workerData }));
  }

  /** What reading and writing so many bytes takes at least. */
  limit(bytes: number): Contender {
    return { name: 'bandwidth', time: async () => bytes * (await this.#secondsPerByte()) };
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  async #secondsPerByte(): Promise<number> {
    const done = this.#workers.map((worker) => once(worker, 'message'));
    const start = performance.now();
    for (const worker of this.#workers) worker.postMessage(TIMES);
    await Promise.all(done);
    return (performance.now() - start) / 1e3 / (TIMES * LENGTH * 4 * 2);
  }
}
