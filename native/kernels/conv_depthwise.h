// Depthwise convolutions, one input and one output channel a group, with 3x3 or 5x5 windows that keep the size of the
// image or halve it. Lanes run along a row; the columns that a tap looks at are a row's vectors, shifted in registers,
// so nothing is padded or copied.
#pragma once
#include "conv.h"
#include "conv_weight_sums.h"

namespace saddlepoint {
namespace {

inline bool isDepthwiseRows(const ConvShape& s) {
  const int kernel = s.kernelY, stride = s.strideY;
  return s.inChannels == 1 && s.outChannels == 1 && s.groups > 1 && (kernel == 3 || kernel == 5) &&
         s.kernelX == kernel && (stride == 1 || stride == 2) && s.strideX == stride && s.dilationY == 1 &&
         s.dilationX == 1 && s.paddingY == kernel / 2 && s.paddingX == kernel / 2;
}

// Lane i is lane i + distance of a and, behind them, b.
template <int distance, typename T, int... lane>
SADDLEPOINT_INLINE Vec<T> lanesFrom(Vec<T> a, Vec<T> b, LaneNumbers<lane...>) {
  a.v = __builtin_shufflevector(a.v, b.v, (lane + distance)...);
  return a;
}

// A vector of columns with those before and behind it.
template <typename T>
struct Columns {
  Vec<T> before, at, behind;

  template <int distance>
  SADDLEPOINT_INLINE Vec<T> shifted() const {
    using Every = typename LanesOf<Vec<T>::lanes>::type;
    if constexpr (distance < 0) return lanesFrom<Vec<T>::lanes + distance>(before, at, Every());
    if constexpr (distance > 0) return lanesFrom<distance>(at, behind, Every());
    return at;
  }
};

// Zero outside of the row.
template <typename T>
SADDLEPOINT_INLINE Vec<T> columnsAt(const T* row, int width, int column) {
  if (column < 0 || column >= width) return Vec<T>::zero();
  if (column + Vec<T>::lanes <= width) return Vec<T>::load(row + column);
  return Vec<T>::loadPartial(row + column, width - column);
}

// `isNarrow`: there is but one vector of them.
template <bool isNarrow, typename T>
SADDLEPOINT_INLINE Columns<T> columnsAround(const T* row, int width, int column) {
  constexpr int n = Vec<T>::lanes;
  if constexpr (isNarrow) return {Vec<T>::zero(), columnsAt(row, width, 0), Vec<T>::zero()};
  return {columnsAt(row, width, column - n), columnsAt(row, width, column), columnsAt(row, width, column + n)};
}

// What the windows at columns [column, column + lanes) of the result see of a row of the image.
template <typename T, int kernel, int stride, bool isNarrow>
struct SeenRow {
  Columns<T> even, odd;  // columns stride * i, and those after them

  SADDLEPOINT_INLINE SeenRow(const T* row, int width, int column) {
    constexpr int n = Vec<T>::lanes;
    if constexpr (stride == 1) {
      even = columnsAround<isNarrow>(row, width, column);
      return;
    }
    const int first = 2 * column;
    const Halves at(row, width, first);
    even.at = at.even;
    odd.at = at.odd;
    even.before = odd.before = even.behind = Vec<T>::zero();
    if constexpr (isNarrow) return;
    if (first > 0) {
      const Halves before(row, width, first - 2 * n);
      even.before = before.even;
      odd.before = before.odd;
    }
    if (kernel == 5 && first + 2 * n < width) even.behind = Halves(row, width, first + 2 * n).even;
  }

  // Of tap `tap` of a row of the window.
  template <int tap>
  SADDLEPOINT_INLINE Vec<T> seen() const {
    constexpr int distance = tap - kernel / 2;
    if constexpr (stride == 1) return even.template shifted<distance>();
    if constexpr (distance % 2 == 0) return even.template shifted<distance / 2>();
    return odd.template shifted<(distance - 1) / 2>();
  }

