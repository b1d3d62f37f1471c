import fs from 'node:fs';
import path from 'node:path';
import type { PeerSpec } from './peer';

const file = (name: string): string => path.join(__dirname, name);
const inNode = 'npm install --prefix benchmarks/peers --ignore-scripts --no-package-lock';

/**
 * OpenBLAS takes an Intel processor that is younger than itself for a Pentium 4 (0.3.21 on Emerald Rapids: a third of its
 * speed), and one of AMD with AVX-512 for one without; a peer is to be at its best.
 */
function openblasCore(): { readonly OPENBLAS_CORETYPE?: string } {
  if (process.env.OPENBLAS_CORETYPE !== undefined || !fs.existsSync('/proc/cpuinfo')) return {};
  const [, processor] = /^([\s\S]*?)\n\n/.exec(fs.readFileSync('/proc/cpuinfo', 'utf8')) ?? [];
  if (processor === undefined) return {};
  if (/\bavx512bw\b/.test(processor)) return { OPENBLAS_CORETYPE: 'SkylakeX' };
  return processor.includes('GenuineIntel') && /\bavx2\b/.test(processor) ? { OPENBLAS_CORETYPE: 'Haswell' } : {};
}

/** All powers of two below, and ours: a peer may be slower with more threads than with fewer. */
function upTo(ours: number): number[] {
  const counts = [];
  for (let count = 1; count < ours; count *= 2) counts.push(count);
  return [...counts, ours];
}

export const peerSpecs: { readonly [name: string]: PeerSpec } = {
  torch: {
    name: 'torch',
    command: ['/usr/bin/python3', file('torch_peer.py')],
    environment: (threads) => ({
      OMP_NUM_THREADS: String(threads),
      OPENBLAS_NUM_THREADS: String(threads),
      MKL_NUM_THREADS: String(threads),
      PYTHONDONTWRITEBYTECODE: '1',
      ...openblasCore(),
    }),
    install: 'apt-get install python3-torch',
    threads: upTo,
  },
  openblas: {
    name: 'openblas',
    command: ['/usr/bin/python3', file('openblas_peer.py')],
    environment: openblasCore,
    install: 'apt-get install python3 libopenblas0',
    threads: upTo,
  },
  ort: {
    name: 'ort',
    command: [process.execPath, file('ort_peer.mjs')],
    install: inNode,
    readsModels: true,
    threads: upTo,
    // Its pool spins for tens of milliseconds: with pauses of 20 ours took 1.5 times as long on two threads.
    spins: 150,
  },
  // In Node its WebAssembly runs on one thread.
  tfjs: { name: 'tfjs', command: [process.execPath, file('tfjs_peer.mjs')], install: inNode, threads: () => [1] },
};
