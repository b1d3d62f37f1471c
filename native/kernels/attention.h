// What attention and its gradient share: the operands of one item of the batch, B packed as a whole, and masks.
#pragma once
#include "gemm.h"
#include "kernel.h"
#include "softmax_rows.h"

namespace saddlepoint {
namespace {

// Element (i, j) at i * row + j * column: bool, true for keys that are seen; or of the dtype of the scores, added.
struct Mask {
  const void* data;  // null: none
  bool isBool;
  ptrdiff_t row, column;
};

inline ptrdiff_t itemOffset(const View& view, ptrdiff_t item) {
  ptrdiff_t offset = 0;
  for (int dim = view.rank - 3; dim >= 0; --dim) {
    offset += item % view.shape[dim] * view.strides[dim];
    item /= view.shape[dim];
  }
  return offset;
}

template <typename T>
Matrix<T> matrixOf(const View& view, ptrdiff_t item) {
  return {static_cast<const T*>(view.data) + itemOffset(view, item), view.strides[view.rank - 2],
          view.strides[view.rank - 1]};
}

template <typename T>
struct AttentionProblem {
  const View *q, *k, *v, *mask;  // [..., L, E], [..., S, E], [..., S, Ev], [..., L, S] or null
  int queries, keys, width, valueWidth;
  ptrdiff_t items;
  T scale;
  bool isCausal;

  AttentionProblem(const Call& call, int first)
      : q(&call.inputs[first]),
        k(&call.inputs[first + 1]),
        v(&call.inputs[first + 2]),
        mask(call.inputCount == first + 4 ? &call.inputs[first + 3] : nullptr),
        queries(q->shape[q->rank - 2]),
        keys(k->shape[q->rank - 2]),
        width(q->shape[q->rank - 1]),
        valueWidth(v->shape[q->rank - 1]),
        items(1),
        scale(static_cast<T>(call.attributes[0])),
        isCausal(call.attributes[1] != 0) {
    for (int dim = 0; dim < q->rank - 2; ++dim) items *= q->shape[dim];
  }

  Mask maskOf(ptrdiff_t item) const {
    if (!mask) return {nullptr, false, 0, 0};
    const size_t bytes = mask->dtype == kBool ? 1 : sizeof(T);
    const char* data = static_cast<const char*>(mask->data) + itemOffset(*mask, item) * static_cast<ptrdiff_t>(bytes);
    return {data, mask->dtype == kBool, mask->strides[mask->rank - 2], mask->strides[mask->rank - 1]};
  }
  // Keys that some query before `end` may see.
  int visibleKeys(int end) const { return isCausal ? smaller(keys, end) : keys; }
};

// The scores of one query with the keys from `key` on.
template <typename T>
void maskScores(const Mask& mask, bool isCausal, int query, int key, T* scores, int count) {
  constexpr T unseen = -MathConstants<T>::infinity;
  const ptrdiff_t at = query * mask.row + key * mask.column;
  if (mask.data && mask.isBool) {
    const uint8_t* seen = static_cast<const uint8_t*>(mask.data) + at;
    for (int i = 0; i < count; ++i) scores[i] = seen[i * mask.column] ? scores[i] : unseen;
  } else if (mask.data) {
    const T* added = static_cast<const T*>(mask.data) + at;
    if (mask.column == 1) {
      for (int i = 0; i < count; ++i) scores[i] += added[i];
    } else {
      for (int i = 0; i < count; ++i) scores[i] += added[i * mask.column];
    }
  }
  if (isCausal) {
    for (int i = larger(0, query + 1 - key); i < count; ++i) scores[i] = unseen;
  }
}

// Whether a weight of 0 makes 0 of every element, and not NaN.
template <typename T>
bool allFinite(const Matrix<T>& m, int firstRow, int rows, int columns) {
  using V = Vec<T>;
  V sum = V::zero();
  T rest = 0;
  for (int i = firstRow; i < rows; ++i) {
    const T* row = m.data + i * m.row;
    int j = 0;
    if (m.column == 1) {
      for (; j + V::lanes <= columns; j += V::lanes) sum = fma(V::load(row + j), V::zero(), sum);
    }
    for (; j < columns; ++j) rest += row[j * m.column] * T(0);
  }
  return all(eq(sum, V::zero())) && rest == 0;
}

// Panels of a packed A, which must not depend on the columns of the B that it meets.
inline Tiling wideTiling(int rows) {
  Tiling tiling;
  tiling.vectors = kWideVectors;
  tiling.panels = static_cast<int>(ceilDivide(rows, kWideRows));
  tiling.rows = static_cast<int>(ceilDivide(rows, larger(1, tiling.panels)));
  return tiling;
}

// All of B [depth, columns] in column panels; a product may use its first rows and columns only.
template <typename T>
struct PackedColumns {
  T* data;
  int depth, columns;

