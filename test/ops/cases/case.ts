import type { DType } from '../../../lib/tensor/dtype';
import type { Tensor } from '../../../lib/tensor/tensor';
import type { NDArray } from '../../helpers/ndarray';

/** Numbers for an operation, and what must come out. */
export interface Sample {
  readonly title: string;
  readonly inputs: readonly NDArray[];
  /** Per input: 'float' is float64 in one test and float32 in the other. All 'float' where not given. */
  readonly dtypes?: readonly (DType | 'float')[];
  readonly run: (...inputs: Tensor[]) => Tensor;
  /** Independent of the library: loops over plain numbers. */
  readonly reference: (...inputs: NDArray[]) => NDArray;
  /** Accepted error per element in units of the dtype's epsilon; `ulps` times the expected number where not given. */
  readonly errors?: (...inputs: NDArray[]) => NDArray;
  /** Accepted relative error in units of epsilon: 4 where not given. */
  readonly ulps?: number;
  /** Whether derivatives are checked here: true where not given. Not near kinks, nor at extreme values. */
  readonly gradient?: boolean;
  /** Step of the differences, for functions that are linear in steps of this size only. */
  readonly step?: number;
}

export interface Case {
  /** Of the operation in the registry, or of a public function made of operations. */
  readonly name: string;
  readonly samples: readonly Sample[];
}
