import fs from 'node:fs';
import { DataError } from '../errors';

/**
 * Flags from a file: `{ "model": "lenet", "lr": 0.01, "optimizerOption": { "weightDecay": 0.1 } }` says what
 * `--model lenet --lr 0.01 --optimizer-option weightDecay=0.1` does. Throws DataError for a file that holds no such thing.
 */
export function flagsOfFile(file: string): string[] {
  let content: unknown;
  try {
    content = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new DataError(`${file}: is no configuration: ${(error as Error).message}`, { cause: error });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content))
    throw new DataError(`${file}: a configuration is an object whose names are flags`);
  return Object.entries(content).flatMap(([name, value]) => flagsOf(file, name, value));
}

function flagsOf(file: string, name: string, value: unknown): string[] {
  const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (typeof value === 'boolean') return value ? [flag] : [];
  if (isPlain(value)) return [flag, textOf(value)];
  if (typeof value === 'object' && value !== null && Object.values(value).every(isPlain))
    return Object.entries(value).flatMap(([key, one]) => [flag, `${key}=${textOf(one as Plain)}`]);
  throw new DataError(
    `${file}: ${name} is a number, a word, a list of numbers, true or false, got ${JSON.stringify(value)}`,
  );
}

type Plain = string | number | boolean | readonly number[];

const isPlain = (value: unknown): value is Plain =>
  ['string', 'number', 'boolean'].includes(typeof value) ||
  (Array.isArray(value) && value.every((one) => typeof one === 'number'));

const textOf = (value: Plain): string => (typeof value === 'object' ? value.join(',') : String(value));

/** The command line with `--config FILE` replaced by the flags of the file; what follows it counts more. */
export function withConfiguration(args: readonly string[]): string[] {
  const at = args.indexOf('--config');
  const file = args[at + 1];
  if (at < 0 || file === undefined) return [...args];
  return [...args.slice(0, at), ...flagsOfFile(file), ...args.slice(at + 2)];
}
