import { ValueError } from '../errors';

/** Throws ValueError unless `value` is a number within the bounds, both possible. */
export function checkNumber(
  owner: string,
  name: string,
  value: unknown,
  { least = -Infinity, most = Infinity }: { least?: number; most?: number } = {},
): asserts value is number {
  if (typeof value === 'number' && value >= least && value <= most && Number.isFinite(value)) return;
  const range = most !== Infinity ? `from ${least} to ${most}` : least !== -Infinity ? `of at least ${least}` : '';
  throw new ValueError(`${owner}: ${name} is a finite number ${range}, got ${String(value)}`.replace(' ,', ','));
}
