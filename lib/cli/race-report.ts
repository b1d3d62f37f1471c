import type { Surface, Track } from '../landscape';
import type { ContoursFigure, LinesFigure, Report, Section } from '../page/report';
import { gridOf, show } from './figures';

const axes = ['x', 'y', 'z'];

export interface TrackSummary {
  readonly name: string;
  readonly lr: number;
  readonly finalLoss: number;
  /** The first step at which the loss is at the goal (`goalOf`); null for never. */
  readonly arrived: number | null;
  readonly diverged: boolean;
  /** For each coordinate, how many steps turned back, of those longer than a millionth of the longest. */
  readonly turns: readonly { readonly turned: number; readonly of: number }[];
  /** For each coordinate, its first and its last step. */
  readonly steps: readonly (readonly [first: number, last: number])[];
  readonly nearest: { readonly kind: string; readonly distance: number };
}

/** Near the lowest known minimum; where there is none, below the lowest saddle. */
function goalOf({ criticalPoints }: Surface, start: number): { value: number; words: string } {
  const minima = criticalPoints.filter(({ kind }) => kind === 'minimum').map(({ value }) => value);
  if (minima.length === 0)
    return {
      value: Math.min(...criticalPoints.map(({ value }) => value)) - 0.01,
      words: 'to fall below the saddle by 0.01',
    };
  const best = Math.min(...minima);
  return {
    value: best + 0.01 * (start - best),
    words: `to come down to a hundredth of the start's height above the lowest minimum, ${show(best)}`,
  };
}

/** The numbers that the tables and the words are made of. */
export function summarize(surface: Surface, { name, lr, loss, positions, diverged }: Track): TrackSummary {
  const { value: goal } = goalOf(surface, loss[0]!);
  const arrived = loss.findIndex((value) => value <= goal);
  const moves = movesOf(positions);
  const last = positions.at(-1)!;
  const distances = surface.criticalPoints.map(({ kind, point }) => ({
    kind,
    distance: Math.hypot(...point.map((value, i) => value - last[i]!)),
  }));
  return {
    name,
    lr: lr[0] ?? 0,
    finalLoss: loss.at(-1)!,
    arrived: arrived < 0 ? null : arrived,
    diverged,
    turns: moves.map(turnsOf),
    steps: moves.map((own) => [Math.abs(own[0] ?? 0), Math.abs(own.at(-1) ?? 0)] as const),
    nearest: distances.reduce((a, b) => (b.distance < a.distance ? b : a)),
  };
}

function turnsOf(moves: readonly number[]): { turned: number; of: number } {
  const least = 1e-6 * Math.max(...moves.map(Math.abs));
  const long = moves.filter((move, i) => i > 0 && Math.abs(move) > least);
  const turned = moves.filter(
    (move, i) => i > 0 && Math.abs(move) > least && Math.sign(move) === -Math.sign(moves[i - 1]!),
  );
  return { turned: turned.length, of: long.length };
}

/** For each coordinate what every step added to it. */
function movesOf(positions: readonly Float64Array[]): number[][] {
  return Array.from(positions[0]!, (_, i) =>
    positions.slice(1).map((position, step) => position[i]! - positions[step]![i]!),
  );
}

/** The page of a race. */
export function raceReport(surface: Surface, tracks: readonly Track[], command: string): Report {
  const summaries = tracks.map((track) => summarize(surface, track));
  return {
    title: `Race on ${surface.title}: ${surface.formula}`,
    verdict: [winnerOf(surface, tracks), ...summaries.map((summary) => wordsOf(summary, tracks))],
    sections: [
      ...(surface.start.length === 2 ? [pathsSection(surface, tracks)] : []),
      lossSection(surface, tracks, summaries),
      stepsSection(tracks, summaries),
      { heading: 'Made by', text: [command] },
    ],
  };
}

export function winnerOf(surface: Surface, tracks: readonly Track[]): string {
  const summaries = tracks.map((track) => summarize(surface, track));
  const { words } = goalOf(surface, tracks[0]!.loss[0]!);
  const arrived = summaries.filter((summary) => summary.arrived !== null);
  if (arrived.length === 0) return `Nobody managed ${words}.`;
  const least = Math.min(...arrived.map((summary) => summary.arrived!));
  const first = arrived.filter((summary) => summary.arrived === least).map(({ name }) => name);
  const lowest = summaries.reduce((a, b) => (b.finalLoss < a.finalLoss ? b : a));
  return `The first ${words}: ${first.join(' and ')}, after ${least} steps. ${lowest.name} ended lowest, at ${show(lowest.finalLoss)}.`;
}

