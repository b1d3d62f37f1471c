import '../backend';

export { surfaces, type KnownPoint, type Surface } from './surfaces';
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
export { spectralDensity, type SpectralDensity, type SpectralDensityOptions } from './density';
export { hessianTrace, type HessianTrace, type HessianTraceOptions } from './trace';
export * from './escapes';
export {
  interpolate,
  lineSlice,
  planeSlice,
  type LineSlice,
  type LineSliceOptions,
  type PlaneSlice,
  type PlaneSliceOptions,
  type SliceOptions,
} from './slices';
export { projectPath, randomDirections, type ProjectedPath, type RandomDirectionsOptions } from './directions';
export { sharpness, type Sharpness, type SharpnessOptions } from './sharpness';
export { race, type Contestant, type Track } from './race';
