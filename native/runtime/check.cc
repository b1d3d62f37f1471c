#include "check.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace saddlepoint {
namespace {

// Far above what programs have; they bound the time that a check takes.
constexpr int32_t kMaxInputs = 65536;
constexpr int32_t kMaxOutputs = 1024;

class Checker {
 public:
  Checker(const Program& program, const Instruction& instruction, std::string* problem)
      : instruction_(instruction),
        inputs_(program.views.data() + instruction.firstView),
        outputs_(inputs_ + instruction.inputCount),
        operands_(program.operands.data() + instruction.firstView),
        attributes_(program.attributes.data() + instruction.firstAttribute),
        program_(program),
        problem_(problem) {}

  bool check() {
    if (!layout()) return false;
    switch (instruction_.kernel) {
      case k_elementwise:
        return elementwise();
      case k_sum:
        return counts(1, 1, 1) && numeric(0) && sameDType(0) && reduction(true);
      case k_max:
      case k_min:
        return counts(1, 1, 1) && numeric(0) && sameDType(0) && reduction(false);
      case k_argmax:
      case k_argmin:
        return counts(1, 1, 1) && numeric(0) && outputDType(kInt32) && reduction(false);
      case k_logSumExp:
        return counts(1, 1, 1) && floating(0) && sameDType(0) && reduction(true);
      case k_variance:
        return counts(1, 1, 2) && floating(0) && sameDType(0) && finite(1) && reduction(true);
      case k_softmax:
      case k_logSoftmax:
        return counts(1, 1, 0) && floating(0) && sameDType(0) &&
               require(inputs_[0].rank >= 1, "it needs at least one dim") &&
               require(sameShape(inputs_[0], outputs_[0]), "input and output have different shapes");
      case k_softmaxCrossEntropy:
        return counts(2, 1, 2) && floating(0) && index(1) && sameDType(0) && crossEntropy(inputs_[0], inputs_[1]) &&
               require(sameShape(inputs_[1], outputs_[0]), "it has not one loss for each label");
      case k_softmaxCrossEntropyGrad:
        return counts(3, 1, 2) && floating(0) && sameInputs(1) && index(2) && sameDType(0) &&
               crossEntropy(inputs_[1], inputs_[2]) &&
               require(inputs_[0].rank == 1 && (inputs_[0].size == 1 || inputs_[0].size == inputs_[2].size),
                       "its gradient has neither one element nor one for each label") &&
               require(sameShape(inputs_[1], outputs_[0]), "logits and output have different shapes");
      case k_attention:
        return attention(0);
      case k_attentionGrad:
        return attention(1);
      case k_matmul:
        return matmul();
      case k_conv2d:
        return counts(2, 1, 8) && floating(0) && sameDType(0) && sameInputs(1) &&
               checkConvolution(inputs_[0], inputs_[1], outputs_[0], attributes_, problem_);
      case k_conv2dInputGrad:
        return counts(2, 1, 8) && floating(0) && sameDType(0) && sameInputs(1) &&
               checkConvolution(outputs_[0], inputs_[1], inputs_[0], attributes_, problem_);
      case k_conv2dWeightGrad:
        return counts(2, 1, 8) && floating(0) && sameDType(0) && sameInputs(1) &&
               checkConvolution(inputs_[1], outputs_[0], inputs_[0], attributes_, problem_);
      case k_maxPool2d:
        return counts(1, 1, 8) && floating(0) && sameDType(0) && checkPool(inputs_[0], outputs_[0], true, attributes_, problem_);
      case k_maxPool2dIndices:
        return counts(1, 1, 8) && floating(0) && outputDType(kInt32) && checkPool(inputs_[0], outputs_[0], true, attributes_, problem_);
      case k_avgPool2d:
        return counts(1, 1, 7) && floating(0) && sameDType(0) && checkPool(inputs_[0], outputs_[0], false, attributes_, problem_);
      case k_avgPool2dInputGrad:
        return counts(1, 1, 7) && floating(0) && sameDType(0) && checkPool(outputs_[0], inputs_[0], false, attributes_, problem_);
      case k_batchNormStatistics:
        return counts(1, 1, 0) && floating(0) && sameDType(0) && channels(0) && statistics(outputs_[0]);
      case k_batchNorm:
        return counts(4, 1, 1) && floating(0) && sameDType(0) && sameInputs(3) && batchNorm();
      case k_batchNormGradSums:
        return counts(3, 1, 0) && floating(0) && sameDType(0) && sameInputs(2) && channels(0) &&
               require(sameShape(inputs_[0], inputs_[1]), "gradient and input have different shapes") &&
               statistics(inputs_[2]) && statistics(outputs_[0]);
      case k_layerNorm:
        return counts(3, 1, 1) && floating(0) && sameDType(0) && sameInputs(2) && rowsToNormalize(0) && perColumn(1) &&
               perColumn(2) && require(sameShape(inputs_[0], outputs_[0]), "input and output have different shapes");
      case k_layerNormInputGrad:
        return counts(3, 1, 1) && floating(0) && sameDType(0) && sameInputs(2) && rowsToNormalize(1) && perColumn(2) &&
               require(sameShape(inputs_[0], outputs_[0]), "input and output have different shapes");
      case k_layerNormWeightGrads:
        return counts(2, 1, 1) && floating(0) && sameDType(0) && sameInputs(1) && rowsToNormalize(1) &&
               require(outputs_[0].rank == 2 && outputs_[0].shape[0] == 2 &&
                           outputs_[0].shape[1] == inputs_[0].shape[1],
                       "its output is not [2, columns]");
      case k_gather:
        return counts(2, 1, 1) && index(1) && sameDType(0) && indexAlongDim() &&
               require(sameShape(inputs_[1], outputs_[0]), "index and output have different shapes");
      case k_scatterAdd:
        return counts(3, 1, 1) && numeric(0) && index(1) && sameDType(0) && sameDType(2) && indexAlongDim() &&
               require(sameShape(inputs_[1], inputs_[2]), "index and source have different shapes") &&
               require(sameShape(inputs_[0], outputs_[0]), "input and output have different shapes");
      case k_embedding:
        return counts(2, 1, 0) && index(1) && sameDType(0) && rows(inputs_[0], inputs_[1], outputs_[0]);
      case k_embeddingGrad:
        return counts(2, 1, 0) && floating(0) && index(1) && sameDType(0) && rows(outputs_[0], inputs_[1], inputs_[0]);
      case k_concat:
        return concat();
      case k_pad:
        return pad();
      case k_checkRange:
        return counts(1, 1, 3) && floating(0) && sameDType(0) && range() &&
               require(sameShape(inputs_[0], outputs_[0]), "input and output have different shapes");
      case k_normal:
        return counts(0, 1, 2) && require(isFloat(outputs_[0].dtype), "its output is not floating-point") && slots();
      case k_permutation:
        return counts(0, 1, 2) && outputDType(kInt32) && require(outputs_[0].rank == 1, "its output has not one dim") &&
               slots();
      case kKernels:
        break;
    }
    return fail("unknown kernel");
  }

