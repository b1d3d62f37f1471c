// node native/test/in_turns.mjs OLD NEW matmul|conv CASE [fwd|dx|dw]: two builds of bench_gemm take turns every few
// milliseconds on one processor, so that what else the machine does meets both alike. Prints the least times and the
// quartiles of new / old. TEST_ISA chooses the instruction set, PROCESSOR which (0), ROUNDS how often (60). Linux only.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const [before, after, ...words] = process.argv.slice(2);
const rounds = Number(process.env.ROUNDS ?? 60);
if (words.length < 2 || !(rounds >= 1)) {
  console.error('in_turns: OLD NEW matmul|conv CASE [fwd|dx|dw], and ROUNDS, if set, of 1 or more');
  process.exit(2);
}

function start(binary) {
  const pinned = ['--cpu-list', process.env.PROCESSOR ?? '0', binary, ...words, 'paced'];
  const child = spawn('taskset', pinned, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => undefined); // It has ended, which the missing line says too.
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async seconds() {
      child.stdin.write('\n');
      const { value, done } = await lines.next();
      if (!done) return Number(value);
      console.error(`in_turns: ${binary} has ended, or knows no such case`);
      process.exit(1);
    },
    end: () => child.stdin.end(),
  };
}

const builds = [start(before), start(after)];
const times = [[], []];
const ratios = [];
for (let round = 0; round < rounds; round++) {
  for (const [i, build] of builds.entries()) times[i].push(await build.seconds());
  ratios.push(times[1].at(-1) / times[0].at(-1));
}
for (const build of builds) build.end();
ratios.sort((a, b) => a - b);
const quantile = (part) => ratios[Math.floor(part * (ratios.length - 1))].toFixed(3);
const [old, now] = times.map((list) => (Math.min(...list) * 1e6).toFixed(1));
console.log(
  `${words.join(' ')}: least ${old} and ${now} us, median ratio ${quantile(0.5)} (${quantile(0.25)} to ${quantile(0.75)})`,
);
