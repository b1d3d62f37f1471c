// The loops of the elementwise byte code for other kernels; elementwise.cc has them once for each instruction set.
#pragma once
#include "kernel.h"

namespace saddlepoint {

// destination[i] = step(a[i], b[i], c[i]) for i < n. The destination may be an operand, if its elements are no wider.
// `first` is the number of element 0 in its segment.
using ElementwiseStep = void (*)(void* destination, const void* a, const void* b, const void* c, int n, int64_t first);

// The loop of a step and the dtype of its result; null where elementwise.ts does not have the combination.
extern "C" ElementwiseStep SADDLEPOINT_SYMBOL(elementwiseStep)(Opcode opcode, DType dtype, DType* result);

}  // namespace saddlepoint
