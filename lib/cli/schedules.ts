import { ValueError } from '../errors';
import * as optim from '../optim';
import type { LRScheduler } from '../optim';
import { ReduceLROnPlateau, type Scheduled } from '../optim';
import { checkNames, withDefaults } from '../optim/options';
import type { Setting, Settings } from './values';

/** A schedule as the command line names it. */
export interface ScheduleChoice {
  readonly name: string;
  readonly settings: Settings;
}

/** When a schedule moves on: after every batch, or on what an epoch's test measured. */
export interface Schedule {
  readonly perBatch?: { step(): void };
  readonly perEpoch?: { step(testLoss: number): void };
}

/** What the defaults are taken from. */
interface Run {
  readonly steps: number;
  readonly lr: number;
}

interface Entry {
  defaults(run: Run): Settings;
  create(optimizer: Scheduled, settings: Settings): LRScheduler | ReduceLROnPlateau | null;
}

const WARMUP_SHARE = 0.1;
const warmupSteps = ({ steps }: Run): number => Math.floor(WARMUP_SHARE * steps);
const third = ({ steps }: Run): number => Math.max(1, Math.floor(steps / 3));

/** Every schedule that words can describe: what it takes, by default spread over the whole training, and how it is made. */
const schedules: { readonly [name: string]: Entry } = {
  'warmup-cosine': entry(
    (run) => ({ totalSteps: run.steps, warmupSteps: warmupSteps(run), etaMin: 0 }),
    (optimizer, { totalSteps, ...rest }) => new optim.WarmupCosineLR(optimizer, totalSteps, rest),
  ),
  'warmup-stable-decay': entry<optim.WarmupStableDecayOptions & { totalSteps: number }>(
    (run) => ({
      totalSteps: run.steps,
      warmupSteps: warmupSteps(run),
      decaySteps: Math.ceil(run.steps / 10),
      decay: 'linear',
      etaMin: 0,
    }),
    (optimizer, { totalSteps, ...rest }) => new optim.WarmupStableDecayLR(optimizer, totalSteps, rest),
  ),
  constant: entry(
    (run) => ({ factor: 1 / 3, totalIters: third(run) }),
    (optimizer, settings) => new optim.ConstantLR(optimizer, settings),
  ),
  'cosine-annealing': entry(
    (run) => ({ tMax: run.steps, etaMin: 0 }),
    (optimizer, { tMax, ...rest }) => new optim.CosineAnnealingLR(optimizer, tMax, rest),
  ),
  'cosine-annealing-warm-restarts': entry(
    (run) => ({ t0: third(run), tMult: 1, etaMin: 0 }),
    (optimizer, { t0, ...rest }) => new optim.CosineAnnealingWarmRestarts(optimizer, t0, rest),
  ),
  cyclic: entry<Partial<optim.CyclicOptions> & { baseLr: number; maxLr: number }>(
    (run) => ({
      baseLr: run.lr / 10,
      maxLr: run.lr,
      stepSizeUp: third(run),
      stepSizeDown: third(run),
      mode: 'triangular',
      gamma: 1,
      cycleMomentum: true,
      baseMomentum: 0.8,
      maxMomentum: 0.9,
    }),
    (optimizer, { baseLr, maxLr, ...rest }) => new optim.CyclicLR(optimizer, baseLr, maxLr, rest),
  ),
  exponential: entry(
    (run) => ({ gamma: 0.01 ** (1 / run.steps) }),
    (optimizer, { gamma }) => new optim.ExponentialLR(optimizer, gamma),
  ),
  'inverse-square-root': entry(
    (run) => ({ warmupSteps: Math.max(1, warmupSteps(run)) }),
    (optimizer, settings) => new optim.InverseSquareRootLR(optimizer, settings.warmupSteps),
  ),
  linear: entry(
    (run) => ({ startFactor: 1, endFactor: 0, totalIters: run.steps }),
    (optimizer, settings) => new optim.LinearLR(optimizer, settings),
  ),
  'multi-step': entry(
    (run) => ({ milestones: [third(run), 2 * third(run)], gamma: 0.1 }),
    (optimizer, { milestones, ...rest }) => new optim.MultiStepLR(optimizer, milestones, rest),
  ),
  'one-cycle': entry<Partial<optim.OneCycleOptions> & { maxLr: number }>(
    (run) => ({
      maxLr: run.lr,
      totalSteps: run.steps,
      pctStart: 0.3,
      annealStrategy: 'cos',
      cycleMomentum: true,
      baseMomentum: 0.85,
      maxMomentum: 0.95,
      divFactor: 25,
      finalDivFactor: 1e4,
      threePhase: false,
    }),
    (optimizer, { maxLr, ...rest }) => new optim.OneCycleLR(optimizer, maxLr, rest),
  ),
  polynomial: entry(
    (run) => ({ totalIters: run.steps, power: 1 }),
    (optimizer, settings) => new optim.PolynomialLR(optimizer, settings),
  ),
  step: entry(
    (run) => ({ stepSize: third(run), gamma: 0.1 }),
    (optimizer, { stepSize, ...rest }) => new optim.StepLR(optimizer, stepSize, rest),
  ),
  swa: entry<{ swaLr: number; annealEpochs: number; annealStrategy: 'cos' | 'linear' }>(
    (run) => ({ swaLr: run.lr / 10, annealEpochs: third(run), annealStrategy: 'cos' }),
    (optimizer, { swaLr, ...rest }) => new optim.SWALR(optimizer, swaLr, rest),
  ),
  'reduce-on-plateau': entry<Partial<optim.PlateauOptions>>(
    () => ({
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: 'rel',
      cooldown: 0,
      minLr: 0,
      eps: 1e-8,
    }),
    (optimizer, settings) => new ReduceLROnPlateau(optimizer, settings),
  ),
  none: entry(
    () => ({}),
    () => null,
  ),
};

