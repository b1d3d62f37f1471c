// Random numbers: the published test vectors of Philox4x32-10, and what lib/tensor/philox.ts makes of the words.
#include <gtest/gtest.h>

#include <array>

#include "kernels_table_support.h"

namespace saddlepoint {
namespace {

using Words = std::array<uint32_t, 4>;

// Salmon et al., section 3.3, by 64-bit integers.
Words philox(Words counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = 0xD2511F53ull * counter[0], b = 0xCD9E8D57ull * counter[2];
    counter = {uint32_t(b >> 32) ^ counter[1] ^ key[0], uint32_t(b), uint32_t(a >> 32) ^ counter[3] ^ key[1],
               uint32_t(a)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return counter;
}

TEST(Random, ReferenceHasThePublishedVectors) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t f = 0xffffffff;
  EXPECT_EQ(philox({f, f, f, f}, {f, f}), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

const double seed = 123456789012345.0, offset = 4294967301.0;

Words wordsOf(uint32_t block) {
  const uint64_t s = static_cast<uint64_t>(seed), o = static_cast<uint64_t>(offset);
  return philox({block, 0, uint32_t(o), uint32_t(o >> 32)}, {uint32_t(s), uint32_t(s >> 32)});
}

double unit53(uint32_t a, uint32_t b) { return ((a >> 5) * 67108864.0 + (b >> 6)) / 9007199254740992.0; }

template <typename T>
std::vector<T> drawUniform(const KernelTable* table, int n, int threads = 1) {
  const Tensor<T> out({n});
  const ElementwiseProgram program = {
      {kFloat64, kFloat64}, 3, {{op_uniform, anyDTypeOf<T>(), 2, 0, 1, -1}}, {2}};
  EXPECT_EQ(runElementwise(table, program, {}, {viewOf(out)}, {seed, offset}, threads).failure, kOk);
  return out.values();
}

template <typename T>
std::vector<T> draw(const KernelTable* table, KernelId kernel, int n, int threads = 1) {
  const Tensor<T> out({n});
  EXPECT_EQ(callKernel(table->kernels[kernel], {}, {viewOf(out)}, {1, 0}, {offset, seed}, threads).failure, kOk);
  return out.values();
}

template <typename T, typename Draw, typename Expected>
void check(Draw draw, Expected expected) {
  for (const KernelTable* table : testedTables()) {
    for (int n : {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 33, 63, 64, 65, 100, 8191, 8192, 8193, 50001}) {
      const std::vector<T> y = draw(table, n, 1);
      for (int i = 0; i < n; ++i) {
        ASSERT_EQ(y[static_cast<size_t>(i)], static_cast<T>(expected(i))) << table->isa << " " << i;
      }
      EXPECT_TRUE(sameBits(y, draw(table, n, 3)));
    }
  }
}

TEST(Random, Uniform) {
  check<float>(drawUniform<float>, [](int i) { return (wordsOf(uint32_t(i / 4))[size_t(i % 4)] >> 8) / 16777216.0; });
  check<double>(drawUniform<double>, [](int i) {
    const Words w = wordsOf(uint32_t(i / 2));
    return i % 2 ? unit53(w[2], w[3]) : unit53(w[0], w[1]);
  });
}

template <typename T>
std::vector<T> drawNormal(const KernelTable* table, int n, int threads) {
  return draw<T>(table, k_normal, n, threads);
}

TEST(Random, Normal) {
  const auto expected = [](int i) {
    const Words w = wordsOf(uint32_t(i / 2));
    const double radius = std::sqrt(-2 * std::log(1 - unit53(w[0], w[1]))), angle = 2 * M_PI * unit53(w[2], w[3]);
    return i % 2 ? radius * std::sin(angle) : radius * std::cos(angle);
  };
  check<float>(drawNormal<float>, expected);
  check<double>(drawNormal<double>, expected);
}

TEST(Random, Moments) {
  const int n = 1000000;
  for (const KernelTable* table : testedTables()) {
    const std::vector<float> uniform = drawUniform<float>(table, n), normal = draw<float>(table, k_normal, n);
    double mean = 0, squares = 0, uniformMean = 0;
    for (size_t i = 0; i < uniform.size(); ++i) {
      EXPECT_TRUE(uniform[i] >= 0 && uniform[i] < 1);
      uniformMean += uniform[i] / n;
      mean += normal[i] / n;
      squares += static_cast<double>(normal[i]) * normal[i] / n;
    }
    // Five standard errors.
    EXPECT_NEAR(uniformMean, 0.5, 5 / std::sqrt(12.0 * n));
    EXPECT_NEAR(mean, 0, 5 / std::sqrt(double(n)));
    EXPECT_NEAR(squares, 1, 5 * std::sqrt(2.0 / n));
  }
}

TEST(Random, Permutation) {
  for (const KernelTable* table : testedTables()) {
    for (int n : {0, 1, 2, 10, 1000}) {
      std::vector<int32_t> expected(static_cast<size_t>(n));
      for (int i = 0; i < n; ++i) expected[static_cast<size_t>(i)] = i;
      for (int i = n - 1; i > 0; --i) {
        const Words w = wordsOf(static_cast<uint32_t>(i));
        std::swap(expected[static_cast<size_t>(i)], expected[static_cast<size_t>(unit53(w[0], w[1]) * (i + 1))]);
      }
      EXPECT_EQ(draw<int32_t>(table, k_permutation, n), expected) << table->isa;
    }
  }
}

}  // namespace
}  // namespace saddlepoint
