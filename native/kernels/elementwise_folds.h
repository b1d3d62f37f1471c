// Sums, maxima and minima of a region's values over its trailing dims, in the pass that computes them. Elements are
// combined in the order of reduce_lanes.h, and long rows are cut as reduce.cc cuts them: the bits are those of a
// reduction of its own.
#pragma once
#include "elementwise_machine.h"
#include "reduce_lanes.h"

namespace saddlepoint {
namespace {

constexpr int64_t foldGroup = 64 * reduceChunk;  // elements of a row that are one unit of work

// What a fold does, whatever its dtype. A tree is a PairTree in `foldTreeBytes` of memory.
struct FoldSteps {
  void (*rows)(const void* x, int rows, int length, void* out);  // whole rows of at most a chunk
  void (*start)(void* tree);
  void (*push)(void* tree, const void* x, int n);  // a chunk, or what is left of a row
  void (*finish)(const void* tree, void* out);
  void (*join)(const void* partials, int64_t count, void* out);
  void (*identity)(void* out);
  int bytes;
};

constexpr size_t foldTreeBytes = 320;

template <typename T, typename Op>
struct Folder {
  using Tree = PairTree<T, Op>;
  static_assert(sizeof(Tree) <= foldTreeBytes, "a tree needs more memory");

  static void rows(const void* x, int rows, int length, void* out) {
    const T* data = static_cast<const T*>(x);
    for (int i = 0; i < rows; i++) static_cast<T*>(out)[i] = reduceChunkOf(data + i * length, length, Op(), Same());
  }
  static void start(void* tree) { static_cast<Tree*>(tree)->count = 0; }
  static void push(void* tree, const void* x, int n) {
    static_cast<Tree*>(tree)->push(reduceChunkOf(static_cast<const T*>(x), n, Op(), Same()), Op());
  }
  static void finish(const void* tree, void* out) {
    *static_cast<T*>(out) = static_cast<const Tree*>(tree)->finish(Op());
  }
  static void join(const void* partials, int64_t count, void* out) {
    Tree tree;
    for (int64_t i = 0; i < count; i++) tree.push(static_cast<const T*>(partials)[i], Op());
    finish(&tree, out);
  }
  static void identity(void* out) { *static_cast<T*>(out) = Op::template identity<T>; }

  static constexpr FoldSteps steps = {rows, start, push, finish, join, identity, sizeof(T)};
};

template <typename Op>
const FoldSteps* foldStepsOf(DType dtype) {
  return dtype == kFloat64 ? &Folder<double, Op>::steps
         : dtype == kInt32 ? &Folder<int32_t, Op>::steps
                           : &Folder<float, Op>::steps;
}

inline const FoldSteps* foldStepsOf(int fold, DType dtype) {
  return fold == 1 ? foldStepsOf<SumOp>(dtype) : fold == 2 ? foldStepsOf<MaxOp>(dtype) : foldStepsOf<MinOp>(dtype);
}

struct FoldPlan {
  const Code& code;
  int64_t rows, length;         // of the trailing dims together
  int64_t groups, rowsPerPart;  // a row of several groups is several parts
  char* partials;               // one result of each group, where there are several

