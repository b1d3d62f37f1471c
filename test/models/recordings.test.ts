import { manualSeed, type Tensor } from '../../lib';
import { evaluateSync } from '../../lib/graph/evaluate';
import { sum } from '../../lib/ops';
import { onEachBackend } from '../helpers/backends';
import { build, cotangentOf, distance, inputOf, roundingBound, setWeights, type Recipe } from '../reference/networks';
import { readRecording } from '../reference/read';

interface Network {
  /** Where it is cheap enough to run: on both backends, on the native one, or in `npm run test:full`, on the native one. */
  readonly tier: 'both' | 'native' | 'full';
  readonly name: string;
  readonly args: readonly unknown[];
  readonly shape: readonly number[];
  readonly training: boolean;
  readonly keys: readonly (readonly [key: string, shape: readonly number[]])[];
  /** Every so many-th output. */
  readonly y: { readonly shape: readonly number[]; readonly every: number; readonly data: readonly number[] };
  /** Of each parameter's gradient the sum and the sum of squares. */
  readonly gradients: { readonly [key: string]: readonly [number, number] } | null;
}

const { cases } = readRecording<{ cases: readonly Network[] }>('models');
const isFull = process.env.SADDLEPOINT_TEST_FULL === '1';

const titled = (networks: readonly Network[]): [string, Network][] =>
  networks.map((network) => [
    `${network.name} ${JSON.stringify(network.args)} of ${network.shape.join(' x ')}`,
    network,
  ]);
const recipeOf = ({ name, args }: Network): Recipe => [name, args];

/** How far the outputs are from PyTorch's, as a part of their norm. */
function error(y: Tensor, { shape, every, data }: Network['y']): number {
  expect(y.shape).toEqual(shape);
  return distance(
    Array.from(y.dataSync(), Number).filter((_, i) => i % every === 0),
    data,
  );
}

describe('keys and shapes of state dicts', () => {
  test.each(titled(cases))('%s', (_title, network) => {
    const dict = build(recipeOf(network)).stateDict();
    expect([...dict].map(([key, value]) => [key, value.shape])).toEqual(network.keys);
  });
});

onEachBackend('networks as PyTorch has them', (backend) => {
  beforeEach(() => void manualSeed(0));
  const tiers = backend === 'portable' ? ['both'] : isFull ? ['both', 'native', 'full'] : ['both', 'native'];
  const shown = cases.filter(({ tier }) => tiers.includes(tier));

  test.each(titled(shown))('outputs in float64: %s', (_title, network) => {
    const model = build(recipeOf(network)).double().train();
    if (!network.training) model.eval();
    setWeights(model);
    const y = model.forward(inputOf(recipeOf(network), network.shape, 'float64'));
    // Both sides round.
    expect(error(y, network.y)).toBeLessThan(2 * roundingBound(model, 2 ** -53));
  });

  test.each(titled(shown))('outputs in float32: %s', (_title, network) => {
    const model = build(recipeOf(network));
    if (!network.training) model.eval();
    setWeights(model);
    const y = model.forward(inputOf(recipeOf(network), network.shape, 'float32'));
    expect(error(y, network.y)).toBeLessThan(roundingBound(model, 2 ** -24));
  });

  test.each(titled(shown.filter(({ gradients }) => gradients !== null)))('gradients: %s', (_title, network) => {
    const model = build(recipeOf(network)).double();
    if (!network.training) model.eval();
    setWeights(model);
    const y = model.forward(inputOf(recipeOf(network), network.shape, 'float64'));
    sum(y.mul(cotangentOf(y.shape))).backward();
    evaluateSync([...model.parameters()].map(({ grad }) => grad!));
    for (const [key, parameter] of model.namedParameters()) {
      const g = Array.from(parameter.grad!.dataSync(), Number);
      const [total, squares] = network.gradients![key]!;
      const found = g.reduce((s, x) => s + x * x, 0);
      // Where a constant shift has no effect the gradient is rounding alone.
      const magnitude = Math.max(Math.sqrt(squares * g.length), 1e-3);
      expect(Math.abs(g.reduce((s, x) => s + x, 0) - total)).toBeLessThanOrEqual(1e-9 * magnitude);
      expect(Math.abs(found - squares)).toBeLessThanOrEqual(1e-9 * Math.max(squares, 1e-6));
    }
  });
});
