import { BackendError } from '../../errors';
import type { LoadedProgram, Run } from '../../graph/backend';
import { kernels, type KernelName } from '../../graph/program/kernels';
import type { BufferSpec, Program, View } from '../../graph/program/program';
import { dtypes, type TypedArray } from '../../tensor/dtype';
import { MAX_ELEMENTS, MAX_RANK, sizeOf } from '../../tensor/shape';
import { BoundView, Call, type Task } from './kernel';
import { kernelTable } from './table';
import type { Workspace } from './workspace';

/** A program whose views are known to be in bounds and whose instructions are tasks. */
export class PreparedProgram implements LoadedProgram {
  readonly tasks: readonly Task[];
  /** The first instruction that overwrites state: from there on a run is not aborted. */
  readonly firstWriter: number;
  private readonly calls: readonly Call[];
  private readonly views: readonly BoundView[];
  private arenaOfBuffers: ArrayBuffer | null = null;
  private arenaBuffers: readonly (TypedArray | null)[] = [];

  constructor(
    readonly program: Program,
    private readonly workspace: Workspace,
  ) {
    const { scalars, arenaBytes, buffers } = program;
    check(Number.isSafeInteger(scalars) && scalars >= 0, `the number of scalars is ${scalars}`);
    check(Number.isSafeInteger(arenaBytes) && arenaBytes >= 0, `the arena has ${arenaBytes} bytes`);
    buffers.forEach((buffer, index) => checkBuffer(buffer, index, arenaBytes));
    this.calls = program.instructions.map((instruction, index) => {
      const where = `instruction ${index}, ${instruction.kernel} (${instruction.label})`;
      check(Object.hasOwn(kernels, instruction.kernel), `${where}: unknown kernel`);
      const bind = (view: View, name: string): BoundView => {
        const spec = checkView(view, buffers, `${where}: ${name}`);
        return new BoundView(view.buffer, spec.dtype, view.offset, view.shape, view.strides);
      };
      const inputs = instruction.inputs.map((view, i) => bind(view, `input ${i}`));
      const outputs = instruction.outputs.map((view, i) => bind(view, `output ${i}`));
      for (const view of outputs) {
        check(buffers[view.buffer]!.kind !== 'input', `${where}: writes buffer ${view.buffer}, an input`);
        check(view.isContiguous, `${where}: an output is not contiguous`);
      }
      checkApart(inputs, outputs, buffers, overwritable(instruction.kernel, inputs), where);
      if (kernels[instruction.kernel].strided === 'none')
        check(
          inputs.every((view) => view.isContiguous),
          `${where}: an input is not contiguous`,
        );
      return new Call(index, instruction, inputs, outputs, workspace);
    });
    this.tasks = this.calls.map((call, index) => kernelTable[program.instructions[index]!.kernel](call, scalars));
    const writes = (view: View): boolean => buffers[view.buffer]!.kind === 'inout';
    const writer = program.instructions.findIndex(({ outputs }) => outputs.some(writes));
    this.firstWriter = writer < 0 ? program.instructions.length : writer;
    this.views = this.calls.flatMap((call) => [...call.inputs, ...call.outputs]);
  }

  /** Points every view at the run's storages; returns what does not fit, or null. */
  bind(run: Run): string | null {
    const { buffers, scalars } = this.program;
    if (run.scalars.length < scalars) return `the program takes ${scalars} scalars, not ${run.scalars.length}`;
    const arrays = this.arenaArrays().slice();
    let next = 0;
    for (let index = 0; index < buffers.length; index++) {
      if (buffers[index]!.kind === 'arena') continue;
      const { dtype, length } = buffers[index]!;
      const storage = run.bindings[next++];
      if (storage === undefined) return `only ${run.bindings.length} storages are bound`;
      if (storage.dtype !== dtype || storage.length < length)
        return `buffer ${index} is ${dtype} [${length}]; the storage is ${storage.dtype} [${storage.length}]`;
      arrays[index] = storage.data;
    }
    if (next !== run.bindings.length) return `${next} storages are needed, not ${run.bindings.length}`;
    for (const view of this.views) view.data = arrays[view.buffer]!;
    for (const call of this.calls) call.scalars = run.scalars;
    return null;
  }

  /** Lets go of the run's storages. */
  unbind(): void {
    for (const view of this.views) view.unbind();
  }

  private arenaArrays(): readonly (TypedArray | null)[] {
    this.workspace.growArena(this.program.arenaBytes);
    const { arena } = this.workspace;
    if (this.arenaOfBuffers !== arena) {
      this.arenaOfBuffers = arena;
      this.arenaBuffers = this.program.buffers.map(({ kind, dtype, offset, length }) =>
        kind === 'arena' ? new dtypes[dtype].array(arena, offset, length) : null,
      );
    }
    return this.arenaBuffers;
  }
}

