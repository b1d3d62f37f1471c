#include "program.h"

#include <cmath>
#include <cstring>

#include "check.h"

namespace saddlepoint {
namespace {

constexpr int64_t kMaxArenaBytes = int64_t{1} << 46;
constexpr int64_t kArenaAlignment = 64;
// They take memory for as long as the program is loaded.
constexpr int32_t kMaxScalars = 1 << 20;

// Reads words in order and never beyond the end; after a failed read everything reads as 0 until `ok` is looked at.
class Reader {
 public:
  Reader(const int32_t* words, size_t count) : words_(words), count_(count) {}

  int32_t word() {
    if (position_ >= count_) {
      ok_ = false;
      return 0;
    }
    return words_[position_++];
  }
  double float64() {
    const uint32_t low = static_cast<uint32_t>(word());
    const uint32_t high = static_cast<uint32_t>(word());
    const uint64_t bits = static_cast<uint64_t>(high) << 32 | low;
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  bool ok() const { return ok_; }
  size_t position() const { return position_; }
  size_t left() const { return count_ - position_; }

 private:
  const int32_t* words_;
  size_t count_;
  size_t position_ = 0;
  bool ok_ = true;
};

class Decoder {
 public:
  Decoder(const int32_t* words, size_t count, Program* program, std::string* problem)
      : reader_(words, count), count_(count), program_(program), problem_(problem) {}

  bool decode() {
    if (!header()) return false;
    for (int32_t i = 0; i < buffers_; i++)
      if (!buffer(i)) return false;
    for (int32_t i = 0; i < instructions_; i++)
      if (!instruction(i)) return false;
    if (reader_.left() != 0) return fail("words are left behind the last instruction");
    program_->firstWriter = firstWriter();
    return true;
  }

 private:
  bool fail(const std::string& what) {
    *problem_ = "program: " + what;
    return false;
  }
  bool failInstruction(int32_t index, const std::string& what) {
    return fail("instruction " + std::to_string(index) + ": " + what);
  }

  int32_t firstWriter() const {
    for (int32_t i = 0; i < instructions_; i++) {
      const Instruction& instruction = program_->instructions[i];
      const Operand* outputs = program_->operands.data() + instruction.firstView + instruction.inputCount;
      for (int32_t j = 0; j < instruction.outputCount; j++)
        if (program_->buffers[outputs[j].buffer].kind == BufferKind::kInout) return i;
    }
    return instructions_;
  }

  bool header() {
    const int32_t magic = reader_.word();
    const int32_t version = reader_.word();
    const int32_t words = reader_.word();
    buffers_ = reader_.word();
    instructions_ = reader_.word();
    program_->scalars = reader_.word();
    const double arenaBytes = reader_.float64();
    if (!reader_.ok()) return fail("it ends within the header");
    if (magic != kProgramMagic) return fail("it does not begin with the magic number");
    if (version != kProgramVersion)
      return fail("its version is " + std::to_string(version) + ", this addon runs version " +
                  std::to_string(kProgramVersion));
    if (words < 0 || static_cast<size_t>(words) != count_)
      return fail("it says that it has " + std::to_string(words) + " words, but has " + std::to_string(count_));
    // Each buffer takes 5 words and each instruction at least 5, so a larger count cannot be true.
    if (buffers_ < 0 || static_cast<size_t>(buffers_) > count_ / 5) return fail("its count of buffers is impossible");
    if (instructions_ < 0 || static_cast<size_t>(instructions_) > count_ / 5)
      return fail("its count of instructions is impossible");
    if (program_->scalars < 0 || program_->scalars > kMaxScalars) return fail("its count of scalars is impossible");
    if (!bytes(arenaBytes, &program_->arenaBytes)) return fail("its arena size is impossible");
    program_->buffers.reserve(buffers_);
    program_->instructions.reserve(instructions_);
    return true;
  }

