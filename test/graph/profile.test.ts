import { ValueError } from '../../lib/errors';
import { evaluateSync, submit } from '../../lib/graph/evaluate';
import { readData, readItem } from '../../lib/graph/reading';
import { profile, type Profile } from '../../lib/graph/profile';
import { recorder } from '../../lib/graph/recorder';
import { tensor, zeros } from '../../lib/ops/create';
import { add, exp, mul } from '../../lib/ops/elementwise';
import { gather } from '../../lib/ops/indexing';
import { matmul } from '../../lib/ops/matmul';
import { sum } from '../../lib/ops/reduce';
import type { Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  ts?: number;
  dur?: number;
  args?: Record<string, unknown>;
}

const n = 96;
/** Its inputs have their values; 30 products are far too long for the caller's thread. */
function work(x: Tensor, products: number): Tensor {
  let y = x;
  for (let i = 0; i < products; i++) y = matmul(y, x);
  return sum(exp(mul(add(y, 1), 0.5)));
}

const eventsOf = (report: Profile): TraceEvent[] =>
  (JSON.parse(report.toChromeTrace()) as { traceEvents: TraceEvent[] }).traceEvents;

/** On each thread a span lies within another one or apart from it. */
function expectNested(events: readonly TraceEvent[]): void {
  for (const tid of new Set(events.map((event) => event.tid))) {
    const spans = events
      .filter((event) => event.ph === 'X' && event.tid === tid)
      .map(({ ts, dur }) => ({ start: ts!, end: ts! + dur! }))
      .sort((a, b) => a.start - b.start || b.end - a.end);
    const open: { start: number; end: number }[] = [];
    // Without slack: readers such as speedscope add up the rounded numbers, too.
    for (const span of spans) {
      while (open.length > 0 && open.at(-1)!.end < span.start) open.pop();
      if (open.length > 0) expect(span.end).toBeLessThan(open.at(-1)!.end);
      open.push(span);
    }
  }
}

onEachBackend('profile', () => {
  let x: Tensor;
  beforeAll(() => {
    x = zeros([n, n]);
    evaluateSync([x]);
  });

  test('counts the arithmetic and the bytes of every operation', async () => {
    const report = await profile(() => readItem(work(x, 30)), { warmup: 1, repeat: 2 });
    const [product] = report.rows.filter(({ kernel }) => kernel === 'matmul');
    expect(product).toMatchObject({
      label: 'matmul',
      shapes: `2*[${n}x${n}] -> [${n}x${n}]`,
      calls: 60,
      flops: 60 * 2 * n ** 3,
      bytes: 60 * 3 * 4 * n * n,
    });
    expect(report.rows.reduce((all, { share }) => all + share, 0)).toBeCloseTo(1, 9);
    const { total } = report;
    expect(total).toMatchObject({ programs: 2, compilations: 0 });
    expect(total.instructions).toBeCloseTo(
      report.rows.reduce((all, row) => all + row.milliseconds, 0),
      9,
    );
    expect(total.wall).toBeGreaterThan(total.instructions);
    for (const part of [total.recording, total.tracing, total.submitting, total.waiting]) {
      expect(part).toBeGreaterThanOrEqual(0);
      expect(part).toBeLessThanOrEqual(total.wall);
    }
  });

  test('writes a trace whose spans nest, of runs that were queued and of such that were not', async () => {
    const report = await profile(async () => {
      await readData(add(tensor([1, 2]), 1));
      await Promise.all([submit([work(x, 28)]), submit([add(work(x, 25), 1)])]);
      evaluateSync([work(x, 20)]);
    });
    const events = eventsOf(report);
    for (const { name, ph, pid, tid, ts, dur } of events) {
      expect([typeof name, pid, [1, 2].includes(tid)]).toEqual(['string', process.pid, true]);
      if (ph === 'M') continue;
      expect(ph).toBe('X');
      expect(ts).toBeGreaterThanOrEqual(0);
      expect(dur).toBeGreaterThanOrEqual(0);
      expect((ts! + dur!) / 1000).toBeLessThanOrEqual(report.total.wall + 0.001);
    }
    expect(events.filter(({ name }) => name === 'matmul')).toHaveLength(73);
    expect(events.filter(({ name }) => name.startsWith('program of'))).toHaveLength(4);
    expect(events.filter(({ name }) => name === 'compiling')).toHaveLength(report.total.compilations);
    expect(report.total.compilations).toBe(4);
    expect(new Set(events.map(({ tid }) => tid))).toEqual(new Set([1, 2]));
    expectNested(events);
  });

  test('is a table of at most 100 columns, the dearest first', async () => {
    const report = await profile(() => readItem(work(x, 30)));
    const lines = String(report).split('\n');
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(100);
    expect(lines[0]).toMatch(/^[\d.]+ ms in all; programs: 1, compiled: \d; instructions: [\d.]+ ms$/);
    expect(lines[5]).toMatch(/^ +[\d.]+ +[\d.]+% +30 +[\d.]+ +[\d.]+ {2}matmul 2\*\[96x96\] -> \[96x96\]$/);
    const milliseconds = report.rows.map((row) => row.milliseconds);
    expect(milliseconds).toEqual([...milliseconds].sort((a, b) => b - a));
  });

  test('measures a synchronous function, and a program that fails as far as it got', async () => {
    const failing = gather(tensor([1, 2]), 0, tensor(new Int32Array([7])));
    const report = await profile(() => {
      evaluateSync([add(x, 1)]);
      expect(() => evaluateSync([failing])).toThrow(/gather/);
    });
    expect(report.rows.map(({ label }) => label)).toContain('add');
    expect(report.rows.map(({ label }) => label)).not.toContain('gather');
    expectNested(eventsOf(report));
  });

  test('refuses bad options and a second profile, and ends with the function', async () => {
    await expect(profile(3 as never)).rejects.toThrow(ValueError);
    await expect(profile(() => 0, { repeat: 0 })).rejects.toThrow(ValueError);
    await expect(profile(() => 0, { warmup: -1 })).rejects.toThrow(ValueError);
    await expect(profile(() => profile(() => 0))).rejects.toThrow(/only one/);
    await expect(
      profile(() => {
        throw new Error('mine');
      }),
    ).rejects.toThrow('mine');
    expect(recorder).toBeNull();
  });
});
