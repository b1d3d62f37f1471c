import { alternate, BRIEF_WARM_UP_SECONDS, type Contender } from './measure';
import type { Task } from './peers/peer';
import type { Peers } from './peers/pool';
import { keepToProcessors } from './processors';
import { rowOf, type Row, type Unit, type Work } from './rows';

/** One figure of a suite. */
export interface Case {
  readonly name: string;
  readonly unit: Unit;
  /** Makes what is timed. */
  readonly ours: () => Contender;
  /** What peers are asked to do beside it; without one none is asked. */
  readonly task?: Task;
  /** How many parameters the model of the task has: peers must have as many. */
  readonly parameters?: number;
  /** Measured in this process: what the machine can do at best. */
  readonly limits?: readonly Contender[];
  readonly work?: Work;
}

export interface BenchOptions {
  /** Gets each row when it is known. */
  readonly report?: (row: Row) => void;
  /** Gets what is worth knowing besides rows. */
  readonly note?: (text: string) => void;
  /** Whether contenders are warmed up for a twentieth of the time. */
  readonly brief?: boolean;
}

/** What a suite measures with: it gives cases, and each becomes one row for every peer, or a row without. */
export class Bench {
  readonly rows: Row[] = [];

  constructor(
    readonly suite: string,
    readonly threads: number,
    private readonly filter: RegExp,
    private readonly peers: Peers,
    private readonly options: BenchOptions = {},
  ) {}

  readonly note = (text: string): void => this.options.note?.(text);

  async compare(item: Case): Promise<void> {
    if (!this.wants(item.name)) return;
    const { task, parameters, limits = [], work } = item;
    const rivals = [...limits, ...(task === undefined ? [] : await this.peers.open(task, this.threads, parameters))];
    const warmUpSeconds = this.options.brief === true ? BRIEF_WARM_UP_SECONDS : undefined;
    const [ours, ...theirs] = await alternate([item.ours(), ...rivals], { warmUpSeconds });
    // A peer takes part once for each number of threads up to ours; the best counts.
    const best = new Map<string, number>();
    rivals.forEach(({ name }, i) => best.set(name, Math.min(best.get(name) ?? Infinity, theirs[i]!)));
    const where = { suite: this.suite, case: item.name, threads: this.threads, unit: item.unit, work };
    if (best.size === 0) this.#add(rowOf(where, ours!, null));
    for (const [name, seconds] of best) this.#add(rowOf(where, ours!, { name, amount: seconds }));
  }

  /** Runs it with this process and its peers on as many processors as threads. */
  async onProcessorsInCommon(run: () => Promise<void>): Promise<void> {
    this.peers.close(); // They keep to what they were started on.
    const undo = keepToProcessors(this.threads);
    try {
      await run();
    } finally {
      undo();
      this.peers.close();
    }
  }

  /** A figure that was measured elsewhere, in seconds or bytes. */
  figure(name: string, unit: Unit, amount: number, peer: Parameters<typeof rowOf>[2] = null): void {
    if (this.wants(name))
      this.#add(rowOf({ suite: this.suite, case: name, threads: this.threads, unit }, amount, peer));
  }

  #add(row: Row): void {
    this.rows.push(row);
    this.options.report?.(row);
  }

  wants(name: string): boolean {
    return this.filter.test(name);
  }
}

export type Suite = (bench: Bench) => void | Promise<void>;
