/**
 * Asks of every training of the table what is the matter with it; prints the verdicts, and last
 * `right R of N, healthy for a broken one: B`.
 *
 *     npm run cases:diagnose              # all
 *     npm run cases:diagnose -- sine      # those whose title has it
 */
import { diagnoseCases } from './diagnose-table';

/** Of 24 cases 22. */
const REQUIRED = 22 / 24;

async function main(): Promise<void> {
  const [wanted = ''] = process.argv.slice(2);
  const cases = diagnoseCases.filter(({ title }) => title.includes(wanted));
  let [right, missed] = [0, 0];
  for (const { title, verdict, run } of cases) {
    const began = performance.now();
    const found = await run();
    const isRight = found.verdict === verdict;
    if (isRight) right++;
    else if (found.verdict === 'healthy') missed++;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    const said = isRight ? found.verdict : `${found.verdict}, and is ${verdict}`;
    console.log(`${isRight ? 'right' : 'WRONG'}  ${title}: ${said} (${found.confidence.toFixed(2)}, ${seconds} s)`);
    console.log(`       ${found.reason}`);
  }
  console.log(`right ${right} of ${cases.length}, healthy for a broken one: ${missed}`);
  if (right < REQUIRED * cases.length || missed > 0) process.exitCode = 1;
}

void main();
