// The five models of benchmarks/models.ts with TensorFlow.js's layers: channels last, as it wants them.

/** `tf` is the module; gives { model, shape } with the shape of one input. */
export function build(tf, name) {
  const { layers } = tf;
  const dense = (units, activation = 'linear') => layers.dense({ units, activation });
  const conv = (filters, kernelSize, options = {}) =>
    layers.conv2d({ filters, kernelSize, padding: 'same', useBias: false, ...options });
  const norm = () => layers.batchNormalization({ momentum: 0.9, epsilon: 1e-5 });
  const relu = () => layers.activation({ activation: 'relu' });
  const pool = () => layers.maxPooling2d({ poolSize: 2 });
  const chain = (x, ...steps) => steps.reduce((y, layer) => layer.apply(y), x);

  function block(x, filters, strides) {
    const y = chain(x, conv(filters, 3, { strides }), norm(), relu(), conv(filters, 3), norm());
    const fits = strides === 1 && x.shape.at(-1) === filters;
    const shortcut = fits ? x : chain(x, conv(filters, 1, { strides }), norm());
    return relu().apply(layers.add().apply([y, shortcut]));
  }

  const networks = {
    mlp16: [[16], (x) => chain(x, dense(32, 'relu'), dense(32, 'relu'), dense(4))],
    mlp784: [[784], (x) => chain(x, dense(512, 'relu'), dense(256, 'relu'), dense(10))],
    lenet: [
      [28, 28, 1],
      (x) =>
        chain(
          chain(x, conv(6, 5, { useBias: true }), relu(), pool()),
          ...[conv(16, 5, { useBias: true, padding: 'valid' }), relu(), pool(), layers.flatten()],
          ...[dense(120, 'relu'), dense(84, 'relu'), dense(10)],
        ),
    ],
    convnet: [
      [28, 28, 1],
      (x) => {
        const unit = (filters) => [conv(filters, 3), norm(), relu()];
        const features = chain(x, ...unit(32), ...unit(32), pool(), ...unit(64), ...unit(64), pool(), ...unit(128));
        return chain(features, layers.globalAveragePooling2d({}), dense(10));
      },
    ],
    resnet18: [
      [32, 32, 3],
      (x) => {
        let y = chain(x, conv(64, 3), norm(), relu());
        for (const filters of [64, 128, 256, 512]) y = block(block(y, filters, filters === 64 ? 1 : 2), filters, 1);
        return chain(y, layers.globalAveragePooling2d({}), dense(10));
      },
    ],
  };
  const [shape, network] = networks[name];
  const inputs = tf.input({ shape });
  return { model: tf.model({ inputs, outputs: network(inputs) }), shape };
}
