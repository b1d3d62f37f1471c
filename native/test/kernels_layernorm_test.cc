// Layer normalisation and its gradients against sums in long double.
#include <gtest/gtest.h>

#include "kernels_support.h"

namespace saddlepoint {
namespace {

template <typename T>
class LayerNormTest : public testing::Test {};
using Floating = testing::Types<float, double>;
TYPED_TEST_SUITE(LayerNormTest, Floating);

// Rows within a vector, of whole vectors and between; one part, many, and rows longer than a part.
const std::vector<std::vector<int>> shapes = {{1, 1},   {3, 2},    {5, 7},     {33, 16},    {7, 31},   {40, 33},
                                              {9, 100}, {300, 65}, {4100, 24}, {2000, 300}, {3, 40000}};
constexpr double kEps = 1e-3;

template <typename T>
struct Row {
  std::vector<long double> normalized;
  long double inverse = 0;

  Row(const T* x, int n) : normalized(n) {
    long double mean = 0, squares = 0;
    for (int i = 0; i < n; ++i) mean += static_cast<long double>(x[i]) / n;
    for (int i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean) / n;
    inverse = 1 / std::sqrt(squares + kEps);
    for (int i = 0; i < n; ++i) normalized[i] = (x[i] - mean) * inverse;
  }
};

// A mean over n elements in 32 lanes, then a tree; used for the mean, the variance and the gradients' means.
template <typename T>
double boundOf(int n) {
  return (n / 32.0 + 40) * epsilonOf<T>();
}

template <typename T>
struct Example {
  int rows, n;
  Tensor<T> x, g, weight, bias;

  Example(const std::vector<int>& shape, std::mt19937& random)
      : rows(shape[0]),
        n(shape[1]),
        x(Tensor<T>(shape).normals(random)),
        g(Tensor<T>(shape).normals(random)),
        weight(Tensor<T>({shape[1]}).normals(random)),
        bias(Tensor<T>({shape[1]}).normals(random)) {}

