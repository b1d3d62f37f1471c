import { contiguousStrides, formatShape } from '../../tensor/shape';
import {
  arithmeticTypes,
  type BoundView,
  type Call,
  floatTypes,
  type Kernel,
  KernelFailure,
  type Task,
  taskOver,
} from './kernel';
import { coalesceTogether, copyElements, Cursor, type Walk } from './strided';

/** The value at a position of an index tensor, refused outside of [0, size). */
export function checkedIndex(index: BoundView, position: number, size: number): number {
  const value = index.integers[index.offset + position]!;
  if (value >= 0 && value < size) return value;
  throw new KernelFailure('value', `index ${value} at position ${position} is out of range [0, ${size})`);
}

export const gather: Kernel = (call: Call) => {
  call.checkCounts(2, 1, 1);
  const [x, index, out] = [call.inputs[0]!, call.inputs[1]!, call.outputs[0]!];
  call.checkDType(out, [x.dtype], 'the output');
  call.checkShape(out, index.shape, 'the output');
  const { size, stride, cursor } = alongDim(call, x, index);
  return taskOver(index.size, 15, (from, to) => {
    cursor.seek(from);
    for (let i = from; i < to; i++) {
      const at = x.offset + cursor.offset + checkedIndex(index, i, size) * stride;
      copyElements(1, out.data, out.offset + i, 1, x.data, at, 1);
      cursor.advance(1);
    }
  });
};

export const scatterAdd: Kernel = (call: Call) => {
  call.checkCounts(3, 1, 1);
  const [x, index, source] = call.inputs as [BoundView, BoundView, BoundView];
  const out = call.outputs[0]!;
  call.checkDType(x, arithmeticTypes, 'the input');
  call.checkDType(source, [x.dtype], 'the source');
  call.checkDType(out, [x.dtype], 'the output');
  call.checkShape(out, x.shape, 'the output');
  call.checkShape(source, index.shape, 'the source');
  const { size, stride, cursor } = alongDim(call, x, index);
  const task = taskOver(index.size, 15, (from, to) => {
    const sums = out.numbers;
    const added = source.numbers;
    cursor.seek(from);
    for (let i = from; i < to; i++) {
      const at = out.offset + cursor.offset + checkedIndex(index, i, size) * stride;
      sums[at]! += added[source.offset + i]!;
      cursor.advance(1);
    }
  });
  return { ...task, begin: () => copyElements(x.size, out.data, out.offset, 1, x.data, x.offset, 1) };
};

/** How the elements of an index tensor point into x: a cursor over x's strides, without the dim that the index replaces. */
function alongDim(call: Call, x: BoundView, index: BoundView): { size: number; stride: number; cursor: Cursor } {
  call.checkDType(index, ['int32'], 'the index');
  const dim = call.integer(0, 0);
  call.check(dim < x.shape.length, `the input has no dim ${dim}`);
  call.checkRank(index, x.shape.length, 'the index');
  const fits = index.shape.every((size, d) => d === dim || size <= x.shape[d]!);
  call.check(fits, `the index ${formatShape(index.shape)} is larger than the input ${formatShape(x.shape)}`);
  const strides = contiguousStrides(x.shape);
  const stride = strides[dim]!;
  strides[dim] = 0;
  return { size: x.shape[dim]!, stride, cursor: new Cursor({ shape: index.shape, strides }) };
}

export const embedding: Kernel = (call: Call) => {
  call.checkCounts(2, 1, 0);
  const [weight, index, out] = [call.inputs[0]!, call.inputs[1]!, call.outputs[0]!];
  call.checkDType(index, ['int32'], 'the index');
  call.checkDType(out, [weight.dtype], 'the output');
  call.checkRank(weight, 2, 'the weight');
  const [rows, width] = weight.shape as [number, number];
  call.checkShape(out, [...index.shape, width], 'the output');
  return taskOver(index.size, 20 + width, (from, to) => {
    for (let i = from; i < to; i++) {
      const row = weight.offset + checkedIndex(index, i, rows) * width;
      copyElements(width, out.data, out.offset + i * width, 1, weight.data, row, 1);
    }
  });
};

