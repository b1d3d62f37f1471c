// checkRange: x as it is, refused where a number is out of its range.
#include <stdlib.h>

#include "index.h"
#include "parallel.h"

namespace saddlepoint {
namespace {

constexpr int64_t checkedPerPart = 32768;  // elements
constexpr int64_t checkedPerBlock = 256;

struct RangeProblem {
  const View* x;
  void* out;
  double least, most;
  bool allowNaN;
  FirstInvalid invalid;
};

inline bool isOutside(double value, double least, double most, bool allowNaN) {
  return allowNaN ? (value < least || value > most) : !(value >= least && value <= most);
}

template <typename T>
void checkRangePart(RangeProblem& problem, int64_t part) {
  const T* x = static_cast<const T*>(problem.x->data);
  const int64_t first = part * checkedPerPart, limit = first + checkedPerPart, size = problem.x->size;
  const int64_t end = limit < size ? limit : size;
  for (int64_t from = first; from < end; from += checkedPerBlock) {
    const int64_t to = from + checkedPerBlock < end ? from + checkedPerBlock : end;
    int outside = 0;  // counted without branches, so that the compiler makes vectors of it
    for (int64_t i = from; i < to; i++) outside |= isOutside(x[i], problem.least, problem.most, problem.allowNaN);
    if (outside == 0) continue;
    for (int64_t i = from; i < to; i++) {
      if (!isOutside(x[i], problem.least, problem.most, problem.allowNaN)) continue;
      problem.invalid.note(i);
      return;
    }
  }
  __builtin_memcpy(static_cast<T*>(problem.out) + first, x + first, static_cast<size_t>(end - first) * sizeof(T));
}

struct NumberText {
  char text[32];
};

// The fewest digits that give the number back.
NumberText textOf(double value) {
  NumberText result;
  if (value != value || value - value != 0) {
    snprintf(result.text, sizeof result.text, "%s", value != value ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    return result;
  }
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(result.text, sizeof result.text, "%.*g", digits, value);
    if (strtod(result.text, nullptr) == value) break;
  }
  return result;
}

}  // namespace

SADDLEPOINT_KERNEL(checkRange) {
  const View& x = call.inputs[0];
  RangeProblem problem;
  problem.x = &x;
  problem.out = call.outputs[0].data;
  problem.least = call.attributes[0];
  problem.most = call.attributes[1];
  problem.allowNaN = call.attributes[2] != 0;
  const auto body = x.dtype == kFloat64 ? checkRangePart<double> : checkRangePart<float>;
  runParts(call, ceilDivide(x.size, checkedPerPart), [&](int part, int) {
    body(problem, part);
    return true;
  });
  const int64_t position = problem.invalid.position;
  if (position == INT64_MAX) return kOk;
  const double value =
      x.dtype == kFloat64 ? static_cast<const double*>(x.data)[position] : static_cast<const float*>(x.data)[position];
  snprintf(call.message, kMessageBytes, "%s at position %lld is out of range [%s, %s]", textOf(value).text,
           static_cast<long long>(position), textOf(problem.least).text, textOf(problem.most).text);
  return kFailValue;
}

}  // namespace saddlepoint
