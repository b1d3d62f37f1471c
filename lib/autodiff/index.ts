export { backward, type BackwardOptions } from './backward';
export { checkpoint } from './checkpoint';
export {
  grad,
  gradients,
  hessian,
  hessianVectorProduct,
  hvp,
  jvp,
  valueAndGrad,
  vjp,
  type GradientOptions,
} from './transforms';
import './methods';
