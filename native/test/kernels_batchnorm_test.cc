// Batch normalisation against sums in long double.
#include <gtest/gtest.h>

#include "kernels_support.h"

namespace saddlepoint {
namespace {

template <typename T>
class BatchNormTest : public testing::Test {};
using Floating = testing::Types<float, double>;
TYPED_TEST_SUITE(BatchNormTest, Floating);

const std::vector<std::vector<int>> shapes = {{1, 1, 1},    {5, 3, 1},    {32, 70, 1},   {300, 33, 1},
                                              {4, 5, 4},    {150, 9, 15}, {3, 4, 16},    {7, 2, 49},
                                              {20, 3, 784}, {2, 3, 8192}, {2, 2, 20001}, {600, 2, 64}};

template <typename T>
std::vector<long double> momentsOf(const Tensor<T>& x) {
  const int images = x.shape[0], channels = x.shape[1], length = x.shape[2];
  std::vector<long double> moments(2 * channels);
  for (int c = 0; c < channels; ++c) {
    const auto visit = [&](const auto& use) {
      for (int n = 0; n < images; ++n) {
        for (int i = 0; i < length; ++i) use(static_cast<long double>(x.data()[(n * channels + c) * length + i]));
      }
    };
    long double sum = 0, squares = 0;
    visit([&](long double v) { sum += v; });
    const long double mean = sum / (images * length);
    visit([&](long double v) { squares += (v - mean) * (v - mean); });
    moments[c] = mean;
    moments[channels + c] = squares / (images * length);
  }
  return moments;
}

TYPED_TEST(BatchNormTest, StatisticsAreAccurateAlsoFarFromZero) {
  using T = TypeParam;
  std::mt19937 random(1);
  for (const TestedIsa& isa : testedIsas()) {
    for (const std::vector<int>& shape : shapes) {
      for (double offset : {0.0, 1000.0}) {
        Tensor<T> x = Tensor<T>(shape).normals(random), statistics({2, shape[1]}), again({2, shape[1]});
        for (size_t i = 0; i < x.size(); ++i) x.data()[i] += static_cast<T>(offset);
        const std::vector<long double> expected = momentsOf(x);
        ASSERT_EQ(kOk, runKernel(isa.batchNormStatistics, {x.view()}, {statistics.view()}, {}));
        ASSERT_EQ(kOk, runKernel(isa.batchNormStatistics, {x.view()}, {again.view()}, {}, 3));
        EXPECT_TRUE(sameBits(statistics.values(), again.values()));
        const int channels = shape[1];
        const double eps = epsilonOf<T>(), scale = offset + 5;
        for (int c = 0; c < channels; ++c) {
          const double mean = static_cast<double>(expected[c]), variance = static_cast<double>(expected[channels + c]);
          ASSERT_NEAR(static_cast<double>(statistics.data()[c]), mean, 64 * eps * scale)
              << isa.name << " channel " << c;
          // The mean's error enters squared; E[x^2] - E[x]^2 would be off by eps * offset^2 = 0.06 for float.
          ASSERT_NEAR(static_cast<double>(statistics.data()[channels + c]), variance,
                      128 * eps * (variance + scale) + 64 * eps * eps * scale * scale)
              << isa.name << " channel " << c << " of " << shape[0] << "x" << shape[1] << "x" << shape[2];
        }
      }
    }
  }
}

TYPED_TEST(BatchNormTest, NormalizesAndSumsGradients) {
  using T = TypeParam;
  std::mt19937 random(2);
  for (const TestedIsa& isa : testedIsas()) {
    for (const std::vector<int>& shape : shapes) {
      const int channels = shape[1], length = shape[2];
      Tensor<T> x = Tensor<T>(shape).normals(random), g = Tensor<T>(shape).normals(random), out(shape), again(shape);
      Tensor<T> statistics = Tensor<T>({2, channels}).normals(random), weight = Tensor<T>({channels}).normals(random);
      Tensor<T> bias = Tensor<T>({channels}).normals(random), sums({2, channels}), sumsAgain({2, channels});
      for (int c = 0; c < channels; ++c) statistics.data()[channels + c] = std::fabs(statistics.data()[channels + c]);
      const std::vector<View> inputs = {x.view(), statistics.view(), weight.view(), bias.view()};
      ASSERT_EQ(kOk, runKernel(isa.batchNorm, inputs, {out.view()}, {1e-5}));
      ASSERT_EQ(kOk, runKernel(isa.batchNorm, inputs, {again.view()}, {1e-5}, 3));
      EXPECT_TRUE(sameBits(out.values(), again.values()));
      const std::vector<View> gradInputs = {g.view(), x.view(), statistics.view()};
      ASSERT_EQ(kOk, runKernel(isa.batchNormGradSums, gradInputs, {sums.view()}, {}));
      ASSERT_EQ(kOk, runKernel(isa.batchNormGradSums, gradInputs, {sumsAgain.view()}, {}, 3));
      EXPECT_TRUE(sameBits(sums.values(), sumsAgain.values()));
      const double eps = epsilonOf<T>();
      std::vector<double> gradient(channels), product(channels), gradientSize(channels), productSize(channels);
      for (size_t i = 0; i < x.size(); ++i) {
        const int c = static_cast<int>(i / length % channels);
        const double mean = statistics.data()[c], variance = statistics.data()[channels + c];
        const double scale = weight.data()[c] / std::sqrt(variance + 1e-5), deviation = x.data()[i] - mean;
        const double y = deviation * scale + bias.data()[c],
                     size = std::fabs(deviation * scale) + std::fabs(bias.data()[c]);
        ASSERT_NEAR(static_cast<double>(out.data()[i]), y, 4 * eps * size) << isa.name << " at " << i;
        gradient[c] += g.data()[i];
        gradientSize[c] += std::fabs(g.data()[i]);
        product[c] += g.data()[i] * deviation;
        productSize[c] += std::fabs(g.data()[i] * deviation);
      }
      // Chains are at most 8192 / 32 or 128 long before they are combined in double.
      for (int c = 0; c < channels; ++c) {
        ASSERT_NEAR(static_cast<double>(sums.data()[c]), gradient[c], 260 * eps * gradientSize[c]) << isa.name;
        ASSERT_NEAR(static_cast<double>(sums.data()[channels + c]), product[c], 262 * eps * productSize[c]) << isa.name;
      }
    }
  }
}

TYPED_TEST(BatchNormTest, EmptyAndNotFinite) {
  using T = TypeParam;
  for (const TestedIsa& isa : testedIsas()) {
    for (int length : {3, 40}) {
      Tensor<T> none({0, 2, length}), x({4, 2, length}), statistics({2, 2}), sums({2, 2});
      ASSERT_EQ(kOk, runKernel(isa.batchNormStatistics, {none.view()}, {statistics.view()}, {}));
      for (T value : statistics.values()) EXPECT_TRUE(std::isnan(value));
      ASSERT_EQ(kOk,
                runKernel(isa.batchNormGradSums, {none.view(), none.view(), statistics.view()}, {sums.view()}, {}));
      for (T value : sums.values()) EXPECT_EQ(value, T(0));
      x.fill([] { return T(1); });
      x.data()[1] = static_cast<T>(INFINITY);
      ASSERT_EQ(kOk, runKernel(isa.batchNormStatistics, {x.view()}, {statistics.view()}, {}));
      EXPECT_FALSE(std::isfinite(statistics.data()[0]));
      EXPECT_TRUE(std::isnan(statistics.data()[2]));
      EXPECT_EQ(statistics.data()[1], T(1));
      EXPECT_EQ(statistics.data()[3], T(0));
    }
  }
}

}  // namespace
}  // namespace saddlepoint
