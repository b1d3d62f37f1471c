import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { backendInfo, selectBackend } from '../../lib/backend/select';
import { loadAddon } from '../../lib/backend/native/loader';
import { BackendError, ValueError } from '../../lib/errors';

const hasAddon = loadAddon().addon !== null;
const withAddon = hasAddon ? it : it.skip;
const names = ['BACKEND', 'NATIVE_PATH', 'ISA', 'THREADS'].map((name) => `SADDLEPOINT_${name}`);
const before = names.map((name) => process.env[name]);

/** select.ts as a process with these variables sees it. */
function inProcess(variables: Record<string, string>): string {
  const script = join(__dirname, '..', '..', 'scripts', 'run-typescript.cjs');
  const { stdout, stderr } = spawnSync(process.execPath, [script, join(__dirname, 'fixtures', 'select.ts')], {
    env: { ...process.env, SADDLEPOINT_BACKEND: '', ...variables },
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return stdout.trim();
}

describe('selectBackend', () => {
  beforeEach(() => names.forEach((name) => delete process.env[name]));
  afterAll(() =>
    names.forEach((name, i) => {
      if (before[i] === undefined) delete process.env[name];
      else process.env[name] = before[i];
    }),
  );

  it('gives the portable backend where SADDLEPOINT_BACKEND asks for it', () => {
    process.env.SADDLEPOINT_BACKEND = 'portable';
    expect(selectBackend().name).toBe('portable');
    expect(backendInfo()).toMatchObject({ backend: 'portable', isa: 'javascript' });
    expect(backendInfo().reason).toBe('SADDLEPOINT_BACKEND asks for the portable backend');
  });

  it('gives what the caller names, whatever the variable says, and the same one again', () => {
    process.env.SADDLEPOINT_BACKEND = 'native';
    const backend = selectBackend('portable');
    expect(backend.name).toBe('portable');
    expect(selectBackend('portable')).toBe(backend);
    expect(backendInfo().reason).toBe('the caller asks for the portable backend');
  });

  withAddon('prefers the native backend', () => {
    const backend = selectBackend();
    expect(backend.name).toBe('native');
    expect(selectBackend('native')).toBe(backend);
    expect(backendInfo().reason).toContain('saddlepoint.node');
  });

  withAddon('applies SADDLEPOINT_ISA and SADDLEPOINT_THREADS', () => {
    const { isa, threads } = selectBackend();
    const lowest = loadAddon().addon!.supported[0]!;
    process.env.SADDLEPOINT_ISA = lowest;
    process.env.SADDLEPOINT_THREADS = '3';
    expect(selectBackend('native')).toMatchObject({ isa: lowest, threads: 3 });
    process.env.SADDLEPOINT_ISA = isa;
    process.env.SADDLEPOINT_THREADS = String(threads);
    expect(selectBackend('native')).toMatchObject({ isa, threads });
  });

  withAddon('refuses an unknown SADDLEPOINT_ISA', () => {
    process.env.SADDLEPOINT_ISA = 'mmx';
    expect(() => selectBackend('native')).toThrow(ValueError);
    expect(() => selectBackend('native')).toThrow(/SADDLEPOINT_ISA.*mmx.*possible are/);
  });

  it('refuses an unknown SADDLEPOINT_BACKEND', () => {
    process.env.SADDLEPOINT_BACKEND = 'gpu';
    expect(() => selectBackend()).toThrow(ValueError);
    expect(() => selectBackend()).toThrow(/'gpu'; possible are native, portable/);
  });

  it.each(['0', '65', '1.5', 'all', '-1'])('refuses SADDLEPOINT_THREADS=%s', (threads) => {
    process.env.SADDLEPOINT_THREADS = threads;
    expect(() => selectBackend('portable')).toThrow(ValueError);
    expect(() => selectBackend('portable')).toThrow(/SADDLEPOINT_THREADS/);
  });

  it('falls back to the portable backend and says why', () => {
    const info = JSON.parse(inProcess({ SADDLEPOINT_NATIVE_PATH: __filename })) as ReturnType<typeof backendInfo>;
    expect(info.backend).toBe('portable');
    expect(info.reason).toContain(__filename);
    expect(info.tried).toEqual([{ path: __filename, problem: expect.any(String) as string }]);
  });

  it('throws where the native backend is demanded and does not load, with every failure and the remedy', () => {
    const text = inProcess({ SADDLEPOINT_BACKEND: 'native', SADDLEPOINT_NATIVE_PATH: '/nowhere.node' });
    expect(text).toContain(BackendError.name);
    expect(text).toContain('/nowhere.node: there is no such file');
    expect(text).toContain('npm run build');
  });
});
