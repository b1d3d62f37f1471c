import { ValueError } from '../errors';
import { readItemSync } from '../graph/reading';
import { stateKey } from '../nn/state-dict';
import { noGrad } from '../graph/modes';
import { cast } from '../ops/cast';
import { add, mul, neg, sub } from '../ops/elementwise';
import { sum } from '../ops/reduce';
import type { DType } from '../tensor/dtype';
import { TensorBase, type Tensor } from '../tensor/tensor';
import type { Evaluations } from './evaluations';

/** The least s·y that tells of a curvature. */
const LEAST_CURVATURE = 1e-10;

type Saved = Tensor | number | readonly Tensor[] | readonly number[];

/** PyTorch's form: all state is under parameter 0. */
export interface LBFGSStateDict {
  readonly state: { readonly [parameter: string]: { readonly [name: string]: Saved } };
  readonly param_groups: readonly { readonly params: readonly number[]; readonly [option: string]: unknown }[];
}

/** What L-BFGS remembers: the last steps and how they changed the gradient. */
export class LBFGSMemory {
  iterations = 0;
  evaluations = 0;
  /** The last direction, and how far it was followed. */
  direction: Tensor | null = null;
  t = 0;
  lastGradient: Tensor | null = null;
  lastLoss = 0;
  /** Oldest first: s, y, and 1 / s·y. */
  steps: Tensor[] = [];
  changes: Tensor[] = [];
  curvatures: number[] = [];
  /** The multiple of the identity that H⁻¹ starts from. */
  scale = 1;

  /** Takes in what the last step has changed; returns the direction to go in, computed. */
  *nextDirection(gradient: Tensor, historySize: number): Evaluations<Tensor> {
    this.iterations++;
    if (this.iterations > 1) yield* this.#remember(gradient, historySize);
    this.direction = noGrad(() => this.#twoLoops(gradient));
    yield [this.direction];
    return this.direction;
  }

  /** One that goes on by itself. */
  copy(): LBFGSMemory {
    const { steps, changes, curvatures } = this;
    const lists = { steps: [...steps], changes: [...changes], curvatures: [...curvatures] };
    return Object.assign(new LBFGSMemory(), this, lists);
  }

  *#remember(gradient: Tensor, historySize: number): Evaluations<void> {
    const [s, y, curvature, square] = noGrad(() => {
      const step = mul(this.direction!, this.t);
      const change = sub(gradient, this.lastGradient!);
      return [step, change, sum(mul(change, step)), sum(mul(change, change))] as const;
    });
    yield [s, y, curvature, square];
    if (!(readItemSync(curvature) > LEAST_CURVATURE)) return;
    for (const list of [this.steps, this.changes, this.curvatures])
      list.splice(0, Math.max(0, list.length + 1 - historySize));
    this.steps.push(s);
    this.changes.push(y);
    this.curvatures.push(1 / readItemSync(curvature));
    this.scale = readItemSync(curvature) / readItemSync(square);
  }

  #twoLoops(gradient: Tensor): Tensor {
    const { steps, changes, curvatures } = this;
    const along = (s: Tensor, q: Tensor, i: number): Tensor => mul(sum(mul(s, q)), curvatures[i]!);
    const alphas: Tensor[] = [];
    let q = neg(gradient);
    for (let i = steps.length - 1; i >= 0; i--) {
      alphas[i] = along(steps[i]!, q, i);
      q = sub(q, mul(changes[i]!, alphas[i]!));
    }
    q = mul(q, this.scale);
    for (let i = 0; i < steps.length; i++) q = add(q, mul(steps[i]!, sub(alphas[i]!, along(changes[i]!, q, i))));
    return q;
  }
}

export function memoryDict(memory: LBFGSMemory, options: object, parameters: number): LBFGSStateDict {
  const { direction, lastGradient } = memory;
  const state: { [name: string]: Saved } = { func_evals: memory.evaluations, n_iter: memory.iterations };
  if (direction !== null && lastGradient !== null)
    Object.assign(state, {
      d: direction,
      t: memory.t,
      old_dirs: [...memory.changes],
      old_stps: [...memory.steps],
      ro: [...memory.curvatures],
      H_diag: memory.scale,
      prev_flat_grad: lastGradient,
      prev_loss: memory.lastLoss,
    });
  const entries = Object.entries(options as Record<string, unknown>);
  // PyTorch writes strong_wolfe.
  const saved = Object.fromEntries(
    entries.map(([name, value]) => [stateKey(name), typeof value === 'string' ? stateKey(value) : value]),
  );
  const params = Array.from({ length: parameters }, (_, index) => index);
  return { state: { 0: state }, param_groups: [{ ...saved, params }] };
}

export function loadMemory<Options extends object>(
  dict: LBFGSStateDict,
  current: Options,
  parameters: number,
  size: number,
  dtype: DType,
  check: (options: Options) => void,
): { options: Options; memory: LBFGSMemory } {
  const refuse = (reason: string): never => {
    throw new ValueError(`loadStateDict: LBFGS has not been changed; ${reason}`);
  };
  const group = dict?.param_groups?.[0];
  if (group === undefined || typeof dict.state !== 'object' || dict.state === null)
    return refuse('a state dict is an object { state, param_groups }');
  if (dict.param_groups.length !== 1 || group.params?.length !== parameters)
    return refuse(`it has ${group.params?.length} parameters, expected ${parameters} in one group`);
  const names = Object.keys(current).filter((name) => Object.hasOwn(group, stateKey(name)));
  const options = { ...current, ...Object.fromEntries(names.map((name) => [name, optionOf(group[stateKey(name)])])) };
  check(options);

  const saved = dict.state['0'] ?? {};
  const numberOf = (key: string, value: unknown = saved[key]): number =>
    typeof value === 'number' && !Number.isNaN(value) ? value : refuse(`${key} is a number, got ${String(value)}`);
  const vectorOf = (key: string, value: unknown = saved[key]): Tensor =>
    value instanceof TensorBase && value.rank === 1 && value.size === size
      ? cast(value, dtype)
      : refuse(`${key} is a vector of ${size} elements`);
  const listOf = <T>(key: string, item: (key: string, value: unknown) => T): T[] => {
    const list: unknown = saved[key];
    return Array.isArray(list) ? list.map((value) => item(key, value)) : refuse(`${key} is a list`);
  };

  const memory = new LBFGSMemory();
  memory.iterations = numberOf('n_iter', saved.n_iter ?? 0);
  memory.evaluations = numberOf('func_evals', saved.func_evals ?? 0);
  if (memory.iterations > 0) {
    memory.direction = vectorOf('d');
    memory.t = numberOf('t');
    memory.changes = listOf('old_dirs', vectorOf);
    memory.steps = listOf('old_stps', vectorOf);
    memory.curvatures = listOf('ro', numberOf);
    memory.scale = numberOf('H_diag');
    memory.lastGradient = vectorOf('prev_flat_grad');
    memory.lastLoss = numberOf('prev_loss');
    if (memory.changes.length !== memory.steps.length || memory.steps.length !== memory.curvatures.length)
      refuse('old_dirs, old_stps and ro are equally long');
  }
  return { options, memory };
}

const optionOf = (value: unknown): unknown => (value === 'strong_wolfe' ? 'strongWolfe' : value);
