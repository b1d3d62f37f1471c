import './backend';

export { backendInfo, setThreads, useBackend, type BackendInfo, type BackendName } from './backend';
export * from './errors';
export * from './ops';
export { fromTransferable, toTransferable, type TransferableTensor } from './ops/transfer';
export * from './autodiff';
export { compile, type CompileOptions } from './graph/compile';
export { type ExplainedProgram, type Explanation } from './graph/compile/explain';
export { stats } from './graph/evaluate';
export { type AbortOptions } from './graph/abort';
export { setMemoryLimit } from './graph/memory';
export { profile, type Profile, type ProfileOptions, type ProfileRow, type ProfileTotal } from './graph/profile';
export { enableGrad, noGrad } from './graph/modes';
export { type DType, type TypedArray } from './tensor/dtype';
export { type Shape } from './tensor/shape';
export { Tensor, TensorBase, Variable, type Operand } from './tensor/tensor';

export * as nn from './nn';
export * as F from './nn/functional';
export * as models from './models';
export * as optim from './optim';
export * as data from './data';
export * as io from './io';
export * as landscape from './landscape';
