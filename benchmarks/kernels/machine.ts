import { add, backendInfo, compile, full, mul, Variable, type TensorBase } from '../../lib';
import { loadAddon } from '../../lib/backend/native/loader';
import { evaluateSync } from '../../lib/graph/evaluate';
import { alternate, timed } from '../measure';
import { Bandwidth } from '../suites/bandwidth';

/** What the machine can do at best, on as many threads, measured beside the cases. */
export interface Machine {
  readonly isa: string;
  /** Multiplications and additions of float32 a second, in registers. */
  readonly flops: number;
  /** Bytes read and written a second by the best of the three ways below. */
  readonly bandwidth: number;
  /** By the system's memmove, from one array to another. */
  readonly copied: number;
  /** In place: what is written was read before. */
  readonly inPlace: number;
  /** Into other memory, with stores past the caches. */
  readonly pastCaches: number;
}

/** More than caches hold, and enough for stores past them (native/kernels/elementwise_machine.h). */
const ELEMENTS = 32 << 20;
const BYTES = ELEMENTS * 8;

/** Throws Error where the native backend is not in use. */
export async function measureMachine(threads: number): Promise<Machine> {
  const { addon } = loadAddon();
  if (backendInfo().backend !== 'native' || addon === null)
    throw new Error(`the suite kernels measures the native backend: ${backendInfo().reason}`);
  // Of one thread, times their number: so it stands for cores that do nothing else.
  const flops = addon.fmaPeak(0.3) * threads * 1e9;
  const [source, target] = [new Variable(full([ELEMENTS], 0.5)), new Variable(full([ELEMENTS], 0.5))];
  const one = full([], 1);
  evaluateSync([source.current, target.current, one]);
  const writing = (to: Variable, from: Variable): (() => void) => {
    const step = compile((x: TensorBase) => {
      to.assign(mul(from, 0.999));
      return add(x, 1);
    });
    return () => evaluateSync([step(one)]);
  };
  const bandwidth = new Bandwidth(threads);
  try {
    const seconds = await alternate([
      bandwidth.limit(BYTES),
      timed('in place', writing(target, target)),
      timed('past caches', writing(target, source)),
    ]);
    const [copied, inPlace, pastCaches] = seconds.map((time) => BYTES / time) as [number, number, number];
    return { isa: addon.isa, flops, bandwidth: Math.max(copied, inPlace, pastCaches), copied, inPlace, pastCaches };
  } finally {
    await bandwidth.close();
  }
}
