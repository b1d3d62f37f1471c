// Worker of bandwidth.ts: two arrays of its own, warm; each message has it copy one into the other so many times.
const { parentPort, workerData } = require('node:worker_threads');

const from = new Float32Array(workerData.length).fill(1);
const to = new Float32Array(workerData.length).fill(2);

parentPort.on('message', (times) => {
  for (let i = 0; i < times; i++) to.set(from);
  parentPort.postMessage('done');
});