 private:
  struct Halves {
    Vec<T> even, odd;
    SADDLEPOINT_INLINE Halves(const T* row, int width, int column) {
      using Every = typename LanesOf<Vec<T>::lanes>::type;
      const Vec<T> a = columnsAt(row, width, column), b = columnsAt(row, width, column + Vec<T>::lanes);
      even = evenLanes(a, b, Every());
      odd = oddLanes(a, b, Every());
    }
  };
};

template <typename T>
SADDLEPOINT_INLINE void storeColumns(Vec<T> values, T* row, int width, int column) {
  if (column + Vec<T>::lanes <= width) {
    values.store(row + column);
  } else {
    values.storePartial(row + column, width - column);
  }
}

// all[tap] = what tap `tap` of a row of the window sees.
template <typename T, int kernel, int stride, bool isNarrow, int tap = 0>
SADDLEPOINT_INLINE void takeSeen(const SeenRow<T, kernel, stride, isNarrow>& row, Vec<T>* all) {
  all[tap] = row.template seen<tap>();
  if constexpr (tap + 1 < kernel) takeSeen<T, kernel, stride, isNarrow, tap + 1>(row, all);
}

// Which rows of the result the rows `stride` t, ... of the image go into: row t - before + i, for i < live, gets row
// `stride` t + of the image by row tap(i, row) of the window, if there is such a one.
template <int kernel, int stride>
struct Flow {
  static constexpr int padding = kernel / 2, before = padding / stride;
  static constexpr int live = stride == 1 ? kernel : kernel / 2 + 1;

