import { DTypeError, ShapeError } from '../../lib/errors';
import { readData, readDataSync } from '../../lib/graph/reading';
import { tensor } from '../../lib/ops/create';
import { add } from '../../lib/ops/elementwise';
import { fromTransferable, toTransferable } from '../../lib/ops/transfer';
import { Variable } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

onEachBackend('memory', () => {
  test('tensor() copies in, data() copies out', async () => {
    const source = new Float32Array([1, 2]);
    const x = tensor(source);
    source[0] = 9;
    const first = await readData(x);
    first[0] = 7;
    const second = readDataSync(x);
    expect([Array.from(second as Float32Array), Array.from(readDataSync(add(x, 1)) as Float32Array)]).toEqual([
      [1, 2],
      [2, 3],
    ]);
    expect(first.buffer).not.toBe(second.buffer);
    expect(first.buffer.byteLength).toBe(8);
  });

  test('reading a Variable is a snapshot', () => {
    const weight = new Variable(tensor([1]));
    const before = weight.capture();
    weight.assign(tensor([2]));
    expect(Array.from(readDataSync(before) as Float32Array)).toEqual([1]);
  });

  test('toTransferable crosses, for every dtype', async () => {
    const tensors = [
      tensor([1.5, -2]),
      tensor(new Float64Array([0.1])),
      tensor(new Int32Array([7, -7])),
      tensor([true, false]),
      tensor(new BigInt64Array([5n])),
    ];
    for (const x of tensors) {
      const plain = await toTransferable(x);
      const back = fromTransferable(structuredClone(plain, { transfer: [plain.data.buffer as ArrayBuffer] }));
      expect({ dtype: back.dtype, shape: back.shape }).toEqual({ dtype: x.dtype, shape: x.shape });
      expect(Array.from(readDataSync(back), String)).toEqual(Array.from(readDataSync(x), String));
    }
    expect(() => fromTransferable({ dtype: 'int32', shape: [1], data: new Float32Array(1) })).toThrow(DTypeError);
    expect(() => fromTransferable({ dtype: 'float32', shape: [2], data: new Float32Array(1) })).toThrow(ShapeError);
  });

  test('tensors do not cross threads by structuredClone or postMessage', () => {
    expect(() => structuredClone(tensor([1]))).toThrow(/could not be cloned/);
    expect(() => structuredClone(new Variable(tensor([1])))).toThrow();
  });
});
