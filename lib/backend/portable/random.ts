import { philox, unit53 } from '../../tensor/philox';
import { type Call, floatTypes, type Kernel, type Task, taskOver } from './kernel';

/** The words of blocks of random numbers, for one run. */
class Words {
  readonly values = new Uint32Array(4);
  private readonly seedSlot: number;
  private readonly offsetSlot: number;

  constructor(
    private readonly call: Call,
    scalars: number,
  ) {
    call.checkCounts(0, 1, 2);
    this.seedSlot = call.scalarSlot(0, scalars);
    this.offsetSlot = call.scalarSlot(1, scalars);
  }

  fill(block: number): void {
    const { scalars } = this.call;
    philox(scalars[this.seedSlot]!, scalars[this.offsetSlot]!, block, this.values);
  }
}

export const normal: Kernel = (call: Call, scalars: number) => {
  const words = new Words(call, scalars);
  const out = call.outputs[0]!;
  call.checkDType(out, floatTypes, 'the output');
  const { values } = words;
  return taskOver(Math.ceil(out.size / 2), 120, (from, to) => {
    const data = out.floats;
    for (let block = from; block < to; block++) {
      words.fill(block);
      const radius = Math.sqrt(-2 * Math.log(1 - unit53(values[0]!, values[1]!)));
      const angle = 2 * Math.PI * unit53(values[2]!, values[3]!);
      const at = out.offset + 2 * block;
      data[at] = radius * Math.cos(angle);
      if (2 * block + 1 < out.size) data[at + 1] = radius * Math.sin(angle);
    }
  });
};

export const permutation: Kernel = (call: Call, scalars: number): Task => {
  const words = new Words(call, scalars);
  const out = call.outputs[0]!;
  call.checkDType(out, ['int32'], 'the output');
  call.checkRank(out, 1, 'the output');
  const { values } = words;
  const task = taskOver(Math.max(0, out.size - 1), 70, (from, to) => {
    const order = out.integers;
    for (let step = from; step < to; step++) {
      const i = out.size - 1 - step;
      words.fill(i);
      const j = Math.floor(unit53(values[0]!, values[1]!) * (i + 1));
      const swapped = order[out.offset + i]!;
      order[out.offset + i] = order[out.offset + j]!;
      order[out.offset + j] = swapped;
    }
  });
  const begin = (): void => {
    for (let i = 0; i < out.size; i++) out.integers[out.offset + i] = i;
  };
  return { ...task, begin };
};
