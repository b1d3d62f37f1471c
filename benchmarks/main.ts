// npm run bench -- [SUITE ...] [--threads 1,2] [--filter re] [--peers torch,openblas,ort,tfjs] [--json FILE] [--html FILE]
//   [--brief]
// npm run bench -- compare A.json B.json [--threshold 1.1]
// npm run bench -- summary FILE.json [--filter re]
import { backendInfo, setThreads } from '../lib';
import { writeFileAtomic } from '../lib/io';
import { parseArguments, parseCompare, parseSummary, UsageError, type Arguments } from './arguments';
import { Bench } from './bench';
import { compareRows, describeComparison, readRows } from './compare';
import { pageOf } from './page';
import { Peers } from './peers/pool';
import { peerSpecs } from './peers/specs';
import { lineOf, table, type Row } from './rows';
import { suites } from './suites';
import { describeSummaries, summarize } from './summary';

async function measure({ suites: names, threads, filter, peers: peerNames, brief }: Arguments): Promise<Row[]> {
  const { backend, isa } = backendInfo();
  console.error(`saddlepoint: backend ${backend}, ${isa}`);
  const peers = new Peers(
    peerNames.map((name) => peerSpecs[name]!),
    (text) => console.error(text),
  );
  const rows: Row[] = [];
  try {
    for (const name of names)
      for (const count of threads) {
        setThreads(count);
        console.error(`${name}, threads: ${count}`);
        const note = (text: string): void => console.error(text);
        const report = (row: Row): void => note(lineOf(row));
        const bench = new Bench(name, count, filter, peers, { report, note, brief });
        await suites[name]!(bench);
        rows.push(...bench.rows);
      }
  } finally {
    peers.close();
  }
  return rows;
}

/** Exits with 1 if something became slower than the threshold allows. */
function compareFiles(words: readonly string[]): void {
  const { before, after, threshold } = parseCompare(words);
  const comparison = compareRows(readRows(before), readRows(after));
  console.log(describeComparison(comparison, threshold));
  if (comparison.changes.some(({ ratio }) => ratio > threshold)) process.exitCode = 1;
}

/** The geometric means of some of a file's cases. */
function summarizeFile(words: readonly string[]): void {
  const { file, filter } = parseSummary(words);
  const rows = readRows(file).filter((row) => filter.test(row.case));
  console.log(describeSummaries(summarize(rows)).join('\n'));
}

async function main(): Promise<void> {
  if (process.argv[2] === 'compare') return compareFiles(process.argv.slice(3));
  if (process.argv[2] === 'summary') return summarizeFile(process.argv.slice(3));
  const possible = { suites: Object.keys(suites), peers: Object.keys(peerSpecs) };
  const given = parseArguments(process.argv.slice(2), possible);
  const rows = await measure(given);
  console.log([table(rows), ...describeSummaries(summarize(rows))].join('\n'));
  if (given.json !== null) writeFileAtomic(given.json, `${JSON.stringify(rows, null, 2)}\n`);
  if (given.html !== null) writeFileAtomic(given.html, pageOf(rows, 'saddlepoint, measured'));
}

main().catch((error: unknown) => {
  console.error(`bench: ${error instanceof UsageError ? error.message : String((error as Error).stack)}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
});
