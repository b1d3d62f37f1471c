// TensorFlow.js with its WebAssembly backend as a peer. It uses one thread in Node, whatever is asked. node tfjs_peer.mjs
import { load, serve } from './serve.mjs';
import { build } from './tfjs_models.mjs';

// Its advice to install tfjs-node, and the like, are not answers.
console.log = console.warn = console.info = console.error;
const [tf] = await load(['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm']);
await tf.setBackend('wasm');
await tf.ready();

async function about() {
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  return {
    version: tf.version.tfjs,
    with: `${tf.getBackend()}, XNNPACK, ${simd ? 'SIMD' : 'no SIMD'}, one thread`,
  };
}

async function open({ task, model: name, batch }) {
  tf.disposeVariables();
  if (task !== 'train' && task !== 'infer') return { unsupported: `it has no task ${task}` };
  const { model, shape } = build(tf, name);
  const classes = model.outputs[0].shape[1];
  const x = tf.randomNormal([batch, ...shape]);
  const labels = tf.oneHot(
    tf.tensor1d(
      Array.from({ length: batch }, (_, i) => i % classes),
      'int32',
    ),
    classes,
  );
  const optimizer = tf.train.adam(1e-3);
  const loss = () => tf.losses.softmaxCrossEntropy(labels, model.apply(x, { training: true }));
  const calls = {
    train: () => {
      const value = optimizer.minimize(loss, true);
      value.dataSync();
      value.dispose();
    },
    infer: () => tf.tidy(() => model.apply(x, { training: false }).dataSync()),
  };
  const parameters = model.trainableWeights.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  try {
    calls[task]();
  } catch (error) {
    return { unsupported: error.message.split('\n')[0] };
  }
  return { call: calls[task], result: { parameters } };
}

await serve({ about, open });
