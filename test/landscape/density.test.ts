import { tensor, Variable, type Tensor } from '../../lib';
import { hessianTrace, spectralDensity } from '../../lib/landscape';
import { Generator } from '../../lib/ops/random';
import { onEachBackend } from '../helpers/backends';

/** ½ Σ λ x², and a coupling that the trace does not see. */
function quadratic(eigenvalues: readonly number[], coupling = 0): { x: Variable; loss: () => Tensor } {
  const x = new Variable(tensor(new Array<number>(eigenvalues.length).fill(1), { dtype: 'float64' }), {
    requiresGrad: true,
  });
  const lambda = tensor([...eigenvalues], { dtype: 'float64' });
  const loss = (): Tensor => {
    const at = x.capture();
    return at.square().mul(lambda).sum().add(at.sum().square().mul(coupling)).mul(0.5);
  };
  return { x, loss };
}

onEachBackend('spectralDensity', () => {
  test('two clusters: their places and shares, and an integral of 1', async () => {
    const n = 400;
    const { x, loss } = quadratic(Array.from({ length: n }, (_, i) => (i < n / 4 ? -2 : 6)));
    const probes = 32;
    const found = await spectralDensity(loss, [x], { probes });
    const step = found.lambda[1]! - found.lambda[0]!;
    const share = (from: number, to: number): number =>
      found.density.reduce(
        (sum, value, i) => sum + (found.lambda[i]! > from && found.lambda[i]! < to ? value * step : 0),
        0,
      );
    // Sums of Gaussians at steps of half a standard deviation are integrals to many digits.
    expect(Math.abs(share(-Infinity, Infinity) - 1)).toBeLessThan(2e-4);
    // A probe's share is a ratio of chi squares: variance 2 p (1 - p) / (n + 2).
    const deviation = Math.sqrt((2 * 0.25 * 0.75) / (n + 2) / probes);
    expect(Math.abs(share(-3, -1) - 0.25)).toBeLessThan(4 * deviation + 2e-4);
    expect(found.nodes.every(({ value }) => Math.min(Math.abs(value + 2), Math.abs(value - 6)) < 1e-9)).toBe(true);
    expect(found.products).toBe(2 * probes);
  });
});

test('the trace lies within its standard error, and seeds give the same bits', async () => {
  const { x, loss } = quadratic(
    Array.from({ length: 100 }, (_, i) => i - 20),
    3,
  );
  const expected = (100 * 99) / 2 - 2000 + 300;
  const found = await hessianTrace(loss, [x], { probes: 64 });
  expect(found.standardError).toBeGreaterThan(0);
  expect(Math.abs(found.trace - expected)).toBeLessThan(4 * found.standardError);
  expect(await hessianTrace(loss, [x], { probes: 64 })).toEqual(found);
  expect((await hessianTrace(loss, [x], { probes: 64, generator: new Generator(5) })).trace).not.toBe(found.trace);
  // Of a diagonal matrix every probe is exact.
  const diagonal = quadratic([1, 2, 3]);
  expect(await hessianTrace(diagonal.loss, [diagonal.x])).toMatchObject({ trace: 6, standardError: 0 });
});

test('what is refused', async () => {
  const { x, loss } = quadratic([1, 2]);
  await expect(spectralDensity(loss, [x], { probes: 0 })).rejects.toThrow(/probes is an integer of at least 1/);
  await expect(spectralDensity(loss, [x], { bandwidth: 0 })).rejects.toThrow(/bandwidth is positive/);
  await expect(hessianTrace(loss, [x], { probes: 1 })).rejects.toThrow(/probes is an integer of at least 2/);
  const signal = AbortSignal.abort();
  await expect(spectralDensity(loss, [x], { signal })).rejects.toMatchObject({ name: 'AbortError' });
  await expect(hessianTrace(loss, [x], { signal })).rejects.toMatchObject({ name: 'AbortError' });
});
