// Reductions over the trailing dims of a strided view. How work is cut follows from shapes, and the order of
// combination from the number of reduced elements alone (reduce_lanes.h).
#include "kernel.h"
#include "page_starts.h"
#include "parallel.h"
#include "reduce_columns.h"
#include "reduce_states.h"
#include "strided.h"

namespace saddlepoint {
namespace {

constexpr int64_t elementsPerPart = 65536;

struct Problem {
  const Call* call;
  StridedDims kept, reduced;
  int64_t outputs, count;     // kept elements; reduced elements for each
  int64_t groups, groupSize;  // the reduced elements in groups of groupSize, a power of two of chunks
  int64_t unitsPerPart;
  void* partials;
};

int64_t sizeOf(const int32_t* shape, int rank) {
  int64_t size = 1;
  for (int i = 0; i < rank; i++) size *= shape[i];
  return size;
}

Problem problemOf(const Call& call) {
  const View& x = call.inputs[0];
  const int kept = static_cast<int>(call.attributes[0]);
  Problem problem;
  problem.call = &call;
  problem.outputs = sizeOf(x.shape, kept);
  problem.count = sizeOf(x.shape + kept, x.rank - kept);
  if (problem.outputs > 0 && problem.count > 0) {
    problem.kept = collapseDims(x.shape, x.strides, kept);
    problem.reduced = collapseDims(x.shape + kept, x.strides + kept, x.rank - kept);
  }
  problem.partials = nullptr;
  return problem;
}

// Groups only where one unit, `width` outputs wide, is more than a part should have.
void divide(Problem& problem, int64_t width) {
  problem.groupSize = reduceChunk;
  while (problem.groupSize * width < elementsPerPart) problem.groupSize *= 2;
  problem.groups = ceilDivide(problem.count, problem.groupSize);
  const int64_t work = problem.count * width;
  problem.unitsPerPart = problem.groups > 1 || work >= elementsPerPart ? 1 : elementsPerPart / work;
}

int64_t endOfGroup(const Problem& problem, int64_t group) {
  const int64_t end = (group + 1) * problem.groupSize;
  return end < problem.count ? end : problem.count;
}

void seek(Odometer& at, const StridedDims& dims, int64_t index) {
  if (index == 0) {
    at.offset = 0;
    for (int i = 0; i < dims.rank; i++) at.position[i] = 0;
  } else {
    at.seek(dims, index);
  }
}

void next(Odometer& at, const StridedDims& dims) {
  if (dims.rank > 0) at.advance(dims, 1);
}

template <typename R>
typename R::State reduceRange(const Problem& problem, const typename R::Element* data, int64_t begin, int64_t end) {
  using T = typename R::Element;
  const bool contiguous = isContiguous(problem.reduced);
  const auto chunkAt = [&](int64_t i, int n) {
    prefetchPageStarts(data + i, n * int64_t{sizeof(T)});
    return R::chunk(data + i, n, i);
  };
  if (contiguous && end - begin <= reduceChunk) return chunkAt(begin, static_cast<int>(end - begin));
  T gathered[reduceChunk];
  Odometer at;
  if (!contiguous) seek(at, problem.reduced, begin);
  PairTree<typename R::State, decltype(&R::combine)> tree;
  for (int64_t i = begin; i < end; i += reduceChunk) {
    const int n = static_cast<int>(end - i < reduceChunk ? end - i : reduceChunk);
    if (!contiguous) gather(gathered, data, problem.reduced, at, n);
    tree.push(contiguous ? chunkAt(i, n) : R::chunk(gathered, n, i), &R::combine);
  }
  return tree.finish(&R::combine);
}

template <typename R>
void reduceRowsPart(const Problem& problem, int64_t part) {
  const auto* data = static_cast<const typename R::Element*>(problem.call->inputs[0].data);
  auto* out = static_cast<typename R::Out*>(problem.call->outputs[0].data);
  auto* partials = static_cast<typename R::State*>(problem.partials);
  const double correction = problem.call->attributeCount > 1 ? problem.call->attributes[1] : 0;
  const int64_t group = part % problem.groups;
  const int64_t first = part / problem.groups * problem.unitsPerPart;
  const int64_t limit = first + problem.unitsPerPart;
  const int64_t end = limit < problem.outputs ? limit : problem.outputs;
  Odometer at;
  seek(at, problem.kept, first);
  for (int64_t i = first; i < end; i++, next(at, problem.kept)) {
    const auto state = reduceRange<R>(problem, data + at.offset, group * problem.groupSize, endOfGroup(problem, group));
    if (partials != nullptr) {
      partials[i * problem.groups + group] = state;
    } else {
      out[i] = R::finish(state, problem.count, correction);
    }
  }
}

bool allocatePartials(Problem& problem, size_t bytes) {
  problem.partials = scratchOf<char>(*problem.call, 0, 0, bytes);
  return problem.partials != nullptr;
}

template <typename R>
Failure reduceRows(Problem& problem) {
  using State = typename R::State;
  divide(problem, 1);
  const int64_t partialCount = problem.outputs * problem.groups;
  if (problem.groups > 1 && !allocatePartials(problem, static_cast<size_t>(partialCount) * sizeof(State)))
    return kFailMemory;
  const int64_t unitParts = ceilDivide(problem.outputs, problem.unitsPerPart);
  runParts(*problem.call, unitParts * problem.groups, [&](int part, int) {
    reduceRowsPart<R>(problem, part);
    return true;
  });
  if (problem.groups > 1) {
    auto* out = static_cast<typename R::Out*>(problem.call->outputs[0].data);
    const State* partials = static_cast<const State*>(problem.partials);
    const double correction = problem.call->attributeCount > 1 ? problem.call->attributes[1] : 0;
    for (int64_t i = 0; i < problem.outputs; i++) {
      PairTree<State, decltype(&R::combine)> tree;
      for (int64_t j = 0; j < problem.groups; j++) tree.push(partials[i * problem.groups + j], &R::combine);
      out[i] = R::finish(tree.finish(&R::combine), problem.count, correction);
    }
  }
  return kOk;
}

template <typename R>
Failure reduce(const Call& call) {
  Problem problem = problemOf(call);
  if (problem.outputs == 0) return kOk;
  if (problem.count == 0) {
    auto* out = static_cast<typename R::Out*>(call.outputs[0].data);
    for (int64_t i = 0; i < problem.outputs; i++) out[i] = R::empty();
    return kOk;
  }
  return reduceRows<R>(problem);
}

int64_t stripsOf(const Problem& problem) { return ceilDivide(problem.kept.shape[0], stripWidth); }

// A unit is a strip: `stripWidth` neighbours, or what is left, of the innermost kept dim.
template <typename T, typename Op>
bool reduceColumnsPart(const Problem& problem, int64_t part, int worker) {
  Strip<T>* strip = scratchOf<Strip<T>>(*problem.call, worker, 1, 1);
  if (strip == nullptr) return false;
  const T* data = static_cast<const T*>(problem.call->inputs[0].data);
  T* out = static_cast<T*>(problem.call->outputs[0].data);
  T* partials = static_cast<T*>(problem.partials);
  const int64_t strips = stripsOf(problem), inner = problem.kept.shape[0], units = problem.outputs / inner * strips;
  const int64_t group = part % problem.groups;
  const int64_t first = part / problem.groups * problem.unitsPerPart;
  const int64_t limit = first + problem.unitsPerPart;
  for (int64_t unit = first; unit < limit && unit < units; unit++) {
    const int64_t column = unit % strips * stripWidth, index = unit / strips * inner + column;
    const int width = static_cast<int>(inner - column < stripWidth ? inner - column : stripWidth);
    Odometer at;
    at.seek(problem.kept, index);
    T* to = partials == nullptr ? out + index : partials + (group * problem.outputs + index);
    reduceStrip(*strip, data + at.offset, problem.reduced, group * problem.groupSize, endOfGroup(problem, group), width,
                to, Op());
  }
  return true;
}

template <typename T, typename Op>
Failure reduceColumns(Problem& problem) {
  const int64_t inner = problem.kept.shape[0];
  divide(problem, inner < stripWidth ? inner : stripWidth);
  const int64_t partialCount = problem.outputs * problem.groups;
  if (problem.groups > 1 && !allocatePartials(problem, static_cast<size_t>(partialCount) * sizeof(T)))
    return kFailMemory;
  const int64_t units = problem.outputs / inner * stripsOf(problem);
  const int64_t unitParts = ceilDivide(units, problem.unitsPerPart);
  const auto body = [&](int part, int worker) { return reduceColumnsPart<T, Op>(problem, part, worker); };
  if (runParts(*problem.call, unitParts * problem.groups, body) != kOk) return kFailMemory;
  if (problem.groups > 1) {
    T* out = static_cast<T*>(problem.call->outputs[0].data);
    const T* partials = static_cast<const T*>(problem.partials);
    for (int64_t i = 0; i < problem.outputs; i++) {
      PairTree<T, Op> tree;
      for (int64_t j = 0; j < problem.groups; j++) tree.push(partials[j * problem.outputs + i], Op());
      out[i] = tree.finish(Op());
    }
  }
  return kOk;
}

template <typename T, typename Op>
Failure fold(const Call& call) {
  Problem problem = problemOf(call);
  const bool columns = problem.outputs > 0 && problem.count > 1 && problem.kept.rank > 0 &&
                       problem.kept.strides[0] == 1 && problem.reduced.strides[0] != 1;
  return columns ? reduceColumns<T, Op>(problem) : reduce<Folding<T, Op>>(call);
}

template <typename Op>
Failure foldAny(const Call& call) {
  switch (call.inputs[0].dtype) {
    case kFloat32:
      return fold<float, Op>(call);
    case kFloat64:
      return fold<double, Op>(call);
    case kInt32:
      return fold<int32_t, Op>(call);
    default:
      return kFailInternal;
  }
}

template <typename Op>
Failure argAny(const Call& call) {
  switch (call.inputs[0].dtype) {
    case kFloat32:
      return reduce<Arg<float, Op>>(call);
    case kFloat64:
      return reduce<Arg<double, Op>>(call);
    case kInt32:
      return reduce<Arg<int32_t, Op>>(call);
    default:
      return kFailInternal;
  }
}

}  // namespace

SADDLEPOINT_KERNEL(sum) { return foldAny<SumOp>(call); }
SADDLEPOINT_KERNEL(max) { return foldAny<MaxOp>(call); }
SADDLEPOINT_KERNEL(min) { return foldAny<MinOp>(call); }
SADDLEPOINT_KERNEL(argmax) { return argAny<MaxOp>(call); }
SADDLEPOINT_KERNEL(argmin) { return argAny<MinOp>(call); }

SADDLEPOINT_KERNEL(logSumExp) {
  return call.inputs[0].dtype == kFloat64 ? reduce<LogSumExp<double>>(call) : reduce<LogSumExp<float>>(call);
}

SADDLEPOINT_KERNEL(variance) {
  return call.inputs[0].dtype == kFloat64 ? reduce<Variance<double>>(call) : reduce<Variance<float>>(call);
}

}  // namespace saddlepoint
