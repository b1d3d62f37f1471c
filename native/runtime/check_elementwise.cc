#include <cmath>
#include <cstdint>
#include <vector>

#include "check.h"

namespace saddlepoint {
namespace {

enum class Family { kAny, kNumeric, kComparable, kLogic, kFloating };


Family familyOf(Opcode opcode) {
  if (opcode <= op_castInt64) return Family::kAny;
  if (opcode <= op_minimum) return Family::kNumeric;
  if (opcode <= op_ge) return Family::kComparable;
  if (opcode <= op_logicalNot) return Family::kLogic;
  return Family::kFloating;
}

bool takes(Family family, DType dtype) {
  const bool isFloat = dtype == kFloat32 || dtype == kFloat64;
  switch (family) {
    case Family::kAny:
      return true;
    case Family::kNumeric:
      return isFloat || dtype == kInt32;
    case Family::kComparable:
      return dtype != kInt64;
    case Family::kLogic:
      return dtype == kBool;
    case Family::kFloating:
      return isFloat;
  }
  return false;
}

int operandsOf(Opcode opcode) {
  switch (opcode) {
    case op_where:
      return 3;
    case op_add:
    case op_sub:
    case op_mul:
    case op_maximum:
    case op_minimum:
    case op_eq:
    case op_ne:
    case op_lt:
    case op_le:
    case op_gt:
    case op_ge:
    case op_logicalAnd:
    case op_logicalOr:
    case op_div:
    case op_pow:
    case op_uniform:
      return 2;
    default:
      return 1;
  }
}

DType resultOf(Opcode opcode, DType dtype) {
  switch (opcode) {
    case op_castFloat32:
      return kFloat32;
    case op_castFloat64:
      return kFloat64;
    case op_castInt32:
      return kInt32;
    case op_castBool:
      return kBool;
    case op_castInt64:
      return kInt64;
    default: {
      const Family family = familyOf(opcode);
      return family == Family::kComparable || family == Family::kLogic ? kBool : dtype;
    }
  }
}

constexpr int32_t kNothing = -1;  // no dtype: nothing was written to the register; no operand

class ByteCode {
 public:
  ByteCode(const Instruction& instruction, const double* attributes, std::string* problem)
      : instruction_(instruction), attributes_(attributes), problem_(problem) {}

  bool check(const View* inputs, const View* outputs, int32_t programScalars, const std::vector<bool>& sameMemory) {
    if (!counts()) return false;
    if (!sameDTypes(inputs, inputs_) || !sameDTypes(outputs, outputs_))
      return fail("its segments have different dtypes");
    dtypes_.assign(registers_, kNothing);
    outputOf_.assign(registers_, kNothing);
    for (int32_t i = 0; i < inputs_; i++) dtypes_[i] = inputs[i].dtype;
    if (!readScalars(programScalars) || !outputRegisters() || !shapes(inputs, outputs)) return false;
    forbidden_.assign(registers_, false);
    written_.assign(outputs_, false);
    for (int32_t i = 0; i < steps_; i++)
      if (!step(i, outputs, sameMemory)) return false;
    for (int32_t i = 0; i < outputs_; i++) {
      if (folds_[i] != kWhole && !folded(i, outputs[i], sameMemory)) return false;
      if (folds_[i] == kWhole && !written_[i]) return fail("output " + std::to_string(i) + " is never written");
    }
    return true;
  }

 private:
  bool fail(const std::string& what) {
    *problem_ = what;
    return false;
  }

  // An integer in [low, high], or false.
  bool integer(int32_t index, int64_t low, int64_t high, int32_t* result) const {
    const double value = attributes_[index];
    if (!(value >= static_cast<double>(low) && value <= static_cast<double>(high)) || value != std::floor(value))
      return false;
    *result = static_cast<int32_t>(value);
    return true;
  }

