import { ValueError } from '../errors';
import { applicationOf, resultIndex } from '../graph/formula';
import { isGradEnabled, labelled, withGradMode } from '../graph/modes';
import { opOf } from '../graph/op';
import { record } from '../graph/record';
import { barrier } from '../ops/identity';
import { Tensor } from '../tensor/tensor';

/** What was recorded while a checkpointed function ran: everything from one serial to another. */
interface Segment {
  readonly first: number;
  readonly last: number;
}

/** By the tensors through which gradients come into a segment; the outermost first. */
const segments = new WeakMap<Tensor, readonly Segment[]>();
/** Until then no walk has to look. */
let isUsed = false;

/**
 * `fn(...inputs)`, whose intermediates are not kept for the backward pass: they are computed again, from what `fn` read, when
 * their gradient arrives. Memory for time: a stack of n layers in √n pieces keeps √n results and one piece's intermediates (Chen
 * et al., "Training deep nets with sublinear memory cost", 2016). As `torch.utils.checkpoint.checkpoint`.
 *
 * Values and gradients are the same to the bit: dropout draws the same numbers again, running statistics move once, weights are
 * those of the forward pass, also where `fn` takes them from outside. `fn` is synchronous and returns what it likes; tensors are
 * found in arrays and plain objects. Can be nested, compiled, and differentiated again: then it recomputes too, and sums of
 * second derivatives may be in another order.
 * Throws ValueError if `fn` is no function or returns a promise.
 *
 *     for (const block of blocks) x = checkpoint((h: Tensor) => block.forward(h), x);
 *     mseLoss(x, y).backward();
 */
export function checkpoint<A extends unknown[], R>(fn: (...inputs: A) => R, ...inputs: A): R {
  if (typeof fn !== 'function') throw new ValueError(`checkpoint: takes a function first, got ${typeof fn}`);
  const first = newSerial();
  // The mode as it is: this refuses promises.
  const result = withGradMode(isGradEnabled(), 'checkpoint', () => fn(...inputs));
  mark(tensorsOf(result), { first, last: newSerial() });
  return result;
}

function mark(tensors: readonly Tensor[], segment: Segment): void {
  isUsed = true;
  for (const tensor of tensors)
    if (tensor.serial > segment.first && tensor.requiresGrad)
      segments.set(tensor, [segment, ...(segments.get(tensor) ?? [])]);
}

/** Of a tensor that is recorded now. */
function newSerial(): number {
  return Tensor.ofScalar(0, 'float32').serial;
}

function tensorsOf(value: unknown): Tensor[] {
  const found: Tensor[] = [];
  const seen = new Set<unknown>();
  const stack = [value];
  while (stack.length > 0) {
    const item = stack.pop();
    if (typeof item !== 'object' || item === null || seen.has(item)) continue;
    seen.add(item);
    if (item instanceof Tensor) found.push(item);
    else if (Array.isArray(item) || Object.getPrototypeOf(item) === Object.prototype)
      for (const inner of Object.values(item)) stack.push(inner);
  }
  return found;
}

// ---- in the backward pass

/** A segment that the reverse walk is in. */
interface Visit {
  readonly segment: Segment;
  /** The segment around it, or null. */
  readonly outer: Visit | null;
  /** What has to be there before anything is computed again. */
  readonly arrived: Tensor;
  readonly replays: Map<Tensor, Tensor>;
  /** Gradients of what the segment read. */
  readonly departed: Tensor[];
  /** Where the walk's own recording for this segment begins. */
  readonly began: number;
}

/**
 * Gives the reverse walk, for a tensor that it passes, the tensor that gradient rules read: itself, or, within a checkpointed
 * segment, the same operation recorded again. The replay starts from what the segment read, behind a barrier: all
 * gradients that come into the segment, and those that left the one before. So one segment at a time is in memory.
 */
export class Recomputation {
  #visit: Visit | null = null;
  /** What left the segment before. */
  #departed: readonly Tensor[] = [];

  /** What the walk passes, and the gradients of that as far as they are there and still needed. */
  constructor(
    private readonly path: readonly Tensor[],
    private readonly gradients: readonly (Tensor | null)[],
  ) {}

