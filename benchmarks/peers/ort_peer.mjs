// onnxruntime-node as a peer: inference of models that torch_peer.py exported. node ort_peer.mjs THREADS
import { load, serve } from './serve.mjs';

const [{ default: ort }] = await load(['onnxruntime-node']);
const threads = Number(process.argv[2]);

function about() {
  return { version: ort.env.versions.node, with: 'its own BLAS, MLAS' };
}

async function open({ task, file, shape }) {
  if (task !== 'infer') return { unsupported: 'it does inference only' };
  const session = await ort.InferenceSession.create(file, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
  });
  const size = shape.reduce((product, dim) => product * dim, 1);
  const x = new ort.Tensor(
    'float32',
    Float32Array.from({ length: size }, (_, i) => Math.sin(i)),
    shape,
  );
  return { call: async () => (await session.run({ x })).logits.data, result: {} };
}

await serve({ about, open });
