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
  const ptrdiff_t cached = (ptrdiff_t(1) << 20) / bytes, most = larger<ptrdiff_t>(32, (ptrdiff_t(32) << 20) / bytes);
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
  // Read again for every panel of columns.
  const bool packs = columns > 8 * tiling.vectors * lanes;
  T* packedRows = scratchOf<T>(call, worker, 2, packs ? static_cast<size_t>(rows) * kDepthBlock : 0);
  T* panel = scratchOf<T>(call, worker, 3, static_cast<size_t>(kDepthBlock) * kLongVectors * lanes);
  if (!packedRows || !panel) return false;
  const T* g = gradients.data + point * gradients.pointPitch;
  const T* d = pixels.data + point * pixels.pointPitch;
  multiplyBlock<T>(
      tiling, rows, columns, pixels.count,
      [&](int k0, int steps) {
        if (packs) packRows(packedRows, tiling, rows, steps, g + k0, gradients.pitch, 1);
        return RowBlock<T>{packs ? packedRows : g + k0, gradients.pitch, 1, packs};
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
    transpose(out + kTaps * column, kTaps, kTaps, count, taps, V::lanes);
  }
}

// Many filters from few tiles: all tiles are contracted at once, for some filters at a time, whose sums never leave the
// cache.
template <typename T>
Failure addTilesByFilters(const Call& call, const WinogradWeightGrad<T>& p) {
  constexpr int lanes = Vec<T>::lanes;
  const int rows = p.gradients.channels, columns = p.pixels.channels, count = static_cast<int>(p.tiles());
  const Tiling tiling = tilingFor(rows, columns, lanes);
  const int rowsOfPart = smaller<int>(rows, larger(1, kFilterRows / tiling.rows) * tiling.rows);
  const int columnsOfPart = smaller<int>(columns, kFilterColumns);
  const ptrdiff_t pitch = ceilDivide(count, 16) * 16;
  const ptrdiff_t gradientPitch = pointPitch(rows * pitch), pixelPitch = pointPitch(columns * pitch);
  const ptrdiff_t sumPitch = pointPitch(static_cast<ptrdiff_t>(rowsOfPart) * columnsOfPart);
  T* values = scratchOf<T>(call, 0, 0, 2 * kTilePoints * (gradientPitch + pixelPitch) + kLongVectors * lanes);
  if (!values) return kFailMemory;
  const TransformedTiles<T> gradients = {0, count, pitch, gradientPitch, values};
  const TransformedTiles<T> pixels = {0, count, pitch, pixelPitch, values + kTilePoints * gradientPitch};
  T* packedRows = pixels.data + kTilePoints * pixelPitch;    // [position][block of tiles][panel of rows][tile][row]
  T* transposed = packedRows + kTilePoints * gradientPitch;  // [position][tile][column]
  Failure step = transformBoth(call, p, gradients, pixels);
  if (step == kOk)
    step = runParts(call, kTilePoints, [&](ptrdiff_t point, int) {
      for (int k0 = 0; k0 < count; k0 += kDepthBlock)
        packRows(packedRows + point * gradientPitch + static_cast<ptrdiff_t>(k0) * rows, tiling, rows,
                 smaller<int>(kDepthBlock, count - k0), gradients.data + point * gradientPitch + k0, pitch, 1);
      packPanel(transposed + point * pixelPitch, columns, columns, count, pixels.data + point * pixelPitch, pitch, 1);
      return true;
    });
  if (step != kOk) return step;
  const ptrdiff_t columnParts = ceilDivide(columns, columnsOfPart);
  return runParts(call, ceilDivide(rows, rowsOfPart) * columnParts, [&](ptrdiff_t part, int worker) {
    const int row = static_cast<int>(part / columnParts) * rowsOfPart, height = smaller(rowsOfPart, rows - row);
    const int column = static_cast<int>(part % columnParts) * columnsOfPart;
    const int width = smaller(columnsOfPart, columns - column);
    T* sums = scratchOf<T>(call, worker, 1, kTilePoints * sumPitch);
    if (!sums) return false;
    for (int point = 0; point < kTilePoints; ++point) {
      const T* g = packedRows + point * gradientPitch;
      const T* d = transposed + point * pixelPitch + column;
      multiplyBlock<T>(
          tiling, height, width, count,
          [&](int k0, int steps) {
            return PackedRows<T>{g + static_cast<ptrdiff_t>(k0) * rows + static_cast<ptrdiff_t>(row) * steps};
          },
          [&](int k0, int, ptrdiff_t j, int, int) {
            return ColumnPanel<T>{d + static_cast<ptrdiff_t>(k0) * columns + j, columns};
          },
          sums + point * sumPitch, width, false);
    }
    for (int i = 0; i < height; ++i)
      transformSums(sums + static_cast<ptrdiff_t>(i) * width, sumPitch, width,
                    p.out + 9 * (static_cast<ptrdiff_t>(row + i) * columns + column));
    return true;
  });
}

template <typename T>
Failure winogradWeightGrad(const Call& call, const WinogradWeightGrad<T>& p) {
  const int rows = p.gradients.channels, columns = p.pixels.channels;
  // Sums that leave the cache cost less than filters that do: those prevail from four times as many on.
  if (filtersPrevail(4 * p.tiles(), columns, rows)) return addTilesByFilters(call, p);
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
