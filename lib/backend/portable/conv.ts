import { ConvGeometry } from './conv-geometry';
import {
  addChannelGrad,
  addChannelProducts,
  addWindows,
  type Block,
  convolveChannel,
  packTransposedWindows,
  packWindows,
} from './conv-windows';
import {
  addPanelProduct,
  clampToPanels,
  clearLastPanel,
  packedLength,
  packPanels,
  PANEL,
  panelsOf,
  storeProduct,
} from './gemm';
import { type BoundView, type Call, floatTypes, type Kernel, type Task } from './kernel';

/** Doubles of the windows of a block of pixels, which should stay in a second-level cache. */
const WINDOWS = 65536;
/** Multiplications of one part: about a millisecond. */
const MULTIPLICATIONS = 2e6;

export const conv2d: Kernel = (call) => {
  const [x, weight, out] = checkOperands(call);
  return new Forward(call, ConvGeometry.read(call, x, weight, out), x, weight, out);
};

export const conv2dInputGrad: Kernel = (call) => {
  const [g, weight, out] = checkOperands(call);
  return new InputGrad(call, ConvGeometry.read(call, out, weight, g), g, weight, out);
};

export const conv2dWeightGrad: Kernel = (call) => {
  const [g, x, out] = checkOperands(call);
  return new WeightGrad(call, ConvGeometry.read(call, x, out, g), g, x, out);
};

function checkOperands(call: Call): [BoundView, BoundView, BoundView] {
  call.checkCounts(2, 1, 8);
  const [a, b, out] = [call.inputs[0]!, call.inputs[1]!, call.outputs[0]!];
  call.checkDType(a, floatTypes, 'the first input');
  call.checkDType(b, [a.dtype], 'the second input');
  call.checkDType(out, [a.dtype], 'the output');
  return [a, b, out];
}

/**
 * What the three have in common: groups, then blocks of pixels, then blocks of the rows of a matrix product, each of these a
 * part. The bits of an image's result do not depend on what other images are in its block.
 */
abstract class Convolution implements Task {
  readonly parts: number;
  private readonly blockImages: number;
  private readonly blockPixels: number;
  private readonly blocksPerImage: number;
  private readonly blocks: number;
  private readonly rowsPerPart: number;
  private readonly rowParts: number;
  protected readonly columnsPerBlock: number;

  constructor(
    protected readonly call: Call,
    protected readonly geometry: ConvGeometry,
    private readonly rows: number,
    columns: number,
    multiplicationsPerRowAndColumn: number,
  ) {
    const { pixels, images, groups } = geometry;
    this.blockPixels = Math.max(1, Math.min(pixels, columns));
    this.blockImages = Math.max(1, Math.min(images, Math.floor(columns / Math.max(1, pixels))));
    this.columnsPerBlock = this.blockPixels * this.blockImages;
    this.blocksPerImage = Math.ceil(pixels / this.blockPixels);
    this.blocks = Math.ceil(images / this.blockImages) * this.blocksPerImage;
    const perRow = Math.max(1, this.columnsPerBlock * multiplicationsPerRowAndColumn);
    this.rowsPerPart = clampToPanels(MULTIPLICATIONS / perRow, rows);
    this.rowParts = Math.ceil(rows / this.rowsPerPart);
    this.parts = groups * this.blocks * this.rowParts;
  }

  run(part: number): void {
    const rowPart = part % this.rowParts;
    const step = Math.floor(part / this.rowParts);
    const group = Math.floor(step / this.blocks);
    const number = step % this.blocks;
    const block = this.block(number);
    if (rowPart === 0) {
      if (number === 0) this.startGroup(group);
      this.startBlock(group, block);
    }
    const firstRow = rowPart * this.rowsPerPart;
    const rows = Math.min(this.rowsPerPart, this.rows - firstRow);
    this.multiply(group, block, firstRow, rows);
    if (rowPart < this.rowParts - 1) return;
    this.endBlock(group, block);
    if (number === this.blocks - 1) this.endGroup(group);
  }

