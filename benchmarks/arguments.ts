import { parseArgs } from 'node:util';

/** What the command line got wrong: main.ts prints it and exits with 2. */
export class UsageError extends Error {}

export interface Arguments {
  readonly suites: readonly string[];
  readonly threads: readonly number[];
  readonly filter: RegExp;
  readonly peers: readonly string[];
  /** Where the rows go, besides the table. */
  readonly json: string | null;
  /** Where they go as a page. */
  readonly html: string | null;
  /** Whether to warm up shortly: many cases in minutes, of what no just-in-time compiler runs. */
  readonly brief: boolean;
}

/** A file of rows, and which of its cases are meant. */
export interface SummaryArguments {
  readonly file: string;
  readonly filter: RegExp;
}

/** Two files of rows, and from where on a ratio of their times counts. */
export interface CompareArguments {
  readonly before: string;
  readonly after: string;
  readonly threshold: number;
}

/**
 * `SUITE ... [--threads 1,2] [--filter re] [--peers torch,ort,tfjs] [--json FILE] [--html FILE] [--brief]`; no suite
 * stands for all of them. Throws UsageError for what is not possible.
 */
export function parseArguments(
  words: readonly string[],
  possible: { readonly suites: readonly string[]; readonly peers: readonly string[] },
): Arguments {
  const { values, positionals } = parse(words);
  const suites = positionals.length === 0 ? possible.suites : positionals;
  const peers = list(values.peers);
  for (const suite of suites) check('suite', suite, possible.suites);
  for (const peer of peers) check('peer', peer, possible.peers);
  const threads = list(values.threads).map(Number);
  if (threads.length === 0 || !threads.every((count) => Number.isInteger(count) && count >= 1 && count <= 64))
    throw new UsageError(`--threads takes integers from 1 to 64, got '${values.threads}'`);
  return {
    suites,
    threads,
    filter: expression(values.filter),
    peers,
    json: values.json ?? null,
    html: values.html ?? null,
    brief: values.brief,
  };
}

/** `FILE.json [--filter re]`. Throws UsageError for what is not possible. */
export function parseSummary(words: readonly string[]): SummaryArguments {
  const options = { filter: { type: 'string', default: '' } } as const;
  const { values, positionals } = parsed({ args: [...words], allowPositionals: true, options });
  if (positionals.length !== 1) throw new UsageError(`summary takes one file, got ${positionals.length}`);
  return { file: positionals[0]!, filter: expression(values.filter) };
}

/** `A.json B.json [--threshold 1.1]`. Throws UsageError for what is not possible. */
export function parseCompare(words: readonly string[]): CompareArguments {
  const options = { threshold: { type: 'string', default: '1.1' } } as const;
  const { values, positionals } = parsed({ args: [...words], allowPositionals: true, options });
  const threshold = Number(values.threshold);
  if (positionals.length !== 2) throw new UsageError(`compare takes two files, got ${positionals.length}`);
  if (!(threshold >= 1 && threshold < Infinity))
    throw new UsageError(`--threshold takes a number of 1 or more, got '${values.threshold}'`);
  return { before: positionals[0]!, after: positionals[1]!, threshold };
}

function parse(words: readonly string[]) {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const options = {
    threads: text('1,2'),
    filter: text(''),
    peers: text(''),
    json: { type: 'string' },
    html: { type: 'string' },
    brief: { type: 'boolean', default: false },
  } as const;
  return parsed({ args: [...words], allowPositionals: true, options });
}

const parsed: typeof parseArgs = (config) => {
  try {
    return parseArgs(config);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
};

function check(what: string, name: string, possible: readonly string[]): void {
  if (!possible.includes(name)) throw new UsageError(`unknown ${what} '${name}'; possible are ${possible.join(', ')}`);
}

function expression(source: string): RegExp {
  try {
    return new RegExp(source);
  } catch (error) {
    throw new UsageError(`--filter takes a regular expression: ${(error as Error).message}`);
  }
}

const list = (text: string): string[] => (text === '' ? [] : text.split(','));
