import { coordinates, type Surface } from './surface';

/** One input, one hidden unit a layer, one output, and the target 1: mean square error of the product of the weights. */

/** All weights with ab = 1 are minima, a curve of them; the origin lies between its two branches. */
export const twoLayerNetwork: Surface = {
  title: 'Linear network of two layers',
  formula: '(1 - ab)²',
  loss: (at) => {
    const [a, b] = coordinates(at) as [typeof at, typeof at];
    return a.mul(b).neg().add(1).square();
  },
  start: [1e-6, 0],
  domain: [
    [-2, 2],
    [-2, 2],
  ],
  criticalPoints: [
    { point: [0, 0], kind: 'saddle', value: 1, eigenvalues: [-2, 2] },
    { point: [1, 1], kind: 'minimum', value: 0, eigenvalues: [0, 4], isDegenerate: true },
    { point: [-1, -1], kind: 'minimum', value: 0, eigenvalues: [0, 4], isDegenerate: true },
  ],
};

/** At the origin even the Hessian is zero: more layers, flatter saddles (Kawaguchi, 2016). */
export const threeLayerNetwork: Surface = {
  title: 'Linear network of three layers',
  formula: '(1 - abc)²',
  loss: (at) => {
    const [a, b, c] = coordinates(at) as [typeof at, typeof at, typeof at];
    return a.mul(b).mul(c).neg().add(1).square();
  },
  start: [0.1, 0.1, 0.05],
  domain: [
    [-2, 2],
    [-2, 2],
  ],
  criticalPoints: [
    { point: [0, 0, 0], kind: 'saddle', value: 1, eigenvalues: [0, 0, 0], isDegenerate: true },
    // One weight alone, and the other two zero: their product bends both ways.
    { point: [0, 0, 1], kind: 'saddle', value: 1, eigenvalues: [-2, 0, 2], isDegenerate: true },
    { point: [1, 1, 1], kind: 'minimum', value: 0, eigenvalues: [0, 0, 6], isDegenerate: true },
  ],
};
