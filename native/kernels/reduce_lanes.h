// The order in which reductions combine elements, the same on every path, for any thread count and instruction set:
// element i of a chunk goes to lane i mod 16, lanes are combined as a tree (lane j with lane j + 8, then + 4, + 2, +
// 1), and chunks as a tree of pairs.
#pragma once
#include "../simd/vec.h"
#include "kernel.h"
#include "vector_math.h"

namespace saddlepoint {
namespace {

constexpr int reduceLanes = 16;
constexpr int reduceChunk = 1024;

template <typename T>
struct Lanes {
  static constexpr int count = reduceLanes / Vec<T>::lanes;
  Vec<T> v[count];

  static SADDLEPOINT_INLINE Lanes broadcast(T x) {
    Lanes lanes;
    for (int i = 0; i < count; i++) lanes.v[i] = Vec<T>::broadcast(x);
    return lanes;
  }
  static SADDLEPOINT_INLINE Lanes load(const T* p) {
    Lanes lanes;
    for (int i = 0; i < count; i++) lanes.v[i] = Vec<T>::load(p + i * Vec<T>::lanes);
    return lanes;
  }
  // The first n, 0 < n <= 16, of p; the others are `rest`.
  static SADDLEPOINT_INLINE Lanes loadPartial(const T* p, int n, T rest) {
    Lanes lanes;
    for (int i = 0; i < count; i++) lanes.v[i] = loadPartialVector(p + i * Vec<T>::lanes, n - i * Vec<T>::lanes, rest);
    return lanes;
  }
  static SADDLEPOINT_INLINE Vec<T> loadPartialVector(const T* p, int n, T rest) {
    if (n >= Vec<T>::lanes) return Vec<T>::load(p);
    if (n <= 0) return Vec<T>::broadcast(rest);
    return select(firstLanes<T>(n), Vec<T>::loadPartial(p, n), Vec<T>::broadcast(rest));
  }
};

template <int k>
struct HalvingFrom {
  template <typename V, typename Op>
  static SADDLEPOINT_INLINE V apply(V v, Op op) {
    return HalvingFrom<k / 2>::apply(op(v, swapLanes<k>(v)), op);
  }
};
template <>
struct HalvingFrom<0> {
  template <typename V, typename Op>
  static SADDLEPOINT_INLINE V apply(V v, Op) {
    return v;
  }
};

// One value of 16 lanes.
template <typename T, typename Op>
SADDLEPOINT_INLINE T combineLanes(Lanes<T> lanes, Op op) {
  for (int half = Lanes<T>::count / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) lanes.v[i] = op(lanes.v[i], lanes.v[i + half]);
  }
  return firstLane(HalvingFrom<Vec<T>::lanes / 2>::apply(lanes.v[0], op));
}

struct SumOp {
  template <typename T>
  static constexpr T identity = T(0);
  template <typename T>
  SADDLEPOINT_INLINE Vec<T> operator()(Vec<T> a, Vec<T> b) const {
    return a + b;
  }
  template <typename T>
  SADDLEPOINT_INLINE T operator()(T a, T b) const {
    return a + b;
  }
  SADDLEPOINT_INLINE int32_t operator()(int32_t a, int32_t b) const {
    return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
  }
};

template <typename T>
constexpr T lowest = -MathConstants<T>::infinity;
template <>
constexpr int32_t lowest<int32_t> = INT32_MIN;
template <typename T>
constexpr T highest = MathConstants<T>::infinity;
template <>
constexpr int32_t highest<int32_t> = INT32_MAX;

struct MaxOp {
  template <typename T>
  static constexpr T identity = lowest<T>;
  template <typename T>
  SADDLEPOINT_INLINE Vec<T> operator()(Vec<T> a, Vec<T> b) const {
    return maximum(a, b);
  }
  SADDLEPOINT_INLINE Vec<int32_t> operator()(Vec<int32_t> a, Vec<int32_t> b) const { return max(a, b); }
  template <typename T>
  SADDLEPOINT_INLINE T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};

struct MinOp {
  template <typename T>
  static constexpr T identity = highest<T>;
  template <typename T>
  SADDLEPOINT_INLINE Vec<T> operator()(Vec<T> a, Vec<T> b) const {
    return minimum(a, b);
  }
  SADDLEPOINT_INLINE Vec<int32_t> operator()(Vec<int32_t> a, Vec<int32_t> b) const { return min(a, b); }
  template <typename T>
  SADDLEPOINT_INLINE T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};

// Combines map(x[i]) over n elements of one chunk.
template <typename T, typename Op, typename Map>
SADDLEPOINT_INLINE T reduceChunkOf(const T* x, int n, Op op, Map map) {
  Lanes<T> sum = Lanes<T>::broadcast(Op::template identity<T>);
  int i = 0;
  for (; i + reduceLanes <= n; i += reduceLanes) {
    const Lanes<T> next = Lanes<T>::load(x + i);
    for (int j = 0; j < Lanes<T>::count; j++) sum.v[j] = op(sum.v[j], map(next.v[j]));
  }
  // Lanes behind the end must not change, whatever map makes of their padding.
  for (int j = 0; i < n; i += Vec<T>::lanes, j++) {
    const Vec<T> mapped = map(Lanes<T>::loadPartialVector(x + i, n - i, T(0)));
    const Vec<T> rest = Vec<T>::broadcast(Op::template identity<T>);
    sum.v[j] = op(sum.v[j], n - i >= Vec<T>::lanes ? mapped : select(firstLanes<T>(n - i), mapped, rest));
  }
  return combineLanes(sum, op);
}

struct Same {
  template <typename V>
  SADDLEPOINT_INLINE V operator()(V x) const {
    return x;
  }
};

// Combines values one after the other as a tree of pairs: 0 with 1, 2 with 3, then those, and so on.
template <typename State, typename Combine>
struct PairTree {
  State levels[32] = {};
  uint32_t count = 0;

  void push(State state, Combine combine) {
    int level = 0;
    for (uint32_t n = count; n & 1; n >>= 1) state = combine(levels[level++], state);
    levels[level] = state;
    count++;
  }
  // Of at least one value.
  State finish(Combine combine) const {
    int level = __builtin_ctz(count);
    State state = levels[level];
    for (uint32_t n = count >> (level + 1); n != 0; n >>= 1) {
      level++;
      if (n & 1) state = combine(levels[level], state);
    }
    return state;
  }
};

}  // namespace
}  // namespace saddlepoint
