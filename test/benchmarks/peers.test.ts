import { spawnSync } from 'node:child_process';
import { modelNames } from '../../benchmarks/models';
import { MissingPeerError, Peer, UnsupportedTaskError } from '../../benchmarks/peers/peer';
import { Peers } from '../../benchmarks/peers/pool';
import { peerSpecs } from '../../benchmarks/peers/specs';
import { backends } from '../helpers/backends';
import { expectNear, numbersOf, type Numbers } from './numbers';

const spec = peerSpecs.torch!;
const absent = { ...spec, command: ['/nowhere/python3', ...spec.command.slice(1)] };
const hasTorch = spawnSync(spec.command[0]!, ['-c', 'import torch, numpy']).status === 0;

describe('a peer that is not installed', () => {
  const message = /torch is not installed \(.+\); install it with: apt-get install python3-torch$/;

  test('is named with the command that installs it', async () => {
    await expect(Peer.start(absent, 1)).rejects.toThrow(MissingPeerError);
    await expect(Peer.start(absent, 1)).rejects.toThrow(message);
  });

  test('also where only its package is missing', async () => {
    // Node looks for packages from the folder of the importing file upwards.
    const script = `import('torch-that-is-nowhere').catch(({ message }) => console.log(JSON.stringify({ missing: message })))`;
    const started = Peer.start({ ...spec, command: [process.execPath, '-e', script] }, 1);
    await expect(started).rejects.toThrow(message);
  });

  test('is left out of a run, and named once', async () => {
    const notes: string[] = [];
    const peers = new Peers([absent], (note) => notes.push(note));
    const task = { task: 'add', size: 4 } as const;
    expect([...(await peers.open(task, 2)), ...(await peers.open(task, 1))]).toEqual([]);
    expect(notes).toEqual([expect.stringMatching(message)]);
    peers.close();
  });
});

test('a peer that ends fails with what it printed', async () => {
  const command = [process.execPath, '-e', 'console.error("no more"); process.exitCode = 3'];
  await expect(Peer.start({ ...spec, command }, 1)).rejects.toThrow(/torch: it ended with code 3\nno more/);
});

(hasTorch ? describe : describe.skip)('PyTorch as a peer', () => {
  let torch: Peer;

  beforeAll(async () => (torch = await Peer.start(spec, 1)));
  afterAll(() => torch.close());

  test('says its version and what it computes with', () =>
    expect(torch.about).toMatch(/^torch \d+\.\d+.*: BLAS .+oneDNN/));

  test.each([
    { task: 'train', model: 'mlp16', batch: 4 },
    { task: 'infer', model: 'lenet', batch: 1 },
    { task: 'add', size: 4 },
    { task: 'adam', size: 100 },
    { task: 'chain', size: 100 },
  ] as const)('times $task', async (task) => {
    const contender = await torch.open(task);
    const seconds = await contender.time(3);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(10);
  });

  test('refuses what it cannot do, and goes on after an error', async () => {
    await expect(torch.open({ task: 'dance' } as never)).rejects.toThrow(UnsupportedTaskError);
    await expect(torch.open({ task: 'train', model: 'none', batch: 4 })).rejects.toThrow(
      "torch: open: KeyError: 'none'",
    );
    await expect(torch.open({ task: 'train', model: 'mlp16', batch: 4 }, 1731)).rejects.toThrow(
      'its model has 1732 parameters, ours 1731',
    );
    expect((await torch.open({ task: 'add', size: 4 })).name).toBe('torch');
  });

  // The large one only where it is fast; models.test.ts holds both backends against recordings.
  test.each(modelNames.filter((name) => backends.includes('native') || name !== 'resnet18'))(
    '%s gives our numbers',
    async (model) => {
      const theirs = (await torch.call('numbers', { model, batch: 2, steps: 1 })) as unknown as Numbers;
      expectNear(numbersOf(model, 2, 1), theirs);
    },
  );
});
