import { printProgram, formatBytes } from '../program/print';
import { statsOf, type ProgramStats } from '../program/stats';
import type { Variable } from '../../tensor/tensor';
import { formatShape } from '../../tensor/shape';
import { describe, flatten, type Expected } from './arguments';
import type { Entry } from './replay';
import { Outcome } from './tracing';

/** One program of a compiled function, and what it is in numbers. */
export interface ExplainedProgram extends ProgramStats {
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
  /** The program as text: its instructions, with regions as formulas. */
  toString(): string;
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

function explainEntry(entry: Entry): ExplainedProgram {
  const { traced, compiled, inPlace, fresh, replays } = entry;
  const { expected, guards, constants, sources } = traced;
  return {
    ...statsOf(compiled.program),
    replays,
    arguments: expected.map(describeExpected),
    guards: guards.map(({ description, value }) => `${description} is ${describe(value)}`),
    constants: constants.map(({ value, label }) => `${value} in ${label}`),
    captured: sources.flatMap((source) => ('captured' in source ? [describe(source.captured)] : [])),
    variablesRead: sources.filter((source) => 'version' in source).length,
    inPlace: inPlace.filter((variable) => variable !== null).length,
    fresh: fresh.length,
    toString: () => printProgram(compiled.program, namesOf(entry)),
  };
}

/** What is bound, as the function knows it: argument0, weight0 (a Variable with gradients), weight0.grad, state0, result. */
function namesOf({ traced, compiled }: Entry): string[] {
  const numbers = new Map<Variable, string>();
  const counts = { weight: 0, state: 0 };
  const nameOf = (variable: Variable): string => {
    const kind = variable.requiresGrad ? 'weight' : 'state';
    if (!numbers.has(variable)) numbers.set(variable, `${kind}${counts[kind]++}`);
    return numbers.get(variable)!;
  };
  let captured = 0;
  const read = traced.sources.map((source) => {
    if ('argument' in source) return `argument${source.argument}`;
    if ('version' in source) return nameOf(source.version);
    return 'gradient' in source ? `${nameOf(source.gradient)}.grad` : `captured${captured++}`;
  });
  // What is read and made anew is primed, as in a formula.
  const made = new Map<number, string>();
  const name = (root: number, text: string): void => {
    const output = compiled.rootOutputs[root];
    if (output !== undefined && !made.has(output)) made.set(output, read.includes(text) ? `${text}'` : text);
  };
  for (const { variable, root } of traced.versions) name(root, nameOf(variable));
  for (const { variable, outcome } of traced.gradients) name(outcome.root, `${nameOf(variable)}.grad`);
  let results = 0;
  flatten(traced.result, 'result', (leaf) => {
    if (leaf instanceof Outcome && leaf.root >= 0) name(leaf.root, `result${results++}`);
  });
  return compiled.bindings.map(({ leaf, output }) =>
    leaf >= 0 ? read[leaf]! : (made.get(output) ?? `output${output}`),
  );
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
    const { replays, instructions, ops, bytesMoved, arenaBytes, arenaLowerBound } = program;
    lines.push(
      `program ${i + 1}: ${replays} replays, ${ops} operations in ${instructions} instructions, ` +
        `moves ${formatBytes(bytesMoved)}, arena ${formatBytes(arenaBytes)} of at least ${formatBytes(arenaLowerBound)}`,
    );
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
