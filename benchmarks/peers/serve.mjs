// What the peers in Node share: each line of stdin, a JSON object, is answered by one on stdout. peer.ts has the protocol.
import { performance } from 'node:perf_hooks';
import readline from 'node:readline';

/** Loads what the peer measures; where it is not installed, says so and ends. */
export async function load(names) {
  try {
    return await Promise.all(names.map((name) => import(name)));
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    process.stdout.write(`${JSON.stringify({ missing: error.message.split('\n')[0] })}\n`);
    process.exit(0);
  }
}

/** `open` gets the task and gives { call, result }, or { unsupported: reason }. */
export async function serve({ about, open }) {
  let current = null;

  async function answer(request) {
    if (request.call === 'about') return about();
    if (request.call === 'open') {
      current = null;
      const { call, result, unsupported } = await open(request);
      if (unsupported !== undefined) return { unsupported };
      current = call;
      return result;
    }
    if (request.call === 'time') return { seconds: await seconds(current, request.count) };
    throw new Error(`unknown call ${request.call}`);
  }

  for await (const line of readline.createInterface({ input: process.stdin })) {
    const reply = await answer(JSON.parse(line)).catch((error) => ({ error: String(error) }));
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
}

/** As measure.ts does it: more than one are preceded by one that does not count. */
async function seconds(call, count) {
  if (count > 1) await call();
  const start = performance.now();
  for (let i = 0; i < count; i++) await call();
  return (performance.now() - start) / 1e3 / count;
}
