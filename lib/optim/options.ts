import { ValueError } from '../errors';

/** Throws ValueError unless `value` is a finite number of at least `least` (and, where given, below `below`). */
export function checkNumber(owner: string, name: string, value: unknown, least: number, below = Infinity): void {
  if (typeof value === 'number' && value >= least && value < below) return;
  const range = below === Infinity ? `a finite number of at least ${least}` : `a number in [${least}, ${below})`;
  throw new ValueError(`${owner}: ${name} is ${range}, got ${String(value)}`);
}

/** Throws ValueError unless `value` is true or false. */
export function checkBoolean(owner: string, name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw new ValueError(`${owner}: ${name} is true or false, got ${String(value)}`);
}

/** Throws ValueError for an option that the owner does not have: most often a misspelt one. */
export function checkNames(owner: string, given: object, possible: object): void {
  const names = Object.keys(possible);
  for (const name of Object.keys(given))
    if (!names.includes(name))
      throw new ValueError(`${owner}: unknown option ${name}; possible are ${names.join(', ')}`);
}

/** The options, where they are given; the defaults elsewhere. */
export function withDefaults<Options extends object>(given: Partial<Options>, defaults: Options): Options {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(entries) };
}