  private block(number: number): Block {
    const { geometry, blocksPerImage, blockImages, blockPixels } = this;
    const position = number % blocksPerImage;
    const firstImage = Math.floor(number / blocksPerImage) * blockImages;
    const firstPixel = position * blockPixels;
    const images = Math.min(blockImages, geometry.images - firstImage);
    const pixels = Math.min(blockPixels, geometry.pixels - firstPixel);
    const endsImage = position === blocksPerImage - 1;
    return { firstImage, images, firstPixel, pixels, columns: images * pixels, endsImage };
  }

  /** Few output channels, as in depthwise convolutions, would leave most of a panel empty. */
  protected get isPacked(): boolean {
    return this.geometry.outChannels >= PANEL;
  }

  protected startGroup(_group: number): void {}
  protected abstract startBlock(group: number, block: Block): void;
  protected abstract multiply(group: number, block: Block, firstRow: number, rows: number): void;
  protected endBlock(_group: number, _block: Block): void {}
  protected endGroup(_group: number): void {}

  /** The padded images of the current block. */
  protected get padded(): Float64Array {
    return this.call.workspace.scratch(0, this.blockImages * this.geometry.paddedSize);
  }

  protected padImages(x: BoundView, group: number, { firstImage, firstPixel, images }: Block): void {
    if (firstPixel > 0) return;
    const { geometry, padded } = this;
    for (let i = 0; i < images; i++)
      geometry.padImage(padded, i * geometry.paddedSize, x.floats, x.offset, firstImage + i, group);
  }

  /** Where the results of an image's group begin in y [N,O,OH,OW]. */
  protected resultOffset(y: BoundView, image: number, group: number): number {
    const { groups, outChannels, pixels } = this.geometry;
    return y.offset + (image * groups + group) * outChannels * pixels;
  }
}

/** y[o, pixel] = sum over the window of weight[o, element] * x[pixel's window, element]. */
class Forward extends Convolution {
  constructor(
    call: Call,
    geometry: ConvGeometry,
    private readonly x: BoundView,
    private readonly weight: BoundView,
    private readonly y: BoundView,
  ) {
    super(call, geometry, geometry.outChannels, blockColumns(geometry), geometry.windowSize);
  }

  private get packedWeight(): Float64Array {
    const { outChannels, windowSize } = this.geometry;
    return this.call.workspace.scratch(1, packedLength(outChannels, windowSize));
  }

  private get windows(): Float64Array {
    return this.call.workspace.scratch(2, packedLength(this.columnsPerBlock, this.geometry.windowSize));
  }

  protected override startGroup(group: number): void {
    const { outChannels: rows, windowSize: k } = this.geometry;
    const { weight, packedWeight } = this;
    const offset = weight.offset + group * rows * k;
    if (this.isPacked) {
      clearLastPanel(packedWeight, rows, k);
      packPanels(packedWeight, k, 0, 0, weight.floats, offset, rows, k, k, 1);
    } else for (let i = 0; i < rows * k; i++) packedWeight[i] = weight.floats[offset + i]!;
  }

  protected startBlock(group: number, block: Block): void {
    this.padImages(this.x, group, block);
    if (this.isPacked) packWindows(this.windows, this.padded, this.geometry, block);
  }

