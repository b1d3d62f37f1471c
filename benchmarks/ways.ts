import { compile, type TensorBase } from '../lib';

type Step = <T extends TensorBase[], R extends TensorBase>(step: (...inputs: T) => R) => (...inputs: T) => R;

/** How what users write can be run; suites measure each way. A further one is one line here. */
export const ways: { readonly [name: string]: Step } = {
  plain: (step) => step,
  compiled: (step) => compile(step),
};
