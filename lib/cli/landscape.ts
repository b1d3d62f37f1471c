import path from 'node:path';
import { writeFileAtomic } from '../io/atomic';
import { reportPage, type Report } from '../page/report';
import { reportOfRun } from './landscape-run';
import { reportOfSurface } from './landscape-surface';
import { surfaceNames, surfaceOf } from './race';

/** The argument and flags of `landscape`, each checked by itself. */
export interface LandscapeArguments {
  /** A folder of `train --out`, or a surface's name. */
  readonly where: string;
  readonly data?: string;
  readonly images: number;
  readonly k: number;
  readonly maxProducts: number;
  readonly points: number;
  readonly seed: number;
  readonly out: string;
  readonly json: boolean;
}

/** What was found, as a page and as numbers. */
export interface Finding {
  readonly report: Report;
  readonly numbers: object;
}

/** Looks at a run's end or at a surface, writes the page and prints the verdict. */
export async function runLandscape(options: LandscapeArguments): Promise<void> {
  const { where, out, json } = options;
  // On standard error, so that what is printed can be piped on; a line of its own where nobody watches.
  const tell = (text: string): void => {
    if (!json && process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  };
  const finding = surfaceNames.includes(where)
    ? await reportOfSurface(where, surfaceOf(where))
    : await reportOfRun(options, tell);
  tell('');
  writeFileAtomic(out, reportPage(finding.report));
  if (json) process.stdout.write(`${JSON.stringify({ ...finding.numbers, out })}\n`);
  else process.stdout.write(`${finding.report.verdict.join('\n')}\n${path.normalize(out)}: open it in a browser\n`);
}
