// C = A B for one block of C on one thread. Where A and B come from is up to the caller: matrices with any strides
// (matmul.cc), weights packed once, or windows of an image (conv2d.cc).
#pragma once
#include "gemm_micro.h"
#include "gemm_pack.h"
#include "parallel.h"

namespace saddlepoint {
namespace {

// The contraction runs in blocks of this many steps on every instruction set: part of the order of summation.
enum { kDepthBlock = 256 };

// Element (i, j) at data[i * row + j * column].
template <typename T>
struct Matrix {
  const T* data;
  ptrdiff_t row, column;
};

// How C is cut into micro-kernel blocks: rows in equal panels as far as they go, then columns by what is left.
struct Tiling {
  int rows;  // of a panel; the last may have fewer
  int panels;
  int vectors;  // of a full column panel
};

inline Tiling tilingFor(int rows, ptrdiff_t columns, int lanes) {
  Tiling tiling;
  tiling.vectors = rows == 1 ? kLongVectors : columns <= lanes ? 1 : kWideVectors;
  const int most = rows == 1 ? 1 : columns <= lanes ? kNarrowRows : kWideRows;
  tiling.panels = static_cast<int>(ceilDivide(rows, most));
  tiling.rows = rows == 0 ? 1 : static_cast<int>(ceilDivide(rows, tiling.panels));
  return tiling;
}

// Rows a page apart share a set of the first-level cache, which holds so many of them.
enum { kPage = 4096, kWays = 12 };

// For rows that may be read where they lie.
template <typename T>
Tiling tilingOf(const Matrix<T>& a, int rows, ptrdiff_t columns) {
  Tiling tiling = tilingFor(rows, columns, Vec<T>::lanes);
  if (tiling.vectors == 1 && tiling.rows > kWays && a.column == 1 && a.row * sizeof(T) % kPage == 0) {
    tiling.panels = static_cast<int>(ceilDivide(rows, kWays));
    tiling.rows = static_cast<int>(ceilDivide(rows, tiling.panels));
  }
  return tiling;
}

inline int columnVectors(const Tiling& tiling, ptrdiff_t left, int lanes) {
  if (tiling.vectors == kLongVectors && left >= kLongVectors * lanes) return kLongVectors;
  return left <= lanes || tiling.vectors == 1 ? 1 : kWideVectors;
}

// All rows of A for one block of the contraction, in panels of `tiling.rows` rows.
template <typename T>
struct PackedRows {
  const T* data;

  MicroKernel<T> kernel(int rows, int vectors) const { return microKernelFor<T, true>(rows, vectors); }
  const T* from(ptrdiff_t row, int steps) const { return data + row * steps; }
  ptrdiff_t depthOf(int height) const { return height; }
  static constexpr ptrdiff_t row = 1;
};

// The same, either in panels or where they lie.
template <typename T>
struct RowBlock {
  const T* data;
  ptrdiff_t row, depth;
  bool packed;

