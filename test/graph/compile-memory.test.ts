import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { backends } from '../helpers/backends';

const root = path.resolve(__dirname, '../..');

// The portable backend's arena is an ArrayBuffer too.
const native = backends.includes('native') ? test : test.skip;

native('a compiled step holds weights, gradients and two moments, and nothing of before', () => {
  const script = [
    '--expose-gc',
    path.join(root, 'scripts/run-typescript.cjs'),
    path.join(__dirname, 'compile-memory.ts'),
  ];
  const output = execFileSync(process.execPath, script, {
    env: { ...process.env, SADDLEPOINT_BACKEND: 'native' },
    encoding: 'utf8',
  });
  for (const matrices of JSON.parse(output) as number[]) expect(Math.abs(matrices - 4)).toBeLessThan(0.1);
});
