// Every function of the elementwise kernel against the C library in a wider type, and the largest error seen.
// ULP_STEP=1 tests each float32 that there is (hours); by default each 4001st.
#include <gtest/gtest.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <cstdio>

#include "kernels_table_support.h"

namespace saddlepoint {
namespace {

struct Function {
  const char* name;
  Opcode opcode;
  double maxUlps;  // float32
  double (*reference)(double);
  long double (*wideReference)(long double);
};

const Function functions[] = {
    {"exp", op_exp, 2, [](double x) { return std::exp(x); }, [](long double x) { return std::exp(x); }},
    {"expm1", op_expm1, 4, [](double x) { return std::expm1(x); }, [](long double x) { return std::expm1(x); }},
    {"log", op_log, 4, [](double x) { return std::log(x); }, [](long double x) { return std::log(x); }},
    {"log1p", op_log1p, 4, [](double x) { return std::log1p(x); }, [](long double x) { return std::log1p(x); }},
    {"tanh", op_tanh, 4, [](double x) { return std::tanh(x); }, [](long double x) { return std::tanh(x); }},
    {"sigmoid", op_sigmoid, 4, [](double x) { return 1 / (1 + std::exp(-x)); },
     [](long double x) { return 1 / (1 + std::exp(-x)); }},
    {"softplus", op_softplus, 4, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); },
     [](long double x) { return std::max(x, 0.0L) + std::log1p(std::exp(-std::fabs(x))); }},
    {"erf", op_erf, 4, [](double x) { return std::erf(x); }, [](long double x) { return std::erf(x); }},
    {"sin", op_sin, 3, [](double x) { return std::sin(x); }, [](long double x) { return std::sin(x); }},
    {"cos", op_cos, 3, [](double x) { return std::cos(x); }, [](long double x) { return std::cos(x); }},
    {"sqrt", op_sqrt, 0.5, [](double x) { return std::sqrt(x); }, [](long double x) { return std::sqrt(x); }},
    {"rsqrt", op_rsqrt, 1.5, [](double x) { return 1 / std::sqrt(x); }, [](long double x) { return 1 / std::sqrt(x); }},
};

