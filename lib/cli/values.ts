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

/** NaN for what is no number, unlike Number('') and Number('0x10'). */
function toNumber(text: string): number {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
}
