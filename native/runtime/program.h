// A program as the runtime keeps it: decoded from the flat form of lib/graph/program/encode.ts, validated, and ready to
// be given addresses.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../kernels/kernel.h"

namespace saddlepoint {

constexpr int32_t kProgramMagic = 0x53444c50;
constexpr int32_t kProgramVersion = 3;

enum class BufferKind : int32_t { kInput = 0, kOutput = 1, kInout = 2, kArena = 3 };

struct Buffer {
  BufferKind kind;
  DType dtype;
  int32_t length;   // in elements
  int64_t offset;   // in the arena, in bytes
  int32_t binding;  // its place in Program::bound, or -1
};

// Where a view's memory is.
struct Operand {
  int32_t buffer;
  int32_t binding;  // which of the bound buffers that is, or -1: it is in the arena
  int64_t offset;   // in bytes, from where the binding or the arena begins
  bool contiguous;
};

struct Instruction {
  KernelId kernel;
  int32_t firstView;  // of the inputs, then the outputs, in Program::views and Program::operands
  int32_t inputCount;
  int32_t outputCount;
  int32_t firstAttribute;
  int32_t attributeCount;
  bool skipped;  // it has nothing to write
};

struct Program {
  std::vector<Buffer> buffers;
  std::vector<int32_t> bound;  // the buffers that are not in the arena, in order
  std::vector<Instruction> instructions;
  std::vector<View> views;  // their `data` is that of the last run
  std::vector<Operand> operands;
  std::vector<double> attributes;
  int32_t scalars = 0;
  int64_t arenaBytes = 0;
  int32_t firstWriter = 0;  // the first instruction that overwrites state: from there on a run is not aborted

  // What the views point at, once they do.
  bool isPlaced = false;
  std::vector<void*> placed;
  void* placedArena = nullptr;
};

size_t elementBytes(DType dtype);
const char* dtypeName(DType dtype);
const char* kernelName(KernelId kernel);
const char* opcodeName(Opcode opcode);

// Trusts nothing in `words`. Null if they are not a program that is safe to run, and then `problem` says why.
std::unique_ptr<Program> decodeProgram(const int32_t* words, size_t count, std::string* problem);

}  // namespace saddlepoint
