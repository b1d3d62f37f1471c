import { tensor } from '../../ops/create';
import { coordinates, type Surface } from './surface';

/** Curves up along x and down along y. */
export const saddle: Surface = {
  title: 'Saddle',
  formula: 'x² - y²',
  loss: (at) => {
    const [x, y] = coordinates(at) as [typeof at, typeof at];
    return x.square().sub(y.square());
  },
  start: [1.5, 1e-6],
  domain: [
    [-2, 2],
    [-2, 2],
  ],
  criticalPoints: [{ point: [0, 0], kind: 'saddle', value: 0, eigenvalues: [-2, 2] }],
};

/** Three valleys meet, for two legs and a tail: the Hessian is zero. */
export const monkeySaddle: Surface = {
  title: 'Monkey saddle',
  formula: 'x³ - 3xy²',
  loss: (at) => {
    const [x, y] = coordinates(at) as [typeof at, typeof at];
    return x.pow(3).sub(x.mul(y.square()).mul(3));
  },
  start: [0.8, 1e-3],
  domain: [
    [-1.5, 1.5],
    [-1.5, 1.5],
  ],
  criticalPoints: [{ point: [0, 0], kind: 'saddle', value: 0, eigenvalues: [0, 0], isDegenerate: true }],
};

/** Curvatures 1 along and 100 across: no single learning rate suits both. */
export const ravine: Surface = {
  title: 'Ravine',
  formula: '½ (x² + 100 y²)',
  loss: (at) =>
    at
      .square()
      .mul(tensor([0.5, 50], { dtype: at.dtype }))
      .sum(),
  start: [-9, 1],
  domain: [
    [-10, 4],
    [-1.6, 1.6],
  ],
  criticalPoints: [{ point: [0, 0], kind: 'minimum', value: 0, eigenvalues: [1, 100] }],
};