float floatOfBits(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

TEST(ElementwiseFunctions, Float32) {
  const char* chosen = std::getenv("ULP_STEP");
  const uint64_t step = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 4001;
  for (const Function& function : functions) {
    std::vector<double> worst(testedTables().size(), 0);
    std::vector<float> worstAt(testedTables().size(), 0);
    for (uint64_t begin = 0; begin < uint64_t{1} << 32; begin += step << 20) {
      std::vector<float> x;
      for (uint64_t bits = begin; bits < begin + (step << 20) && bits < uint64_t{1} << 32; bits += step) {
        const float value = floatOfBits(static_cast<uint32_t>(bits));
        if (value == 0 || std::fabs(value) >= std::numeric_limits<float>::min()) x.push_back(value);
      }
      if (x.empty()) continue;
      for (size_t i = 0; i < testedTables().size(); ++i) {
        const std::vector<float> y = runStep<float, float>(testedTables()[i], function.opcode, {x});
        for (size_t j = 0; j < x.size(); ++j) {
          const double ulps = ulpsBetween(y[j], function.reference(x[j]));
          if (ulps > worst[i]) {
            worst[i] = ulps;
            worstAt[i] = x[j];
          }
        }
      }
    }
    for (size_t i = 0; i < testedTables().size(); ++i) {
      std::printf("  %-8s float32 %-6s %.3f ULP at %.9g\n", function.name, testedTables()[i]->isa, worst[i],
                  worstAt[i]);
      EXPECT_LE(worst[i], function.maxUlps) << function.name << " " << testedTables()[i]->isa << " at " << worstAt[i];
    }
  }
}

TEST(ElementwiseFunctions, Float64) {
  std::mt19937_64 random(1);
  std::vector<double> x;
  for (int i = 0; i < 60000; ++i) {
    const uint64_t any = random();
    double value;
    std::memcpy(&value, &any, 8);
    if (value == 0 || std::fabs(value) >= std::numeric_limits<double>::min()) x.push_back(value);
    const double uniform = static_cast<double>(static_cast<int64_t>(random())) / 9.3e18;
    x.insert(x.end(), {uniform, 3 * uniform, 40 * uniform, 750 * uniform, std::ldexp(uniform, -30), 1 + uniform * 0.1,
                       -1 + uniform * 1e-6});
  }
  for (const Function& function : functions) {
    for (const KernelTable* table : testedTables()) {
      const std::vector<double> y = runStep<double, double>(table, function.opcode, {x});
      double worst = 0, worstAt = 0;
      for (size_t j = 0; j < x.size(); ++j) {
        const double ulps = ulpsBetween(y[j], function.wideReference(x[j]));
        if (ulps > worst) {
          worst = ulps;
          worstAt = x[j];
        }
      }
      std::printf("  %-8s float64 %-6s %.3f ULP at %.17g\n", function.name, table->isa, worst, worstAt);
      EXPECT_LE(worst, 4) << function.name << " " << table->isa << " at " << worstAt;
    }
  }
}

template <typename T>
void specialValues() {
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const T big = std::numeric_limits<T>::max();
  const std::vector<T> x = {T(0), T(-0.0), T(1),    T(-1),  inf,     -inf,     nan,      big,
                            -big, T(89),   T(-104), T(750), T(-750), T(1e-30), T(-1e-30)};
  for (const Function& function : functions) {
    for (const KernelTable* table : testedTables()) {
      const std::vector<T> y = runStep<T, T>(table, function.opcode, {x});
      for (size_t i = 0; i < x.size(); ++i) {
        EXPECT_LE(ulpsBetween(y[i], function.wideReference(x[i])), 4)
            << function.name << " " << table->isa << " " << x[i];
      }
      const bool odd = function.opcode == op_expm1 || function.opcode == op_log1p || function.opcode == op_tanh ||
                       function.opcode == op_erf || function.opcode == op_sin || function.opcode == op_sqrt;
      EXPECT_TRUE(!odd || (std::signbit(y[1]) && !std::signbit(y[0]))) << function.name << " " << table->isa;
    }
  }
}

TEST(ElementwiseFunctions, SpecialValues) {
  specialValues<float>();
  specialValues<double>();
}

// A value's result may not depend on where in a block it stands.
TEST(ElementwiseFunctions, PositionDoesNotMatter) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  for (const Function& function : functions) {
    for (const KernelTable* table : testedTables()) {
      std::vector<float> x(70);
      for (float& value : x) value = std::fabs(3 * normal(random));
      const std::vector<float> y = runStep<float, float>(table, function.opcode, {x});
      for (size_t n = 1; n < x.size(); ++n) {
        const std::vector<float> tail(x.end() - static_cast<ptrdiff_t>(n), x.end());
        const std::vector<float> expected(y.end() - static_cast<ptrdiff_t>(n), y.end());
        EXPECT_TRUE(sameBits(runStep<float, float>(table, function.opcode, {tail}), expected))
            << function.name << " " << n;
      }
    }
  }
}

TEST(ElementwiseFunctions, SameBitsOnFusedInstructionSets) {
  std::mt19937 random(3);
  std::vector<float> x(300000);
  for (float& value : x) value = floatOfBits(static_cast<uint32_t>(random()));
  for (const Function& function : functions) {
    std::vector<float> first;
    for (const KernelTable* table : testedTables()) {
      if (!isFused(table)) continue;
      std::vector<float> y = runStep<float, float>(table, function.opcode, {x});
      for (float& value : y) value = std::isnan(value) ? 12345.0f : value;
      if (first.empty()) first = y;
      EXPECT_TRUE(sameBits(first, y)) << function.name << " " << table->isa;
    }
  }
}

#if defined(__x86_64__)
// Programs run with denormals flushed to zero; that may change no other result.
TEST(ElementwiseFunctions, FlushingDenormals) {
  std::mt19937 random(4);
  std::vector<float> x;
  while (x.size() < 200000) {
    const float value = floatOfBits(static_cast<uint32_t>(random()));
    if (std::fabs(value) >= std::numeric_limits<float>::min()) x.push_back(value);
    x.push_back(static_cast<float>(static_cast<int32_t>(random())) / 2e7f);
  }
  for (const Function& function : functions) {
    for (const KernelTable* table : testedTables()) {
      const std::vector<float> expected = runStep<float, float>(table, function.opcode, {x});
      const unsigned mode = _mm_getcsr();
      _mm_setcsr(mode | 0x8040);
      const std::vector<float> y = runStep<float, float>(table, function.opcode, {x});
      _mm_setcsr(mode);
      for (size_t i = 0; i < x.size(); ++i) {
        const bool same = y[i] == expected[i] || (std::isnan(y[i]) && std::isnan(expected[i]));
        ASSERT_TRUE(same || (y[i] == 0 && std::fabs(expected[i]) < std::numeric_limits<float>::min()))
            << function.name << " " << table->isa << " at " << x[i] << ": " << y[i] << " instead of " << expected[i];
      }
    }
  }
}
#endif

}  // namespace
}  // namespace saddlepoint
