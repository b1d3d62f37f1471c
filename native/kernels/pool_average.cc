// Average pooling and its gradient.
#include "pool.h"

namespace saddlepoint {
namespace {

PoolShape averagePoolShape(const Call& call, const View& image, const View& windows) {
  int a[6];
  for (int i = 0; i < 6; ++i) a[i] = static_cast<int>(call.attributes[i]);
  return poolShape(image, windows, a[0], a[1], a[2], a[3], a[4], a[5], 1, 1);
}

// How many elements window `index` of one axis averages over.
int countOf(const WindowAxis& axis, int index, bool countPadding) {
  const ptrdiff_t start = static_cast<ptrdiff_t>(index) * axis.step + axis.firstTap;
  if (countPadding) return axis.taps;
  const ptrdiff_t inside = smaller<ptrdiff_t>(start + axis.taps, axis.size) - larger<ptrdiff_t>(start, 0);
  return static_cast<int>(larger<ptrdiff_t>(inside, 1));
}

// The counts along x, and ones for a vector behind them.
template <typename T>
T* columnCounts(const Call& call, const PoolShape& s, bool countPadding) {
  T* counts = scratchOf<T>(call, 0, 2, s.x.windows + Vec<T>::lanes);
  if (!counts) return nullptr;
  for (int x = 0; x < s.x.windows; ++x) counts[x] = static_cast<T>(countOf(s.x, x, countPadding));
  fillWith(counts + s.x.windows, Vec<T>::lanes, T(1));
  return counts;
}

template <typename T>
Failure avgPool2d(const Call& call) {
  using V = Vec<T>;
  if (call.outputs[0].size == 0) return kOk;
  const PoolShape s = averagePoolShape(call, call.inputs[0], call.outputs[0]);
  const bool countPadding = call.attributes[6] != 0;
  const int rowsPerTile = poolRowsPerTile(s), taps = s.kernelY * s.kernelX;
  const TileShape tile = tileShape(s.y, s.x, rowsPerTile);
  const ptrdiff_t* offsets = poolOffsets(call, s, tile);
  const T* counts = columnCounts<T>(call, s, countPadding);
  if (!offsets || !counts) return kFailMemory;
  T* out = static_cast<T*>(call.outputs[0].data);
  const auto row = [&](const auto& windows, ptrdiff_t plane, int y) {
    T* to = out + (plane * s.y.windows + y) * s.x.windows;
    const V rowCount = V::broadcast(static_cast<T>(countOf(s.y, y, countPadding)));
    for (int x = 0; x < s.x.windows; x += V::lanes) {
      const int count = smaller<int>(V::lanes, s.x.windows - x);
      V sum = V::zero();
      for (int tap = 0; tap < taps; ++tap) sum = sum + windows.load(offsets[tap], x, count);
      storeSome(sum / (rowCount * V::load(counts + x)), to + x, count);
    }
  };
  return forWindowRows(call, s, tile, rowsPerTile, static_cast<const T*>(call.inputs[0].data), T(0), row);
}

// One row of the image's gradient: every row of windows that looks at it adds its share at each of its taps. `sums` has
// the columns in the order of a tile of one row, so that each addition is contiguous; offsets[tapX] is where a tap
// starts in it.
template <typename T>
void gradientRow(const PoolShape& s, const TileShape& tile, const T* g, const T* counts, bool countPadding,
                 const ptrdiff_t* offsets, int row, T* sums, T* out) {
  using V = Vec<T>;
  fillWith(sums, tile.planePitch + V::lanes, T(0));
  for (int tapY = s.kernelY - 1; tapY >= 0; --tapY) {
    const int start = row + s.paddingY - tapY, y = start / s.y.step;
    if (start < 0 || start % s.y.step != 0 || y >= s.y.windows) continue;
    const V rowCount = V::broadcast(static_cast<T>(countOf(s.y, y, countPadding)));
    for (int x = 0; x < s.x.windows; x += V::lanes) {
      const T* from = g + static_cast<ptrdiff_t>(y) * s.x.windows + x;
      const V share = loadSome(from, smaller<int>(V::lanes, s.x.windows - x)) / (rowCount * V::load(counts + x));
      for (int tapX = 0; tapX < s.kernelX; ++tapX) {
        T* to = sums + offsets[tapX] + x;
        (V::load(to) + share).store(to);
      }
    }
  }
  // Columns that no window reaches: between windows, and behind the last.
  const ptrdiff_t reached = larger<ptrdiff_t>(0, static_cast<ptrdiff_t>(s.x.windows - 1) * s.x.step + s.x.lastTap + 1);
  if (tile.columnPhases < s.x.step) {
    fillWith(out, s.x.size, T(0));
  } else if (reached < s.x.size) {
    fillWith(out + reached, s.x.size - reached, T(0));
  }
  for (int phase = 0; phase < tile.columnPhases; ++phase) {
    const ptrdiff_t start = phase - s.paddingX, step = s.x.step;  // column of the first of this phase
    const ptrdiff_t first = start < 0 ? ceilDivide(-start, step) : 0;
    const ptrdiff_t end = smaller(tile.pitch, start < s.x.size ? ceilDivide(s.x.size - start, step) : 0);
    const T* from = sums + phase * tile.columnPhase;
    for (ptrdiff_t i = first; i < end; ++i) out[start + i * step] = from[i];
  }
}

template <typename T>
Failure avgPool2dInputGrad(const Call& call) {
  const View &g = call.inputs[0], &out = call.outputs[0];
  if (out.size == 0) return kOk;
  if (g.size == 0) return fillWith(static_cast<T*>(out.data), out.size, T(0)), kOk;
  const PoolShape s = averagePoolShape(call, out, g);
  const bool countPadding = call.attributes[6] != 0;
  const TileShape tile = tileShape({s.y.size, 1, 1, 1, 0, 0}, s.x, 1);
  const T* counts = columnCounts<T>(call, s, countPadding);
  ptrdiff_t* offsets = scratchOf<ptrdiff_t>(call, 0, 0, s.kernelX);
  if (!counts || !offsets) return kFailMemory;
  for (int tapX = 0; tapX < s.kernelX; ++tapX) offsets[tapX] = tile.offset(0, tapX - s.paddingX);
  const ptrdiff_t perPart = planesPerPart(s);
  const ptrdiff_t windows = static_cast<ptrdiff_t>(s.y.windows) * s.x.windows;
  return runParts(call, ceilDivide(s.planes, perPart), [&](int part, int worker) {
    T* sums = scratchOf<T>(call, worker, 1, tile.planePitch + Vec<T>::lanes);
    if (!sums) return false;
    for (ptrdiff_t plane = part * perPart; plane < smaller(s.planes, (part + 1) * perPart); ++plane) {
      for (int row = 0; row < s.y.size; ++row) {
        gradientRow(s, tile, static_cast<const T*>(g.data) + plane * windows, counts, countPadding, offsets, row, sums,
                    static_cast<T*>(out.data) + (plane * s.y.size + row) * s.x.size);
      }
    }
    return true;
  });
}

}  // namespace

SADDLEPOINT_KERNEL(avgPool2d) {
  return call.outputs[0].dtype == kFloat64 ? avgPool2d<double>(call) : avgPool2d<float>(call);
}

SADDLEPOINT_KERNEL(avgPool2dInputGrad) {
  return call.outputs[0].dtype == kFloat64 ? avgPool2dInputGrad<double>(call) : avgPool2dInputGrad<float>(call);
}

}  // namespace saddlepoint