/** What an optimizer did, as far as its numbers show it. */
export function wordsOf(summary: TrackSummary, tracks: readonly Track[]): string {
  const { name, lr, turns, steps, diverged, finalLoss } = summary;
  const track = tracks.find((other) => other.name === name)!;
  const count = track.positions.length - 1;
  if (diverged) return `${name} (learning rate ${show(lr)}) went far beyond the picture after ${count} steps.`;
  const parts = [`${name} (learning rate ${show(lr)}) ended at ${show(finalLoss)}`];
  turns.forEach(({ turned, of }, i) => {
    if (turned > of / 2) parts.push(`it swung to and fro in ${axes[i]}, turning back in ${turned} of ${of} steps`);
  });
  const firsts = steps.map(([first]) => first);
  const ratio = Math.max(...firsts) / Math.min(...firsts);
  if (ratio < 1.01) parts.push('its first step was equally long in every parameter, however steep each is');
  else if (Number.isFinite(ratio))
    parts.push(`its first step was ${show(ratio)} times as long in one parameter as in another`);
  const rates = track.lr;
  if (rates.some((rate) => rate !== rates[0]))
    parts.push(
      `its learning rate went from ${show(rates[0]!)} over ${show(Math.max(...rates))} to ${show(rates.at(-1)!)}`,
    );
  return `${parts.join('; ')}.`;
}

function pathsSection(surface: Surface, tracks: readonly Track[]): Section {
  const figure: ContoursFigure = {
    kind: 'contours',
    title: 'Paths on bands of equal loss',
    xLabel: 'x',
    yLabel: 'y',
    ...gridOf(surface),
    paths: tracks.map(({ name, positions }, color) => ({
      label: name,
      color,
      points: positions.map((position) => [position[0]!, position[1]!] as const),
    })),
    marks: surface.criticalPoints.map(({ kind, point }) => ({ label: kind, point: [point[0]!, point[1]!] as const })),
  };
  return {
    heading: 'Where they went',
    figures: [figure],
    tables: [
      {
        head: ['optimizer', 'ended at', 'nearest known point', 'its distance'],
        lines: tracks.map((track) => {
          const { nearest } = summarize(surface, track);
          return [
            track.name,
            `(${[...track.positions.at(-1)!].map(show).join(', ')})`,
            nearest.kind,
            show(nearest.distance),
          ];
        }),
      },
    ],
  };
}

function lossSection(surface: Surface, tracks: readonly Track[], summaries: readonly TrackSummary[]): Section {
  const best = Math.min(...surface.criticalPoints.map(({ value }) => value));
  const isLogarithmic = tracks.every(({ loss }) => loss.every((value) => value >= best));
  const from = isLogarithmic && best !== 0 ? ` above ${show(best)}` : '';
  return {
    heading: 'Loss',
    figures: [
      lines('Loss after each step', `loss${from}`, isLogarithmic, tracks, ({ loss }) =>
        loss.map((value) => (isLogarithmic ? value - best : value)),
      ),
    ],
    tables: [
      {
        head: ['optimizer', 'learning rate', 'final loss', 'steps to the goal', ''],
        lines: summaries.map(({ name, lr, finalLoss, arrived, diverged }) => [
          name,
          show(lr),
          show(finalLoss),
          arrived === null ? 'never' : String(arrived),
          diverged ? 'went far beyond the picture' : '',
        ]),
      },
    ],
  };
}

function stepsSection(tracks: readonly Track[], summaries: readonly TrackSummary[]): Section {
  const dimensions = tracks[0]!.positions[0]!.length;
  return {
    heading: 'Step sizes of each parameter',
    text: [
      'One learning rate for all parameters makes steps in the proportion of the slopes; rules that divide by the root mean square of past gradients make them alike.',
    ],
    figures: Array.from({ length: dimensions }, (_, i) =>
      lines(`Step in ${axes[i]}`, `|step in ${axes[i]}|`, true, tracks, ({ positions }) =>
        movesOf(positions)[i]!.map((move) => Math.abs(move)),
      ),
    ),
    tables: [
      {
        head: [
          'optimizer',
          ...axes
            .slice(0, dimensions)
            .flatMap((axis) => [`first step in ${axis}`, `last step in ${axis}`, `turns in ${axis}`]),
        ],
        lines: summaries.map(({ name, steps, turns }) => [
          name,
          ...steps.flatMap(([first, last], i) => [show(first), show(last), `${turns[i]!.turned} of ${turns[i]!.of}`]),
        ]),
      },
    ],
  };
}

function lines(
  title: string,
  yLabel: string,
  isLogarithmic: boolean,
  tracks: readonly Track[],
  valuesOf: (track: Track) => readonly number[],
): LinesFigure {
  const values = tracks.map(valuesOf);
  const length = Math.max(...values.map((own) => own.length));
  return {
    kind: 'lines',
    title,
    xLabel: 'step',
    yLabel,
    isLogarithmic,
    x: Array.from({ length }, (_, i) => i),
    series: tracks.map(({ name }, color) => ({
      label: name,
      color,
      y: Array.from({ length }, (_, i) => values[color]![i] ?? null),
    })),
  };
}
