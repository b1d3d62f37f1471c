import { networks, type ConvLayer } from './layers';
import { functions, type FunctionName, type Kind, type Options } from './kinds';

/** One kernel on one problem, as data: our side and each peer make of it what they time. */
export interface KernelCase {
  readonly name: string;
  readonly group: string;
  readonly kind: Kind;
  /** Shapes; all are of float32, but labels, whose classes are among the options. */
  readonly inputs: readonly (readonly number[])[];
  readonly options: Options;
  /** Forward, and the gradients of all inputs. */
  readonly training: boolean;
  /** Sets of inputs that are used in turns: several are more than caches hold. */
  readonly copies: number;
  /** Operations, a multiplication and an addition being two. */
  readonly flops: number;
  /** That must be read and written at least. */
  readonly bytes: number;
}

type Parts = Pick<KernelCase, 'name' | 'group' | 'kind' | 'inputs' | 'flops'> & {
  readonly output: readonly number[];
  readonly options?: Options;
  readonly training?: boolean;
  readonly copies?: number;
};

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, dim) => product * dim, 1);

function kernelCase({ output, ...parts }: Parts): KernelCase {
  const { training = false } = parts;
  const inputs = parts.inputs.reduce((sum, shape) => sum + sizeOf(shape), 0);
  // A step back reads the inputs and the output's gradient, and writes a gradient for each input.
  const elements = inputs + sizeOf(output) + (training ? 2 * inputs + sizeOf(output) : 0);
  return { options: {}, copies: 1, ...parts, training, bytes: 4 * elements };
}

function product(group: string, a: readonly number[], b: readonly number[], options: Options = {}): KernelCase {
  const swap = (shape: readonly number[], swapped = false): number[] =>
    swapped ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : [...shape];
  const [m, k] = a.slice(-2) as [number, number];
  const n = b.at(-1)!;
  const batch = sizeOf(a.slice(0, -2));
  const flags = `${options.transposeA === true ? ', Aᵀ' : ''}${options.transposeB === true ? ', Bᵀ' : ''}`;
  return kernelCase({
    name: `gemm ${batch > 1 ? `${batch} of ` : ''}${m}x${n}x${k}${flags}`,
    group,
    kind: 'matmul',
    inputs: [swap(a, options.transposeA), swap(b, options.transposeB)],
    output: [...a.slice(0, -1), n],
    options,
    flops: 2 * batch * m * n * k,
  });
}

function products(): KernelCase[] {
  const cases: KernelCase[] = [];
  for (let n = 16; n <= 2048; n *= 2)
    for (const transposeA of [false, true])
      for (const transposeB of [false, true])
        cases.push(product('gemm, square', [n, n], [n, n], { transposeA, transposeB }));
  for (const few of [1, 4, 16])
    for (const transposeB of [false, true])
      cases.push(
        product('gemm, skinny', [few, 1024], [1024, 1024], { transposeB }),
        product('gemm, skinny', [1024, 1024], [1024, few], { transposeB }),
      );
  for (const [batch, n, k] of [
    [64, 64, 64],
    [32, 128, 64],
    [256, 16, 16],
  ] as const)
    cases.push(product('gemm, batched', [batch, n, k], [batch, k, n]));
  for (const [batch, inputs, outputs] of [
    [32, 16, 32],
    [128, 784, 512],
    [128, 512, 256],
    [64, 400, 120],
    [8, 2048, 1000],
  ] as const)
    cases.push(
      product('gemm, models', [batch, inputs], [inputs, outputs], { transposeB: true }),
      product('gemm, models', [outputs, batch], [batch, inputs], { transposeA: true }),
    );
  return cases;
}

function convolution(network: string, images: number, layer: ConvLayer): KernelCase[] {
  const { channels, size, outChannels, kernel, stride, padding, groups } = layer;
  const out = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  const x = [images, channels, size, size];
  const weight = [outChannels, channels / groups, kernel, kernel];
  const g = [images, outChannels, out, out];
  const window = { stride, padding, groups };
  const kindOfLayer = `${groups > 1 ? 'depthwise' : `${kernel}x${kernel}`}${stride > 1 ? ` s${stride}` : ''}`;
  const title = `${network}: ${images}x${channels}x${size}² to ${outChannels}, ${kindOfLayer}`;
  const flops = 2 * sizeOf(g) * (channels / groups) * kernel * kernel;
  const common = { group: `conv, ${network}`, flops };
  return [
    kernelCase({ ...common, name: `conv ${title}`, kind: 'conv2d', inputs: [x, weight], output: g, options: window }),
    kernelCase({
      ...common,
      name: `conv input gradient ${title}`,
      kind: 'conv2dInputGrad',
      inputs: [g, weight],
      output: x,
      options: { ...window, size },
    }),
    kernelCase({
      ...common,
      name: `conv weight gradient ${title}`,
      kind: 'conv2dWeightGrad',
      inputs: [g, x],
      output: weight,
      options: { ...window, size: kernel },
    }),
  ];
}

