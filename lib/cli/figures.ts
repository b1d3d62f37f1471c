import type { Surface } from '../landscape';
import { noGrad } from '../graph/modes';
import { tensor } from '../ops/create';
import { significant } from '../tensor/print';

/** A number as tables and sentences have it: four digits. */
export function show(value: number): string {
  return significant(value, 4);
}

const POINTS = 81;

/** A two-dimensional surface on its domain. */
export function gridOf({ loss, domain }: Surface): { x: number[]; y: number[]; values: (number | null)[][] } {
  const [x, y] = domain.map(([from, to]) =>
    Array.from({ length: POINTS }, (_, i) => from + ((to - from) * i) / (POINTS - 1)),
  ) as [number[], number[]];
  const valueAt = (a: number, b: number): number | null => {
    const value = noGrad(() => loss(tensor([a, b], { dtype: 'float64' }))).itemSync();
    return Number.isFinite(value) ? value : null;
  };
  return { x, y, values: y.map((b) => x.map((a) => valueAt(a, b))) };
}
