// What every kernel sees. No STL and nothing with external linkage: this header is compiled once per instruction set,
// and an AVX-512 object must not lend its copy of a function to code that runs on an older processor.
#pragma once
#include <cstddef>
#include <cstdint>

namespace saddlepoint {

enum DType : int32_t { kFloat32 = 0, kFloat64 = 1, kInt32 = 2, kBool = 3, kInt64 = 4 };
enum { kDTypes = 5, kMaxRank = 8 };

// The kernels, in the order of lib/graph/program/kernels.ts, which says what each does.
#define SADDLEPOINT_KERNELS(X)                                                                              \
  X(elementwise) X(sum) X(max) X(min) X(argmax) X(argmin) X(logSumExp) X(variance) X(softmax) X(logSoftmax) \
  X(softmaxCrossEntropy) X(softmaxCrossEntropyGrad) X(attention) X(attentionGrad)                           \
  X(matmul) X(conv2d) X(conv2dInputGrad) X(conv2dWeightGrad) X(maxPool2d) X(maxPool2dIndices) X(avgPool2d)  \
  X(avgPool2dInputGrad) X(batchNormStatistics) X(batchNorm) X(batchNormGradSums) X(layerNorm)               \
  X(layerNormInputGrad) X(layerNormWeightGrads) X(gather) X(scatterAdd) X(embedding) X(embeddingGrad)       \
  X(concat) X(pad) X(checkRange) X(normal) X(permutation)

// The steps of the elementwise kernel, in the order of lib/graph/program/elementwise.ts, which says what each does.
#define SADDLEPOINT_OPCODES(X)                                                                               \
  X(copy) X(where) X(castFloat32) X(castFloat64) X(castInt32) X(castBool) X(castInt64) X(add) X(sub) X(mul)  \
  X(neg) X(abs) X(sign) X(maximum) X(minimum) X(eq) X(ne) X(lt) X(le) X(gt) X(ge) X(logicalAnd) X(logicalOr) \
  X(logicalNot) X(div) X(pow) X(exp) X(expm1) X(log) X(log1p) X(sqrt) X(rsqrt) X(sin) X(cos) X(tanh)         \
  X(sigmoid) X(softplus) X(erf) X(floor) X(ceil) X(round) X(trunc) X(relu)                                 \
  X(uniform)

#define SADDLEPOINT_ENUM(name) k_##name,
enum KernelId : int32_t { SADDLEPOINT_KERNELS(SADDLEPOINT_ENUM) kKernels };
#undef SADDLEPOINT_ENUM
#define SADDLEPOINT_ENUM(name) op_##name,
enum Opcode : int32_t { SADDLEPOINT_OPCODES(SADDLEPOINT_ENUM) kOpcodes };
#undef SADDLEPOINT_ENUM

// A strided window on memory. Bounds were checked when the program was loaded; strides and size are in elements.
struct View {
  void* data;  // the first element of the window
  DType dtype;
  int32_t rank;
  int32_t size;  // product of shape
  int32_t shape[kMaxRank];
  int32_t strides[kMaxRank];
};

enum { kScratchSlots = 5 };

// What a kernel may ask of the runtime while it runs.
struct Services {
  void* self;
  // Calls body(context, part, worker) for part = 0..parts-1, on several threads, and returns when all have ended. Nested
  // calls run serially. `worker` < 64 names the executing thread. How work is cut into parts must follow from shapes alone.
  void (*parallel)(void* self, int parts, void (*body)(void* context, int part, int worker), void* context);
  // At least `bytes` of 64-byte aligned scratch memory of that worker (0 outside of `parallel`), or null: then the
  // kernel fails with kFailMemory. A second request with the same worker and slot (below kScratchSlots) invalidates the first.
  void* (*scratch)(void* self, int worker, int slot, size_t bytes);
  int threads;
};

enum Failure : int32_t { kOk = 0, kFailValue = 1, kFailMemory = 2, kFailInternal = 3, kFailAborted = 4 };
enum { kMessageBytes = 256 };

// One instruction, ready to run. Shapes, dtypes and attributes were checked when the program was loaded
// (native/runtime/check.cc), so a kernel only checks what depends on data, such as an index.
struct Call {
  const View* inputs;
  const View* outputs;
  int32_t inputCount;
  int32_t outputCount;
  const double* attributes;
  int32_t attributeCount;
  const double* scalars;  // of the whole program
  const Services* services;
  char* message;  // kMessageBytes; what went wrong, for the user
};

using Kernel = Failure (*)(const Call&);

// Kernel files are compiled once per instruction set with -DSADDLEPOINT_ISA=avx2 (sse2, avx512, neon). A file keeps
// everything in an anonymous namespace but its kernels, each defined as SADDLEPOINT_KERNEL(softmax) { ... uses call ... }
#define SADDLEPOINT_JOIN2(a, b, c) a##b##_##c
#define SADDLEPOINT_JOIN(a, b, c) SADDLEPOINT_JOIN2(a, b, c)
#define SADDLEPOINT_SYMBOL(name) SADDLEPOINT_JOIN(saddlepoint_, SADDLEPOINT_ISA, name)
#define SADDLEPOINT_KERNEL(name) extern "C" Failure SADDLEPOINT_SYMBOL(name)(const Call& call)

// The kernels of one instruction set: native/kernels/table.cc exports one of these each, named
// SADDLEPOINT_SYMBOL(table): saddlepoint_sse2_table, saddlepoint_avx2_table, ...
struct KernelTable {
  const char* isa;
  Kernel kernels[kKernels];
  double (*fmaPeak)(double seconds);  // measured float32 FMA GFLOP/s of one thread, for the benchmarks
};

}  // namespace saddlepoint
