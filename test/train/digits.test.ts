import { backends } from '../helpers/backends';
import { linesOf, runCommand } from '../helpers/command';

const isFull = process.env.SADDLEPOINT_TEST_FULL === '1';

async function accuracyOf(...flags: string[]): Promise<number> {
  const { code, stdout, stderr } = await runCommand(['train', 'digits', '--json', ...flags]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return (JSON.parse(linesOf(stdout).at(-1)!) as { testAccuracy: number }).testAccuracy;
}

describe('the digits network', () => {
  jest.setTimeout(600_000);

  const seeds = [0, 1, 2, 3, 4];
  const whenNative = backends.includes('native') ? test : test.skip;

  whenNative('reaches 0.98 on the held-out fifth, over five seeds, and never less than 0.97', async () => {
    const accuracies: number[] = [];
    for (const seed of seeds) accuracies.push(await accuracyOf('--backend', 'native', '--seed', String(seed)));
    expect(Math.min(...accuracies)).toBeGreaterThanOrEqual(0.97);
    expect(accuracies.reduce((a, b) => a + b, 0) / seeds.length).toBeGreaterThanOrEqual(0.98);
  });

  test('learns on the portable backend', async () => {
    const flags = isFull ? [] : ['--epochs', '3'];
    expect(await accuracyOf('--backend', 'portable', ...flags)).toBeGreaterThanOrEqual(isFull ? 0.98 : 0.96);
  });
});
