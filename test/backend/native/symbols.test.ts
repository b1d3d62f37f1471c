import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

// An object of one instruction set must not lend code to others; see native/test/check_symbols.sh.
const root = join(__dirname, '..', '..', '..');
const libraries = ['sse2', 'avx2', 'avx512', 'neon']
  .map((isa) => ({ isa, path: join(root, 'build', 'Release', 'obj.target', `kernels_${isa}.a`) }))
  .filter(({ path }) => existsSync(path));
const able = process.platform === 'linux' && libraries.length > 0 && spawnSync('nm', ['--version']).status === 0;

(able ? describe : describe.skip)('the objects of the kernels', () => {
  it.each(libraries)('define nothing but kernels of their own tier: $isa', ({ isa, path }) => {
    const { status, stderr } = spawnSync('sh', [join(root, 'native', 'test', 'check_symbols.sh'), isa, path], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  });
});
