import { DataError } from '../errors';
import { dtypes, type DType } from '../tensor/dtype';
import { MAX_ELEMENTS, MAX_RANK } from '../tensor/shape';

export interface HeaderEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Of the first byte, and of the first byte after it, counted from the end of the header. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  readonly entries: ReadonlyMap<string, HeaderEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

export const METADATA_KEY = '__metadata__';

/** The names that the format has for our dtypes. */
export const formatNames: { readonly [D in DType]: string } = {
  float32: 'F32',
  float64: 'F64',
  int32: 'I32',
  int64: 'I64',
  bool: 'BOOL',
};
const dtypeOf = new Map(Object.entries(formatNames).map(([dtype, name]) => [name, dtype as DType]));

/**
 * The header of a safetensors file whose data has `dataBytes` bytes: JSON of one fixed form. It is parsed here, not by
 * JSON.parse, which takes the last of two equal keys and can be made to build objects of a hundred times the file's size.
 */
export function parseHeader(file: string, text: string, dataBytes: number): Header {
  const reader = new HeaderReader(file, text);
  const entries = new Map<string, HeaderEntry>();
  let metadata: Map<string, string> | undefined;
  reader.object((name) => {
    if (name === METADATA_KEY) {
      if (metadata !== undefined) reader.fail(`${METADATA_KEY} is there twice`);
      metadata = reader.metadata();
    } else {
      if (entries.has(name)) reader.fail(`tensor ${quote(name)} is there twice`);
      entries.set(name, reader.entry(name));
    }
  });
  reader.expectEnd();
  checkLayout(file, entries, dataBytes);
  return { entries, metadata: metadata ?? new Map<string, string>() };
}

export function quote(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name);
}

/** The tensors fill the data without overlap, without gap, to the last byte. */
function checkLayout(file: string, entries: ReadonlyMap<string, HeaderEntry>, dataBytes: number): void {
  const inOrder = [...entries].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const [name, { begin, end }] of inOrder) {
    if (end > dataBytes)
      throw new DataError(`${file}: tensor ${quote(name)} ends at byte ${end} of ${dataBytes} bytes of data`);
    if (begin !== at)
      throw new DataError(
        `${file}: tensor ${quote(name)} begins at byte ${begin}, expected ${at} (no overlap, no gap)`,
      );
    at = end;
  }
  if (at !== dataBytes) throw new DataError(`${file}: has ${dataBytes} bytes of data, its tensors have ${at}`);
}

class HeaderReader {
  private at = 0;

  constructor(
    private readonly file: string,
    private readonly text: string,
  ) {}

  fail(message: string): never {
    throw new DataError(`${this.file}: header, character ${this.at}: ${message}`);
  }

  /** Calls `member` for each key, placed at its value. */
  object(member: (key: string) => void): void {
    this.expect('{');
    if (this.take('}')) return;
    do {
      const key = this.string();
      this.expect(':');
      member(key);
    } while (this.take(','));
    this.expect('}');
  }

  metadata(): Map<string, string> {
    const metadata = new Map<string, string>();
    this.object((key) => {
      if (metadata.has(key)) this.fail(`${METADATA_KEY} has ${quote(key)} twice`);
      metadata.set(key, this.string());
    });
    return metadata;
  }

  entry(name: string): HeaderEntry {
    let dtypeName: string | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    this.object((key) => {
      if (key === 'dtype' && dtypeName === undefined) dtypeName = this.string();
      else if (key === 'shape' && shape === undefined) shape = this.integers(MAX_RANK);
      else if (key === 'data_offsets' && offsets === undefined) offsets = this.integers(2);
      else this.fail(`tensor ${quote(name)}: ${quote(key)} twice or not known`);
    });
    if (dtypeName === undefined || shape === undefined || offsets?.length !== 2)
      this.fail(`tensor ${quote(name)}: expected dtype, shape and two data_offsets`);
    const dtype = dtypeOf.get(dtypeName);
    if (dtype === undefined)
      this.fail(
        `tensor ${quote(name)}: dtype ${quote(dtypeName)} is not supported; possible are ${[...dtypeOf.keys()].join(', ')}`,
      );
    const [begin, end] = offsets as [number, number];
    const elements = shape.reduce((product, size) => product * Math.max(size, 1), 1);
    if (elements > MAX_ELEMENTS)
      this.fail(`tensor ${quote(name)}: shape [${shape.join(', ')}] has more than ${MAX_ELEMENTS} elements`);
    const bytes = (shape.includes(0) ? 0 : elements) * dtypes[dtype].bytes;
    if (end - begin !== bytes)
      this.fail(
        `tensor ${quote(name)}: data_offsets [${begin}, ${end}] hold ${end - begin} bytes, ` +
          `expected ${bytes} for ${dtypeName} of shape [${shape.join(', ')}]`,
      );
    return { dtype, shape, begin, end };
  }

  /** The format pads a header with spaces. */
  expectEnd(): void {
    this.skipSpace();
    if (this.at !== this.text.length) this.fail('expected nothing more');
  }

  private integers(most: number): number[] {
    const list: number[] = [];
    this.expect('[');
    if (this.take(']')) return list;
    do {
      if (list.length === most) this.fail(`expected at most ${most} numbers`);
      list.push(this.integer());
    } while (this.take(','));
    this.expect(']');
    return list;
  }

  private integer(): number {
    this.skipSpace();
    const digits = this.match(/(0|[1-9]\d{0,15})(?![\d.eE])/y);
    const value = Number(digits);
    if (digits === undefined || !Number.isSafeInteger(value)) this.fail('expected an integer of at least 0');
    return value;
  }

  private string(): string {
    this.skipSpace();
    const start = this.at;
    if (this.text[this.at++] !== '"') {
      this.at = start;
      this.fail('expected a string');
    }
    while (this.at < this.text.length && this.text[this.at] !== '"') this.at += this.text[this.at] === '\\' ? 2 : 1;
    this.at++;
    try {
      return JSON.parse(this.text.slice(start, this.at)) as string;
    } catch {
      this.at = start;
      return this.fail('a damaged string');
    }
  }

  private expect(character: string): void {
    if (!this.take(character)) this.fail(`expected ${character}`);
  }

  private take(character: string): boolean {
    this.skipSpace();
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private skipSpace(): void {
    this.match(/[ \t\n\r]*/y);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    this.at += found?.length ?? 0;
    return found;
  }
}
