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

// A block of C in registers.
template <typename T, int rows, int vectors>
struct Block {
  using V = Vec<T>;
  V sums[rows][vectors];

  SADDLEPOINT_INLINE void clear() {
#pragma GCC unroll 32
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sums[i][v] = V::zero();
    }
  }

  // Adds `steps` steps of the contraction, and leaves a and b behind them.
  template <bool adjacent>
  SADDLEPOINT_INLINE void multiply(int steps, const T*& a, ptrdiff_t aRow, ptrdiff_t aDepth, const T*& b,
                                   ptrdiff_t bRow) {
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
  }

  SADDLEPOINT_INLINE void write(T* c, ptrdiff_t cRow, int columns, bool add) const {
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
};

// Elements that lie in one line of the cache, and lines of a row of a block.
template <typename T>
constexpr int lineLength() {
  return 64 / sizeof(T);
}
template <typename T, int vectors>
constexpr int linesOfRow() {
  return (vectors * Vec<T>::lanes + lineLength<T>() - 1) / lineLength<T>();
}

// C from that column on, which by the end will have arrived.
template <typename T, int rows, int vectors>
SADDLEPOINT_INLINE void prefetchBlock(T* c, ptrdiff_t cRow) {
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < linesOfRow<T, vectors>(); ++j) prefetchWrite(c + i * cRow + j * lineLength<T>());
  }
}

template <typename T, int rows, int vectors, bool adjacent>
void microKernel(int depth, const T* a, ptrdiff_t aRow, ptrdiff_t aDepth, const T* b, ptrdiff_t bRow, T* c,
                 ptrdiff_t cRow, int columns, bool add) {
  Block<T, rows, vectors> block;
  block.clear();
  constexpr int line = lineLength<T>(), lines = linesOfRow<T, vectors>();
  if (!adjacent && depth >= kLeastPrefetched) prefetchBlock<T, rows, vectors>(c, cRow);
  if (adjacent && depth >= kLeastPrefetched) {
    // A comes from the second-level cache or farther: a few lines at a time, ahead of the sums that wait for them.
    const int linesOfGroup = (rows * lines * kGroup + depth - 1) / depth;
    for (int next = 0; depth >= kGroup; depth -= kGroup) {
      for (int end = next + linesOfGroup; next < rows * lines && next < end; ++next)
        prefetchWrite(c + next / lines * cRow + next % lines * line);
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
      block.template multiply<adjacent>(kGroup, a, aRow, aDepth, b, bRow);
    }
  } else if (adjacent) {  // too short for that: C of the next columns
    prefetchBlock<T, rows, vectors>(c + vectors * Vec<T>::lanes, cRow);
  }
  block.template multiply<adjacent>(depth, a, aRow, aDepth, b, bRow);
  block.write(c, cRow, columns, add);
}

// Consecutive steps of a contraction.
struct Run {
  ptrdiff_t offset;  // of the first, from where A begins
  int at, count;     // which they are
};

// A block of C whose contraction goes through A in runs: step `at + k` of row i is a[i * aRow + offset + k]. Rows that
// are read thereafter begin at `next`, which is null where they are near. b is packed.
template <typename T>
using RunKernel = void (*)(const Run* runs, int runCount, const T* a, ptrdiff_t aRow, const T* next, const T* b, T* c,
                           ptrdiff_t cRow, int columns, bool add);

template <typename T, int rows, int vectors>
void runKernel(const Run* runs, int runCount, const T* a, ptrdiff_t aRow, const T* next, const T* b, T* c,
               ptrdiff_t cRow, int columns, bool add) {
  constexpr int line = lineLength<T>(), width = vectors * Vec<T>::lanes;
  Block<T, rows, vectors> block;
  block.clear();
  prefetchBlock<T, rows, vectors>(c, cRow);
  for (const Run* run = runs; run < runs + runCount; ++run) {
    const T* from = a + run->offset;
    int count = run->count;
    if (next) {
      const T* ahead = next + run->offset;
      for (; count >= line; count -= line, ahead += line) {  // a few lines at a time
        for (int i = 0; i < rows / 2; ++i) prefetchFar(ahead + i * aRow);
        block.template multiply<false>(line / 2, from, aRow, 1, b, width);
        for (int i = rows / 2; i < rows; ++i) prefetchFar(ahead + i * aRow);
        block.template multiply<false>(line / 2, from, aRow, 1, b, width);
      }
      for (int i = 0; i < rows; ++i) prefetchFar(ahead + i * aRow);
    }
    block.template multiply<false>(count, from, aRow, 1, b, width);
  }
  __asm__("" : "+r"(columns));  // else GCC keeps it in a vector that the loop is short of
  block.write(c, cRow, columns, add);
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

template <int value>
struct Constant {
  static constexpr int number = value;
};

// choose(Constant<wanted>()), of at most `most` rows.
template <int most, typename Choose>
auto withRows(int wanted, const Choose& choose) {
  if constexpr (most == 1) {
    return choose(Constant<1>());
  } else {
    return wanted == most ? choose(Constant<most>()) : withRows<most - 1>(wanted, choose);
  }
}

// choose(rows, vectors) of a block shape, as Constants.
template <typename Choose>
auto withBlock(int rows, int vectors, const Choose& choose) {
  if (vectors == kLongVectors) return choose(Constant<1>(), Constant<kLongVectors>());
  if (vectors == 1) return withRows<kNarrowRows>(rows, [&](auto count) { return choose(count, Constant<1>()); });
  return withRows<kWideRows>(rows, [&](auto count) { return choose(count, Constant<kWideVectors>()); });
}

template <typename T, bool adjacent>
MicroKernel<T> microKernelFor(int rows, int vectors) {
  return withBlock(rows, vectors, [](auto height, auto width) -> MicroKernel<T> {
    return microKernel<T, height.number, width.number, adjacent>;
  });
}

template <typename T>
RunKernel<T> runKernelFor(int rows, int vectors) {
  return withBlock(rows, vectors,
                   [](auto height, auto width) -> RunKernel<T> { return runKernel<T, height.number, width.number>; });
}

}  // namespace
}  // namespace saddlepoint
