import type { SingleBar } from 'cli-progress';
import type { BatchProgress, EpochRecord } from '../train/trainer';
import { isMissing } from './missing';

export interface Start {
  readonly dataset: string;
  readonly trainImages: number;
  readonly testImages: number;
  readonly parameters: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly optimizer: string;
  readonly lr: number;
  readonly backend: string;
  readonly isa: string;
  readonly threads: number;
}

export interface Summary {
  readonly dataset: string;
  /** Null where no epoch was completed. */
  readonly testAccuracy: number | null;
  readonly trainLoss: number | null;
  readonly epochs: number;
  readonly seconds: number;
  readonly backend: string;
  readonly isa: string;
  readonly threads: number;
}

/** How a training shows itself. */
export interface Reporter {
  start(start: Start): void;
  batch(progress: BatchProgress): void;
  epoch(record: EpochRecord): void;
  end(event: 'end' | 'interrupted', summary: Summary): void;
  /** The training failed: leaves the terminal in order. */
  close(): void;
}

/** JSON lines if asked for; a progress bar on a terminal; a line an epoch elsewhere. */
export async function createReporter(json: boolean, epochs: number): Promise<Reporter> {
  if (json) return new JsonReporter();
  const lines = new LineReporter(epochs);
  if (!process.stdout.isTTY) return lines;
  try {
    const { SingleBar } = await import('cli-progress');
    return new BarReporter(lines, (format) => new SingleBar({ format, stream: process.stdout, clearOnComplete: true }));
  } catch (error) {
    if (!isMissing(error)) throw error;
    process.stderr.write('saddlepoint: no progress bar without the package cli-progress; npm install cli-progress\n');
    return lines;
  }
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

class JsonReporter implements Reporter {
  start(start: Start): void {
    print(JSON.stringify({ event: 'start', ...start }));
  }

  batch(): void {}

  epoch(record: EpochRecord): void {
    print(JSON.stringify({ event: 'epoch', ...record }));
  }

  end(event: 'end' | 'interrupted', summary: Summary): void {
    print(JSON.stringify({ event, ...summary }));
  }

  close(): void {}
}

class LineReporter implements Reporter {
  constructor(private readonly epochs: number) {}

  start(start: Start): void {
    const { dataset, trainImages, testImages, parameters, optimizer, lr, backend, isa, threads } = start;
    print(`${dataset}: ${trainImages} images to train, ${testImages} to test; ${parameters} parameters`);
    print(`${optimizer}, learning rate ${lr}; ${backend} backend (${isa}, threads: ${threads})`);
  }

  batch(): void {}

  epoch({ epoch, trainLoss, testLoss, testAccuracy, seconds }: EpochRecord): void {
    const count = `${String(epoch).padStart(String(this.epochs).length)}/${this.epochs}`;
    const losses = `train loss ${trainLoss.toFixed(4)}  test loss ${testLoss.toFixed(4)}`;
    print(`epoch ${count}  ${losses}  test accuracy ${percent(testAccuracy)}  ${seconds.toFixed(1)} s`);
  }

  end(event: 'end' | 'interrupted', { testAccuracy, epochs, seconds }: Summary): void {
    const verb = event === 'end' ? 'done' : 'interrupted';
    const accuracy = testAccuracy === null ? '' : `: test accuracy ${percent(testAccuracy)}`;
    print(`${verb} after ${epochs} epochs, ${seconds.toFixed(1)} s${accuracy}`);
  }

  close(): void {}
}

/** The lines, and below them a bar that fills the width of the terminal. */
class BarReporter implements Reporter {
  #bar: SingleBar | null = null;
  #text = '';

  constructor(
    private readonly lines: LineReporter,
    private readonly createBar: (
      format: (options: unknown, params: { progress: number; eta: number }) => string,
    ) => SingleBar,
  ) {}

  start(start: Start): void {
    this.lines.start(start);
  }

  batch({ epoch, epochs, batch, batches }: BatchProgress): void {
    this.#text = `epoch ${epoch}/${epochs}`;
    if (this.#bar === null) {
      this.#bar = this.createBar((_options, { progress, eta }) => this.#render(progress, eta));
      this.#bar.start(epochs * batches, (epoch - 1) * batches);
    }
    this.#bar.update((epoch - 1) * batches + batch);
  }

  epoch(record: EpochRecord): void {
    this.close();
    this.lines.epoch(record);
  }

  end(event: 'end' | 'interrupted', summary: Summary): void {
    this.close();
    this.lines.end(event, summary);
  }

  /** Takes the bar away; the next batch brings it back on the line where the cursor is then. */
  close(): void {
    this.#bar?.stop();
    this.#bar = null;
  }

  #render(progress: number, eta: number): string {
    const share = `${String(Math.floor(100 * progress)).padStart(3)} %`;
    const left = Number.isFinite(eta) ? `${Math.ceil(eta)} s left` : '';
    const text = [this.#text, share, left].join('  ');
    const width = Math.max(0, (process.stdout.columns || 80) - text.length - 5);
    const full = Math.round(width * progress);
    return width < 5 ? text : `${this.#text}  [${'='.repeat(full)}${' '.repeat(width - full)}]  ${share}  ${left}`;
  }
}
