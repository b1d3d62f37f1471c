// Reductions against long double, and their bits against each other for every path, thread count and instruction set.
#include <gtest/gtest.h>

#include "kernels_table_support.h"

namespace saddlepoint {
namespace {

using Shape = std::vector<int>;

struct Case {
  Shape shape;
  int kept;
  Shape strides;  // row-major if empty
};

std::vector<Case> cases() {
  std::vector<Case> all = {
      {{}, 0, {}},
      {{1}, 0, {}},
      {{5, 1}, 1, {}},
      {{40, 33}, 1, {}},
      {{3, 4097}, 1, {}},
      {{200000}, 0, {}},
      {{3, 70001}, 1, {}},
      // Kept elements side by side.
      {{300, 20}, 1, {1, 300}},
      {{5, 3000}, 1, {1, 5}},
      {{130, 1030}, 1, {1, 130}},
      {{64, 70000}, 1, {1, 64}},
      {{300, 1030}, 1, {1, 300}},
      {{201, 11}, 1, {1, 201}},
      {{150, 7, 9}, 1, {1, 1500, 150}},
      {{2, 17, 9, 5}, 2, {17 * 45, 1, 17 * 5, 17}},
      // A bias: [C] kept, [N, H, W] reduced, both of NCHW and of NHWC.
      {{6, 4, 7, 7}, 1, {49, 294, 7, 1}},
      {{6, 4, 32, 32}, 1, {1024, 6144, 32, 1}},
      {{6, 4, 7, 7}, 1, {1, 294, 42, 6}},
      // Broadcast and odd strides.
      {{4, 100}, 1, {1, 0}},
      {{4, 100}, 1, {0, 3}},
      {{30, 11, 3}, 1, {2, 180, 60}},
      {{2, 2, 2, 2, 2, 2, 2, 2}, 3, {128, 1, 64, 2, 32, 4, 16, 8}},
  };
  for (int n = 1; n <= 70; ++n) all.push_back({{3, n}, 1, {}});
  for (int n : {127, 128, 129, 1023, 1024, 1025, 2047, 2048, 2049, 3100}) {
    all.push_back({{3, n}, 1, {}});
    all.push_back({{3, n}, 1, {1, 3}});
    all.push_back({{n, 5}, 1, {1, n}});
  }
  return all;
}

size_t product(const Shape& shape, size_t begin, size_t end) {
  size_t size = 1;
  for (size_t i = begin; i < end; ++i) size *= static_cast<size_t>(shape[i]);
  return size;
}

// Elements of each output, in order.
template <typename T>
std::vector<std::vector<T>> groupsOf(const Tensor<T>& x, int kept) {
  const size_t outputs = product(x.shape, 0, static_cast<size_t>(kept));
  const size_t count = product(x.shape, static_cast<size_t>(kept), x.shape.size());
  std::vector<std::vector<T>> groups(outputs);
  for (size_t i = 0; i < outputs * count; ++i) {
    size_t rest = i, offset = 0;
    for (size_t dim = x.shape.size(); dim-- > 0; rest /= static_cast<size_t>(x.shape[dim])) {
      offset += rest % static_cast<size_t>(x.shape[dim]) * static_cast<size_t>(x.strides[dim]);
    }
    groups[i / count].push_back(x.data()[offset]);
  }
  return groups;
}

template <typename T, typename Out>
std::vector<Out> reduce(const KernelTable* table, KernelId kernel, const Tensor<T>& x, int kept,
                        std::vector<double> more = {}, int threads = 1) {
  const Tensor<Out> out(Shape(x.shape.begin(), x.shape.begin() + kept));
  std::vector<double> attributes = {static_cast<double>(kept)};
  attributes.insert(attributes.end(), more.begin(), more.end());
  EXPECT_EQ(callKernel(table->kernels[kernel], {viewOf(x)}, {viewOf(out)}, attributes, {}, threads).failure, kOk);
  return out.values();
}

template <typename T, typename Out, typename Check>
void forEachCase(KernelId kernel, std::vector<double> more, bool integers, Check check) {
  std::mt19937 random(11);
  for (const Case& c : cases()) {
    Tensor<T> x(c.shape, c.strides);
    if (integers) {
      x.integers(random, 7);
    } else {
      x.normals(random);
    }
    const auto groups = groupsOf(x, c.kept);
    std::vector<Out> first;
    for (const KernelTable* table : testedTables()) {
      const std::vector<Out> y = reduce<T, Out>(table, kernel, x, c.kept, more);
      ASSERT_EQ(y.size(), groups.size());
      for (size_t i = 0; i < y.size(); ++i) {
        ASSERT_TRUE(check(groups[i], y[i]))
            << table->isa << " rank " << c.shape.size() << " last " << (c.shape.empty() ? 0 : c.shape.back())
            << " output " << i << " = " << y[i];
      }
      if (x.size() > 50000) {
        EXPECT_TRUE(sameBits(y, (reduce<T, Out>(table, kernel, x, c.kept, more, 2))));
        EXPECT_TRUE(sameBits(y, (reduce<T, Out>(table, kernel, x, c.kept, more, 5))));
      }
      if (!isFused(table)) continue;
      if (first.empty()) first = y;
      EXPECT_TRUE(sameBits(y, first)) << table->isa;
      // The same elements, one output at a time, by the contiguous path.
      for (size_t i = 0; i < y.size() && i < 3; ++i) {
        EXPECT_TRUE(sameBits({y[i]}, (reduce<T, Out>(table, kernel, vectorOf(groups[i]), 0, more)))) << table->isa;
      }
    }
  }
}

template <typename T>
void checkSums() {
  forEachCase<T, T>(k_sum, {}, true, [](const std::vector<T>& x, T y) {
    int64_t sum = 0;
    for (T value : x) sum += static_cast<int64_t>(value);
    return y == static_cast<T>(sum);
  });
}

TEST(Reduce, SumOfSmallIntegersIsExact) {
  checkSums<float>();
  checkSums<double>();
  checkSums<int32_t>();
}

template <typename T>
void checkRandomSums() {
  forEachCase<T, T>(k_sum, {}, false, [](const std::vector<T>& x, T y) {
    long double sum = 0, magnitude = 0;
    for (T value : x) {
      sum += value;
      magnitude += std::fabs(value);
    }
    // 64 additions in a lane, 4 across lanes, and the tree.
    const double depth = std::min<double>(x.size(), 68) + std::log2(static_cast<double>(x.size() + 1));
    return std::fabs(y - sum) <= depth * epsilonOf<T>() * magnitude;
  });
}

TEST(Reduce, SumWithinItsBound) {
  checkRandomSums<float>();
  checkRandomSums<double>();
}

TEST(Reduce, Int32SumWraps) {
  for (const KernelTable* table : testedTables()) {
    EXPECT_EQ((reduce<int32_t, int32_t>(table, k_sum, vectorOf(std::vector<int32_t>(3, INT32_MAX)), 0))[0],
              static_cast<int32_t>(3u * static_cast<uint32_t>(INT32_MAX)));
  }
}

TEST(Reduce, LargeSumKeepsItsAccuracy) {
  for (const KernelTable* table : testedTables()) {
    const float y = reduce<float, float>(table, k_sum, vectorOf(std::vector<float>(10000000, 0.1f)), 0, {}, 2)[0];
    EXPECT_NEAR(y, 1e7 * 0.1f, 1.0) << table->isa;
  }
}

template <typename T>
void checkExtremes() {
  forEachCase<T, T>(k_max, {}, true,
                    [](const std::vector<T>& x, T y) { return y == *std::max_element(x.begin(), x.end()); });
  forEachCase<T, T>(k_min, {}, true,
                    [](const std::vector<T>& x, T y) { return y == *std::min_element(x.begin(), x.end()); });
  forEachCase<T, int32_t>(k_argmax, {}, true, [](const std::vector<T>& x, int32_t y) {
    return y == std::max_element(x.begin(), x.end()) - x.begin();
  });
  forEachCase<T, int32_t>(k_argmin, {}, true, [](const std::vector<T>& x, int32_t y) {
    return y == std::min_element(x.begin(), x.end()) - x.begin();
  });
}

TEST(Reduce, Extremes) {
  checkExtremes<float>();
  checkExtremes<double>();
  checkExtremes<int32_t>();
}

template <typename T>
void checkNanWins() {
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  for (const KernelTable* table : testedTables()) {
    for (int n : {2, 17, 33, 1030, 2500}) {
      for (int at : {0, 1, n / 2, n - 1}) {
        for (bool columns : {false, true}) {
          Tensor<T> x({3, n}, columns ? Shape{1, 3} : Shape{n, 1});
          std::fill_n(x.data(), x.elements, T(5));
          const size_t row = 1, step = static_cast<size_t>(x.strides[1]),
                       begin = row * static_cast<size_t>(x.strides[0]);
          x.data()[begin + step * static_cast<size_t>(at)] = nan;
          if (at + 1 < n) x.data()[begin + step * static_cast<size_t>(n - 1)] = inf;
          for (KernelId kernel : {k_max, k_min}) {
            const std::vector<T> y = reduce<T, T>(table, kernel, x, 1);
            EXPECT_TRUE(y[0] == 5 && std::isnan(y[1]) && y[2] == 5);
          }
          for (KernelId kernel : {k_argmax, k_argmin}) {
            EXPECT_EQ((reduce<T, int32_t>(table, kernel, x, 1)), (std::vector<int32_t>{0, at, 0}));
          }
        }
      }
    }
    const Tensor<T> low = vectorOf(std::vector<T>(40, -inf)), high = vectorOf(std::vector<T>(40, inf));
    EXPECT_EQ((reduce<T, T>(table, k_max, low, 0))[0], -inf);
    EXPECT_EQ((reduce<T, T>(table, k_min, high, 0))[0], inf);
    EXPECT_EQ((reduce<T, int32_t>(table, k_argmax, low, 0))[0], 0);
    EXPECT_EQ((reduce<T, int32_t>(table, k_argmin, high, 0))[0], 0);
    EXPECT_TRUE(std::isnan((reduce<T, T>(table, k_sum, vectorOf(std::vector<T>{1, inf, -inf}), 0))[0]));
  }
}

TEST(Reduce, NanWins) {
  checkNanWins<float>();
  checkNanWins<double>();
}

template <typename T>
void checkLogSumExp() {
  forEachCase<T, T>(k_logSumExp, {}, false, [](const std::vector<T>& x, T y) {
    const long double max = *std::max_element(x.begin(), x.end());
    long double sum = 0;
    for (T value : x) sum += std::exp(value - max);
    const long double expected = max + std::log(sum);
    return std::fabs(y - expected) <= 80 * epsilonOf<T>() + 4 * epsilonOf<T>() * std::fabs(expected);
  });
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  for (const KernelTable* table : testedTables()) {
    auto one = [&](std::vector<T> x) { return reduce<T, T>(table, k_logSumExp, vectorOf(x), 0)[0]; };
    EXPECT_EQ(one({-inf, -inf, -inf}), -inf);
    EXPECT_EQ(one({-inf, 3, -inf}), 3);
    EXPECT_EQ(one({1, inf, -inf}), inf);
    EXPECT_TRUE(std::isnan(one({1, nan, inf})));
    EXPECT_NEAR(one({10000, 10000}), 10000.6931472, 1e-3);
    EXPECT_NEAR(one({-10000, -10000}), -9999.3068528, 1e-3);
    std::vector<T> lone(5000, -inf);
    lone[4000] = -500;
    EXPECT_EQ(one(lone), -500);
    lone[10] = inf;
    EXPECT_EQ(one(lone), inf);
  }
}

TEST(Reduce, LogSumExp) {
  checkLogSumExp<float>();
  checkLogSumExp<double>();
}

template <typename T>
void checkVariance() {
  for (double correction : {0.0, 1.0}) {
    forEachCase<T, T>(k_variance, {correction}, false, [&](const std::vector<T>& x, T y) {
      if (static_cast<double>(x.size()) <= correction) return std::isnan(y);
      long double mean = 0, squares = 0;
      for (T value : x) mean += value;
      mean /= x.size();
      for (T value : x) squares += (value - mean) * (value - mean);
      const long double expected = squares / (static_cast<long double>(x.size()) - correction);
      return std::fabs(y - expected) <= 150 * epsilonOf<T>() * (expected + 1e-6L);
    });
  }
  for (const KernelTable* table : testedTables()) {
    // A large mean must not swallow the variance.
    std::vector<T> x(100000);
    for (size_t i = 0; i < x.size(); ++i) x[i] = T(10000) + T(i % 2);
    EXPECT_NEAR((reduce<T, T>(table, k_variance, vectorOf(x), 0, {0.0}))[0], 0.25, 1e-4);
  }
}

TEST(Reduce, Variance) {
  checkVariance<float>();
  checkVariance<double>();
}

TEST(Reduce, NothingToReduce) {
  for (const KernelTable* table : testedTables()) {
    const Tensor<float> x({3, 0}), none({0, 3});
    EXPECT_EQ((reduce<float, float>(table, k_sum, x, 1)), (std::vector<float>{0, 0, 0}));
    EXPECT_EQ((reduce<float, float>(table, k_logSumExp, x, 1)), (std::vector<float>(3, -INFINITY)));
    EXPECT_TRUE(std::isnan((reduce<float, float>(table, k_variance, x, 1, {1.0}))[0]));
    EXPECT_TRUE((reduce<float, float>(table, k_sum, none, 1)).empty());
    EXPECT_EQ((reduce<float, float>(table, k_sum, none, 0)), (std::vector<float>{0}));
  }
}

}  // namespace
}  // namespace saddlepoint
