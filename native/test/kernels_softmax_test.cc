// softmax and logSoftmax against long double.
#include <gtest/gtest.h>

#include "kernels_table_support.h"

namespace saddlepoint {
namespace {

template <typename T>
std::vector<T> run(const KernelTable* table, KernelId kernel, const Tensor<T>& x, int threads = 1) {
  const Tensor<T> out(x.shape);
  EXPECT_EQ(callKernel(table->kernels[kernel], {viewOf(x)}, {viewOf(out)}, {}, {}, threads).failure, kOk);
  return out.values();
}

template <typename T>
void checkRows(int rows, int n, double scale) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  Tensor<T> x({rows, n});
  x.fill([&] { return static_cast<T>(scale * normal(random)); });
  std::vector<T> firstSoftmax, firstLog;
  for (const KernelTable* table : testedTables()) {
    const std::vector<T> y = run(table, k_softmax, x), logs = run(table, k_logSoftmax, x);
    EXPECT_TRUE(sameBits(y, run(table, k_softmax, x, 3)));
    EXPECT_TRUE(sameBits(logs, run(table, k_logSoftmax, x, 3)));
    for (int row = 0; row < rows; ++row) {
      const T* values = x.data() + static_cast<size_t>(row) * n;
      const long double max = *std::max_element(values, values + n);
      long double sum = 0;
      for (int i = 0; i < n; ++i) sum += std::exp(values[i] - max);
      for (int i = 0; i < n; ++i) {
        const size_t at = static_cast<size_t>(row) * n + i;
        const long double difference = values[i] - max;
        const long double expected = std::exp(difference) / sum, log = difference - std::log(sum);
        const double eps = epsilonOf<T>();
        // Rounding x - max moves the exponential by as much.
        ASSERT_LE(std::fabs(y[at] - expected), eps * (90 + std::fabs(difference)) * expected + 2e-38L)
            << table->isa << " n " << n;
        ASSERT_LE(std::fabs(logs[at] - log), eps * (90 + 3 * std::fabs(log))) << table->isa << " n " << n;
      }
    }
    if (!isFused(table)) continue;
    if (firstSoftmax.empty()) {
      firstSoftmax = y;
      firstLog = logs;
    }
    EXPECT_TRUE(sameBits(y, firstSoftmax) && sameBits(logs, firstLog)) << table->isa;
  }
}

TEST(Softmax, Rows) {
  for (int n = 1; n <= 70; ++n) {
    checkRows<float>(3, n, 3);
    checkRows<double>(3, n, 3);
  }
  for (int n : {511, 512, 513, 1000, 1023, 1024, 1025, 5000, 100000}) {
    checkRows<float>(3, n, 5);
    checkRows<double>(2, n, 5);
  }
  checkRows<float>(20000, 10, 1);
  checkRows<float>(50, 37, 1e4);
}

template <typename T>
void checkSpecialValues() {
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  for (const KernelTable* table : testedTables()) {
    for (int n : {3, 16, 40, 1030}) {
      Tensor<T> x({4, n});
      std::fill_n(x.data(), x.elements, T(1));
      const size_t width = static_cast<size_t>(n);
      x.data()[width - 1] = inf;
      std::fill_n(x.data() + width, width, -inf);
      x.data()[2 * width] = nan;
      x.data()[3 * width] = -inf;
      for (KernelId kernel : {k_softmax, k_logSoftmax}) {
        const std::vector<T> y = run(table, kernel, x);
        for (size_t i = 0; i < 3 * width; ++i) ASSERT_TRUE(std::isnan(y[i])) << table->isa << " " << n << " " << i;
        EXPECT_EQ(y[3 * width], kernel == k_softmax ? T(0) : -inf);
        EXPECT_NEAR(y[3 * width + 1], kernel == k_softmax ? 1.0 / (n - 1) : -std::log(n - 1.0), 1e-5);
      }
    }
  }
}

TEST(Softmax, SpecialValues) {
  checkSpecialValues<float>();
  checkSpecialValues<double>();
}

TEST(Softmax, Empty) {
  for (const KernelTable* table : testedTables()) EXPECT_TRUE(run(table, k_softmax, Tensor<float>({0, 4})).empty());
}

}  // namespace
}  // namespace saddlepoint
