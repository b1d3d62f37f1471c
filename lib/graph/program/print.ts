import { sizeOf } from '../../tensor/shape';
import { formulasOf } from './formulas';
import { codeOf, overwrittenBy, statsOf } from './stats';
import type { BufferSpec, Instruction, Program, View } from './program';

/** For each bound buffer, in the order of the program's buffers, what it is to whoever reads the text; null: unknown. */
export type BufferNames = readonly (string | null)[];

const WIDTH = 100;

/**
 * The program as text, made for 100 columns. `t1~t0` is written over t0, `weight~` is the new state in the place of the old; t0,
 * t1, ... live in the arena, s0, s1, ... are the numbers that every run is given. Regions are formulas; one
 * behind a product reads it as `product`. Their inputs have
 * shapes only where these differ from the region's: dims that are broadcast are 1, `.T` is the transpose of a dense
 * matrix, and strides follow a slash where nothing simpler says how a view lies. Behind # is what the user called.
 *
 *     program: 4 instructions, 6 operations, 1 fused region; moves 448 B; arena 128 B; 0 numbers
 *     reads: x [4x8], weight [2x8], bias [2], scale [2], next [2x2]
 *     writes: result [4x2]
 *       0  t0 [4x2] = matmul(x [4x8], weight [2x8].T), then    # relu
 *            t0 = relu(product + bias [1x2])
 *       1  t1 [4x2] = softmax(t0 [4x2])
 *       2  t2~t1 [4x2] = t1 · scale [1x2]    # mul
 *       3  result [4x2] = matmul(t2 [4x2], next [2x2])
 */
export function printProgram(program: Program, boundNames: BufferNames = []): string {
  const names = namesOf(program, boundNames);
  const { ops, instructions, fusedRegions, bytesMoved, arenaBytes } = statsOf(program);
  const lines = [
    `program: ${count(instructions, 'instruction')}, ${count(ops, 'operation')}, ${count(fusedRegions, 'fused region')}; ` +
      `moves ${formatBytes(bytesMoved)}; arena ${formatBytes(arenaBytes)}; ${count(program.scalars, 'number')}`,
  ];
  for (const [title, kind] of [
    ['reads', 'input'],
    ['writes', 'output'],
    ['writes over', 'inout'],
  ] as const) {
    const list = program.buffers.flatMap((buffer, i) =>
      buffer.kind === kind ? [`${names[i]!}${typeOf(buffer)} ${extentOf(program, i)}`] : [],
    );
    if (list.length > 0) lines.push(...wrap(`${title}: ${list.join(', ')}`, '  '));
  }
  const digits = String(program.instructions.length - 1).length + 2;
  program.instructions.forEach((instruction, index) => {
    const [first, ...rest] = printInstruction(instruction, program, names);
    const indent = ' '.repeat(digits + 2);
    lines.push(...wrap(`${String(index).padStart(digits)}  ${first}`, `${indent}    `));
    for (const line of rest) lines.push(...wrap(`${indent}  ${line}`, `${indent}      `));
  });
  return lines.join('\n');
}

/** 1,536 as 1.5 KB. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let value = bytes;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}

/** Bound buffers as the caller calls them, or by what is done with them; those of the arena t0, t1, ... as they are made. */
function namesOf({ buffers, instructions }: Program, boundNames: BufferNames): string[] {
  const names = new Array<string>(buffers.length).fill('');
  const generic = { input: 'in', output: 'out', inout: 'state' };
  const counts = { input: 0, output: 0, inout: 0 };
  let bound = 0;
  buffers.forEach(({ kind }, i) => {
    if (kind !== 'arena') names[i] = boundNames[bound++] ?? `${generic[kind]}${counts[kind]++}`;
  });
  let made = 0;
  for (const { outputs } of instructions)
    for (const { buffer } of outputs) if (names[buffer] === '') names[buffer] = `t${made++}`;
  return names;
}

function typeOf({ dtype }: BufferSpec): string {
  return dtype === 'float32' ? '' : ` ${dtype}`;
}

