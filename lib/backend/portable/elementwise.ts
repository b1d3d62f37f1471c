import { foldNames, opcodeNames, opcodes, type Opcode } from '../../graph/program/elementwise';
import { dtypeNames, type DType, type TypedArray } from '../../tensor/dtype';
import { sizeOf } from '../../tensor/shape';
import { resultDType, stepFor, type Step } from './elementwise-steps';
import { arithmeticTypes, type BoundView, type Call, type NumberArray, type Task } from './kernel';
import { CHUNK, foldReduction, State, type Reduction } from './reduce';
import { coalesce, copyBigInts, copyNumbers, Cursor } from './strided';
import { BLOCK, type Workspace } from './workspace';

/** Where a step finds an operand: a register, or the block's place in a contiguous input or an output. */
class Operand {
  position = 0;

  constructor(
    public array: NumberArray,
    readonly dtype: DType,
  ) {}
}

interface BoundStep {
  readonly run: Step;
  readonly out: Operand;
  readonly a: Operand;
  readonly b: Operand;
  readonly c: Operand;
}

/** A contiguous view that steps read or write in place. */
interface DirectOperand {
  readonly operand: Operand;
  readonly view: BoundView;
}

/** A strided view whose elements are brought into a register, block by block; once if it is a single element. */
interface GatheredOperand {
  readonly operand: Operand;
  readonly view: BoundView;
  readonly cursor: Cursor;
  readonly stride: number;
  readonly isConstant: boolean;
}

interface ScalarOperand {
  readonly operand: Operand;
  readonly slot: number;
}

/** An output that reduces what a register holds behind the last step. */
interface BoundFold {
  readonly view: BoundView;
  readonly source: Operand;
  readonly reduction: Reduction;
  /** Of the row that is under way. */
  readonly state: State;
}

const nothing = new Operand(new Float32Array(0), 'float32');

export function elementwise(call: Call, scalars: number): Task {
  const segments = call.integer(0, 1);
  call.check(call.outputs.length > 0, 'has no output');
  for (const list of [call.inputs, call.outputs]) {
    const count = list.length / segments;
    call.check(Number.isInteger(count), `has ${list.length} inputs or outputs for ${segments} segments`);
    const isAlike = list.every((view, i) => view.dtype === list[i % count]!.dtype);
    call.check(isAlike, 'its segments have different dtypes');
  }
  return new Segments(
    Array.from({ length: segments }, (_, s) => new Chain(new ChainReader(call, segments, s, scalars))),
  );
}

/** The parts of one chain after the other. They share registers, so each fills its scalars when its turn comes. */
class Segments implements Task {
  readonly parts: number;
  private current = -1;
  /** For each chain its first part. */
  private readonly first: readonly number[];

  constructor(private readonly chains: readonly Chain[]) {
    let parts = 0;
    this.first = chains.map((chain) => (parts += chain.parts) - chain.parts);
    this.parts = parts;
  }

  begin(): void {
    this.current = -1;
    for (const chain of this.chains) if (chain.parts === 0) chain.begin();
  }

  run(part: number): void {
    while (this.current < 0 || part >= this.first[this.current]! + this.chains[this.current]!.parts) {
      this.end();
      this.chains[++this.current]!.begin();
    }
    this.chains[this.current]!.run(part - this.first[this.current]!);
  }

  end(): void {
    this.chains[this.current]?.end();
  }
}

/** Decodes the attributes and finds an operand for every register of one segment. */
class ChainReader {
  readonly size: number;
  readonly direct: DirectOperand[] = [];
  readonly gathered: GatheredOperand[] = [];
  readonly scalarOperands: ScalarOperand[] = [];
  readonly steps: BoundStep[] = [];
  readonly folds: BoundFold[] = [];
  /** Elements that are reduced together; all of them where nothing is folded. */
  readonly rowSize: number;
  /** What each register holds at this point of the chain. */
  private readonly operands = new Map<number, Operand>();
  private readonly outputs = new Map<number, Operand>();
  private readonly workspace: Workspace;
  private readonly inputCount: number;
  private readonly scalarCount: number;
  private position = 4;

