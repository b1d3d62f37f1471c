// The innermost loop of every matrix product: a block of C of `rows` rows and `vectors` vectors of columns, held in
// registers while the contraction runs. Each element is one chain of fused multiply-adds with ascending k, whatever the
// block size, so neither the tiling nor the instruction set (as long as it has FMA) changes a bit of the result.
#pragma once
#include "../simd/vec.h"

namespace saddlepoint {
namespace {

// depth: length of the contraction. a: element (i, k) at a[i * aRow + k * aDepth]; kernels for adjacent rows, as packed
// panels have them, ignore aRow. b: row k at b + k * bRow, `vectors` full vectors. c: `columns` of each row are
// written, or added to.
template <typename T>
using MicroKernel = void (*)(int depth, const T* a, ptrdiff_t aRow, ptrdiff_t aDepth, const T* b, ptrdiff_t bRow, T* c,
                             ptrdiff_t cRow, int columns, bool add);

// Prefetches: from that depth on, every so many steps, that many steps ahead.
enum { kLeastPrefetched = 64, kGroup = 8, kAhead = 24 };

template <typename T, int rows, int vectors, bool adjacent>
void microKernel(int depth, const T* a, ptrdiff_t aRow, ptrdiff_t aDepth, const T* b, ptrdiff_t bRow, T* c,
                 ptrdiff_t cRow, int columns, bool add) {
  using V = Vec<T>;
  V sums[rows][vectors];
#pragma GCC unroll 32
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) sums[i][v] = V::zero();
  }
  const auto multiply = [&](int steps) __attribute__((always_inline)) {
    for (int k = 0; k < steps; ++k) {
      V columnsOfB[vectors];
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) columnsOfB[v] = V::load(b + v * V::lanes);
#pragma GCC unroll 32
      for (int i = 0; i < rows; ++i) {
        const V element = V::broadcast(adjacent ? a[i] : a[i * aRow]);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; ++v) sums[i][v] = fma(element, columnsOfB[v], sums[i][v]);
      }
      a += aDepth;
      b += bRow;
    }
  };
  constexpr int line = 64 / sizeof(T), linesOfRow = (vectors * V::lanes + line - 1) / line;
  if (!adjacent && depth >= kLeastPrefetched) {  // C, which by the end will have arrived
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < linesOfRow; ++j) prefetchWrite(c + i * cRow + j * line);
    }
  }
  if (adjacent && depth >= kLeastPrefetched) {
    // A comes from the second-level cache or farther: a few lines at a time, ahead of the sums that wait for them.
    const int linesOfGroup = (rows * linesOfRow * kGroup + depth - 1) / depth;
    for (int next = 0; depth >= kGroup; depth -= kGroup) {
      for (int end = next + linesOfGroup; next < rows * linesOfRow && next < end; ++next)
        prefetchWrite(c + next / linesOfRow * cRow + next % linesOfRow * line);
      if (aDepth == rows) {
#pragma GCC unroll 16
        for (int i = 0; i < kGroup * rows; i += line) prefetchRead(a + kAhead * rows + i);
      } else {
#pragma GCC unroll 8
        for (int k = kAhead; k < kAhead + kGroup; ++k) {
          prefetchRead(a + k * aDepth);
          prefetchRead(a + k * aDepth + rows - 1);
        }
      }
      multiply(kGroup);
    }
  } else if (adjacent) {  // too short for that: C of the next columns
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < linesOfRow; ++j) prefetchWrite(c + i * cRow + vectors * V::lanes + j * line);
    }
  }
  multiply(depth);
  if (columns == vectors * V::lanes) {
#pragma GCC unroll 32
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) {
        T* target = c + i * cRow + v * V::lanes;
        (add ? V::load(target) + sums[i][v] : sums[i][v]).store(target);
      }
    }
    return;
  }
#pragma GCC unroll 32
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      T* target = c + i * cRow + v * V::lanes;
      const int left = columns - v * V::lanes;
      const int count = left < 0 ? 0 : left < V::lanes ? left : V::lanes;
      (add ? V::loadPartial(target, count) + sums[i][v] : sums[i][v]).storePartial(target, count);
    }
  }
}

// Three block shapes: wide for most products, narrow where few columns are left, long for a single row.
#if defined(__AVX512F__)
enum { kWideRows = 14, kWideVectors = 2, kNarrowRows = 28 };
#elif defined(__AVX2__)
enum { kWideRows = 6, kWideVectors = 2, kNarrowRows = 12 };
#elif defined(__aarch64__)
enum { kWideRows = 8, kWideVectors = 3, kNarrowRows = 24 };
#else
enum { kWideRows = 4, kWideVectors = 2, kNarrowRows = 12 };
#endif
enum { kLongVectors = 8 };

template <typename T, int vectors, bool adjacent, int rows>
MicroKernel<T> microKernelOfRows(int wanted) {
  if constexpr (rows == 1) {
    return microKernel<T, 1, vectors, adjacent>;
  } else {
    return wanted == rows ? microKernel<T, rows, vectors, adjacent>
                          : microKernelOfRows<T, vectors, adjacent, rows - 1>(wanted);
  }
}

template <typename T, bool adjacent>
MicroKernel<T> microKernelFor(int rows, int vectors) {
  if (vectors == kLongVectors) return microKernel<T, 1, kLongVectors, adjacent>;
  if (vectors == 1) return microKernelOfRows<T, 1, adjacent, kNarrowRows>(rows);
  return microKernelOfRows<T, kWideVectors, adjacent, kWideRows>(rows);
}

}  // namespace
}  // namespace saddlepoint
