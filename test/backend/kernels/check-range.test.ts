import { backends } from './backends';
import { dense, KernelError, runKernel } from './builder';
import { expectEqual } from './numbers';

const floats = ['float32', 'float64'] as const;

describe.each(backends)('checkRange on %s', (_name, backend) => {
  const run = (dtype: 'float32' | 'float64', values: readonly number[], attributes: readonly number[]) => {
    const outputs = [{ dtype, shape: [values.length] }];
    const x = dense(dtype, [values.length], [...values]);
    return runKernel(backend, { kernel: 'checkRange', inputs: [x], outputs, attributes: [...attributes] })[0]!;
  };
  const failureOf = (...call: Parameters<typeof run>): unknown => {
    try {
      return run(...call);
    } catch (error) {
      return error instanceof KernelError ? error.failure : error;
    }
  };

  it.each(floats)('passes %s on, its bounds and -0 too', (dtype) => {
    const values = [0, 1, 0.25, -0, 0.5];
    expectEqual(run(dtype, values, [0, 1, 0]), values);
    expectEqual(run(dtype, [], [0, 1, 0]), []);
    expectEqual(run(dtype, [NaN, 1], [0, 1, 1]), [NaN, 1]);
  });

  // Ends of blocks and of the parts that threads take.
  it.each([0, 1, 255, 256, 32767, 32768, 69999])('names position %i, the first of two', (position) => {
    for (const dtype of floats)
      for (const [bad, shown] of [
        [-0.125, '-0.125'],
        [1.5, '1.5'],
        [NaN, 'NaN'],
        [Infinity, 'Infinity'],
      ] as const) {
        const values = new Array<number>(70000).fill(0.5);
        values[position] = bad;
        values[69999] = bad;
        expect(failureOf(dtype, values, [0, 1, 0])).toMatchObject({
          kind: 'value',
          instruction: 0,
          cause: -1,
          message: `${shown} at position ${position} is out of range [0, 1]`,
        });
      }
  });

  it('shows a number with the digits that tell it from others', () => {
    expect(failureOf('float64', [1 + 2 ** -52], [0, 1, 0])).toMatchObject({
      message: '1.0000000000000002 at position 0 is out of range [0, 1]',
    });
    expect(failureOf('float32', [-1.1], [-0.5, Infinity, 1])).toMatchObject({
      message: '-1.100000023841858 at position 0 is out of range [-0.5, Infinity]',
    });
  });

  it('refuses an empty range and other dtypes before it runs', () => {
    expect(failureOf('float32', [1], [1, 0, 0])).toBeInstanceOf(Error);
    expect(failureOf('float32', [1], [NaN, 0, 0])).toBeInstanceOf(Error);
    expect(failureOf('float32', [1], [0, 1])).toBeInstanceOf(Error);
    const outputs = [{ dtype: 'int32' as const, shape: [1] }];
    const call = { kernel: 'checkRange' as const, inputs: [dense('int32', [1], [1])], outputs, attributes: [0, 1, 0] };
    expect(() => runKernel(backend, call)).toThrow(/int32/);
  });
});
