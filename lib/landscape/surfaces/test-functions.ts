import { coordinates, type Surface } from './surface';

/** E. M. L. Beale, 1958: flat, with steep edges. */
export const beale: Surface = {
  title: 'Beale',
  formula: '(1.5 - x + xy)² + (2.25 - x + xy²)² + (2.625 - x + xy³)²',
  loss: (at) => {
    const [x, y] = coordinates(at) as [typeof at, typeof at];
    const term = (target: number, power: number): typeof at => x.mul(y.pow(power).sub(1)).add(target).square();
    return term(1.5, 1).add(term(2.25, 2)).add(term(2.625, 3));
  },
  start: [1, 1.5],
  domain: [
    [-1, 4.5],
    [-1.5, 2],
  ],
  criticalPoints: [
    { point: [3, 0.5], kind: 'minimum', value: 0 },
    // The Hessian at (0, 1) is [[0, b], [b, 0]] with b = 2 (1.5 + 2 · 2.25 + 3 · 2.625).
    { point: [0, 1], kind: 'saddle', value: 14.203125, eigenvalues: [-27.75, 27.75] },
  ],
};

/** H. H. Rosenbrock, 1960: a bent valley with a flat floor. */
export const rosenbrock: Surface = {
  title: 'Rosenbrock',
  formula: '(1 - x)² + 100 (y - x²)²',
  loss: (at) => {
    const [x, y] = coordinates(at) as [typeof at, typeof at];
    return x.neg().add(1).square().add(y.sub(x.square()).square().mul(100));
  },
  start: [-1.2, 1],
  domain: [
    [-2, 2],
    [-1, 3],
  ],
  criticalPoints: [
    {
      point: [1, 1],
      kind: 'minimum',
      value: 0,
      // Of [[802, -400], [-400, 200]].
      eigenvalues: [400 / (501 + Math.sqrt(250601)), 501 + Math.sqrt(250601)],
    },
  ],
};

/** D. M. Himmelblau, 1972: four minima, a hill between them, and four passes. */
export const himmelblau: Surface = {
  title: 'Himmelblau',
  formula: '(x² + y - 11)² + (x + y² - 7)²',
  loss: (at) => {
    const [x, y] = coordinates(at) as [typeof at, typeof at];
    return x.square().add(y).sub(11).square().add(x.add(y.square()).sub(7).square());
  },
  start: [-0.2, -0.9],
  domain: [
    [-5, 5],
    [-5, 5],
  ],
  criticalPoints: [
    // By Newton's iteration.
    { point: [3.5844283403304917, -1.8481265269644036], kind: 'minimum', value: 0 },
    { point: [3.0, 2.0], kind: 'minimum', value: 0 },
    { point: [-2.805118086952745, 3.131312518250573], kind: 'minimum', value: 0 },
    { point: [-3.779310253377747, -3.283185991286169], kind: 'minimum', value: 0 },
    { point: [3.385154183607021, 0.07385187983774928], kind: 'saddle', value: 13.311926270405587 },
    { point: [0.08667750455539634, 2.884254701174776], kind: 'saddle', value: 67.71915008752613 },
    { point: [-3.0730257507643897, -0.08135304428796751], kind: 'saddle', value: 104.01516291755811 },
    { point: [-0.12796134673068005, -1.9537149802445766], kind: 'saddle', value: 178.33723920192745 },
    { point: [-0.2708445906673476, -0.9230385564799815], kind: 'maximum', value: 181.6165215225827 },
  ],
};

/** L. A. Rastrigin, 1974: a bowl full of dents. The points are those around the middle, out of some hundred. */
export const rastrigin: Surface = {
  title: 'Rastrigin',
  formula: '20 + x² - 10 cos 2πx + y² - 10 cos 2πy',
  loss: (at) =>
    at
      .square()
      .sub(
        at
          .mul(2 * Math.PI)
          .cos()
          .mul(10),
      )
      .add(10)
      .sum(),
  start: [2.2, -1.7],
  domain: [
    [-3, 3],
    [-3, 3],
  ],
  criticalPoints: [
    // Eigenvalues are 2 + 40π² cos 2πx of each coordinate.
    { point: [0, 0], kind: 'minimum', value: 0.0, eigenvalues: [396.78417604357435, 396.78417604357435] },
    {
      point: [0.9949586376523348, 0],
      kind: 'minimum',
      value: 0.9949590570932916,
      eigenvalues: [396.5861378338349, 396.78417604357435],
    },
    {
      point: [0, 0.9949586376523348],
      kind: 'minimum',
      value: 0.9949590570932916,
      eigenvalues: [396.5861378338349, 396.78417604357435],
    },
    {
      point: [0.5025460365546747, 0],
      kind: 'saddle',
      value: 20.251272990990113,
      eigenvalues: [-392.7336623081164, 396.78417604357435],
    },
    {
      point: [0, 0.5025460365546747],
      kind: 'saddle',
      value: 20.251272990990113,
      eigenvalues: [-392.7336623081164, 396.78417604357435],
    },
    {
      point: [0.5025460365546747, 0.5025460365546747],
      kind: 'maximum',
      value: 40.50254598198023,
      eigenvalues: [-392.7336623081164, -392.7336623081164],
    },
  ],
};
