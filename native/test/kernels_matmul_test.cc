// matmul against a naive product: exactly for small integers, within c K eps sum|ab| for random numbers.
#include <gtest/gtest.h>

#include "kernels_support.h"

namespace saddlepoint {
namespace {

template <typename T>
struct Reference {
  std::vector<double> value, magnitude;
};

template <typename T>
size_t at(const Tensor<T>& t, size_t matrix, int i, int j) {
  const size_t rank = t.shape.size();
  size_t offset = static_cast<size_t>(i) * t.strides[rank - 2] + static_cast<size_t>(j) * t.strides[rank - 1];
  for (size_t dim = rank - 2; dim-- > 0;) {
    offset += matrix % t.shape[dim] * t.strides[dim];
    matrix /= t.shape[dim];
  }
  return offset;
}

template <typename T>
Reference<T> naiveProduct(const Tensor<T>& a, const Tensor<T>& b, const Tensor<T>& c) {
  Reference<T> r;
  const size_t rank = c.shape.size();
  const int rows = c.shape[rank - 2], columns = c.shape[rank - 1], depth = a.shape[rank - 1];
  const size_t matrices = rows && columns ? c.size() / (static_cast<size_t>(rows) * columns) : 0;
  for (size_t m = 0; m < matrices; ++m) {
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) {
        double sum = 0, magnitude = 0;
        for (int k = 0; k < depth; ++k) {
          const double term =
              static_cast<double>(a.data()[at(a, m, i, k)]) * static_cast<double>(b.data()[at(b, m, k, j)]);
          sum += term;
          magnitude += std::fabs(term);
        }
        r.value.push_back(sum);
        r.magnitude.push_back(magnitude);
      }
    }
  }
  return r;
}

template <typename T>
void expectProduct(const Tensor<T>& a, const Tensor<T>& b, const Tensor<T>& c, double tolerance,
                   const std::string& what) {
  const Reference<T> expected = naiveProduct(a, b, c);
  for (size_t i = 0; i < expected.value.size(); ++i) {
    const double error = std::fabs(static_cast<double>(c.data()[i]) - expected.value[i]);
    ASSERT_LE(error, tolerance * expected.magnitude[i]) << what << " at " << i;
  }
}

// Layouts of a matrix: rows contiguous, columns contiguous, neither.
template <typename T>
Tensor<T> matrix(int rows, int columns, int layout) {
  if (layout == 0) return Tensor<T>({rows, columns});
  if (layout == 1) return Tensor<T>({rows, columns}, {1, std::max(rows, 1)});
  return Tensor<T>({rows, columns}, {2 * std::max(columns, 1) + 1, 2});
}

template <typename T>
class MatmulTest : public testing::Test {};
using Floating = testing::Types<float, double>;
TYPED_TEST_SUITE(MatmulTest, Floating);

TYPED_TEST(MatmulTest, SmallIntegersAreExactForEveryShapeAndLayout) {
  using T = TypeParam;
  std::mt19937 random(1);
  const std::vector<int> rows = {1, 2, 3, 5, 6, 7, 12, 13, 14, 15, 28, 29, 33},
                         columns = {1, 2, 4, 7, 8, 15, 16, 17, 31, 32, 33, 65, 129};
  const std::vector<int> depths = {0, 1, 2, 3, 8, 15, 16, 17, 255, 256, 257};
  for (const TestedIsa& isa : testedIsas()) {
    for (int m : rows) {
      for (int n : columns) {
        for (int k : depths) {
          if (k > 17 && random() % 4) continue;
          const int layoutA = static_cast<int>(random() % 3), layoutB = static_cast<int>(random() % 3);
          Tensor<T> a = matrix<T>(m, k, layoutA).integers(random), b = matrix<T>(k, n, layoutB).integers(random),
                    c({m, n});
          c.fill([] { return T(77); });
          ASSERT_EQ(runKernel(isa.matmul, {a.view(), b.view()}, {c.view()}, {}), kOk);
          expectProduct(a, b, c, 0,
                        std::string(isa.name) + " " + std::to_string(m) + "x" + std::to_string(n) + "x" +
                            std::to_string(k) + " layouts " + std::to_string(layoutA) + std::to_string(layoutB));
          if (this->HasFatalFailure()) return;
        }
      }
    }
  }
}

TYPED_TEST(MatmulTest, RandomNumbersStayWithinTheErrorBound) {
  using T = TypeParam;
  std::mt19937 random(2);
  for (const TestedIsa& isa : testedIsas()) {
    for (const auto& [m, n, k] : {std::array<int, 3>{37, 53, 700},
                                  {128, 96, 33},
                                  {1, 300, 511},
                                  {300, 1, 511},
                                  {70, 260, 513},
                                  {41, 7, 1024}}) {
      for (int layout : {0, 1}) {
        Tensor<T> a = matrix<T>(m, k, layout).normals(random), b = matrix<T>(k, n, 1).normals(random), c({m, n});
        ASSERT_EQ(runKernel(isa.matmul, {a.view(), b.view()}, {c.view()}, {}), kOk);
        expectProduct(a, b, c, (k + 1) * epsilonOf<T>(), isa.name);
      }
    }
  }
}

