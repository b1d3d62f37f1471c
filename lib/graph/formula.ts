import { dtypes, type DType } from '../tensor/dtype';
import type { Shape } from '../tensor/shape';
import { Tensor } from '../tensor/tensor';
import { currentTrace, withTrace } from '../tensor/tracing';
import type { Op } from './op';
import type { Value } from './program/ir';
import { recordNode, withRecorder } from './record';

/**
 * A rule as a recipe with holes: recorded once on placeholders, then applied to many tensors as one node. That is how an
 * optimizer's formula moves all parameters of a group.
 */
export interface Formula {
  /** Equal for equal structure: part of a program's signature. */
  readonly id: number;
  /** The operations, inputs first. Leaves are numbered: inputs by name, then what was captured; scalars in order of use. */
  readonly values: readonly Value[];
  /** In this order each member gives its tensors. */
  readonly inputs: readonly string[];
  readonly outputs: readonly Value[];
  /** The same for each element, so for any shape: every value has its member's shape. */
  readonly perElement: boolean;
}

/** What running a rule gave: the formula, and what it was run with this time. */
export interface FormulaRun {
  readonly formula: Formula;
  readonly scalars: readonly Tensor[];
  /** Tensors from outside of the rule, shared by all members. */
  readonly captured: readonly Tensor[];
}

interface Step {
  readonly op: Op;
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
}

/** The shape of placeholders where the formula is the same for any. */
const ANY_SHAPE: Shape = [2];
const NONE: readonly number[] = [];
/** Formulas by structure. */
const known = new Map<string, Formula>();

/**
 * Records a rule again and again. While it does what it did the last time, recording costs a comparison an operation: the
 * placeholders of the last run are handed out again, and only the numbers are new.
 */
export class FormulaRecorder {
  readonly #inputs = new Map<string, Tensor>();
  readonly #steps: Step[] = [];
  #cursor = 0;
  #changed = false;
  #scalars: Tensor[] = [];
  #captured: Tensor[] = [];
  #formula: Formula | null = null;

  constructor(readonly perElement: boolean) {}

  /** The placeholder of a member's tensor. */
  input(name: string, shape: Shape, dtype: DType): Tensor {
    let placeholder = this.#inputs.get(name);
    if (placeholder === undefined) {
      placeholder = new Tensor(this.perElement ? ANY_SHAPE : shape, dtype);
      placeholder.label = name;
      this.#inputs.set(name, placeholder);
      this.#changed = true;
    }
    return placeholder;
  }