  Row<T> row(int i) const { return Row<T>(x.data() + static_cast<size_t>(i) * n, n); }
};

// The same bits on any number of threads.
template <typename T>
Tensor<T> run(Kernel kernel, const std::vector<View>& inputs, const std::vector<int>& shape) {
  Tensor<T> out(shape), again(shape);
  EXPECT_EQ(kOk, runKernel(kernel, inputs, {out.view()}, {kEps}));
  EXPECT_EQ(kOk, runKernel(kernel, inputs, {again.view()}, {kEps}, 3));
  EXPECT_TRUE(sameBits(out.values(), again.values()));
  return out;
}

TYPED_TEST(LayerNormTest, Normalizes) {
  using T = TypeParam;
  std::mt19937 random(1);
  for (const std::vector<int>& shape : shapes) {
    const Example<T> e(shape, random);
    for (const TestedIsa& isa : testedIsas()) {
      const Tensor<T> out = run<T>(isa.layerNorm, {e.x.view(), e.weight.view(), e.bias.view()}, shape);
      for (int r = 0; r < e.rows; ++r) {
        const Row<T> row = e.row(r);
        for (int i = 0; i < e.n; ++i) {
          const double scaled = static_cast<double>(row.normalized[i]) * e.weight.data()[i], bias = e.bias.data()[i];
          const double size = std::fabs(scaled) + std::fabs(e.weight.data()[i]) + std::fabs(bias);
          ASSERT_NEAR(static_cast<double>(out.data()[static_cast<size_t>(r) * e.n + i]), scaled + bias,
                      boundOf<T>(e.n) * size)
              << isa.name << " row " << r << " of " << e.rows << "x" << e.n;
        }
      }
    }
  }
}

TYPED_TEST(LayerNormTest, InputGradient) {
  using T = TypeParam;
  std::mt19937 random(2);
  for (const std::vector<int>& shape : shapes) {
    const Example<T> e(shape, random);
    for (const TestedIsa& isa : testedIsas()) {
      const Tensor<T> out = run<T>(isa.layerNormInputGrad, {e.g.view(), e.x.view(), e.weight.view()}, shape);
      for (int r = 0; r < e.rows; ++r) {
        const Row<T> row = e.row(r);
        const size_t at = static_cast<size_t>(r) * e.n;
        long double mean = 0, along = 0, size = 0, sizeAlong = 0;
        for (int i = 0; i < e.n; ++i) {
          const long double v = static_cast<long double>(e.g.data()[at + i]) * e.weight.data()[i];
          mean += v / e.n;
          along += v * row.normalized[i] / e.n;
          size += std::fabs(v) / e.n;
          sizeAlong += std::fabs(v * row.normalized[i]) / e.n;
        }
        for (int i = 0; i < e.n; ++i) {
          const long double v = static_cast<long double>(e.g.data()[at + i]) * e.weight.data()[i];
          const long double expected = row.inverse * (v - mean - row.normalized[i] * along);
          const long double scale =
              row.inverse * (std::fabs(v) + size + (1 + std::fabs(row.normalized[i])) * (sizeAlong + size));
          ASSERT_NEAR(static_cast<double>(out.data()[at + i]), static_cast<double>(expected),
                      2 * boundOf<T>(e.n) * static_cast<double>(scale))
              << isa.name << " row " << r << " of " << e.rows << "x" << e.n;
        }
      }
    }
  }
}

TYPED_TEST(LayerNormTest, WeightGradients) {
  using T = TypeParam;
  std::mt19937 random(3);
  for (const std::vector<int>& shape : shapes) {
    const Example<T> e(shape, random);
    std::vector<double> products(e.n), sums(e.n), productSizes(e.n), sizes(e.n);
    for (int r = 0; r < e.rows; ++r) {
      const Row<T> row = e.row(r);
      for (int i = 0; i < e.n; ++i) {
        const double g = e.g.data()[static_cast<size_t>(r) * e.n + i], x = static_cast<double>(row.normalized[i]);
        products[i] += g * x;
        productSizes[i] += std::fabs(g) * (1 + std::fabs(x));
        sums[i] += g;
        sizes[i] += std::fabs(g);
      }
    }
    // Chains are at most as long as the rows of a part, and there are up to 32 parts.
    const double chain = e.rows / 32.0 + 40, bound = chain * epsilonOf<T>() + boundOf<T>(e.n);
    for (const TestedIsa& isa : testedIsas()) {
      const Tensor<T> out = run<T>(isa.layerNormWeightGrads, {e.g.view(), e.x.view()}, {2, e.n});
      for (int i = 0; i < e.n; ++i) {
        ASSERT_NEAR(static_cast<double>(out.data()[i]), products[i],
                    (bound + e.rows * epsilonOf<T>()) * productSizes[i])
            << isa.name << " column " << i << " of " << e.rows << "x" << e.n;
        ASSERT_NEAR(static_cast<double>(out.data()[e.n + i]), sums[i], (bound + e.rows * epsilonOf<T>()) * sizes[i])
            << isa.name << " column " << i << " of " << e.rows << "x" << e.n;
      }
    }
  }
}

TYPED_TEST(LayerNormTest, FusedIsasAgreeBitForBit) {
  using T = TypeParam;
  std::mt19937 random(4);
  const Example<T> e({37, 83}, random);
  std::vector<T> first;
  for (const TestedIsa& isa : testedIsas()) {
    if (!isa.fused) continue;
    std::vector<T> all = run<T>(isa.layerNorm, {e.x.view(), e.weight.view(), e.bias.view()}, {37, 83}).values();
    for (const Tensor<T>& more : {run<T>(isa.layerNormInputGrad, {e.g.view(), e.x.view(), e.weight.view()}, {37, 83}),
                                  run<T>(isa.layerNormWeightGrads, {e.g.view(), e.x.view()}, {2, 83})}) {
      const std::vector<T> values = more.values();
      all.insert(all.end(), values.begin(), values.end());
    }
    if (first.empty()) first = all;
    EXPECT_TRUE(sameBits(first, all)) << isa.name;
  }
}

TYPED_TEST(LayerNormTest, EmptyAndNotFinite) {
  using T = TypeParam;
  for (const TestedIsa& isa : testedIsas()) {
    Tensor<T> none({0, 3}), sums({2, 3}), x({2, 20}), out({2, 20}), weight({20}), bias({20});
    sums.fill([] { return T(7); });
    ASSERT_EQ(kOk, runKernel(isa.layerNormWeightGrads, {none.view(), none.view()}, {sums.view()}, {kEps}));
    for (T value : sums.values()) EXPECT_EQ(value, T(0));
    for (Tensor<T>* ones : {&x, &weight}) ones->fill([] { return T(1); });
    bias.fill([] { return T(0); });
    x.data()[19] = static_cast<T>(NAN);
    ASSERT_EQ(kOk, runKernel(isa.layerNorm, {x.view(), weight.view(), bias.view()}, {out.view()}, {kEps}));
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(std::isnan(out.data()[i]));
      EXPECT_EQ(out.data()[20 + i], T(0));
    }
  }
}

}  // namespace
}  // namespace saddlepoint