  bool counts() {
    const int32_t count = instruction_.attributeCount;
    if (count < kHeader) return fail("its byte code has no header");
    // Every scalar takes two attributes at least, every step six and every register is written by a step, so these
    // bounds hold for all that can be true, and no product below overflows.
    if (!integer(0, 1, count, &segments_) || !integer(1, 0, count, &scalars_) || !integer(3, 0, count, &steps_) ||
        !integer(2, 0, int64_t{instruction_.inputCount} + count, &registers_))
      return fail("the header of its byte code is impossible");
    if (instruction_.inputCount % segments_ != 0 || instruction_.outputCount % segments_ != 0)
      return fail("its inputs or outputs are not as many for each segment");
    inputs_ = instruction_.inputCount / segments_;
    outputs_ = instruction_.outputCount / segments_;
    if (outputs_ < 1) return fail("it has no output");
    if (kHeader + int64_t{scalars_} * (1 + int64_t{segments_}) + 6 * int64_t{steps_} + 2 * int64_t{outputs_} != count)
      return fail("its byte code does not have the length that its header says");
    if (int64_t{inputs_} + scalars_ > registers_) return fail("it has fewer registers than inputs and scalars");
    constants_ = inputs_ + scalars_;
    firstStep_ = kHeader + scalars_;
    return true;
  }

  bool sameDTypes(const View* views, int32_t perSegment) const {
    for (int32_t i = perSegment; i < perSegment * segments_; i++)
      if (views[i].dtype != views[i % perSegment].dtype) return false;
    return true;
  }

  bool readScalars(int32_t programScalars) {
    const int32_t firstSlot = firstStep_ + 6 * steps_ + 2 * outputs_;
    for (int32_t i = 0; i < scalars_; i++) {
      int32_t slot, dtype;
      if (!integer(kHeader + i, 0, kDTypes - 1, &dtype))
        return fail("scalar " + std::to_string(i) + " has an unknown dtype");
      dtypes_[inputs_ + i] = dtype;
      for (int32_t s = 0; s < segments_; s++)
        if (!integer(firstSlot + s * scalars_ + i, 0, int64_t{programScalars} - 1, &slot))
          return fail("scalar " + std::to_string(i) + " is not one of the program's");
    }
    return true;
  }

  bool outputRegisters() {
    const int32_t first = firstStep_ + 6 * steps_;
    for (int32_t i = 0; i < outputs_; i++) {
      int32_t reg, fold;
      if (!integer(first + i, constants_, int64_t{registers_} - 1, &reg))
        return fail("output " + std::to_string(i) + " is not a register that steps write");
      if (!integer(first + outputs_ + i, kWhole, kLastFold, &fold))
        return fail("output " + std::to_string(i) + " has an unknown fold");
      folds_.push_back(fold);
      registersOfOutputs_.push_back(reg);
      if (fold != kWhole) continue;
      if (outputOf_[reg] != kNothing) return fail("two outputs have the same register");
      outputOf_[reg] = i;
    }
    return true;
  }

  static bool sameDims(const View& a, const View& b, int32_t count) {
    for (int32_t i = 0; i < count; i++)
      if (a.shape[i] != b.shape[i]) return false;
    return true;
  }

  // Inputs and outputs have their segment's shape, except that folded ones lack its trailing dims.
  bool shapes(const View* inputs, const View* outputs) {
    bool folds = false;
    int32_t whole = kNothing, rank = kNothing;
    for (int32_t i = 0; i < outputs_; i++) {
      folds |= folds_[i] != kWhole;
      if (folds_[i] == kWhole && whole == kNothing) whole = i;
    }
    if (folds && segments_ != 1) return fail("it has folded outputs and several segments");
    if (whole == kNothing && inputs_ == 0) return fail("nothing says what its folded outputs are made of");
    for (int32_t s = 0; s < segments_; s++) {
      const View& space = whole == kNothing ? inputs[0] : outputs[s * outputs_ + whole];
      for (int32_t i = 0; i < inputs_; i++) {
        const View& input = inputs[s * inputs_ + i];
        if (input.rank != space.rank || !sameDims(input, space, space.rank))
          return fail("its inputs and outputs have different shapes");
      }
      for (int32_t i = 0; i < outputs_; i++) {
        const View& output = outputs[s * outputs_ + i];
        const bool fits = folds_[i] == kWhole ? output.rank == space.rank
                                              : output.rank <= space.rank && (rank == kNothing || rank == output.rank);
        if (!fits || !sameDims(output, space, output.rank)) return fail("its inputs and outputs have different shapes");
        if (folds_[i] == kWhole) continue;
        rank = output.rank;
        for (int32_t d = rank; d < space.rank; d++)
          if (space.shape[d] == 0 && folds_[i] != kSum) return fail("it reduces over nothing");
      }
    }
    return true;
  }