  static size_t elements(int depth, int columns) {
    return static_cast<size_t>(depth) * static_cast<size_t>(paddedTo(columns));
  }
  static int paddedTo(int columns) {
    constexpr int width = kWideVectors * Vec<T>::lanes;
    return static_cast<int>(ceilDivide(columns, width)) * width;
  }
  int widthAt(int j) const { return columns - j <= Vec<T>::lanes ? Vec<T>::lanes : kWideVectors * Vec<T>::lanes; }
  T* panel(int k0, int j) const {
    const ptrdiff_t steps = smaller<int>(kDepthBlock, depth - k0);
    return data + static_cast<ptrdiff_t>(k0) * paddedTo(columns) + j * steps;
  }

  void pack(const Matrix<T>& b) const {
    for (int k0 = 0; k0 < depth; k0 += kDepthBlock) {
      for (int j = 0; j < columns; j += widthAt(j)) {
        packPanel(panel(k0, j), widthAt(j), smaller(widthAt(j), columns - j), smaller<int>(kDepthBlock, depth - k0),
                  b.data + k0 * b.row + j * b.column, b.column, b.row);
      }
    }
  }
  ColumnPanel<T> operator()(int k0, int, ptrdiff_t j, int, int) const {
    return {panel(k0, static_cast<int>(j)), widthAt(static_cast<int>(j))};
  }
};

// C [rows, columns] = A B or C += A B, with A in panels (packRows for each block of the contraction) or where it lies.
template <typename T>
void multiplyPacked(const T* packedA, int rows, int columns, int depth, const PackedColumns<T>& b, T* c,
                    ptrdiff_t cRow) {
  multiplyBlock<T>(
      wideTiling(rows), rows, columns, depth,
      [&](int k0, int) { return PackedRows<T>{packedA + static_cast<ptrdiff_t>(k0) * rows}; }, b, c, cRow, false);
}
template <typename T>
void multiplyLying(const Matrix<T>& a, int rows, int columns, int depth, const PackedColumns<T>& b, T* c,
                   ptrdiff_t cRow, bool add) {
  multiplyBlock<T>(
      rows == 1 ? wideTiling(1) : tilingFor(rows, columns, Vec<T>::lanes), rows, columns, depth,
      [&](int k0, int) { return RowBlock<T>{a.data + k0 * a.column, a.row, a.column, false}; }, b, c, cRow, add);
}

// A, times `factor`, as multiplyPacked takes it.
template <typename T>
void packScaled(T* out, const Matrix<T>& a, int rows, int depth, T factor) {
  const Tiling tiling = wideTiling(rows);
  for (int k0 = 0; k0 < depth; k0 += kDepthBlock) {
    packRows(out + static_cast<ptrdiff_t>(k0) * rows, tiling, rows, smaller<int>(kDepthBlock, depth - k0),
             a.data + k0 * a.column, a.row, a.column);
  }
  if (factor != 1) scaleRow(out, rows * depth, factor);
}

// Arrays one behind the other in one piece of memory, each on a cache line of its own.
template <typename T>
struct Pieces {
  T* next;
  static size_t rounded(size_t elements) { return (elements + 15) / 16 * 16; }
  T* take(size_t elements) {
    T* piece = next;
    next += rounded(elements);
    return piece;
  }
};

}  // namespace
}  // namespace saddlepoint
