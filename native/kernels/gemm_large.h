// Products with several blocks of rows, one block of the contraction after the other: before each, its share of A and B
// is packed once for all parts (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008).
#pragma once
#include "gemm.h"
#include "kernel.h"

namespace saddlepoint {
namespace {

// A part's rows of A stay in the second-level cache beside all that streams through it.
enum { kLeastRows = 561, kLeastColumns = 512, kRowsOfPart = 280, kColumnsOfPart = 256, kPartsOfPass = 16 };

inline bool isLarge(int rows, ptrdiff_t columns, int depth) {
  return rows >= kLeastRows && columns >= kLeastColumns && depth > 0;
}

// Columns [0, columns) of B, k in [0, steps), into panels one behind the other: along the rows of B where it has any.
template <typename T>
void packColumns(T* out, const Tiling& tiling, ptrdiff_t columns, int steps, const T* b, ptrdiff_t bRow,
                 ptrdiff_t bColumn) {
  constexpr int lanes = Vec<T>::lanes;
  const int width = tiling.vectors * lanes;
  const ptrdiff_t whole = bColumn == 1 ? columns / width * width : 0;
  for (int k = 0; k < steps; ++k) {
    for (ptrdiff_t j = 0; j < whole; j += width) {
      for (int v = 0; v < width; v += lanes) {
        Vec<T>::load(b + k * bRow + j + v).store(out + j * steps + k * width + v);
      }
    }
  }
  for (ptrdiff_t j = whole; j < columns; j += width) {
    const int taken = columnVectors(tiling, columns - j, lanes) * lanes;
    packPanel(out + j * steps, taken, static_cast<int>(smaller<ptrdiff_t>(taken, columns - j)), steps, b + j * bColumn,
              bColumn, bRow);
  }
}

// finish(worker, row, rows, column, columns) is called for each block of C when it is complete.
template <typename T, typename Finish>
Failure multiplyLarge(const Call& call, int rows, ptrdiff_t columns, int depth, const Matrix<T>& a, const Matrix<T>& b,
                      T* c, Finish&& finish) {
  const Tiling tiling = tilingFor(rows, columns, Vec<T>::lanes);
  const ptrdiff_t rowBlocks = ceilDivide(tiling.panels, kRowsOfPart / tiling.rows);
  const ptrdiff_t rowsOfPart = ceilDivide(tiling.panels, rowBlocks) * tiling.rows;
  const ptrdiff_t rowParts = ceilDivide(rows, rowsOfPart);
  // Whole panels, which are packed without gaps.
  const int panel = tiling.vectors * Vec<T>::lanes, columnsOfPart = kColumnsOfPart / panel * panel;
  const ptrdiff_t columnsOfPass = smaller<ptrdiff_t>(ceilDivide(columns, columnsOfPart), kPartsOfPass) * columnsOfPart;
  const int block = smaller<int>(depth, kDepthBlock);
  const size_t elementsOfA = roundUp64(static_cast<size_t>(rows) * block);
  T* packedA = scratchOf<T>(call, 0, 0, elementsOfA + static_cast<size_t>(columnsOfPass) * block);
  if (!packedA) return kFailMemory;
  T* packedB = packedA + elementsOfA;
  for (ptrdiff_t first = 0; first < columns; first += columnsOfPass) {
    const ptrdiff_t taken = smaller(columnsOfPass, columns - first), columnParts = ceilDivide(taken, columnsOfPart);
    for (int k0 = 0; k0 < depth; k0 += kDepthBlock) {
      const int steps = smaller<int>(kDepthBlock, depth - k0);
      const auto blockOf = [&](ptrdiff_t rowPart, ptrdiff_t columnPart) {
        struct {
          ptrdiff_t row, column;
          int rows, columns;
        } of = {rowPart * rowsOfPart, columnPart * columnsOfPart, 0, 0};
        of.rows = static_cast<int>(smaller(rowsOfPart, rows - of.row));
        of.columns = static_cast<int>(smaller<ptrdiff_t>(columnsOfPart, taken - of.column));
        return of;
      };
      runParts(call, rowParts + columnParts, [&](int part, int) {
        if (part < rowParts) {
          const auto of = blockOf(part, 0);
          packRows(packedA + of.row * steps, tiling, of.rows, steps, a.data + of.row * a.row + k0 * a.column, a.row,
                   a.column);
        } else {
          const auto of = blockOf(0, part - rowParts);
          packColumns(packedB + of.column * steps, tiling, of.columns, steps,
                      b.data + k0 * b.row + (first + of.column) * b.column, b.row, b.column);
        }
        return true;
      });
      const Failure failure = runParts(call, rowParts * columnParts, [&](int part, int worker) {
        const auto of = blockOf(part / columnParts, part % columnParts);
        multiplyPacked<T>(tiling, of.rows, of.columns, steps, {packedA + of.row * steps, 0, 0, true},
                          packedB + of.column * steps, c + of.row * columns + first + of.column, columns, k0 > 0);
        return k0 + steps < depth || finish(worker, of.row, of.rows, first + of.column, of.columns);
      });
      if (failure != kOk) return failure;
    }
  }
  return kOk;
}

}  // namespace
}  // namespace saddlepoint
