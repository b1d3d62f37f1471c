import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MemoryLimitError, ValueError } from '../errors';
import { dtypes } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';
import type { Backend } from './backend';
import { bytesOf } from './program/costs';
import type { Slot } from './program/lower';
import type { Plan } from './program/plan';

const units: { readonly [unit: string]: number } = {
  ...{ '': 1, b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 },
  ...{ kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
};

/** Undefined until it is first looked at: the environment may say it. */
let limit: number | null | undefined;
let collectGarbage: (() => void) | null = null;

/**
 * No program starts that would take the memory of this thread's tensors and of the backend's intermediate results beyond so
 * many bytes; null for no limit. It fails with a MemoryLimitError instead, and nothing changes. Counted are all
 * ArrayBuffers of the thread and the arena; kernels' working space (some MiB a thread) is not. The start is
 * SADDLEPOINT_MEMORY_LIMIT, as 512MiB or 2GB. Throws ValueError unless it is a positive number or null.
 *
 *     setMemoryLimit(512 * 2 ** 20);
 */
export function setMemoryLimit(bytes: number | null): void {
  if (bytes !== null && !(typeof bytes === 'number' && bytes > 0 && bytes < Infinity))
    throw new ValueError(`setMemoryLimit: a positive number of bytes or null, got ${String(bytes)}`);
  limit = bytes;
}

/** Throws MemoryLimitError if the program would go beyond the limit. */
export function checkMemory(plan: Plan, leaves: readonly Tensor[], backend: Backend): void {
  if (limit === undefined) limit = limitFrom(process.env.SADDLEPOINT_MEMORY_LIMIT ?? '');
  if (limit === null) return;
  const arena = Math.max(0, plan.program.arenaBytes - backend.arenaBytes);
  const outputs = plan.outputs.reduce(
    (sum, { slot, donor }) => sum + (donor >= 0 && !leaves[donor]!.captured ? 0 : bytesToMake(slot, leaves[donor])),
    leaves.reduce((sum, { storage }) => sum + (storage?.bytesToAllocate ?? 0), 0),
  );
  if (arena + outputs === 0 || held(backend) + arena + outputs <= limit) return;
  // Tensors that nobody holds any more count until V8 has noticed.
  garbageCollector()();
  const left = held(backend);
  if (left + arena + outputs > limit) throw errorOf(plan, { arena, outputs, held: left, limit });
}

/** An output's own memory; the copy of a version that has none yet takes what that would have taken. */
function bytesToMake({ length, dtype }: Slot, version: Tensor | undefined): number {
  return length * dtypes[dtype].bytes - (version?.storage?.bytesToAllocate ?? 0);
}

/** The portable backend's arena is an ArrayBuffer, too. */
function held(backend: Backend): number {
  return process.memoryUsage().arrayBuffers + (backend.name === 'native' ? backend.arenaBytes : 0);
}

function errorOf(
  { program }: Plan,
  { arena, outputs, held, limit }: { arena: number; outputs: number; held: number; limit: number },
): MemoryLimitError {
  const sizes = program.instructions.map((instruction) => ({ instruction, bytes: bytesOf(instruction, program) }));
  const largest = sizes.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  return new MemoryLimitError(
    `the program needs ${inUnits(arena + outputs)} more (${inUnits(outputs)} for its results, ${inUnits(arena)} for ` +
      `intermediate ones); ${inUnits(held)} are held, and the limit is ${inUnits(limit)}; its largest operation is ` +
      `${largest.instruction.label}, on ${inUnits(largest.bytes)}`,
  );
}

function limitFrom(text: string): number | null {
  if (text === '') return null;
  const [, digits, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const factor = unit === undefined ? undefined : units[unit.toLowerCase()];
  const bytes = Number(digits) * (factor ?? NaN);
  if (!(bytes > 0))
    throw new ValueError(
      `SADDLEPOINT_MEMORY_LIMIT: '${text}' is not a size; possible are numbers with B, KiB, MiB, GiB, KB, MB or GB`,
    );
  return bytes;
}

function inUnits(bytes: number): string {
  const unit = ['TiB', 'GiB', 'MiB', 'KiB'].find((name) => bytes >= units[name.toLowerCase()]!);
  return unit === undefined ? `${bytes} bytes` : `${(bytes / units[unit.toLowerCase()]!).toFixed(1)} ${unit}`;
}

/** V8's own, which it shows only to contexts that are made while the flag is set. */
function garbageCollector(): () => void {
  if (collectGarbage === null) {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    setFlagsFromString('--no-expose-gc');
    // The second one waits for the memory of the first to be given back.
    collectGarbage = () => {
      collect();
      collect();
    };
  }
  return collectGarbage;
}
