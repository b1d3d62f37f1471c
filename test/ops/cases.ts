import { activationCases } from './cases/activations';
import { attentionCases } from './cases/attention';
import type { Case } from './cases/case';
import { convCases } from './cases/conv';
import { crossEntropyCases } from './cases/cross-entropy';
import { elementwiseCases } from './cases/elementwise';
import { indexingCases } from './cases/indexing';
import { matmulCases } from './cases/matmul';
import { normCases } from './cases/norm';
import { poolCases } from './cases/pool';
import { randomCases } from './cases/random';
import { reduceCases } from './cases/reduce';
import { shapeCases } from './cases/shape';
import { softmaxCases } from './cases/softmax';

/** Every operation of the registry, and the public functions made of them: registry.test.ts misses none. */
export const cases: readonly Case[] = [
  ...elementwiseCases,
  ...activationCases,
  ...shapeCases,
  ...reduceCases,
  ...softmaxCases,
  ...crossEntropyCases,
  ...matmulCases,
  ...attentionCases,
  ...convCases,
  ...poolCases,
  ...normCases,
  ...indexingCases,
  ...randomCases,
];
