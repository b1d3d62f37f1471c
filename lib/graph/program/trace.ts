import { infoOf } from '../../tensor/dtype';
import type { Tensor } from '../../tensor/tensor';
import { resultIndex } from '../formula';
import { opOf } from '../op';
import { Signature } from './signature';

/** The recipe of some tensors, laid flat. Everything in it that is not part of `signature` is an input of the program. */
export interface Trace {
  /** What has to be computed, in the order of recording. */
  readonly nodes: readonly Tensor[];
  /** Values it starts from, in the order of first use. */
  readonly leaves: readonly Tensor[];
  /** Numbers it starts from. */
  readonly scalars: readonly Tensor[];
  /** What becomes a value: what was asked for, and companions. */
  readonly roots: readonly Tensor[];
  /** For each root the leaf whose storage it may take over, or -1. */
  readonly donors: readonly number[];
  /** The structure: two recipes with equal signatures are one program. It stands until the next trace. */
  readonly signature: Signature;
}

let walks = 0;
const signature = new Signature();

/** Which tensors come along, and what may be overwritten: as recorded, or as a compiled function knows better. */
export interface TraceOptions {
  /** Whether companions of what is wanted are computed too. */
  readonly companions: boolean;
  /** The version that a root may be written over. */
  readonly donor: (root: Tensor) => Tensor | null;
}

const asRecorded: TraceOptions = {
  companions: true,
  donor: ({ replaces: old }) => (old === null || old.captured || old.storage === null ? null : old),
};

/** Lays flat what the pending ones of `wanted` need, with their companions. Iterative: recipes can be deep. */
export function trace(wanted: readonly Tensor[], options: TraceOptions = asRecorded): Trace {
  const { nodes, roots } = collect(wanted, options.companions);
  const leaves: Tensor[] = [];
  const scalars: Tensor[] = [];
  const walk = ++walks;
  signature.clear();
  for (let index = 0; index < nodes.length; index++) {
    const node = nodes[index]!;
    node.index = index;
    node.visit = walk;
    const { inputs, attributes, shape } = node;
    if (resultIndex(node) >= 0) {
      // The formula and its members, which are in the words of the application, say the rest.
      signature.addInteger(node.op!.id);
      signature.addInteger(attributes[0]!);
      signature.addInteger(inputs[0]!.index);
      continue;
    }
    signature.addInteger(node.op!.id);
    signature.addInteger(infoOf(node.dtype).id | (inputs.length << 4));
    signature.addInteger(attributes.length | (shape.length << 24));
    signature.addAll(attributes);
    signature.addShape(shape);
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[i]!;
      if (input.visit !== walk) {
        input.visit = walk;
        const list = input.isScalar ? scalars : leaves;
        input.index = list.length;
        list.push(input);
        // A new input: its dtype and shape.
        signature.addInteger(-1 - infoOf(input.dtype).id);
        signature.addInteger(input.shape.length);
        signature.addShape(input.shape);
      }
      signature.addInteger((input.index << 2) | (input.isScalar ? 0 : input.pending ? 1 : 2));
    }
  }
  const donors = new Array<number>(roots.length);
  for (let i = 0; i < roots.length; i++) {
    // Only if this program reads it.
    const donor = options.donor(roots[i]!);
    donors[i] = donor === null || donor.visit !== walk ? -1 : donor.index;
    signature.addInteger(roots[i]!.index);
    signature.addInteger(donors[i]!);
  }
  return { nodes, leaves, scalars, roots, donors, signature };
}

/** All pending tensors that the wanted ones need, in the order of recording, and everything that becomes a value. */
function collect(wanted: readonly Tensor[], companions: boolean): { nodes: Tensor[]; roots: Tensor[] } {
  const walk = ++walks;
  const nodes: Tensor[] = [];
  const roots: Tensor[] = [];
  const stack: Tensor[] = [];
  const addRoot = (tensor: Tensor): void => {
    if (tensor.rooted === walk || !tensor.pending) return;
    tensor.rooted = walk;
    roots.push(tensor);
    stack.push(tensor);
  };
  for (let i = 0; i < wanted.length; i++) addRoot(wanted[i]!);
  while (stack.length > 0) {
    const tensor = stack.pop()!;
    if (tensor.visit === walk) continue;
    tensor.visit = walk;
    nodes.push(tensor);
    // What a Variable holds now is computed once, not with every program that reads it.
    if (tensor.variable !== null && tensor.variable.current === tensor) addRoot(tensor);
    const { inputs, companions: others } = tensor;
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[i]!;
      if (input.visit !== walk && input.pending) stack.push(input);
    }
    if (others === null || !companions) continue;
    // A version that has been replaced before it was computed is only an intermediate.
    for (let i = 0; i < others.length; i++) {
      const other = others[i]!;
      if (other.variable === null || other.variable.current === other) addRoot(other);
    }
  }
  return { nodes: inOrder(nodes), roots: inOrder(roots) };
}

/** By the order of recording. Serials of one recipe lie close together: mostly they are places in a list. */
export function inOrder(tensors: Tensor[]): Tensor[] {
  let [least, most] = [Infinity, 0];
  for (let i = 0; i < tensors.length; i++) {
    const { serial } = tensors[i]!;
    if (serial < least) least = serial;
    if (serial > most) most = serial;
  }
  const span = most - least + 1;
  if (tensors.length < 8 || span > 8 * tensors.length) return tensors.sort((a, b) => a.serial - b.serial);
  const places = new Array<Tensor | null>(span).fill(null);
  for (let i = 0; i < tensors.length; i++) places[tensors[i]!.serial - least] = tensors[i]!;
  let next = 0;
  for (let i = 0; i < span; i++) if (places[i] !== null) tensors[next++] = places[i]!;
  return tensors;
}

/** How many pending tensors `tensor` needs; stops counting beyond `limit`. */
export function countPending(tensor: Tensor, limit: number): number {
  const walk = ++walks;
  const stack = [tensor];
  let count = 0;
  while (stack.length > 0 && count <= limit) {
    const node = stack.pop()!;
    if (node.visit === walk || !node.pending) continue;
    node.visit = walk;
    count++;
    stack.push(...node.inputs);
  }
  return count;
}

/** Tensors that the data can make fail, in the order of the trace. */
export function sitesOf(nodes: readonly Tensor[]): Error[] {
  const sites: Error[] = [];
  for (const node of nodes) if (opOf(node).checksData === true) sites.push(node.site!);
  return sites;
}
