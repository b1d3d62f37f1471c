// C^T = B^T A^T, where reading the larger factor where it lies spares packing it.
#pragma once
#include "gemm.h"
#include "gemm_few_rows.h"
#include "gemm_large.h"
#include "kernel.h"

namespace saddlepoint {
namespace {

enum { kMostTransposedRows = 128, kMostFewColumns = kFewRows, kLeastRowsOfFewColumns = 64 };
enum { kTransposedParts = 16, kLeastTransposedWork = 1 << 20 };

// C has few rows and the columns of B are contiguous, such as those of the transposed weights of a linear layer: then
// they are rows. More rows pay for packing B. Vectors run over rows of C, and those that are not filled cost as much as
// whole ones.
template <typename T>
bool isBetterTransposed(int rows, ptrdiff_t columns, const Matrix<T>& b) {
  constexpr int lanes = Vec<T>::lanes;
  if (b.row != 1 || b.column == 1 || rows <= kMostFewRows || rows > kMostTransposedRows || columns < 2 * rows)
    return false;
  return rows <= kWideVectors * lanes || ceilDivide(rows, lanes) * lanes - rows <= lanes / 4;
}

// The same for few columns beside contiguous rows of A.
template <typename T>
bool hasFewColumns(int rows, int columns, const Matrix<T>& a) {
  return columns <= kMostFewColumns && rows >= kLeastRowsOfFewColumns && a.column == 1;
}

// finish(worker, row, rows, column, columns) is called for each block of C when it is complete.
template <typename T, typename Finish>
Failure multiplyTransposed(const Call& call, int rows, int columns, int depth, const Matrix<T>& a, const Matrix<T>& b,
                           T* c, Finish&& finish) {
  const Matrix<T> left{b.data, b.column, b.row};
  const Tiling tiling = tilingOf(left, columns, rows);
  const ptrdiff_t width = tiling.vectors * Vec<T>::lanes, packedRows = ceilDivide(rows, width) * width;
  T* packed = scratchOf<T>(call, 0, 0, static_cast<size_t>(packedRows) * depth);
  if (!packed) return kFailMemory;
  const auto stepsFrom = [&](int k0) { return smaller<int>(kDepthBlock, depth - k0); };
  runParts(call, ceilDivide(depth, kDepthBlock), [&](int part, int) {
    const int k0 = part * kDepthBlock;
    packColumns(packed + k0 * packedRows, tiling, rows, stepsFrom(k0), a.data + k0 * a.column, a.column, a.row);
    return true;
  });
  const double panelWork = static_cast<double>(tiling.rows) * rows * depth;
  const ptrdiff_t least = larger<ptrdiff_t>(1, static_cast<ptrdiff_t>(kLeastTransposedWork / panelWork));
  const ptrdiff_t columnsOfPart = larger(least, ceilDivide(tiling.panels, kTransposedParts)) * tiling.rows;
  return runParts(call, ceilDivide(columns, columnsOfPart), [&](int part, int worker) {
    const ptrdiff_t column = part * columnsOfPart;
    const int count = static_cast<int>(smaller(columnsOfPart, columns - column));
    T* block = scratchOf<T>(call, worker, 1, static_cast<size_t>(count) * rows);
    if (!block) return false;
    for (int k0 = 0; k0 < depth; k0 += kDepthBlock) {
      const Run run = {0, 0, stepsFrom(k0)};
      for (int j = 0; j < rows; j += static_cast<int>(width)) {
        const int vectors = columnVectors(tiling, rows - j, Vec<T>::lanes);
        for (int i = 0; i < count; i += tiling.rows) {
          const T* from = left.data + (column + i) * left.row + k0;
          // Rows come from afar for the first panel only.
          const T* next = j == 0 ? from + tiling.rows * left.row : nullptr;
          runKernelFor<T>(smaller(tiling.rows, count - i), vectors)(
              &run, 1, from, left.row, next, packed + k0 * packedRows + j * run.count, block + i * rows + j, rows,
              smaller<int>(static_cast<int>(width), rows - j), k0 > 0);
        }
      }
    }
    transpose(c + column, columns, count, rows, block, rows);
    return finish(worker, 0, rows, column, count);
  });
}

template <typename T, typename Finish>
Failure multiplyFewColumns(const Call& call, int rows, int columns, int depth, const Matrix<T>& a, const Matrix<T>& b,
                           T* c, Finish&& finish) {
  const double rowWork = static_cast<double>(columns) * depth;
  const ptrdiff_t least = static_cast<ptrdiff_t>(kLeastTransposedWork / rowWork) + 1;
  const ptrdiff_t rowsOfPart = roundUp64(larger<ptrdiff_t>(least, ceilDivide(rows, kTransposedParts)));
  return runParts(call, ceilDivide(rows, rowsOfPart), [&](int part, int worker) {
    const ptrdiff_t row = part * rowsOfPart;
    const int count = static_cast<int>(smaller(rowsOfPart, rows - row));
    T* block = scratchOf<T>(call, worker, 1, static_cast<size_t>(columns) * count);
    if (!block) return false;
    multiplyFewRows(columns, Matrix<T>{b.data, b.column, b.row}, Matrix<T>{a.data + row * a.row, a.column, a.row},
                    count, depth, block, count);
    transpose(c + row * columns, columns, columns, count, block, count);
    return finish(worker, row, count, 0, columns);
  });
}

}  // namespace
}  // namespace saddlepoint
