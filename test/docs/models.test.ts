import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as saddlepoint from '../../lib';
import { models, randn, tensor, type nn, type Tensor } from '../../lib';

const page = readFileSync(join(__dirname, '../../docs/models.md'), 'utf8');

/** Evaluates code of the page, where the package's and the models' names are known. */
function evaluate(code: string, known: object = {}): unknown {
  const scope = { ...saddlepoint, ...models, ...known };
  const run = Reflect.construct(Function, [...Object.keys(scope), code]) as (...values: unknown[]) => unknown;
  return run(...Object.values(scope));
}

describe('the parameters of', () => {
  const rows = [...page.matchAll(/^\| `([^|]*)` \| ([\d,]+) \|/gm)].map(([, code, count]) => [code!, count!] as const);

  test('fifteen networks', () => expect(rows).toHaveLength(15));

  test.each(rows)('%s', (code, count) => {
    const model = evaluate(`return ${code}`) as nn.Module;
    const found = [...model.parameters()].reduce((sum, { size }) => sum + size, 0);
    expect(found.toLocaleString('en-US')).toBe(count);
  });
});

test('every network of the package is on the page', () => {
  const missing = Object.keys(models).filter((name) => !page.includes(name));
  expect(missing.filter((name) => name !== 'BasicBlock' && name !== 'Bottleneck')).toEqual([]);
});

/** Runs the example that has the text, with files that are in memory and another size of GPT, and returns a variable of it. */
function runExample(text: string, weights: ReadonlyMap<string, Tensor>, variable: string, size = ''): unknown {
  const example = [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!).find((code) => code.includes(text));
  if (example === undefined) throw new Error(`docs/models.md has no example with ${text}`);
  const code = `${example.replace('{ vocabSize: 50257 }', size)}; return ${variable}`;
  return evaluate(code, { io: { loadWeights: () => new Map(weights) } });
}

test('the example of another last layer says what is missing', () => {
  const weights = models.resnet18().stateDict();
  expect(runExample('strict: false', weights, 'missingKeys')).toEqual(['fc.weight', 'fc.bias']);
});

test("the example of GPT-2 takes Hugging Face's files", () => {
  const config = { vocabSize: 7, blockSize: 4, nLayer: 1, nHead: 2, nEmbd: 4 };
  const original = new models.GPT(config).eval();
  const weights = new Map<string, Tensor>([
    ['lm_head.weight', original.wte.weight.detach()],
    ['transformer.h.0.attn.bias', randn([1, 1, 4, 4])],
    ['transformer.h.0.attn.masked_bias', randn([])],
  ]);
  for (const [key, value] of original.stateDict())
    weights.set(`transformer.${key}`, /c_\w+\.weight$/.test(key) ? value.transpose(0, 1) : value);
  const loaded = runExample('lm_head', weights, 'model', JSON.stringify(config)) as models.GPT;
  const tokens = tensor(Int32Array.of(1, 5, 2), { shape: [1, 3] });
  expect(loaded.eval().forward(tokens).dataSync()).toEqual(original.forward(tokens).dataSync());
});
