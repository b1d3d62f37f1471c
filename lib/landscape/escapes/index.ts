export { CurvatureEscape, type CurvatureEscapeOptions } from './curvature-escape';
export { escapeDirection, type EscapeDirection, type EscapeDirectionOptions } from './escape-direction';
export { gradientCovariance, type GradientCovariance } from './gradient-covariance';
export { GradientNoise, type GradientNoiseOptions } from './gradient-noise';
export { PerturbedGradient, type PerturbedGradientOptions } from './perturbed-gradient';
export type { WrappedOptimizer, WrapperStateDict } from './wrapper';
