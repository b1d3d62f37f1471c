import { diagnoseCases } from '../../cases/diagnose-table';
import { backends } from '../helpers/backends';

jest.setTimeout(60_000);

test('there are enough, of every verdict but undecided', () => {
  expect(diagnoseCases.length).toBeGreaterThanOrEqual(24);
  expect(new Set(diagnoseCases.map(({ title }) => title)).size).toBe(diagnoseCases.length);
  const verdicts = [...new Set(diagnoseCases.map(({ verdict }) => verdict))].sort();
  expect(verdicts).toEqual(['data', 'healthy', 'model-bias', 'optimisation-failure', 'overfitting']);
});

// The quick ones, one of each verdict; all of them: npm run cases:diagnose.
const short = [
  'iris',
  'a sine, a linear model',
  'rings, a start at a saddle point',
  'sixty samples of a hundred features',
  'a sine in noise of twice its height',
];

// Trained for seconds natively.
const whenNative = backends.includes('native') ? test : test.skip;

whenNative.each(short)('%s', async (wanted) => {
  const { verdict, run } = diagnoseCases.find(({ title }) => title === wanted)!;
  const found = await run();
  expect([found.verdict, found.reason]).toEqual([verdict, expect.any(String)]);
  expect(found.confidence).toBeGreaterThanOrEqual(0.5);
  expect(found.evidence.length).toBeGreaterThan(5);
  expect(found.suggestions.length > 0).toBe(verdict !== 'healthy');
});
