import { ShapeError, ValueError } from '../../errors';
import { readDataSync } from '../../graph/reading';
import { labelled } from '../../graph/modes';
import { cast } from '../../ops/cast';
import { arange, full, tensor } from '../../ops/create';
import { add, div, eq, lt, maximum, neg, sub, where, mul, ne, logicalAnd } from '../../ops/elementwise';
import { gather } from '../../ops/indexing';
import { concat, stack } from '../../ops/join';
import { pad } from '../../ops/place';
import { logSumExp } from '../../ops/reduce';
import { expand, narrow, reshape, select, unsqueeze } from '../../ops/shape';
import { formatShape } from '../../tensor/shape';
import { TensorBase, type Tensor } from '../../tensor/tensor';
import { checkIndices } from './labels';
import { checkFloat, checkReduction, reduce, type LossOptions } from './reduction';

export interface CTCLossOptions extends LossOptions {
  /** The class that stands for no label. */
  blank?: number;
  /** Whether a loss that is infinite (a target that the input is too short for) counts 0, with no gradient. */
  zeroInfinity?: boolean;
}

/** One length for each sample: numbers, or an int tensor, which is read at once. */
export type Lengths = number | readonly number[] | TensorBase;

/**
 * Connectionist temporal classification (Graves et al. 2006): -log of the probability that labels without times come out
 * of a sequence, summed over all ways to align them by the forward algorithm in logarithms. An alignment repeats labels
 * and puts blanks between them; two equal labels in a row need one.
 *
 * `logProbs` [T, N, C] holds log-probabilities (of logSoftmax over C), `targets` [N, S] or all of them in one row
 * [sum of targetLengths] (int32, int64), none of them blank; `inputLengths`, `targetLengths` [N]. Without a batch [T, C],
 * [S] and one length each. 'mean' divides each loss by its target's length, then takes the mean; 'none' gives [N] or [].
 *
 * The gradient is that of the formula. PyTorch's, with respect to logProbs, has e^logProbs added, which logSoftmax takes out
 * again: with respect to logits both are the same.
 *
 * Throws ShapeError, DTypeError for what does not fit, ValueError for lengths that are no integers from 0 to T or S, a blank
 * that is no class, and an empty batch under 'mean'; a label that is no class is a ValueError when the loss is computed.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.CTCLoss.html
 *
 *     ctcLoss(logSoftmax(logits, 2), labels, [50, 42], [12, 9]);
 *     ctcLoss(logProbs, labels, inputLengths, targetLengths, { blank: 28, zeroInfinity: true });
 */
export function ctcLoss(
  logProbs: TensorBase,
  targets: TensorBase,
  inputLengths: Lengths,
  targetLengths: Lengths,
  options: CTCLossOptions = {},
): Tensor {
  const name = 'ctcLoss';
  const { blank = 0, zeroInfinity = false, reduction = 'mean' } = options;
  const problem = checkedProblem(name, logProbs, targets, inputLengths, targetLengths, blank);
  checkReduction(name, reduction, problem.frames.length);
  return labelled(name, () => {
    const likelihood = logLikelihood(problem, blank);
    const losses = neg(likelihood);
    const kept = zeroInfinity ? where(eq(losses, Infinity), 0, losses) : losses;
    if (reduction !== 'mean') return reduce(name, reshape(kept, logProbs.shape.slice(1, -1)), reduction);
    return reduce(name, div(kept, tensor(problem.lengths.map((length) => Math.max(1, length)))), reduction);
  });
}

/** A batch of sequences, checked. */
interface Problem {
  /** [T, N, C]. */
  readonly logProbs: Tensor;
  /** [N, S], padded with blanks. */
  readonly labels: Tensor;
  /** How many of the T frames count, for each sample. */
  readonly frames: readonly number[];
  /** How many of the S labels count, for each sample. */
  readonly lengths: readonly number[];
}

/** log p(labels) of each sample, [N]. */
function logLikelihood({ logProbs, labels, frames, lengths }: Problem, blank: number): Tensor {
  const { dtype } = logProbs;
  const [time, batch] = logProbs.shape as [number, number, number];
  const states = extended(labels, blank);
  const width = states.shape[1]!;
  const emitted = alongTime(gather(logProbs, 2, expand(unsqueeze(states, 0), [time, batch, width])));
  // From a label one may leap over the blank before it, unless the label before that is the same.
  const leaps = logicalAnd(ne(states, blank), ne(states, shifted(states, 2, blank)));
  const never = full([], -Infinity, { dtype });
  const lengthOf = (values: readonly number[]): Tensor => tensor(Int32Array.from(values), { shape: [batch, 1] });
  const counted = lengthOf(frames);

  // alpha[n][s]: log of the probability of all ways to be in state s after the frames so far. Before the first, a state in
  // front of all others stands for the start; so the first two can be entered by a step and a leap.
  let alpha = where(lt(arange(width), 2), emitted[0]!, never);
  for (let t = 1; t < time; t++) {
    const ways = stack([alpha, shifted(alpha, 1, -Infinity), where(leaps, shifted(alpha, 2, -Infinity), never)]);
    const next = add(logSumExp(ways, { dim: 0 }), emitted[t]!);
    alpha = where(lt(t, counted), next, alpha);
  }

  // It ends in the last label or the blank after it.
  const end = mul(lengthOf(lengths), 2);
  const ends = gather(alpha, 1, concat([end, maximum(sub(end, 1), 0)], { dim: 1 }));
  const possible = logicalAnd(lt(arange(2), add(end, 1)), lt(0, counted));
  const likelihood = logSumExp(where(possible, ends, never), { dim: 1 });
  // Of no frames comes the empty target, surely.
  const nothing = tensor(
    frames.map((length, n) => length === 0 && lengths[n] === 0),
    { dtype: 'bool' },
  );
  return where(nothing, 0, likelihood);
}