 private:
  bool fail(const std::string& what) {
    *problem_ = what;
    return false;
  }
  bool require(bool condition, const char* what) { return condition || fail(what); }

  static bool isFloat(DType dtype) { return dtype == kFloat32 || dtype == kFloat64; }
  static bool sameShape(const View& a, const View& b) {
    if (a.rank != b.rank) return false;
    for (int32_t i = 0; i < a.rank; i++)
      if (a.shape[i] != b.shape[i]) return false;
    return true;
  }

  bool stridedKernel() const {
    switch (instruction_.kernel) {
      case k_elementwise:
      case k_sum:
      case k_max:
      case k_min:
      case k_argmax:
      case k_argmin:
      case k_logSumExp:
      case k_variance:
      case k_attention:
      case k_attentionGrad:
      case k_matmul:
      case k_concat:
      case k_pad:
        return true;
      default:
        return false;
    }
  }

  // Bytes that a view touches, [begin, end). Arena buffers share one space; bound buffers have one each.
  struct Extent {
    int32_t space;  // Operand::binding
    int64_t begin;
    int64_t end;
  };
  Extent extent(int32_t i) const {
    const View& view = inputs_[i];
    int64_t last = 0;
    for (int32_t d = 0; d < view.rank; d++) last += (view.shape[d] - int64_t{1}) * view.strides[d];
    const int64_t begin = operands_[i].offset;
    const int64_t end = view.size == 0 ? begin : begin + (last + 1) * static_cast<int64_t>(elementBytes(view.dtype));
    return {operands_[i].binding, begin, end};
  }
  static bool overlap(const Extent& a, const Extent& b) {
    const bool empty = a.begin == a.end || b.begin == b.end;
    return !empty && a.space == b.space && a.begin < b.end && b.begin < a.end;
  }