  constructor(
    readonly call: Call,
    segments: number,
    segment: number,
    scalars: number,
  ) {
    const { attributes } = call;
    this.workspace = call.workspace;
    const [inputs, outputs] = [call.inputs, call.outputs].map((list) => {
      const count = list.length / segments;
      return list.slice(segment * count, (segment + 1) * count);
    }) as [BoundView[], BoundView[]];
    this.inputCount = inputs.length;
    this.scalarCount = call.integer(1, 0);
    const registers = call.integer(2, inputs.length + this.scalarCount);
    const steps = call.integer(3, 0);
    const firstOutput = 4 + this.scalarCount + 6 * steps;
    const firstSlot = firstOutput + 2 * outputs.length;
    const expected = firstSlot + this.scalarCount * segments;
    call.check(attributes.length === expected, `takes ${expected} attributes, not ${attributes.length}`);
    const folds = outputs.map((_, i) => call.integer(firstOutput + outputs.length + i, 0));
    const shape = this.checkShapes(inputs, outputs, folds, segments);
    this.size = sizeOf(shape);

    inputs.forEach((view, register) => this.readInput(view, register));
    for (let s = 0; s < this.scalarCount; s++)
      this.readScalar(inputs.length + s, firstSlot + segment * this.scalarCount + s, scalars);
    const outputRegisters = attributes.slice(firstOutput, firstOutput + outputs.length);
    const isWhole = (_: unknown, i: number): boolean => folds[i] === 0;
    const first = inputs.length + this.scalarCount;
    for (const register of outputRegisters)
      call.check(register >= first && register < registers, `output register ${register}`);
    this.placeOutputs(outputRegisters.filter(isWhole), outputs.filter(isWhole));
    for (let t = 0; t < steps; t++) this.readStep(inputs.length + this.scalarCount, registers);
    for (const operand of this.outputs.values())
      call.check(
        this.steps.filter((step) => step.out === operand).length === 1,
        'an output is not the result of exactly one step',
      );
    outputs.forEach((view, i) => {
      if (folds[i] !== 0) this.readFold(view, folds[i]!, outputRegisters[i]!);
    });
    this.rowSize = this.folds.length === 0 ? this.size : sizeOf(shape.slice(this.folds[0]!.view.shape.length));
  }

  /** Inputs and outputs have the segment's shape, which it returns, except that folded ones lack its trailing dims. */
  private checkShapes(
    inputs: readonly BoundView[],
    outputs: readonly BoundView[],
    folds: readonly number[],
    segments: number,
  ): readonly number[] {
    const call: Call = this.call;
    const whole = outputs.filter((_, i) => folds[i] === 0);
    const folded = outputs.filter((_, i) => folds[i] !== 0);
    const space = (whole[0] ?? inputs[0])?.shape;
    call.check(space !== undefined, 'nothing says what its folded outputs are made of');
    for (const view of [...inputs, ...whole]) call.checkShape(view, space, 'an operand');
    call.check(folded.length === 0 || segments === 1, 'has folded outputs and several segments');
    const rank = folded[0]?.shape.length ?? 0;
    for (const view of folded) call.checkShape(view, space.slice(0, rank), 'a folded output');
    const isSumOnly = folds.every((fold) => fold <= 1);
    call.check(isSumOnly || sizeOf(space.slice(rank)) > 0, 'nothing to reduce');
    return space;
  }

  private readFold(view: BoundView, fold: number, register: number): void {
    this.call.check(fold < foldNames.length, `fold ${fold} is unknown`);
    this.call.checkDType(view, arithmeticTypes, 'a folded output');
    const source = this.source(register, view.dtype, 'copy');
    this.folds.push({ view, source, reduction: foldReduction(fold, view.dtype), state: new State() });
  }

  private next(least: number, most: number): number {
    const value = this.call.integer(this.position++, least);
    this.call.check(value <= most, `attribute ${this.position - 1} is ${value}, more than ${most}`);
    return value;
  }

