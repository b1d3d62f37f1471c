// Chains of the elementwise kernel: random byte code gives, bit for bit, what its steps give one instruction at a time,
// which run by their loops.
#include <gtest/gtest.h>

#include "kernels_table_support.h"

namespace saddlepoint {
namespace {

constexpr int kInputs = 4, kScalars = 2, kResults = 6;  // inputs: three of float32, one bool
constexpr int kFirstResult = kInputs + kScalars;

constexpr Opcode kUnary[] = {op_neg,  op_abs,   op_sign,  op_sqrt, op_rsqrt, op_floor,
                             op_ceil, op_round, op_trunc, op_relu, op_tanh,  op_copy};
constexpr Opcode kBinary[] = {op_add, op_sub, op_mul, op_div, op_maximum, op_minimum, op_pow};
constexpr Opcode kComparisons[] = {op_eq, op_ne, op_lt, op_le, op_gt, op_ge};

bool isComparison(Opcode opcode) { return opcode >= op_eq && opcode <= op_ge; }

class RandomByteCode {
 public:
  explicit RandomByteCode(unsigned seed) : random_(seed) {
    types_.assign(kFirstResult + kResults, kFloat32);
    written_.assign(kFirstResult + kResults, false);
    for (int i = 0; i < kFirstResult; ++i) written_[static_cast<size_t>(i)] = true;
    types_[kInputs - 1] = kBool;
  }

  // The last three steps write the outputs: two of float32, one bool.
  ElementwiseProgram make(int steps) {
    ElementwiseProgram program;
    program.scalars = {kFloat32, kFloat32};
    program.registers = kFirstResult + kResults + 3;
    for (int t = 0; t < steps; ++t) program.steps.push_back(step(kFirstResult + pick(kResults)));
    const int first = kFirstResult + kResults;
    const int a = operand(kFloat32), b = operand(kFloat32);
    program.steps.push_back({op_add, kFloat32, first, a, b, -1});
    program.steps.push_back({op_gt, kFloat32, first + 1, first, a, -1});
    program.steps.push_back({op_where, kFloat32, first + 2, first + 1, first, operand(kFloat32)});
    program.outputs = {first, first + 1, first + 2};
    return program;
  }

 private:
  int pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }

  int operand(DType dtype) {
    for (;;) {
      const int reg = pick(static_cast<int>(types_.size()));
      if (written_[static_cast<size_t>(reg)] && types_[static_cast<size_t>(reg)] == dtype) return reg;
    }
  }

  ElementwiseProgram::Step step(int destination) {
    ElementwiseProgram::Step made;
    const int kind = pick(10);
    if (kind < 3) {
      made = {kUnary[pick(12)], kFloat32, destination, operand(kFloat32), -1, -1};
    } else if (kind < 7) {
      made = {kBinary[pick(7)], kFloat32, destination, operand(kFloat32), operand(kFloat32), -1};
    } else if (kind < 8) {
      made = {kComparisons[pick(6)], kFloat32, destination, operand(kFloat32), operand(kFloat32), -1};
    } else {
      made = {op_where, kFloat32, destination, operand(kBool), operand(kFloat32), operand(kFloat32)};
    }
    types_[static_cast<size_t>(destination)] = isComparison(made.opcode) ? kBool : kFloat32;
    written_[static_cast<size_t>(destination)] = true;
    return made;
  }

  std::mt19937 random_;
  std::vector<DType> types_;
  std::vector<bool> written_;
};

struct Inputs {
  Tensor<float> a, b, shared;  // the last is the same for every row, or for every element of a row
  Tensor<uint8_t> condition;
  bool ofRows;

  Inputs(const std::vector<int>& shape, bool ofRows)
      : a(shape),
        b(shape),
        shared(shape, ofRows ? std::vector<int>{1, 0} : std::vector<int>{0, 1}),
        condition(shape),
        ofRows(ofRows) {
    std::mt19937 random(5);
    for (Tensor<float>* x : {&a, &b, &shared}) {
      x->normals(random);
      for (size_t i = 0; i < x->elements; i += 7) x->data()[i] = special(i);
    }
    condition.fill([&] { return static_cast<uint8_t>(random() % 2); });
  }
  std::vector<View> views() const { return {viewOf(a), viewOf(b), viewOf(shared), viewOf(condition)}; }

