import { foldNames, type ByteCode, type Opcode } from './elementwise';

/** A longer expression gets a name of its own. */
const LONG = 70;

const infix: { readonly [O in Opcode]?: { readonly sign: string; readonly rank: number } } = {
  mul: { sign: '·', rank: 3 },
  div: { sign: '/', rank: 3 },
  add: { sign: '+', rank: 2 },
  sub: { sign: '-', rank: 2 },
  eq: { sign: '==', rank: 1 },
  ne: { sign: '≠', rank: 1 },
  lt: { sign: '<', rank: 1 },
  le: { sign: '≤', rank: 1 },
  gt: { sign: '>', rank: 1 },
  ge: { sign: '≥', rank: 1 },
};
const UNARY = 4;
const WORD = 5;

interface Expression {
  readonly text: string;
  /** What binds less tightly needs parentheses. */
  readonly rank: number;
}

/**
 * The byte code of the first segment as formulas, one a line: an output each, and before them what is used more than once (a, b, ...).
 * `inputs` and `outputs` are names; s3 is the third number that the program is given, counted from 0.
 */
export function formulasOf(code: ByteCode, inputs: readonly string[], outputs: readonly string[]): string[] {
  const { steps, outputRegisters, folds, scalarSlots } = code;
  const registers: Expression[] = inputs.slice(0, code.inputs).map(word);
  scalarSlots[0]!.forEach((slot) => registers.push(word(`s${slot}`)));
  const uses = useCounts(code);
  const lines: string[] = [];
  let names = 0;
  steps.forEach(({ opcode, destination, operands }, step) => {
    const made = expressionOf(
      opcode,
      operands.map((register) => registers[register]!),
    );
    const output = outputRegisters.findIndex((register, i) => register === destination && folds[i] === 0);
    const isNamed = output >= 0 || uses[step]! > 1 || (made.text.length > LONG && step < steps.length - 1);
    if (!isNamed) {
      registers[destination] = made;
      return;
    }
    const name = output >= 0 ? outputs[output]! : letter(names++);
    lines.push(`${name} = ${made.text}`);
    // Of t3~t1 remains t3; state~ stays, for state is what it was before.
    registers[destination] = word(name.replace(/~.+/, ''));
  });
  outputRegisters.forEach((register, i) => {
    if (folds[i]! > 0) lines.push(`${outputs[i]!} = ${foldNames[folds[i]!]}(${registers[register]!.text})`);
  });
  return lines;
}

/** For each step how often its result is read, before another step takes its register. */
function useCounts({ steps, outputRegisters }: ByteCode): number[] {
  const uses = steps.map(() => 0);
  const writer = new Map<number, number>();
  steps.forEach(({ operands, destination }, step) => {
    for (const register of operands) {
      const from = writer.get(register);
      if (from !== undefined) uses[from]!++;
    }
    writer.set(destination, step);
  });
  for (const register of outputRegisters) uses[writer.get(register)!]!++;
  return uses;
}

function expressionOf(opcode: Opcode, operands: readonly Expression[]): Expression {
  const [a, b] = operands as [Expression, Expression];
  if (opcode === 'copy') return a;
  if (opcode === 'neg') return { text: `-${within(a, UNARY)}`, rank: UNARY };
  if (opcode.startsWith('cast')) return word(`${opcode.slice(4).toLowerCase()}(${a.text})`);
  const sign = infix[opcode];
  if (sign === undefined) return word(`${opcode}(${operands.map(({ text }) => text).join(', ')})`);
  // In floating point neither operation is associative: what is computed first on the right says so.
  return { text: `${within(a, sign.rank)} ${sign.sign} ${within(b, sign.rank + 1)}`, rank: sign.rank };
}

function within({ text, rank }: Expression, least: number): string {
  return rank < least ? `(${text})` : text;
}

function word(text: string): Expression {
  return { text, rank: WORD };
}

function letter(index: number): string {
  const turn = Math.floor(index / 26);
  return String.fromCharCode(97 + (index % 26)) + (turn === 0 ? '' : turn);
}