export const scheduleNames: readonly string[] = Object.keys(schedules);

export const defaultSchedule: ScheduleChoice = { name: 'warmup-cosine', settings: {} };

/**
 * The chosen schedule, set up for a training of so many steps. Throws ValueError for an unknown setting, a value of
 * another kind, or one outside what the schedule takes.
 *
 *     const { perBatch } = createSchedule({ name: 'step', settings: { gamma: 0.5 } }, optimizer, 600);
 */
export function createSchedule({ name, settings }: ScheduleChoice, optimizer: Scheduled, steps: number): Schedule {
  const chosen = Object.hasOwn(schedules, name) ? schedules[name] : undefined;
  if (chosen === undefined)
    throw new ValueError(`--schedule ${name}: unknown; possible are ${scheduleNames.join(', ')}`);
  const defaults = chosen.defaults({ steps, lr: optimizer.paramGroups[0]!.lr });
  checkNames(`--schedule ${name}`, settings, defaults);
  const complete = Object.entries(settings).map(
    ([key, value]) => [key, fit(name, key, value, defaults[key]!)] as const,
  );
  const schedule = chosen.create(optimizer, withDefaults(Object.fromEntries(complete), defaults));
  if (schedule === null) return {};
  return schedule instanceof ReduceLROnPlateau ? { perEpoch: schedule } : { perBatch: schedule };
}

/** The value, as a list where one is taken; a ValueError if it is of another kind than the default. */
function fit(schedule: string, key: string, value: Setting, byDefault: Setting): Setting {
  const fitting = Array.isArray(byDefault) && typeof value === 'number' ? [value] : value;
  const [given, wanted] = [kind(fitting), kind(byDefault)];
  if (given !== wanted) throw new ValueError(`--schedule ${schedule}: ${key} is a ${wanted}, got ${String(value)}`);
  return fitting;
}

function kind(value: Setting): string {
  if (typeof value === 'object') return 'list of numbers';
  return typeof value === 'string' ? 'word' : typeof value;
}

/** Settings have the kinds of the defaults: `createSchedule` sees to it. */
function entry<Own extends object>(
  defaults: (run: Run) => Own,
  create: (optimizer: Scheduled, settings: Own) => LRScheduler | ReduceLROnPlateau | null,
): Entry {
  return {
    defaults: (run) => defaults(run) as Settings,
    create: (optimizer, settings) => create(optimizer, settings as Own),
  };
}
