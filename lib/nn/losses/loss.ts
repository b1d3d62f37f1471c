import { Variable, type TensorBase } from '../../tensor/tensor';
import { Module } from '../module';
import { checkReductionName, checkTensor } from './reduction';

/** Base of the losses: a function, with its options. */
export abstract class Loss<Options extends { reduction?: string }> extends Module {
  readonly options: Readonly<Options>;

  constructor(options: Options) {
    super();
    this.options = { ...options };
    this.checkReduction(options.reduction ?? 'mean');
  }

  protected checkReduction(reduction: unknown): void {
    checkReductionName(this.constructor.name, reduction);
  }

  protected override describe(): string {
    return Object.entries(this.options)
      .filter(([, value]) => ['number', 'string', 'boolean'].includes(typeof value))
      .map(([name, value]) => `${name}=${String(value)}`)
      .join(', ');
  }

  /** A weight as a buffer, which state dicts hold as PyTorch's do; null where there is none. */
  protected buffer(name: string, value: TensorBase | null | undefined): Variable | null {
    if (value === null || value === undefined) return null;
    checkTensor(this.constructor.name, name, value);
    return new Variable(value);
  }
}