/** Forward, and forward with its gradients. */
function bothWays(parts: Parts): KernelCase[] {
  return [
    kernelCase({ ...parts, name: `${parts.name}, forward` }),
    kernelCase({ ...parts, name: `${parts.name}, training`, training: true, flops: 3 * parts.flops }),
  ];
}

function normalizations(): KernelCase[] {
  const images = [
    [32, 64, 32, 32],
    [32, 128, 16, 16],
    [32, 256, 8, 8],
    [32, 512, 4, 4],
    [8, 64, 112, 112],
    [8, 256, 56, 56],
    [64, 32, 28, 28],
    [128, 256],
  ];
  const tokens = [
    [4096, 256],
    [4096, 1024],
  ];
  const norm = (kind: 'batchNorm' | 'layerNorm', shape: readonly number[], channels: number): KernelCase[] =>
    bothWays({
      name: `${kind} ${shape.join('x')}`,
      group: kind,
      kind,
      inputs: [shape, [channels], [channels]],
      output: shape,
      flops: 8 * sizeOf(shape),
    });
  return [
    ...images.flatMap((shape) => norm('batchNorm', shape, shape[1]!)),
    ...tokens.flatMap((shape) => norm('layerNorm', shape, shape.at(-1)!)),
  ];
}

function pools(): KernelCase[] {
  return (['maxPool2d', 'avgPool2d'] as const).flatMap((kind) =>
    (
      [
        [64, 32, 28, 2, 2, 0],
        [8, 64, 112, 3, 2, 1],
        [8, 512, 14, 2, 2, 0],
      ] as const
    ).flatMap(([images, channels, image, size, stride, padding]) => {
      const out = Math.floor((image + 2 * padding - size) / stride) + 1;
      const output = [images, channels, out, out];
      return bothWays({
        name: `${kind} ${images}x${channels}x${image}², ${size}x${size} s${stride}`,
        group: 'pools',
        kind,
        inputs: [[images, channels, image, image]],
        output,
        options: { size, stride, padding },
        flops: sizeOf(output) * size * size,
      });
    }),
  );
}

function losses(): KernelCase[] {
  return (
    [
      [128, 10],
      [128, 1000],
      [16, 50_000],
    ] as const
  ).flatMap(([rows, classes]) =>
    bothWays({
      name: `crossEntropy ${rows}x${classes}`,
      group: 'crossEntropy',
      kind: 'crossEntropy',
      inputs: [[rows, classes], [rows]],
      output: [],
      options: { classes },
      flops: 6 * rows * classes,
    }),
  );
}

/** More than the caches of most machines hold, together. */
const COLD_BYTES = 512 * 2 ** 20;

function memoryBound(): KernelCase[] {
  const cases: KernelCase[] = [];
  const warmAndCold = (parts: Parts): void => {
    const { bytes } = kernelCase(parts);
    cases.push(
      kernelCase({ ...parts, name: `${parts.name}, warm` }),
      kernelCase({ ...parts, name: `${parts.name}, cold`, copies: Math.ceil(COLD_BYTES / bytes) }),
    );
  };
  const cube = [128, 256, 256];
  for (const kind of ['sum', 'max'] as const)
    cube.forEach((_, dim) =>
      warmAndCold({
        name: `${kind} of ${cube.join('x')} along ${dim}`,
        group: 'reductions',
        kind,
        inputs: [cube],
        output: cube.toSpliced(dim, 1),
        options: { dim },
        flops: sizeOf(cube),
      }),
    );
  const vector = [1 << 20];
  for (const name of Object.keys(functions) as FunctionName[])
    warmAndCold({
      name: `${name} of 1M`,
      group: 'functions',
      kind: 'function',
      inputs: [vector],
      output: vector,
      options: { function: name },
      flops: sizeOf(vector),
    });
  return cases;
}

/** All cases, in the order of the report. */
export const kernelCases: readonly KernelCase[] = [
  ...products(),
  ...networks.flatMap(({ name, batches, layers }) =>
    batches.flatMap((images) => layers.flatMap((layer) => convolution(name, images, layer))),
  ),
  ...normalizations(),
  ...pools(),
  ...losses(),
  ...memoryBound(),
];
