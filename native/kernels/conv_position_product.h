// Weights times windows as they lie in tiles (conv_positions.h): for wide images and few rows of the product, where
// gathering windows would cost more than computing what lies between their rows.
#pragma once
#include "conv_positions.h"
#include "conv_product.h"

namespace saddlepoint {
namespace {

// How the work on one group of one image is cut.
struct PositionCut {
  int windowRows;  // for one part: a tile that fits in half of the L2 cache
  int rowParts;    // into which the rows of the product are cut
};

// Enough parts where the images are few: parts that share windows rather than rows of windows, which are short vectors.
template <typename T>
PositionCut positionCut(const WindowProduct<T>& p) {
  const double work = static_cast<double>(p.rows) * p.depth() * p.x.windows;
  PositionCut cut = {p.y.windows, 1};
  const auto tileBytes = [&] {
    return static_cast<double>(tileShape(p.y, p.x, cut.windowRows).planePitch) * p.channels * sizeof(T);
  };
  while (cut.windowRows > 1 && tileBytes() > (1 << 19)) cut.windowRows = (cut.windowRows + 1) / 2;
  const auto isCoarse = [&] {
    const double parts =
        static_cast<double>(p.images) * p.groups * ceilDivide(p.y.windows, cut.windowRows) * cut.rowParts;
    return parts < 16 && work * cut.windowRows / cut.rowParts > (1 << 19);
  };
  while (p.rows / cut.rowParts >= 64 && isCoarse()) cut.rowParts *= 2;
  while (cut.windowRows > 1 && isCoarse()) cut.windowRows = (cut.windowRows + 1) / 2;
  return cut;
}

// Whether computing what lies between rows of windows, and copying them out, costs less than gathering windows: about
// how many cycles on vectors of 64 bytes. For few windows it would have to pack weights only for this.
template <typename T>
bool paysByPositions(const WindowProduct<T>& p) {
  if (p.isPointwise() || (p.images * p.windows() <= kFewWindows && p.isEven())) return false;
  const ptrdiff_t rowsOfWindows = positionCut(p).windowRows, width = p.x.windows, lanes = 64 / sizeof(T);
  const ptrdiff_t positions = (rowsOfWindows - 1) * tileShape(p.y, p.x, 1).pitch + width;
  const ptrdiff_t between = ceilDivide(positions, lanes) * lanes - rowsOfWindows * width;
  const ptrdiff_t depth = p.depth(), vectorsOfRow = ceilDivide(width, lanes);
  return p.rows * depth * between / (2 * lanes) + p.rows * rowsOfWindows * (8 + 2 * vectorsOfRow) <=
         4 * depth * rowsOfWindows * vectorsOfRow;
}

// Channels of a shared tile that are copied as one part.
enum { kChannelsAtATime = 64 };

// Parts are numbered by image and group, then by rows of windows, then by rows of the product; small ones go together.
// Parts that compute different rows of the same windows share a tile, which is filled before them.
template <typename T>
Failure multiplyByPositions(const Call& call, const WindowProduct<T>& p, const ResultPlanes<T>& result) {
  const PositionCut cut = positionCut(p);
  const TileShape tile = tileShape(p.y, p.x, cut.windowRows);
  const Tiling tiling = positionTiling(p.rows);
  // Rows of the product that a part has: whole panels.
  const int panelRows = static_cast<int>(ceilDivide(tiling.panels, cut.rowParts)) * tiling.rows;
  const ptrdiff_t rowParts = ceilDivide(p.rows, panelRows), windowParts = ceilDivide(p.y.windows, cut.windowRows);
  const ptrdiff_t tiles = p.images * p.groups * windowParts, parts = tiles * rowParts;
  const ptrdiff_t line = 64 / sizeof(T), depth = p.depth();
  // Behind the last element up to a vector is read; tiles and rows of results begin with a line.
  const ptrdiff_t tileElements = (ceilDivide(tile.planePitch * p.channels, line) + 1) * line;
  const ptrdiff_t resultPitch = roundUp64(static_cast<size_t>(tile.pitch) * cut.windowRows * sizeof(T)) / sizeof(T);
  const bool areShared = cut.rowParts > 1;

  const size_t weightBytes = roundUp64(static_cast<size_t>(depth) * p.rows * p.groups * sizeof(T));
  const size_t tileBytes = areShared ? static_cast<size_t>(tiles * tileElements) * sizeof(T) : 0;
  char* shared = scratchOf<char>(call, 0, 0, weightBytes + tileBytes + depth * sizeof(ptrdiff_t));
  if (!shared) return kFailMemory;
  T *packed = reinterpret_cast<T*>(shared), *sharedTiles = reinterpret_cast<T*>(shared + weightBytes);
  ptrdiff_t* offsets = reinterpret_cast<ptrdiff_t*>(shared + weightBytes + tileBytes);
  windowOffsets(p, tile, tile.planePitch, 0, p.depth(), offsets);
  const Failure failure = packWeights(call, p, tiling, p.rows, packed);
  if (failure != kOk) return failure;

  const auto fillTile = [&](ptrdiff_t at, int firstChannel, int endChannel, T* padded) {
    const ptrdiff_t imageGroup = at / windowParts, y0 = at % windowParts * cut.windowRows;
    for (int channel = firstChannel; channel < endChannel; ++channel) {
      copyTilePlane(tile, p.source + (imageGroup * p.channels + channel) * p.sourcePlane(), static_cast<int>(y0),
                    smaller<int>(cut.windowRows, p.y.windows - y0), T(0), padded + channel * tile.planePitch);
    }
  };
  if (areShared) {
    const ptrdiff_t chunks = ceilDivide(p.channels, kChannelsAtATime);
    runParts(call, tiles * chunks, [&](ptrdiff_t index, int) {
      const int first = static_cast<int>(index % chunks) * kChannelsAtATime;
      fillTile(index / chunks, first, smaller<int>(p.channels, first + kChannelsAtATime),
               sharedTiles + index / chunks * tileElements);
      return true;
    });
  }
  const double work = static_cast<double>(p.rows) * depth * p.x.windows * cut.windowRows;
  const ptrdiff_t together = work >= (1 << 16) ? 1 : static_cast<ptrdiff_t>((1 << 16) / larger(1.0, work)) + 1;
  return runParts(call, ceilDivide(parts, together), [&](ptrdiff_t index, int worker) {
    T* own = areShared ? nullptr : scratchOf<T>(call, worker, 1, tileElements);
    T* computed = scratchOf<T>(call, worker, 3, panelRows * resultPitch);
    if ((!areShared && !own) || !computed) return false;
    for (ptrdiff_t at = index * together; at < smaller(parts, (index + 1) * together); ++at) {
      const ptrdiff_t tileAt = at / rowParts, imageGroup = tileAt / windowParts, group = imageGroup % p.groups;
      const int y0 = static_cast<int>(tileAt % windowParts) * cut.windowRows;
      const int windowRows = smaller(cut.windowRows, p.y.windows - y0);
      const int firstRow = static_cast<int>(at % rowParts) * panelRows, rows = smaller(panelRows, p.rows - firstRow);
      const T* padded = areShared ? sharedTiles + tileAt * tileElements : own;
      if (!areShared) fillTile(tileAt, 0, p.channels, own);
      multiplyPositions<T>(
          tiling, rows, p.depth(),
          [&](int k0, int steps) { return packed + (group * depth + k0) * p.rows + firstRow * steps; }, padded, offsets,
          (windowRows - 1) * tile.pitch + p.x.windows, computed, resultPitch);
      for (int row = 0; row < rows; ++row) {
        T* plane = result.planeOf(p, static_cast<int>(imageGroup / p.groups), static_cast<int>(group), firstRow + row);
        for (int y = 0; y < windowRows; ++y)
          result.put(plane, y0 + y, 0, computed + row * resultPitch + y * tile.pitch, p.x.windows);
      }
    }
    return true;
  });
}

}  // namespace
}  // namespace saddlepoint
