// Batched matrix product. Any strides, so transposes are free; a batch that shares B becomes one tall product. With
// attributes, elementwise steps follow (epilogue.h): each part applies them to its block of C.
#include "epilogue.h"
#include "gemm.h"
#include "gemm_few_rows.h"
#include "gemm_large.h"
#include "gemm_transposed.h"
#include "kernel.h"

namespace saddlepoint {
namespace {

// Work of a part in multiply-adds: enough to outweigh starting it, a sixteenth of all where that is not too much.
enum { kLeastWork = 1 << 20, kMostWork = 1 << 29, kRowsInCache = 560 };

// Contiguous rows are read where they lie, for a micro-kernel goes along few of them; others are packed if enough
// columns share the cost.
template <typename T>
bool mustPack(const Matrix<T>& a, int rows, ptrdiff_t columns) {
  return rows > 1 && a.column != 1 && columns > 2 * kWideVectors * Vec<T>::lanes;
}

struct Batch {
  int rank;
  ptrdiff_t count;
  ptrdiff_t shape[kMaxRank], a[kMaxRank], b[kMaxRank];
};

template <typename T>
struct Product {
  int rows, columns, depth;
  Matrix<T> a, b;
  T* c;
  Batch batch;
};

// One column panel of B, from where it lies if that is good enough, or packed.
template <typename T>
ColumnPanel<T> columnsOf(const Matrix<T>& b, bool pack, int k0, int steps, ptrdiff_t j, int count, int width,
                         T* panel) {
  const T* from = b.data + k0 * b.row + j * b.column;
  if (!pack && count == width) return {from, b.row};
  packPanel(panel, width, count, steps, from, b.column, b.row);
  return {panel, width};
}

size_t panelElements(int depth, int lanes) {
  return static_cast<size_t>(smaller<int>(depth, kDepthBlock)) * kLongVectors * lanes;
}

// Multiply-adds of a product whose operands stay in the second-level cache: for these packing A never pays.
enum { kSmallWork = 1 << 21 };

// As many rows for each call as there can be, all about equally many: a call with few would wait for its own chains.
template <typename T>
void multiplySmall(const Product<T>& p, const Matrix<T>& a, const Matrix<T>& b, T* c) {
  constexpr int lanes = Vec<T>::lanes;
  alignas(64) T panel[kDepthBlock * kWideVectors * lanes];
  for (int j = 0; j < p.columns;) {
    const int left = p.columns - j, vectors = left <= lanes ? 1 : kWideVectors;
    const int width = vectors * lanes, count = smaller(left, width);
    const ColumnPanel<T> columns = columnsOf(b, b.column != 1, 0, p.depth, j, count, width, panel);
    const int most = vectors == 1 ? kNarrowRows : kWideRows;
    for (int i = 0, panels = static_cast<int>(ceilDivide(p.rows, most)); panels > 0; --panels) {
      const int height = static_cast<int>(ceilDivide(p.rows - i, panels));
      microKernelFor<T, false>(height, vectors)(p.depth, a.data + i * a.row, a.row, a.column, columns.data, columns.row,
                                                c + static_cast<ptrdiff_t>(i) * p.columns + j, p.columns, count, false);
      i += height;
    }
    j += count;
  }
}

template <typename T>
bool isSmall(const Product<T>& p) {
  return p.rows > 1 && p.depth > 0 && p.depth <= kDepthBlock &&
         static_cast<double>(p.rows) * p.columns * p.depth <= kSmallWork;
}

// A whole product on one thread.
template <typename T>
bool multiply(const Call& call, int worker, const Product<T>& p, const Matrix<T>& a, const Matrix<T>& b, T* c) {
  if (isFewRows(p.rows, b)) return multiplyFewRows(p.rows, a, b, p.columns, p.depth, c, p.columns), true;
  if (isSmall(p)) return multiplySmall(p, a, b, c), true;
  constexpr int lanes = Vec<T>::lanes;
  const Tiling tiling = tilingOf(a, p.rows, p.columns);
  const bool packA = mustPack(a, p.rows, p.columns);
  const bool packB = b.column != 1 || tiling.panels > 2;
  T* rows =
      packA ? scratchOf<T>(call, worker, 1, static_cast<size_t>(p.rows) * smaller<int>(p.depth, kDepthBlock)) : nullptr;
  T* panel = scratchOf<T>(call, worker, 2, panelElements(p.depth, lanes));
  if ((packA && !rows) || !panel) return false;
  multiplyBlock<T>(
      tiling, p.rows, p.columns, p.depth,
      [&](int k0, int steps) {
        const T* from = a.data + k0 * a.column;
        if (!packA) return RowBlock<T>{from, a.row, a.column, false};
        packRows(rows, tiling, p.rows, steps, from, a.row, a.column);
        return RowBlock<T>{rows, 0, 0, true};
      },
      [&](int k0, int steps, ptrdiff_t j, int count, int width) {
        return columnsOf(b, packB, k0, steps, j, count, width, panel);
      },
      c, p.columns, false);
  return true;
}

// Applies the epilogue to a block of C; the rows of a batch are counted through.
template <typename T>
bool finishBlock(const Call& call, int worker, const Product<T>& p, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t column,
                 int columns) {
  if (call.attributeCount == 0) return true;
  return runEpilogue(call, 2, worker, row, row + rows, static_cast<int>(column), static_cast<int>(column) + columns,
                     p.columns);
}

// A product of many parts: where A is packed, once for all of them; then each computes a block of C.
template <typename T>
Failure multiplyInParts(const Call& call, const Product<T>& p, const Matrix<T>& a, const Matrix<T>& b, T* c,
                        ptrdiff_t firstRow, double workPerPart) {
  constexpr int lanes = Vec<T>::lanes;
  const bool packA = mustPack(a, p.rows, p.columns);
  const Tiling tiling = tilingOf(a, p.rows, p.columns);
  const bool packB = b.column != 1 || tiling.panels > 2;
  // Row blocks whose share of A stays in the L2 cache. The columns are cut first: they share what was packed.
  const ptrdiff_t rowBlocks = ceilDivide(tiling.panels, larger(1, kRowsInCache / tiling.rows));
  const ptrdiff_t panelsPerBlock = ceilDivide(tiling.panels, rowBlocks), rowsPerBlock = panelsPerBlock * tiling.rows;
  const int width = tiling.vectors * lanes;
  const double panelWork = static_cast<double>(smaller<ptrdiff_t>(rowsPerBlock, p.rows)) * width * larger(p.depth, 1);
  const ptrdiff_t columnPanels = ceilDivide(p.columns, width);
  const ptrdiff_t most = larger<ptrdiff_t>(1, static_cast<ptrdiff_t>(workPerPart / panelWork));
  const ptrdiff_t columnBlocks = ceilDivide(columnPanels, most);
  const ptrdiff_t columnsPerBlock = ceilDivide(columnPanels, columnBlocks) * width;

  const bool isFar = static_cast<int64_t>(p.columns) * p.depth > kNearElements;

  T* packed = packA ? scratchOf<T>(call, 0, 0, static_cast<size_t>(p.rows) * p.depth) : nullptr;
  if (packA && !packed) return kFailMemory;
  const ptrdiff_t depthBlocks = ceilDivide(p.depth, kDepthBlock);
  const auto pack = [&](int part, int) {
    const int k0 = static_cast<int>(part % depthBlocks) * kDepthBlock, steps = smaller<int>(kDepthBlock, p.depth - k0);
    const ptrdiff_t row = part / depthBlocks * rowsPerBlock;
    packRows(packed + static_cast<ptrdiff_t>(k0) * p.rows + row * steps, tiling,
             static_cast<int>(smaller(rowsPerBlock, p.rows - row)), steps, a.data + row * a.row + k0 * a.column, a.row,
             a.column);
    return true;
  };
  if (packA) runParts(call, ceilDivide(p.rows, rowsPerBlock) * depthBlocks, pack);
  return runParts(
      call, ceilDivide(p.rows, rowsPerBlock) * ceilDivide(p.columns, columnsPerBlock), [&](int part, int worker) {
        const ptrdiff_t blocks = ceilDivide(p.columns, columnsPerBlock);
        const ptrdiff_t row = part / blocks * rowsPerBlock, column = part % blocks * columnsPerBlock;
        const int height = static_cast<int>(smaller(rowsPerBlock, p.rows - row));
        const int count = static_cast<int>(smaller(columnsPerBlock, p.columns - column));
        Matrix<T> columns = b;
        columns.data += column * b.column;
        const auto finish = [&] { return finishBlock(call, worker, p, firstRow + row, height, column, count); };
        if (isFewRows(p.rows, b)) {
          multiplyFewRows(p.rows, a, columns, count, p.depth, c + column, p.columns);
          return finish();
        }
        T* panel = scratchOf<T>(call, worker, 2, panelElements(p.depth, lanes));
        if (!panel) return false;
        multiplyBlock<T>(
            tiling, height, count, p.depth,
            [&](int k0, int steps) {
              if (!packA) return RowBlock<T>{a.data + row * a.row + k0 * a.column, a.row, a.column, false};
              return RowBlock<T>{packed + static_cast<ptrdiff_t>(k0) * p.rows + row * steps, 0, 0, true};
            },
            [&](int k0, int steps, ptrdiff_t j, int taken, int panelWidth) {
              ColumnPanel<T> at = columnsOf(columns, packB, k0, steps, j, taken, panelWidth, panel);
              if (isFar) at.next = panelAfter(columns, k0, steps, p.depth, j + taken, count);
              return at;
            },
            c + row * p.columns + column, p.columns, false);
        return finish();
      });
}

template <typename T>
Failure run(const Call& call, const Product<T>& p) {
  const auto operandsOf = [&](ptrdiff_t matrix, Matrix<T>* a, Matrix<T>* b) {
    *a = p.a;
    *b = p.b;
    for (int dim = p.batch.rank - 1; dim >= 0; --dim) {
      a->data += matrix % p.batch.shape[dim] * p.batch.a[dim];
      b->data += matrix % p.batch.shape[dim] * p.batch.b[dim];
      matrix /= p.batch.shape[dim];
    }
  };
  const ptrdiff_t size = static_cast<ptrdiff_t>(p.rows) * p.columns;
  const double work = static_cast<double>(size) * larger(p.depth, 1);
  const double total = work * static_cast<double>(p.batch.count);
  const double workPerPart = smaller(larger(total / 16, double(kLeastWork)), double(kMostWork));
  const bool isLong = p.depth > 0 && work >= 2 * workPerPart;
  const bool transposed = isLong && isBetterTransposed(p.rows, p.columns, p.b);
  const bool fewColumns = isLong && hasFewColumns(p.rows, p.columns, p.a);
  if (transposed || fewColumns || work > 2 * workPerPart) {
    for (ptrdiff_t matrix = 0; matrix < p.batch.count; ++matrix) {
      Matrix<T> a, b;
      operandsOf(matrix, &a, &b);
      T* c = p.c + matrix * size;
      const ptrdiff_t firstRow = matrix * p.rows;
      const auto finish = [&](int worker, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t column, int columns) {
        return finishBlock(call, worker, p, firstRow + row, rows, column, columns);
      };
      const Failure failure = transposed   ? multiplyTransposed(call, p.rows, p.columns, p.depth, a, b, c, finish)
                              : fewColumns ? multiplyFewColumns(call, p.rows, p.columns, p.depth, a, b, c, finish)
                              : isLarge(p.rows, p.columns, p.depth)
                                  ? multiplyLarge(call, p.rows, p.columns, p.depth, a, b, c, finish)
                                  : multiplyInParts(call, p, a, b, c, firstRow, workPerPart);
      if (failure != kOk) return failure;
    }
    return kOk;
  }
  const ptrdiff_t perPart = larger<ptrdiff_t>(1, static_cast<ptrdiff_t>(workPerPart / work));
  return runParts(call, ceilDivide(p.batch.count, perPart), [&](int part, int worker) {
    const ptrdiff_t first = part * perPart, end = smaller(p.batch.count, first + perPart);
    for (ptrdiff_t matrix = first; matrix < end; ++matrix) {
      Matrix<T> a, b;
      operandsOf(matrix, &a, &b);
      if (!multiply(call, worker, p, a, b, p.c + matrix * size)) return false;
    }
    return finishBlock(call, worker, p, first * p.rows, (end - first) * p.rows, 0, p.columns);
  });
}

// Where all products use the same B and the rows of A follow each other, the batch is more rows.
template <typename T>
void foldBatch(Product<T>* p) {
  ptrdiff_t next = p->a.row * p->rows;
  for (int dim = p->batch.rank - 1; dim >= 0; --dim) {
    if (p->batch.shape[dim] == 1) continue;
    if (p->batch.b[dim] != 0 || p->batch.a[dim] != next) return;
    next *= p->batch.shape[dim];
  }
  p->rows *= static_cast<int>(p->batch.count);
  p->batch.rank = 0;
  p->batch.count = 1;
}

template <typename T>
Failure matmul(const Call& call) {
  const View &a = call.inputs[0], &b = call.inputs[1], &out = call.outputs[0];
  if (out.size == 0) return kOk;
  const int rank = a.rank - 2;  // an epilogue may see C in another shape
  Product<T> p;
  p.rows = a.shape[rank];
  p.columns = b.shape[rank + 1];
  p.depth = a.shape[rank + 1];
  p.a = {static_cast<const T*>(a.data), a.strides[rank], a.strides[rank + 1]};
  p.b = {static_cast<const T*>(b.data), b.strides[rank], b.strides[rank + 1]};
  p.c = static_cast<T*>(out.data);
  p.batch.rank = rank;
  p.batch.count = 1;
  for (int dim = 0; dim < rank; ++dim) {
    p.batch.shape[dim] = a.shape[dim];
    p.batch.a[dim] = a.shape[dim] == 1 ? 0 : a.strides[dim];
    p.batch.b[dim] = b.shape[dim] == 1 ? 0 : b.strides[dim];
    p.batch.count *= a.shape[dim];
  }
  foldBatch(&p);
  if (p.columns == 1) {  // a column of C is contiguous, so the transposed product has one long row
    const Matrix<T> left = p.a;
    p.a = {p.b.data, p.b.column, p.b.row};
    p.b = {left.data, left.column, left.row};
    p.columns = p.rows;
    p.rows = 1;
    for (int dim = 0; dim < p.batch.rank; ++dim) {
      const ptrdiff_t stride = p.batch.a[dim];
      p.batch.a[dim] = p.batch.b[dim];
      p.batch.b[dim] = stride;
    }
  }
  return run(call, p);
}

}  // namespace

SADDLEPOINT_KERNEL(matmul) { return call.outputs[0].dtype == kFloat64 ? matmul<double>(call) : matmul<float>(call); }

}  // namespace saddlepoint
