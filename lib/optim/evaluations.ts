import { evaluateSync, submit } from '../graph/evaluate';
import { readItemSync } from '../graph/reading';
import { noGrad } from '../graph/modes';
import type { Tensor } from '../tensor/tensor';

/** An algorithm that needs numbers on its way: it yields tensors, and goes on when they have their values. */
export type Evaluations<T> = Generator<readonly Tensor[], T, void>;

/** Runs to the end; the event loop turns while tensors are computed. */
export async function runAsync<T>(evaluations: Evaluations<T>): Promise<T> {
  let next = evaluations.next();
  while (next.done !== true) {
    try {
      await submit(next.value);
    } catch (error) {
      next = evaluations.throw(error);
      continue;
    }
    next = evaluations.next();
  }
  return next.value;
}

/** Runs to the end before it returns. */
export function runSync<T>(evaluations: Evaluations<T>): T {
  let next = evaluations.next();
  while (next.done !== true) {
    try {
      evaluateSync(next.value);
    } catch (error) {
      next = evaluations.throw(error);
      continue;
    }
    next = evaluations.next();
  }
  return next.value;
}

/** The numbers of scalars that are recorded without gradients. */
export function* numbersOf(record: () => readonly Tensor[]): Evaluations<number[]> {
  const values = noGrad(record);
  yield values;
  return values.map((value) => readItemSync(value));
}
