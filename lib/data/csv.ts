import { constants } from 'node:buffer';
import { DataError } from '../errors';
import { gunzip, isGzip, MAX_BYTES, readFile } from './files';

/** What a column may hold; without bounds, any finite number. */
export interface CsvColumn {
  readonly min?: number;
  readonly max?: number;
  readonly integer?: boolean;
}

export interface CsvOptions {
  /** How many columns every line has, or what each may hold; otherwise the first line says how many. */
  readonly columns?: number | readonly CsvColumn[];
  /** Lines to pass over at the start, for a heading. */
  readonly skipLines?: number;
  /** The most bytes to read, packed and unpacked; 256 MiB if not given. */
  readonly maxBytes?: number;
}

export interface CsvTable {
  readonly rows: number;
  readonly columns: number;
  /** Row-major, [rows, columns]. */
  readonly values: Float64Array;
}

/**
 * Reads a table of numbers: comma-separated, one row a line, no quotes, no spaces, no empty fields; gzip-packed or not.
 * Throws a DataError with file, line and column for anything else.
 *
 *     const { rows, columns, values } = readCsv('iris.csv', { columns: 5, skipLines: 1 });
 *     values[2 * columns + 4]; // row 2, column 4
 */
export function readCsv(file: string, options: CsvOptions = {}): CsvTable {
  const maxBytes = Math.min(options.maxBytes ?? MAX_BYTES / 4, constants.MAX_STRING_LENGTH);
  const stored = readFile(file, maxBytes);
  const bytes = isGzip(stored) ? gunzip(file, stored, maxBytes) : stored;
  const text = bytes.toString('latin1');
  const lines = count(text, '\n') + (text.endsWith('\n') ? 0 : 1);
  const first = options.skipLines ?? 0;
  const rows = lines - first;
  if (text === '' || rows <= 0)
    throw new DataError(`${file}: has ${text === '' ? 0 : lines} lines, expected more than ${first}`);

  const rules = typeof options.columns === 'object' ? options.columns : [];
  let columns = typeof options.columns === 'number' ? options.columns : options.columns?.length;
  let values = new Float64Array(0);
  let filled = 0;
  let line = first;
  for (const row of rowsOf(text, first)) {
    line++;
    const given = count(row, ',') + 1;
    columns ??= given;
    if (given !== columns) throw new DataError(`${file}, line ${line}: given ${given} columns, expected ${columns}`);
    // A value takes two characters at least: a short file with one long line gets no more memory than that.
    if (filled === 0) values = new Float64Array(Math.min(rows * columns, Math.ceil((text.length + 1) / 2)));
    let at = 0;
    for (let column = 0; column < columns; column++) {
      const comma = indexOrEnd(row, ',', at);
      values[filled++] = parseField({ file, line, column: column + 1 }, row.slice(at, comma), rules[column] ?? {});
      at = comma + 1;
    }
  }
  return { rows, columns: columns!, values };
}

/** One line after the other, without its end, from line `first` on. */
function* rowsOf(text: string, first: number): Generator<string> {
  let line = 0;
  for (let start = 0; start < text.length; line++) {
    const end = indexOrEnd(text, '\n', start);
    if (line >= first) yield text.slice(start, end > start && text[end - 1] === '\r' ? end - 1 : end);
    start = end + 1;
  }
}

function count(text: string, character: string): number {
  let found = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) found++;
  return found;
}

function indexOrEnd(text: string, character: string, from: number): number {
  const index = text.indexOf(character, from);
  return index < 0 ? text.length : index;
}

interface Where {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

function parseField(where: Where, field: string, { min, max, integer = false }: CsvColumn): number {
  const value = Number(field);
  const isAllowed =
    NUMBER.test(field) &&
    Number.isFinite(value) &&
    (!integer || Number.isInteger(value)) &&
    (min === undefined || value >= min) &&
    (max === undefined || value <= max);
  if (!isAllowed)
    throw new DataError(
      `${where.file}, line ${where.line}, column ${where.column}: ` +
        `given ${quote(field)}, expected ${describe(min, max, integer)}`,
    );
  return value;
}

function describe(min: number | undefined, max: number | undefined, integer: boolean): string {
  const kind = integer ? 'an integer' : 'a number';
  if (min !== undefined && max !== undefined) return `${kind} from ${min} to ${max}`;
  if (min !== undefined) return `${kind} of at least ${min}`;
  if (max !== undefined) return `${kind} of at most ${max}`;
  return kind;
}

function quote(field: string): string {
  return JSON.stringify(field.length > 40 ? `${field.slice(0, 40)}...` : field);
}