  static float special(size_t i) {
    const float all[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, 1.0f};
    return all[i / 7 % 7];
  }
};

// One instruction for each step, over memory for each register.
std::vector<std::vector<unsigned char>> stepByStep(const KernelTable* table, const ElementwiseProgram& program,
                                                   const Inputs& inputs, const std::vector<double>& scalars) {
  const std::vector<int>& shape = inputs.a.shape;
  std::vector<Tensor<float>> floats;
  std::vector<Tensor<uint8_t>> bytes;
  std::vector<View> registers(static_cast<size_t>(program.registers));
  const std::vector<View> given = inputs.views();
  std::copy(given.begin(), given.end(), registers.begin());
  const Tensor<float> whole(shape);
  for (int i = 0; i < shape[0] * shape[1]; ++i)
    whole.data()[i] = inputs.shared.data()[inputs.ofRows ? i / shape[1] : i % shape[1]];
  registers[2] = viewOf(whole);
  for (size_t i = 0; i < scalars.size(); ++i) {
    floats.emplace_back(shape);
    floats.back().fill([&] { return static_cast<float>(scalars[i]); });
    registers[kInputs + i] = viewOf(floats.back());
  }
  for (const auto& step : program.steps) {
    View result;
    if (isComparison(step.opcode)) {
      bytes.emplace_back(shape);
      result = viewOf(bytes.back());
    } else {
      floats.emplace_back(shape);
      result = viewOf(floats.back());
    }
    std::vector<View> operands;
    for (int reg : {step.a, step.b, step.c})
      if (reg >= 0) operands.push_back(registers[static_cast<size_t>(reg)]);
    const int count = static_cast<int>(operands.size());
    const ElementwiseProgram one = {
        {}, count + 1, {{step.opcode, step.dtype, count, 0, count > 1 ? 1 : -1, count > 2 ? 2 : -1}}, {count}};
    EXPECT_EQ(runElementwise(table, one, operands, {result}, {}).failure, kOk);
    registers[static_cast<size_t>(step.destination)] = result;
  }
  std::vector<std::vector<unsigned char>> results;
  for (int reg : program.outputs) {
    const View& view = registers[static_cast<size_t>(reg)];
    const auto* data = static_cast<const unsigned char*>(view.data);
    results.emplace_back(data, data + static_cast<size_t>(view.size) * (view.dtype == kBool ? 1 : 4));
  }
  return results;
}

// NaNs are all the same: which of two a sum gives is up to the compiler.
void expectSame(const Tensor<float>& actual, const std::vector<unsigned char>& expected, const std::string& what) {
  for (size_t i = 0; i < actual.size(); ++i) {
    float value;
    std::memcpy(&value, expected.data() + 4 * i, 4);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(actual.data()[i])) << what << " at " << i;
    } else {
      ASSERT_EQ(std::memcmp(&actual.data()[i], &value, 4), 0) << what << " at " << i << ": " << actual.data()[i];
    }
  }
}

TEST(Chains, AreTheirStepsOneByOne) {
  const std::vector<std::vector<int>> shapes = {{1, 1},    {3, 41},   {1, 128},  {2, 80},   {9, 127},
                                                {2, 2048}, {5, 1500}, {40, 784}, {130, 256}};
  const std::vector<double> scalars = {0.75, -1.5};
  for (const KernelTable* table : testedTables()) {
    for (unsigned seed = 0; seed < 150; ++seed) {
      const Inputs inputs(shapes[seed % shapes.size()], seed % 2 == 0);
      const std::vector<int>& shape = inputs.a.shape;
      const ElementwiseProgram program = RandomByteCode(seed).make(2 + static_cast<int>(seed * 7 % 60));
      const auto expected = stepByStep(table, program, inputs, scalars);
      const std::string what = std::string(table->isa) + " seed " + std::to_string(seed);
      for (int threads : {1, 3}) {
        const Tensor<float> sum(shape), chosen(shape);
        const Tensor<uint8_t> greater(shape);
        const std::vector<View> outputs = {viewOf(sum), viewOf(greater), viewOf(chosen)};
        ASSERT_EQ(runElementwise(table, program, inputs.views(), outputs, scalars, threads).failure, kOk);
        expectSame(sum, expected[0], what + " sum");
        expectSame(chosen, expected[2], what + " chosen");
        ASSERT_EQ(std::memcmp(greater.data(), expected[1].data(), greater.size()), 0) << what;
      }
    }
  }
}

// The last step writes where an input was.
TEST(Chains, WriteInPlace) {
  ElementwiseProgram program = {{kFloat32},
                                5,
                                {{op_mul, kFloat32, 3, 0, 2, -1},
                                 {op_add, kFloat32, 3, 3, 1, -1},
                                 {op_sub, kFloat32, 3, 0, 3, -1},
                                 {op_abs, kFloat32, 4, 3, -1, -1}},
                                {4}};
  for (const KernelTable* table : testedTables()) {
    for (int size : {5, 128, 1000, 9000}) {
      std::mt19937 random(3);
      Tensor<float> x({size}), y({size});
      x.normals(random), y.normals(random);
      std::vector<float> expected;
      for (int i = 0; i < size; ++i) {
        const float scaled = x.data()[i] * 0.5f;
        const float sum = scaled + y.data()[i];
        expected.push_back(std::fabs(x.data()[i] - sum));
      }
      ASSERT_EQ(runElementwise(table, program, {viewOf(x), viewOf(y)}, {viewOf(x)}, {0.5}, 3).failure, kOk);
      EXPECT_TRUE(sameBits(x.values(), expected)) << table->isa << " " << size;
    }
  }
}

}  // namespace
}  // namespace saddlepoint
