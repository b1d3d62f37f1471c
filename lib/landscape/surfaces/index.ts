import { threeLayerNetwork, twoLayerNetwork } from './linear-networks';
import { monkeySaddle, ravine, saddle } from './quadratics';
import type { Surface } from './surface';
import { beale, himmelblau, rastrigin, rosenbrock } from './test-functions';

export type { KnownPoint, Surface } from './surface';

/**
 * Functions whose critical points are known, to try optimizers and tools on; see docs/landscape.md.
 *
 *     const { loss, criticalPoints } = surfaces.himmelblau;
 */
export const surfaces = {
  saddle,
  monkeySaddle,
  ravine,
  beale,
  rosenbrock,
  himmelblau,
  rastrigin,
  twoLayerNetwork,
  threeLayerNetwork,
} satisfies { readonly [name: string]: Surface };