  /** The walk comes to `tensor`: into its segments, and out of those that it is not in. */
  enter(tensor: Tensor): void {
    if (!isUsed) return;
    while (this.#visit !== null && tensor.serial < this.#visit.segment.first) this.#leave();
    for (const segment of segments.get(tensor) ?? []) if (!this.#isIn(segment)) this.#visit = this.#begin(segment);
  }

  /** What the gradient rule of `tensor` reads in place of it and its inputs. */
  read(tensor: Tensor): { inputs: readonly Tensor[]; output: Tensor } {
    const visit = this.#visit;
    if (visit === null) return { inputs: tensor.inputs, output: tensor };
    return { inputs: tensor.inputs.map((input) => replayOf(input, visit)), output: replayOf(tensor, visit) };
  }

  /** `g` is a part of the gradient of `tensor`. */
  found(tensor: Tensor, g: Tensor): void {
    if (this.#visit !== null && tensor.serial < this.#visit.segment.first) this.#visit.departed.push(g);
  }

  /** The walk is over. */
  end(): void {
    while (this.#visit !== null) this.#leave();
  }

  #leave(): void {
    if (this.#visit === null) return;
    const { outer, departed, began } = this.#visit;
    // Gradients of these gradients recompute as well.
    mark(departed, { first: began, last: newSerial() });
    outer?.departed.push(...departed);
    this.#departed = departed;
    this.#visit = outer;
  }

  #isIn(segment: Segment): boolean {
    for (let visit = this.#visit; visit !== null; visit = visit.outer) if (visit.segment === segment) return true;
    return false;
  }

  #begin(segment: Segment): Visit {
    const { first, last } = segment;
    const began = newSerial();
    const isWithin = ({ serial }: Tensor): boolean => serial > first && serial < last;
    const incoming = this.gradients.filter((g, i): g is Tensor => g !== null && isWithin(this.path[i]!));
    const [g, ...others] = [...incoming, ...this.#departed];
    const arrived = barrier(g!, others);
    return { segment, outer: this.#visit, arrived, replays: new Map(), departed: [], began };
  }
}

/** The tensor recorded again in this visit, with all of the segment that it needs. */
function replayOf(tensor: Tensor, visit: Visit): Tensor {
  const { replays } = visit;
  for (const node of notReplayed(tensor, visit)) replays.set(node, again(node, visit));
  return replays.get(tensor)!;
}

/** What `tensor` needs of the segment and what the segment read for it, in the order of recording. */
function notReplayed(tensor: Tensor, { segment, replays }: Visit): Tensor[] {
  const found = new Set<Tensor>();
  const stack = [tensor];
  while (stack.length > 0) {
    const node = stack.pop()!;
    if (replays.has(node) || found.has(node)) continue;
    found.add(node);
    if (isRecorded(node, segment)) stack.push(...node.inputs);
  }
  return [...found].sort((a, b) => a.serial - b.serial);
}

/** Within the segment and pure: values, versions of Variables and leaves are read as they are. */
function isRecorded(node: Tensor, { first }: Segment): boolean {
  if (node.serial < first || !node.pending || node.isLeaf) return false;
  return applicationOf(node) === null && resultIndex(node) < 0;
}

function again(node: Tensor, { segment, outer, arrived, replays }: Visit): Tensor {
  if (!isRecorded(node, segment)) {
    const read = outer === null ? node : replayOf(node, outer);
    return read.isScalar ? read : barrier(read, [arrived]);
  }
  const op = opOf(node);
  // Random numbers depend on numbers alone, and would be drawn at once.
  const inputs = node.inputs.map((input) => (op.random === true ? barrier(input, [arrived]) : replays.get(input)!));
  const differentiable = isGradEnabled() && node.requiresGrad;
  const replay = withGradMode(differentiable, 'checkpoint', () =>
    labelled(node.label, () => record(op, inputs, node.attrs)),
  );
  // An error names where the user recorded it; and whoever computes batch statistics moves the running ones.
  replay.site = node.site;
  replay.companions = node.companions;
  return replay;
}