/** The shape of the first view of all of a buffer; its length if there is none. */
function extentOf({ buffers, instructions }: Program, buffer: number): string {
  const { length } = buffers[buffer]!;
  for (const { inputs, outputs } of instructions)
    for (const view of [...outputs, ...inputs]) {
      if (view.buffer !== buffer || view.offset !== 0 || sizeOf(view.shape) !== length) continue;
      const shown = printLayout(view);
      if (!shown.includes('/')) return shown.replace('.T', '');
    }
  return `[${length}]`;
}

function printInstruction(instruction: Instruction, program: Program, names: readonly string[]): string[] {
  const { kernel, inputs, outputs, attributes, label } = instruction;
  const nameOf = ({ buffer }: View): string => names[buffer]!;
  const over = overwrittenBy(instruction, program);
  const made = outputs.map((view, i) => {
    const mark = program.buffers[view.buffer]!.kind === 'inout' ? '~' : over[i]! >= 0 ? `~${names[over[i]!]!}` : '';
    return nameOf(view) + mark;
  });
  const results = outputs
    .map((view, i) => `${made[i]!}${typeOf(program.buffers[view.buffer]!)} [${view.shape.join('x')}]`)
    .join(', ');
  const note = label === kernel ? '' : `    # ${label}`;
  const code = codeOf(instruction);
  if (code !== null && kernel === 'elementwise') {
    const formulas = formulasOf(code, operandsOf(instruction, 0, names), made);
    const single = formulas.length === 1 && code.segments === 1;
    if (single) return [`${results} = ${formulas[0]!.slice(made[0]!.length + 3)}${note}`];
    const times = code.segments === 1 ? '' : `  each of ${code.segments} like the first:`;
    return [`${results}${note}${times}`, ...formulas];
  }
  const given = (code === null ? inputs : inputs.slice(0, 2)).map((view) => `${nameOf(view)} ${printLayout(view)}`);
  const numbers = code !== null || attributes.length === 0 ? '' : `; ${attributes.join(' ')}`;
  const line = `${results} = ${kernel}(${given.join(', ')}${numbers})`;
  if (code === null) return [line + note];
  return [`${line}, then${note}`, ...formulasOf(code, ['product', ...operandsOf(instruction, 2, names)], made)];
}

/** The inputs of byte code, of its first segment: their names, and how they lie where that is not the outputs' shape. */
function operandsOf({ inputs, outputs }: Instruction, first: number, names: readonly string[]): string[] {
  const whole = `[${outputs[0]!.shape.join('x')}]`;
  return inputs.slice(first).map((view) => {
    const shown = printLayout(view);
    return shown === whole ? names[view.buffer]! : `${names[view.buffer]!} ${shown}`;
  });
}

/** A dense view as its shape; dims that are broadcast as 1. */
function printLayout({ offset, shape, strides }: View): string {
  const start = offset === 0 ? '' : `+${offset}`;
  const own = shape.map((size, i) => (strides[i] === 0 ? Math.min(size, 1) : size));
  if (isDense(own, strides)) return `[${own.join('x')}]${start}`;
  const turned = [...own.slice(0, -2), own.at(-1)!, own.at(-2)!];
  const turnedStrides = [...strides.slice(0, -2), strides.at(-1)!, strides.at(-2)!];
  if (own.length >= 2 && isDense(turned, turnedStrides)) return `[${turned.join('x')}].T${start}`;
  return `[${own.join('x')}]/${strides.join(',')}${start}`;
}

function isDense(shape: readonly number[], strides: readonly number[]): boolean {
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i]! > 1 && strides[i] !== stride) return false;
    stride *= shape[i]!;
  }
  return true;
}

/** Breaks a line behind a comma, or else at a space; further lines are indented. */
function wrap(line: string, indent: string): string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > WIDTH) {
    const comma = rest.lastIndexOf(', ', WIDTH - 1) + 1;
    const at = comma > indent.length ? comma : rest.lastIndexOf(' ', WIDTH);
    if (at <= indent.length) break;
    lines.push(rest.slice(0, at).trimEnd());
    rest = indent + rest.slice(at).trimStart();
  }
  return [...lines, rest];
}
