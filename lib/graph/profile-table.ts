import type { ProfileRow, ProfileTotal } from './profile';

const WIDTH = 100;
/** Less than this share of the time is summed up in one line. */
const LEAST_SHARE = 0.001;
const HEAD = '       ms  share  calls GFLOP/s   GB/s  ';

/** The profile as text, 100 columns wide: where the time went, then an operation a line. */
export function tableOf(rows: readonly ProfileRow[], total: ProfileTotal): string {
  const { wall, instructions, recording, tracing, compiling, submitting, waiting, programs, compilations } = total;
  const ms = (value: number): string => `${value.toFixed(value < 10 ? 2 : 1)} ms`;
  const shown = rows.filter((row, i) => i < 3 || row.share >= LEAST_SHARE);
  const rest = rows.slice(shown.length);
  const lines = [
    `${ms(wall)} in all; programs: ${programs}, compiled: ${compilations}; instructions: ${ms(instructions)}`,
    `JavaScript: recording and other code ${ms(recording)}, tracing ${ms(tracing)}, compiling ${ms(compiling)},`,
    `            submitting ${ms(submitting)}, waiting ${ms(waiting)}`,
    '',
    `${HEAD}operation: kernel [shapes]`,
    ...shown.map(lineOf),
  ];
  if (rest.length > 0) {
    const sum = (key: 'milliseconds' | 'calls' | 'share'): number => rest.reduce((all, row) => all + row[key], 0);
    const cells = columns(sum('milliseconds'), sum('share'), sum('calls'), '', '');
    lines.push(`${cells}${rest.length} more, each below ${100 * LEAST_SHARE}%`);
  }
  return lines.join('\n');
}

function lineOf({ label, kernel, shapes, calls, milliseconds, share, flops, bytes }: ProfileRow): string {
  const rate = (amount: number): string => {
    if (amount === 0 || milliseconds === 0) return '-';
    const perSecond = amount / milliseconds / 1e6;
    return perSecond.toFixed(perSecond < 10 ? 2 : perSecond < 100 ? 1 : 0);
  };
  const name = kernel.startsWith(label) ? kernel : `${label}: ${kernel}`;
  const text = `${columns(milliseconds, share, calls, rate(flops), rate(bytes))}${name} ${shapes}`;
  return text.length > WIDTH ? `${text.slice(0, WIDTH - 1)}…` : text;
}

function columns(milliseconds: number, share: number, calls: number, gflops: string, gbytes: string): string {
  const cells = [
    milliseconds.toFixed(3).padStart(9),
    `${(100 * share).toFixed(1)}%`.padStart(6),
    String(calls).padStart(6),
    gflops.padStart(7),
    gbytes.padStart(6),
  ];
  return `${cells.join(' ')}  `;
}
