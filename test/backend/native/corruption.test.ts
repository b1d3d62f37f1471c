import fc from 'fast-check';
import { NativeBackend } from '../../../lib/backend/native';
import { loadAddon } from '../../../lib/backend/native/loader';
import type { BufferSpec, Instruction, Program } from '../../../lib/graph/program/program';
import { encode } from '../../../lib/graph/program/encode';
import { setAddressOf, Storage } from '../../../lib/tensor/storage';
import { bound, dense, increment, lookUp, multiply, programOf, rowSumsOfProduct } from './programs';

const { addon: loaded } = loadAddon();
const numRuns = process.env.SADDLEPOINT_TEST_FULL === '1' ? 100_000 : 4_000;

/** One instruction, its tensors in buffers of their own. */
function single(
  kernel: Instruction['kernel'],
  inputs: readonly (readonly number[])[],
  output: readonly number[],
  attributes: readonly number[],
): Program {
  const size = (shape: readonly number[]) => shape.reduce((product, dim) => product * dim, 1);
  const buffers: BufferSpec[] = [
    ...inputs.map((shape) => bound('input', 'float32', size(shape))),
    bound('output', 'float32', size(output)),
  ];
  const views = inputs.map((shape, i) => dense(i, shape));
  return programOf(buffers, [{ kernel, inputs: views, outputs: [dense(inputs.length, output)], attributes }]);
}

const programs = [
  multiply(7),
  increment(5, 2),
  lookUp(3, 4),
  rowSumsOfProduct(3, 4),
  single('matmul', [[2, 3, 4], [2, 4, 5]], [2, 3, 5], []), // prettier-ignore
  single('conv2d', [[1, 4, 5, 5], [4, 2, 3, 3]], [1, 4, 3, 3], [2, 2, 1, 1, 1, 1, 2, 1]), // prettier-ignore
  single('conv2dInputGrad', [[1, 4, 3, 3], [4, 2, 3, 3]], [1, 4, 5, 5], [2, 2, 1, 1, 1, 1, 2, 1]), // prettier-ignore
  single('maxPool2d', [[1, 2, 6, 6]], [1, 2, 3, 3], [2, 2, 2, 2, 0, 0, 1, 1]),
  single('pad', [[2, 3]], [4, 7], [0, 1, 0, 2, 3]),
  single('checkRange', [[2, 3]], [2, 3], [0, 1, 0]),
  single('softmax', [[3, 6]], [3, 6], []),
];

const word = fc.oneof(
  fc.integer(),
  fc.integer({ min: -3, max: 12 }),
  fc.constantFrom(2 ** 31 - 1, -(2 ** 31), 2 ** 30, 64, 128, 0x7ff00000, 0x3ff00000),
);

/** Programs of which some words have been replaced, words were left out, or the end was cut off. */
const corrupted = fc.constantFrom(...programs).chain((program) => {
  const words = encode(program);
  const position = fc.nat(words.length - 1);
  const replaced = fc.array(fc.tuple(position, word), { minLength: 1, maxLength: 4 }).map((edits) => {
    const result = words.slice();
    for (const [at, value] of edits) result[at] = value;
    return result;
  });
  const nudged = fc.tuple(position, fc.constantFrom(-1, 1)).map(([at, by]) => {
    const result = words.slice();
    result[at]! += by;
    return result;
  });
  const copied = fc.tuple(position, position).map(([from, to]) => words.slice().copyWithin(to, from, from + 1));
  const withLength = (result: Int32Array) => {
    if (result.length > 2) result[2] = result.length;
    return result;
  };
  const without = position.map((at) => withLength(Int32Array.from([...words.slice(0, at), ...words.slice(at + 1)])));
  const cut = position.map((length) => withLength(words.slice(0, length)));
  return fc.oneof({ weight: 4, arbitrary: replaced }, nudged, copied, without, cut);
});

/** The lengths of the bound buffers of encoded words that the addon has taken, with their dtypes. */
function boundBuffers(words: Int32Array): { dtype: number; length: number }[] {
  const buffers = [];
  for (let i = 0, at = 8; i < words[3]!; i++, at += 5)
    if (words[at] !== 3) buffers.push({ dtype: words[at + 1]!, length: words[at + 2]! });
  return buffers;
}

const dtypeNames = ['float32', 'float64', 'int32', 'bool', 'int64'] as const;

(loaded === null ? describe.skip : describe)('corrupted programs', () => {
  const addon = loaded!;
  beforeAll(() => {
    const backend = new NativeBackend(addon);
    setAddressOf((buffer) => backend.addressOf(buffer));
  });
  afterAll(() => setAddressOf(() => 0));

  it('are refused with a reason, or run without harm', () => {
    let taken = 0;
    fc.assert(
      fc.property(corrupted, (words) => {
        let program;
        try {
          program = addon.load(words);
        } catch (error) {
          expect((error as Error).message).toMatch(/^program: /);
          return;
        }
        const buffers = boundBuffers(words);
        // Not because they would do harm: their memory and time would be that of the machine.
        const scalars = words[5]!;
        const total = buffers.reduce((sum, { length }) => sum + length, 0);
        if (total + scalars > 100_000 || words[7]! > 0x40f00000) return;
        taken++;
        const storages = buffers.map(({ dtype, length }) => new Storage(dtypeNames[dtype]!, length));
        for (const { data } of storages) new Uint8Array(data.buffer, data.byteOffset, data.byteLength).fill(1);
        expect(program.exchange).toHaveLength(buffers.length + scalars + 1);
        storages.forEach(({ address }, i) => (program.exchange[i] = address));
        const failure = addon.run(program.handle);
        expect(['value', 'memory', undefined]).toContain(failure?.kind);
      }),
      { numRuns },
    );
    expect(taken).toBeGreaterThan(numRuns / 200);
  });
});
