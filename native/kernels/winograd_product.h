// A 3x3 convolution with stride 1, or its input gradient, by Winograd's algorithm: filters and pixels are transformed, then
// multiplied position by position, and the products transformed back.
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
  const ptrdiff_t fitting = (ptrdiff_t(1) << 20) / (kTilePoints * static_cast<ptrdiff_t>(sizeof(float)) * (channels + rows));
  const ptrdiff_t wanted = smaller<ptrdiff_t>(kTileBlock, larger<ptrdiff_t>(32, fitting / 32 * 32));
  return smaller(wanted, ceilDivide(tiles, 16) * 16);
}

// The filters, [position][block of the contraction][panel of rows][channel][row].
template <typename T>
Failure transformFilters(const Call& call, const WinogradProduct<T>& p, const Tiling& tiling, T* out) {
  using V = Vec<T>;
  enum { kChannels = 32, kTaps = 9 };
  const ptrdiff_t chunks = ceilDivide(p.source.channels, kChannels);
  const ptrdiff_t plane = pointPitch(static_cast<ptrdiff_t>(p.rows) * p.source.channels);
  return runParts(call, tiling.panels * chunks, [&](ptrdiff_t part, int worker) {
    const int row = static_cast<int>(part / chunks) * tiling.rows, height = smaller(tiling.rows, p.rows - row);
    const int channel = static_cast<int>(part % chunks) * kChannels, depth = smaller<int>(kChannels, p.source.channels - channel);
    const int k0 = channel / kDepthBlock * kDepthBlock, steps = smaller<int>(kDepthBlock, p.source.channels - k0);
    T* taps = scratchOf<T>(call, worker, 1, kChannels * kTaps * height + V::lanes);
    if (!taps) return false;
    const T* from = p.weights + row * p.rowPitch + channel * p.channelPitch;
    if (p.channelPitch == kTaps) {
      packPanel(taps, height, height, depth * kTaps, from, p.rowPitch, 1);
    } else {
      for (int k = 0; k < depth; ++k)
        packPanel(taps + static_cast<ptrdiff_t>(k) * kTaps * height, height, height, kTaps, from + k * p.channelPitch,
                  p.rowPitch, 1);
    }
    T* panel = out + static_cast<ptrdiff_t>(k0) * p.rows + static_cast<ptrdiff_t>(row) * steps +
               static_cast<ptrdiff_t>(channel - k0) * height;
    for (int k = 0; k < depth; ++k, taps += kTaps * height) {
      for (int i = 0; i < height; i += V::lanes) {
        V filter[kTaps], transformed[kTilePoints];
#pragma GCC unroll 9
        for (int tap = 0; tap < kTaps; ++tap)
          filter[tap] = V::load(taps + (p.flipped ? kTaps - 1 - tap : tap) * height + i);
        V half[6 * 3];
#pragma GCC unroll 3
        for (int x = 0; x < 3; ++x) WinogradAxis<V>::filter(filter + x, 3, half + x, 3);
#pragma GCC unroll 6
        for (int y = 0; y < 6; ++y) WinogradAxis<V>::filter(half + 3 * y, 1, transformed + 6 * y, 1);
#pragma GCC unroll 36
        for (int point = 0; point < kTilePoints; ++point)
          storeLanes(transformed[point], panel + point * plane, height, depth, k, i);
      }
    }
    return true;
  });
}

template <typename T>
void multiplyPoint(const WinogradProduct<T>& p, const Tiling& tiling, const T* filters, const TransformedTiles<T>& pixels,
                   const TransformedTiles<T>& products, int point) {
  const int channels = p.source.channels;
  const T* u = filters + point * pointPitch(static_cast<ptrdiff_t>(p.rows) * channels);
  const T* v = pixels.data + point * pixels.pointPitch;
  multiplyBlock<T>(
      tiling, p.rows, pixels.count, channels,
      [&](int k0, int) { return PackedRows<T>{u + static_cast<ptrdiff_t>(k0) * p.rows}; },
      [&](int k0, int, ptrdiff_t column, int, int) {
        return ColumnPanel<T>{v + k0 * pixels.pitch + column, pixels.pitch};
      },
      products.data + point * products.pointPitch, products.pitch, false);
}

template <typename T>
void transformResults(const WinogradProduct<T>& p, const TransformedTiles<T>& products, int row, T* room) {
  using V = Vec<T>;
  const T* from = products.data + row * products.pitch;
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

template <typename T>
Failure winogradProduct(const Call& call, const WinogradProduct<T>& p) {
  constexpr int lanes = Vec<T>::lanes;
  const int channels = p.source.channels;
  const Tiling tiling = tilingFor(p.rows, kTileBlock, lanes);
  const ptrdiff_t tiles = p.tiles(), pitch = winogradPitch(tiles, channels, p.rows), blocks = ceilDivide(tiles, pitch);
  const ptrdiff_t pixelPitch = pointPitch(channels * pitch), productPitch = pointPitch(p.rows * pitch);
  const size_t filterSize = kTilePoints * pointPitch(static_cast<ptrdiff_t>(p.rows) * channels);
  const size_t blockSize = kTilePoints * (pixelPitch + productPitch) + kLongVectors * lanes;
  const size_t room = larger<size_t>(transformRoom<T>(p.source.grid, pitch), kTileStep * kTileStep * (pitch + lanes));
  // Few blocks: all threads work on one after the other.
  const bool together = blocks < 16;
  T* filters = scratchOf<T>(call, 0, 0, filterSize + (together ? blockSize : 0));
  if (!filters) return kFailMemory;
  const Failure failure = transformFilters(call, p, tiling, filters);
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
      for (int point = 0; point < kTilePoints; ++point) multiplyPoint(p, tiling, filters, pixels, products, point);
      for (int row = 0; row < p.rows; ++row) transformResults(p, products, row, space);
      return true;
    });
  for (ptrdiff_t block = 0; block < blocks; ++block) {
    const TransformedTiles<T> pixels = pixelsAt(block, filters + filterSize), products = productsOf(pixels);
    Failure step = forPlanes<T>(call, channels, room, [&](int channel, T* space) {
      transformTiles<kTileSize>(p.source, channel, pixels, space);
    });
    if (step == kOk)
      step = runParts(call, kTilePoints, [&](ptrdiff_t point, int) {
        return multiplyPoint(p, tiling, filters, pixels, products, static_cast<int>(point)), true;
      });
    if (step == kOk)
      step = forPlanes<T>(call, p.rows, room, [&](int row, T* space) { transformResults(p, products, row, space); });
    if (step != kOk) return step;
  }
  return kOk;
}

}  // namespace
}  // namespace saddlepoint
