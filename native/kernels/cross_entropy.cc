// The cross-entropy of softmax for class indices, and its gradient: one pass over the logits each.
#include "index.h"
#include "kernel.h"
#include "parallel.h"
#include "partial.h"
#include "softmax_rows.h"

namespace saddlepoint {
namespace {

constexpr int64_t elementsPerPart = 16384;

struct Labels {
  const int32_t* label;
  int64_t rows;
  int32_t classes, ignored;
  int64_t count;  // what a row's share is divided by

  Labels(const Call& call, const View& logits, const View& labels)
      : label(static_cast<const int32_t*>(labels.data)),
        rows(labels.size),
        classes(logits.shape[1]),
        ignored(static_cast<int32_t>(call.attributes[0])),
        count(1) {
    if (call.attributes[1] == 0) return;
    int64_t skipped = 0;
    for (int64_t i = 0; i < rows; i++) skipped += label[i] == ignored;
    count = rows - skipped;
  }
  bool isClass(int64_t row) const { return label[row] >= 0 && label[row] < classes; }
};

// Calls rowOf(row) for all rows whose label is a class, ignoredRow(row) for those that are ignored, and fails for others.
template <typename RowOf, typename IgnoredRow>
Failure overRows(const Call& call, const Labels& labels, const RowOf& rowOf, const IgnoredRow& ignoredRow) {
  FirstInvalid invalid;
  const int64_t perPart = labels.classes < elementsPerPart ? elementsPerPart / labels.classes : 1;
  const Failure failure = runParts(call, ceilDivide(labels.rows, perPart), [&](int part, int) {
    const int64_t end = smaller(labels.rows, (part + 1) * perPart);
    for (int64_t row = part * perPart; row < end; row++) {
      if (labels.label[row] == labels.ignored) {
        ignoredRow(row);
      } else if (labels.isClass(row)) {
        rowOf(row);
      } else {
        invalid.note(row);
      }
    }
    return true;
  });
  return failure == kOk ? invalid.failure(call, labels.label, labels.classes) : failure;
}

template <typename T>
T logOf(T x) {
  return firstLane(log(Vec<T>::broadcast(x)));
}

template <typename T>
Failure loss(const Call& call) {
  const Labels labels(call, call.inputs[0], call.inputs[1]);
  const T* logits = static_cast<const T*>(call.inputs[0].data);
  T* out = static_cast<T*>(call.outputs[0].data);
  const T count = static_cast<T>(labels.count);
  const int n = labels.classes;
  return overRows(
      call, labels,
      [&](int64_t row) {
        const T* x = logits + row * n;
        const T max = maxOfRow(x, n);
        const T sum = sumOfRow<false>(x, static_cast<T*>(nullptr), n, max);
        out[row] = (logOf(sum) - (x[labels.label[row]] - max)) / count;
      },
      [&](int64_t row) { out[row] = T(0) / count; });
}

template <typename T>
Failure gradient(const Call& call) {
  using V = Vec<T>;
  const View& g = call.inputs[0];
  const Labels labels(call, call.inputs[1], call.inputs[2]);
  const T* logits = static_cast<const T*>(call.inputs[1].data);
  T* out = static_cast<T*>(call.outputs[0].data);
  const T count = static_cast<T>(labels.count);
  const int64_t step = g.size == 1 ? 0 : 1;
  const int n = labels.classes;
  return overRows(
      call, labels,
      [&](int64_t row) {
        const T* x = logits + row * n;
        T* to = out + row * n;
        const T scale = T(1) / sumOfRow<true>(x, to, n, maxOfRow(x, n));
        const T weight = static_cast<const T*>(g.data)[row * step] / count;
        const int32_t label = labels.label[row];
        // The one element from which 1 is taken, before the weight.
        const T chosen = (to[label] * scale - T(1)) * weight;
        const V scales = V::broadcast(scale), weights = V::broadcast(weight);
        for (int i = 0; i < n; i += V::lanes) {
          const int present = smaller<int>(V::lanes, n - i);
          storeSome(loadSome(to + i, present) * scales * weights, to + i, present);
        }
        to[label] = chosen;
      },
      [&](int64_t row) {
        for (int i = 0; i < n; i++) out[row * n + i] = T(0);
      });
}

}  // namespace

SADDLEPOINT_KERNEL(softmaxCrossEntropy) {
  if (call.outputs[0].size == 0) return kOk;
  return call.outputs[0].dtype == kFloat64 ? loss<double>(call) : loss<float>(call);
}

SADDLEPOINT_KERNEL(softmaxCrossEntropyGrad) {
  if (call.outputs[0].size == 0) return kOk;
  return call.outputs[0].dtype == kFloat64 ? gradient<double>(call) : gradient<float>(call);
}

}  // namespace saddlepoint