/** The states of a sample: blank, label, blank, label, ..., blank: [N, 2 S + 1]. */
function extended(labels: Tensor, blank: number): Tensor {
  const [batch, count] = labels.shape as [number, number];
  const blanks = full([batch, count], blank, { dtype: 'int32' });
  const pairs = reshape(stack([blanks, labels], { dim: 2 }), [batch, 2 * count]);
  return concat([pairs, full([batch, 1], blank, { dtype: 'int32' })], { dim: 1 });
}

/** Rows moved to the right by `by`, with `value` in front. */
function shifted(x: Tensor, by: number, value: number): Tensor {
  const width = x.shape[1]!;
  const kept = Math.max(0, width - by);
  return pad(narrow(x, 1, 0, kept), [width - kept, 0], { value });
}

/** x[0], x[1], ...: taken apart by halves, so that the gradient puts them together in T log T steps rather than T². */
function alongTime(x: Tensor): Tensor[] {
  const length = x.shape[0]!;
  if (length === 1) return [select(x, 0, 0)];
  const half = length >> 1;
  return [...alongTime(narrow(x, 0, 0, half)), ...alongTime(narrow(x, 0, half, length - half))];
}

// ---- checks

function checkedProblem(
  name: string,
  logProbs: TensorBase,
  targets: TensorBase,
  inputLengths: Lengths,
  targetLengths: Lengths,
  blank: number,
): Problem {
  checkFloat(name, { logProbs });
  checkIndices(name, 'targets', targets);
  const { rank, shape } = logProbs;
  const [time = 0, batch = 0, classes = 0] = rank === 2 ? [shape[0], 1, shape[1]] : shape;
  if ((rank !== 2 && rank !== 3) || time === 0 || classes === 0)
    throw new ShapeError(`${name}: logProbs is [T, N, C] or [T, C], T and C at least 1, got ${formatShape(shape)}`);
  if (!Number.isInteger(blank) || blank < 0 || blank >= classes)
    throw new ValueError(`${name}: blank is a class, 0 to ${classes - 1}, got ${String(blank)}`);
  const frames = numbersOf(name, 'inputLengths', inputLengths, batch, time);
  const rows = targets.rank === 2 && rank === 3;
  if (!rows && targets.rank !== 1)
    throw new ShapeError(`${name}: targets is [N, S] or [sum of targetLengths], got ${formatShape(targets.shape)}`);
  if (rows && targets.shape[0] !== batch)
    throw new ShapeError(
      `${name}: targets is [${batch}, S] for a batch of ${batch}, got ${formatShape(targets.shape)}`,
    );
  const lengths = numbersOf(name, 'targetLengths', targetLengths, batch, targets.shape.at(-1)!);
  const sequences = reshape(logProbs, [time, batch, classes]);
  const whole = cast(targets, 'int32');
  if (rows || rank === 2) {
    const labels = reshape(whole, [batch, targets.shape.at(-1)!]);
    return { logProbs: sequences, labels: blanked(labels, lengths, blank), frames, lengths };
  }
  return { logProbs: sequences, labels: rowsOf(name, whole, lengths, blank), frames, lengths };
}

/** Labels beyond a sample's length do not count, whatever they are. */
function blanked(labels: Tensor, lengths: readonly number[], blank: number): Tensor {
  const within = lt(arange(labels.shape[1]!), tensor(Int32Array.from(lengths), { shape: [lengths.length, 1] }));
  return where(within, labels, blank);
}

/** Targets that come in one row, [N, S] with blanks after the shorter ones. */
function rowsOf(name: string, targets: Tensor, lengths: readonly number[], blank: number): Tensor {
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total !== targets.size)
    throw new ShapeError(`${name}: targets in one row are [${total}], the sum of targetLengths, got [${targets.size}]`);
  const longest = Math.max(0, ...lengths);
  let start = 0;
  const rows = lengths.map((length) => {
    start += length;
    return pad(narrow(targets, 0, start - length, length), [0, longest - length], { value: blank });
  });
  return rows.length === 0 ? full([0, 0], blank, { dtype: 'int32' }) : stack(rows);
}

function numbersOf(name: string, argument: string, lengths: unknown, batch: number, most: number): number[] {
  const values = Array.isArray(lengths) ? (lengths as unknown[]) : typeof lengths === 'number' ? [lengths] : null;
  const numbers = values ?? tensorNumbers(name, argument, lengths);
  if (numbers.length !== batch)
    throw new ShapeError(`${name}: ${argument} is one length for each of ${batch} samples, got ${numbers.length}`);
  return numbers.map((length) => {
    if (typeof length === 'number' && Number.isInteger(length) && length >= 0 && length <= most) return length;
    throw new ValueError(`${name}: ${argument} are integers from 0 to ${most}, got ${String(length)}`);
  });
}

function tensorNumbers(name: string, argument: string, lengths: unknown): number[] {
  if (!(lengths instanceof TensorBase))
    throw new ValueError(`${name}: ${argument} are an array of numbers or a tensor, got ${typeof lengths}`);
  checkIndices(name, argument, lengths);
  return Array.from(readDataSync(lengths.capture()), Number);
}
