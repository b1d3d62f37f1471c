import { backward } from '../autodiff';
import { ValueError } from '../errors';
import { signalOf, type AbortOptions } from '../graph/abort';
import { submit } from '../graph/evaluate';
import { readData, readItem } from '../graph/reading';
import { tensor } from '../ops/create';
import { checkInteger } from '../tensor/shape';
import { Variable, type Tensor } from '../tensor/tensor';
import type { Surface } from './surfaces';

/** Who runs: an optimizer over the position, and what its learning rate does. */
export interface Contestant {
  readonly name: string;
  readonly create: (position: Variable) => {
    readonly optimizer: TrainingOptimizer;
    readonly scheduler?: { step(): void } | undefined;
  };
}

/** What is used of an optimizer. */
interface TrainingOptimizer {
  readonly paramGroups: readonly { readonly lr: number }[];
  step(closure: () => Tensor): PromiseLike<unknown>;
}

export interface Track {
  readonly name: string;
  /** The learning rate of each step. */
  readonly lr: readonly number[];
  /** positions[0] is the start. */
  readonly positions: readonly Float64Array[];
  /** At each position. */
  readonly loss: readonly number[];
  /** Whether it went more than five widths beyond the picture: there it was stopped. */
  readonly diverged: boolean;
}

/**
 * Runs optimizers from a surface's start, in float64, and keeps their tracks. Throws ValueError for fewer than one step.
 *
 *     const [track] = await race(surfaces.ravine, [{ name: 'sgd', create: (x) => ({ optimizer: new SGD([x], { lr: 0.01 }) }) }]);
 */
export async function race(
  surface: Surface,
  contestants: readonly Contestant[],
  options: AbortOptions & { readonly steps?: number } = {},
): Promise<Track[]> {
  const { steps = 200 } = options;
  checkInteger('race', 'steps', steps, 1);
  if (contestants.length === 0) throw new ValueError('race: needs at least one contestant');
  const signal = signalOf('race', options) ?? undefined;
  const tracks: Track[] = [];
  for (const { name, create } of contestants) {
    const x = new Variable(tensor([...surface.start], { dtype: 'float64' }), { requiresGrad: true });
    const { optimizer, scheduler } = create(x);
    const [positions, loss, lr] = [[] as Float64Array[], [] as number[], [] as number[]];
    const look = async (): Promise<boolean> => {
      const value = surface.loss(x.capture());
      await submit([value], { signal });
      const [reached, position] = [await readItem(value), (await readData(x.capture())) as Float64Array];
      if (!Number.isFinite(reached) || !isNear(surface, position)) return false;
      loss.push(reached);
      positions.push(position);
      return true;
    };
    let isFinite = await look();
    for (let step = 0; step < steps && isFinite; step++) {
      lr.push(optimizer.paramGroups[0]!.lr);
      await optimizer.step(() => {
        x.grad = null;
        const value = surface.loss(x.capture());
        backward(value);
        return value;
      });
      scheduler?.step();
      isFinite = await look();
    }
    tracks.push({ name, lr, positions, loss, diverged: !isFinite });
  }
  return tracks;
}

const FAR = 5;

function isNear({ domain }: Surface, position: Float64Array): boolean {
  return position.every((value, i) => {
    const [from, to] = domain[i] ?? domain[0];
    return value >= from - FAR * (to - from) && value <= to + FAR * (to - from);
  });
}
