import { kernelOf, shapesOf } from './profile';
import { bytesOf, flopsOf } from './program/costs';
import type { ProgramRun, Recorder } from './recorder';

const JAVASCRIPT = 1;
const EXECUTOR = 2;

/** Of the Trace Event format: a span ("X") or the name of a process or thread ("M"). Microseconds. */
interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M';
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly args?: { readonly [name: string]: unknown };
}

/** The profile as Trace Event JSON: what JavaScript did on one line, queued programs with their instructions on another. */
export function chromeTraceOf({ spans, runs }: Recorder, start: number): string {
  const { pid } = process;
  const named = (name: string, tid: number, value: string): TraceEvent => ({
    name,
    ph: 'M',
    pid,
    tid,
    args: { name: value },
  });
  /** From and to in whole nanoseconds. */
  const span = (name: string, cat: string, tid: number, from: number, to: number, args?: TraceEvent['args']) => ({
    ...{ name, cat, ph: 'X' as const, pid, tid },
    ...{ ts: from / 1000, dur: (to - from) / 1000 },
    ...(args === undefined ? {} : { args }),
  });
  const eventsOf = (run: ProgramRun): TraceEvent[] => {
    const { program, times, submitted, isInline } = run;
    const last = times.findLastIndex((time) => !Number.isNaN(time));
    if (last < 0) return [];
    const tid = isInline ? JAVASCRIPT : EXECUTOR;
    const waited = { 'waited (us)': Math.max(0, times[0]! - submitted) / 1000 };
    const name = `program of ${program.instructions.length}`;
    const ends = apart(times.subarray(0, last + 1), start);
    const instructions = program.instructions.slice(0, last).map((instruction, i) =>
      span(instruction.label, kernelOf(instruction), tid, ends[i]!, ends[i + 1]! - 1, {
        kernel: kernelOf(instruction),
        shapes: shapesOf(instruction),
        flops: flopsOf(instruction),
        bytes: bytesOf(instruction, program),
      }),
    );
    return [span(name, 'program', tid, ends[0]!, ends[last]!, isInline ? undefined : waited), ...instructions];
  };
  const traceEvents: TraceEvent[] = [
    named('process_name', JAVASCRIPT, 'saddlepoint'),
    named('thread_name', JAVASCRIPT, 'JavaScript'),
    named('thread_name', EXECUTOR, 'programs (executor)'),
    ...spans.map(({ phase, start: from, end: to }) =>
      span(phase, 'JavaScript', JAVASCRIPT, Math.floor(from - start), Math.ceil(to - start)),
    ),
    ...runs.flatMap(eventsOf),
  ];
  return JSON.stringify({ displayTimeUnit: 'ns', traceEvents });
}

/**
 * Times in whole nanoseconds from `start` on, two apart at least: an instruction ends one before the next begins. Readers that
 * add up rounded microseconds would else find ends behind the beginnings that follow, and nest what does not.
 */
function apart(times: Float64Array, start: number): number[] {
  const ends: number[] = [];
  for (const time of times) ends.push(Math.max(Math.round(time - start), (ends.at(-1) ?? -Infinity) + 2));
  return ends;
}
