import { modelNames } from '../../benchmarks/models';
import { onEachBackend } from '../helpers/backends';
import { readRecording } from '../reference/read';
import { expectNear, numbersOf, type Numbers } from './numbers';

interface Recording {
  readonly batch: number;
  readonly steps: number;
  readonly models: { readonly [name: string]: Numbers };
}

const { batch, steps, models } = readRecording<Recording>('benchmarks');

onEachBackend('models of the benchmarks give what PyTorch gives', (backend) => {
  const shown = modelNames.filter((name) => backend === 'native' || name !== 'resnet18');

  test.each(shown)('%s', (name) => {
    expectNear(numbersOf(name, batch, steps), models[name]!);
  });
});