  /** Runs the rule, which returns what it computes: each the result of an operation of its own. */
  run(rule: () => readonly Tensor[]): FormulaRun {
    this.#cursor = 0;
    this.#scalars = [];
    this.#captured = [];
    const outputs = withRecorder(this, () => withTrace(null, rule));
    if (this.#cursor < this.#steps.length) {
      this.#steps.length = this.#cursor;
      this.#changed = true;
    }
    if (this.#formula === null || this.#changed) {
      this.#formula = this.#build(outputs);
      this.#changed = false;
    }
    return { formula: this.#formula, scalars: this.#scalars, captured: this.#captured };
  }

  /** Called by `record` for every operation of the rule. */
  record(op: Op, inputs: readonly Tensor[], attrs: unknown): Tensor {
    const step = this.#steps[this.#cursor];
    const repeats = step !== undefined && step.op === op && this.#sameInputs(step.inputs, inputs);
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[i]!;
      if (input.isScalar) this.#scalars.push(input);
      else if (!this.#isOwn(input)) this.#captured.push(input);
    }
    if (repeats && sameAttributes(step.output.attributes, op.attributes?.(attrs, inputs) ?? NONE)) {
      this.#cursor++;
      return step.output;
    }
    this.#changed = true;
    this.#steps.length = this.#cursor++;
    const output = recordNode(op, inputs, attrs);
    output.index = this.#steps.push({ op, inputs, output }) - 1;
    return output;
  }

  /** Own tensors are compared by identity; numbers and tensors from outside may be others every time. */
  #sameInputs(before: readonly Tensor[], now: readonly Tensor[]): boolean {
    if (before.length !== now.length) return false;
    for (let i = 0; i < now.length; i++) {
      const [a, b] = [before[i]!, now[i]!];
      if (a === b) continue;
      if (a.dtype !== b.dtype || a.isScalar !== b.isScalar) return false;
      if (!a.isScalar && (this.#isOwn(a) || this.#isOwn(b) || a.shape.join() !== b.shape.join())) return false;
    }
    return true;
  }

  /** A placeholder, or made by one of the steps. */
  #isOwn(tensor: Tensor): boolean {
    return this.#steps[tensor.index]?.output === tensor || this.#inputs.get(tensor.label) === tensor;
  }

  #build(outputs: readonly Tensor[]): Formula {
    const values: Value[] = [];
    const valueOf = new Map<Tensor, Value>();
    const inputs = [...this.#inputs.keys()];
    [...this.#inputs.values()].forEach((placeholder, slot) =>
      valueOf.set(placeholder, leaf('leaf', slot, placeholder)),
    );
    let scalars = 0;
    let captured = inputs.length;
    for (const { op, inputs: operands, output } of this.#steps) {
      const value: Value = {
        id: values.length,
        shape: output.shape,
        dtype: output.dtype,
        kind: 'op',
        slot: -1,
        op,
        inputs: operands.map((operand) =>
          operand.isScalar
            ? leaf('scalar', scalars++, operand)
            : (valueOf.get(operand) ?? leaf('leaf', captured++, operand)),
        ),
        attrs: output.attrs,
        attributes: output.attributes,
        label: output.label,
        site: -1,
      };
      values.push(value);
      valueOf.set(output, value);
    }
    const results = outputs.map((output) => valueOf.get(output)!);
    const structure = structureOf(values, inputs, results, this.perElement);
    let formula = known.get(structure);
    if (formula === undefined) {
      formula = { id: known.size, values, inputs, outputs: results, perElement: this.perElement };
      known.set(structure, formula);
    }
    return formula;
  }
}

function leaf(kind: 'leaf' | 'scalar', slot: number, { shape, dtype, label }: Tensor): Value {
  const base = { id: -1, shape, dtype, kind, slot, op: null, attrs: undefined, label, site: -1 };
  return { ...base, inputs: [], attributes: NONE };
}

function structureOf(
  values: readonly Value[],
  inputs: readonly string[],
  outputs: readonly Value[],
  perElement: boolean,
): string {
  const reference = ({ kind, id, slot, dtype, shape }: Value): string =>
    kind === 'op' ? `${id}` : `${kind}${slot}:${dtypes[dtype].id}:${shape.join()}`;
  const steps = values.map(
    ({ op, inputs: operands, attributes, shape, dtype, label }) =>
      `${op!.id}(${operands.map(reference).join(' ')})${attributes.map((x) => (Object.is(x, -0) ? '-0' : x)).join()}:${dtypes[dtype].id}:${shape.join()}${label}`,
  );
  return [perElement, inputs.join(), steps.join(';'), outputs.map(({ id }) => id).join()].join('|');
}

function sameAttributes(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}

// ---- applying a formula

/** What the node of an application and its results are to the graph. No op: trace and ir know them. */
export interface Application {
  readonly formula: Formula;
  readonly members: number;
}

const applicationOp = { name: 'apply', id: -1, lower: { formula: true } };
const resultOp = { name: 'result', id: -2, lower: { formula: true } };
/** The attributes of results, by their index: made once, for every step asks for them. */
const resultAttributes: (readonly number[])[] = [];

/** Whether the tensor applies a formula; its results hang on it. */
export function applicationOf(tensor: Tensor): Application | null {
  return tensor.op === applicationOp ? (tensor.attrs as Application) : null;
}

/** Which result of its application the tensor is: member · outputs + output; -1 if it is none. */
export function resultIndex(tensor: Tensor): number {
  return tensor.op === resultOp ? tensor.attributes[0]! : -1;
}

/**
 * Applies a formula to members, each with its tensors in the order of `formula.inputs`; gives for each member the results
 * in the order of `formula.outputs`.
 */
export function applyFormula(
  { formula, scalars, captured }: FormulaRun,
  members: readonly (readonly Tensor[])[],
): Tensor[][] {
  const application = new Tensor([], 'float32');
  const inputs = scalars.concat(captured, ...members);
  connect(application, applicationOp, inputs, [formula.id, members.length]);
  const attrs: Application = { formula, members: members.length };
  application.attrs = attrs;
  const hang = [application];
  const results: Tensor[][] = [];
  let index = 0;
  for (const member of members) {
    const own = new Array<Tensor>(formula.outputs.length);
    for (let i = 0; i < own.length; i++) {
      const { shape, dtype, label } = formula.outputs[i]!;
      const result = new Tensor(formula.perElement ? member[0]!.shape : shape, dtype);
      connect(result, resultOp, hang, (resultAttributes[index] ??= [index]));
      result.label = label;
      own[i] = result;
      index++;
    }
    results.push(own);
  }
  return results;
}

function connect(tensor: Tensor, op: Tensor['op'], inputs: readonly Tensor[], attributes: readonly number[]): void {
  tensor.op = op;
  tensor.inputs = inputs;
  tensor.attributes = attributes;
  for (let i = 0; i < inputs.length; i++) {
    const input = inputs[i]!;
    if (input.oldest < tensor.oldest && input.pending) tensor.oldest = input.oldest;
  }
  currentTrace()?.recorded(tensor);
}
