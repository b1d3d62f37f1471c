/**
 * Trains LeNet on the digits by every setting of the table; prints what each reached, and last `reached R of N`.
 *
 *     npm run cases:optimizers             # with seed 0
 *     npm run cases:optimizers -- 0 1 2    # with these seeds: the means count
 */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { optimizerCases, REQUIRED_ACCURACY } from './optimizer-table';

const run = promisify(execFile);
const command = path.join(__dirname, '..', 'dist', 'cli', 'main.js');

async function accuracyOf(flags: string, seed: string): Promise<number> {
  const given = ['train', 'digits', '--model', 'lenet', '--json', '--seed', seed, ...flags.split(' ')];
  const { stdout } = await run(process.execPath, [command, ...given]);
  return (JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as { testAccuracy: number }).testAccuracy;
}

async function main(): Promise<void> {
  const seeds = process.argv.length > 2 ? process.argv.slice(2) : ['0'];
  let reached = 0;
  for (const { flags } of optimizerCases) {
    const accuracies: number[] = [];
    for (const seed of seeds) accuracies.push(await accuracyOf(flags, seed));
    const mean = accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / seeds.length;
    if (mean >= REQUIRED_ACCURACY) reached++;
    const shown = accuracies.map((accuracy) => accuracy.toFixed(4)).join(' ');
    console.log(`${shown}  mean ${mean.toFixed(4)}  ${flags}`);
  }
  console.log(`reached ${reached} of ${optimizerCases.length}`);
  if (reached < optimizerCases.length) process.exitCode = 1;
}

void main();
