import fs from 'node:fs';
import { createRequire } from 'node:module';
import { SaddlepointError } from '../errors';
import { style } from './style';

export interface Document {
  readonly title: string;
  /** HTML between the title and the scripts. */
  readonly body: string;
  /** What `script` finds under the name `data`. */
  readonly data: unknown;
  /** JavaScript, with uPlot and `data` at hand. */
  readonly script: string;
}

/**
 * A page that needs nothing else: styles, uPlot and numbers are in it. Throws SaddlepointError if the package uplot is missing.
 *
 *     writeFileAtomic('report.html', documentOf({ title, body, data, script }));
 */
export function documentOf({ title, body, data, script }: Document): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${uplot('uPlot.min.css')}
${style}</style>
<h1>${escaped(title)}</h1>
${body}
<script>${uplot('uPlot.iife.min.js')}</script>
<script>const data = ${json(data)};
${script}</script>
</html>
`;
}

/** Cells of more letters are broken into lines. */
const LONG = 40;

export function tableOf(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const cell = (text: string, tag: 'th' | 'td'): string =>
    `<${tag}${text.length > LONG ? ' class="words"' : ''}>${escaped(text)}</${tag}>`;
  const row = (cells: readonly string[], tag: 'th' | 'td'): string =>
    `<tr>${cells.map((text) => cell(text, tag)).join('')}</tr>`;
  return `<table>${[row(head, 'th'), ...lines.map((cells) => row(cells, 'td'))].join('\n')}</table>`;
}

export const escaped = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** JSON that may stand in a script element. */
const json = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

function uplot(file: string): string {
  let found: string;
  try {
    found = createRequire(__filename).resolve(`uplot/dist/${file}`);
  } catch (error) {
    throw new SaddlepointError('pages with plots need the package uplot; install it: npm install uplot', {
      cause: error,
    });
  }
  return fs.readFileSync(found, 'utf8');
}
