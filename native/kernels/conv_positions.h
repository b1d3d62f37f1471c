// Weights times windows as they lie in a tile: tap k of the window at position i is x[offsets[k] + i] (conv_tile.h), so
// a vector of windows is a vector of the tile, and nothing is gathered. Positions between the rows of windows are
// computed for nothing.
#pragma once
#include "conv_tile.h"

namespace saddlepoint {
namespace {

// How many rows of the product and vectors of positions go together: as many sums as registers hold.
#if defined(__AVX512F__)
enum { kPositionRows = 6, kPositionVectors = 4 };
#elif defined(__AVX2__)
enum { kPositionRows = 4, kPositionVectors = 3 };
#elif defined(__aarch64__)
enum { kPositionRows = 6, kPositionVectors = 4 };
#else
enum { kPositionRows = 3, kPositionVectors = 3 };
#endif

inline Tiling positionTiling(int rows) {
  Tiling tiling;
  tiling.vectors = kPositionVectors;
  tiling.panels = static_cast<int>(ceilDivide(rows, kPositionRows));
  tiling.rows = rows == 0 ? 1 : static_cast<int>(ceilDivide(rows, tiling.panels));
  return tiling;
}

// out[row * pitch + i] = or += the sum over k of weights[k * rows + row] x[offsets[k] + i], for `vectors` vectors.
template <typename T, int rows, int vectors>
SADDLEPOINT_INLINE void multiplyVectors(int depth, const T* weights, const T* x, const ptrdiff_t* offsets, T* out,
                                        ptrdiff_t pitch, bool add) {
  using V = Vec<T>;
  V sums[rows][vectors];
#pragma GCC unroll 8
  for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sums[row][v] = V::zero();
  }
  for (int k = 0; k < depth; ++k, weights += rows) {
    const T* from = x + offsets[k];
    V windows[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) windows[v] = V::load(from + v * V::lanes);
#pragma GCC unroll 8
    for (int row = 0; row < rows; ++row) {
      const V weight = V::broadcast(weights[row]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sums[row][v] = fma(weight, windows[v], sums[row][v]);
    }
  }
#pragma GCC unroll 8
  for (int row = 0; row < rows; ++row) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      T* to = out + row * pitch + v * V::lanes;
      (add ? V::load(to) + sums[row][v] : sums[row][v]).store(to);
    }
  }
}

template <typename T, int rows>
void multiplyPanel(int depth, const T* weights, const T* x, const ptrdiff_t* offsets, int vectors, T* out,
                   ptrdiff_t pitch, bool add) {
  if (vectors == kPositionVectors) {
    multiplyVectors<T, rows, kPositionVectors>(depth, weights, x, offsets, out, pitch, add);
  } else if (vectors == 3) {
    multiplyVectors<T, rows, 3>(depth, weights, x, offsets, out, pitch, add);
  } else if (vectors == 2) {
    multiplyVectors<T, rows, 2>(depth, weights, x, offsets, out, pitch, add);
  } else {
    multiplyVectors<T, rows, 1>(depth, weights, x, offsets, out, pitch, add);
  }
}

template <typename T>
using MultiplyPanel = void (*)(int, const T*, const T*, const ptrdiff_t*, int, T*, ptrdiff_t, bool);

template <typename T, int rows = kPositionRows>
MultiplyPanel<T> multiplyPanelFor(int wanted) {
  if constexpr (rows == 1) {
    return multiplyPanel<T, 1>;
  } else {
    return wanted == rows ? multiplyPanel<T, rows> : multiplyPanelFor<T, rows - 1>(wanted);
  }
}

// `count` positions, in whole vectors: up to a vector more is read and written. The weights are packed in panels of
// tiling.rows, a block of the contraction after the other.
template <typename T>
void multiplyPositions(const Tiling& tiling, int rows, int depth, const T* weights, const T* x,
                       const ptrdiff_t* offsets, ptrdiff_t count, T* out, ptrdiff_t pitch) {
  constexpr int lanes = Vec<T>::lanes;
  const int vectors = static_cast<int>(ceilDivide(count, lanes));
  const MultiplyPanel<T> whole = multiplyPanelFor<T>(tiling.rows);
  for (int k0 = 0; k0 < depth; k0 += kDepthBlock) {
    const int steps = smaller<int>(kDepthBlock, depth - k0);
    const T* block = weights + static_cast<ptrdiff_t>(k0) * rows;
    for (int v = 0; v < vectors; v += kPositionVectors) {
      for (int row = 0; row < rows; row += tiling.rows) {
        const int height = smaller(tiling.rows, rows - row);
        (height == tiling.rows ? whole : multiplyPanelFor<T>(height))(
            steps, block + static_cast<ptrdiff_t>(row) * steps, x + v * lanes, offsets + k0,
            smaller<int>(kPositionVectors, vectors - v), out + row * pitch + v * lanes, pitch, k0 > 0);
      }
    }
  }
}

}  // namespace
}  // namespace saddlepoint
