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

/** Throws ValueError unless `value` is one of `possible`. */
export function checkChoice(owner: string, name: string, value: unknown, possible: readonly string[]): void {
  if (!possible.includes(value as string))
    throw new ValueError(`${owner}: ${name} is one of ${possible.join(', ')}, got ${String(value)}`);
}

/** Throws ValueError unless `betas` are `count` numbers in [0, 1). */
export function checkBetas(owner: string, betas: unknown, count: number, name = 'betas'): void {
  if (!Array.isArray(betas) || betas.length !== count)
    throw new ValueError(`${owner}: ${name} are ${count === 2 ? 'two' : 'three'} numbers, got ${String(betas)}`);
  betas.forEach((beta, index) => checkNumber(owner, `${name}[${index}]`, beta, 0, 1));
}

/** The checks of the options that nearly all rules have. */
export function checkCommon(
  owner: string,
  options: { lr: number; maximize: boolean; weightDecay?: number | undefined },
): void {
  checkNumber(owner, 'lr', options.lr, 0);
  if ('weightDecay' in options) checkNumber(owner, 'weightDecay', options.weightDecay, 0);
  checkBoolean(owner, 'maximize', options.maximize);
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
