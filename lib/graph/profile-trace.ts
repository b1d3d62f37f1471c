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
  const span = (name: string, cat: string, tid: number, from: number, to: number, args?: TraceEvent['args']) => ({
    ...{ name, cat, ph: 'X' as const, pid, tid },
    ...{ ts: (from - start) / 1000, dur: Math.max(0, to - from) / 1000 },
    ...(args === undefined ? {} : { args }),
  });
  const eventsOf = (run: ProgramRun): TraceEvent[] => {
    const { program, times, submitted, isInline } = run;
    const last = times.findLastIndex((time) => !Number.isNaN(time));
    if (last < 0) return [];
    const tid = isInline ? JAVASCRIPT : EXECUTOR;
    const waited = { 'waited (us)': Math.max(0, times[0]! - submitted) / 1000 };
    const name = `program of ${program.instructions.length}`;
    const instructions = program.instructions.slice(0, last).map((instruction, i) =>
      span(instruction.label, kernelOf(instruction), tid, times[i]!, times[i + 1]!, {
        kernel: kernelOf(instruction),
        shapes: shapesOf(instruction),
        flops: flopsOf(instruction),
        bytes: bytesOf(instruction, program),
      }),
    );
    return [span(name, 'program', tid, times[0]!, times[last]!, isInline ? undefined : waited), ...instructions];
  };
  const traceEvents: TraceEvent[] = [
    named('process_name', JAVASCRIPT, 'saddlepoint'),
    named('thread_name', JAVASCRIPT, 'JavaScript'),
    named('thread_name', EXECUTOR, 'programs (executor)'),
    ...spans.map(({ phase, start: from, end: to }) => span(phase, 'JavaScript', JAVASCRIPT, from, to)),
    ...runs.flatMap(eventsOf),
  ];
  return JSON.stringify({ displayTimeUnit: 'ns', traceEvents });
}
