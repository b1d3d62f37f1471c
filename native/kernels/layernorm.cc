// Layer normalisation of the rows of [R, D] and its gradients, each of which takes the statistics of a row again while
// it is in the first-level cache: that costs less than to keep them.
#include "kernel.h"
#include "lane_sums.h"
#include "parallel.h"

namespace saddlepoint {
namespace {

// Elements of a part that rows are cut into; parts that sums over rows are cut into.
enum { kElements = 1 << 15, kSumParts = 32 };

template <typename T>
struct RowStatistics {
  T mean, inverse;  // 1 / √(variance + eps)
};

template <typename T>
RowStatistics<T> statisticsOf(const T* x, ptrdiff_t n, double eps) {
  LaneSums<T> sums;
  sums.over(n, [&](Vec<T> sum, ptrdiff_t i, int present) { return sum + loadSome(x + i, present); });
  const T mean = sums.sum() / static_cast<T>(n);
  const Repeated<T> center(mean);
  LaneSums<T> squares;
  squares.over(n, [&](Vec<T> sum, ptrdiff_t i, int present) {
    const Vec<T> deviation = loadSome(x + i, present) - center.present(present);
    return fma(deviation, deviation, sum);
  });
  const double variance = static_cast<double>(squares.sum()) / static_cast<double>(n);
  return {mean, static_cast<T>(1 / __builtin_sqrt(variance + eps))};
}

// body(i, elements present) for whole vectors and what is left of a row.
template <typename T, typename Body>
SADDLEPOINT_INLINE void forVectors(ptrdiff_t n, const Body& body) {
  ptrdiff_t i = 0;
  for (; i + Vec<T>::lanes <= n; i += Vec<T>::lanes) body(i, int(Vec<T>::lanes));
  if (i < n) body(i, static_cast<int>(n - i));
}

template <typename T, typename Body>
Failure forRows(const Call& call, const View& x, const Body& body) {
  const ptrdiff_t rows = x.shape[0], n = x.shape[1], perPart = larger<ptrdiff_t>(1, kElements / n);
  return runParts(call, ceilDivide(rows, perPart), [&](int part, int) {
    for (ptrdiff_t row = part * perPart; row < smaller(rows, (part + 1) * perPart); ++row) body(row * n);
    return true;
  });
}

template <typename T>
const T* dataOf(const Call& call, int input) {
  return static_cast<const T*>(call.inputs[input].data);
}

template <typename T>
Failure layerNorm(const Call& call) {
  using V = Vec<T>;
  const View& x = call.inputs[0];
  if (x.size == 0) return kOk;
  const ptrdiff_t n = x.shape[1];
  const T *weight = dataOf<T>(call, 1), *bias = dataOf<T>(call, 2);
  return forRows<T>(call, x, [&](ptrdiff_t at) {
    const T* from = dataOf<T>(call, 0) + at;
    T* to = static_cast<T*>(call.outputs[0].data) + at;
    const RowStatistics<T> row = statisticsOf(from, n, call.attributes[0]);
    const V mean = V::broadcast(row.mean), inverse = V::broadcast(row.inverse);
    forVectors<T>(n, [&](ptrdiff_t i, int present) {
      const V normalized = (loadSome(from + i, present) - mean) * inverse;
      storeSome(fma(normalized, loadSome(weight + i, present), loadSome(bias + i, present)), to + i, present);
    });
  });
}

// With v = g weight and x̂ the normalised row: inverse (v - mean of v - x̂ · mean of v x̂).
template <typename T>
Failure layerNormInputGrad(const Call& call) {
  using V = Vec<T>;
  const View& x = call.inputs[1];
  if (x.size == 0) return kOk;
  const ptrdiff_t n = x.shape[1];
  const T* weight = dataOf<T>(call, 2);
  return forRows<T>(call, x, [&](ptrdiff_t at) {
    const T *g = dataOf<T>(call, 0) + at, *from = dataOf<T>(call, 1) + at;
    T* to = static_cast<T*>(call.outputs[0].data) + at;
    const RowStatistics<T> row = statisticsOf(from, n, call.attributes[0]);
    const Repeated<T> center(row.mean);
    LaneSums<T> sums, products;
    sums.over(n, [&](V sum, ptrdiff_t i, int present) {
      return fma(loadSome(g + i, present), loadSome(weight + i, present), sum);
    });
    products.over(n, [&](V sum, ptrdiff_t i, int present) {
      const V scaled = loadSome(g + i, present) * loadSome(weight + i, present);
      return fma(scaled, loadSome(from + i, present) - center.present(present), sum);
    });
    const V mean = V::broadcast(row.mean), inverse = V::broadcast(row.inverse);
    const V shift = V::broadcast(sums.sum() / static_cast<T>(n));
    const V slope = V::broadcast(products.sum() / static_cast<T>(n) * row.inverse * row.inverse);
    forVectors<T>(n, [&](ptrdiff_t i, int present) {
      const V centered = fma(loadSome(g + i, present), loadSome(weight + i, present), -shift);
      storeSome(inverse * fnma(loadSome(from + i, present) - mean, slope, centered), to + i, present);
    });
  });
}

// Σ g x̂ and Σ g over the rows, [2, D]: chunks of rows, cut by shape and added up in order.
template <typename T>
Failure layerNormWeightGrads(const Call& call) {
  using V = Vec<T>;
  const View& x = call.inputs[1];
  const ptrdiff_t rows = x.shape[0], n = x.shape[1];
  T* out = static_cast<T*>(call.outputs[0].data);
  const ptrdiff_t least = larger<ptrdiff_t>(1, kElements / larger<ptrdiff_t>(n, 1));
  const ptrdiff_t perPart = larger(least, ceilDivide(rows, kSumParts)), parts = ceilDivide(rows, perPart);
  T* sums = scratchOf<T>(call, 0, 0, static_cast<size_t>(2 * n * parts));
  if (!sums) return kFailMemory;
  runParts(call, parts, [&](int part, int) {
    T *products = sums + 2 * n * part, *plain = products + n;
    for (ptrdiff_t i = 0; i < 2 * n; ++i) products[i] = 0;
    for (ptrdiff_t row = part * perPart; row < smaller(rows, (part + 1) * perPart); ++row) {
      const T *g = dataOf<T>(call, 0) + row * n, *from = dataOf<T>(call, 1) + row * n;
      const RowStatistics<T> statistics = statisticsOf(from, n, call.attributes[0]);
      const V mean = V::broadcast(statistics.mean), inverse = V::broadcast(statistics.inverse);
      forVectors<T>(n, [&](ptrdiff_t i, int present) {
        const V gradient = loadSome(g + i, present), normalized = (loadSome(from + i, present) - mean) * inverse;
        storeSome(fma(gradient, normalized, loadSome(products + i, present)), products + i, present);
        storeSome(loadSome(plain + i, present) + gradient, plain + i, present);
      });
    }
    return true;
  });
  forVectors<T>(2 * n, [&](ptrdiff_t i, int present) {
    V sum = V::zero();
    for (ptrdiff_t part = 0; part < parts; ++part) sum = sum + loadSome(sums + 2 * n * part + i, present);
    storeSome(sum, out + i, present);
  });
  return kOk;
}

}  // namespace

SADDLEPOINT_KERNEL(layerNorm) {
  return call.outputs[0].dtype == kFloat64 ? layerNorm<double>(call) : layerNorm<float>(call);
}

SADDLEPOINT_KERNEL(layerNormInputGrad) {
  return call.outputs[0].dtype == kFloat64 ? layerNormInputGrad<double>(call) : layerNormInputGrad<float>(call);
}

SADDLEPOINT_KERNEL(layerNormWeightGrads) {
  return call.outputs[0].dtype == kFloat64 ? layerNormWeightGrads<double>(call) : layerNormWeightGrads<float>(call);
}

}  // namespace saddlepoint
