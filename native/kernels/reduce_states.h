// What each reduction keeps of a chunk, how two of those combine, and what comes out.
#pragma once
#include "reduce_lanes.h"

namespace saddlepoint {
namespace {

// A reduction R has: Element, Out, State; chunk(x, n, first) of elements first..first+n-1 (n >= 1); combine(a, b), a
// before b; finish(state, total count, correction); empty(), the result of no elements.

template <typename T, typename Op>
struct Folding {
  using Element = T;
  using Out = T;
  using State = T;
  static State chunk(const T* x, int n, int64_t) { return reduceChunkOf(x, n, Op(), Same()); }
  static State combine(State a, State b) { return Op()(a, b); }
  static Out finish(State state, int64_t, double) { return state; }
  static Out empty() { return Op::template identity<T>; }
};

SADDLEPOINT_INLINE Mask32 sameAs(Vec<int32_t> v, Vec<int32_t> value) { return eq(v, value); }
template <typename T>
SADDLEPOINT_INLINE MaskOf<T> sameAs(Vec<T> v, Vec<T> value) {
  return eq(v, value) | (isNan(v) & isNan(value));
}

// Where `value`, possibly NaN, first is in x, which has it.
template <typename T>
inline int firstEqual(const T* x, int n, T value) {
  using V = Vec<T>;
  const V values = V::broadcast(value);
  int i = 0;
  while (i + V::lanes <= n && !any(sameAs(V::load(x + i), values))) i += V::lanes;
  while (i < n - 1 && !(x[i] == value || (value != value && x[i] != x[i]))) i++;
  return i;
}

template <typename T, typename Op>
struct Arg {
  using Element = T;
  using Out = int32_t;
  struct State {
    T value;
    int32_t index;
  };
  static State chunk(const T* x, int n, int64_t first) {
    const T value = reduceChunkOf(x, n, Op(), Same());
    return {value, static_cast<int32_t>(first) + firstEqual(x, n, value)};
  }
  static State combine(State a, State b) {
    const bool keepsFirst = a.value != a.value || (b.value == b.value && Op()(a.value, b.value) == a.value);
    return keepsFirst ? a : b;
  }
  static Out finish(State state, int64_t, double) { return state.index; }
  static Out empty() { return 0; }
};

template <typename T>
inline T scalarExp(T x) {
  T values[Vec<T>::lanes];
  exp(Vec<T>::broadcast(x)).store(values);
  return values[0];
}

template <typename T>
inline T scalarLog(T x) {
  T values[Vec<T>::lanes];
  log(Vec<T>::broadcast(x)).store(values);
  return values[0];
}

template <typename T>
struct LogSumExp {
  using Element = T;
  using Out = T;
  struct State {
    T max;
    T sum;  // of e^(x - shift(max))
  };
  // An infinite or NaN maximum is not subtracted, so that it shows in the sum.
  static T shift(T max) { return max - max == 0 ? max : T(0); }
  static State chunk(const T* x, int n, int64_t) {
    const T max = reduceChunkOf(x, n, MaxOp(), Same());
    const Vec<T> shifts = Vec<T>::broadcast(shift(max));
    return {max, reduceChunkOf(x, n, SumOp(), [shifts](Vec<T> v) { return exp(v - shifts); })};
  }
  static T scaled(State state, T to) { return state.sum == 0 ? T(0) : state.sum * scalarExp(shift(state.max) - to); }
  static State combine(State a, State b) {
    const T max = MaxOp()(a.max, b.max);
    return {max, scaled(a, shift(max)) + scaled(b, shift(max))};
  }
  static Out finish(State state, int64_t, double) { return shift(state.max) + scalarLog(state.sum); }
  static Out empty() { return -MathConstants<T>::infinity; }
};

// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
template <typename T>
struct Variance {
  using Element = T;
  using Out = T;
  struct State {
    T count, mean, squares;  // sum of (x - mean)^2
  };
  static State chunk(const T* x, int n, int64_t) {
    const T mean = reduceChunkOf(x, n, SumOp(), Same()) / static_cast<T>(n);
    const Vec<T> means = Vec<T>::broadcast(mean);
    return {static_cast<T>(n), mean,
            reduceChunkOf(x, n, SumOp(), [means](Vec<T> v) { return (v - means) * (v - means); })};
  }
  static State combine(State a, State b) {
    const T count = a.count + b.count, share = b.count / count, delta = b.mean - a.mean;
    return {count, a.mean + delta * share, a.squares + b.squares + delta * delta * (a.count * share)};
  }
  static Out finish(State state, int64_t count, double correction) {
    const double divisor = static_cast<double>(count) - correction;
    return state.squares / static_cast<T>(divisor > 0 ? divisor : 0);
  }
  static Out empty() { return __builtin_nanf(""); }
};

}  // namespace
}  // namespace saddlepoint
