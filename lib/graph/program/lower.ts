import { contiguousStrides, shapesEqual, sizeOf, type Shape } from '../../tensor/shape';
import type { DType } from '../../tensor/dtype';
import type { Layout, Lowering } from '../op';
import type { Fold } from './elementwise';
import type { Group } from './fuse';
import { numberOf, type Graph, type Value } from './ir';
import { kernels, type KernelName } from './kernels';
import { copyAttributes, regionAttributes, type ScalarSource } from './region';
import type { Instruction, View } from './program';
import { eachInSlices, type Slices } from './slices';

/** A buffer before it has a place: the program's inputs, its outputs, or memory of the arena. */
export interface Slot {
  readonly dtype: DType;
  readonly length: number;
  /** The leaf whose numbers it holds when the program starts, or -1. */
  readonly leaf: number;
}

export interface Lowered {
  readonly slots: readonly Slot[];
  readonly instructions: readonly LoweredInstruction[];
  /** For each root the slot that holds it, dense and from its first element. */
  readonly rootSlots: readonly number[];
}

export interface LoweredInstruction extends Instruction {
  /** Ordinal among the trace's operations that check data, or -1. */
  readonly site: number;
}

interface Place {
  readonly slot: number;
  readonly layout: Layout;
}

/** Turns groups into instructions over slots: views become windows, and what a kernel cannot read is copied first. */
export function* lower(graph: Graph, groups: readonly Group[]): Slices<Lowered> {
  const slots: Slot[] = [];
  const instructions: LoweredInstruction[] = [];
  const places = new Map<Value, Place>();

  const newPlace = (shape: Shape, dtype: DType, leaf = -1): Place => {
    slots.push({ dtype, length: sizeOf(shape), leaf });
    return { slot: slots.length - 1, layout: dense(shape) };
  };
  const viewOf = ({ slot, layout }: Place): View => ({ buffer: slot, ...layout });

  const copy = (source: Place | ScalarSource, shape: Shape, dtype: DType): Place => {
    const place = newPlace(shape, dtype);
    const inputs = 'layout' in source ? [viewOf(source)] : [];
    const attributes = copyAttributes(dtype, 'layout' in source ? null : source);
    instructions.push({ kernel: 'elementwise', inputs, outputs: [viewOf(place)], attributes, label: 'copy', site: -1 });
    return place;
  };

  /** Where a value is; leaves, numbers and views get their place on first use. */
  const placeOf = (value: Value): Place => {
    const known = places.get(value);
    if (known !== undefined) return known;
    const place = locate(value);
    places.set(value, place);
    return place;
  };
  const locate = (value: Value): Place => {
    if (value.kind === 'leaf') return newPlace(value.shape, value.dtype, value.slot);
    const scalar = scalarOf(value);
    if (scalar !== null) {
      const single = copy(scalar, [], value.dtype);
      return { slot: single.slot, layout: { offset: 0, shape: value.shape, strides: value.shape.map(() => 0) } };
    }
    const source = placeOf(value.inputs[0]!);
    const window = applyView(value, source.layout);
    if (window !== null) return { slot: source.slot, layout: window };
    const copied = copy(source, value.inputs[0]!.shape, value.dtype);
    return { slot: copied.slot, layout: applyView(value, copied.layout)! };
  };
  const densePlaceOf = (place: Place, dtype: DType): Place =>
    isDense(place.layout) ? place : copy(place, place.layout.shape, dtype);

  const emitRegion = (group: Group): void => {
    const { folds, product } = group;
    const { shape } = group.values[0]!;
    // The first output is where a product is made.
    const isFirst = (output: Value): number => Number(output === product?.into);
    const outputs = product === undefined ? group.outputs : group.outputs.toSorted((a, b) => isFirst(b) - isFirst(a));
    const members = new Set(group.values);
    const inputs: Value[] = [];
    const scalars: ScalarSource[] = [];
    const external = new Map<Value, { input: number } | { scalar: number }>();
    if (product !== undefined) {
      inputs.push(product.value);
      product.seen.forEach((value) => external.set(value, { input: 0 }));
    }
    for (const value of group.values)
      for (const input of value.inputs) {
        if (members.has(input) || external.has(input)) continue;
        const scalar = scalarOf(input);
        if (scalar === null) external.set(input, { input: inputs.push(input) - 1 });
        else external.set(input, { scalar: scalars.push(scalar) - 1 });
      }
    const operands = product === undefined ? [] : kernelInputs(product.value).given.map(viewOf);
    const read = product === undefined ? inputs : inputs.slice(1);
    const inputViews = read.map((input) => viewOf(broadcast(placeOf(input), shape)));
    for (const output of outputs) places.set(output, newPlace(shape, output.dtype));
    for (const fold of folds) places.set(fold, newPlace(fold.shape, fold.dtype));
    const foldedView = (fold: Value): View => ({
      buffer: places.get(fold)!.slot,
      ...dense(shape.slice(0, shape.length + 1 - fold.attributes.length)),
    });
    instructions.push({
      kernel: product === undefined ? 'elementwise' : 'matmul',
      inputs: [...operands, ...inputViews],
      outputs: [...outputs.map((output) => viewOf(places.get(output)!)), ...folds.map(foldedView)],
      attributes: regionAttributes(
        group.values,
        external,
        inputs.length,
        scalars,
        outputs,
        folds.map((fold) => ({ of: fold.inputs[0]!, fold: fold.op!.name as Fold })),
      ),
      label: [...outputs, ...folds].at(-1)!.label,
      site: -1,
    });
  };

  const emitKernel = (value: Value): void => {
    const lowering = loweringOf(value);
    const { given, original } = kernelInputs(value);
    const shape = lowering.output?.(value.shape, original, value.attrs) ?? value.shape;
    const attributes = lowering.kernelAttributes?.(value.attrs, original) ?? value.attributes;
    const place = newPlace(value.shape, value.dtype);
    places.set(value, place);
    instructions.push({
      kernel: lowering.kernel,
      inputs: given.map(viewOf),
      outputs: [{ buffer: place.slot, ...dense(shape) }],
      attributes: value.op!.random === true ? value.inputs.map((input) => scalarOf(input)!.scalarSlot) : attributes,
      label: value.label,
      site: value.site,
    });
  };

  /** What a kernel reads: the inputs as it takes them, and their windows as they were. */
  const kernelInputs = (value: Value): { given: Place[]; original: Layout[] } => {
    const lowering = loweringOf(value);
    let given = value.op!.random === true ? [] : value.inputs.map(placeOf);
    const original = given.map((place) => place.layout);
    if (lowering.arrange !== undefined) {
      // Windows cannot always be rearranged as they are (merging dims of a transpose): then from a dense copy.
      if (kernels[lowering.kernel].strided === 'none')
        given = given.map((place, i) => densePlaceOf(place, value.inputs[i]!.dtype));
      const arranged = lowering.arrange(
        given.map((place) => place.layout),
        value.attrs,
      );
      given = given.map((place, i) => ({ slot: place.slot, layout: arranged[i]! }));
    }
    if (kernels[lowering.kernel].strided === 'none')
      given = given.map((place, i) => densePlaceOf(place, value.inputs[i]!.dtype));
    return { given, original };
  };

  yield* eachInSlices(groups, (group) => {
    if (group.elementwise) emitRegion(group);
    else emitKernel(group.values[0]!);
  });

  const rootSlots = graph.roots.map((root) => {
    const place = placeOf(root);
    const whole =
      isDense(place.layout) && place.layout.offset === 0 && slots[place.slot]!.length === sizeOf(root.shape);
    const isLeaf = slots[place.slot]!.leaf >= 0;
    return whole && !isLeaf ? place.slot : copy(place, root.shape, root.dtype).slot;
  });
  return { slots, instructions, rootSlots };
}

