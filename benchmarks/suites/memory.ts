import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Bench } from '../bench';
import { peerSpecs } from '../peers/specs';

const run = promisify(execFile);
const folder = path.join(__dirname, '..');
/** In which a user can run a step. */
const ways = ['plain', 'compiled'];

/** Resident memory that training ResNet-18 takes above what the import takes, each in a process of its own. */
export async function memory(bench: Bench): Promise<void> {
  const name = (way: string): string => `peak above the import, train ResNet-18 32x32, batch 32, ${way}`;
  if (!ways.some((way) => bench.wants(name(way)))) return;
  const peer = await torch(bench);
  for (const way of ways) {
    if (!bench.wants(name(way))) continue;
    const { stdout } = await run(process.execPath, [path.join(folder, 'memory.mjs'), way, String(bench.threads)]);
    bench.figure(name(way), 'MB', Number(stdout), peer);
  }
}

async function torch({ threads, note }: Bench): Promise<{ name: string; amount: number } | null> {
  const { name, command, environment, install } = peerSpecs.torch!;
  const env = { ...process.env, ...environment?.(threads) };
  try {
    const { stdout } = await run(command[0]!, [path.join(folder, 'peers', 'torch_memory.py'), String(threads)], {
      env,
    });
    return { name, amount: Number(stdout) };
  } catch (error) {
    note(`  ${name} did not run (${String((error as Error).message.split('\n').at(-2))}); install it with: ${install}`);
    return null;
  }
}
