import { ValueError } from '../errors';
import { checkInteger } from '../tensor/shape';
import { currentBackend, settled, stats } from './evaluate';
import { bytesOf, flopsOf } from './program/costs';
import type { Instruction } from './program/program';
import { chromeTraceOf } from './profile-trace';
import { tableOf } from './profile-table';
import { now, Recorder, recorder, setRecorder, type Phase } from './recorder';

export interface ProfileOptions {
  /** How often `fn` runs and is measured; 1 where not given. */
  readonly repeat?: number;
  /** How often it runs before, unmeasured, so that programs are compiled and memory is there; 0 where not given. */
  readonly warmup?: number;
}

/** One operation or fused region with its shapes, over all its calls. */
export interface ProfileRow {
  /** What the user called; of a fused region its last operation. */
  readonly label: string;
  readonly kernel: string;
  /** As `32x16, 16x4 -> 32x4`. */
  readonly shapes: string;
  readonly calls: number;
  readonly milliseconds: number;
  /** Of the time of all instructions, from 0 to 1. */
  readonly share: number;
  readonly flops: number;
  /** Of the numbers read and written; caches are not taken into account. */
  readonly bytes: number;
}

/** Milliseconds, but for the counts. */
export interface ProfileTotal {
  /** From the first call of the function to the end of its last program. */
  readonly wall: number;
  /** All instructions, on whatever thread they ran. */
  readonly instructions: number;
  /** On the thread of JavaScript: recording operations, and whatever else the function does. */
  readonly recording: number;
  readonly tracing: number;
  readonly compiling: number;
  /** Allocating results and handing programs over. */
  readonly submitting: number;
  /** Blocked by a synchronous read, or idle until a program ends. */
  readonly waiting: number;
  readonly programs: number;
  readonly compilations: number;
}

export interface Profile {
  /** The dearest first. */
  readonly rows: readonly ProfileRow[];
  readonly total: ProfileTotal;
  /** A table for 100 columns. */
  toString(): string;
  /** Trace Event JSON: what Perfetto (ui.perfetto.dev) and chrome://tracing open. */
  toChromeTrace(): string;
}

/**
 * Runs `fn`, which may be asynchronous, and measures every instruction of every program that ran meanwhile, also of those
 * that somebody else started. Throws ValueError for bad options and inside another profile; rejects with what `fn` throws.
 *
 *     const report = await profile(() => optimizer.step({ also: [loss] }), { warmup: 2, repeat: 10 });
 *     console.log(String(report));
 */
export async function profile(fn: () => unknown, options: ProfileOptions = {}): Promise<Profile> {
  const { repeat = 1, warmup = 0 } = options;
  if (typeof fn !== 'function') throw new ValueError(`profile: takes a function, got ${typeof fn}`);
  checkInteger('profile', 'repeat', repeat, 1);
  checkInteger('profile', 'warmup', warmup, 0);
  if (recorder !== null) throw new ValueError('profile: a profile is being made; only one at a time is possible');
  const made = new Recorder();
  // From here on nobody else begins one; what is measured before the last warm-up ended is not in it.
  setRecorder(made);
  try {
    for (let i = 0; i < warmup; i++) await fn();
    await settled();
    made.spans.length = 0;
    made.runs.length = 0;
    const before = { ...stats(), start: now(), loop: performance.eventLoopUtilization() };
    for (let i = 0; i < repeat; i++) await fn();
    await settled();
    const end = now();
    const { idle } = performance.eventLoopUtilization(before.loop);
    const { compilations } = stats();
    return reportOf(made, before.start, end, idle, compilations - before.compilations);
  } finally {
    setRecorder(null);
  }
}

function reportOf(made: Recorder, start: number, end: number, idle: number, compilations: number): Profile {
  const rows = rowsOf(made);
  const instructions = rows.reduce((sum, row) => sum + row.milliseconds, 0);
  const wall = (end - start) / 1e6;
  const spent = (phase: Phase): number =>
    made.spans.reduce((sum, span) => sum + (span.phase === phase ? span.end - span.start : 0), 0) / 1e6;
  const [tracing, compiling, submitting] = [spent('tracing'), spent('compiling'), spent('submitting')];
  // The portable backend has no other thread: what it runs there is no waiting, and no other code.
  const isPortable = currentBackend().name === 'portable';
  const waiting = (isPortable ? 0 : spent('waiting')) + idle;
  const running = isPortable ? instructions : spent('running');
  const inJavaScript = wall - tracing - compiling - submitting - waiting - running;
  const total = {
    wall,
    instructions,
    recording: Math.max(0, inJavaScript),
    tracing,
    compiling,
    submitting,
    waiting,
    programs: made.runs.length,
    compilations,
  };
  return {
    rows,
    total,
    toString: () => tableOf(rows, total),
    toChromeTrace: () => chromeTraceOf(made, start),
  };
}

function rowsOf({ runs }: Recorder): ProfileRow[] {
  type Sum = { -readonly [K in keyof ProfileRow]: ProfileRow[K] };
  const sums = new Map<string, Sum>();
  let all = 0;
  for (const { program, times } of runs)
    program.instructions.forEach((instruction, i) => {
      const milliseconds = (times[i + 1]! - times[i]!) / 1e6;
      if (Number.isNaN(milliseconds)) return;
      const { label } = instruction;
      const [kernel, shapes] = [kernelOf(instruction), shapesOf(instruction)];
      const key = `${label} ${kernel} ${shapes}`;
      let sum = sums.get(key);
      if (sum === undefined)
        sums.set(key, (sum = { label, kernel, shapes, calls: 0, milliseconds: 0, share: 0, flops: 0, bytes: 0 }));
      sum.calls++;
      sum.milliseconds += milliseconds;
      sum.flops += flopsOf(instruction);
      sum.bytes += bytesOf(instruction, program);
      all += milliseconds;
    });
  for (const sum of sums.values()) sum.share = all > 0 ? sum.milliseconds / all : 0;
  return [...sums.values()].sort((a, b) => b.milliseconds - a.milliseconds);
}

/** The kernel's name, with the number of its steps where that says how much was fused. */
export function kernelOf({ kernel, attributes }: Instruction): string {
  return kernel === 'elementwise' && attributes[2]! > 1 ? `${kernel} x${attributes[2]}` : kernel;
}

export function shapesOf({ inputs, outputs }: Instruction): string {
  const list = (views: Instruction['inputs']): string => {
    const shapes = views.map(({ shape }) => (shape.length === 0 ? '1' : shape.join('x')));
    const counts = new Map<string, number>();
    for (const shape of shapes) counts.set(shape, (counts.get(shape) ?? 0) + 1);
    return [...counts].map(([shape, count]) => (count > 1 ? `${count}*[${shape}]` : `[${shape}]`)).join(' ');
  };
  return inputs.length === 0 ? list(outputs) : `${list(inputs)} -> ${list(outputs)}`;
}
