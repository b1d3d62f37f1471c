/** A convolution of a network: channels and size of square images in, channels out, and its window. */
export interface ConvLayer {
  readonly channels: number;
  readonly size: number;
  readonly outChannels: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
}

interface Network {
  readonly name: string;
  readonly batches: readonly number[];
  readonly layers: readonly ConvLayer[];
}

function conv(channels: number, size: number, outChannels: number, kernel = 3, stride = 1, groups = 1): ConvLayer {
  return { channels, size, outChannels, kernel, stride, padding: (kernel - 1) >> 1, groups };
}

const depthwise = (channels: number, size: number, stride = 1): ConvLayer =>
  conv(channels, size, channels, 3, stride, channels);

/** He et al. 2015, table 1: basic blocks from `size` on. */
function basicBlocks(size: number): ConvLayer[] {
  const layers = [conv(64, size, 64)];
  for (let channels = 64; channels < 512; channels *= 2, size /= 2)
    layers.push(
      conv(channels, size, 2 * channels, 3, 2),
      conv(channels, size, 2 * channels, 1, 2),
      conv(2 * channels, size / 2, 2 * channels),
    );
  return layers;
}

/** The bottlenecks of ResNet-50, with the stride in the 3x3. */
function bottlenecks(): ConvLayer[] {
  const layers = [conv(64, 56, 64, 1)];
  let [inputs, size] = [64, 56];
  for (const width of [64, 128, 256, 512]) {
    const stride = width === 64 ? 1 : 2;
    if (width > 64) layers.push(conv(inputs, size, width, 1), conv(width, size, width, 3, 2));
    layers.push(conv(inputs, size, 4 * width, 1, stride));
    size /= stride;
    inputs = 4 * width;
    layers.push(conv(width, size, width), conv(width, size, inputs, 1), conv(inputs, size, width, 1));
  }
  return layers;
}

/** Every distinct convolution of the networks. */
export const networks: readonly Network[] = [
  { name: 'ResNet-18', batches: [1, 8], layers: distinct([conv(3, 224, 64, 7, 2), ...basicBlocks(56)]) },
  { name: 'ResNet-50', batches: [1, 8], layers: distinct(bottlenecks()) },
  { name: 'ResNet-18 32', batches: [32], layers: distinct([conv(3, 32, 64), ...basicBlocks(32)]) },
  {
    name: 'VGG-16',
    batches: [1],
    layers: [
      [3, 224, 64],
      [64, 224, 64],
      [64, 112, 128],
      [128, 112, 128],
      [128, 56, 256],
      [256, 56, 256],
      [256, 28, 512],
      [512, 28, 512],
      [512, 14, 512],
    ].map(([channels, size, outChannels]) => conv(channels!, size!, outChannels!)),
  },
  {
    name: 'MobileNetV2',
    batches: [8],
    layers: [
      conv(3, 224, 32, 3, 2),
      ...[32, 144, 192, 384, 576, 960].map((channels, i) => depthwise(channels, [112, 56, 28, 14, 14, 7][i]!)),
      ...[96, 144, 192, 576].map((channels, i) => depthwise(channels, [112, 56, 28, 14][i]!, 2)),
      ...[
        [32, 112, 16],
        [16, 112, 96],
        [96, 56, 24],
        [24, 56, 144],
        [144, 56, 24],
        [144, 28, 32],
        [32, 28, 192],
        [192, 28, 32],
        [192, 14, 64],
        [64, 14, 384],
        [384, 14, 64],
        [384, 14, 96],
        [96, 14, 576],
        [576, 14, 96],
        [576, 7, 160],
        [160, 7, 960],
        [960, 7, 160],
        [960, 7, 320],
        [320, 7, 1280],
      ].map(([channels, size, outChannels]) => conv(channels!, size!, outChannels!, 1)),
    ],
  },
  { name: 'LeNet', batches: [64], layers: [conv(1, 28, 6, 5), { ...conv(6, 14, 16, 5), padding: 0 }] },
];

function distinct(layers: readonly ConvLayer[]): ConvLayer[] {
  return [...new Map(layers.map((layer) => [JSON.stringify(layer), layer])).values()];
}
