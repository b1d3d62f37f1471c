// Sums over pixels for the gradient of a convolution's weights: gradients of a few output channels times a few taps of
// the windows, lanes along the pixels. Tap k of the window at position i of a tile is x[offsets[k] + i] (conv_tile.h),
// so nothing is gathered; positions between the rows of windows hold what no window looks at, and are masked.
#pragma once
#include "conv_tile.h"

namespace saddlepoint {
namespace {

// How many taps and output channels go together: as many sums as registers hold.
#if defined(__AVX512F__)
enum { kSumTaps = 5, kSumChannels = 5, kSumTapsOfOne = 9 };
#elif defined(__AVX2__)
enum { kSumTaps = 2, kSumChannels = 3, kSumTapsOfOne = 5 };
#elif defined(__aarch64__)
enum { kSumTaps = 2, kSumChannels = 3, kSumTapsOfOne = 6 };
#else
enum { kSumTaps = 1, kSumChannels = 2, kSumTapsOfOne = 2 };
#endif

// Lanes are 64 bytes on every instruction set: part of the order of summation.
template <typename T>
constexpr int sumLanes() {
  return 64 / sizeof(T);
}

// Positions of the windows of a tile: the same `lanes` for each of several images.
template <typename T>
struct Positions {
  int images;
  int count;                           // of each image, a multiple of sumLanes
  ptrdiff_t xImagePitch, gImagePitch;  // between images
  const MaskOf<T>* areWindows;         // one for each vector
};

// The sums of the lanes of `lanes` vectors, each by halves: lane i and lane i + distance, with a distance of half as
// many vectors at each step.
template <int distance, typename T>
SADDLEPOINT_INLINE void addHalves(Vec<T>* vectors) {
#pragma GCC unroll 8
  for (int i = 0; i < distance; ++i) {
    swapBlocks<distance>(vectors[i], vectors[i + distance], typename LanesOf<Vec<T>::lanes>::type());
    vectors[i] = vectors[i] + vectors[i + distance];
  }
  if constexpr (distance > 1) addHalves<distance / 2>(vectors);
}

// totals[i] = the sum of the lanes of vectors[i][...], whose registers follow each other.
template <typename T, int count, int registers>
SADDLEPOINT_INLINE void addLanes(Vec<T> (&vectors)[count][registers], T* totals) {
  constexpr int lanes = Vec<T>::lanes;
#pragma GCC unroll 2
  for (int first = 0; first < count; first += lanes) {
    Vec<T> group[lanes];
#pragma GCC unroll 16
    for (int i = 0; i < lanes; ++i) {
      if (first + i >= count) {
        group[i] = Vec<T>::zero();
        continue;
      }
#pragma GCC unroll 2
      for (int half = registers / 2; half > 0; half /= 2) {
        for (int r = 0; r < half; ++r) vectors[first + i][r] = vectors[first + i][r] + vectors[first + i][r + half];
      }
      group[i] = vectors[first + i][0];
    }
    addHalves<lanes / 2>(group);
    group[0].store(totals + first);
  }
}

// sums[channel * pitch + tap] = or += over all positions of g[channel * gPitch + i] x[offsets[tap] + i]
template <typename T, int taps, int channels>
void sumPositions(const Positions<T>& positions, const T* x, const ptrdiff_t* offsets, const T* g, ptrdiff_t gPitch,
                  T* sums, ptrdiff_t pitch, bool add) {
  using V = Vec<T>;
  constexpr int registers = sumLanes<T>() / V::lanes;
  V lanes[taps * channels][registers];
#pragma GCC unroll 32
  for (int i = 0; i < taps * channels; ++i) {
#pragma GCC unroll 4
    for (int r = 0; r < registers; ++r) lanes[i][r] = V::zero();
  }
  const T* from[taps];
  for (int t = 0; t < taps; ++t) from[t] = x + offsets[t];
  for (int image = 0; image < positions.images; ++image) {
    const T* gradients = g + image * positions.gImagePitch;
    const ptrdiff_t first = image * positions.xImagePitch;
    const MaskOf<T>* areWindows = positions.areWindows;
    for (int i = 0; i < positions.count; i += registers * V::lanes) {
#pragma GCC unroll 4
      for (int r = 0; r < registers; ++r) {
        const int at = i + r * V::lanes;
        const MaskOf<T> isWindow = *areWindows++;
        V gradient[channels];
#pragma GCC unroll 8
        for (int c = 0; c < channels; ++c) gradient[c] = V::load(gradients + c * gPitch + at);
#pragma GCC unroll 16
        for (int t = 0; t < taps; ++t) {
          const V pixel = loadWhere(isWindow, from[t] + first + at);
#pragma GCC unroll 8
          for (int c = 0; c < channels; ++c)
            lanes[t * channels + c][r] = fma(pixel, gradient[c], lanes[t * channels + c][r]);
        }
      }
    }
  }
  T totals[taps * channels + V::lanes];
  addLanes(lanes, totals);
  for (int c = 0; c < channels; ++c) {
    for (int t = 0; t < taps; ++t) {
      const T total = totals[t * channels + c];
      sums[c * pitch + t] = add ? sums[c * pitch + t] + total : total;
    }
  }
}

template <typename T>
using SumPositions = void (*)(const Positions<T>&, const T*, const ptrdiff_t*, const T*, ptrdiff_t, T*, ptrdiff_t,
                              bool);

template <typename T, int channels, int taps>
SumPositions<T> sumPositionsOfTaps(int wanted) {
  if constexpr (taps == 1) {
    return sumPositions<T, 1, channels>;
  } else {
    return wanted == taps ? sumPositions<T, taps, channels> : sumPositionsOfTaps<T, channels, taps - 1>(wanted);
  }
}

template <typename T, int channels = kSumChannels>
SumPositions<T> sumPositionsFor(int wanted, int taps) {
  if constexpr (channels == 1) {
    return sumPositionsOfTaps<T, 1, kSumTapsOfOne>(taps);
  } else {
    return wanted == channels ? sumPositionsOfTaps<T, channels, kSumTaps>(taps)
                              : sumPositionsFor<T, channels - 1>(wanted, taps);
  }
}

}  // namespace
}  // namespace saddlepoint