  private readInput(view: BoundView, register: number): void {
    const walk = coalesce(view.shape, view.strides);
    const last = walk.shape.length - 1;
    const stride = walk.strides[last]!;
    const isConstant = last === 0 && stride === 0;
    if (last === 0 && stride === 1) {
      const operand = this.place(register, new Operand(nothing.array, view.dtype));
      this.direct.push({ operand, view });
    } else {
      const operand = this.place(register, new Operand(this.registerArray(register, view.dtype), view.dtype));
      this.gathered.push({ operand, view, cursor: new Cursor(walk), stride, isConstant });
    }
  }

  private readScalar(register: number, slotPosition: number, scalars: number): void {
    const slot = this.call.scalarSlot(slotPosition, scalars);
    const dtype = this.dtype();
    const operand = this.place(register, new Operand(this.registerArray(register, dtype), dtype));
    this.scalarOperands.push({ operand, slot });
  }

  private placeOutputs(outputRegisters: readonly number[], views: readonly BoundView[]): void {
    this.call.check(new Set(outputRegisters).size === outputRegisters.length, 'two outputs share a register');
    outputRegisters.forEach((register, index) => {
      const view = views[index]!;
      const operand = new Operand(nothing.array, view.dtype);
      this.outputs.set(register, operand);
      this.direct.push({ operand, view });
    });
  }

  private readStep(first: number, registers: number): void {
    const call: Call = this.call;
    const opcode = opcodeNames[this.next(0, opcodeNames.length - 1)]!;
    const dtype = this.dtype();
    const destination = this.next(first, registers - 1);
    const count = opcodes[opcode].operands;
    const operands: Operand[] = [];
    for (let i = 0; i < 3; i++) {
      const register = this.next(-1, registers - 1);
      call.check(register >= 0 === i < count, `${opcode} takes ${count} operands`);
      const operandDType = opcode === 'uniform' ? 'float64' : opcode === 'where' && i === 0 ? 'bool' : dtype;
      if (opcode === 'uniform' && i < count) this.checkScalar(register);
      operands.push(register < 0 ? nothing : this.source(register, operandDType, opcode));
    }
    const run = stepFor(opcode, dtype);
    call.check(run !== undefined, `${opcode} does not take ${dtype}`);
    const out = this.destination(destination, resultDType(opcode, dtype));
    this.steps.push({ run, out, a: operands[0]!, b: operands[1]!, c: operands[2]! });
  }

  private checkScalar(register: number): void {
    const isScalar = register >= this.inputCount && register < this.inputCount + this.scalarCount;
    this.call.check(isScalar, `uniform takes its seed and offset from scalars, not from register ${register}`);
  }

  private source(register: number, dtype: DType, opcode: Opcode): Operand {
    const operand = this.operands.get(register);
    this.call.check(operand?.dtype === dtype, `${opcode} reads register ${register}, which holds no ${dtype}`);
    return operand;
  }

  private destination(register: number, dtype: DType): Operand {
    const output = this.outputs.get(register);
    this.call.check(output === undefined || output.dtype === dtype, `register ${register} is no output of ${dtype}`);
    return this.place(register, output ?? new Operand(this.registerArray(register, dtype), dtype));
  }

  private place(register: number, operand: Operand): Operand {
    this.operands.set(register, operand);
    return operand;
  }

  private registerArray(register: number, dtype: DType): NumberArray {
    return this.workspace.register(register, dtype) as NumberArray;
  }

  private dtype(): DType {
    return dtypeNames[this.next(0, dtypeNames.length - 1)]!;
  }
}

class Chain {
  readonly parts: number;
  private readonly blocks: number;
  private readonly blocksPerPart: number;
  private readonly size: number;
  private readonly direct: readonly DirectOperand[];
  private readonly gathered: readonly GatheredOperand[];
  private readonly scalarOperands: readonly ScalarOperand[];
  private readonly steps: readonly BoundStep[];
  private readonly folds: readonly BoundFold[];
  private readonly rowSize: number;
  /** A block is some whole rows, or a piece of a longer one. */
  private readonly rowsPerBlock: number;
  private readonly blocksPerRow: number;
  private readonly call: Call;