  static constexpr int tap(int i, int row) { return row + padding + stride * (before - i); }
  static constexpr bool has(int i, int row) { return tap(i, row) >= 0 && tap(i, row) < kernel; }
};

// sums[i] += what row `row` of those that come in together gives to live row i.
template <typename T, int kernel, int stride, int row, int i = 0>
SADDLEPOINT_INLINE void addToLive(const Vec<T>* seen, const Vec<T>* weights, Vec<T>* sums) {
  using F = Flow<kernel, stride>;
  if constexpr (F::has(i, row)) {
#pragma GCC unroll 5
    for (int tap = 0; tap < kernel; ++tap) sums[i] = fma(weights[F::tap(i, row) * kernel + tap], seen[tap], sums[i]);
  }
  if constexpr (i + 1 < F::live) addToLive<T, kernel, stride, row, i + 1>(seen, weights, sums);
}

// One plane: each row of the image is looked at once, and goes into all rows of the result that want it.
template <typename T, int kernel, int stride, bool isNarrow>
void convolvePlane(const T* x, int height, int width, const T* w, bool flipped, int outHeight, int outWidth, T* out) {
  using V = Vec<T>;
  using F = Flow<kernel, stride>;
  constexpr int taps = kernel * kernel;
  V weights[taps];
#pragma GCC unroll 25
  for (int tap = 0; tap < taps; ++tap) weights[tap] = V::broadcast(w[flipped ? taps - 1 - tap : tap]);
  for (int column = 0; column < outWidth; column += V::lanes) {
    V sums[F::live], seen[kernel];
#pragma GCC unroll 5
    for (int i = 0; i < F::live; ++i) sums[i] = V::zero();
    for (int t = 0; t < outHeight + F::before; ++t) {
      const T* row = x + static_cast<ptrdiff_t>(t) * stride * width;
      if (t * stride < height) {
        takeSeen(SeenRow<T, kernel, stride, isNarrow>(row, width, column), seen);
        addToLive<T, kernel, stride, 0>(seen, weights, sums);
      }
      if constexpr (stride == 2) {
        if (t * stride + 1 < height) {
          takeSeen(SeenRow<T, kernel, stride, isNarrow>(row + width, width, column), seen);
          addToLive<T, kernel, stride, 1>(seen, weights, sums);
        }
      }
      if (t >= F::before)
        storeColumns(sums[0], out + static_cast<ptrdiff_t>(t - F::before) * outWidth, outWidth, column);
#pragma GCC unroll 5
      for (int i = 0; i + 1 < F::live; ++i) sums[i] = sums[i + 1];
      sums[F::live - 1] = V::zero();
    }
  }
}

// What a row of the gradient gives to the pixels of even and of odd columns by one row of the window: pixel 2 i +
// parity gets tap k from the gradient at (2 i + parity + padding - k) / 2.
template <typename T, int kernel, int parity, int tap = 0>
SADDLEPOINT_INLINE Vec<T> addParity(const Columns<T>& g, const Vec<T>* weights, Vec<T> sum) {
  constexpr int distance = parity + kernel / 2 - tap;
  if constexpr (distance % 2 == 0) sum = fma(weights[tap], g.template shifted<distance / 2>(), sum);
  if constexpr (tap + 1 < kernel) return addParity<T, kernel, parity, tap + 1>(g, weights, sum);
  return sum;
}

// The input's gradient of a plane with stride 2.
template <typename T, int kernel, bool isNarrow>
void spreadPlane(const T* g, int outHeight, int outWidth, const T* w, int height, int width, T* out) {
  using V = Vec<T>;
  using Every = typename LanesOf<V::lanes>::type;
  constexpr int padding = kernel / 2, taps = kernel * kernel, n = V::lanes;
  V weights[taps];
#pragma GCC unroll 25
  for (int tap = 0; tap < taps; ++tap) weights[tap] = V::broadcast(w[tap]);
  for (int column = 0; 2 * column < width; column += n) {
    // Rows 2 y - padding, ... of the pixels, which rows y of the gradient reach.
    V even[kernel], odd[kernel];
#pragma GCC unroll 5
    for (int i = 0; i < kernel; ++i) even[i] = odd[i] = V::zero();
    for (int y = 0; 2 * y - padding < height; ++y) {
      if (y < outHeight) {
        const Columns<T> row = columnsAround<isNarrow>(g + static_cast<ptrdiff_t>(y) * outWidth, outWidth, column);
#pragma GCC unroll 5
        for (int i = 0; i < kernel; ++i) {
          even[i] = addParity<T, kernel, 0>(row, weights + i * kernel, even[i]);
          odd[i] = addParity<T, kernel, 1>(row, weights + i * kernel, odd[i]);
        }
      }
#pragma GCC unroll 2
      for (int i = 0; i < 2; ++i) {
        const int to = 2 * y - padding + i;
        if (to < 0 || to >= height) continue;
        T* pixels = out + static_cast<ptrdiff_t>(to) * width;
        storeColumns(zipLow(even[i], odd[i], Every()), pixels, width, 2 * column);
        if (2 * column + n < width) storeColumns(zipHigh(even[i], odd[i], Every()), pixels, width, 2 * column + n);
      }
#pragma GCC unroll 5
      for (int i = 0; i < kernel; ++i) {
        even[i] = i + 2 < kernel ? even[i + 2] : V::zero();
        odd[i] = i + 2 < kernel ? odd[i + 2] : V::zero();
      }
    }
  }
}

// body(plane) for [images, groups] planes, some in each part.
template <typename Body>
Failure forDepthwisePlanes(const Call& call, const ConvShape& s, const Body& body) {
  const ptrdiff_t planes = static_cast<ptrdiff_t>(s.images) * s.groups;
  const ptrdiff_t perPart = larger<ptrdiff_t>(1, (1 << 15) / (static_cast<ptrdiff_t>(s.height) * s.width));
  return runParts(call, ceilDivide(planes, perPart), [&](ptrdiff_t part, int) {
    for (ptrdiff_t plane = part * perPart; plane < smaller(planes, (part + 1) * perPart); ++plane) body(plane);
    return true;
  });
}

template <typename T, int kernel, int stride, bool isNarrow>
Failure depthwiseForward(const Call& call, const ConvShape& s) {
  const T *x = static_cast<const T*>(call.inputs[0].data), *weights = static_cast<const T*>(call.inputs[1].data);
  T* out = static_cast<T*>(call.outputs[0].data);
  const ptrdiff_t from = static_cast<ptrdiff_t>(s.height) * s.width;
  const ptrdiff_t to = static_cast<ptrdiff_t>(s.outHeight) * s.outWidth;
  return forDepthwisePlanes(call, s, [&](ptrdiff_t plane) {
    const T* w = weights + plane % s.groups * kernel * kernel;
    convolvePlane<T, kernel, stride, isNarrow>(x + plane * from, s.height, s.width, w, false, s.outHeight, s.outWidth,
                                               out + plane * to);
  });
}

template <typename T, int kernel, int stride, bool isNarrow>
Failure depthwiseInputGrad(const Call& call, const ConvShape& s) {
  const T *g = static_cast<const T*>(call.inputs[0].data), *weights = static_cast<const T*>(call.inputs[1].data);
  T* out = static_cast<T*>(call.outputs[0].data);
  const ptrdiff_t from = static_cast<ptrdiff_t>(s.outHeight) * s.outWidth;
  const ptrdiff_t to = static_cast<ptrdiff_t>(s.height) * s.width;
  return forDepthwisePlanes(call, s, [&](ptrdiff_t plane) {
    const T* w = weights + plane % s.groups * kernel * kernel;
    if constexpr (stride == 1) {
      convolvePlane<T, kernel, 1, isNarrow>(g + plane * from, s.height, s.width, w, true, s.height, s.width,
                                            out + plane * to);
    } else {
      spreadPlane<T, kernel, isNarrow>(g + plane * from, s.outHeight, s.outWidth, w, s.height, s.width,
                                       out + plane * to);
    }
  });
}

// Rows of the window that are summed at a time: as many sums as registers hold.
#if defined(__AVX512F__)
template <int kernel>
constexpr int rowsAtATime = kernel;
#else
template <int kernel>
constexpr int rowsAtATime = 1;
#endif

// Lanes that are 64 bytes on every instruction set, some registers of each tap.
template <typename T, int rows, int kernel>
using WindowSums = Vec<T>[rows * kernel][sumLanes<T>() / Vec<T>::lanes];

// True for the first `count` lanes.
template <typename T>
SADDLEPOINT_INLINE MaskOf<T> firstLanes(int count) {
  constexpr int n = Vec<T>::lanes;
  static constexpr struct Places {
    T values[2 * n] = {};
    constexpr Places() {
      for (int i = 0; i < n; ++i) values[i] = 1;
    }
  } places;
  return gt(Vec<T>::load(places.values + n - smaller(count, n)), Vec<T>::zero());
}

// sums[tap - firstTap][...] += a row of the image times the live rows of the gradient, of which the first is row y.
// Those outside of it count for nothing, whatever the image holds there.
template <typename T, int kernel, int stride, int row, int i = 0, int registers>
SADDLEPOINT_INLINE void addProducts(const Vec<T>* seen, const Vec<T>* gradients, int y, int height, int firstTap, int r,
                                    Vec<T> (*sums)[registers]) {
  using F = Flow<kernel, stride>;
  if constexpr (F::has(i, row)) {
    const int at = F::tap(i, row) - firstTap;
    if (at >= 0 && at < rowsAtATime<kernel> && y + i >= 0 && y + i < height) {
#pragma GCC unroll 5
      for (int tap = 0; tap < kernel; ++tap)
        sums[at * kernel + tap][r] = fma(seen[tap], gradients[i], sums[at * kernel + tap][r]);
    }
  }
  if constexpr (i + 1 < F::live)
    addProducts<T, kernel, stride, row, i + 1>(seen, gradients, y, height, firstTap, r, sums);
}

// Rows [firstTap, firstTap + rowsAtATime) of the gradient for a window, from the windows of one plane in columns
// [column, column + lanes), into register r of the sums.
template <typename T, int kernel, int stride, bool isNarrow, int firstTap, bool isWhole>
SADDLEPOINT_INLINE void addColumnProducts(const T* x, const T* g, const ConvShape& s, int column, int r,
                                          WindowSums<T, rowsAtATime<kernel>, kernel>& sums) {
  using V = Vec<T>;
  using F = Flow<kernel, stride>;
  const MaskOf<T> areWindows = firstLanes<T>(s.outWidth - column);
  const auto gradientOf = [&](int y) {
    return y < s.outHeight ? columnsAt(g + static_cast<ptrdiff_t>(y) * s.outWidth, s.outWidth, column) : V::zero();
  };
  const auto seeRow = [&](const T* row, V* seen) {
    takeSeen(SeenRow<T, kernel, stride, isNarrow>(row, s.width, column), seen);
    // What lies behind the windows may be infinite.
#pragma GCC unroll 5
    for (int tap = 0; tap < kernel && !isWhole; ++tap) seen[tap] = select(areWindows, seen[tap], V::zero());
  };
  V gradients[F::live], seen[kernel];
#pragma GCC unroll 5
  for (int i = 0; i < F::live; ++i) gradients[i] = i < F::before ? V::zero() : gradientOf(i - F::before);
  for (int t = 0; t * stride < s.height; ++t) {
    const T* row = x + static_cast<ptrdiff_t>(t) * stride * s.width;
    seeRow(row, seen);
    addProducts<T, kernel, stride, 0>(seen, gradients, t - F::before, s.outHeight, firstTap, r, sums);
    if constexpr (stride == 2) {
      if (t * stride + 1 < s.height) {
        seeRow(row + s.width, seen);
        addProducts<T, kernel, stride, 1>(seen, gradients, t - F::before, s.outHeight, firstTap, r, sums);
      }
    }
#pragma GCC unroll 5
    for (int i = 0; i + 1 < F::live; ++i) gradients[i] = gradients[i + 1];
    gradients[F::live - 1] = gradientOf(t + F::live - F::before);
  }
}

template <typename T, int kernel, int stride, bool isNarrow, int firstTap>
SADDLEPOINT_INLINE void addPlaneProducts(const T* x, const T* g, const ConvShape& s,
                                         WindowSums<T, rowsAtATime<kernel>, kernel>& sums) {
  constexpr int lanes = Vec<T>::lanes, registers = sumLanes<T>() / lanes;
  for (int column = 0; column < s.outWidth; column += sumLanes<T>()) {
#pragma GCC unroll 4
    for (int r = 0; r < registers; ++r) {
      const int at = column + r * lanes;
      if (at + lanes <= s.outWidth) {
        addColumnProducts<T, kernel, stride, isNarrow, firstTap, true>(x, g, s, at, r, sums);
      } else if (at < s.outWidth) {
        addColumnProducts<T, kernel, stride, isNarrow, firstTap, false>(x, g, s, at, r, sums);
      }
    }
  }
}

// A channel's gradient: sums over some images, so that chains stay short, are added in order.
template <typename T, int kernel, int stride, bool isNarrow, int firstTap = 0>
void depthwiseWeightSums(const T* x, const T* g, const ConvShape& s, T* out) {
  using V = Vec<T>;
  constexpr int registers = sumLanes<T>() / V::lanes, rows = rowsAtATime<kernel>;
  const ptrdiff_t pixels = static_cast<ptrdiff_t>(s.height) * s.width;
  const ptrdiff_t windows = static_cast<ptrdiff_t>(s.outHeight) * s.outWidth;
  const int together = static_cast<int>(larger<ptrdiff_t>(1, 2048 / windows));
  for (int image = 0; image < s.images; image += together) {
    WindowSums<T, rows, kernel> sums;
#pragma GCC unroll 25
    for (int i = 0; i < rows * kernel; ++i) {
#pragma GCC unroll 4
      for (int r = 0; r < registers; ++r) sums[i][r] = V::zero();
    }
    for (int i = image; i < smaller(s.images, image + together); ++i)
      addPlaneProducts<T, kernel, stride, isNarrow, firstTap>(x + i * s.groups * pixels, g + i * s.groups * windows, s,
                                                              sums);
    T totals[rows * kernel + V::lanes];
    addLanes(sums, totals);
    T* to = out + firstTap * kernel;
    for (int i = 0; i < rows * kernel; ++i) to[i] = image == 0 ? totals[i] : to[i] + totals[i];
  }
  if constexpr (firstTap + rows < kernel)
    depthwiseWeightSums<T, kernel, stride, isNarrow, firstTap + rows>(x, g, s, out);
}

template <typename T, int kernel, int stride, bool isNarrow>
Failure depthwiseWeightGrad(const Call& call, const ConvShape& s) {
  const T *g = static_cast<const T*>(call.inputs[0].data), *x = static_cast<const T*>(call.inputs[1].data);
  T* out = static_cast<T*>(call.outputs[0].data);
  const ptrdiff_t pixels = static_cast<ptrdiff_t>(s.height) * s.width;
  const ptrdiff_t windows = static_cast<ptrdiff_t>(s.outHeight) * s.outWidth;
  const ptrdiff_t perPart = larger<ptrdiff_t>(1, (1 << 15) / (pixels * s.images));
  return runParts(call, ceilDivide(s.groups, perPart), [&](ptrdiff_t part, int) {
    for (ptrdiff_t group = part * perPart; group < smaller<ptrdiff_t>(s.groups, (part + 1) * perPart); ++group)
      depthwiseWeightSums<T, kernel, stride, isNarrow>(x + group * pixels, g + group * windows, s,
                                                       out + group * kernel * kernel);
    return true;
  });
}

// The function for the shape, one of the three above.
#define SADDLEPOINT_DEPTHWISE_OF(T, function, kernel, call, s)                                                     \
  (s.strideY == 1                                                                                                  \
       ? s.width <= Vec<T>::lanes ? function<T, kernel, 1, true>(call, s) : function<T, kernel, 1, false>(call, s) \
   : s.width <= 2 * Vec<T>::lanes ? function<T, kernel, 2, true>(call, s)                                          \
                                  : function<T, kernel, 2, false>(call, s))
#define SADDLEPOINT_DEPTHWISE(T, function, call, s)                   \
  (s.kernelY == 3 ? SADDLEPOINT_DEPTHWISE_OF(T, function, 3, call, s) \
                  : SADDLEPOINT_DEPTHWISE_OF(T, function, 5, call, s))

}  // namespace
}  // namespace saddlepoint
