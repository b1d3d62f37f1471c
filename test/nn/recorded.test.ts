import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { F, manualSeed, nn, randn, type TensorBase } from '../../lib';
import { onEachBackend } from '../helpers/backends';
import { readRecording } from '../reference/read';
import { lossClasses } from './loss-classes';

type Named = readonly { readonly name: string }[];

const layers = readRecording<{ functions: Named; modules: Named }>('layers');
const sequence = readRecording<{ cases: Named }>('sequence');
const losses = readRecording<{ cases: Named }>('losses');
const namesOf = (cases: Named): string[] => cases.map(({ name }) => name);

const recordedFunctions = new Set([...namesOf(layers.functions), ...namesOf(losses.cases)]);
const recordedClasses = new Set([
  ...namesOf(layers.modules),
  ...namesOf(sequence.cases),
  ...[...new Set(namesOf(losses.cases))].map((name) => lossClasses[name]!),
]);

/** Functions that are recorded as a class, which does nothing but call them. */
const throughClass: Readonly<Record<string, string>> = {
  embedding: 'Embedding',
  embeddingBag: 'EmbeddingBag',
  multiHeadAttentionForward: 'MultiheadAttention',
};

const channels = 'drops whole channels';
const alpha = 'alphaDropout keeps mean 0 and variance 1';
const feature = 'featureAlphaDropout treats channels as one';

/** What cannot be recorded, because it is random or has no numbers: the file and the title of the test that holds it. */
const testedElsewhere: Readonly<Record<string, readonly [file: string, title: string]>> = {
  alphaDropout: ['dropout.test.ts', alpha],
  dropout: ['layers.test.ts', 'Dropout drops in training, scales what stays'],
  dropout1d: ['dropout.test.ts', channels],
  dropout2d: ['dropout.test.ts', channels],
  dropout3d: ['dropout.test.ts', channels],
  featureAlphaDropout: ['dropout.test.ts', feature],
  generateSquareSubsequentMask: ['sequence-layers.test.ts', 'generateSquareSubsequentMask'],
  gumbelSoftmax: ['activation.test.ts', 'gumbelSoftmax draws each class as often as softmax says'],
  Module: ['module.test.ts', 'walks plain fields, arrays and children'],
  ModuleDict: ['collections.test.ts', 'ModuleDict holds modules by name'],
  ModuleList: ['collections.test.ts', 'ModuleList holds modules by position'],
  Parameter: ['module.test.ts', 'a Parameter is floating point'],
  ParameterDict: ['collections.test.ts', 'ParameterList and ParameterDict make parameters'],
  ParameterList: ['collections.test.ts', 'ParameterList and ParameterDict make parameters'],
  Sequential: ['collections.test.ts', 'Sequential grows, and gives parts of itself'],
};

type Random = readonly [nn.Layer, (x: TensorBase) => TensorBase, readonly number[]];

/** Random layers, whose functions are recorded or tested elsewhere: what they are as a function. */
const randomLayers: Readonly<Record<string, Random>> = {
  AlphaDropout: [new nn.AlphaDropout({ p: 0.3 }), (x) => F.alphaDropout(x, 0.3), [3, 5]],
  Dropout: [new nn.Dropout({ p: 0.3 }), (x) => F.dropout(x, 0.3), [3, 5]],
  Dropout1d: [new nn.Dropout1d({ p: 0.3 }), (x) => F.dropout1d(x, 0.3), [3, 5, 2]],
  Dropout2d: [new nn.Dropout2d({ p: 0.3 }), (x) => F.dropout2d(x, 0.3), [3, 5, 2, 1]],
  Dropout3d: [new nn.Dropout3d({ p: 0.3 }), (x) => F.dropout3d(x, 0.3), [3, 5, 2, 1, 2]],
  FeatureAlphaDropout: [new nn.FeatureAlphaDropout({ p: 0.3 }), (x) => F.featureAlphaDropout(x, 0.3), [3, 5, 2]],
  FractionalMaxPool2d: [
    new nn.FractionalMaxPool2d([2, 3], { outputSize: [4, 3] }),
    (x) => F.fractionalMaxPool2d(x, [2, 3], { outputSize: [4, 3] }),
    [2, 3, 9, 8],
  ],
  FractionalMaxPool3d: [
    new nn.FractionalMaxPool3d(2, { outputRatio: 0.5 }),
    (x) => F.fractionalMaxPool3d(x, 2, { outputRatio: 0.5 }),
    [2, 3, 6, 8, 7],
  ],
};

const functionsIn = (scope: object): string[] =>
  Object.entries(scope).flatMap(([name, value]) => (typeof value === 'function' ? [name] : []));

describe('every export of nn is proven', () => {
  test('each function by a recording, or by a test that is named', () => {
    const proven = (name: string): boolean =>
      recordedFunctions.has(name) || recordedClasses.has(throughClass[name]!) || Object.hasOwn(testedElsewhere, name);
    expect(functionsIn(nn.functional).filter((name) => !proven(name))).toEqual([]);
  });

  test('each class by a recording, by its function, or by a test that is named', () => {
    const proven = (name: string): boolean =>
      recordedClasses.has(name) || Object.hasOwn(randomLayers, name) || Object.hasOwn(testedElsewhere, name);
    const classes = functionsIn(nn).filter((name) => /^[A-Z]/.test(name));
    expect(classes.filter((name) => !proven(name))).toEqual([]);
  });

  test('nothing is recorded that does not exist', () => {
    const existing = new Set([...functionsIn(nn), ...functionsIn(nn.functional)]);
    expect([...recordedFunctions, ...recordedClasses].filter((name) => !existing.has(name))).toEqual([]);
  });

  test.each(Object.entries(testedElsewhere))('%s has the test that is named', (name, [file, title]) => {
    expect(recordedFunctions.has(name) || recordedClasses.has(name)).toBe(false);
    expect(readFileSync(join(__dirname, file), 'utf8')).toContain(title);
  });
});

onEachBackend('random layers', () => {
  test.each(Object.entries(randomLayers))('%s is its function, seed for seed', (_name, [layer, call, shape]) => {
    manualSeed(3);
    const x = randn([...shape]);
    const numbers = (y: TensorBase): number[] => [...y.capture().dataSync()].map(Number);
    manualSeed(4);
    const actual = numbers(layer.forward(x));
    manualSeed(4);
    expect(actual).toEqual(numbers(call(x)));
    expect(actual.some((value) => value !== 0)).toBe(true);
  });
});