  constructor(reader: ChainReader) {
    ({
      size: this.size,
      direct: this.direct,
      gathered: this.gathered,
      scalarOperands: this.scalarOperands,
      steps: this.steps,
      folds: this.folds,
      rowSize: this.rowSize,
      call: this.call,
    } = reader);
    // About 5 ns an element and step on average.
    this.blocksPerPart = Math.max(1, Math.floor(400 / (1 + this.steps.length + this.gathered.length)));
    this.rowsPerBlock = Math.max(1, Math.floor(BLOCK / Math.max(1, this.rowSize)));
    this.blocksPerRow = Math.ceil(this.rowSize / BLOCK);
    const rows = this.rowSize === 0 ? 0 : this.size / this.rowSize;
    this.blocks = Math.ceil(rows / this.rowsPerBlock) * this.blocksPerRow;
    this.parts = Math.ceil(this.blocks / this.blocksPerPart);
  }

  begin(): void {
    if (this.rowSize === 0)
      for (const { view } of this.folds) view.numbers.fill(0, view.offset, view.offset + view.size);
    const n = Math.min(BLOCK, this.size);
    for (const { operand, view } of this.direct) operand.array = view.numbers;
    for (const { operand, slot } of this.scalarOperands) fillScalar(operand, n, this.call.scalars[slot]!);
    if (n > 0)
      for (const { operand, view, isConstant } of this.gathered)
        if (isConstant) gatherRun(n, operand.array, 0, view.data, view.offset, 0);
  }

  run(part: number): void {
    const end = Math.min(this.blocks, (part + 1) * this.blocksPerPart);
    for (let block = part * this.blocksPerPart; block < end; block++) {
      const inRow = (block % this.blocksPerRow) * BLOCK;
      const start = Math.floor(block / this.blocksPerRow) * this.rowsPerBlock * this.rowSize + inRow;
      const left = this.rowsPerBlock === 1 ? this.rowSize - inRow : this.size - start;
      const n = Math.min(this.rowsPerBlock === 1 ? BLOCK : this.rowsPerBlock * this.rowSize, left);
      for (const { operand, view } of this.direct) operand.position = view.offset + start;
      for (const gathered of this.gathered) if (!gathered.isConstant) gatherBlock(gathered, start, n);
      for (const { run, out, a, b, c } of this.steps)
        run(n, out.array, out.position, a.array, a.position, b.array, b.position, c.array, c.position, start);
      for (const fold of this.folds) this.fold(fold, start, inRow, n);
    }
  }

  /** Takes the block's n elements, which begin at element `inRow` of a row. */
  private fold({ view, source, reduction, state }: BoundFold, start: number, inRow: number, n: number): void {
    let at = inRow;
    for (let done = 0; done < n;) {
      const row = Math.floor((start + done) / this.rowSize);
      if (at === 0) reduction.start(state);
      const count = Math.min(CHUNK, this.rowSize - at, n - done);
      reduction.add(state, source.array, source.position + done, count, at);
      done += count;
      at += count;
      if (at < this.rowSize) continue;
      view.numbers[view.offset + row] = reduction.result(state);
      at = 0;
    }
  }

  end(): void {
    for (const { operand } of this.direct) operand.array = nothing.array;
  }
}

function fillScalar(operand: Operand, n: number, value: number): void {
  const cast = stepFor(castTo[operand.dtype], 'float64')!;
  cast(n, operand.array, 0, new Float64Array(n).fill(value), 0, nothing.array, 0, nothing.array, 0, 0);
}

const castTo: { readonly [D in DType]: Opcode } = {
  float32: 'castFloat32',
  float64: 'castFloat64',
  int32: 'castInt32',
  bool: 'castBool',
  int64: 'castInt64',
};

function gatherBlock({ operand, view, cursor, stride }: GatheredOperand, start: number, n: number): void {
  cursor.seek(start);
  for (let done = 0; done < n;) {
    const length = Math.min(cursor.left, n - done);
    gatherRun(length, operand.array, done, view.data, view.offset + cursor.offset, stride);
    cursor.advance(length);
    done += length;
  }
}

function gatherRun(n: number, target: NumberArray, to: number, source: TypedArray, from: number, stride: number): void {
  if (source instanceof BigInt64Array) copyBigInts(n, target as unknown as BigInt64Array, to, 1, source, from, stride);
  else if (stride === 0 && n >= 16) target.fill(source[from]!, to, to + n);
  else copyNumbers(n, target, to, 1, source, from, stride);
}
