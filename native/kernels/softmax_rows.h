// Maximum and sum of exponentials of a contiguous row, from which softmax and the losses on it are made. A row's maximum is
// subtracted first; where it is infinite, inf - inf makes the row NaN. Sums are in the order of reduce_lanes.h.
#pragma once
#include "kernel.h"
#include "reduce_lanes.h"

namespace saddlepoint {
namespace {

template <typename T>
SADDLEPOINT_INLINE T maxOfRow(const T* x, int n) {
  if (n <= reduceChunk) return reduceChunkOf(x, n, MaxOp(), Same());
  T result = reduceChunkOf(x, reduceChunk, MaxOp(), Same());
  for (int i = reduceChunk; i < n; i += reduceChunk) {
    result = MaxOp()(result, reduceChunkOf(x + i, n - i < reduceChunk ? n - i : reduceChunk, MaxOp(), Same()));
  }
  return result;
}

// Sums e^(x - shift) over one chunk and writes the terms to `terms` unless that is null.
template <bool writes, typename T>
SADDLEPOINT_INLINE T sumOfExp(const T* x, T* terms, int n, T shift) {
  using V = Vec<T>;
  const V shifts = V::broadcast(shift);
  Lanes<T> sum = Lanes<T>::broadcast(0);
  int i = 0;
  for (; i + reduceLanes <= n; i += reduceLanes) {
    for (int j = 0; j < Lanes<T>::count; j++) {
      const V term = exp(V::load(x + i + j * V::lanes) - shifts);
      if (writes) term.store(terms + i + j * V::lanes);
      sum.v[j] = sum.v[j] + term;
    }
  }
  for (int j = 0; i < n; i += V::lanes, j++) {
    const int left = n - i < V::lanes ? n - i : V::lanes;
    const V term = select(firstLanes<T>(left), exp(V::loadPartial(x + i, left) - shifts), V::zero());
    if (writes) term.storePartial(terms + i, left);
    sum.v[j] = sum.v[j] + term;
  }
  return combineLanes(sum, SumOp());
}

template <bool writes, typename T>
SADDLEPOINT_INLINE T sumOfRow(const T* x, T* terms, int n, T shift) {
  if (n <= reduceChunk) return sumOfExp<writes>(x, terms, n, shift);
  PairTree<T, SumOp> tree;
  for (int i = 0; i < n; i += reduceChunk) {
    tree.push(sumOfExp<writes>(x + i, writes ? terms + i : nullptr, n - i < reduceChunk ? n - i : reduceChunk, shift),
              SumOp());
  }
  return tree.finish(SumOp());
}

template <typename T>
SADDLEPOINT_INLINE void scaleRow(T* x, int n, T factor) {
  using V = Vec<T>;
  const V factors = V::broadcast(factor);
  int i = 0;
  for (; i + V::lanes <= n; i += V::lanes) (V::load(x + i) * factors).store(x + i);
  if (i < n) (V::loadPartial(x + i, n - i) * factors).storePartial(x + i, n - i);
}

// `out` may be x.
template <typename T>
SADDLEPOINT_INLINE void softmaxRow(const T* x, T* out, int n) {
  scaleRow(out, n, T(1) / sumOfRow<true>(x, out, n, maxOfRow(x, n)));
}

// A row of at most 16 elements, without leaving registers; what is padded with -inf adds 0 to the sum.
template <typename T>
struct ShortRow {
  Lanes<T> differences, terms;
  T sum;

  SADDLEPOINT_INLINE ShortRow(const T* x, int n) {
    differences = Lanes<T>::loadPartial(x, n, -MathConstants<T>::infinity);
    const Vec<T> max = Vec<T>::broadcast(combineLanes(differences, MaxOp()));
    Lanes<T> sums = Lanes<T>::broadcast(0);
    for (int i = 0; i < Lanes<T>::count; i++) {
      differences.v[i] = differences.v[i] - max;
      terms.v[i] = exp(differences.v[i]);
      sums.v[i] = sums.v[i] + terms.v[i];
    }
    sum = combineLanes(sums, SumOp());
  }
};

}  // namespace
}  // namespace saddlepoint
