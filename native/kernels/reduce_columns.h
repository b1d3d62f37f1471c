// Reductions whose kept elements lie side by side: vectors run over those, and the elements of each are combined in the
// order of reduce_lanes.h all the same.
#pragma once
#include "reduce_lanes.h"
#include "strided.h"

namespace saddlepoint {
namespace {

constexpr int stripWidth = 128;
constexpr int stripLevels = 24;

// What one worker needs for a strip of columns.
template <typename T>
struct Strip {
  alignas(64) T lanes[reduceLanes][stripWidth];
  alignas(64) T levels[stripLevels][stripWidth];
};

template <typename T, typename Op>
SADDLEPOINT_INLINE void combineInto(T* a, const T* b, int width, Op op) {
  using V = Vec<T>;
  int i = 0;
  for (; i + V::lanes <= width; i += V::lanes) op(V::load(a + i), V::load(b + i)).store(a + i);
  if (i < width) op(V::loadPartial(a + i, width - i), V::loadPartial(b + i, width - i)).storePartial(a + i, width - i);
}

// One chunk of rows; leaves the result in strip.lanes[0].
template <typename T, typename Op>
void reduceStripChunk(Strip<T>& strip, const T* data, const StridedDims& rows, Odometer& at, int count, int width,
                      Op op) {
  const int lanes = count < reduceLanes ? count : reduceLanes;
  for (int i = 0; i < lanes; i++) {
    for (int j = 0; j < width; j++) strip.lanes[i][j] = Op::template identity<T>;
  }
  for (int i = 0; i < count; i++) {
    combineInto(strip.lanes[i % reduceLanes], data + at.offset, width, op);
    at.advance(rows, 1);
  }
  // A lane without elements is the identity and changes nothing.
  for (int half = reduceLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half && i + half < lanes; i++) combineInto(strip.lanes[i], strip.lanes[i + half], width, op);
  }
}

// Reduces chunks firstChunk.. of `rows` for `width` columns at data and writes them to out.
template <typename T, typename Op>
void reduceStrip(Strip<T>& strip, const T* data, const StridedDims& rows, int64_t firstRow, int64_t endRow, int width,
                 T* out, Op op) {
  Odometer at;
  at.seek(rows, firstRow);
  uint32_t count = 0;
  for (int64_t row = firstRow; row < endRow; row += reduceChunk) {
    const int chunk = static_cast<int>(endRow - row < reduceChunk ? endRow - row : reduceChunk);
    reduceStripChunk(strip, data, rows, at, chunk, width, op);
    int level = 0;
    const T* state = strip.lanes[0];
    for (uint32_t n = count; n & 1; n >>= 1) {
      combineInto(strip.levels[level], state, width, op);
      state = strip.levels[level++];
    }
    __builtin_memcpy(strip.levels[level], state, static_cast<size_t>(width) * sizeof(T));
    count++;
  }
  int level = __builtin_ctz(count);
  const T* state = strip.levels[level];
  for (uint32_t n = count >> (level + 1); n != 0; n >>= 1) {
    level++;
    if ((n & 1) == 0) continue;
    combineInto(strip.levels[level], state, width, op);
    state = strip.levels[level];
  }
  __builtin_memcpy(out, state, static_cast<size_t>(width) * sizeof(T));
}

}  // namespace
}  // namespace saddlepoint
