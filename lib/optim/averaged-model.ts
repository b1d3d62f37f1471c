import { ValueError } from '../errors';
import type { Completion } from '../graph/completion';
import { submit } from '../graph/evaluate';
import { readItemSync } from '../graph/reading';
import { noGrad } from '../graph/modes';
import type { Module } from '../nn/module';
import type { IncompatibleKeys, StateDict, StateDictLike } from '../nn/state-dict';
import { loadState, savedValue } from '../nn/state-dict';
import { tensor } from '../ops/create';
import { add, div, mul, sub } from '../ops/elementwise';
import { detach } from '../ops/identity';
import { isFloat } from '../tensor/dtype';
import { refuseInTrace } from '../tensor/tracing';
import { Variable, withoutCapturing, type Tensor } from '../tensor/tensor';
import { checkBoolean, checkNames, checkNumber } from './options';

/** The new average, from the one so far, the newest value, and how many values the average is of. */
export type AveragingRule = (average: Tensor, value: Tensor, count: number) => Tensor;

/**
 * The mean of all values alike, for stochastic weight averaging (Izmailov et al. 2018): a + (x - a) / (count + 1).
 *
 *     const average = new AveragedModel(model, { avgFn: swaAverage });
 */
export const swaAverage: AveragingRule = (average, value, count) => add(average, div(sub(value, average), count + 1));

/**
 * An exponential moving average, decay a + (1 - decay) x: over about the last 1 / (1 - decay) values.
 * Throws ValueError unless decay is in [0, 1).
 *
 *     const average = new AveragedModel(model, { avgFn: emaAverage(0.999) });
 */
export function emaAverage(decay: number): AveragingRule {
  checkNumber('emaAverage', 'decay', decay, 0, 1);
  return (average, value) => add(mul(average, decay), mul(value, 1 - decay));
}

export interface AveragedModelOptions {
  avgFn?: AveragingRule;
  /** Averages float buffers, such as running statistics, too; otherwise they are the model's latest. */
  useBuffers?: boolean;
}

/**
 * An average of a model's weights over training, beside the model. The first call of `updateParameters` copies, later ones
 * average. Weights averaged over the last epochs lie nearer to the middle of a wide minimum than any of them.
 * Throws ValueError for options that are not what they should be.
 * Names: https://pytorch.org/docs/stable/optim.html#weight-averaging-swa-and-ema; here it holds numbers, and no second model:
 * `during` puts them into the model for a while, `copyTo` for good.
 *
 *     const average = new AveragedModel(model, { avgFn: emaAverage(0.99) });
 *     average.updateParameters();  // after optimizer.step()
 *     const accuracy = await average.during(() => evaluate(model));
 */
export class AveragedModel {
  /** How many values the averages are of. */
  nAveraged = 0;
  readonly #averages: Map<string, Variable>;
  readonly #avgFn: AveragingRule;
  readonly #useBuffers: boolean;

  constructor(
    readonly model: Module,
    options: AveragedModelOptions = {},
  ) {
    checkNames('AveragedModel', options, { avgFn: 0, useBuffers: 0 });
    this.#avgFn = options.avgFn ?? swaAverage;
    this.#useBuffers = options.useBuffers ?? false;
    if (typeof this.#avgFn !== 'function')
      throw new ValueError(`AveragedModel: avgFn is a function, got ${typeof this.#avgFn}`);
    checkBoolean('AveragedModel', 'useBuffers', this.#useBuffers);
    this.#averages = new Map([...namedVariables(model)].map(([name, variable]) => [name, new Variable(variable)]));
  }

  /** Takes in the model's present weights. Returns at once; resolves when the averages are computed. */
  updateParameters(): Completion<void> {
    refuseInTrace('AveragedModel.updateParameters counts', 'call it after the compiled function');
    const count = this.nAveraged++;
    noGrad(() =>
      withoutCapturing(() => {
        const put = ([name, { current }]: [string, Variable], isAveraged: boolean): void => {
          const average = this.#averages.get(name)!;
          const blends = count > 0 && isAveraged && isFloat(current.dtype);
          average.replace(blends ? this.#avgFn(average.current, current, count) : detach(current));
        };
        for (const entry of this.model.namedParameters()) put(entry, true);
        for (const entry of this.model.namedBuffers()) put(entry, this.#useBuffers);
      }),
    );
    const values = [...this.#averages.values()].map((average) => average.current);
    return submit(values, { onFailure: () => void this.nAveraged-- });
  }

  /** Puts the averages into a model of the same structure. Throws ValueError, changing nothing, if it is of another. */
  copyTo(model: Module): void {
    const dict = new Map([...this.#averages].map(([name, average]) => [name, noGrad(() => detach(average))]));
    noGrad(() => loadState(model.constructor.name, [...namedVariables(model)], dict, true));
  }

  /** Runs `fn` while the model has the averages for weights, then puts the weights back, also if `fn` fails. */
  async during<T>(fn: () => T | Promise<T>): Promise<T> {
    const before = [...namedVariables(this.model)].map(([, variable]) => [variable, variable.capture()] as const);
    this.copyTo(this.model);
    try {
      return await fn();
    } finally {
      noGrad(() => before.forEach(([variable, value]) => variable.assign(value)));
    }
  }

  /** Snapshots of the averages under `module.` and the model's names, and `n_averaged`. */
  stateDict(): StateDict {
    const dict: StateDict = new Map([['n_averaged', tensor(this.nAveraged, { dtype: 'int64' })]]);
    noGrad(() => {
      for (const [name, average] of this.#averages) dict.set(`module.${name}`, savedValue(detach(average)));
    });
    return dict;
  }

  /** Continues from a state dict. Throws ValueError, changing nothing, if keys or shapes do not fit. */
  loadStateDict(dict: StateDictLike): IncompatibleKeys {
    const count = new Variable(tensor(0, { dtype: 'int64' }));
    const variables = [...this.#averages].map(([name, average]) => [`module.${name}`, average] as const);
    const result = noGrad(() => loadState('AveragedModel', [['n_averaged', count], ...variables], dict, true));
    this.nAveraged = readItemSync(count.current);
    return result;
  }
}

function* namedVariables(model: Module): IterableIterator<[string, Variable]> {
  yield* model.namedParameters();
  yield* model.namedBuffers();
}
