import path from 'node:path';
import { ValueError } from '../errors';
import { writeFileAtomic } from '../io/atomic';
import { classifyCriticalPoint, race, surfaces, type Contestant, type Surface } from '../landscape';
import { tensor } from '../ops/create';
import { Variable } from '../tensor/tensor';
import { reportPage } from '../page/report';
import { createOptimizer } from './optimizers';
import { raceReport, summarize, winnerOf } from './race-report';
import { createSchedule, type ScheduleChoice } from './schedules';
import type { Settings } from './values';
import { show } from './figures';

/** The flags of `race`, each checked by itself. */
export interface RaceArguments {
  readonly surface: string;
  readonly optimizers: readonly string[];
  readonly lr?: Settings;
  readonly schedule?: ScheduleChoice;
  readonly steps: number;
  readonly out: string;
  readonly json: boolean;
}

export const surfaceNames: readonly string[] = Object.keys(surfaces);

/** The surface of a name. Throws ValueError for another one. */
export function surfaceOf(name: string): Surface {
  if (!Object.hasOwn(surfaces, name))
    throw new ValueError(`surface ${name}: unknown; possible are ${surfaceNames.join(', ')}`);
  return surfaces[name as keyof typeof surfaces];
}

/** Races optimizers over a surface, writes the page and prints a table. */
export async function runRace(options: RaceArguments): Promise<void> {
  const surface = surfaceOf(options.surface);
  const { optimizers, lr = {}, schedule = { name: 'none', settings: {} }, steps, out, json } = options;
  for (const name of Object.keys(lr))
    if (!optimizers.includes(name) || typeof lr[name] !== 'number')
      throw new ValueError(`--lr ${name}=${String(lr[name])}: takes name=number, of ${optimizers.join(', ')}`);
  const curvature = await steepestCurvature(surface);
  const contestants = optimizers.map((name): Contestant => ({
    name,
    create: (x) => {
      const rate = (lr[name] as number | undefined) ?? usualRate(name, surface, curvature);
      const [rule, settings] = ruleOf(name);
      const optimizer = createOptimizer(rule, [x], { lr: rate, ...settings });
      return { optimizer, scheduler: createSchedule(schedule, optimizer, steps).perBatch };
    },
  }));
  const tracks = await race(surface, contestants, { steps });
  const summaries = tracks.map((track) => summarize(surface, track));
  const command = `npx saddlepoint race ${flagsOf(options)}`;
  writeFileAtomic(out, reportPage(raceReport(surface, tracks, command)));
  if (json) {
    process.stdout.write(`${JSON.stringify({ surface: options.surface, steps, out, tracks: summaries })}\n`);
    return;
  }
  const width = Math.max(...optimizers.map(({ length }) => length));
  for (const { name, lr: rate, finalLoss, arrived, diverged } of summaries) {
    const when = arrived !== null ? `there after ${arrived} steps` : diverged ? 'far beyond the picture' : 'not there';
    process.stdout.write(
      `${name.padEnd(width)}  lr ${show(rate).padEnd(9)}  loss ${show(finalLoss).padEnd(10)}  ${when}\n`,
    );
  }
  process.stdout.write(`${winnerOf(surface, tracks)}\n${path.normalize(out)}: open it in a browser\n`);
}

/** The names of textbooks: sgd without momentum, and with. */
function ruleOf(name: string): [rule: string, settings: Settings] {
  if (name === 'sgd') return ['sgd', { momentum: 0 }];
  if (name === 'momentum') return ['sgd', { momentum: 0.9 }];
  return [name, {}];
}

/** |λ| of the Hessian at the start and at the known points, at most: beyond 2 / |λ| plain descent diverges. */
async function steepestCurvature({ loss, start, criticalPoints }: Surface): Promise<number> {
  let steepest = 0;
  for (const point of [start, ...criticalPoints.map((known) => known.point)]) {
    const x = new Variable(tensor([...point], { dtype: 'float64' }), { requiresGrad: true });
    const { eigenvalues } = await classifyCriticalPoint(() => loss(x.capture()), [x], { samples: 0 });
    steepest = Math.max(steepest, ...eigenvalues.map(Math.abs));
  }
  return steepest;
}

/** What is steep decides for plain descent; rules that normalise their steps go by the size of the picture. */
function usualRate(name: string, { domain }: Surface, curvature: number): number {
  const width = Math.max(...domain.map(([from, to]) => to - from));
  const shares: { readonly [rule: string]: number } = { adagrad: 0.1, rmsprop: 0.01, rprop: 0.01, lbfgs: 1 / width };
  const rate =
    name === 'sgd' ? 1.8 / curvature : name === 'momentum' ? 0.4 / curvature : (shares[name] ?? 0.02) * width;
  return Number(rate.toPrecision(3));
}

function flagsOf({ surface, optimizers, lr = {}, schedule, steps }: RaceArguments): string {
  const flags = [`--surface ${surface}`, `--optimizers ${optimizers.join(',')}`, `--steps ${steps}`];
  for (const [name, rate] of Object.entries(lr)) flags.push(`--lr ${name}=${String(rate)}`);
  if (schedule !== undefined) {
    const settings = Object.entries(schedule.settings).map(([key, value]) => `${key}=${String(value)}`);
    flags.push(`--schedule ${[schedule.name, settings.join(',')].filter(Boolean).join(':')}`);
  }
  return flags.join(' ');
}