  // Contiguity, and outputs apart from one another and from inputs.
  bool layout() {
    const int32_t inputs = instruction_.inputCount;
    if (inputs > kMaxInputs || instruction_.outputCount > kMaxOutputs) return fail("it has too many inputs or outputs");
    for (int32_t i = 0; i < inputs; i++)
      if (!stridedKernel() && !operands_[i].contiguous)
        return fail("input " + std::to_string(i) + " is not contiguous");
    for (int32_t o = 0; o < instruction_.outputCount; o++) {
      if (!operands_[inputs + o].contiguous) return fail("output " + std::to_string(o) + " is not contiguous");
      const Extent output = extent(inputs + o);
      for (int32_t i = 0; i < inputs + o; i++) {
        if (!overlap(output, extent(i))) continue;
        if (i >= inputs || !mayOverwrite(i, o) || !sameWindow(i, o))
          return fail("output " + std::to_string(o) + " overlaps " +
                      (i < inputs ? "input " + std::to_string(i) : "output " + std::to_string(i - inputs)));
      }
    }
    return true;
  }

  // What is computed for an index may take the place of what it was computed from, but not of what other segments read.
  int32_t segments() const {
    const double count = instruction_.attributeCount > 0 ? attributes_[0] : 0;
    const bool divides = count >= 1 && count <= instruction_.outputCount && count == std::floor(count) &&
                         instruction_.outputCount % static_cast<int32_t>(count) == 0 &&
                         instruction_.inputCount % static_cast<int32_t>(count) == 0;
    return divides ? static_cast<int32_t>(count) : 0;
  }
  bool sameSegment(int32_t input, int32_t output) const {
    const int32_t count = segments();
    return count > 0 && input / (instruction_.inputCount / count) == output / (instruction_.outputCount / count);
  }

  // An elementwise step reads each element before it is written; a scatter adds to its first input where it is.
  bool mayOverwrite(int32_t input, int32_t output) const {
    if (instruction_.kernel == k_elementwise) return sameSegment(input, output);
    return instruction_.kernel == k_scatterAdd && input == 0;
  }

  bool sameWindow(int32_t input, int32_t output) const {
    const int32_t other = instruction_.inputCount + output;
    return operands_[input].contiguous && extent(input).space == extent(other).space &&
           extent(input).begin == extent(other).begin && sameShape(inputs_[input], outputs_[output]) &&
           elementBytes(inputs_[input].dtype) == elementBytes(outputs_[output].dtype);
  }

  bool counts(int32_t inputs, int32_t outputs, int32_t attributes) {
    if (instruction_.inputCount != inputs || instruction_.outputCount != outputs)
      return fail("it takes " + std::to_string(inputs) + " inputs and " + std::to_string(outputs) +
                  " outputs, and was given " + std::to_string(instruction_.inputCount) + " and " +
                  std::to_string(instruction_.outputCount));
    if (instruction_.attributeCount != attributes)
      return fail("it takes " + std::to_string(attributes) + " attributes, and was given " +
                  std::to_string(instruction_.attributeCount));
    return true;
  }

