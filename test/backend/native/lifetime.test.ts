import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { NativeBackend } from '../../../lib/backend/native';
import { loadAddon } from '../../../lib/backend/native/loader';
import { setAddressOf, Storage } from '../../../lib/tensor/storage';
import { increment, runOf } from './programs';

jest.setTimeout(60_000);

const root = join(__dirname, '..', '..', '..');
const { addon } = loadAddon();

interface Ended {
  code: number | null;
  signal: string | null;
  output: string;
}

function child(mode: string): Promise<Ended> {
  const fixture = join(__dirname, 'fixtures', 'lifetime.ts');
  const started = spawn(process.execPath, [join(root, 'scripts', 'run-typescript.cjs'), fixture, mode], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A hang is a failure: everything here takes a second or so on an idle machine.
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
  let output = '';
  started.stdout.on('data', (text) => (output += String(text)));
  started.stderr.on('data', (text) => (output += String(text)));
  return new Promise((resolve) => started.on('close', (code, signal) => resolve({ code, signal, output })));
}

(addon === null ? describe.skip : describe)('the life of an environment', () => {
  it.each(['exit', 'exitAtOnce', 'exitBesideWorker'])('ends the process in mid-program: %s', async (mode) => {
    expect(await child(mode)).toEqual({ code: 0, signal: null, output: '' });
  });

  it.each(['throw', 'throwInCallback'])('ends with an exception that nobody catches: %s', async (mode) => {
    const { code, signal, output } = await child(mode);
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(output).toContain('on purpose');
  });

  it('stays until what is queued has ended and was told, and then ends by itself', async () => {
    expect(await child('drain')).toEqual({ code: 0, signal: null, output: 'ended with 1\n' });
  });

  it('survives workers that are terminated in mid-program', async () => {
    expect(await child('terminate')).toEqual({ code: 0, signal: null, output: 'terminated\n' });
  });

  it('survives workers that exit in mid-program', async () => {
    expect(await child('workerExit')).toEqual({ code: 0, signal: null, output: 'worker ended with 0\n' });
  });

  it('leaves the event loop to others while a program runs', async () => {
    const backend = new NativeBackend(addon!);
    setAddressOf((buffer) => backend.addressOf(buffer));
    const x = Storage.from('float32', new Float32Array(1 << 20));
    const run = runOf(backend.load(increment(1 << 20, 1500)), [x], [1]);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const ended = new Promise<void>((resolve) => backend.onCompletion(() => backend.collect().length > 0 && resolve()));
    const start = performance.now();
    backend.submit(run);
    expect(performance.now() - start).toBeLessThan(100);
    await ended;
    clearInterval(timer);
    setAddressOf(() => 0);
    expect(x.data[0]).toBe(1500);
    expect(ticks).toBeGreaterThan((performance.now() - start) / 50);
  });
});
