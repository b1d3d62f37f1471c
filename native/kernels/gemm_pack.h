// Packing: copies a strip of a matrix into the order in which a micro-kernel reads it, k by k. Transposes cost nothing
// extra in the product, because they are done here, in registers.
#pragma once
#include "../simd/vec.h"

namespace saddlepoint {
namespace {

template <int... lane>
struct LaneNumbers {};
template <int count>
struct LanesOf;
template <>
struct LanesOf<2> {
  using type = LaneNumbers<0, 1>;
};
template <>
struct LanesOf<4> {
  using type = LaneNumbers<0, 1, 2, 3>;
};
template <>
struct LanesOf<8> {
  using type = LaneNumbers<0, 1, 2, 3, 4, 5, 6, 7>;
};
template <>
struct LanesOf<16> {
  using type = LaneNumbers<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15>;
};

// Swaps the off-diagonal distance x distance blocks of a pair of rows (Eklundh's transpose).
template <int distance, typename T, int... lane>
SADDLEPOINT_INLINE void swapBlocks(Vec<T>& a, Vec<T>& b, LaneNumbers<lane...>) {
  constexpr int n = Vec<T>::lanes;
  const auto low = __builtin_shufflevector(a.v, b.v, ((lane & distance) ? n + lane - distance : lane)...);
  const auto high = __builtin_shufflevector(a.v, b.v, ((lane & distance) ? n + lane : lane + distance)...);
  a.v = low;
  b.v = high;
}

template <int distance, typename T>
SADDLEPOINT_INLINE void transposeBlocks(Vec<T>* rows) {
  constexpr int n = Vec<T>::lanes;
#pragma GCC unroll 16
  for (int i = 0; i < n; ++i) {
    if (!(i & distance)) swapBlocks<distance>(rows[i], rows[i + distance], typename LanesOf<n>::type());
  }
  if constexpr (distance > 1) transposeBlocks<distance / 2>(rows);
}

// Writes a vector to lanes i.. of row k of a panel. What does not fit in the row spills into the next one, which is
// written afterwards, but nothing is written behind the panel.
template <typename T>
SADDLEPOINT_INLINE void storeLanes(Vec<T> v, T* panel, int width, int depth, int k, int i) {
  constexpr int n = Vec<T>::lanes;
  const ptrdiff_t at = static_cast<ptrdiff_t>(k) * width + i;
  if (at + n <= static_cast<ptrdiff_t>(depth) * width) {
    v.store(panel + at);
  } else {
    v.storePartial(panel + at, width - i < n ? width - i : n);
  }
}

// block[k] = steps k of `count` rows that lie `lane` apart; 0 behind what there is of either.
template <typename T>
SADDLEPOINT_INLINE void loadTransposed(Vec<T> (&block)[Vec<T>::lanes], const T* from, ptrdiff_t lane, int count,
                                       int steps) {
  using V = Vec<T>;
  constexpr int n = V::lanes;
  if (steps >= n && count >= n) {
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) block[i] = V::load(from + i * lane);
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) block[i] = i < count ? V::loadPartial(from + i * lane, steps) : V::zero();
  }
  transposeBlocks<n / 2>(block);
}

// Rows of `source` (stride `lane`, contiguous along k) become columns of the panel. Blocks of lanes go from the last to
// the first, because of the spilling.
template <typename T>
void packTransposed(T* out, int width, int count, int depth, const T* source, ptrdiff_t lane) {
  using V = Vec<T>;
  constexpr int n = V::lanes;
  for (int k0 = 0; k0 < depth; k0 += n) {
    const int steps = depth - k0 < n ? depth - k0 : n;
    for (int i0 = (width - 1) / n * n; i0 >= 0; i0 -= n) {
      V rows[n];
      loadTransposed(rows, source + i0 * lane + k0, lane, count - i0, steps);
      if (k0 + n < depth) {
        T* to = out + static_cast<ptrdiff_t>(k0) * width + i0;
        if (static_cast<ptrdiff_t>(k0 + n - 1) * width + i0 + n <= static_cast<ptrdiff_t>(depth) * width) {
#pragma GCC unroll 16
          for (int k = 0; k < n; ++k) rows[k].store(to + k * width);
          continue;
        }
      }
#pragma GCC unroll 16
      for (int k = 0; k < n; ++k) {
        if (k < steps) storeLanes(rows[k], out, width, depth, k0 + k, i0);
      }
    }
  }
}

// out[k * outRow + i] = source[i * sourceRow + k] for i < rows and k < columns.
template <typename T>
void transpose(T* out, ptrdiff_t outRow, int rows, int columns, const T* source, ptrdiff_t sourceRow) {
  using V = Vec<T>;
  constexpr int n = V::lanes;
  for (int k0 = 0; k0 < columns; k0 += n) {
    const int width = columns - k0 < n ? columns - k0 : n;
    for (int i0 = 0; i0 < rows; i0 += n) {
      const int height = rows - i0 < n ? rows - i0 : n;
      T* to = out + k0 * outRow + i0;
      V block[n];
      loadTransposed(block, source + i0 * sourceRow + k0, sourceRow, height, width);
      if (width == n && height == n) {
#pragma GCC unroll 16
        for (int k = 0; k < n; ++k) block[k].store(to + k * outRow);
        continue;
      }
#pragma GCC unroll 16
      for (int k = 0; k < n; ++k) {
        if (k < width) block[k].storePartial(to + k * outRow, height);
      }
    }
  }
}

// out[k * width + i] = source[i * lane + k * step] for i < count and k < depth; 0 for count <= i < width.
template <typename T>
void packPanel(T* out, int width, int count, int depth, const T* source, ptrdiff_t lane, ptrdiff_t step) {
  using V = Vec<T>;
  constexpr int n = V::lanes;
  if (lane == 1) {
    for (int k = 0; k < depth; ++k, source += step) {
      for (int i = 0; i < width; i += n) {
        const V v = count - i >= n ? V::load(source + i)
                    : count > i    ? V::loadPartial(source + i, count - i)
                                   : V::zero();
        storeLanes(v, out, width, depth, k, i);
      }
    }
  } else if (step == 1 && depth > n / 2) {  // fewer would leave most of a transpose empty
    packTransposed(out, width, count, depth, source, lane);
  } else {
    for (int k = 0; k < depth; ++k, source += step, out += width) {
      for (int i = 0; i < count; ++i) out[i] = source[i * lane];
      for (int i = count; i < width; ++i) out[i] = 0;
    }
  }
}

}  // namespace
}  // namespace saddlepoint
