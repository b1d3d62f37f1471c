// The gradient of a 3x3 convolution's weights by Winograd's algorithm: the transform's adjoint. Pixels and gradients
// are transformed, multiplied position by position with the tiles contracted, and the sums transformed back.
#pragma once
#include "winograd.h"

namespace saddlepoint {
namespace {

template <typename T>
struct WinogradWeightGrad {
  int images;
  TilePlanes<T> pixels, gradients;
  T* out;  // [gradients.channels, pixels.channels, 3, 3]

  ptrdiff_t tiles() const { return static_cast<ptrdiff_t>(images) * pixels.grid.perImage(); }
};

// Tiles that are contracted at a time: few enough for the L2 cache, but the more, the more filters are added to each
// time.
inline ptrdiff_t contractedTiles(ptrdiff_t tiles, ptrdiff_t channels, ptrdiff_t rows) {
  const ptrdiff_t bytes = kTilePoints * static_cast<ptrdiff_t>(sizeof(float)) * (channels + rows);
  const ptrdiff_t cached = (ptrdiff_t(2) << 20) / bytes, most = larger<ptrdiff_t>(32, (ptrdiff_t(32) << 20) / bytes);
  const ptrdiff_t wanted = smaller(larger(cached, 2 * channels * rows / (channels + rows)), most);
  return smaller(ceilDivide(wanted, 32) * 32, ceilDivide(tiles, 16) * 16);
}

template <typename T>
Failure transformBoth(const Call& call, const WinogradWeightGrad<T>& p, const TransformedTiles<T>& gradients,
                      const TransformedTiles<T>& pixels) {
  const int rows = p.gradients.channels;
  const size_t room = transformRoom<T>(p.pixels.grid, gradients.pitch);
  return forPlanes<T>(call, rows + p.pixels.channels, room, [&](int plane, T* space) {
    if (plane < rows) {
      transformTiles<kTileStep>(p.gradients, plane, gradients, space);
    } else {
      transformTiles<kTileSize>(p.pixels, plane - rows, pixels, space);
    }
  });
}

// sums[row * columns + column] at one position: the tiles of gradients times those of pixels.
template <typename T>
bool addTiles(const Call& call, int worker, const TransformedTiles<T>& gradients, int rows,
              const TransformedTiles<T>& pixels, int columns, int point, T* sums) {
  constexpr int lanes = Vec<T>::lanes;
  const Tiling tiling = tilingFor(rows, columns, lanes);
  T* packedRows = scratchOf<T>(call, worker, 2, static_cast<size_t>(rows) * kDepthBlock);
  T* panel = scratchOf<T>(call, worker, 3, static_cast<size_t>(kDepthBlock) * kLongVectors * lanes);
  if (!packedRows || !panel) return false;
  const T* g = gradients.data + point * gradients.pointPitch;
  const T* d = pixels.data + point * pixels.pointPitch;
  multiplyBlock<T>(
      tiling, rows, columns, pixels.count,
      [&](int k0, int steps) {
        packRows(packedRows, tiling, rows, steps, g + k0, gradients.pitch, 1);
        return PackedRows<T>{packedRows};
      },
      [&](int k0, int steps, ptrdiff_t column, int count, int width) {
        packPanel(panel, width, count, steps, d + column * pixels.pitch + k0, pixels.pitch, 1);
        return ColumnPanel<T>{panel, width};
      },
      sums, columns, pixels.first > 0);
  return true;
}

// Filters [row][column] of one row, from their sums at the 36 positions.
template <typename T>
void transformSums(const T* sums, ptrdiff_t pitch, int columns, T* out) {
  using V = Vec<T>;
  enum { kTaps = 9 };
  for (int column = 0; column < columns; column += V::lanes) {
    const int count = smaller<int>(V::lanes, columns - column);
    V points[kTilePoints], half[3 * 6], filter[kTaps];
#pragma GCC unroll 36
    for (int point = 0; point < kTilePoints; ++point)
      points[point] = V::loadPartial(sums + point * pitch + column, count);
#pragma GCC unroll 6
    for (int x = 0; x < 6; ++x) WinogradAxis<V>::filterGradients(points + x, 6, half + x, 6);
#pragma GCC unroll 3
    for (int y = 0; y < 3; ++y) WinogradAxis<V>::filterGradients(half + 6 * y, 1, filter + 3 * y, 1);
    T taps[kTaps * V::lanes];
#pragma GCC unroll 9
    for (int tap = 0; tap < kTaps; ++tap) filter[tap].store(taps + tap * V::lanes);
    for (int i = 0; i < count; ++i) {
      for (int tap = 0; tap < kTaps; ++tap) *out++ = taps[tap * V::lanes + i];
    }
  }
}

// Many filters from few tiles: all tiles are contracted at once, for a panel of filters at a time, whose sums never
// leave the cache.
template <typename T>
Failure addTilesByPanels(const Call& call, const WinogradWeightGrad<T>& p) {
  constexpr int lanes = Vec<T>::lanes;
  const int rows = p.gradients.channels, columns = p.pixels.channels, count = static_cast<int>(p.tiles());
  const Tiling tiling = tilingFor(rows, columns, lanes);
  const ptrdiff_t pitch = ceilDivide(count, 16) * 16;
  const ptrdiff_t gradientPitch = pointPitch(rows * pitch), pixelPitch = pointPitch(columns * pitch);
  const ptrdiff_t sumPitch = pointPitch(static_cast<ptrdiff_t>(tiling.rows) * columns);
  T* values = scratchOf<T>(call, 0, 0, kTilePoints * (gradientPitch + 2 * pixelPitch) + kLongVectors * lanes);
  if (!values) return kFailMemory;
  const TransformedTiles<T> gradients = {0, count, pitch, gradientPitch, values};
  const TransformedTiles<T> pixels = {0, count, pitch, pixelPitch, values + kTilePoints * gradientPitch};
  T* transposed = pixels.data + kTilePoints * pixelPitch;  // [position][tile][column]
  Failure step = transformBoth(call, p, gradients, pixels);
  if (step == kOk)
    step = runParts(call, kTilePoints, [&](ptrdiff_t point, int) {
      packPanel(transposed + point * pixelPitch, columns, columns, count, pixels.data + point * pixelPitch, pitch, 1);
      return true;
    });
  if (step != kOk) return step;
  return runParts(call, tiling.panels, [&](ptrdiff_t panel, int worker) {
    const int row = static_cast<int>(panel) * tiling.rows, height = smaller(tiling.rows, rows - row);
    T* sums = scratchOf<T>(call, worker, 1, kTilePoints * sumPitch);
    T* packed = scratchOf<T>(call, worker, 2, static_cast<size_t>(tiling.rows) * kDepthBlock);
    if (!sums || !packed) return false;
    for (int point = 0; point < kTilePoints; ++point) {
      const T* g = gradients.data + point * gradientPitch + row * pitch;
      const T* d = transposed + point * pixelPitch;
      multiplyBlock<T>(
          tiling, height, columns, count,
          [&](int k0, int steps) {
            packPanel(packed, height, height, steps, g + k0, pitch, 1);
            return PackedRows<T>{packed};
          },
          [&](int k0, int, ptrdiff_t column, int, int) {
            return ColumnPanel<T>{d + static_cast<ptrdiff_t>(k0) * columns + column, columns};
          },
          sums + point * sumPitch, columns, false);
    }
    for (int i = 0; i < height; ++i)
      transformSums(sums + static_cast<ptrdiff_t>(i) * columns, sumPitch, columns,
                    p.out + 9 * static_cast<ptrdiff_t>(row + i) * columns);
    return true;
  });
}

template <typename T>
Failure winogradWeightGrad(const Call& call, const WinogradWeightGrad<T>& p) {
  const int rows = p.gradients.channels, columns = p.pixels.channels;
  if (filtersPrevail(p.tiles(), columns, rows)) return addTilesByPanels(call, p);
  const ptrdiff_t tiles = p.tiles(), pitch = contractedTiles(tiles, columns, rows);
  const ptrdiff_t gradientPitch = pointPitch(rows * pitch), pixelPitch = pointPitch(columns * pitch);
  const ptrdiff_t sumPitch = pointPitch(static_cast<ptrdiff_t>(rows) * columns);
  T* sums = scratchOf<T>(call, 0, 0, kTilePoints * (sumPitch + gradientPitch + pixelPitch));
  if (!sums) return kFailMemory;
  T *gradientValues = sums + kTilePoints * sumPitch, *pixelValues = gradientValues + kTilePoints * gradientPitch;
  for (ptrdiff_t first = 0; first < tiles; first += pitch) {
    const int count = static_cast<int>(smaller(pitch, tiles - first));
    const TransformedTiles<T> gradients = {first, count, pitch, gradientPitch, gradientValues};
    const TransformedTiles<T> pixels = {first, count, pitch, pixelPitch, pixelValues};
    Failure step = transformBoth(call, p, gradients, pixels);
    if (step == kOk)
      step = runParts(call, kTilePoints, [&](ptrdiff_t point, int worker) {
        return addTiles(call, worker, gradients, rows, pixels, columns, static_cast<int>(point),
                        sums + point * sumPitch);
      });
    if (step != kOk) return step;
  }
  return forPlanes<T>(call, rows, 1, [&](int row, T*) {
    const ptrdiff_t at = static_cast<ptrdiff_t>(row) * columns;
    transformSums(sums + at, sumPitch, columns, p.out + 9 * at);
  });
}

}  // namespace
}  // namespace saddlepoint
