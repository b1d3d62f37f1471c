import { backward, manualSeed } from '../../lib';
import { diagnose } from '../../lib/diagnose';
import { digits } from '../../cases/diagnose-data';
import { Dropout, Linear, ReLU, Sequential } from '../../lib/nn';

jest.setTimeout(60_000);

const mlp = (hidden: number, outputs: number): Sequential =>
  new Sequential(new Linear(64, hidden), new ReLU(), new Dropout(), new Linear(hidden, outputs));

test('the model is afterwards as before, and data that do not fit are refused', async () => {
  manualSeed(0);
  const model = mlp(16, 10);
  const data = digits(200).train;
  model.train();
  backward(model.forward(data.x).square().sum());
  const numbers = async () => {
    const dict = [...model.stateDict().values()];
    const gradients = [...model.parameters()].map(({ grad }) => grad!);
    return Promise.all([...dict, ...gradients].map((value) => value.data()));
  };
  const before = await numbers();
  await diagnose(model, { train: data, validation: data, task: 'multiclass', budget: 5000 });
  expect(await numbers()).toEqual(before);
  expect(model.training).toBe(true);
  const given = { train: data, validation: data, task: 'multiclass' as const };
  await expect(diagnose({} as never, given)).rejects.toThrow(/model is a Module/);
  await expect(diagnose(mlp(16, 5), given)).rejects.toThrow(/gives 1000 numbers for 200 samples/);
  await expect(diagnose(model, { ...given, task: 'regression' })).rejects.toThrow(/regression/);
  await expect(diagnose(model, { ...given, buget: 1 } as never)).rejects.toThrow(/unknown option buget/);
  await expect(diagnose(model, { ...given, signal: AbortSignal.abort() })).rejects.toMatchObject({
    name: 'AbortError',
  });
});
