// Batched matrix product. Any strides, so transposes are free; a batch that shares B becomes one tall product.
#include "gemm.h"
#include "kernel.h"

namespace saddlepoint {
namespace {

// Work of a part in multiply-adds: enough to outweigh starting it, a sixteenth of all where that is not too much.
enum { kLeastWork = 1 << 18, kMostWork = 1 << 26, kRowsInCache = 560 };

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

// One row of A times a B whose columns are contiguous: transposed in registers and used at once, never stored. The same
// chain for each element as in a micro-kernel.
template <typename T>
void multiplyRow(const Matrix<T>& a, const Matrix<T>& b, ptrdiff_t columns, int depth, T* c) {
  using V = Vec<T>;
  constexpr int n = V::lanes;
  for (ptrdiff_t j = 0; j < columns; j += n) {
    const int count = static_cast<int>(smaller<ptrdiff_t>(n, columns - j));
    V total = V::zero();
    for (int k0 = 0; k0 < depth; k0 += kDepthBlock) {
      const int end = smaller<int>(depth, k0 + kDepthBlock);
      V sum = V::zero();
      for (int k = k0; k < end; k += n) {
        const T *from = b.data + j * b.column + k, *factors = a.data + k * a.column;
        const int steps = smaller(n, end - k);
        V rows[n];
        if (steps == n && count == n) {
#pragma GCC unroll 16
          for (int i = 0; i < n; ++i) rows[i] = V::load(from + i * b.column);
          transposeBlocks<n / 2>(rows);
#pragma GCC unroll 16
          for (int i = 0; i < n; ++i) sum = fma(V::broadcast(factors[i * a.column]), rows[i], sum);
          continue;
        }
#pragma GCC unroll 16
        for (int i = 0; i < n; ++i) rows[i] = i < count ? V::loadPartial(from + i * b.column, steps) : V::zero();
        transposeBlocks<n / 2>(rows);
#pragma GCC unroll 16
        for (int i = 0; i < n; ++i) {
          if (i < steps) sum = fma(V::broadcast(factors[i * a.column]), rows[i], sum);
        }
      }
      total = k0 == 0 ? sum : total + sum;
    }
    total.storePartial(c + j, count);
  }
}

template <typename T>
bool isRowTimesTransposed(const Product<T>& p, const Matrix<T>& b) {
  return p.rows == 1 && b.row == 1 && b.column != 1;
}

// A whole product on one thread. Small operands are read where they lie, others are packed.
template <typename T>
bool multiply(const Call& call, int worker, const Product<T>& p, const Matrix<T>& a, const Matrix<T>& b, T* c) {
  if (isRowTimesTransposed(p, b)) return multiplyRow(a, b, p.columns, p.depth, c), true;
  constexpr int lanes = Vec<T>::lanes;
  const Tiling tiling = tilingFor(p.rows, p.columns, lanes);
  const bool packA = p.rows > 1 && p.columns > 2 * kWideVectors * lanes;
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

// A product of many parts: A is packed once for all of them, then each computes a block of C.
template <typename T>
Failure multiplyInParts(const Call& call, const Product<T>& p, const Matrix<T>& a, const Matrix<T>& b, T* c,
                        double workPerPart) {
  constexpr int lanes = Vec<T>::lanes;
  const bool packA = p.rows > 1;
  const Tiling tiling = tilingFor(p.rows, p.columns, lanes);
  const bool packB = b.column != 1 || tiling.panels > 2;
  // Row blocks whose share of A stays in the L2 cache. The columns are cut first: they share what was packed.
  const ptrdiff_t rowBlocks = ceilDivide(tiling.panels, larger(1, kRowsInCache / tiling.rows));
  const ptrdiff_t panelsPerBlock = ceilDivide(tiling.panels, rowBlocks), rowsPerBlock = panelsPerBlock * tiling.rows;
  const int width = tiling.vectors * lanes;
  const double panelWork = static_cast<double>(smaller<ptrdiff_t>(rowsPerBlock, p.rows)) * width * p.depth;
  const ptrdiff_t columnPanels = ceilDivide(p.columns, width);
  const ptrdiff_t most = larger<ptrdiff_t>(1, static_cast<ptrdiff_t>(workPerPart / panelWork));
  const ptrdiff_t columnBlocks = ceilDivide(columnPanels, most);
  const ptrdiff_t columnsPerBlock = ceilDivide(columnPanels, columnBlocks) * width;

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
        Matrix<T> columns = b;
        columns.data += column * b.column;
        if (isRowTimesTransposed(p, b)) {
          return multiplyRow(a, columns, smaller(columnsPerBlock, p.columns - column), p.depth, c + column), true;
        }
        T* panel = scratchOf<T>(call, worker, 2, panelElements(p.depth, lanes));
        if (!panel) return false;
        multiplyBlock<T>(
            tiling, static_cast<int>(smaller(rowsPerBlock, p.rows - row)), smaller(columnsPerBlock, p.columns - column),
            p.depth,
            [&](int k0, int steps) {
              if (!packA) return RowBlock<T>{a.data + k0 * a.column, a.row, a.column, false};
              return RowBlock<T>{packed + static_cast<ptrdiff_t>(k0) * p.rows + row * steps, 0, 0, true};
            },
            [&](int k0, int steps, ptrdiff_t j, int count, int panelWidth) {
              return columnsOf(columns, packB, k0, steps, j, count, panelWidth, panel);
            },
            c + row * p.columns + column, p.columns, false);
        return true;
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
  if (work > 2 * workPerPart) {
    for (ptrdiff_t matrix = 0; matrix < p.batch.count; ++matrix) {
      Matrix<T> a, b;
      operandsOf(matrix, &a, &b);
      const Failure failure = multiplyInParts(call, p, a, b, p.c + matrix * size, workPerPart);
      if (failure != kOk) return failure;
    }
    return kOk;
  }
  const ptrdiff_t perPart = larger<ptrdiff_t>(1, static_cast<ptrdiff_t>(workPerPart / work));
  return runParts(call, ceilDivide(p.batch.count, perPart), [&](int part, int worker) {
    for (ptrdiff_t matrix = part * perPart; matrix < smaller(p.batch.count, (part + 1) * perPart); ++matrix) {
      Matrix<T> a, b;
      operandsOf(matrix, &a, &b);
      if (!multiply(call, worker, p, a, b, p.c + matrix * size)) return false;
    }
    return true;
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
  const int rank = out.rank - 2;
  Product<T> p;
  p.rows = out.shape[rank];
  p.columns = out.shape[rank + 1];
  p.depth = a.shape[rank + 1];
  p.a = {static_cast<const T*>(a.data), a.strides[rank], a.strides[rank + 1]};
  p.b = {static_cast<const T*>(b.data), b.strides[rank], b.strides[rank + 1]};
  p.c = static_cast<T*>(out.data);
  p.batch.rank = rank;
  p.batch.count = 1;
  for (int dim = 0; dim < rank; ++dim) {
    p.batch.shape[dim] = out.shape[dim];
    p.batch.a[dim] = a.shape[dim] == 1 ? 0 : a.strides[dim];
    p.batch.b[dim] = b.shape[dim] == 1 ? 0 : b.strides[dim];
    p.batch.count *= out.shape[dim];
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
