import type { DType, TypedArray } from './dtype';
import { formatShape, sizeOf, type Shape } from './shape';

/** Larger tensors are summarised, by so many entries at both ends of each dim; as in PyTorch. */
const SUMMARISE_ABOVE = 1000;
const EDGE_ITEMS = 3;
const PRECISION = 4;
const LINE_WIDTH = 80;

/** What is printed of a tensor; `data` is null while it is a recipe that nobody asked for. */
export interface Printable {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly requiresGrad: boolean;
  readonly data: TypedArray | null;
}

/** `tensor([[1, 2], [3, 4]])`, as PyTorch prints; what is pending is not computed for it. */
export function formatTensor({ shape, dtype, requiresGrad, data }: Printable): string {
  const notes = [
    ...(data === null || (sizeOf(shape) === 0 && shape.length > 1) ? [`shape=${formatShape(shape)}`] : []),
    ...(dtype === 'float32' ? [] : [`dtype=${dtype}`]),
    ...(requiresGrad ? ['requiresGrad=true'] : []),
  ];
  const content = data === null ? '<pending>' : formatData(data, shape, dtype);
  return `tensor(${[content, ...notes].join(', ')})`;
}

function formatData(data: TypedArray, shape: Shape, dtype: DType): string {
  if (sizeOf(shape) === 0) return '[]';
  const isLarge = sizeOf(shape) > SUMMARISE_ABOVE;
  const shown = shownIndices(shape, isLarge).map((index) => data[index]!);
  const format = elementFormat(shown, dtype);
  const width = Math.max(...shown.map((value) => format(value).length));
  return formatDims(data, shape, 0, 0, isLarge, (value) => format(value).padStart(width));
}

/** The positions of a dim that are printed; -1 stands for the dots. */
function positions(size: number, isLarge: boolean): number[] {
  if (!isLarge || size <= 2 * EDGE_ITEMS) return Array.from({ length: size }, (_, i) => i);
  const edge = Array.from({ length: EDGE_ITEMS }, (_, i) => i);
  return [...edge, -1, ...edge.map((i) => size - EDGE_ITEMS + i)];
}

function shownIndices(shape: Shape, isLarge: boolean): number[] {
  let indices = [0];
  for (const size of shape) {
    const shown = positions(size, isLarge).filter((position) => position >= 0);
    indices = indices.flatMap((index) => shown.map((position) => index * size + position));
  }
  return indices;
}

function formatDims(
  data: TypedArray,
  shape: Shape,
  dim: number,
  base: number,
  isLarge: boolean,
  format: (value: number | bigint) => string,
): string {
  if (dim === shape.length) return format(data[base]!).trim();
  const size = shape[dim]!;
  const isRow = dim === shape.length - 1;
  const parts = positions(size, isLarge).map((position) => {
    if (position < 0) return '...';
    const index = base * size + position;
    return isRow ? format(data[index]!) : formatDims(data, shape, dim + 1, index, isLarge, format);
  });
  // Below the first bracket of this dim, behind "tensor(".
  const indent = ' '.repeat('tensor('.length + dim + 1);
  if (isRow) return `[${wrapped(parts, indent)}]`;
  return `[${parts.join(`,${'\n'.repeat(shape.length - 1 - dim)}${indent}`)}]`;
}

function wrapped(parts: readonly string[], indent: string): string {
  const perLine = Math.max(1, Math.floor((LINE_WIDTH - indent.length) / (parts[0]!.length + 2)));
  const lines: string[] = [];
  for (let i = 0; i < parts.length; i += perLine) lines.push(parts.slice(i, i + perLine).join(', '));
  return lines.join(`,\n${indent}`);
}

/** One format for all elements: integers, a fixed number of digits, or powers of ten where sizes differ too much. */
function elementFormat(shown: readonly (number | bigint)[], dtype: DType): (value: number | bigint) => string {
  if (dtype === 'bool') return (value) => (value === 0 ? 'false' : 'true');
  if (dtype === 'int32' || dtype === 'int64') return String;
  const finite = shown.map(Number).filter(Number.isFinite);
  const sizes = finite.map(Math.abs).filter((value) => value > 0);
  const largest = Math.max(0, ...sizes);
  const smallest = Math.min(Infinity, ...sizes);
  const areWhole = finite.every(Number.isInteger);
  const special = (value: number): string => (Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf');
  const number = (digits: (value: number) => string) => (value: number | bigint) =>
    Number.isFinite(Number(value)) ? digits(Number(value)) : special(Number(value));
  if (areWhole && largest < 1e8) return number((value) => `${Object.is(value, -0) ? '-0' : value}.`);
  if (largest >= 1e8 || largest / smallest > 1000 || smallest < 1e-4) return number((value) => exponential(value));
  return number((value) => value.toFixed(PRECISION));
}

function exponential(value: number): string {
  const [mantissa, exponent] = value.toExponential(PRECISION).split('e') as [string, string];
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}

/** A number rounded to so many significant digits, without zeros at its end. */
export function significant(value: number, digits: number): string {
  return String(Number(value.toPrecision(digits)));
}