  // What the register holds in the end is reduced; memory that the steps still read is not written meanwhile.
  bool folded(int32_t output, const View& view, const std::vector<bool>& sameMemory) {
    const std::string name = "output " + std::to_string(output);
    if (dtypes_[registersOfOutputs_[output]] != view.dtype || !takes(Family::kNumeric, view.dtype))
      return fail(name + " is folded from another dtype, or from none that has sums");
    for (int32_t i = 0; i < inputs_; i++)
      if (sameMemory[static_cast<size_t>(i) * outputs_ + output]) return fail(name + " is folded over an input");
    return true;
  }

  bool step(int32_t index, const View* outputs, const std::vector<bool>& sameMemory) {
    const std::string name = "step " + std::to_string(index);
    const int32_t at = firstStep_ + 6 * index;
    int32_t opcodeId, dtypeId, destination;
    if (!integer(at, 0, kOpcodes - 1, &opcodeId)) return fail(name + " has an unknown opcode");
    if (!integer(at + 1, 0, kDTypes - 1, &dtypeId)) return fail(name + " has an unknown dtype");
    if (!integer(at + 2, constants_, int64_t{registers_} - 1, &destination))
      return fail(name + " writes a register that is not for results");
    const Opcode opcode = static_cast<Opcode>(opcodeId);
    const DType dtype = static_cast<DType>(dtypeId);
    const std::string operation = name + " (" + opcodeName(opcode) + ")";
    if (!takes(familyOf(opcode), dtype)) return fail(operation + " does not take " + dtypeName(dtype));

    const int operands = operandsOf(opcode);
    for (int k = 0; k < 3; k++) {
      int32_t reg;
      if (!integer(at + 3 + k, kNothing, int64_t{registers_} - 1, &reg) || (reg == kNothing) != (k >= operands))
        return fail(operation + " has impossible operands");
      if (reg == kNothing) continue;
      const DType expected = opcode == op_uniform ? kFloat64 : opcode == op_where && k == 0 ? kBool : dtype;
      // Only scalars are the same number in a whole block.
      if (opcode == op_uniform && (reg < inputs_ || reg >= constants_))
        return fail(operation + " takes its seed and offset from scalars");
      if (dtypes_[reg] == kNothing) return fail(operation + " reads a register before it is written");
      if (dtypes_[reg] != expected)
        return fail(operation + " reads " + dtypeName(static_cast<DType>(dtypes_[reg])) + " as " + dtypeName(expected));
      if (forbidden_[reg]) return fail(operation + " reads an input that was overwritten");
    }

    const DType result = resultOf(opcode, dtype);
    const int32_t output = outputOf_[destination];
    if (output != kNothing) {
      if (written_[output]) return fail("output " + std::to_string(output) + " is written by two steps");
      if (outputs[output].dtype != result)
        return fail(operation + " gives " + dtypeName(result) + ", output " + std::to_string(output) + " is " +
                    dtypeName(outputs[output].dtype));
      written_[output] = true;
      for (int32_t i = 0; i < inputs_; i++)
        if (sameMemory[static_cast<size_t>(i) * outputs_ + output]) forbidden_[i] = true;
    }
    dtypes_[destination] = result;
    return true;
  }

  const Instruction& instruction_;
  const double* attributes_;
  std::string* problem_;
  static constexpr int32_t kHeader = 4;
  enum : int32_t { kWhole = 0, kSum = 1, kLastFold = 3 };
  int32_t segments_ = 1;
  int32_t inputs_ = 0;  // of a segment, as are the outputs
  int32_t outputs_ = 0;
  int32_t firstStep_ = 0;
  int32_t scalars_ = 0;
  int32_t registers_ = 0;
  int32_t steps_ = 0;
  int32_t constants_ = 0;          // registers of inputs and scalars
  std::vector<int32_t> dtypes_;    // what a register holds now
  std::vector<int32_t> outputOf_;  // the output that a register is
  std::vector<bool> forbidden_;    // inputs whose memory an output has taken
  std::vector<bool> written_;
  std::vector<int32_t> folds_;  // of each output
  std::vector<int32_t> registersOfOutputs_;
};

}  // namespace

bool checkElementwise(const View* inputs, const View* outputs, const Instruction& instruction, const double* attributes,
                      int32_t scalars, const std::vector<bool>& sameMemory, std::string* problem) {
  return ByteCode(instruction, attributes, problem).check(inputs, outputs, scalars, sameMemory);
}

}  // namespace saddlepoint