function checkBuffer({ kind, dtype, length, offset }: BufferSpec, index: number, arenaBytes: number): void {
  const name = `buffer ${index}`;
  check(['input', 'output', 'inout', 'arena'].includes(kind), `${name}: unknown kind ${kind}`);
  check(Object.hasOwn(dtypes, dtype), `${name}: unknown dtype ${dtype}`);
  check(isIndex(length), `${name}: length ${length}`);
  if (kind !== 'arena') return;
  check(Number.isSafeInteger(offset) && offset >= 0 && offset % 64 === 0, `${name}: offset ${offset}`);
  check(offset + length * dtypes[dtype].bytes <= arenaBytes, `${name}: ends beyond the arena's ${arenaBytes} bytes`);
}

/** Checks that every element of the view lies in its buffer, and returns the buffer. */
function checkView(view: View, buffers: readonly BufferSpec[], where: string): BufferSpec {
  const spec = buffers[view.buffer];
  check(spec !== undefined, `${where}: there is no buffer ${view.buffer}`);
  check(view.shape.length <= MAX_RANK, `${where}: ${view.shape.length} dims, more than ${MAX_RANK}`);
  check(view.shape.length === view.strides.length, `${where}: as many strides as dims are needed`);
  check(
    isIndex(view.offset) && view.shape.every(isIndex) && view.strides.every(isIndex),
    `${where}: not whole numbers`,
  );
  if (view.shape.includes(0)) return spec;
  check(sizeOf(view.shape) <= MAX_ELEMENTS, `${where}: more than ${MAX_ELEMENTS} elements`);
  const last = view.shape.reduce((sum, size, dim) => sum + (size - 1) * view.strides[dim]!, view.offset);
  check(last < spec.length, `${where}: reaches element ${last} of the ${spec.length} of buffer ${view.buffer}`);
  return spec;
}

/** Inputs that a kernel may overwrite: elementwise chains any, and a scatter the one that it adds to. */
function overwritable(kernel: KernelName, inputs: readonly BoundView[]): readonly BoundView[] {
  if (kernel === 'elementwise') return inputs;
  return kernel === 'scatterAdd' ? inputs.slice(0, 1) : [];
}

/** Outputs lie apart from each other and from inputs, but for those that may be overwritten at the same index. */
function checkApart(
  inputs: readonly BoundView[],
  outputs: readonly BoundView[],
  buffers: readonly BufferSpec[],
  mayOverwrite: readonly BoundView[],
  where: string,
): void {
  outputs.forEach((output, index) => {
    for (const other of [...inputs, ...outputs.slice(0, index)]) {
      const isAllowed = mayOverwrite.includes(other) && sharesElements(output, other, buffers);
      check(isAllowed || !overlap(output, other, buffers), `${where}: output ${index} overlaps another operand`);
    }
  });
}

function overlap(a: BoundView, b: BoundView, buffers: readonly BufferSpec[]): boolean {
  if (a.size === 0 || b.size === 0) return false;
  const areArena = buffers[a.buffer]!.kind === 'arena' && buffers[b.buffer]!.kind === 'arena';
  if (!areArena && a.buffer !== b.buffer) return false;
  const [firstA, endA] = bytesOf(a, buffers);
  const [firstB, endB] = bytesOf(b, buffers);
  return firstA < endB && firstB < endA;
}

/** Whether element i of both has the same bytes, for every i. */
function sharesElements(a: BoundView, b: BoundView, buffers: readonly BufferSpec[]): boolean {
  const isSameSize = dtypes[a.dtype].bytes === dtypes[b.dtype].bytes;
  const isSamePlace = bytesOf(a, buffers)[0] === bytesOf(b, buffers)[0];
  return isSameSize && isSamePlace && overlap(a, b, buffers) && a.isContiguous && b.isContiguous;
}

/** The first byte of a view in its buffer or in the arena, and the one after its last. */
function bytesOf(view: BoundView, buffers: readonly BufferSpec[]): [number, number] {
  const { bytes } = dtypes[view.dtype];
  const first = buffers[view.buffer]!.offset + view.offset * bytes;
  const last = view.shape.reduce((sum, size, dim) => sum + (size - 1) * view.strides[dim]!, 0);
  return [first, first + (last + 1) * bytes];
}

function isIndex(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MAX_ELEMENTS;
}

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new BackendError(`portable backend: the program is malformed: ${what}`);
}