  const FoldSteps* stepsOf(int output) const {
    return code.folds[output] == 0 ? nullptr : foldStepsOf(code.folds[output], code.output(0, output).dtype);
  }
  char* result(int output, int64_t row, int bytes) const {
    return static_cast<char*>(code.output(0, output).data) + row * bytes;
  }
  char* partial(int output, int64_t row, int64_t group, int bytes) const {
    return partials + (output * rows + row) * groups * 8 + group * bytes;
  }
};

// Rows of at most a chunk: as many whole ones as fit a block.
inline void foldShortRows(const FoldPlan& plan, Machine& machine, int64_t begin, int64_t end) {
  const int64_t perBlock = reduceChunk / plan.length;
  machine.seek(0, begin * plan.length, plan.rows * plan.length);
  for (int64_t row = begin; row < end; row += perBlock) {
    const int rows = static_cast<int>(smaller(perBlock, end - row)), length = static_cast<int>(plan.length);
    machine.run(rows * length);
    for (int i = 0; i < plan.code.outputs; i++) {
      const FoldSteps* fold = plan.stepsOf(i);
      if (fold != nullptr) fold->rows(machine.block(i), rows, length, plan.result(i, row, fold->bytes));
    }
    machine.next(rows * length);
  }
}

// One group of a longer row; `trees` are one for each output.
inline void foldGroupOf(const FoldPlan& plan, Machine& machine, char* trees, int64_t row, int64_t group) {
  const int64_t begin = group * foldGroup, end = smaller(plan.length, begin + foldGroup);
  machine.seek(0, row * plan.length + begin, plan.rows * plan.length);
  for (int i = 0; i < plan.code.outputs; i++) {
    if (plan.stepsOf(i) != nullptr) plan.stepsOf(i)->start(trees + i * foldTreeBytes);
  }
  for (int64_t at = begin; at < end; at += reduceChunk) {
    const int n = static_cast<int>(smaller<int64_t>(reduceChunk, end - at));
    machine.run(n);
    for (int i = 0; i < plan.code.outputs; i++) {
      if (plan.stepsOf(i) != nullptr) plan.stepsOf(i)->push(trees + i * foldTreeBytes, machine.block(i), n);
    }
    machine.next(n);
  }
  for (int i = 0; i < plan.code.outputs; i++) {
    const FoldSteps* fold = plan.stepsOf(i);
    if (fold == nullptr) continue;
    fold->finish(trees + i * foldTreeBytes,
                 plan.groups > 1 ? plan.partial(i, row, group, fold->bytes) : plan.result(i, row, fold->bytes));
  }
}

inline bool foldPart(const FoldPlan& plan, int64_t part, int worker) {
  const Call& call = *plan.code.call;
  char* memory = scratchOf<char>(call, worker, 1, Machine::bytesOf(plan.code));
  char* trees = scratchOf<char>(call, worker, 2, static_cast<size_t>(plan.code.outputs) * foldTreeBytes);
  if (memory == nullptr || trees == nullptr) return false;
  Machine machine(plan.code, memory);
  const int64_t begin = part / plan.groups * plan.rowsPerPart, end = smaller(plan.rows, begin + plan.rowsPerPart);
  if (plan.length <= reduceChunk) {
    foldShortRows(plan, machine, begin, end);
  } else {
    for (int64_t row = begin; row < end; row++) foldGroupOf(plan, machine, trees, row, part % plan.groups);
  }
  machine.finish();
  return true;
}

// An instruction of one segment with outputs that are folded.
inline Failure runFolds(const Call& call) {
  Code code;
  if (!decode(call, reduceChunk, code)) return kFailMemory;
  FoldPlan plan{code, 0, 0, 1, 1, nullptr};
  for (int i = 0; i < code.outputs; i++) {
    if (code.folds[i] != 0) plan.rows = code.output(0, i).size;
  }
  const int64_t size = code.space(0).size;
  if (plan.rows == 0) return kOk;
  if (size == 0) {
    for (int i = 0; i < code.outputs; i++) {
      const FoldSteps* fold = plan.stepsOf(i);
      for (int64_t row = 0; fold != nullptr && row < plan.rows; row++) fold->identity(plan.result(i, row, fold->bytes));
    }
    return kOk;
  }
  plan.length = size / plan.rows;
  plan.groups = ceilDivide(plan.length, foldGroup);
  plan.rowsPerPart = plan.length >= foldGroup ? 1 : foldGroup / plan.length;
  if (plan.groups > 1) {
    plan.partials = scratchOf<char>(call, 0, 3, static_cast<size_t>(code.outputs * plan.rows * plan.groups) * 8);
    if (plan.partials == nullptr) return kFailMemory;
  }
  const Failure failure = runParts(call, ceilDivide(plan.rows, plan.rowsPerPart) * plan.groups,
                                   [&](int part, int worker) { return foldPart(plan, part, worker); });
  if (failure != kOk || plan.groups == 1) return failure;
  for (int i = 0; i < code.outputs; i++) {
    const FoldSteps* fold = plan.stepsOf(i);
    for (int64_t row = 0; fold != nullptr && row < plan.rows; row++)
      fold->join(plan.partial(i, row, 0, fold->bytes), plan.groups, plan.result(i, row, fold->bytes));
  }
  return kOk;
}

}  // namespace
}  // namespace saddlepoint
