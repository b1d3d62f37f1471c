/**
 * Asks of every training of the table what is the matter with it; prints the verdicts, and last
 * `right R of N, healthy for a broken one: B`.
 *
 *     npm run cases:diagnose              # all
 *     npm run cases:diagnose -- sine      # those whose title has it
 */
import { diagnoseCases, wordsOf } from './diagnose-table';

/** Of 24 cases 22. */
const REQUIRED = 22 / 24;

async function main(): Promise<void> {
  const [wanted = ''] = process.argv.slice(2);
  const cases = diagnoseCases.filter(({ title }) => title.includes(wanted));
  let [right, missed] = [0, 0];
  for (const one of cases) {
    const began = performance.now();
    const found = await one.run();
    if (found.verdict === one.verdict) right++;
    else if (found.verdict === 'healthy') missed++;
    console.log(wordsOf(one, found, (performance.now() - began) / 1000));
  }
  console.log(`right ${right} of ${cases.length}, healthy for a broken one: ${missed}`);
  if (right < REQUIRED * cases.length || missed > 0) process.exitCode = 1;
}

void main();
