// npm run bench -- SUITE [--threads 1,2] [--filter re] [--json FILE]
import { parseArgs } from 'node:util';
import { writeFileAtomic } from '../lib/io';
import { attentions } from './attention';
import { gemm } from './gemm';
import { table, type Row } from './measure';
import { overhead } from './overhead';

const suites: { readonly [name: string]: (threads: readonly number[], filter: RegExp) => Row[] } = {
  attention: attentions,
  gemm,
  overhead,
};

function fail(message: string): never {
  console.error(`bench: ${message}`);
  process.exit(2);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '1,2' },
    filter: { type: 'string', default: '' },
    json: { type: 'string' },
  },
});
const names = positionals.length === 0 ? Object.keys(suites) : positionals;
for (const name of names)
  if (!Object.hasOwn(suites, name)) fail(`unknown suite '${name}'; possible are ${Object.keys(suites).join(', ')}`);
const threads = values.threads.split(',').map(Number);
if (!threads.every((count) => Number.isInteger(count) && count >= 1 && count <= 64))
  fail(`--threads takes integers from 1 to 64, got '${values.threads}'`);

const rows = names.flatMap((name) => suites[name]!(threads, new RegExp(values.filter)));
console.log(table(rows));
if (values.json !== undefined) writeFileAtomic(values.json, JSON.stringify(rows, null, 2));
