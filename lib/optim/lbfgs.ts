import { DTypeError, ValueError } from '../errors';
import { readItemSync } from '../graph/reading';
import { noGrad } from '../graph/modes';
import { zeros } from '../ops/create';
import { abs, add, mul } from '../ops/elementwise';
import { concat } from '../ops/join';
import { max, sum } from '../ops/reduce';
import { narrow, reshape } from '../ops/shape';
import { checkInteger } from '../tensor/shape';
import { Tensor, Variable } from '../tensor/tensor';
import { refuseInTrace } from '../tensor/tracing';
import { LBFGSMemory, loadMemory, memoryDict, type LBFGSStateDict } from './lbfgs-memory';
import { numbersOf, runAsync, runSync, type Evaluations } from './evaluations';
import type { Closure } from './optimizer';
import { checkChoice, checkNames, checkNumber, withDefaults } from './options';
import { strongWolfe, type LinePoint, type LineSearch, type Point } from './strong-wolfe';

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
  #underWay = 0;
  /** Resolves when the last step has ended, one way or the other. */
  #last: Promise<void> = Promise.resolve();

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
   * synchronous. A step that is called while another runs begins after it. If one fails, by the closure or by a program,
   * parameters and memory are as before it. Throws TraceError in a compiled function.
   */
  step(closure: Closure): Promise<number> {
    this.#refuseInTrace();
    return this.#queued(closure);
  }

  async #queued(closure: Closure): Promise<number> {
    const options = this.#checked(closure);
    this.#underWay++;
    const run = this.#last.then(() => runAsync(this.#step(closure, options)));
    const end = (): void => void this.#underWay--;
    this.#last = run.then(end, end);
    return run;
  }

  /** As `step`, and has run when it returns. Throws ValueError while a `step` is under way, TraceError in a compiled function. */
  stepSync(closure: Closure): number {
    this.#refuseInTrace();
    const options = this.#checked(closure);
    if (this.#underWay > 0) throw new ValueError('LBFGS: stepSync while a step is under way; await that one first');
    return runSync(this.#step(closure, options));
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

  /** How many evaluations a step takes depends on the numbers, which a trace does not have. */
  #refuseInTrace(): void {
    refuseInTrace('LBFGS steps', 'compile the closure, and step outside of the compiled function');
  }

  /** The options as they are now: a schedule may change them before a step that waits begins. */
  #checked(closure: Closure): LBFGSOptions {
    check(this.paramGroups[0]);
    if (typeof closure !== 'function') throw new ValueError(`LBFGS: step takes a closure, got ${typeof closure}`);
    return { ...this.paramGroups[0] };
  }

  *#step(closure: Closure, options: LBFGSOptions): Evaluations<number> {
    const [values, memory] = [this.#values(), this.#memory.copy()];
    try {
      return yield* this.#iterate(closure, options);
    } catch (error) {
      this.paramGroups[0].params.forEach((parameter, index) => parameter.assign(values[index]!));
      this.#memory = memory;
      throw error;
    }
  }

  *#iterate(closure: Closure, options: LBFGSOptions): Evaluations<number> {
    const { lr, maxIter, toleranceGrad, toleranceChange, historySize } = options;
    const maxEval = options.maxEval ?? Math.floor((maxIter * 5) / 4);
    const memory = this.#memory;
    const earlier = memory.evaluations;

    let point = yield* this.#evaluate(closure);
    const firstLoss = point.loss;
    if (point.largest <= toleranceGrad) return firstLoss;

    for (let iteration = 1; iteration <= maxIter; iteration++) {
      const { loss, gradient } = point;
      const direction = yield* memory.nextDirection(gradient, historySize);
      memory.lastGradient = gradient;
      memory.lastLoss = loss;
      const [slope, reach, length] = yield* numbersOf(() => [
        sum(mul(gradient, direction)),
        max(abs(direction)),
        sum(abs(gradient)),
      ]);
      const first = memory.iterations === 1 ? Math.min(1, 1 / length!) * lr : lr;
      memory.t = first;
      if (slope! > -toleranceChange) break;

      if (options.lineSearchFn === 'strongWolfe') {
        const line = { start: { ...point, t: 0, slope: slope! }, first, reach: reach!, toleranceChange };
        const found = yield* this.#search(closure, direction, line);
        point = found;
        memory.t = found.t;
      } else {
        this.#move(this.#values(), direction, first);
        // After the last iteration nobody needs the loss.
        if (iteration < maxIter) point = yield* this.#evaluate(closure);
      }

      if (iteration === maxIter || memory.evaluations - earlier >= maxEval) break;
      if (point.largest <= toleranceGrad) break;
      if (reach! * Math.abs(memory.t) <= toleranceChange) break;
      if (Math.abs(point.loss - loss) < toleranceChange) break;
    }
    yield this.#values();
    return firstLoss;
  }

  /** A point along the line, and the parameters there. */
  *#search(closure: Closure, direction: Tensor, line: Omit<LineSearch, 'evaluate'>): Evaluations<LinePoint> {
    const origin = this.#values();
    yield origin; // Each evaluation starts from it.
    const evaluate = (t: number): Evaluations<LinePoint> => {
      this.#move(origin, direction, t);
      return this.#evaluateOn(closure, direction, t);
    };
    const point = yield* strongWolfe({ ...line, evaluate });
    this.#move(origin, direction, point.t);
    return point;
  }

  *#evaluateOn(closure: Closure, direction: Tensor, t: number): Evaluations<LinePoint> {
    const point = yield* this.#evaluate(closure);
    const [slope] = yield* numbersOf(() => [sum(mul(point.gradient, direction))]);
    return { ...point, t, slope: slope! };
  }

  /** The closure's loss, and all gradients as one vector. */
  *#evaluate(closure: Closure): Evaluations<Point> {
    this.#memory.evaluations++;
    const loss = closure();
    if (!(loss instanceof Tensor) || loss.size !== 1)
      throw new ValueError('LBFGS: the closure is synchronous and returns the loss, a tensor of one element');
    const { params } = this.paramGroups[0];
    const [gradient, largest] = noGrad(() => {
      const all = concat(
        params.map(({ grad, size, dtype }) => (grad === null ? zeros([size], { dtype }) : reshape(grad, [size]))),
      );
      return [all, max(abs(all))] as const;
    });
    yield [loss, gradient, largest, ...this.#values()];
    return { loss: readItemSync(loss), gradient, largest: readItemSync(largest) };
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

function check(options: LBFGSOptions): void {
  checkNumber('LBFGS', 'lr', options.lr, 0);
  checkInteger('LBFGS', 'maxIter', options.maxIter, 1);
  if (options.maxEval !== null) checkInteger('LBFGS', 'maxEval', options.maxEval, 1);
  checkNumber('LBFGS', 'toleranceGrad', options.toleranceGrad, 0);
  checkNumber('LBFGS', 'toleranceChange', options.toleranceChange, 0);
  checkInteger('LBFGS', 'historySize', options.historySize, 1);
  if (options.lineSearchFn !== null) checkChoice('LBFGS', 'lineSearchFn', options.lineSearchFn, ['strongWolfe']);
}
