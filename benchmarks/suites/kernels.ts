import type { Bench } from '../bench';
import { kernelCases, type KernelCase } from '../kernels/cases';
import { contenderOf } from '../kernels/contender';
import { measureMachine } from '../kernels/machine';

const giga = (perSecond: number): string => (perSecond / 1e9).toFixed(1);

/** Each kernel on each problem, as a share of what the machine can do, which is measured first, and beside the peers. */
export async function kernels(bench: Bench): Promise<void> {
  const wanted = kernelCases.filter(({ name }) => bench.wants(name));
  // Other suites use more processors than threads: JavaScript goes on while a program runs.
  if (wanted.length > 0) await bench.onProcessorsInCommon(() => compareAll(bench, wanted));
}

async function compareAll(bench: Bench, wanted: readonly KernelCase[]): Promise<void> {
  const machine = await measureMachine(bench.threads);
  bench.note(
    `FMA peak ${giga(machine.flops)} GFLOP/s (${machine.isa}); bandwidth ${giga(machine.copied)} GB/s copied, ` +
      `${giga(machine.inPlace)} in place, ${giga(machine.pastCaches)} past the caches`,
  );
  for (const item of wanted) {
    const { name, group, kind, inputs, options, training, copies, flops, bytes } = item;
    await bench.compare({
      name,
      unit: 'us',
      ours: () => contenderOf(item),
      task: { task: 'kernel', kind, inputs, options, training, copies },
      work: {
        group,
        flops,
        bytes,
        peakFlops: machine.flops,
        bandwidth: machine.bandwidth,
        cache: copies > 1 ? 'cold' : 'warm',
      },
    });
  }
}
