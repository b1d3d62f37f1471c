import type { Dataset } from '../../lib/data';

/** Images of 4 x 4 in three classes, told apart by which row is bright. */
export function madeDataset(count = 60): Dataset {
  const images = new Float32Array(count * 16);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = i % 3;
    for (let j = 0; j < 16; j++)
      images[i * 16 + j] = 0.3 * Math.abs(Math.sin(i * 16 + j)) + (j >> 2 === i % 3 ? 0.5 : 0);
  }
  const indices = Int32Array.from({ length: count }, (_, i) => i);
  const cut = Math.floor(count * 0.8);
  return {
    name: 'made',
    images,
    imageShape: [1, 4, 4],
    labels,
    classes: 3,
    train: indices.slice(0, cut),
    test: indices.slice(cut),
  };
}
