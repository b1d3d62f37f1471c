import { DTypeError, ValueError } from '../errors';
import { evaluateSync, submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import { zeros } from '../ops/create';
import { abs, add, mul } from '../ops/elementwise';
import { concat } from '../ops/join';
import { max, sum } from '../ops/reduce';
import { narrow, reshape } from '../ops/shape';
import { checkInteger } from '../tensor/shape';
import { Tensor, Variable } from '../tensor/tensor';
import { LBFGSMemory, loadMemory, memoryDict, type LBFGSStateDict } from './lbfgs-memory';
import { checkChoice, checkNames, checkNumber, withDefaults } from './options';
import { strongWolfe, type LinePoint } from './strong-wolfe';

export interface LBFGSOptions {
  /** Learning rate; the first t that the line search tries. */
  lr: number;
  /** Iterations in one step. */
  maxIter: number;
  /** Evaluations of the closure in one step; null for 5/4 maxIter. */
  maxEval: number | null;
  /** Ends a step once no element of the gradient is larger. */
  toleranceGrad: number;
  /** Ends a step once neither a parameter nor the loss changes by more. */
  toleranceChange: number;
  /** How many differences of parameters and gradients are remembered. */
  historySize: number;
  /** How far to go along a direction: lr, or a point that satisfies the strong Wolfe conditions. */
  lineSearchFn: 'strongWolfe' | null;
}

const defaults: LBFGSOptions = {
  lr: 1,
  maxIter: 20,
  maxEval: null,
  toleranceGrad: 1e-7,
  toleranceChange: 1e-9,
  historySize: 100,
  lineSearchFn: null,
};

/** Computes the loss and the gradients of the parameters: `zeroGrad`, forward, `backward`; returns the loss. */
export type Closure = () => Tensor;

/**
 * L-BFGS (Liu and Nocedal 1989): Newton's direction -H⁻¹ g, with the inverse Hessian told from how gradients changed over the
 * last steps. For full batches: where each evaluation sees other samples, differences of gradients say nothing.
 * With s = θ - θ', y = g - g' of the last steps and the two-loop recursion (Nocedal and Wright, algorithm 7.4),
 *
 *     q = -g;  newest first: α = s·q / s·y, q ← q - α y;   q ← q s·y / y·y;   oldest first: q ← q + (α - y·q / s·y) s
 *     θ ← θ + t q
 *
 * One group only; all parameters have one dtype (DTypeError). Throws ValueError for an option outside its range.
 * Options, defaults and stopping rules: https://pytorch.org/docs/stable/generated/torch.optim.LBFGS.html.
 *
 *     const optimizer = new LBFGS(model.parameters(), { lineSearchFn: 'strongWolfe' });
 *     const closure = () => { optimizer.zeroGrad(); const loss = lossOf(model); loss.backward(); return loss; };
 *     const loss = await optimizer.step(closure);
 */
export class LBFGS {
  readonly paramGroups: [LBFGSOptions & { params: Variable[]; initialLr?: number }];
  #memory = new LBFGSMemory();

  constructor(parameters: Iterable<Variable>, options: Partial<LBFGSOptions> = {}) {
    checkNames('LBFGS', options, defaults);
    const params = [...parameters];
    if (params.length === 0) throw new ValueError('LBFGS: got an empty list of parameters');
    for (const parameter of params) {
      if (!(parameter instanceof Variable))
        throw new ValueError(`LBFGS: a parameter is a Variable (there is one group only), got ${String(parameter)}`);
      if (parameter.dtype !== params[0]!.dtype)
        throw new DTypeError(`LBFGS: all parameters have one dtype, got ${params[0]!.dtype} and ${parameter.dtype}`);
    }
    if (new Set(params).size < params.length) throw new ValueError('LBFGS: a parameter is given twice');
    this.paramGroups = [{ ...withDefaults(options, defaults), params }];
    check(this.paramGroups[0]);
  }

  /** Forgets the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.paramGroups[0].params) parameter.grad = null;
  }

  /**
   * Up to maxIter iterations; resolves with the loss before the first. The closure is called for each evaluation, and is
   * synchronous. An error of it is passed on; within a line search the parameters are then where the search began.
   */
  async step(closure: Closure): Promise<number> {
    const group = this.paramGroups[0];
    check(group);
    if (typeof closure !== 'function') throw new ValueError(`LBFGS: step takes a closure, got ${typeof closure}`);
    const { lr, maxIter, toleranceGrad, toleranceChange, historySize } = group;
    const maxEval = group.maxEval ?? Math.floor((maxIter * 5) / 4);
    const memory = this.#memory;

    let { loss, gradient } = await this.#evaluate(closure);
    const firstLoss = loss;
    let evaluations = 1;
    if (largest(gradient) <= toleranceGrad) return firstLoss;

    for (let iteration = 1; iteration <= maxIter; iteration++) {
      const direction = memory.nextDirection(gradient, historySize);
      memory.lastGradient = gradient;
      const lastLoss = (memory.lastLoss = loss);
      const first = memory.iterations === 1 ? Math.min(1, 1 / numberOf(() => sum(abs(gradient)))) * lr : lr;
      const slope = numberOf(() => sum(mul(gradient, direction)));
      memory.t = first;
      if (slope > -toleranceChange) break;

      if (group.lineSearchFn === 'strongWolfe') {
        const found = await this.#search(closure, { t: 0, loss, gradient, slope }, direction, first);
        ({ loss, gradient } = found.point);
        memory.t = found.point.t;
        this.#move(this.#values(), direction, memory.t);
        evaluations += found.evaluations;
      } else {
        this.#move(this.#values(), direction, first);
        // After the last iteration nobody needs the loss.
        if (iteration < maxIter) {
          ({ loss, gradient } = await this.#evaluate(closure));
          evaluations++;
        }
      }

      if (iteration === maxIter || evaluations >= maxEval) break;
      if (largest(gradient) <= toleranceGrad) break;
      if (numberOf(() => max(abs(direction))) * Math.abs(memory.t) <= toleranceChange) break;
      if (Math.abs(loss - lastLoss) < toleranceChange) break;
    }
    memory.evaluations += evaluations;
    await submit(this.#values());
    return firstLoss;
  }

  /** Options and memory, in the form and with the names of PyTorch. */
  stateDict(): LBFGSStateDict {
    const { params, ...options } = this.paramGroups[0];
    return memoryDict(this.#memory, options, params.length);
  }

  /** Continues from a state dict. Throws ValueError, changing nothing, if it does not fit. */
  loadStateDict(dict: LBFGSStateDict): void {
    const { params, ...options } = this.paramGroups[0];
    const size = params.reduce((total, parameter) => total + parameter.size, 0);
    const { options: loaded, memory } = loadMemory(dict, options, params.length, size, params[0]!.dtype, check);
    Object.assign(this.paramGroups[0], loaded);
    this.#memory = memory;
  }

  async #search(
    closure: Closure,
    start: LinePoint,
    direction: Tensor,
    first: number,
  ): Promise<{ point: LinePoint; evaluations: number }> {
    const origin = this.#values();
    evaluateSync(origin);
    let evaluations = 0;
    const evaluate = async (t: number): Promise<LinePoint> => {
      evaluations++;
      this.#move(origin, direction, t);
      try {
        const { loss, gradient } = await this.#evaluate(closure);
        return { t, loss, gradient, slope: numberOf(() => sum(mul(gradient, direction))) };
      } finally {
        this.#move(origin, direction, 0);
      }
    };
    const reach = numberOf(() => max(abs(direction)));
    const { toleranceChange } = this.paramGroups[0];
    const point = await strongWolfe({ evaluate, start, first, reach, toleranceChange });
    return { point, evaluations };
  }

  /** The closure's loss, and all gradients as one vector. */
  async #evaluate(closure: Closure): Promise<{ loss: number; gradient: Tensor }> {
    const loss = closure();
    if (!(loss instanceof Tensor) || loss.size !== 1)
      throw new ValueError('LBFGS: the closure is synchronous and returns the loss, a tensor of one element');
    const { params } = this.paramGroups[0];
    const gradient = noGrad(() =>
      concat(params.map(({ grad, size, dtype }) => (grad === null ? zeros([size], { dtype }) : reshape(grad, [size])))),
    );
    await submit([loss, gradient, ...this.#values()]);
    return { loss: await loss.item(), gradient };
  }

  #values(): Tensor[] {
    return this.paramGroups[0].params.map((parameter) => parameter.current);
  }

  /** Puts the parameters at origin + t direction. */
  #move(origin: readonly Tensor[], direction: Tensor, t: number): void {
    let offset = 0;
    noGrad(() =>
      this.paramGroups[0].params.forEach((parameter, index) => {
        const part = reshape(narrow(direction, 0, offset, parameter.size), parameter.shape);
        parameter.assign(t === 0 ? origin[index]! : add(origin[index]!, mul(part, t)));
        offset += parameter.size;
      }),
    );
  }
}

const largest = (x: Tensor): number => numberOf(() => max(abs(x)));

function numberOf(record: () => Tensor): number {
  const value = noGrad(record);
  evaluateSync([value]);
  return value.itemSync();
}

function check(options: LBFGSOptions): void {
  checkNumber('LBFGS', 'lr', options.lr, 0);
  checkInteger('LBFGS', 'maxIter', options.maxIter, 1);
  if (options.maxEval !== null) checkInteger('LBFGS', 'maxEval', options.maxEval, 1);
  checkNumber('LBFGS', 'toleranceGrad', options.toleranceGrad, 0);
  checkNumber('LBFGS', 'toleranceChange', options.toleranceChange, 0);
  checkInteger('LBFGS', 'historySize', options.historySize, 1);
  if (options.lineSearchFn !== null) checkChoice('LBFGS', 'lineSearchFn', options.lineSearchFn, ['strongWolfe']);
}