  static bool bytes(double value, int64_t* result) {
    if (!(value >= 0 && value <= static_cast<double>(kMaxArenaBytes)) || value != std::floor(value)) return false;
    *result = static_cast<int64_t>(value);
    return true;
  }

  bool buffer(int32_t index) {
    const int32_t kind = reader_.word();
    const int32_t dtype = reader_.word();
    const int32_t length = reader_.word();
    const double offset = reader_.float64();
    const std::string name = "buffer " + std::to_string(index);
    if (!reader_.ok()) return fail("it ends within " + name);
    if (kind < 0 || kind > static_cast<int32_t>(BufferKind::kArena)) return fail(name + " has an unknown kind");
    if (dtype < 0 || dtype >= kDTypes) return fail(name + " has an unknown dtype");
    if (length < 0) return fail(name + " has a negative length");
    Buffer result{static_cast<BufferKind>(kind), static_cast<DType>(dtype), length, 0, -1};
    if (!bytes(offset, &result.offset)) return fail(name + " has an impossible offset");
    if (result.kind == BufferKind::kArena) {
      const int64_t size = length * static_cast<int64_t>(elementBytes(result.dtype));
      if (result.offset % kArenaAlignment != 0) return fail(name + " is not aligned to 64 bytes in the arena");
      if (result.offset + size > program_->arenaBytes) return fail(name + " reaches beyond the arena");
    } else {
      if (result.offset != 0) return fail(name + " is bound and has an offset all the same");
      result.binding = static_cast<int32_t>(program_->bound.size());
      program_->bound.push_back(index);
    }
    program_->buffers.push_back(result);
    return true;
  }

  bool instruction(int32_t index) {
    const size_t start = reader_.position();
    const int32_t kernel = reader_.word();
    const int32_t words = reader_.word();
    const int32_t inputs = reader_.word();
    const int32_t outputs = reader_.word();
    const int32_t attributes = reader_.word();
    if (!reader_.ok()) return failInstruction(index, "the program ends within it");
    if (kernel < 0 || kernel >= kKernels) return failInstruction(index, "unknown kernel " + std::to_string(kernel));
    // A view takes at least 3 words and an attribute 2; compared one by one, so that no sum can overflow.
    const size_t left = reader_.left();
    if (inputs < 0 || static_cast<size_t>(inputs) > left / 3 || outputs < 0 ||
        static_cast<size_t>(outputs) > left / 3 || attributes < 0 || static_cast<size_t>(attributes) > left / 2)
      return failInstruction(index, "its counts are impossible");

    Instruction result{static_cast<KernelId>(kernel),
                       static_cast<int32_t>(program_->views.size()),
                       inputs,
                       outputs,
                       static_cast<int32_t>(program_->attributes.size()),
                       attributes,
                       false};
    for (int32_t i = 0; i < inputs + outputs; i++)
      if (!view(index, i >= inputs)) return false;
    for (int32_t i = 0; i < attributes; i++) program_->attributes.push_back(reader_.float64());
    if (!reader_.ok()) return failInstruction(index, "the program ends within it");
    if (words < 0 || reader_.position() - start != static_cast<size_t>(words))
      return failInstruction(index, "it does not have the number of words that it says");

    std::string problem;
    if (!checkInstruction(*program_, &result, &problem))
      return failInstruction(index, std::string(kernelName(result.kernel)) + ": " + problem);
    program_->instructions.push_back(result);
    return true;
  }