  bool floating(int32_t input) {
    return isFloat(inputs_[input].dtype) || fail(std::string("it does not take ") + dtypeName(inputs_[input].dtype));
  }
  bool numeric(int32_t input) { return inputs_[input].dtype == kInt32 || floating(input); }
  bool outputDType(DType dtype) {
    return outputs_[0].dtype == dtype || fail(std::string("its output is not ") + dtypeName(dtype));
  }
  bool sameDType(int32_t input) {
    return require(inputs_[input].dtype == outputs_[0].dtype, "input and output have different dtypes");
  }
  // Inputs 1..last have the dtype of input 0.
  bool sameInputs(int32_t last) {
    for (int32_t i = 1; i <= last; i++)
      if (inputs_[i].dtype != inputs_[0].dtype) return fail("its inputs have different dtypes");
    return true;
  }
  bool index(int32_t input) { return require(inputs_[input].dtype == kInt32, "its index is not int32"); }

  bool finite(int32_t attribute) {
    return std::isfinite(attributes_[attribute]) || fail("attribute " + std::to_string(attribute) + " is not finite");
  }
  bool integer(int32_t attribute, int64_t low, int64_t high, int64_t* result) {
    return integerAttribute(attributes_, attribute, low, high, result, problem_);
  }

  bool elementwise() {
    const int32_t count = segments();
    if (count == 0) return fail("its inputs and outputs are not as many for each of its segments, one output at least");
    const int32_t inputs = instruction_.inputCount / count, outputs = instruction_.outputCount / count;
    // Whether an output takes the place of an input, in any segment.
    std::vector<bool> same(static_cast<size_t>(inputs) * static_cast<size_t>(outputs));
    for (int32_t s = 0; s < count; s++)
      for (int32_t i = 0; i < inputs; i++)
        for (int32_t o = 0; o < outputs; o++)
          if (sameWindow(s * inputs + i, s * outputs + o)) same[static_cast<size_t>(i) * outputs + o] = true;
    return checkElementwise(inputs_, outputs_, instruction_, attributes_, program_.scalars, same, problem_);
  }

  bool reduction(bool mayBeEmpty) {
    const View& input = inputs_[0];
    int64_t kept;
    if (!integer(0, 0, input.rank, &kept)) return false;
    bool fits = outputs_[0].rank == kept;
    for (int32_t i = 0; fits && i < kept; i++) fits = outputs_[0].shape[i] == input.shape[i];
    if (!fits) return fail("its output does not have the shape of the kept dims");
    for (int64_t i = kept; i < input.rank; i++)
      if (input.shape[i] == 0 && !mayBeEmpty) return fail("it reduces over nothing");
    return true;
  }

  bool crossEntropy(const View& logits, const View& labels) {
    int64_t ignoreIndex, mean;
    if (!integer(0, INT32_MIN, INT32_MAX, &ignoreIndex) || !integer(1, 0, 1, &mean)) return false;
    return require(logits.rank == 2 && labels.rank == 1 && labels.shape[0] == logits.shape[0] && logits.shape[1] > 0,
                   "its logits are not [N, C], or its labels not [N]");
  }

  bool matmul() {
    const bool plain = instruction_.attributeCount == 0;
    if (plain && !counts(2, 1, 0)) return false;
    if (instruction_.inputCount < 2 || instruction_.outputCount < 1) return fail("it lacks matrices or a result");
    if (!floating(0) || !sameDType(0) || !sameInputs(1)) return false;
    const View &a = inputs_[0], &b = inputs_[1], &c = outputs_[0];
    const int32_t rank = a.rank;
    if (rank < 2 || b.rank != rank) return fail("its ranks do not fit");
    View product{};
    product.dtype = a.dtype;
    product.rank = rank;
    for (int32_t i = 0; i < rank - 2; i++) {
      if (a.shape[i] != b.shape[i]) return fail("its batch dims differ");
      product.shape[i] = a.shape[i];
    }
    product.shape[rank - 2] = a.shape[rank - 2];
    product.shape[rank - 1] = b.shape[rank - 1];
    if (a.shape[rank - 1] != b.shape[rank - 2]) return fail("its matrices do not fit");
    if (plain) return require(sameShape(product, c), "its output does not have the product's shape");
    int64_t size = 1;
    for (int32_t i = 0; i < rank; i++) {
      size *= product.shape[i];
      if (size > INT32_MAX) return fail("its product is too large");
    }
    return require(size == c.size, "its outputs do not have the product's size") && epilogue(2);
  }

