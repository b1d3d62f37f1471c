import path from 'node:path';
import type { PeerSpec } from './peer';

const file = (name: string): string => path.join(__dirname, name);
const inNode = 'npm install --prefix benchmarks/peers --ignore-scripts --no-package-lock';

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
    }),
    install: 'apt-get install python3-torch',
    threads: upTo,
  },
  ort: {
    name: 'ort',
    command: [process.execPath, file('ort_peer.mjs')],
    install: inNode,
    readsModels: true,
    threads: upTo,
  },
  // In Node its WebAssembly runs on one thread.
  tfjs: { name: 'tfjs', command: [process.execPath, file('tfjs_peer.mjs')], install: inNode, threads: () => [1] },
};
