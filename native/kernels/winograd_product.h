// A 3x3 convolution with stride 1, or its input gradient, by Winograd's algorithm: filters and pixels are transformed,
// then multiplied position by position, and the products transformed back.
#pragma once
#include "winograd.h"

namespace saddlepoint {
namespace {

template <typename T>
struct WinogradProduct {
  int images;
  TilePlanes<T> source;  // its channels are contracted
  int rows;              // of the result
  int outHeight, outWidth;
  const T* weights;  // element (row, channel, tap) at row * rowPitch + channel * channelPitch + tap
  ptrdiff_t rowPitch, channelPitch;
  bool flipped;  // taps from the last to the first
  T* out;        // [images, rows, outHeight, outWidth]

  ptrdiff_t tiles() const { return static_cast<ptrdiff_t>(images) * source.grid.perImage(); }
};

// Tiles that are worked on together: whole column panels on every instruction set.
enum { kTileBlock = 96 };

// Tiles of a block: what it holds in between stays in the L2 cache.
inline ptrdiff_t winogradPitch(ptrdiff_t tiles, ptrdiff_t channels, ptrdiff_t rows) {
  const ptrdiff_t fitting =
      (ptrdiff_t(1) << 20) / (kTilePoints * static_cast<ptrdiff_t>(sizeof(float)) * (channels + rows));
  const ptrdiff_t wanted = smaller<ptrdiff_t>(kTileBlock, larger<ptrdiff_t>(32, fitting / 32 * 32));
  return smaller(wanted, ceilDivide(tiles, 16) * 16);
}

// Filters of rows [row, row + height) and channels [channel, channel + depth), into a panel whose steps are channels:
// out[point * pitch + k * height + i]. `taps` is room.
template <typename T>
void transformFilters(const WinogradProduct<T>& p, int row, int height, int channel, int depth, T* taps, T* out,
                      ptrdiff_t pitch) {
  using V = Vec<T>;
  enum { kTaps = 9 };
  const T* from = p.weights + row * p.rowPitch + channel * p.channelPitch;
  if (p.channelPitch == kTaps) {
    packPanel(taps, height, height, depth * kTaps, from, p.rowPitch, 1);
  } else {
    for (int k = 0; k < depth; ++k)
      packPanel(taps + static_cast<ptrdiff_t>(k) * kTaps * height, height, height, kTaps, from + k * p.channelPitch,
                p.rowPitch, 1);
  }
  for (int k = 0; k < depth; ++k, taps += kTaps * height) {
    for (int i = 0; i < height; i += V::lanes) {
      // The lines that are written next, for each is in another page.
#pragma GCC unroll 36
      for (int point = 0; point < kTilePoints; ++point) prefetchWrite(out + point * pitch + (k + 2) * height + i);
      V filter[kTaps], half[6 * 3], transformed[kTilePoints];
#pragma GCC unroll 9
      for (int tap = 0; tap < kTaps; ++tap)
        filter[tap] = V::load(taps + (p.flipped ? kTaps - 1 - tap : tap) * height + i);
#pragma GCC unroll 3
      for (int x = 0; x < 3; ++x) WinogradAxis<V>::filter(filter + x, 3, half + x, 3);
#pragma GCC unroll 6
      for (int y = 0; y < 6; ++y) WinogradAxis<V>::filter(half + 3 * y, 1, transformed + 6 * y, 1);
#pragma GCC unroll 36
      for (int point = 0; point < kTilePoints; ++point)
        storeLanes(transformed[point], out + point * pitch, height, depth, k, i);
    }
  }
}

enum { kFilterChannels = 32 };

template <typename T>
size_t filterRoom(const Tiling& tiling) {
  return static_cast<size_t>(kFilterChannels) * 9 * tiling.rows + Vec<T>::lanes;
}

// All filters, [position][block of the contraction][panel of rows][channel][row].
template <typename T>
Failure transformAllFilters(const Call& call, const WinogradProduct<T>& p, const Tiling& tiling, T* out) {
  const int channels = p.source.channels;
  const ptrdiff_t chunks = ceilDivide(channels, kFilterChannels);
  return runParts(call, tiling.panels * chunks, [&](ptrdiff_t part, int worker) {
    const int row = static_cast<int>(part / chunks) * tiling.rows, height = smaller(tiling.rows, p.rows - row);
    const int channel = static_cast<int>(part % chunks) * kFilterChannels;
    const int k0 = channel / kDepthBlock * kDepthBlock, steps = smaller<int>(kDepthBlock, channels - k0);
    T* room = scratchOf<T>(call, worker, 1, filterRoom<T>(tiling));
    if (!room) return false;
    transformFilters(p, row, height, channel, smaller<int>(kFilterChannels, channels - channel), room,
                     out + static_cast<ptrdiff_t>(k0) * p.rows + static_cast<ptrdiff_t>(row) * steps +
                         static_cast<ptrdiff_t>(channel - k0) * height,
                     pointPitch(static_cast<ptrdiff_t>(p.rows) * channels));
    return true;
  });
}

// `rows` rows of the products at one position of channels [first, first + depth), added to what there is of channels
// before; their filters are in panels at `u`.
template <typename T>
void multiplyPoint(const Tiling& tiling, int rows, int first, int depth, const T* u, const TransformedTiles<T>& pixels,
                   const TransformedTiles<T>& products, int point) {
  const T* v = pixels.data + point * pixels.pointPitch + first * pixels.pitch;
  multiplyBlock<T>(
      tiling, rows, pixels.count, depth,
      [&](int k0, int) { return PackedRows<T>{u + static_cast<ptrdiff_t>(k0) * rows}; },
      [&](int k0, int, ptrdiff_t column, int, int) {
        return ColumnPanel<T>{v + k0 * pixels.pitch + column, pixels.pitch};
      },
      products.data + point * products.pointPitch, products.pitch, first > 0);
}

template <typename T>
void transformResults(const WinogradProduct<T>& p, const TransformedTiles<T>& products, int productRow, int row,
                      T* room) {
  using V = Vec<T>;
  const T* from = products.data + productRow * products.pitch;
  const ptrdiff_t rowPitch = kTileStep * (products.pitch + V::lanes);
  for (int t = 0; t < products.count; t += V::lanes) {
    V tile[kTilePoints], half[4 * 6], results[4 * 4];
#pragma GCC unroll 36
    for (int point = 0; point < kTilePoints; ++point) tile[point] = V::load(from + point * products.pointPitch + t);
#pragma GCC unroll 6
    for (int x = 0; x < 6; ++x) WinogradAxis<V>::results(tile + x, 6, half + x, 6);
#pragma GCC unroll 4
    for (int y = 0; y < 4; ++y) WinogradAxis<V>::results(half + 6 * y, 1, results + 4 * y, 1);
#pragma GCC unroll 4
    for (int y = 0; y < 4; ++y) interleaveFour(results + 4 * y, room + y * rowPitch + kTileStep * t);
  }
  const ptrdiff_t plane = static_cast<ptrdiff_t>(p.outHeight) * p.outWidth;
  forEachRun(p.source.grid, products.first, products.count, [&](const TileRun& run) {
    T* out = p.out + (run.image * p.rows + row) * plane;
    const int height = smaller<int>(kTileStep, p.outHeight - kTileStep * run.y), x = kTileStep * run.x;
    const int width = smaller(kTileStep * run.count, p.outWidth - x);
    for (int y = 0; y < height; ++y)
      copyElements(out + static_cast<ptrdiff_t>(kTileStep * run.y + y) * p.outWidth + x,
                   room + y * rowPitch + kTileStep * run.at, width);
  });
}

// Many filters for few tiles: some rows of filters, and some channels of these at a time, are transformed, multiplied
// and forgotten, and never leave the cache.
template <typename T>
Failure multiplyByFilters(const Call& call, const WinogradProduct<T>& p, const Tiling& tiling) {
  constexpr int lanes = Vec<T>::lanes;
  const int channels = p.source.channels;
  const ptrdiff_t tiles = p.tiles(), pitch = ceilDivide(tiles, 16) * 16, pixelPitch = pointPitch(channels * pitch);
  const int fitting = static_cast<int>((ptrdiff_t(1) << 20) / (kTilePoints * ptrdiff_t(sizeof(float)) * pitch));
  const int rowsOfPart = larger(1, smaller<int>(kFilterRows, fitting) / tiling.rows) * tiling.rows;
  const ptrdiff_t filterPitch = pointPitch(static_cast<ptrdiff_t>(rowsOfPart) * kFilterDepth);
  const ptrdiff_t productPitch = pointPitch(rowsOfPart * pitch);
  T* values = scratchOf<T>(call, 0, 0, kTilePoints * pixelPitch + kLongVectors * lanes);
  if (!values) return kFailMemory;
  const TransformedTiles<T> pixels = {0, static_cast<int>(tiles), pitch, pixelPitch, values};
  const size_t room = transformRoom<T>(p.source.grid, pitch);
  const Failure failure = forPlanes<T>(call, channels, room, [&](int channel, T* space) {
    transformTiles<kTileSize>(p.source, channel, pixels, space);
  });
  if (failure != kOk) return failure;
  return runParts(call, ceilDivide(p.rows, rowsOfPart), [&](ptrdiff_t part, int worker) {
    const int row = static_cast<int>(part) * rowsOfPart, height = smaller(rowsOfPart, p.rows - row);
    T* space =
        scratchOf<T>(call, worker, 1, larger<size_t>(filterRoom<T>(tiling), kTileStep * kTileStep * (pitch + lanes)));
    T* filters = scratchOf<T>(call, worker, 2, kTilePoints * filterPitch);
    T* room = scratchOf<T>(call, worker, 3, kTilePoints * productPitch + kLongVectors * lanes);
    if (!space || !filters || !room) return false;
    const TransformedTiles<T> products = {0, pixels.count, pitch, productPitch, room};
    for (int first = 0; first < channels; first += kFilterDepth) {
      const int depth = smaller<int>(kFilterDepth, channels - first);
      for (int i = 0; i < height; i += tiling.rows) {
        const int panel = smaller(tiling.rows, height - i);
        for (int k = 0; k < depth; k += kFilterChannels)
          transformFilters(p, row + i, panel, first + k, smaller<int>(kFilterChannels, depth - k), space,
                           filters + static_cast<ptrdiff_t>(i) * depth + static_cast<ptrdiff_t>(k) * panel,
                           filterPitch);
      }
      for (int point = 0; point < kTilePoints; ++point)
        multiplyPoint(tiling, height, first, depth, filters + point * filterPitch, pixels, products, point);
    }
    for (int i = 0; i < height; ++i) transformResults(p, products, i, row + i, space);
    return true;
  });
}

template <typename T>
Failure winogradProduct(const Call& call, const WinogradProduct<T>& p) {
  constexpr int lanes = Vec<T>::lanes;
  const int channels = p.source.channels;
  const Tiling tiling = tilingFor(p.rows, kTileBlock, lanes);
  if (filtersPrevail(p.tiles(), channels, p.rows)) return multiplyByFilters(call, p, tiling);
  const ptrdiff_t tiles = p.tiles(), pitch = winogradPitch(tiles, channels, p.rows), blocks = ceilDivide(tiles, pitch);
  const ptrdiff_t pixelPitch = pointPitch(channels * pitch), productPitch = pointPitch(p.rows * pitch);
  const ptrdiff_t filterPitch = pointPitch(static_cast<ptrdiff_t>(p.rows) * channels);
  const size_t filterSize = kTilePoints * filterPitch;
  const size_t blockSize = kTilePoints * (pixelPitch + productPitch) + kLongVectors * lanes;
  const size_t room = larger<size_t>(transformRoom<T>(p.source.grid, pitch), kTileStep * kTileStep * (pitch + lanes));
  // Few blocks: all threads work on one after the other.
  const bool together = blocks < 16;
  T* filters = scratchOf<T>(call, 0, 0, filterSize + (together ? blockSize : 0));
  if (!filters) return kFailMemory;
  const Failure failure = transformAllFilters(call, p, tiling, filters);
  if (failure != kOk) return failure;

  const auto pixelsAt = [&](ptrdiff_t block, T* values) {
    const int count = static_cast<int>(smaller(pitch, tiles - block * pitch));
    return TransformedTiles<T>{block * pitch, count, pitch, pixelPitch, values};
  };
  const auto productsOf = [&](const TransformedTiles<T>& pixels) {
    return TransformedTiles<T>{pixels.first, pixels.count, pitch, productPitch, pixels.data + kTilePoints * pixelPitch};
  };
  if (!together)
    return runParts(call, blocks, [&](ptrdiff_t block, int worker) {
      T* space = scratchOf<T>(call, worker, 1, room);
      T* values = scratchOf<T>(call, worker, 2, blockSize);
      if (!space || !values) return false;
      const TransformedTiles<T> pixels = pixelsAt(block, values), products = productsOf(pixels);
      for (int channel = 0; channel < channels; ++channel) transformTiles<kTileSize>(p.source, channel, pixels, space);
      for (int point = 0; point < kTilePoints; ++point)
        multiplyPoint(tiling, p.rows, 0, channels, filters + point * filterPitch, pixels, products, point);
      for (int row = 0; row < p.rows; ++row) transformResults(p, products, row, row, space);
      return true;
    });
  for (ptrdiff_t block = 0; block < blocks; ++block) {
    const TransformedTiles<T> pixels = pixelsAt(block, filters + filterSize), products = productsOf(pixels);
    Failure step = forPlanes<T>(call, channels, room, [&](int channel, T* space) {
      transformTiles<kTileSize>(p.source, channel, pixels, space);
    });
    if (step == kOk)
      step = runParts(call, kTilePoints, [&](ptrdiff_t point, int) {
        multiplyPoint(tiling, p.rows, 0, channels, filters + point * filterPitch, pixels, products,
                      static_cast<int>(point));
        return true;
      });
    if (step == kOk)
      step =
          forPlanes<T>(call, p.rows, room, [&](int row, T* space) { transformResults(p, products, row, row, space); });
    if (step != kOk) return step;
  }
  return kOk;
}

}  // namespace
}  // namespace saddlepoint