  bool view(int32_t instruction, bool isOutput) {
    const int32_t buffer = reader_.word();
    const int32_t offset = reader_.word();
    const int32_t rank = reader_.word();
    if (!reader_.ok()) return failInstruction(instruction, "the program ends within it");
    if (buffer < 0 || buffer >= buffers_) return failInstruction(instruction, "a view has an unknown buffer");
    if (rank < 0 || rank > kMaxRank) return failInstruction(instruction, "a view has an impossible rank");
    const Buffer& target = program_->buffers[buffer];
    if (isOutput && target.kind == BufferKind::kInput)
      return failInstruction(instruction, "it writes to buffer " + std::to_string(buffer) + ", which is an input");

    View view{};
    view.dtype = target.dtype;
    view.rank = rank;
    for (int32_t i = 0; i < rank; i++) view.shape[i] = reader_.word();
    for (int32_t i = 0; i < rank; i++) view.strides[i] = reader_.word();
    if (!reader_.ok()) return failInstruction(instruction, "the program ends within it");
    if (!withinBuffer(offset, target.length, &view))
      return failInstruction(instruction, "a view is not within buffer " + std::to_string(buffer));

    const bool contiguous = isContiguous(view);
    normalizeStrides(contiguous, &view);
    program_->views.push_back(view);
    const int64_t bytes = target.offset + offset * static_cast<int64_t>(elementBytes(target.dtype));
    program_->operands.push_back({buffer, target.binding, bytes, contiguous});
    return true;
  }

  // Also sets the view's size. The product without zeros has to fit too, so that kernels may multiply any of the dims.
  static bool withinBuffer(int64_t offset, int64_t length, View* view) {
    if (offset < 0 || offset > length) return false;
    int64_t product = 1;
    bool empty = false;
    for (int32_t i = 0; i < view->rank; i++) {
      if (view->shape[i] < 0 || view->strides[i] < 0) return false;
      if (view->shape[i] == 0) {
        empty = true;
      } else {
        product *= view->shape[i];
        if (product > INT32_MAX) return false;
      }
    }
    view->size = empty ? 0 : static_cast<int32_t>(product);
    if (empty) return true;
    int64_t last = offset;
    for (int32_t i = 0; i < view->rank; i++) {
      last += (view->shape[i] - int64_t{1}) * view->strides[i];
      if (last >= length) return false;
    }
    return last < length;
  }

  static bool isContiguous(const View& view) {
    if (view.size == 0) return true;
    int64_t expected = 1;
    for (int32_t i = view.rank - 1; i >= 0; i--) {
      if (view.shape[i] != 1 && view.strides[i] != expected) return false;
      expected *= view.shape[i];
    }
    return true;
  }

  // A stride that no element is reached by may be any number; kernels see dense ones or 0 in its place.
  static void normalizeStrides(bool contiguous, View* view) {
    int64_t dense = 1;
    for (int32_t i = view->rank - 1; i >= 0; i--) {
      if (contiguous)
        view->strides[i] = static_cast<int32_t>(dense);
      else if (view->shape[i] == 1)
        view->strides[i] = 0;
      dense *= view->shape[i];
    }
  }

  Reader reader_;
  size_t count_;
  Program* program_;
  std::string* problem_;
  int32_t buffers_ = 0;
  int32_t instructions_ = 0;
};

}  // namespace

size_t elementBytes(DType dtype) {
  switch (dtype) {
    case kFloat32:
    case kInt32:
      return 4;
    case kFloat64:
    case kInt64:
      return 8;
    case kBool:
      return 1;
  }
  return 0;
}

const char* dtypeName(DType dtype) {
  static const char* const names[kDTypes] = {"float32", "float64", "int32", "bool", "int64"};
  return names[dtype];
}

#define SADDLEPOINT_NAME(name) #name,
const char* kernelName(KernelId kernel) {
  static const char* const names[kKernels] = {SADDLEPOINT_KERNELS(SADDLEPOINT_NAME)};
  return names[kernel];
}

const char* opcodeName(Opcode opcode) {
  static const char* const names[kOpcodes] = {SADDLEPOINT_OPCODES(SADDLEPOINT_NAME)};
  return names[opcode];
}
#undef SADDLEPOINT_NAME

std::unique_ptr<Program> decodeProgram(const int32_t* words, size_t count, std::string* problem) {
  auto program = std::make_unique<Program>();
  if (!Decoder(words, count, program.get(), problem).decode()) return nullptr;
  return program;
}

}  // namespace saddlepoint
