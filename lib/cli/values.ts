/** A value that an option does not take; commander adds the option's name to the message. */
class InvalidValue extends Error {
  readonly code = 'commander.invalidArgument';
}

export function path(text: string): string {
  if (text === '') throw new InvalidValue('It is a path.');
  return text;
}

export function integer(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  return (text) => {
    const value = toNumber(text);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidValue(`It is an integer ${range}.`);
  };
}

export function number(least: number, below = Infinity): (text: string) => number {
  const range = below === Infinity ? `of at least ${least}` : `from ${least} to below ${below}`;
  return (text) => {
    const value = toNumber(text);
    if (value >= least && value < below) return value;
    throw new InvalidValue(`It is a number ${range}.`);
  };
}

export type Setting = number | boolean | string | readonly number[];

export type Settings = { readonly [name: string]: Setting };

/** One of the names; `reasons` says why another one that could be expected is not possible. */
export function choice(
  names: readonly string[],
  reasons: { readonly [name: string]: string } = {},
): (text: string) => string {
  return (text) => {
    if (names.includes(text)) return text;
    const reason = Object.hasOwn(reasons, text) ? `${reasons[text]!} ` : '';
    throw new InvalidValue(`${reason}Allowed choices are ${names.join(', ')}.`);
  };
}

/** Some of the names, with commas between them, each once. */
export function choices(names: readonly string[]): (text: string) => readonly string[] {
  const one = choice(names);
  return (text) => {
    const given = text.split(',').map(one);
    if (new Set(given).size < given.length) throw new InvalidValue('One is given twice.');
    return given;
  };
}

/** `k=v`, added to those before. */
export function assignment(text: string, before: Settings = {}): Settings {
  return merge(before, text);
}

/** `name` or `name:k=v,k=v`; a part without = goes on with the list before it. */
export function named(
  checkName: (name: string) => string,
): (text: string) => { readonly name: string; readonly settings: Settings } {
  return (text) => {
    const colon = text.indexOf(':');
    const name = checkName(colon < 0 ? text : text.slice(0, colon));
    const parts = colon < 0 ? [] : text.slice(colon + 1).split(/,(?=[^,]*=)/);
    return { name, settings: parts.reduce(merge, {}) };
  };
}

function merge(before: Settings, text: string): Settings {
  const [, key, value] = /^([A-Za-z]\w*)=(.+)$/.exec(text) ?? [];
  if (key === undefined || value === undefined) throw new InvalidValue(`It has the form name=value, unlike '${text}'.`);
  if (Object.hasOwn(before, key)) throw new InvalidValue(`${key} is given twice.`);
  return { ...before, [key]: toSetting(key, value) };
}

function toSetting(key: string, text: string): Setting {
  if (text === 'true' || text === 'false') return text === 'true';
  if (/^[A-Za-z]\w*$/.test(text)) return text;
  const values = text.split(',').map(toNumber);
  if (!values.every(Number.isFinite))
    throw new InvalidValue(`${key} is a number, true, false, a word or numbers with commas between them.`);
  return values.length === 1 ? values[0]! : values;
}

/** NaN for what is no number, unlike Number('') and Number('0x10'). */
function toNumber(text: string): number {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
}
