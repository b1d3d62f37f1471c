// Max pooling, and the index of each maximum.
#include "pool.h"

namespace saddlepoint {
namespace {

PoolShape maxPoolShape(const Call& call) {
  int a[8];
  for (int i = 0; i < 8; ++i) a[i] = static_cast<int>(call.attributes[i]);
  return poolShape(call.inputs[0], call.outputs[0], a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
}

template <typename T>
Failure maxPool2d(const Call& call) {
  using V = Vec<T>;
  if (call.outputs[0].size == 0) return kOk;
  const PoolShape s = maxPoolShape(call);
  const int rowsPerTile = poolRowsPerTile(s), taps = s.kernelY * s.kernelX;
  const TileShape tile = tileShape(s.y, s.x, rowsPerTile);
  const ptrdiff_t* offsets = poolOffsets(call, s, tile);
  if (!offsets) return kFailMemory;
  const T lowest = -static_cast<T>(__builtin_inf());
  T* out = static_cast<T*>(call.outputs[0].data);
  const auto row = [&](const auto& windows, ptrdiff_t plane, int y) {
    T* to = out + (plane * s.y.windows + y) * s.x.windows;
    for (int x = 0; x < s.x.windows; x += V::lanes) {
      const int count = smaller<int>(V::lanes, s.x.windows - x);
      V best = V::broadcast(lowest);
      for (int tap = 0; tap < taps; ++tap) {
        const V v = windows.load(offsets[tap], x, count);
        best = select(gt(v, best) | isNan(v), v, best);
      }
      storeSome(best, to + x, count);
    }
  };
  return forWindowRows(call, s, tile, rowsPerTile, static_cast<const T*>(call.inputs[0].data), lowest, row);
}

// Where every element is -inf, none is greater than the start: the first one inside of the image.
int firstInside(const PoolShape& s, int y, int x) {
  for (int tap = 0; tap < s.kernelY * s.kernelX; ++tap) {
    const int row = y * s.y.step - s.paddingY + tap / s.kernelX * s.dilationY;
    const int column = x * s.x.step - s.paddingX + tap % s.kernelX * s.dilationX;
    if (row >= 0 && row < s.y.size && column >= 0 && column < s.x.size) return row * s.x.size + column;
  }
  return 0;
}

template <typename T>
Failure maxPool2dIndices(const Call& call) {
  using V = Vec<T>;
  if (call.outputs[0].size == 0) return kOk;
  const PoolShape s = maxPoolShape(call);
  const int rowsPerTile = poolRowsPerTile(s), taps = s.kernelY * s.kernelX;
  const TileShape tile = tileShape(s.y, s.x, rowsPerTile);
  const ptrdiff_t* offsets = poolOffsets(call, s, tile);
  int32_t* distances = scratchOf<int32_t>(call, 0, 2, taps);  // in the image, from the window's corner
  if (!offsets || !distances) return kFailMemory;
  for (int tap = 0; tap < taps; ++tap) {
    distances[tap] = tap / s.kernelX * s.dilationY * s.x.size + tap % s.kernelX * s.dilationX;
  }
  const T lowest = -static_cast<T>(__builtin_inf());
  int32_t* out = static_cast<int32_t*>(call.outputs[0].data);
  const auto row = [&](const auto& windows, ptrdiff_t plane, int y) {
    int32_t* to = out + (plane * s.y.windows + y) * s.x.windows;
    for (int x = 0; x < s.x.windows; x += V::lanes) {
      const int count = smaller<int>(V::lanes, s.x.windows - x);
      // The number of the tap is kept as T, which is exact up to 2^24 taps.
      V best = V::broadcast(lowest), winner = V::broadcast(T(-1));
      for (int tap = 0; tap < taps; ++tap) {
        const V v = windows.load(offsets[tap], x, count);
        const auto wins = gt(v, best) | (isNan(v) & ~isNan(best));
        best = select(wins, v, best);
        winner = select(wins, V::broadcast(static_cast<T>(tap)), winner);
      }
      T winners[V::lanes];
      winner.store(winners);
      const int corner = (y * s.y.step - s.paddingY) * s.x.size - s.paddingX + x * s.x.step;
      if (!any(lt(winner, V::zero()))) {
        for (int i = 0; i < count; ++i) to[x + i] = corner + i * s.x.step + distances[static_cast<int>(winners[i])];
        continue;
      }
      for (int i = 0; i < count; ++i) {
        const int tap = static_cast<int>(winners[i]);
        to[x + i] = tap < 0 ? firstInside(s, y, x + i) : corner + i * s.x.step + distances[tap];
      }
    }
  };
  return forWindowRows(call, s, tile, rowsPerTile, static_cast<const T*>(call.inputs[0].data), lowest, row);
}

}  // namespace

SADDLEPOINT_KERNEL(maxPool2d) {
  return call.inputs[0].dtype == kFloat64 ? maxPool2d<double>(call) : maxPool2d<float>(call);
}

SADDLEPOINT_KERNEL(maxPool2dIndices) {
  return call.inputs[0].dtype == kFloat64 ? maxPool2dIndices<double>(call) : maxPool2dIndices<float>(call);
}

}  // namespace saddlepoint
