import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as saddlepoint from '../../lib';

/** Names of PyTorch, what stands for each here (null: nothing), and what differs. */
interface Row {
  readonly torch: string;
  readonly here: string | null;
  readonly difference: string;
}

interface Table {
  /** How many names PyTorch 1.13 has there, without those of typing and of its own machinery. */
  readonly size: number;
  /** Where the same name would be exported here. */
  readonly prefix: string;
}

const TABLES: Readonly<Record<string, Table>> = {
  'torch.nn': { size: 158, prefix: 'nn.' },
  'torch.nn.functional': { size: 125, prefix: 'F.' },
  'torch.optim': { size: 14, prefix: 'optim.' },
  'torch.optim.lr_scheduler': { size: 16, prefix: 'optim.' },
  'torch.nn.init': { size: 26, prefix: 'nn.init.' },
};

const page = readFileSync(join(__dirname, '../../docs/from-pytorch.md'), 'utf8');

/** The rows of the table below a heading, without the two that head it. */
function cellsBelow(heading: string): string[][] {
  const below = page.split(`\n## ${heading}\n`)[1];
  if (below === undefined) throw new Error(`docs/from-pytorch.md has no heading ${heading}`);
  const lines = below.split('\n## ')[0]!.split('\n');
  const rows = lines.filter((line) => line.startsWith('|')).slice(2);
  return rows.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const plain = (cell: string): string => cell.replaceAll('`', '');

function rowsBelow(heading: string): Row[] {
  return cellsBelow(heading).map(([torch, here, difference]) => ({
    torch: plain(torch!),
    here: here === '-' ? null : plain(here!),
    difference: difference!,
  }));
}

/** Namespaces have no prototype, so that they are no instances of Object. */
const isScope = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** What a dotted name means in the package, undefined if nothing does. */
function exported(name: string): unknown {
  const within = (scope: unknown, key: string): unknown => (isScope(scope) ? Reflect.get(scope, key) : undefined);
  return name.split('.').reduce<unknown>(within, saddlepoint);
}

const camelCase = (name: string): string =>
  name.replace(/_$/, '').replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

/** Every function and class that a scope exports, by its dotted name. */
function functionsOf(prefix: string): string[] {
  const scope = exported(prefix.slice(0, -1));
  if (!isScope(scope)) throw new Error(`${prefix} is no export`);
  return Object.entries(scope)
    .filter(([, value]) => typeof value === 'function')
    .map(([name]) => prefix + name);
}

describe.each(Object.entries(TABLES))('the table of %s', (heading, { size, prefix }) => {
  const rows = rowsBelow(heading);

  it('has each of its names once', () => {
    expect(rows).toHaveLength(size);
    expect(new Set(rows.map(({ torch }) => torch)).size).toBe(size);
  });

  it('gives names that the package exports', () => {
    const given = rows.flatMap(({ here }) => (here === null ? [] : [here]));
    expect(given.filter((name) => typeof exported(name) !== 'function')).toEqual([]);
  });

  it('says not here of what is not here, and why', () => {
    const missing = rows.filter(({ here }) => here === null);
    expect(missing.filter(({ difference }) => !/^not here[:,;] ./.test(difference))).toEqual([]);
    // What PyTorch calls by an in-place or deprecated name is here by its other name.
    const exact = missing.filter(({ torch }) => heading !== 'torch.nn.init' && !torch.endsWith('_'));
    expect(exact.filter(({ torch }) => exported(prefix + camelCase(torch)) !== undefined)).toEqual([]);
  });

  it('names only exports where it says what differs', () => {
    const named = rows.flatMap(({ difference }) => [...difference.matchAll(/`((?:nn|F|optim)\.[\w.]+)`/g)]);
    expect(named.map(([, name]) => name!).filter((name) => typeof exported(name) !== 'function')).toEqual([]);
  });
});

it('leaves out no function or class of nn, functional, optim and init', () => {
  const listed = new Set([
    ...Object.keys(TABLES).flatMap((heading) => rowsBelow(heading).map(({ here }) => here)),
    ...cellsBelow('Only here').map(([here]) => plain(here!)),
  ]);
  const all = ['nn.', 'F.', 'optim.', 'nn.init.'].flatMap(functionsOf);
  expect(all.filter((name) => !listed.has(name))).toEqual([]);
});

it('lists as only here what is exported and in no table', () => {
  const only = cellsBelow('Only here').map(([here]) => plain(here!));
  const inTables = new Set(Object.keys(TABLES).flatMap((heading) => rowsBelow(heading).map(({ here }) => here)));
  expect(only.filter((name) => typeof exported(name) !== 'function' || inTables.has(name))).toEqual([]);
});