  protected multiply(group: number, block: Block, firstRow: number, rows: number): void {
    const { geometry, call, y } = this;
    const columnPanels = panelsOf(block.columns);
    const stride = columnPanels * PANEL;
    const used = panelsOf(rows) * PANEL * stride;
    const c = call.workspace.scratch(3, used);
    if (this.isPacked) {
      const firstPanel = firstRow / PANEL;
      const endPanel = firstPanel + panelsOf(rows);
      c.fill(0, 0, used);
      addPanelProduct(this.packedWeight, firstPanel, endPanel, this.windows, columnPanels, geometry.windowSize, c, 0);
    } else
      for (let row = 0; row < rows; row++)
        convolveChannel(this.packedWeight, row * geometry.windowSize, this.padded, geometry, block, c, row * stride);
    for (let i = 0; i < block.images; i++) {
      const to = this.resultOffset(y, block.firstImage + i, group) + firstRow * geometry.pixels + block.firstPixel;
      storeProduct(c, i * block.pixels, rows, block.pixels, stride, y.floats, to, geometry.pixels, 1);
    }
  }
}

/** The gradient of every window is the transposed weight times g; windows are added up where they overlap. */
class InputGrad extends Convolution {
  constructor(
    call: Call,
    geometry: ConvGeometry,
    private readonly g: BoundView,
    private readonly weight: BoundView,
    private readonly out: BoundView,
  ) {
    super(call, geometry, geometry.windowSize, blockColumns(geometry), geometry.outChannels);
  }

  begin(): void {
    const { out } = this;
    // Where there are no windows there are no parts either.
    if (this.parts === 0) out.floats.fill(0, out.offset, out.offset + out.size);
  }

  private get packedWeight(): Float64Array {
    const { outChannels, windowSize } = this.geometry;
    return this.call.workspace.scratch(1, packedLength(windowSize, outChannels));
  }

  private get packedGrad(): Float64Array {
    return this.call.workspace.scratch(2, packedLength(this.columnsPerBlock, this.geometry.outChannels));
  }

  protected override startGroup(group: number): void {
    if (!this.isPacked) return;
    const { outChannels: k, windowSize: rows } = this.geometry;
    clearLastPanel(this.packedWeight, rows, k);
    const offset = this.weight.offset + group * rows * k;
    packPanels(this.packedWeight, k, 0, 0, this.weight.floats, offset, rows, 1, k, rows);
  }

  protected startBlock(group: number, block: Block): void {
    const { geometry, g, packedGrad } = this;
    const { firstImage, firstPixel, images, pixels, columns } = block;
    if (firstPixel === 0) this.padded.fill(0, 0, images * geometry.paddedSize);
    if (!this.isPacked) return;
    const k = geometry.outChannels;
    clearLastPanel(packedGrad, columns, k);
    for (let i = 0; i < images; i++) {
      const from = this.resultOffset(g, firstImage + i, group) + firstPixel;
      packPanels(packedGrad, k, i * pixels, 0, g.floats, from, pixels, 1, k, geometry.pixels);
    }
  }

  protected multiply(group: number, block: Block, firstRow: number, rows: number): void {
    const { geometry, call } = this;
    if (!this.isPacked) return this.addChannels(group, block, firstRow, rows);
    const columnPanels = panelsOf(block.columns);
    const used = panelsOf(rows) * PANEL * columnPanels * PANEL;
    const c = call.workspace.scratch(3, used);
    const firstPanel = firstRow / PANEL;
    c.fill(0, 0, used);
    const endPanel = firstPanel + panelsOf(rows);
    addPanelProduct(this.packedWeight, firstPanel, endPanel, this.packedGrad, columnPanels, geometry.outChannels, c, 0);
    addWindows(this.padded, geometry, block, c, columnPanels * PANEL, firstRow, rows);
  }

  private addChannels(group: number, block: Block, firstRow: number, rows: number): void {
    const { geometry, padded, g, weight } = this;
    const { outChannels, windowSize, pixels } = geometry;
    for (let i = 0; i < block.images; i++)
      for (let o = 0; o < outChannels; o++) {
        const from = this.resultOffset(g, block.firstImage + i, group) + o * pixels + block.firstPixel;
        const firstWeight = weight.offset + (group * outChannels + o) * windowSize;
        addChannelGrad(padded, geometry, i, block, g.floats, from, weight.floats, firstWeight, firstRow, rows);
      }
  }