// Every block of rows has to read its own rows of A, whether they are packed or read where they lie.
TYPED_TEST(MatmulTest, SeveralBlocksOfRowsAreExact) {
  using T = TypeParam;
  std::mt19937 random(4);
  for (const TestedIsa& isa : testedIsas()) {
    for (const auto& [m, n, k] : {std::array<int, 3>{600, 64, 64},
                                  {1000, 128, 100},
                                  {1200, 9, 33},
                                  {700, 33, 5},
                                  {2000, 2, 3},
                                  {900, 16, 784},
                                  {561, 545, 257},
                                  {600, 512, 9},
                                  {570, 4101, 3},
                                  {4100, 3, 259},
                                  {1100, 8, 300}}) {
      for (int layout : {0, 1, 2}) {
        for (int threads : {1, 2}) {
          Tensor<T> a = matrix<T>(m, k, layout).integers(random), b = matrix<T>(k, n, 0).integers(random), c({m, n});
          ASSERT_EQ(runKernel(isa.matmul, {a.view(), b.view()}, {c.view()}, {}, threads), kOk);
          expectProduct(a, b, c, 0, isa.name);
          if (this->HasFatalFailure()) return;
        }
      }
    }
  }
}

// Columns of B that are contiguous are transposed in registers for a few rows of A, and are rows of a transposed
// product for some more.
TYPED_TEST(MatmulTest, ProductsWithTransposedWeightsAreExact) {
  using T = TypeParam;
  std::mt19937 random(5);
  for (const TestedIsa& isa : testedIsas()) {
    for (int m : {2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 31, 32, 48, 64, 96, 128, 129}) {
      for (const auto& [n, k] : {std::array<int, 2>{m > 64 ? 260 : 531, 259}, {300, 600}, {67, 18}}) {
        for (int layout : {0, 1, 2}) {
          if (n == 300 && layout > 0 && m % 8 != 0) continue;
          Tensor<T> a = matrix<T>(m, k, layout).integers(random), b = matrix<T>(k, n, 1).integers(random), c({m, n});
          c.fill([] { return T(77); });
          ASSERT_EQ(runKernel(isa.matmul, {a.view(), b.view()}, {c.view()}, {}, m % 2 + 1), kOk);
          expectProduct(a, b, c, 0,
                        std::string(isa.name) + " " + std::to_string(m) + "x" + std::to_string(n) + "x" +
                            std::to_string(k) + " layout " + std::to_string(layout));
          if (this->HasFatalFailure()) return;
        }
      }
    }
  }
}

TYPED_TEST(MatmulTest, BatchesBroadcastByStrideZero) {
  using T = TypeParam;
  std::mt19937 random(3);
  for (const TestedIsa& isa : testedIsas()) {
    Tensor<T> a = Tensor<T>({3, 4, 5, 7}).integers(random), c({3, 4, 5, 9});
    Tensor<T> shared = Tensor<T>({3, 4, 7, 9}, {0, 0, 9, 1}).integers(random);
    Tensor<T> inner = Tensor<T>({3, 4, 7, 9}, {63, 0, 1, 7}).integers(random);
    Tensor<T> full = Tensor<T>({3, 4, 7, 9}).integers(random);
    for (const Tensor<T>& b : {shared, inner, full}) {
      ASSERT_EQ(runKernel(isa.matmul, {a.view(), b.view()}, {c.view()}, {}, 2), kOk);
      expectProduct(a, b, c, 0, isa.name);
    }
    Tensor<T> vector = Tensor<T>({3, 4, 7, 1}).integers(random), columns({3, 4, 5, 1});
    ASSERT_EQ(runKernel(isa.matmul, {a.view(), vector.view()}, {columns.view()}, {}), kOk);
    expectProduct(a, vector, columns, 0, isa.name);
  }
}

TYPED_TEST(MatmulTest, EmptyShapes) {
  using T = TypeParam;
  for (const TestedIsa& isa : testedIsas()) {
    for (const auto& [batch, m, n, k] :
         {std::array<int, 4>{0, 2, 2, 2}, {2, 0, 3, 3}, {2, 3, 0, 3}, {2, 3, 3, 0}, {2, 1, 3, 0}, {2, 3, 1, 0}}) {
      Tensor<T> a({batch, m, k}), b({batch, k, n}), c({batch, m, n});
      c.fill([] { return T(5); });
      ASSERT_EQ(runKernel(isa.matmul, {a.view(), b.view()}, {c.view()}, {}), kOk);
      for (T value : c.values()) EXPECT_EQ(value, T(0));
    }
  }
}