  MicroKernel<T> kernel(int rows, int vectors) const {
    return packed || row == 1 ? microKernelFor<T, true>(rows, vectors) : microKernelFor<T, false>(rows, vectors);
  }
  ptrdiff_t depthOf(int height) const { return packed ? height : depth; }
  const T* from(ptrdiff_t i, int steps) const { return data + i * (packed ? steps : row); }
};

// Of a B that the second-level cache may still hold when its panels are packed.
enum { kNearElements = 1 << 18 };

// One column panel of B for one block of the contraction: row k at data + k * row, full vectors.
template <typename T>
struct ColumnPanel {
  const T* data;
  ptrdiff_t row;
  Matrix<T> next = {nullptr, 0, 0};  // where the panel after this one lies, if it is to be prefetched
};

// Where the panel after that of block k0 lies which ends before column j.
template <typename T>
Matrix<T> panelAfter(const Matrix<T>& b, int k0, int steps, int depth, ptrdiff_t j, ptrdiff_t columns) {
  const bool isLast = j >= columns, hasLines = b.row == 1 || b.column == 1;
  if (!hasLines || (isLast && k0 + steps >= depth)) return {nullptr, 0, 0};
  return {b.data + (isLast ? k0 + steps : k0) * b.row + (isLast ? 0 : j) * b.column, b.row, b.column};
}

// Part [begin, end) of `whole` of a panel of `steps` rows and `width` columns: its lines may lie pages apart, where no
// processor sees them coming. Inlined, for GCC takes a function that only prefetches for one without effect.
template <typename T>
SADDLEPOINT_INLINE void prefetchPart(const Matrix<T>& panel, int steps, int width, int begin, int end, int whole) {
  const bool byRows = panel.column == 1;
  const int lines = byRows ? steps : width, length = byRows ? width : steps;
  const ptrdiff_t apart = byRows ? panel.row : panel.column;
  const int last = static_cast<int>(static_cast<int64_t>(lines) * end / whole);
  for (int i = static_cast<int>(static_cast<int64_t>(lines) * begin / whole); i < last; ++i) {
    for (int j = 0; j < length; j += 64 / sizeof(T)) prefetchRead(panel.data + i * apart + j);
  }
}

// Packs rows [0, rows) of A, k in [0, depth), into panels one behind the other.
template <typename T>
void packRows(T* out, const Tiling& tiling, int rows, int depth, const T* a, ptrdiff_t aRow, ptrdiff_t aDepth) {
  for (int i = 0; i < rows; i += tiling.rows) {
    const int count = smaller(tiling.rows, rows - i);
    packPanel(out + static_cast<ptrdiff_t>(i) * depth, count, count, depth, a + i * aRow, aRow, aDepth);
  }
}

// rowBlock(k0, depth) -> PackedRows or RowBlock; columnPanel(k0, depth, column, columns, width) -> ColumnPanel.
// c = A B, or c += A B. An empty contraction gives zeros.
template <typename T, typename RowSource, typename ColumnSource>
void multiplyBlock(const Tiling& tiling, int rows, ptrdiff_t columns, int depth, RowSource&& rowBlock,
                   ColumnSource&& columnPanel, T* c, ptrdiff_t cRow, bool add) {
  constexpr int lanes = Vec<T>::lanes;
  if (depth == 0 && !add) {
    for (int i = 0; i < rows; ++i) {
      for (ptrdiff_t j = 0; j < columns; ++j) c[i * cRow + j] = 0;
    }
  }
  for (int k0 = 0; k0 < depth; k0 += kDepthBlock) {
    const int steps = smaller<int>(kDepthBlock, depth - k0);
    const auto a = rowBlock(k0, steps);
    for (ptrdiff_t j = 0; j < columns;) {
      const int vectors = columnVectors(tiling, columns - j, lanes);
      const int width = vectors * lanes;
      const int count = static_cast<int>(smaller<ptrdiff_t>(width, columns - j));
      const ColumnPanel<T> b = columnPanel(k0, steps, j, count, width);
      const MicroKernel<T> kernel = a.kernel(tiling.rows, vectors);
      for (int i = 0; i < rows; i += tiling.rows) {
        const int height = smaller(tiling.rows, rows - i);
        if (b.next.data) prefetchPart(b.next, steps, width, i, i + height, rows);
        const MicroKernel<T> run = height == tiling.rows ? kernel : a.kernel(height, vectors);
        run(steps, a.from(i, steps), a.row, a.depthOf(height), b.data, b.row, c + i * cRow + j, cRow, count,
            add || k0 > 0);
      }
      j += count;
    }
  }
}

// Contractions up to so short are bound by writing C: then each panel of rows goes along all columns at once.
enum { kShallow = 32 };

// The same for one block of the contraction whose columns are packed as panels one behind the other.
template <typename T>
void multiplyPacked(const Tiling& tiling, int rows, ptrdiff_t columns, int steps, const RowBlock<T>& a, const T* panels,
                    T* c, ptrdiff_t cRow, bool add) {
  const int together = steps <= kShallow ? tiling.rows : rows;
  for (int row = 0; row < rows; row += together) {
    multiplyBlock<T>(
        tiling, smaller(together, rows - row), columns, steps,
        [&](int, int) {
          return RowBlock<T>{a.from(row, steps), a.row, a.depth, a.packed};
        },
        [&](int, int, ptrdiff_t j, int, int width) {
          return ColumnPanel<T>{panels + j * steps, width};
        },
        c + row * cRow, cRow, add);
  }
}

}  // namespace
}  // namespace saddlepoint
