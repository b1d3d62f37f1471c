import '../backend';

export type { Loss } from './curvature';
export { gradientNorm, hessian, hvp } from './hessian';
export {
  hessianSpectrum,
  type Eigenpair,
  type HessianSpectrum,
  type HessianSpectrumOptions,
  type SpectrumProgress,
} from './spectrum';
export {
  classifyCriticalPoint,
  type ClassifyOptions,
  type CriticalPoint,
  type CriticalPointKind,
} from './critical-point';