  // The byte code behind a product: register 0 is the product, in the memory of output 0; the inputs from `first` on are
  // the registers behind it.
  bool epilogue(int32_t first) {
    std::vector<View> registers = {outputs_[0]};
    registers.insert(registers.end(), inputs_ + first, inputs_ + instruction_.inputCount);
    Instruction code = instruction_;
    code.inputCount = static_cast<int32_t>(registers.size());
    const auto shapeFits = [&](const View& view) { return sameShape(view, outputs_[0]); };
    if (!std::all_of(registers.begin(), registers.end(), shapeFits) ||
        !std::all_of(outputs_, outputs_ + instruction_.outputCount, shapeFits))
      return fail("its epilogue has operands of different shapes");
    std::vector<bool> same(registers.size() * static_cast<size_t>(instruction_.outputCount));
    same[0] = true;
    if (!checkElementwise(registers.data(), outputs_, code, attributes_, program_.scalars, same, problem_)) return false;
    const double* folds = attributes_ + 4 + static_cast<int32_t>(attributes_[1]) +
                          6 * static_cast<int32_t>(attributes_[3]) + instruction_.outputCount;
    const auto isWhole = [](double fold) { return fold == 0; };
    return require(attributes_[0] == 1 && std::all_of(folds, folds + instruction_.outputCount, isWhole),
                   "its epilogue has several segments or folded outputs");
  }

  // q, k, v and perhaps a mask, after `first` other inputs.
  bool attention(int32_t first) {
    const bool masked = instruction_.inputCount == first + 4;
    int64_t isCausal;
    return counts(first + (masked ? 4 : 3), 1, 2) && floating(0) && sameDType(0) && sameInputs(first + 2) &&
           finite(0) && integer(1, 0, 1, &isCausal) && checkAttention(inputs_, outputs_[0], first, masked, problem_);
  }

  bool channels(int32_t input) { return require(inputs_[input].rank == 3, "its input does not have 3 dims"); }
  bool statistics(const View& view) {
    return require(view.rank == 2 && view.shape[0] == 2 && view.shape[1] == inputs_[0].shape[1],
                   "its statistics do not have the shape [2, channels]");
  }
  bool batchNorm() {
    if (!channels(0) || !statistics(inputs_[1])) return false;
    for (int32_t i = 2; i < 4; i++)
      if (inputs_[i].rank != 1 || inputs_[i].shape[0] != inputs_[0].shape[1])
        return fail("weight or bias do not have one element per channel");
    if (!finite(0) || attributes_[0] < 0) return fail("eps is not a finite number from 0 on");
    return require(sameShape(inputs_[0], outputs_[0]), "input and output have different shapes");
  }

  // [R, D] as the first input, and again as the input of that number.
  bool rowsToNormalize(int32_t input) {
    if (!finite(0) || attributes_[0] < 0) return fail("eps is not a finite number from 0 on");
    return require(inputs_[0].rank == 2 && sameShape(inputs_[0], inputs_[input]), "its rows are not [R, D]");
  }
  bool perColumn(int32_t input) {
    return require(inputs_[input].rank == 1 && inputs_[input].shape[0] == inputs_[0].shape[1],
                   "weight or bias do not have one element per column");
  }

