import { type Call, floatTypes, type Kernel, KernelFailure, taskOver } from './kernel';

export const checkRange: Kernel = (call: Call) => {
  call.checkCounts(1, 1, 3);
  const [x, out] = [call.inputs[0]!, call.outputs[0]!];
  call.checkDType(x, floatTypes, 'the input');
  call.checkDType(out, [x.dtype], 'the output');
  call.checkShape(out, x.shape, 'the output');
  const [least, most] = call.attributes as [number, number];
  call.check(least <= most, `the range [${least}, ${most}] is empty`);
  const allowNaN = call.integer(2, 0) === 1;
  return taskOver(x.size, 3, (from, to) => {
    const [given, kept] = [x.floats, out.floats];
    for (let i = from; i < to; i++) {
      const value = given[x.offset + i]!;
      if (!(value >= least && value <= most) && !(allowNaN && Number.isNaN(value)))
        throw new KernelFailure('value', `${value} at position ${i} is out of range [${least}, ${most}]`);
      kept[out.offset + i] = value;
    }
  });
};
