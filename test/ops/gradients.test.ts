import { registry } from '../../lib/graph/op';
import '../../lib/ops';
import { onEachBackend } from '../helpers/backends';
import { gradcheck, gradgradcheck, jvpcheck } from '../helpers/gradcheck';
import { primalsOf } from '../helpers/samples';
import { cases } from './cases';

const differentiable = cases.flatMap(({ name, samples }) => {
  const checked = samples.filter(({ gradient }) => gradient !== false);
  return checked.length > 0 && registry.get(name)?.vjp !== 'none' ? [[name, checked] as const] : [];
});

onEachBackend('derivatives', () => {
  describe.each(differentiable)('%s', (_name, samples) => {
    test.each(samples.map((sample) => [sample.title, sample] as const))('gradient: %s', (_title, sample) => {
      gradcheck(sample.run, primalsOf(sample), { step: sample.step });
    });

    test.each(samples.map((sample) => [sample.title, sample] as const))(
      'gradient of the gradient: %s',
      (_title, sample) => {
        gradgradcheck(sample.run, primalsOf(sample), { step: sample.step });
      },
    );

    test.each(samples.map((sample) => [sample.title, sample] as const))('forward: %s', (_title, sample) => {
      jvpcheck(sample.run, primalsOf(sample), { step: sample.step });
    });
  });
});
