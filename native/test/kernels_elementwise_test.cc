// The elementwise kernel: every step for every dtype it takes, strides, and whole programs.
#include <gtest/gtest.h>

#include "kernels_table_support.h"

namespace saddlepoint {
namespace {

const std::vector<int> sizes = [] {
  std::vector<int> all;
  for (int i = 1; i <= 70; ++i) all.push_back(i);
  for (int i : {255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 5000}) all.push_back(i);
  return all;
}();

template <typename T>
std::vector<T> sample(int size, int seed) {
  std::mt19937_64 random(static_cast<uint64_t>(seed));
  std::vector<T> values(static_cast<size_t>(size));
  std::normal_distribution<double> normal;
  for (T& value : values) {
    const double x = normal(random) * 3;
    value = std::is_same<T, uint8_t>::value ? static_cast<T>(random() % 2) : static_cast<T>(x);
  }
  if (std::is_floating_point<T>::value) {
    const double specials[] = {0.0,  -0.0, INFINITY, -INFINITY,    NAN,           2.5,
                               -3.5, 1e30, -1e30,    2147483648.0, -2147483648.0, 9.3e18};
    for (size_t i = static_cast<size_t>(seed); i < values.size(); i += 5)
      values[i] = static_cast<T>(specials[random() % 12]);
  } else if (sizeof(T) >= 4) {
    const int64_t specials[] = {INT32_MAX, INT32_MIN, 0, INT64_MIN, INT64_MAX, int64_t{1} << 32};
    for (size_t i = static_cast<size_t>(seed); i < values.size(); i += 5)
      values[i] = static_cast<T>(specials[random() % 6]);
  }
  return values;
}

template <typename T>
bool same(T a, T b) {
  return a == b || (a != a && b != b);
}

template <typename In, typename Out>
void checkUnary(Opcode opcode, const char* name, Out (*expected)(In)) {
  for (const KernelTable* table : testedTables()) {
    for (int size : sizes) {
      const std::vector<In> x = sample<In>(size, 1);
      const std::vector<Out> y = runStep<In, Out>(table, opcode, {x});
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_TRUE(same(y[i], expected(x[i])))
            << name << " " << table->isa << " x " << double(x[i]) << " y " << double(y[i]);
      }
    }
  }
}

template <typename In, typename Out>
void checkBinary(Opcode opcode, const char* name, Out (*expected)(In, In)) {
  for (const KernelTable* table : testedTables()) {
    for (int size : sizes) {
      const std::vector<In> a = sample<In>(size, 1), b = sample<In>(size, 2);
      const std::vector<Out> y = runStep<In, Out>(table, opcode, {a, b});
      for (size_t i = 0; i < a.size(); ++i) {
        ASSERT_TRUE(same(y[i], expected(a[i], b[i])))
            << name << " " << table->isa << " a " << double(a[i]) << " b " << double(b[i]) << " y " << double(y[i]);
      }
    }
  }
}

#define UNARY(In, Out, opcode, expression) \
  checkUnary<In, Out>(op_##opcode, #opcode " " #In, [](In x) -> Out { return expression; })
#define BINARY(In, Out, opcode, expression) \
  checkBinary<In, Out>(op_##opcode, #opcode " " #In, [](In a, In b) -> Out { return expression; })

template <typename T>
void checkFloats() {
  BINARY(T, T, add, a + b);
  BINARY(T, T, sub, a - b);
  BINARY(T, T, mul, a * b);
  BINARY(T, T, div, a / b);
  BINARY(T, T, maximum, std::isnan(a) ? a : std::isnan(b) ? b : std::max(a, b));
  BINARY(T, T, minimum, std::isnan(a) ? a : std::isnan(b) ? b : std::min(a, b));
  BINARY(T, T, pow, std::pow(a, b));
  UNARY(T, T, neg, -x);
  UNARY(T, T, abs, std::fabs(x));
  UNARY(T, T, sign, std::isnan(x) ? x : T((x > 0) - (x < 0)));
  UNARY(T, T, sqrt, std::sqrt(x));
  UNARY(T, T, floor, std::floor(x));
  UNARY(T, T, ceil, std::ceil(x));
  UNARY(T, T, round, std::nearbyint(x));
  UNARY(T, T, trunc, std::trunc(x));
  UNARY(T, T, relu, x < 0 ? T(0) : x);
}

TEST(Elementwise, FloatArithmetic) {
  checkFloats<float>();
  checkFloats<double>();
}

template <typename T>
void checkComparisons() {
  BINARY(T, uint8_t, eq, a == b);
  BINARY(T, uint8_t, ne, a != b);
  BINARY(T, uint8_t, lt, a < b);
  BINARY(T, uint8_t, le, a <= b);
  BINARY(T, uint8_t, gt, a > b);
  BINARY(T, uint8_t, ge, a >= b);
}

TEST(Elementwise, Comparisons) {
  checkComparisons<float>();
  checkComparisons<double>();
  checkComparisons<int32_t>();
  checkComparisons<uint8_t>();
}

int32_t wrap(int64_t x) { return static_cast<int32_t>(static_cast<uint32_t>(x)); }

TEST(Elementwise, Int32Wraps) {
  BINARY(int32_t, int32_t, add, wrap(int64_t(a) + b));
  BINARY(int32_t, int32_t, sub, wrap(int64_t(a) - b));
  BINARY(int32_t, int32_t, mul, wrap(int64_t(a) * b));
  BINARY(int32_t, int32_t, maximum, std::max(a, b));
  BINARY(int32_t, int32_t, minimum, std::min(a, b));
  UNARY(int32_t, int32_t, neg, wrap(-int64_t(x)));
  UNARY(int32_t, int32_t, abs, wrap(std::abs(int64_t(x))));
  UNARY(int32_t, int32_t, sign, (x > 0) - (x < 0));
}

TEST(Elementwise, Logic) {
  BINARY(uint8_t, uint8_t, logicalAnd, a && b);
  BINARY(uint8_t, uint8_t, logicalOr, a || b);
  UNARY(uint8_t, uint8_t, logicalNot, !x);
}

template <typename Int, typename T>
Int saturated(T x) {
  if (std::isnan(x)) return 0;
  const long double wide = std::trunc(static_cast<long double>(x));
  if (wide >= static_cast<long double>(std::numeric_limits<Int>::max())) return std::numeric_limits<Int>::max();
  if (wide <= static_cast<long double>(std::numeric_limits<Int>::min())) return std::numeric_limits<Int>::min();
  return static_cast<Int>(wide);
}

template <typename T>
void checkCastsOfFloats() {
  UNARY(T, float, castFloat32, static_cast<float>(x));
  UNARY(T, double, castFloat64, static_cast<double>(x));
  UNARY(T, int32_t, castInt32, (saturated<int32_t, T>(x)));
  UNARY(T, int64_t, castInt64, (saturated<int64_t, T>(x)));
  UNARY(T, uint8_t, castBool, x != 0);
  UNARY(T, T, copy, x);
}

template <typename T>
void checkCastsOfIntegers() {
  UNARY(T, float, castFloat32, static_cast<float>(x));
  UNARY(T, double, castFloat64, static_cast<double>(x));
  UNARY(T, int32_t, castInt32,
        static_cast<int32_t>(std::min<int64_t>(INT32_MAX, std::max<int64_t>(INT32_MIN, static_cast<int64_t>(x)))));
  UNARY(T, int64_t, castInt64, static_cast<int64_t>(x));
  UNARY(T, uint8_t, castBool, x != 0);
  UNARY(T, T, copy, x);
}

TEST(Elementwise, Casts) {
  checkCastsOfFloats<float>();
  checkCastsOfFloats<double>();
  checkCastsOfIntegers<int32_t>();
  checkCastsOfIntegers<int64_t>();
  checkCastsOfIntegers<uint8_t>();
}

template <typename T>
void checkWhere() {
  for (const KernelTable* table : testedTables()) {
    for (int size : sizes) {
      const Tensor<uint8_t> condition = vectorOf(sample<uint8_t>(size, 3));
      const Tensor<T> a = vectorOf(sample<T>(size, 1)), b = vectorOf(sample<T>(size, 2));
      const Tensor<T> out({size});
      const ElementwiseProgram program = {{}, 4, {{op_where, anyDTypeOf<T>(), 3, 0, 1, 2}}, {3}};
      ASSERT_EQ(runElementwise(table, program, {viewOf(condition), viewOf(a), viewOf(b)}, {viewOf(out)}).failure, kOk);
      for (int i = 0; i < size; ++i) ASSERT_TRUE(same(out.data()[i], condition.data()[i] ? a.data()[i] : b.data()[i]));
    }
  }
}

TEST(Elementwise, Where) {
  checkWhere<float>();
  checkWhere<double>();
  checkWhere<int32_t>();
  checkWhere<int64_t>();
  checkWhere<uint8_t>();
}

// out = a + b over shape, for strides of both (in elements).
void checkStrides(std::vector<int> shape, std::vector<int> stridesA, std::vector<int> stridesB) {
  std::mt19937 random(5);
  Tensor<float> a(shape, stridesA), b(shape, stridesB);
  a.integers(random, 1000);
  b.integers(random, 1000);
  for (const KernelTable* table : testedTables()) {
    const Tensor<float> out(shape);
    const ElementwiseProgram program = {{}, 3, {{op_add, kFloat32, 2, 0, 1, -1}}, {2}};
    ASSERT_EQ(runElementwise(table, program, {viewOf(a), viewOf(b)}, {viewOf(out)}).failure, kOk);
    for (size_t i = 0; i < out.size(); ++i) {
      size_t rest = i, atA = 0, atB = 0;
      for (size_t dim = shape.size(); dim-- > 0; rest /= static_cast<size_t>(shape[dim])) {
        const size_t position = rest % static_cast<size_t>(shape[dim]);
        atA += position * static_cast<size_t>(stridesA[dim]);
        atB += position * static_cast<size_t>(stridesB[dim]);
      }
      ASSERT_EQ(out.data()[i], a.data()[atA] + b.data()[atB]) << i;
    }
  }
}

TEST(Elementwise, Strides) {
  checkStrides({7}, {1}, {0});
  checkStrides({700}, {3}, {1});
  checkStrides({30, 40}, {40, 1}, {1, 30});
  checkStrides({30, 40}, {40, 1}, {0, 1});
  checkStrides({30, 40}, {0, 1}, {1, 0});
  checkStrides({3, 5, 7, 11}, {385, 77, 11, 1}, {0, 1, 0, 0});
  checkStrides({3, 5, 7, 11}, {1, 3, 15, 105}, {0, 2, 1, 30});
  checkStrides({2, 1, 600, 3}, {2000, 7, 3, 1}, {0, 0, 0, 0});
  checkStrides({1, 1, 1}, {0, 0, 0}, {5, 5, 5});
  checkStrides({2, 2, 2, 2, 2, 2, 2, 2}, {1, 2, 4, 8, 16, 32, 64, 128}, {128, 0, 32, 16, 8, 4, 0, 1});
  checkStrides({100, 100, 3}, {3, 300, 1}, {300, 3, 1});
}

// What belongs to features or to the channels of small images, which is written out once; in the last two cases one
// input is too large for that.
TEST(Elementwise, RepeatedInputs) {
  checkStrides({3, 50}, {50, 1}, {0, 1});
  checkStrides({1000, 7}, {7, 1}, {0, 1});
  checkStrides({129, 256}, {256, 1}, {0, 1});
  checkStrides({5, 40, 60}, {2400, 60, 1}, {0, 1, 0});
  checkStrides({9, 1000, 16}, {16000, 16, 1}, {0, 1, 0});
  checkStrides({6, 5, 4, 30}, {0, 1, 20, 5}, {0, 120, 0, 1});
  checkStrides({4, 45000, 3}, {135000, 3, 1}, {0, 1, 0});
  checkStrides({4, 40000, 2}, {0, 2, 1}, {0, 1, 0});
}

// Several of different periods and dtypes, in a chain and in a loop, on several threads.
TEST(Elementwise, RepeatedInputsAtEveryThreadCount) {
  const std::vector<int> shape = {11, 300, 31};
  std::mt19937 random(9);
  Tensor<float> x(shape), perChannel({1, 300, 1}), perPosition({1, 1, 31});
  Tensor<uint8_t> mask({1, 300, 31});
  x.integers(random, 1000);
  perChannel.integers(random, 1000);
  perPosition.integers(random, 1000);
  mask.fill([&] { return static_cast<uint8_t>(random() % 2); });
  const auto repeated = [&](View view) {
    for (int dim = 0; dim < 3; ++dim) {
      view.strides[dim] = view.shape[dim] == 1 ? 0 : view.strides[dim];
      view.shape[dim] = shape[static_cast<size_t>(dim)];
    }
    view.size = static_cast<int32_t>(x.size());
    return view;
  };
  const ElementwiseProgram program = {
      {}, 7, {{op_add, kFloat32, 4, 0, 1, -1}, {op_mul, kFloat32, 5, 4, 2, -1}, {op_where, kFloat32, 6, 3, 5, 1}}, {6}};
  for (const KernelTable* table : testedTables()) {
    for (int threads : {1, 2, 5}) {
      const Tensor<float> out(shape);
      const std::vector<View> inputs = {viewOf(x), repeated(viewOf(perChannel)), repeated(viewOf(perPosition)),
                                        repeated(viewOf(mask))};
      ASSERT_EQ(runElementwise(table, program, inputs, {viewOf(out)}, {}, threads).failure, kOk);
      for (size_t i = 0; i < out.size(); ++i) {
        const float channel = perChannel.data()[i / 31 % 300], sum = x.data()[i] + channel;
        ASSERT_EQ(out.data()[i], mask.data()[i % 9300] ? sum * perPosition.data()[i % 31] : channel) << i;
      }
    }
  }
}

TEST(Elementwise, EmptyAndScalarShapes) {
  for (const KernelTable* table : testedTables()) {
    const ElementwiseProgram program = {{}, 2, {{op_neg, kFloat32, 1, 0, -1, -1}}, {1}};
    const Tensor<float> empty({3, 0}), emptyOut({3, 0});
    EXPECT_EQ(runElementwise(table, program, {viewOf(empty)}, {viewOf(emptyOut)}).failure, kOk);
    const Tensor<float> one = tensorOf<float>({}, {4}), oneOut({});
    EXPECT_EQ(runElementwise(table, program, {viewOf(one)}, {viewOf(oneOut)}).failure, kOk);
    EXPECT_EQ(oneOut.data()[0], -4);
  }
}

TEST(Elementwise, NoInputs) {
  for (const KernelTable* table : testedTables()) {
    const ElementwiseProgram program = {
        {kFloat64, kInt64}, 4, {{op_copy, kFloat64, 2, 0, -1, -1}, {op_copy, kInt64, 3, 1, -1, -1}}, {2, 3}};
    const Tensor<double> a({600});
    const Tensor<int64_t> b({600});
    ASSERT_EQ(runElementwise(table, program, {}, {viewOf(a), viewOf(b)}, {0.1, 9007199254740991.0}).failure, kOk);
    for (int i = 0; i < 600; ++i) ASSERT_TRUE(a.data()[i] == 0.1 && b.data()[i] == 9007199254740991);
  }
}

// Adam in place: p, m, v are inputs and outputs at once.
TEST(Elementwise, InPlaceProgramAtEveryThreadCount) {
  const int size = 300001;
  const std::vector<float> g = [&] {
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(size));
    for (float& value : values) value = normal(random);
    return values;
  }();
  // Registers: 0 p, 1 g, 2 m, 3 v; 4 b1, 5 1-b1, 6 b2, 7 1-b2, 8 rate, 9 eps; 10.. results.
  ElementwiseProgram program;
  program.scalars = {kFloat32, kFloat32, kFloat32, kFloat32, kFloat32, kFloat32};
  program.registers = 16;
  program.steps = {
      {op_mul, kFloat32, 10, 2, 4, -1},   {op_mul, kFloat32, 11, 1, 5, -1},    {op_add, kFloat32, 13, 10, 11, -1},
      {op_mul, kFloat32, 10, 1, 1, -1},   {op_mul, kFloat32, 10, 10, 7, -1},   {op_mul, kFloat32, 11, 3, 6, -1},
      {op_add, kFloat32, 14, 11, 10, -1}, {op_sqrt, kFloat32, 10, 14, -1, -1}, {op_add, kFloat32, 10, 10, 9, -1},
      {op_div, kFloat32, 11, 13, 10, -1}, {op_mul, kFloat32, 11, 11, 8, -1},   {op_sub, kFloat32, 15, 0, 11, -1}};
  program.outputs = {15, 13, 14};
  const std::vector<double> scalars = {0.9, 0.1, 0.999, 0.001, 0.01, 1e-8};
  for (const KernelTable* table : testedTables()) {
    std::vector<float> first;
    for (int threads : {1, 2, 5}) {
      const Tensor<float> p = vectorOf(g), gradient = vectorOf(g), m = vectorOf(g),
                          v = vectorOf(std::vector<float>(g.size(), 0.5f));
      const std::vector<View> views = {viewOf(p), viewOf(gradient), viewOf(m), viewOf(v)};
      ASSERT_EQ(runElementwise(table, program, views, {views[0], views[2], views[3]}, scalars, threads).failure, kOk);
      for (int i = 0; i < size; i += 997) {
        const size_t j = static_cast<size_t>(i);
        const float m1 = g[j] * 0.9f + g[j] * 0.1f, v1 = 0.5f * 0.999f + g[j] * g[j] * 0.001f;
        ASSERT_EQ(p.data()[i], g[j] - m1 / (std::sqrt(v1) + 1e-8f) * 0.01f);
        ASSERT_TRUE(m.data()[i] == m1 && v.data()[i] == v1);
      }
      if (first.empty()) first = p.values();
      ASSERT_TRUE(sameBits(first, p.values()));
    }
  }
}

// One register holds results of several widths, each read by the step that replaces it.
TEST(Elementwise, WideningInPlace) {
  for (const KernelTable* table : testedTables()) {
    for (int size : sizes) {
      const std::vector<uint8_t> flags = sample<uint8_t>(size, 1);
      const Tensor<uint8_t> x = vectorOf(flags);
      const Tensor<double> out({size}), twice({size});
      const ElementwiseProgram program = {{},
                                          4,
                                          {{op_logicalNot, kBool, 1, 0, -1, -1},
                                           {op_castFloat32, kBool, 1, 1, -1, -1},
                                           {op_exp, kFloat32, 1, 1, -1, -1},
                                           {op_castFloat64, kFloat32, 1, 1, -1, -1},
                                           {op_castInt32, kFloat64, 1, 1, -1, -1},
                                           {op_castFloat64, kInt32, 2, 1, -1, -1},
                                           {op_copy, kFloat64, 3, 2, -1, -1}},
                                          {2, 3}};
      ASSERT_EQ(runElementwise(table, program, {viewOf(x)}, {viewOf(out), viewOf(twice)}).failure, kOk);
      for (int i = 0; i < size; ++i) {
        ASSERT_EQ(out.data()[i], flags[static_cast<size_t>(i)] ? 1 : 2);
        ASSERT_EQ(twice.data()[i], out.data()[i]);
      }
    }
  }
}

// Outputs of this size are written past the caches, unless they are an input too.
TEST(Elementwise, LargeFreshOutputs) {
  const int size = (1 << 22) + 1030;
  const Tensor<float> x({size + 6}), memory({size + 6 + 16}), twice({size + 6});
  std::mt19937 random(8);
  Tensor<float>(x).integers(random, 1000);
  const std::vector<float> values = x.values();
  View input = viewOf(x), first = viewOf(memory), second = viewOf(twice);
  input.size = first.size = second.size = input.shape[0] = first.shape[0] = second.shape[0] = size;
  first.data = reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(first.data) + 63) / 64 * 64);
  for (const KernelTable* table : testedTables()) {
    for (const std::vector<View>& outputs : {std::vector<View>{first, second}, std::vector<View>{second, first}}) {
      std::memset(memory.data(), 0, memory.elements * sizeof(float));
      const ElementwiseProgram program = {
          {}, 3, {{op_neg, kFloat32, 1, 0, -1, -1}, {op_copy, kFloat32, 2, 1, -1, -1}}, {1, 2}};
      ASSERT_EQ(runElementwise(table, program, {input}, outputs, {}, 2).failure, kOk);
      for (int i = 0; i < size; ++i) {
        ASSERT_EQ(static_cast<float*>(first.data)[i], -values[static_cast<size_t>(i)]);
        ASSERT_EQ(static_cast<float*>(second.data)[i], -values[static_cast<size_t>(i)]);
      }
      ASSERT_EQ(static_cast<float*>(first.data)[size], 0);
    }
    const ElementwiseProgram program = {
        {}, 3, {{op_neg, kFloat32, 1, 0, -1, -1}, {op_add, kFloat32, 2, 1, 0, -1}}, {1, 2}};
    ASSERT_EQ(runElementwise(table, program, {input}, {first, input}, {}, 2).failure, kOk);
    for (int i = 0; i < size; ++i) {
      ASSERT_TRUE(static_cast<float*>(first.data)[i] == -values[static_cast<size_t>(i)] && x.data()[i] == 0);
      x.data()[i] = values[static_cast<size_t>(i)];
    }
  }
}

TEST(Elementwise, ManyStreams) {
  for (const KernelTable* table : testedTables()) {
    for (int size : {1, 255, 256, 257, 100003}) {
      std::vector<Tensor<int32_t>> inputs;
      std::vector<View> views;
      ElementwiseProgram program = {{}, 11, {{op_add, kInt32, 10, 0, 1, -1}}, {}};
      for (int i = 0; i < 9; ++i) {
        inputs.push_back(vectorOf(sample<int32_t>(size, i + 1)));
        if (i >= 2) program.steps.push_back({op_add, kInt32, i == 8 ? 9 : 10, 10, i, -1});
      }
      for (const auto& input : inputs) views.push_back(viewOf(input));
      program.outputs = {9};
      const Tensor<int32_t> out({size});
      ASSERT_EQ(runElementwise(table, program, views, {viewOf(out)}, {}, 3).failure, kOk);
      for (int i = 0; i < size; ++i) {
        uint32_t sum = 0;
        for (const auto& input : inputs) sum += static_cast<uint32_t>(input.data()[i]);
        ASSERT_EQ(static_cast<uint32_t>(out.data()[i]), sum);
      }
    }
  }
}

}  // namespace
}  // namespace saddlepoint
