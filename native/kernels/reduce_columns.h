// Reductions whose kept elements lie side by side: vectors run over those, and the elements of each are combined in the
// order of reduce_lanes.h all the same.
#pragma once
#include "reduce_lanes.h"
#include "strided.h"

namespace saddlepoint {
namespace {

constexpr int stripWidth = 256;
constexpr int stripLevels = 24;

// What one worker needs for a strip of columns.
template <typename T>
struct Strip {
  // A line longer, lest a load wait for a store of 4 KB before.
  alignas(64) T lanes[reduceLanes][stripWidth + 64 / sizeof(T)];
  alignas(64) T levels[stripLevels][stripWidth];
  int64_t offsets[reduceChunk];  // of a chunk's rows
};

template <typename T, typename Op>
SADDLEPOINT_INLINE void combineInto(T* a, const T* b, int width, Op op) {
  using V = Vec<T>;
  int i = 0;
  for (; i + V::lanes <= width; i += V::lanes) op(V::load(a + i), V::load(b + i)).store(a + i);
  if (i < width) op(V::loadPartial(a + i, width - i), V::loadPartial(b + i, width - i)).storePartial(a + i, width - i);
}

// Row after row, for rows that lie close together.
template <typename T, typename Op>
SADDLEPOINT_INLINE void reduceRowByRow(Strip<T>& strip, const T* data, const StridedDims& rows, Odometer& at, int count,
                                       int width, Op op) {
  for (int i = 0; i < smaller(count, reduceLanes); i++) {
    for (int j = 0; j < width; j++) strip.lanes[i][j] = Op::template identity<T>;
  }
  for (int i = 0; i < count; i++) {
    combineInto(strip.lanes[i % reduceLanes], data + at.offset, width, op);
    at.advance(rows, 1);
  }
}

constexpr int vectorsTogether = 8;

// A lane after the other, rows i, i + 16, ... of it in registers, for rows far apart, which come one by one anyway.
template <int vectors, typename T, typename Op>
SADDLEPOINT_INLINE void reduceLane(const T* data, const int64_t* offsets, int lane, int count, int last, T* out,
                                   Op op) {
  using V = Vec<T>;
  V sums[vectors];
  for (V& sum : sums) sum = V::broadcast(Op::template identity<T>);
  for (int i = lane; i < count; i += reduceLanes) {
    const T* row = data + offsets[i];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) {
      const T* from = row + v * V::lanes;
      sums[v] = op(sums[v], v + 1 < vectors || last == V::lanes ? V::load(from) : V::loadPartial(from, last));
    }
  }
  for (int v = 0; v < vectors; v++) sums[v].store(out + v * V::lanes);
}

template <typename T, typename Op>
void reduceLaneByLane(Strip<T>& strip, const T* data, const StridedDims& rows, Odometer& at, int count, int width,
                      Op op) {
  using V = Vec<T>;
  constexpr int together = vectorsTogether * V::lanes;
  for (int i = 0; i < count; i++, at.advance(rows, 1)) strip.offsets[i] = at.offset;
  for (int i = 0; i < smaller(count, reduceLanes); i++) {
    int j = 0;
    for (; j + together <= width; j += together)
      reduceLane<vectorsTogether>(data + j, strip.offsets, i, count, V::lanes, strip.lanes[i] + j, op);
    for (; j < width; j += V::lanes)
      reduceLane<1>(data + j, strip.offsets, i, count, smaller(V::lanes, width - j), strip.lanes[i] + j, op);
  }
}

// One chunk of rows; leaves the result in strip.lanes[0].
template <typename T, typename Op>
SADDLEPOINT_INLINE void reduceStripChunk(Strip<T>& strip, const T* data, const StridedDims& rows, Odometer& at,
                                         int count, int width, Op op) {
  if (width < vectorsTogether * Vec<T>::lanes) {
    reduceRowByRow(strip, data, rows, at, count, width, op);
  } else {
    reduceLaneByLane(strip, data, rows, at, count, width, op);
  }
  // Lanes without elements were not written.
  const int lanes = smaller(count, reduceLanes);
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
