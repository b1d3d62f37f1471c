import { client } from './client';
import { documentOf, escaped, tableOf } from './html';

/** Curves over one x axis. */
export interface LinesFigure {
  readonly kind: 'lines';
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** A logarithmic y axis; values that are not positive are left out. */
  readonly isLogarithmic?: boolean;
  readonly x: readonly number[];
  /** `color` counts hues: series of one colour belong together. null leaves a gap. */
  readonly series: readonly {
    readonly label: string;
    readonly y: readonly (number | null)[];
    readonly color: number;
  }[];
}

/** A function on a plane as bands of equal value, with paths and points on it. */
export interface ContoursFigure {
  readonly kind: 'contours';
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** values[j][i] at x[i], y[j]; null where it is not finite. */
  readonly values: readonly (readonly (number | null)[])[];
  readonly paths: readonly {
    readonly label: string;
    readonly points: readonly (readonly [number, number])[];
    readonly color: number;
  }[];
  readonly marks: readonly { readonly label: string; readonly point: readonly [number, number] }[];
}

export type Figure = LinesFigure | ContoursFigure;

export interface Section {
  readonly heading: string;
  /** Paragraphs. */
  readonly text?: readonly string[];
  readonly figures?: readonly Figure[];
  readonly tables?: readonly { readonly head: readonly string[]; readonly lines: readonly (readonly string[])[] }[];
}

export interface Report {
  readonly title: string;
  /** The verdict in words: paragraphs that stand first. */
  readonly verdict: readonly string[];
  readonly sections: readonly Section[];
}

/**
 * A report as one page that needs nothing else. Throws SaddlepointError if the package uplot is missing.
 *
 *     writeFileAtomic('race.html', reportPage({ title, verdict, sections }));
 */
export function reportPage({ title, verdict, sections }: Report): string {
  const figures: Figure[] = [];
  const partOf = ({ heading, text = [], figures: own = [], tables = [] }: Section): string => {
    const places = own.map((figure) => `<figure data-figure="${figures.push(figure) - 1}"></figure>`);
    return `<h2>${escaped(heading)}</h2>
${text.map((paragraph) => `<p>${escaped(paragraph)}</p>`).join('\n')}
<div class="figures">${places.join('\n')}</div>
${tables.map(({ head, lines }) => tableOf(head, lines)).join('\n')}`;
  };
  const lead = verdict.map((paragraph) => `<p class="verdict">${escaped(paragraph)}</p>`).join('\n');
  const body = [lead, ...sections.map(partOf)].join('\n');
  return documentOf({ title, body, data: { figures }, script: client });
}
