// A few rows of A times a B whose columns are contiguous, such as the transposed weights of a linear layer: blocks of B
// are transposed in registers and used at once, never stored. The same chain for each element as in a micro-kernel.
#pragma once
#include "gemm.h"

namespace saddlepoint {
namespace {

// That share a transposed block, as many as there are registers for.
#if defined(__AVX512F__)
enum { kFewRows = 8 };
#else
enum { kFewRows = 4 };
#endif
enum { kMostFewRows = 8 };

template <typename T>
bool isFewRows(int rows, const Matrix<T>& b) {
  return rows > 0 && rows <= kMostFewRows && b.row == 1 && b.column != 1;
}

template <int rows, typename T>
void multiplyTogether(const Matrix<T>& a, const Matrix<T>& b, ptrdiff_t columns, int depth, T* c, ptrdiff_t cRow) {
  using V = Vec<T>;
  constexpr int n = V::lanes;
  for (ptrdiff_t j = 0; j < columns; j += n) {
    const int count = static_cast<int>(smaller<ptrdiff_t>(n, columns - j));
    V totals[rows];
    for (V& total : totals) total = V::zero();
    for (int k0 = 0; k0 < depth; k0 += kDepthBlock) {
      const int end = smaller<int>(depth, k0 + kDepthBlock);
      V sums[rows];
      for (V& sum : sums) sum = V::zero();
      for (int k = k0; k < end; k += n) {
        const int steps = smaller(n, end - k);
        const T* factors = a.data + k * a.column;
        V block[n];
        loadTransposed(block, b.data + j * b.column + k, b.column, count, steps);
#pragma GCC unroll 16
        for (int i = 0; i < n; ++i) {
          if (i >= steps) break;
#pragma GCC unroll 8
          for (int r = 0; r < rows; ++r)
            sums[r] = fma(V::broadcast(factors[r * a.row + i * a.column]), block[i], sums[r]);
        }
      }
      for (int r = 0; r < rows; ++r) totals[r] = k0 == 0 ? sums[r] : totals[r] + sums[r];
    }
    for (int r = 0; r < rows; ++r) totals[r].storePartial(c + r * cRow + j, count);
  }
}

template <int rows, typename T>
void multiplyAtMost(int count, const Matrix<T>& a, const Matrix<T>& b, ptrdiff_t columns, int depth, T* c,
                    ptrdiff_t cRow) {
  if constexpr (rows > 1) {
    if (count < rows) return multiplyAtMost<rows - 1>(count, a, b, columns, depth, c, cRow);
  }
  multiplyTogether<rows>(a, b, columns, depth, c, cRow);
}

template <typename T>
void multiplyFewRows(int rows, const Matrix<T>& a, const Matrix<T>& b, ptrdiff_t columns, int depth, T* c,
                     ptrdiff_t cRow) {
  for (int row = 0, groups = static_cast<int>(ceilDivide(rows, kFewRows)); groups > 0; --groups) {
    const int count = static_cast<int>(ceilDivide(rows - row, groups));
    multiplyAtMost<kFewRows>(count, Matrix<T>{a.data + row * a.row, a.row, a.column}, b, columns, depth, c + row * cRow,
                             cRow);
    row += count;
  }
}

}  // namespace
}  // namespace saddlepoint
