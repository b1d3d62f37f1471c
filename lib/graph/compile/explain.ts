import { formatShape } from '../../tensor/shape';
import { describe, type Expected } from './arguments';
import type { Entry } from './replay';

/** One program of a compiled function. */
export interface ExplainedProgram {
  readonly replays: number;
  /** What the arguments have to be. */
  readonly arguments: readonly string[];
  /** What was read of modes and gradients, with the value that has to hold. */
  readonly guards: readonly string[];
  /** Numbers that every replay takes as they were when the function was recorded. */
  readonly constants: readonly string[];
  /** Tensors from outside, bound by identity. */
  readonly captured: readonly string[];
  readonly variablesRead: number;
  /** Variables whose versions are written over, and those that get a buffer of their own every time. */
  readonly inPlace: number;
  readonly fresh: number;
  readonly instructions: number;
  readonly arenaBytes: number;
}

export interface Explanation {
  readonly programs: readonly ExplainedProgram[];
  /** Why the function was recorded, each time, the first included. */
  readonly recordings: readonly string[];
  /** All of it as text. */
  toString(): string;
}

export function explain(entries: readonly Entry[], recordings: readonly string[]): Explanation {
  const programs = entries.map(explainEntry);
  return { programs, recordings: [...recordings], toString: () => print(programs, recordings) };
}

function explainEntry({ traced, compiled, inPlace, fresh, replays }: Entry): ExplainedProgram {
  const { expected, guards, constants, sources } = traced;
  return {
    replays,
    arguments: expected.map(describeExpected),
    guards: guards.map(({ description, value }) => `${description} is ${describe(value)}`),
    constants: constants.map(({ value, label }) => `${value} in ${label}`),
    captured: sources.flatMap((source) => ('captured' in source ? [describe(source.captured)] : [])),
    variablesRead: sources.filter((source) => 'version' in source).length,
    inPlace: inPlace.filter((variable) => variable !== null).length,
    fresh: fresh.length,
    instructions: compiled.program.instructions.length,
    arenaBytes: compiled.program.arenaBytes,
  };
}

function describeExpected(expected: Expected): string {
  if (!('tensor' in expected)) return `${expected.path}: ${describe(expected.constant)}, a constant`;
  const { path, tensor, differentiable } = expected;
  return `${path}: ${tensor.dtype} ${formatShape(tensor.shape)}${differentiable ? ', requires a gradient' : ''}`;
}

function print(programs: readonly ExplainedProgram[], recordings: readonly string[]): string {
  const lines: string[] = [`recorded ${recordings.length} times`];
  recordings.forEach((reason, i) => lines.push(`  ${i + 1}. ${reason}`));
  programs.forEach((program, i) => {
    lines.push(`program ${i + 1}: ${program.replays} replays, ${program.instructions} instructions`);
    lines.push(
      `  Variables: ${program.variablesRead} read, ${program.inPlace} written in place, ${program.fresh} anew`,
    );
    for (const [title, list] of [
      ['arguments', program.arguments],
      ['captured tensors', program.captured],
      ['constants', unique(program.constants)],
      ['guards', unique(program.guards)],
    ] as const) {
      if (list.length > 0) lines.push(`  ${title}:`, ...list.map((line) => `    ${line}`));
    }
  });
  return lines.join('\n');
}

/** Equal lines once, with their number. */
function unique(lines: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return [...counts].map(([line, count]) => (count === 1 ? line : `${line} (${count} times)`));
}
