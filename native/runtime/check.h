// Whether an instruction fits its kernel: what lib/graph/program/kernels.ts says of shapes, dtypes and attributes, held
// against it once, when a program is loaded. Kernels rely on it.
#pragma once
#include <string>
#include <vector>

#include "program.h"

namespace saddlepoint {

// One decoded instruction whose views are known to be within their buffers. False, with `problem`, if its kernel must
// not run it. Sets `skipped`.
bool checkInstruction(const Program& program, Instruction* instruction, std::string* problem);

// For check.cc: an attribute that must be an integer in [low, high].
bool integerAttribute(const double* attributes, int32_t index, int64_t low, int64_t high, int64_t* result,
                      std::string* problem);

// The shapes and windows of a convolution, whatever of the three is computed, and of a pool.
bool checkConvolution(const View& x, const View& weight, const View& y, const double* attributes, std::string* problem);
bool checkPool(const View& x, const View& y, bool isMax, const double* attributes, std::string* problem);

// The shapes of attention (first = 0) and of its gradient, whose first input is g: q, k, v and perhaps a mask follow.
bool checkAttention(const View* inputs, const View& output, int32_t first, bool masked, std::string* problem);

// For check.cc: the byte code. Inputs and outputs are known to have one shape, and outputs not to overlap each other.
// `sameMemory[input * outputs + output]` says whether an input is the very window that an output is.
bool checkElementwise(const View* inputs, const View* outputs, const Instruction& instruction, const double* attributes,
                      int32_t scalars, const std::vector<bool>& sameMemory, std::string* problem);

}  // namespace saddlepoint
