// Kernels that move elements by an index or by position: gather, scatterAdd, embedding, embeddingGrad, concat, pad.
#include "index.h"

#include "../simd/vec.h"
#include "kernel.h"
#include "parallel.h"
#include "scalar.h"
#include "strided.h"

namespace saddlepoint {
namespace {

constexpr int64_t movedPerPart = 32768;  // elements

// --- gather and scatterAdd ---

// The index tensor as rows of its innermost dim, and where x's elements for a row begin.
struct IndexedRows {
  const int32_t* index;
  int32_t inner;  // elements of a row
  int64_t rows;
  int64_t step;          // in x, for the next element of a row
  int64_t stride;        // in x, for the next index value
  int32_t limit;         // x's size in the indexed dim
  StridedDims outer;     // the other dims, with strides in x
  int64_t rowsPerSlice;  // rows with the same coordinates in front of the indexed dim
};

IndexedRows indexedRows(const View& x, const View& index, int dim) {
  IndexedRows rows;
  int64_t strides[kMaxRank] = {};
  int64_t stride = 1;
  for (int i = x.rank - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= x.shape[i];
  }
  const int last = x.rank - 1;
  rows.index = static_cast<const int32_t*>(index.data);
  rows.inner = index.shape[last];
  rows.rows = index.size / rows.inner;
  rows.step = dim == last ? 0 : 1;
  rows.stride = strides[dim];
  rows.limit = x.shape[dim];
  rows.outer.rank = 0;
  rows.rowsPerSlice = 1;
  for (int i = last - 1; i >= 0; i--) {
    rows.outer.shape[rows.outer.rank] = index.shape[i];
    rows.outer.strides[rows.outer.rank++] = i == dim ? 0 : strides[i];
    if (i >= dim) rows.rowsPerSlice *= index.shape[i];
  }
  return rows;
}

struct GatherProblem {
  IndexedRows rows;
  const View* x;
  const View* source;
  void* out;
  int64_t rowsPerPart;
  FirstInvalid invalid;
};

template <typename T>
void gatherPart(GatherProblem& problem, int64_t part) {
  const IndexedRows& rows = problem.rows;
  const T* x = static_cast<const T*>(problem.x->data);
  T* out = static_cast<T*>(problem.out);
  const int64_t first = part * problem.rowsPerPart, limit = first + problem.rowsPerPart;
  Odometer at;
  at.seek(rows.outer, first);
  for (int64_t row = first; row < limit && row < rows.rows; row++) {
    const int32_t* index = rows.index + row * rows.inner;
    const T* from = x + at.offset;
    for (int i = 0; i < rows.inner; i++) {
      if (static_cast<uint32_t>(index[i]) >= static_cast<uint32_t>(rows.limit)) {
        problem.invalid.note(row * rows.inner + i);
      } else {
        out[row * rows.inner + i] = from[i * rows.step + index[i] * rows.stride];
      }
    }
    if (rows.outer.rank > 0) at.advance(rows.outer, 1);
  }
}

template <typename T>
SADDLEPOINT_INLINE T added(T a, T b) {
  return a + b;
}
template <>
SADDLEPOINT_INLINE int32_t added(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

// Parts own whole slices, which share no element of the output.
template <typename T>
void scatterAddPart(GatherProblem& problem, int64_t part) {
  const IndexedRows& rows = problem.rows;
  const T* source = static_cast<const T*>(problem.source->data);
  T* out = static_cast<T*>(problem.out);
  const int64_t first = part * problem.rowsPerPart, limit = first + problem.rowsPerPart;
  Odometer at;
  at.seek(rows.outer, first);
  for (int64_t row = first; row < limit && row < rows.rows; row++) {
    const int32_t* index = rows.index + row * rows.inner;
    T* to = out + at.offset;
    for (int i = 0; i < rows.inner; i++) {
      if (static_cast<uint32_t>(index[i]) >= static_cast<uint32_t>(rows.limit)) {
        problem.invalid.note(row * rows.inner + i);
      } else {
        T& target = to[i * rows.step + index[i] * rows.stride];
        target = added(target, source[row * rows.inner + i]);
      }
    }
    if (rows.outer.rank > 0) at.advance(rows.outer, 1);
  }
}

Failure runIndexed(const Call& call, GatherProblem& problem, int64_t rowsPerUnit,
                   void (*body)(GatherProblem&, int64_t)) {
  const int64_t unitElements = rowsPerUnit * problem.rows.inner;
  const int64_t units = unitElements < movedPerPart ? movedPerPart / unitElements : 1;
  problem.rowsPerPart = units * rowsPerUnit;
  runParts(call, ceilDivide(problem.rows.rows, problem.rowsPerPart), [&](int part, int) {
    body(problem, part);
    return true;
  });
  return problem.invalid.failure(call, problem.rows.index, problem.rows.limit);
}

// --- embedding and its gradient ---

struct EmbeddingProblem {
  const Call* call;
  const int32_t* index;
  int64_t count, width;  // number of indices; elements of a row
  int32_t limit;
  int bytes;
  int64_t perPart;
  FirstInvalid invalid;
};

void embeddingPart(EmbeddingProblem& problem, int64_t part) {
  const char* weight = static_cast<const char*>(problem.call->inputs[0].data);
  char* out = static_cast<char*>(problem.call->outputs[0].data);
  const int64_t first = part * problem.perPart, limit = first + problem.perPart, row = problem.width * problem.bytes;
  for (int64_t i = first; i < limit && i < problem.count; i++) {
    const int32_t index = problem.index[i];
    if (static_cast<uint32_t>(index) >= static_cast<uint32_t>(problem.limit)) {
      problem.invalid.note(i);
    } else {
      __builtin_memcpy(out + i * row, weight + index * row, static_cast<size_t>(row));
    }
  }
}

constexpr int64_t gradColumns = 64;  // a part owns this many columns of the gradient

template <typename T>
void embeddingGradPart(const EmbeddingProblem& problem, int64_t part) {
  using V = Vec<T>;
  const T* g = static_cast<const T*>(problem.call->inputs[0].data);
  T* out = static_cast<T*>(problem.call->outputs[0].data);
  const int64_t first = part * problem.perPart;
  const int64_t width = problem.width - first < problem.perPart ? problem.width - first : problem.perPart;
  for (int64_t i = 0; i < problem.limit; i++) {
    __builtin_memset(out + i * problem.width + first, 0, static_cast<size_t>(width) * sizeof(T));
  }
  for (int64_t i = 0; i < problem.count; i++) {
    const T* from = g + i * problem.width + first;
    T* to = out + problem.index[i] * problem.width + first;
    int64_t j = 0;
    for (; j + V::lanes <= width; j += V::lanes) (V::load(to + j) + V::load(from + j)).store(to + j);
    const int left = static_cast<int>(width - j);
    if (left > 0) (V::loadPartial(to + j, left) + V::loadPartial(from + j, left)).storePartial(to + j, left);
  }
}

// --- concat and pad ---

struct ConcatProblem {
  const View* input;
  StridedDims dims;
  char* out;            // where the input's first element goes
  int64_t run, outRun;  // elements of the input, and of the output, for each position in front of the dim
  int bytes;
};

void concatPart(const ConcatProblem& problem, int64_t part) {
  const char* data = static_cast<const char*>(problem.input->data);
  int64_t i = part * movedPerPart;
  const int64_t limit = i + movedPerPart, size = problem.input->size, end = limit < size ? limit : size;
  const bool contiguous = isContiguous(problem.dims);
  Odometer at;
  at.seek(problem.dims, i);
  while (i < end) {
    const int64_t within = i % problem.run, left = problem.run - within;
    const int count = static_cast<int>(left < end - i ? left : end - i);
    char* to = problem.out + (i / problem.run * problem.outRun + within) * problem.bytes;
    if (contiguous) {
      __builtin_memcpy(to, data + i * problem.bytes, static_cast<size_t>(count) * static_cast<size_t>(problem.bytes));
    } else {
      gatherBytes(to, data, problem.dims, at, count, problem.bytes);
    }
    i += count;
  }
}

struct PadProblem {
  const Call* call;
  const double* starts;
  const double* steps;
  Scalar value;
  int bytes;
  int64_t rows, rowsPerPart;
};

// Where in x the output's row comes from, in elements, or -1.
int64_t sourceOfRow(const PadProblem& problem, int64_t row) {
  const View& x = problem.call->inputs[0];
  const View& out = problem.call->outputs[0];
  int64_t offset = 0;
  for (int i = x.rank - 2; i >= 0; i--) {
    const int64_t position = row % out.shape[i] - static_cast<int64_t>(problem.starts[i]);
    const int64_t step = static_cast<int64_t>(problem.steps[i]);
    row /= out.shape[i];
    if (position < 0 || position % step != 0 || position / step >= x.shape[i]) return -1;
    offset += position / step * x.strides[i];
  }
  return offset;
}

template <typename T>
void padPart(const PadProblem& problem, int64_t part) {
  const View& x = problem.call->inputs[0];
  const View& out = problem.call->outputs[0];
  const int last = x.rank - 1;
  const int width = out.shape[last];
  const int64_t start = static_cast<int64_t>(problem.starts[last]), step = static_cast<int64_t>(problem.steps[last]);
  const int64_t first = part * problem.rowsPerPart, limit = first + problem.rowsPerPart;
  for (int64_t row = first; row < limit && row < problem.rows; row++) {
    T* to = static_cast<T*>(out.data) + row * width;
    const int64_t source = x.size == 0 ? -1 : sourceOfRow(problem, row);
    const bool plain = source >= 0 && step == 1;
    if (plain) {
      fill<T>(to, problem.value.bytes, static_cast<int>(start));
      fill<T>(to + start + x.shape[last], problem.value.bytes, static_cast<int>(width - start - x.shape[last]));
    } else {
      fill<T>(to, problem.value.bytes, width);
    }
    if (source < 0) continue;
    const T* from = static_cast<const T*>(x.data) + source;
    if (plain) {
      gatherRun(to + start, from, x.strides[last], x.shape[last]);
    } else {
      for (int i = 0; i < x.shape[last]; i++) to[start + i * step] = from[static_cast<int64_t>(i) * x.strides[last]];
    }
  }
}

}  // namespace

SADDLEPOINT_KERNEL(gather) {
  const View& index = call.inputs[1];
  if (index.size == 0) return kOk;
  GatherProblem problem;
  problem.rows = indexedRows(call.inputs[0], index, static_cast<int>(call.attributes[0]));
  problem.x = &call.inputs[0];
  problem.source = nullptr;
  problem.out = call.outputs[0].data;
  const int bytes = dtypeBytes[call.inputs[0].dtype];
  const auto body = bytes == 1 ? gatherPart<uint8_t> : bytes == 4 ? gatherPart<uint32_t> : gatherPart<uint64_t>;
  return runIndexed(call, problem, 1, body);
}

SADDLEPOINT_KERNEL(scatterAdd) {
  const View& x = call.inputs[0];
  const View& index = call.inputs[1];
  if (x.data != call.outputs[0].data) {
    __builtin_memcpy(call.outputs[0].data, x.data,
                     static_cast<size_t>(x.size) * static_cast<size_t>(dtypeBytes[x.dtype]));
  }
  if (index.size == 0) return kOk;
  GatherProblem problem;
  problem.rows = indexedRows(x, index, static_cast<int>(call.attributes[0]));
  problem.x = &x;
  problem.source = &call.inputs[2];
  problem.out = call.outputs[0].data;
  const auto body = x.dtype == kFloat32   ? scatterAddPart<float>
                    : x.dtype == kFloat64 ? scatterAddPart<double>
                                          : scatterAddPart<int32_t>;
  return runIndexed(call, problem, problem.rows.rowsPerSlice, body);
}

SADDLEPOINT_KERNEL(embedding) {
  const View& weight = call.inputs[0];
  const View& index = call.inputs[1];
  EmbeddingProblem problem;
  problem.call = &call;
  problem.index = static_cast<const int32_t*>(index.data);
  problem.count = index.size;
  problem.width = weight.shape[1];
  problem.limit = weight.shape[0];
  problem.bytes = dtypeBytes[weight.dtype];
  problem.perPart = problem.width < movedPerPart ? movedPerPart / (problem.width + 1) + 1 : 1;
  runParts(call, ceilDivide(problem.count, problem.perPart), [&](int part, int) {
    embeddingPart(problem, part);
    return true;
  });
  return problem.invalid.failure(call, problem.index, problem.limit);
}

SADDLEPOINT_KERNEL(embeddingGrad) {
  const View& index = call.inputs[1];
  const View& out = call.outputs[0];
  EmbeddingProblem problem;
  problem.call = &call;
  problem.index = static_cast<const int32_t*>(index.data);
  problem.count = index.size;
  problem.limit = out.shape[0];
  problem.width = out.shape[1];
  problem.bytes = dtypeBytes[out.dtype];
  for (int64_t i = 0; i < problem.count; i++) {
    if (static_cast<uint32_t>(problem.index[i]) >= static_cast<uint32_t>(problem.limit)) {
      problem.invalid.note(i);
      return problem.invalid.failure(call, problem.index, problem.limit);
    }
  }
  const bool worthSplitting = (problem.count + problem.limit) * problem.width > movedPerPart;
  problem.perPart = worthSplitting ? gradColumns : problem.width;
  if (problem.width == 0) return kOk;
  const auto body = out.dtype == kFloat64 ? embeddingGradPart<double> : embeddingGradPart<float>;
  return runParts(call, ceilDivide(problem.width, problem.perPart), [&](int part, int) {
    body(problem, part);
    return true;
  });
}

SADDLEPOINT_KERNEL(concat) {
  const View& out = call.outputs[0];
  const int dim = static_cast<int>(call.attributes[0]);
  int64_t inner = 1;
  for (int i = dim + 1; i < out.rank; i++) inner *= out.shape[i];
  int64_t start = 0;
  for (int i = 0; i < call.inputCount; i++) {
    const View& input = call.inputs[i];
    if (input.size == 0) continue;
    ConcatProblem problem;
    problem.input = &input;
    problem.dims = collapseDims(input.shape, input.strides, input.rank);
    problem.bytes = dtypeBytes[out.dtype];
    problem.out = static_cast<char*>(out.data) + start * problem.bytes;
    problem.run = input.shape[dim] * inner;
    problem.outRun = out.shape[dim] * inner;
    runParts(call, ceilDivide(input.size, movedPerPart), [&](int part, int) {
      concatPart(problem, part);
      return true;
    });
    start += problem.run;
  }
  return kOk;
}

SADDLEPOINT_KERNEL(pad) {
  const View& x = call.inputs[0];
  const View& out = call.outputs[0];
  if (out.size == 0) return kOk;
  const int bytes = dtypeBytes[out.dtype];
  if (x.rank == 0) {
    __builtin_memcpy(out.data, x.data, static_cast<size_t>(bytes));
    return kOk;
  }
  const int width = out.shape[out.rank - 1];
  PadProblem problem;
  problem.call = &call;
  problem.starts = call.attributes + 1;
  problem.steps = problem.starts + x.rank;
  problem.value = scalarOf(out.dtype, call.attributes[0]);
  problem.bytes = bytes;
  problem.rows = out.size / width;
  problem.rowsPerPart = width < movedPerPart ? movedPerPart / width : 1;
  const auto body = bytes == 1 ? padPart<uint8_t> : bytes == 4 ? padPart<uint32_t> : padPart<uint64_t>;
  return runParts(call, ceilDivide(problem.rows, problem.rowsPerPart), [&](int part, int) {
    body(problem, part);
    return true;
  });
}

}  // namespace saddlepoint
