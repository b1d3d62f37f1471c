import { ShapeError, ValueError } from '../errors';
import { noGrad } from '../graph/modes';
import { tensor } from '../ops/create';
import { normal as drawNormal, uniform as drawUniform, type Generator } from '../ops/random';
import { checkInteger, formatShape, sizeOf } from '../tensor/shape';
import type { Variable } from '../tensor/tensor';
import { checkNumber } from './check';

/*
 * Initialisations that decide element by element. Their numbers are computed when they are called.
 * https://pytorch.org/docs/1.13/nn.init.html
 */

function setValues(variable: Variable, values: Float64Array): Variable {
  const { shape, dtype } = variable;
  noGrad(() => variable.initialize(tensor(values, { shape, dtype })));
  return variable;
}

function checkMatrix(name: string, variable: Variable): [rows: number, columns: number] {
  if (variable.rank !== 2) throw new ShapeError(`${name}: takes two dims, got ${formatShape(variable.shape)}`);
  return variable.shape as [number, number];
}

/**
 * The identity: 1 on the diagonal of a matrix [out, in], 0 elsewhere. Throws ShapeError for anything but two dims.
 *
 *     init.eye(layer.weight);
 */
export function eye(variable: Variable): Variable {
  const [rows, columns] = checkMatrix('eye', variable);
  const values = new Float64Array(rows * columns);
  for (let i = 0; i < Math.min(rows, columns); i++) values[i * columns + i] = 1;
  return setValues(variable, values);
}

/**
 * The identity of a convolution [out, in / groups, ...kernel]: in each group, channel i goes to channel i. Throws
 * ShapeError unless there are 3 to 5 dims, ValueError unless groups divides the output channels.
 *
 *     init.dirac(conv.weight, { groups: conv.groups });
 */
export function dirac(variable: Variable, { groups = 1 }: { groups?: number } = {}): Variable {
  if (variable.rank < 3 || variable.rank > 5)
    throw new ShapeError(`dirac: takes 3 to 5 dims, got ${formatShape(variable.shape)}`);
  const [outputs, inputs, ...kernel] = variable.shape as [number, number, ...number[]];
  checkInteger('dirac', 'groups', groups, 1);
  if (outputs % groups !== 0)
    throw new ValueError(`dirac: groups divides the ${outputs} output channels, got ${groups}`);
  const field = sizeOf(kernel);
  const center = kernel.reduce((flat, size) => flat * size + Math.floor(size / 2), 0);
  const perGroup = outputs / groups;
  const values = new Float64Array(variable.size);
  for (let group = 0; group < groups; group++)
    for (let i = 0; i < Math.min(perGroup, inputs); i++)
      values[((group * perGroup + i) * inputs + i) * field + center] = 1;
  return setValues(variable, values);
}

/**
 * Orthonormal rows, or columns where there are more rows than columns, times `gain`; a variable of more dims counts as
 * [first, all others]. Evenly distributed over all such matrices (Saxe et al. 2014). Throws ShapeError below two dims.
 *
 *     init.orthogonal(layer.weight, { gain: Math.SQRT2 });
 */
export function orthogonal(
  variable: Variable,
  { gain = 1, generator }: { gain?: number; generator?: Generator } = {},
): Variable {
  if (variable.rank < 2) throw new ShapeError(`orthogonal: takes at least 2 dims, got ${formatShape(variable.shape)}`);
  checkNumber('orthogonal', 'gain', gain);
  const rows = variable.shape[0]!;
  const columns = sizeOf(variable.shape.slice(1));
  if (rows * columns === 0) return variable;
  const isWide = rows <= columns;
  const [count, length] = isWide ? [rows, columns] : [columns, rows];
  const noise = drawNormal([count, length], 0, 1, { dtype: 'float64', generator }).dataSync();
  const vectors = orthonormal(noise as Float64Array, count, length);
  const values = new Float64Array(rows * columns);
  for (let i = 0; i < count; i++)
    for (let j = 0; j < length; j++)
      values[isWide ? i * columns + j : j * columns + i] = gain * vectors[i * length + j]!;
  return setValues(variable, values);
}

/** Makes the rows orthonormal by Gram and Schmidt, each twice, which is enough (Giraud et al. 2005). */
function orthonormal(rows: Float64Array, count: number, length: number): Float64Array {
  const row = (i: number): Float64Array => rows.subarray(i * length, (i + 1) * length);
  for (let i = 0; i < count; i++) {
    const current = row(i);
    for (let pass = 0; pass < 2; pass++) for (let j = 0; j < i; j++) addTimes(current, row(j), -dot(current, row(j)));
    const norm = Math.sqrt(dot(current, current));
    for (let k = 0; k < length; k++) current[k]! /= norm;
  }
  return rows;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addTimes(a: Float64Array, b: Float64Array, factor: number): void {
  for (let i = 0; i < a.length; i++) a[i]! += factor * b[i]!;
}

/**
 * Normally spread around 0, except that in each column of a matrix the share `sparsity` of its elements, rounded up, is 0
 * (Martens 2010). Throws ShapeError for anything but two dims, ValueError for a sparsity outside [0, 1].
 *
 *     init.sparse(layer.weight, 0.9);
 */
export function sparse(
  variable: Variable,
  sparsity: number,
  { std = 0.01, generator }: { std?: number; generator?: Generator } = {},
): Variable {
  const [rows, columns] = checkMatrix('sparse', variable);
  checkNumber('sparse', 'sparsity', sparsity, { least: 0, most: 1 });
  checkNumber('sparse', 'std', std, { least: 0 });
  const values = Float64Array.from(
    drawNormal([rows, columns], 0, std, { dtype: 'float64', generator }).dataSync(),
    Number,
  );
  const order = drawUniform([rows, columns], 0, 1, { dtype: 'float64', generator }).dataSync() as Float64Array;
  const zeros = Math.ceil(sparsity * rows);
  for (let column = 0; column < columns; column++) {
    const at = (row: number): number => row * columns + column;
    const shuffled = Array.from({ length: rows }, (_, row) => row).sort((a, b) => order[at(a)]! - order[at(b)]!);
    for (const row of shuffled.slice(0, zeros)) values[at(row)] = 0;
  }
  return setValues(variable, values);
}