  bool indexAlongDim() {
    const View &x = inputs_[0], &index = inputs_[1];
    if (x.rank < 1 || index.rank != x.rank) return fail("index and input have different ranks");
    int64_t dim;
    if (!integer(0, 0, x.rank - 1, &dim)) return false;
    for (int32_t i = 0; i < x.rank; i++)
      if (i != dim && index.shape[i] > x.shape[i]) return fail("its index is larger than its input");
    return true;
  }

  bool rows(const View& table, const View& index, const View& result) {
    bool fits = table.rank == 2 && result.rank == index.rank + 1 && result.shape[index.rank] == table.shape[1];
    for (int32_t i = 0; fits && i < index.rank; i++) fits = result.shape[i] == index.shape[i];
    return require(fits, "table, index and rows do not fit");
  }

  bool concat() {
    if (instruction_.inputCount < 1) return fail("it has no input");
    if (!counts(instruction_.inputCount, 1, 1) || !sameDType(0) || !sameInputs(instruction_.inputCount - 1))
      return false;
    const View& output = outputs_[0];
    int64_t dim, size = 0;
    if (!integer(0, 0, int64_t{output.rank} - 1, &dim)) return false;
    for (int32_t k = 0; k < instruction_.inputCount; k++) {
      if (inputs_[k].rank != output.rank) return fail("its ranks differ");
      for (int32_t i = 0; i < output.rank; i++)
        if (i != dim && inputs_[k].shape[i] != output.shape[i]) return fail("its shapes do not fit");
      size += inputs_[k].shape[dim];
    }
    return require(size == output.shape[dim], "its output does not have the size of all inputs");
  }

  bool pad() {
    if (instruction_.inputCount < 1) return fail("it has no input");
    const int32_t rank = inputs_[0].rank;
    if (!counts(1, 1, 1 + 2 * rank) || !sameDType(0)) return false;
    if (outputs_[0].rank != rank) return fail("input and output have different ranks");
    for (int32_t i = 0; i < rank; i++) {
      int64_t start, step;
      if (!integer(1 + i, 0, INT32_MAX, &start) || !integer(1 + rank + i, 1, INT32_MAX, &step)) return false;
      if (inputs_[0].shape[i] > 0 && start + (inputs_[0].shape[i] - 1) * step >= outputs_[0].shape[i])
        return fail("its input does not fit into its output");
    }
    return true;
  }

  bool range() {
    int64_t allowNaN;
    return require(attributes_[0] <= attributes_[1], "its range is empty") && integer(2, 0, 1, &allowNaN);
  }

  bool slots() {
    int64_t slot;
    return integer(0, 0, int64_t{program_.scalars} - 1, &slot) && integer(1, 0, int64_t{program_.scalars} - 1, &slot);
  }

  const Instruction& instruction_;
  const View* inputs_;
  const View* outputs_;
  const Operand* operands_;  // of the inputs, then the outputs
  const double* attributes_;
  const Program& program_;
  std::string* problem_;
};

}  // namespace

bool integerAttribute(const double* attributes, int32_t index, int64_t low, int64_t high, int64_t* result,
                      std::string* problem) {
  const double value = attributes[index];
  if (!(value >= static_cast<double>(low) && value <= static_cast<double>(high)) || value != std::floor(value)) {
    *problem = "attribute " + std::to_string(index) + " is not an integer from " + std::to_string(low) + " to " +
               std::to_string(high);
    return false;
  }
  *result = static_cast<int64_t>(value);
  return true;
}

bool checkInstruction(const Program& program, Instruction* instruction, std::string* problem) {
  if (!Checker(program, *instruction, problem).check()) return false;
  // These two must look at every index even if there is nothing to add to.
  bool empty = instruction->kernel != k_scatterAdd && instruction->kernel != k_embeddingGrad;
  for (int32_t i = 0; empty && i < instruction->outputCount; i++)
    empty = program.views[instruction->firstView + instruction->inputCount + i].size == 0;
  instruction->skipped = empty;
  return true;
}

}  // namespace saddlepoint