TYPED_TEST(MatmulTest, TheBitsDependNeitherOnThreadsNorOnTheOtherRowsOrColumnsNorOnTheInstructionSet) {
  using T = TypeParam;
  std::mt19937 random(4);
  const int m = 150, n = 331, k = 600;
  Tensor<T> a = Tensor<T>({m, k}).normals(random), b = Tensor<T>({k, n}, {1, k}).normals(random);
  // Rows that are not contiguous are packed.
  Tensor<T> transposed({m, k}, {1, m});
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < k; ++j) transposed.data()[i + j * m] = a.data()[i * k + j];
  }
  std::vector<T> fused;
  for (const TestedIsa& isa : testedIsas()) {
    Tensor<T> whole({m, n}), threaded({m, n}), packed({m, n});
    ASSERT_EQ(runKernel(isa.matmul, {a.view(), b.view()}, {whole.view()}, {}, 1), kOk);
    ASSERT_EQ(runKernel(isa.matmul, {a.view(), b.view()}, {threaded.view()}, {}, 3), kOk);
    EXPECT_TRUE(sameBits(whole.values(), threaded.values())) << isa.name;
    ASSERT_EQ(runKernel(isa.matmul, {transposed.view(), b.view()}, {packed.view()}, {}, 3), kOk);
    EXPECT_TRUE(sameBits(whole.values(), packed.values())) << isa.name;
    for (int rows : {1, 2, 13, 15, 31}) {
      for (int columns : {1, 5, 16, 33, n}) {
        View left = a.view(), right = b.view();
        left.shape[0] = rows;
        left.size = rows * k;
        right.shape[1] = columns;
        right.size = k * columns;
        Tensor<T> part({rows, columns});
        ASSERT_EQ(runKernel(isa.matmul, {left, right}, {part.view()}, {}), kOk);
        for (int i = 0; i < rows; ++i) {
          ASSERT_EQ(0, std::memcmp(part.data() + i * columns, whole.data() + i * n, sizeof(T) * columns))
              << isa.name << " " << rows << " rows, " << columns << " columns";
        }
      }
    }
    if (!isa.fused) continue;
    if (fused.empty()) fused = whole.values();
    EXPECT_TRUE(sameBits(fused, whole.values())) << isa.name;
  }
}

TYPED_TEST(MatmulTest, EmptyContractionsOfLargeProductsGiveZeros) {
  using T = TypeParam;
  for (const TestedIsa& isa : testedIsas()) {
    for (const auto& [m, n] : {std::array<int, 2>{32, 70000}, {8, 270000}, {600000, 4}, {2000, 2000}}) {
      Tensor<T> a({m, 0}, {0, 1}), b({0, n}, {1, 0}), c({m, n});
      c.fill([] { return T(5); });
      ASSERT_EQ(runKernel(isa.matmul, {a.view(), b.view()}, {c.view()}, {}), kOk);
      for (T value : c.values()) ASSERT_EQ(value, T(0)) << isa.name << " " << m << " rows";
    }
  }
}

TYPED_TEST(MatmulTest, FewColumnsHaveTheBitsOfMany) {
  using T = TypeParam;
  std::mt19937 random(6);
  const int m = 2600, n = 40, k = 300;
  Tensor<T> a = Tensor<T>({m, k}).normals(random), b = Tensor<T>({k, n}).normals(random), whole({m, n});
  for (const TestedIsa& isa : testedIsas()) {
    ASSERT_EQ(runKernel(isa.matmul, {a.view(), b.view()}, {whole.view()}, {}), kOk);
    for (int columns : {2, 4, 7, 8}) {
      View right = b.view();
      right.shape[1] = columns;
      right.size = k * columns;
      Tensor<T> part({m, columns});
      ASSERT_EQ(runKernel(isa.matmul, {a.view(), right}, {part.view()}, {}, 3), kOk);
      for (int i = 0; i < m; ++i) {
        ASSERT_EQ(0, std::memcmp(part.data() + i * columns, whole.data() + i * n, sizeof(T) * columns))
            << isa.name << " row " << i << " of " << columns << " columns";
      }
    }
  }
}

TYPED_TEST(MatmulTest, NaNAndInfinityPropagate) {
  using T = TypeParam;
  const T nan = static_cast<T>(NAN), infinity = static_cast<T>(INFINITY);
  for (const TestedIsa& isa : testedIsas()) {
    for (int columns : {1, 40}) {
      Tensor<T> a({20, 9}), b({9, columns}), c({20, columns});
      a.fill([] { return T(0); });
      b.fill([] { return T(1); });
      b.data()[3 * columns] = nan;
      a.data()[7 * 9] = infinity;
      ASSERT_EQ(runKernel(isa.matmul, {a.view(), b.view()}, {c.view()}, {}), kOk);
      EXPECT_TRUE(std::isnan(c.data()[0]));
      if (columns > 1) {
        EXPECT_EQ(c.data()[1], T(0));
        EXPECT_EQ(c.data()[7 * columns + 1], infinity);
      }
    }
  }
}

}  // namespace
}  // namespace saddlepoint
