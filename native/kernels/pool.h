// What the pooling kernels share: their attributes and how planes are dealt out to parts.
#pragma once
#include "conv_tile.h"
#include "partial.h"

namespace saddlepoint {
namespace {

struct PoolShape {
  WindowAxis y, x;
  int kernelY, kernelX, paddingY, paddingX, dilationY, dilationX;
  ptrdiff_t planes;
};

// `input` and `windows` are [N, C, H, W] and [N, C, OH, OW].
inline PoolShape poolShape(const View& input, const View& windows, int kernelY, int kernelX, int strideY, int strideX,
                           int paddingY, int paddingX, int dilationY, int dilationX) {
  PoolShape s;
  s.kernelY = kernelY;
  s.kernelX = kernelX;
  s.paddingY = paddingY;
  s.paddingX = paddingX;
  s.dilationY = dilationY;
  s.dilationX = dilationX;
  s.y = {input.shape[2], windows.shape[2], strideY, kernelY, -paddingY, (kernelY - 1) * dilationY - paddingY};
  s.x = {input.shape[3], windows.shape[3], strideX, kernelX, -paddingX, (kernelX - 1) * dilationX - paddingX};
  s.planes = static_cast<ptrdiff_t>(input.shape[0]) * input.shape[1];
  return s;
}

inline ptrdiff_t planesPerPart(const PoolShape& s) {
  const ptrdiff_t work = static_cast<ptrdiff_t>(s.y.windows) * s.x.windows * s.kernelY * s.kernelX;
  return larger<ptrdiff_t>(1, (1 << 16) / larger<ptrdiff_t>(1, work));
}

// Window rows whose part of a plane fits comfortably in the L1 or L2 cache.
inline int poolRowsPerTile(const PoolShape& s) {
  int rows = s.y.windows;
  while (rows > 1 && tileShape(s.y, s.x, rows).planePitch > (1 << 14)) rows = (rows + 1) / 2;
  return rows;
}

inline bool needsTile(const PoolShape& s) {
  const auto outside = [](const WindowAxis& axis) {
    return axis.firstTap < 0 || static_cast<ptrdiff_t>(axis.windows - 1) * axis.step + axis.lastTap >= axis.size;
  };
  return outside(s.y) || outside(s.x) || s.x.step > 2;
}

// Where the taps of a window lie, in a tile or in the plane itself.
inline ptrdiff_t* poolOffsets(const Call& call, const PoolShape& s, const TileShape& tile) {
  ptrdiff_t* offsets = scratchOf<ptrdiff_t>(call, 0, 0, static_cast<size_t>(s.kernelY) * s.kernelX);
  if (!offsets) return nullptr;
  for (int tap = 0; tap < s.kernelY * s.kernelX; ++tap) {
    const int y = tap / s.kernelX * s.dilationY, x = tap % s.kernelX * s.dilationX;
    offsets[tap] =
        needsTile(s) ? tile.offset(y - s.paddingY, x - s.paddingX) : static_cast<ptrdiff_t>(y) * s.x.size + x;
  }
  return offsets;
}

// A row of windows in a tile. Up to a vector more than the windows of the row may be read.
template <typename T>
struct TileRow {
  const T* corner;
  SADDLEPOINT_INLINE Vec<T> load(ptrdiff_t offset, int x, int) const { return Vec<T>::load(corner + offset + x); }
};

// A row of windows in the plane itself, 1 or 2 elements apart. Nothing is read that is not in a window.
template <typename T, int step>
struct PlaneRow {
  const T* corner;
  SADDLEPOINT_INLINE Vec<T> load(ptrdiff_t offset, int x, int count) const {
    using V = Vec<T>;
    const T* from = corner + offset + static_cast<ptrdiff_t>(x) * step;
    const int wanted = (count - 1) * step + 1;
    const V low = wanted >= V::lanes ? V::load(from) : V::loadPartial(from, wanted);
    if (step == 1) return low;
    const V high = wanted > V::lanes ? V::loadPartial(from + V::lanes, wanted - V::lanes) : V::zero();
    return evenLanes(low, high, typename LanesOf<V::lanes>::type());
  }
};

// row(windows, plane, y) for every row of windows of every plane; windows.load(offsets[tap], x, count) is that tap of
// the windows x, ..., x + count - 1.
template <typename T, typename Row>
Failure forWindowRows(const Call& call, const PoolShape& s, const TileShape& tile, int rowsPerTile, const T* source,
                      T outside, const Row& row) {
  const ptrdiff_t perPart = planesPerPart(s), planeSize = static_cast<ptrdiff_t>(s.y.size) * s.x.size;
  const bool tiled = needsTile(s);
  return runParts(call, ceilDivide(s.planes, perPart), [&](int part, int worker) {
    T* padded = tiled ? scratchOf<T>(call, worker, 1, tile.planePitch + Vec<T>::lanes) : nullptr;
    if (tiled && !padded) return false;
    for (ptrdiff_t plane = part * perPart; plane < smaller(s.planes, (part + 1) * perPart); ++plane) {
      const T* from = source + plane * planeSize;
      if (!tiled) {
        for (int y = 0; y < s.y.windows; ++y) {
          const T* corner = from + static_cast<ptrdiff_t>(y) * s.y.step * s.x.size;
          if (s.x.step == 1) {
            row(PlaneRow<T, 1>{corner}, plane, y);
          } else {
            row(PlaneRow<T, 2>{corner}, plane, y);
          }
        }
        continue;
      }
      for (int y0 = 0; y0 < s.y.windows; y0 += rowsPerTile) {
        const int rows = smaller(rowsPerTile, s.y.windows - y0);
        copyTilePlane(tile, from, y0, rows, outside, padded);
        for (int y = 0; y < rows; ++y) {
          row(TileRow<T>{padded + y * tile.pitch}, plane, y0 + y);
        }
      }
    }
    return true;
  });
}

}  // namespace
}  // namespace saddlepoint
