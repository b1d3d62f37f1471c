// Instructions of the elementwise kernel with several segments, and with reductions at their end.
#include <gtest/gtest.h>

#include "kernels_table_support.h"

namespace saddlepoint {
namespace {

// Adam over parameters of many shapes as one instruction is, bit for bit, what one instruction each gives.
TEST(Regions, SegmentsAreAsTheyWereAlone) {
  // Registers: 0 p, 1 g (broadcast in some), 2 v; 3 rate, 4 decay; 5.. results.
  ElementwiseProgram program;
  program.scalars = {kFloat32, kFloat32};
  program.registers = 9;
  program.steps = {{op_mul, kFloat32, 5, 2, 4, -1},  {op_mul, kFloat32, 6, 1, 1, -1}, {op_add, kFloat32, 8, 5, 6, -1},
                   {op_sqrt, kFloat32, 5, 8, -1, -1}, {op_div, kFloat32, 5, 1, 5, -1}, {op_mul, kFloat32, 5, 5, 3, -1},
                   {op_sub, kFloat32, 7, 0, 5, -1}};
  program.outputs = {7, 8};
  const std::vector<std::vector<int>> shapes = {{1}, {40, 30}, {0}, {513}, {200, 300}, {}, {3, 1, 7}, {300001}, {2}};
  for (const KernelTable* table : testedTables()) {
    std::mt19937 random(11);
    std::vector<Tensor<float>> alone, joined;
    std::vector<View> inputs, outputs;
    std::vector<double> scalars;
    for (size_t s = 0; s < shapes.size(); ++s) {
      Tensor<float> p(shapes[s]), v(shapes[s]);
      Tensor<float> g(shapes[s], s % 3 == 1 ? std::vector<int>{0, 1} : std::vector<int>{});
      p.normals(random), g.normals(random), v.fill([&] { return float(random() % 100) / 50; });
      const Tensor<float> p1 = tensorOf(shapes[s], p.values()), v1 = tensorOf(shapes[s], v.values());
      const std::vector<double> own = {0.01 * double(1 + s % 4), 0.9};
      const std::vector<View> views = {viewOf(p1), viewOf(g), viewOf(v1)};
      ASSERT_EQ(runElementwise(table, program, views, {views[0], views[2]}, own).failure, kOk);
      alone.insert(alone.end(), {p1, v1});
      joined.insert(joined.end(), {p, g, v});
      inputs.insert(inputs.end(), {viewOf(p), viewOf(g), viewOf(v)});
      outputs.insert(outputs.end(), {viewOf(p), viewOf(v)});
      scalars.insert(scalars.end(), own.begin(), own.end());
    }
    program.segments = static_cast<int>(shapes.size());
    for (int threads : {1, 3}) {
      std::vector<std::vector<float>> before;
      for (const auto& tensor : joined) before.push_back(tensor.values());
      ASSERT_EQ(runElementwise(table, program, inputs, outputs, scalars, threads).failure, kOk);
      for (size_t s = 0; s < shapes.size(); ++s) {
        EXPECT_TRUE(sameBits(joined[3 * s].values(), alone[2 * s].values())) << table->isa << " " << s;
        EXPECT_TRUE(sameBits(joined[3 * s + 2].values(), alone[2 * s + 1].values())) << table->isa << " " << s;
      }
      for (size_t i = 0; i < joined.size(); ++i) std::copy(before[i].begin(), before[i].end(), joined[i].data());
    }
    program.segments = 1;
  }
}

// Squares and their negatives, reduced while they are made and by the kernels for that.
template <typename T>
void checkFolds(const std::vector<int>& kept, const std::vector<int>& reduced) {
  std::vector<int> shape = kept;
  shape.insert(shape.end(), reduced.begin(), reduced.end());
  std::vector<int> rowOfOnes(shape.size(), 0);
  const DType dtype = anyDTypeOf<T>();
  const ElementwiseProgram program = {
      {}, 5, {{op_mul, dtype, 3, 0, 1, -1}, {op_sub, dtype, 4, 2, 3, -1}}, {4, 3, 4, 4, 3}, {0, 1, 2, 3, 1}};
  ElementwiseProgram alone = program;
  alone.outputs.erase(alone.outputs.begin()), alone.folds.erase(alone.folds.begin());
  std::mt19937 random(12);
  Tensor<T> x(shape), y(shape), z(shape, rowOfOnes);
  x.normals(random), y.normals(random), z.normals(random);
  for (const KernelTable* table : testedTables()) {
    for (int threads : {1, 3}) {
      const Tensor<T> made(shape), squares(shape), sum(kept), max(kept), min(kept), sum2(kept), expected(kept);
      const std::vector<View> inputs = {viewOf(x), viewOf(y), viewOf(z)};
      const std::vector<View> folded = {viewOf(sum), viewOf(max), viewOf(min), viewOf(sum2)};
      std::vector<View> outputs = {viewOf(made)};
      outputs.insert(outputs.end(), folded.begin(), folded.end());
      for (size_t i = 0; i < squares.size(); ++i) squares.data()[i] = x.data()[i] * y.data()[i];
      const auto expectFold = [&](const Tensor<T>& of, KernelId kernel, const Tensor<T>& actual) {
        ASSERT_EQ(callKernel(table->kernels[kernel], {viewOf(of)}, {viewOf(expected)}, {double(kept.size())}).failure,
                  kOk);
        ASSERT_TRUE(sameBits(actual.values(), expected.values())) << table->isa << " " << kernel << " " << shape.size();
      };
      for (bool isAlone : {false, true}) {
        for (const View& view : folded) std::memset(view.data, 0x55, static_cast<size_t>(view.size) * sizeof(T));
        const Outcome outcome = isAlone ? runElementwise(table, alone, inputs, folded, {}, threads)
                                        : runElementwise(table, program, inputs, outputs, {}, threads);
        ASSERT_EQ(outcome.failure, kOk);
        expectFold(squares, k_sum, sum);
        expectFold(squares, k_sum, sum2);
        expectFold(made, k_max, max);
        expectFold(made, k_min, min);
      }
    }
  }
}

TEST(Regions, FoldsHaveTheBitsOfReductions) {
  const std::vector<std::vector<int>> shapes = {{},  {1},   {2},    {15},      {16},   {17},      {100},   {1023},
                                                {1024}, {1025}, {3000}, {7, 11, 13}, {65536}, {70000}, {5, 41, 1000}};
  for (const std::vector<int>& kept : std::vector<std::vector<int>>{{}, {1}, {3}, {2, 2}, {37}}) {
    for (const std::vector<int>& reduced : shapes) {
      checkFolds<float>(kept, reduced);
      if (kept.size() == 1) checkFolds<double>(kept, reduced), checkFolds<int32_t>(kept, reduced);
    }
  }
}

TEST(Regions, FoldsOverNothing) {
  for (const KernelTable* table : testedTables()) {
    const ElementwiseProgram program = {{}, 2, {{op_neg, kFloat32, 1, 0, -1, -1}}, {1}, {1}};
    const Tensor<float> x({3, 0}), y({0, 3}), sums = tensorOf<float>({3}, {7, 7, 7}), none({0});
    EXPECT_EQ(runElementwise(table, program, {viewOf(x)}, {viewOf(sums)}).failure, kOk);
    EXPECT_EQ(sums.values(), (std::vector<float>{0, 0, 0}));
    EXPECT_EQ(runElementwise(table, program, {viewOf(y)}, {viewOf(none)}).failure, kOk);
  }
}

}  // namespace
}  // namespace saddlepoint
