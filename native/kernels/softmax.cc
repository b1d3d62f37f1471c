// softmax and logSoftmax of contiguous rows.
#include "kernel.h"
#include "parallel.h"
#include "softmax_rows.h"

namespace saddlepoint {
namespace {

constexpr int64_t elementsPerPart = 16384;

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
  static void row(const T* x, T* out, int n) { softmaxRow(x, out, n); }
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