export const embeddingGrad: Kernel = (call: Call) => {
  call.checkCounts(2, 1, 0);
  const [g, index, out] = [call.inputs[0]!, call.inputs[1]!, call.outputs[0]!];
  call.checkDType(g, floatTypes, 'the gradient');
  call.checkDType(index, ['int32'], 'the index');
  call.checkDType(out, [g.dtype], 'the output');
  call.checkRank(out, 2, 'the output');
  const [rows, width] = out.shape as [number, number];
  call.checkShape(g, [...index.shape, width], 'the gradient');
  const task = taskOver(index.size, 20 + 2 * width, (from, to) => {
    const sums = out.floats;
    const added = g.floats;
    for (let i = from; i < to; i++) {
      const row = out.offset + checkedIndex(index, i, rows) * width;
      const source = g.offset + i * width;
      for (let column = 0; column < width; column++) sums[row + column]! += added[source + column]!;
    }
  });
  return { ...task, begin: () => void out.floats.fill(0, out.offset, out.offset + out.size) };
};

export const concat: Kernel = (call: Call) => {
  call.check(call.inputs.length > 0, 'has no inputs');
  call.checkCounts(call.inputs.length, 1, 1);
  const out = call.outputs[0]!;
  const dim = call.integer(0, 0);
  call.check(dim < out.shape.length, `the output has no dim ${dim}`);
  const strides = contiguousStrides(out.shape);
  let next = 0;
  const copies = call.inputs.map((input) => {
    call.checkDType(input, [out.dtype], 'an input');
    call.checkRank(input, out.shape.length, 'an input');
    const size = input.shape[dim]!;
    call.checkShape(input, out.shape.with(dim, size), 'an input');
    const copy = stridedCopy(input, out, next * strides[dim]!, strides);
    next += size;
    return copy;
  });
  call.check(
    next === out.shape[dim],
    `the inputs have ${next} elements along dim ${dim}, the output ${out.shape[dim]}`,
  );
  return inSequence(copies);
};

export const pad: Kernel = (call: Call) => {
  const rank = call.inputs[0]?.shape.length ?? 0;
  call.checkCounts(1, 1, 1 + 2 * rank);
  const [x, out] = [call.inputs[0]!, call.outputs[0]!];
  call.checkDType(out, [x.dtype], 'the output');
  call.checkRank(out, rank, 'the output');
  const value = call.attributes[0]!;
  call.check(out.dtype !== 'int64' || Number.isSafeInteger(value), `the value ${value} is not an integer`);
  let start = 0;
  const outStrides = contiguousStrides(out.shape);
  const strides = x.shape.map((size, dim) => {
    const first = call.integer(1 + dim, -Infinity);
    const step = call.integer(1 + rank + dim, -Infinity);
    const last = first + (size - 1) * step;
    const end = out.shape[dim]!;
    const fits = x.size === 0 || (first >= 0 && first < end && last >= 0 && last < end);
    call.check(fits, `dim ${dim} of ${size} elements from ${first} by ${step} is not within ${end}`);
    start += first * outStrides[dim]!;
    return step * outStrides[dim]!;
  });
  const copy = stridedCopy(x, out, start, strides);
  return { ...copy, begin: () => fill(out, value) };
};

function fill(view: BoundView, value: number): void {
  const end = view.offset + view.size;
  if (view.data instanceof BigInt64Array) view.data.fill(BigInt(value), view.offset, end);
  else view.numbers.fill(view.dtype === 'bool' ? Number(value !== 0) : value, view.offset, end);
}

/** A task that copies a view to positions `start` and on, by the given strides, of another. */
function stridedCopy(source: BoundView, target: BoundView, start: number, strides: readonly number[]): Task {
  const walks = coalesceTogether(source.shape, [source.strides, strides]);
  const [reading, writing] = walks as [Walk, Walk];
  const last = reading.shape.length - 1;
  const n = reading.shape[last]!;
  const outer = (walk: Walk): Cursor =>
    new Cursor({ shape: [1, ...walk.shape.slice(0, last)], strides: [0, ...walk.strides.slice(0, last)] });
  const [from, to] = [outer(reading), outer(writing)];
  const [fromStride, toStride] = [reading.strides[last]!, writing.strides[last]!];
  return taskOver(n === 0 ? 0 : source.size / n, 20 + n, (first, end) => {
    from.seek(first);
    to.seek(first);
    for (let row = first; row < end; row++) {
      const target0 = target.offset + start + to.offset;
      copyElements(n, target.data, target0, toStride, source.data, source.offset + from.offset, fromStride);
      from.advance(1);
      to.advance(1);
    }
  });
}

function inSequence(tasks: readonly Task[]): Task {
  const owners = tasks.flatMap((task) => Array.from({ length: task.parts }, (_, part) => ({ task, part })));
  return {
    parts: owners.length,
    run(part) {
      const owner = owners[part]!;
      owner.task.run(owner.part);
    },
  };
}