function loweringOf(value: Value): Extract<Lowering<unknown>, { readonly kernel: KernelName }> {
  const lowering = value.op!.lower;
  if (!('kernel' in lowering)) throw new Error(`lower: ${value.op!.name} has no kernel`);
  return lowering;
}

/** The program scalar whose number fills the value: itself, or views of it. */
function scalarOf(value: Value): ScalarSource | null {
  const number = numberOf(value);
  return number === null ? null : { scalarSlot: number.slot, dtype: value.dtype };
}

function applyView(value: Value, layout: Layout): Layout | null {
  const lowering = value.op!.lower;
  if (!('view' in lowering)) throw new Error(`lower: ${value.op!.name} is used before it is computed`);
  return lowering.view(layout, value.attrs, value.shape);
}

function dense(shape: Shape): Layout {
  return { offset: 0, shape, strides: contiguousStrides(shape) };
}

/** Row-major without holes; strides of dims of size 1 do not matter. */
export function isDense(layout: Layout): boolean {
  if (sizeOf(layout.shape) === 0) return true;
  let stride = 1;
  for (let i = layout.shape.length - 1; i >= 0; i--) {
    if (layout.shape[i] !== 1 && layout.strides[i] !== stride) return false;
    stride *= layout.shape[i]!;
  }
  return true;
}

function broadcast(place: Place, shape: Shape): Place {
  const { layout } = place;
  if (shapesEqual(layout.shape, shape)) return place;
  const missing = shape.length - layout.shape.length;
  const strides = shape.map((_, i) =>
    i < missing || layout.shape[i - missing] === 1 ? 0 : layout.strides[i - missing]!,
  );
  return { slot: place.slot, layout: { offset: layout.offset, shape, strides } };
}
