// softmax and logSoftmax of contiguous rows. A row's maximum is subtracted first; where it is infinite, inf - inf makes
// the row NaN. Sums are in the order of reduce_lanes.h.
#include "kernel.h"
#include "parallel.h"
#include "reduce_lanes.h"

namespace saddlepoint {
namespace {

constexpr int64_t elementsPerPart = 16384;

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

template <typename T>
SADDLEPOINT_INLINE void storeLanes(const Lanes<T>& lanes, T* out, int n) {
  for (int i = 0; i < Lanes<T>::count && n > 0; i++, n -= Vec<T>::lanes) {
    lanes.v[i].storePartial(out + i * Vec<T>::lanes, n < Vec<T>::lanes ? n : Vec<T>::lanes);
  }
}

template <typename T>
struct Softmax {
  static SADDLEPOINT_INLINE void shortRow(const T* x, T* out, int n) {
    ShortRow<T> row(x, n);
    const Vec<T> scale = Vec<T>::broadcast(T(1) / row.sum);
    for (int i = 0; i < Lanes<T>::count; i++) row.terms.v[i] = row.terms.v[i] * scale;
    storeLanes(row.terms, out, n);
  }
  static void row(const T* x, T* out, int n) {
    using V = Vec<T>;
    const V scale = V::broadcast(T(1) / sumOfRow<true>(x, out, n, maxOfRow(x, n)));
    int i = 0;
    for (; i + V::lanes <= n; i += V::lanes) (V::load(out + i) * scale).store(out + i);
    if (i < n) (V::loadPartial(out + i, n - i) * scale).storePartial(out + i, n - i);
  }
};

template <typename T>
struct LogSoftmax {
  static SADDLEPOINT_INLINE void shortRow(const T* x, T* out, int n) {
    ShortRow<T> row(x, n);
    const Vec<T> logSum = log(Vec<T>::broadcast(row.sum));
    for (int i = 0; i < Lanes<T>::count; i++) row.differences.v[i] = row.differences.v[i] - logSum;
    storeLanes(row.differences, out, n);
  }
  static void row(const T* x, T* out, int n) {
    using V = Vec<T>;
    const T max = maxOfRow(x, n);
    const V maxima = V::broadcast(max);
    const V logSums = log(V::broadcast(sumOfRow<false>(x, static_cast<T*>(nullptr), n, max)));
    int i = 0;
    for (; i + V::lanes <= n; i += V::lanes) (V::load(x + i) - maxima - logSums).store(out + i);
    if (i < n) (V::loadPartial(x + i, n - i) - maxima - logSums).storePartial(out + i, n - i);
  }
};

struct Problem {
  const Call* call;
  int n;
  int64_t rows, rowsPerPart;
};

template <typename T, typename Row>
void runPart(const Problem& problem, int part) {
  const T* x = static_cast<const T*>(problem.call->inputs[0].data);
  T* out = static_cast<T*>(problem.call->outputs[0].data);
  const int64_t first = part * problem.rowsPerPart, limit = first + problem.rowsPerPart;
  for (int64_t i = first; i < limit && i < problem.rows; i++)
    Row::row(x + i * problem.n, out + i * problem.n, problem.n);
}

template <typename T, typename Row>
Failure run(const Call& call) {
  const View& x = call.inputs[0];
  if (x.size == 0) return kOk;
  const int n = x.shape[x.rank - 1];
  const Problem problem{&call, n, x.size / n, n < elementsPerPart ? elementsPerPart / n : 1};
  return runParts(call, ceilDivide(problem.rows, problem.rowsPerPart), [&](int part, int) {
    runPart<T, Row>(problem, part);
    return true;
  });
}

}  // namespace

SADDLEPOINT_KERNEL(softmax) {
  return call.inputs[0].dtype == kFloat64 ? run<double, Softmax<double>>(call) : run<float, Softmax<float>>(call);
}

SADDLEPOINT_KERNEL(logSoftmax) {
  return call.inputs[0].dtype == kFloat64 ? run<double, LogSoftmax<double>>(call) : run<float, LogSoftmax<float>>(call);
}

}  // namespace saddlepoint