  protected override endBlock(group: number, { endsImage, images, firstImage }: Block): void {
    const { geometry, padded, out } = this;
    if (!endsImage) return;
    for (let i = 0; i < images; i++)
      geometry.unpadImage(padded, i * geometry.paddedSize, out.floats, out.offset, firstImage + i, group);
  }
}

/** weightGrad[o, element] = sum over all pixels of g[o, pixel] * x[pixel's window, element], in double up to the end. */
class WeightGrad extends Convolution {
  constructor(
    call: Call,
    geometry: ConvGeometry,
    private readonly g: BoundView,
    private readonly x: BoundView,
    private readonly out: BoundView,
  ) {
    super(call, geometry, geometry.outChannels, Math.max(64, blockColumns(geometry)), geometry.windowSize);
  }

  begin(): void {
    const { out } = this;
    if (this.parts === 0) out.floats.fill(0, out.offset, out.offset + out.size);
  }

  private get packedGrad(): Float64Array {
    return this.call.workspace.scratch(1, packedLength(this.geometry.outChannels, this.columnsPerBlock));
  }

  private get windows(): Float64Array {
    return this.call.workspace.scratch(2, packedLength(this.geometry.windowSize, this.columnsPerBlock));
  }

  private get sumsLength(): number {
    const { outChannels, windowSize } = this.geometry;
    return panelsOf(outChannels) * PANEL * panelsOf(windowSize) * PANEL;
  }

  private get sums(): Float64Array {
    return this.call.workspace.scratch(3, this.sumsLength);
  }

  protected override startGroup(): void {
    this.sums.fill(0, 0, this.sumsLength);
  }

  protected startBlock(group: number, block: Block): void {
    const { geometry, g, packedGrad } = this;
    const { columns: k, images, pixels, firstImage, firstPixel } = block;
    this.padImages(this.x, group, block);
    if (!this.isPacked) return;
    clearLastPanel(packedGrad, geometry.outChannels, k);
    for (let i = 0; i < images; i++) {
      const from = this.resultOffset(g, firstImage + i, group) + firstPixel;
      packPanels(packedGrad, k, 0, i * pixels, g.floats, from, geometry.outChannels, geometry.pixels, pixels, 1);
    }
    packTransposedWindows(this.windows, this.padded, geometry, block);
  }

  protected multiply(group: number, block: Block, firstRow: number, rows: number): void {
    const columnPanels = panelsOf(this.geometry.windowSize);
    if (!this.isPacked) return this.addChannels(group, block, columnPanels * PANEL);
    const firstPanel = firstRow / PANEL;
    const endPanel = firstPanel + panelsOf(rows);
    const offset = firstRow * columnPanels * PANEL;
    addPanelProduct(
      this.packedGrad,
      firstPanel,
      endPanel,
      this.windows,
      columnPanels,
      block.columns,
      this.sums,
      offset,
    );
  }

  private addChannels(group: number, block: Block, stride: number): void {
    const { geometry, padded, g, sums } = this;
    for (let i = 0; i < block.images; i++)
      for (let o = 0; o < geometry.outChannels; o++) {
        const from = this.resultOffset(g, block.firstImage + i, group) + o * geometry.pixels + block.firstPixel;
        addChannelProducts(sums, o * stride, padded, geometry, i, block, g.floats, from);
      }
  }

  protected override endGroup(group: number): void {
    const { outChannels, windowSize } = this.geometry;
    const { out, sums } = this;
    const to = out.offset + group * outChannels * windowSize;
    storeProduct(sums, 0, outChannels, windowSize, panelsOf(windowSize) * PANEL, out.floats, to, windowSize, 1);
  }
}

function blockColumns({ windowSize }: ConvGeometry): number {
  const columns = Math.floor(WINDOWS / Math.max(1, windowSize) / PANEL) * PANEL;
  return Math.min(2048, Math.max(16, columns));
}
