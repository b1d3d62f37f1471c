// Sums of rows in 32 lanes, whose order is the same on every instruction set.
#pragma once
#include "parallel.h"
#include "partial.h"

namespace saddlepoint {
namespace {

enum { kLanes = 32 };

// 32 running sums, in as many registers as that takes.
template <typename T>
struct LaneSums {
  using V = Vec<T>;
  V v[kLanes / V::lanes];

  SADDLEPOINT_INLINE LaneSums() {
    for (V& sum : v) sum = V::zero();
  }

  // Lane i gets update(sum, register of elements, elements present) for the elements i, i + 32, ...
  template <typename Update>
  SADDLEPOINT_INLINE void over(ptrdiff_t count, const Update& update) {
    ptrdiff_t i = 0;
    for (; i + kLanes <= count; i += kLanes) {
#pragma GCC unroll 16
      for (int r = 0; r < kLanes / V::lanes; ++r) v[r] = update(v[r], i + r * V::lanes, int(V::lanes));
    }
#pragma GCC unroll 16
    for (int r = 0; r < kLanes / V::lanes; ++r) {
      const ptrdiff_t left = count - i - r * V::lanes;
      if (left > 0) v[r] = update(v[r], i + r * V::lanes, static_cast<int>(smaller<ptrdiff_t>(left, V::lanes)));
    }
  }

  // A tree over the lanes, in their own precision or in double.
  T sum() const { return tree<T>(); }
  double total() const { return tree<double>(); }

 private:
  template <typename Sum>
  Sum tree() const {
    T lanes[kLanes];
    for (int r = 0; r < kLanes / V::lanes; ++r) v[r].store(lanes + r * V::lanes);
    Sum sums[kLanes];
    for (int i = 0; i < kLanes; ++i) sums[i] = static_cast<Sum>(lanes[i]);
#pragma GCC unroll 5
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
    }
    return sums[0];
  }
};

// `value`, but 0 in the lanes that are not present, so that what is subtracted from them leaves 0.
template <typename T>
struct Repeated {
  T lanes[Vec<T>::lanes];
  explicit Repeated(T value) {
    for (T& lane : lanes) lane = value;
  }
  SADDLEPOINT_INLINE Vec<T> present(int count) const { return loadSome(lanes, count); }
};

}  // namespace
}  // namespace saddlepoint
