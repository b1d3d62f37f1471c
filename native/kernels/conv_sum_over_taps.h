// Input gradients as one product: all taps are rows of it, and its results are added up where they belong. No weights
// are transposed, and small images of the gradient have full vectors.
#pragma once
#include "conv.h"
#include "conv_planes.h"

namespace saddlepoint {
namespace {

// The gradients' planes times every tap of every weight.
template <typename T>
WindowProduct<T> tapProduct(const Call& call, const ConvShape& s) {
  WindowProduct<T> p;
  p.images = s.images;
  p.groups = s.groups;
  p.channels = s.outChannels;
  p.rows = s.inChannels * s.taps();
  p.y = forwardAxis(s.outHeight, s.outHeight, 1, 0, 1, 1);
  p.x = forwardAxis(s.outWidth, s.outWidth, 1, 0, 1, 1);
  p.source = static_cast<const T*>(call.inputs[0].data);
  p.weights = static_cast<const T*>(call.inputs[1].data);
  p.tapPitchX = p.tapPitchY = 0;
  p.rowPitch = 1;
  p.channelPitch = p.rows;
  p.groupPitch = p.channelPitch * p.channels;
  return p;
}

// For one axis, what tap t adds: element phase + at * stride of the image, first <= at < end, gets the product of
// window at - shift.
struct TapOfAxis {
  int phase, shift, first, end;
};

inline void tapsOfAxis(int taps, int windows, int size, int stride, int padding, int dilation, TapOfAxis* out) {
  for (int tap = 0; tap < taps; ++tap) {
    const int64_t offset = static_cast<int64_t>(tap) * dilation - padding;
    const int64_t phase = (offset % stride + stride) % stride, shift = (offset - phase) / stride;
    const int64_t positions = phase < size ? (size - phase - 1) / stride + 1 : 0;
    out[tap] = {static_cast<int>(phase), static_cast<int>(shift), static_cast<int>(larger<int64_t>(0, shift)),
                static_cast<int>(smaller(positions, windows + shift))};
  }
}

enum { kMostTaps = 16 };  // of an axis

// Each pixel is the sum, in the order of the taps, of the products of the windows that look at it: as vectors of pixels
// a stride apart, of which two next to each other are zipped.
template <typename T>
struct SumOverTaps {
  using V = Vec<T>;

  SumOverTaps(const ConvShape& shape, T* result) : s(shape), out(result) {
    tapsOfAxis(s.kernelY, s.outHeight, s.height, s.strideY, s.paddingY, s.dilationY, y);
    tapsOfAxis(s.kernelX, s.outWidth, s.width, s.strideX, s.paddingX, s.dilationX, x);
  }

  T* at(const PlaneChunk&, int) const { return nullptr; }
  void take(const PlaneChunk& chunk, int row, int rows, const T* result, ptrdiff_t pitch) const {
    const int taps = s.taps(), firstChannel = row / taps, endChannel = (row + rows) / taps;
    const auto eachPlane = [&](const auto& visit) {
      for (int channel = firstChannel; channel < endChannel; ++channel) {
        for (int image = 0; image < chunk.images; ++image) {
          const ptrdiff_t at =
              (static_cast<ptrdiff_t>(chunk.image + image) * s.groups + chunk.group) * s.inChannels + channel;
          visit(result + (channel * taps - row) * pitch + image * chunk.pixels, out + at * s.height * s.width);
        }
      }
    };
    if (taps == 1) return eachPlane([&](const T* from, T* to) { spread(from, to); });
    Runs found[2];
    for (int imageY = 0; imageY < s.height; ++imageY) {
      for (int phase = 0; phase < smaller(s.strideX, s.width); phase += 2) {
        for (int i = 0; i < 2; ++i) findRuns(pitch, imageY, phase + i, &found[i]);
        eachPlane([&](const T* from, T* to) {
          sumPhases(found, from, phase, to + static_cast<ptrdiff_t>(imageY) * s.width);
        });
      }
    }
  }

 private:
  // Products of a row of windows; position `at` of a phase gets element from + at.
  struct Run {
    ptrdiff_t from;
    int first, end;
  };
  struct Runs {
    Run runs[kMostTaps * kMostTaps];
    int count = 0;
  };

  // What the pixels of row imageY get which lie at phase, phase + stride, ...
  void findRuns(ptrdiff_t pitch, int imageY, int phase, Runs* found) const {
    const int phaseY = imageY % s.strideY, atY = imageY / s.strideY;
    found->count = 0;
    for (int tapY = 0; tapY < s.kernelY; ++tapY) {
      if (y[tapY].phase != phaseY || atY < y[tapY].first || atY >= y[tapY].end) continue;
      const ptrdiff_t products =
          static_cast<ptrdiff_t>(tapY) * s.kernelX * pitch + static_cast<ptrdiff_t>(atY - y[tapY].shift) * s.outWidth;
      for (int tapX = 0; tapX < s.kernelX; ++tapX) {
        if (x[tapX].phase != phase || x[tapX].first >= x[tapX].end) continue;
        found->runs[found->count++] = {products + tapX * pitch - x[tapX].shift, x[tapX].first, x[tapX].end};
      }
    }
  }

  static V sumAt(const Runs& found, const T* from, int at) {
    V sum = V::zero();
    for (int i = 0; i < found.count; ++i) {
      const Run& run = found.runs[i];
      const int skipped = run.first - at, end = run.end - at;
      if (skipped >= V::lanes || end <= 0) continue;
      const T* products = from + run.from + at;
      if (skipped <= 0) {
        sum = sum + (end >= V::lanes ? V::load(products) : V::loadPartial(products, end));
        continue;
      }
      T lanes[V::lanes] = {};
      for (int lane = skipped; lane < smaller<int>(V::lanes, end); ++lane) lanes[lane] = products[lane];
      sum = sum + V::load(lanes);
    }
    return sum;
  }

  static void storeUpTo(V v, T* to, int count) {
    if (count >= V::lanes) {
      v.store(to);
    } else if (count > 0) {
      v.storePartial(to, count);
    }
  }

  // A single tap, so zeros are all that is added to; GCC would scatter an assignment, which is slower.
  void spread(const T* from, T* to) const {
    fillWith(to, static_cast<ptrdiff_t>(s.height) * s.width, T(0));
    for (ptrdiff_t at = y[0].first; at < y[0].end; ++at) {
      const T* products = from + (at - y[0].shift) * s.outWidth - x[0].shift;
      T* row = to + (at * s.strideY + y[0].phase) * s.width + x[0].phase;
      for (ptrdiff_t i = x[0].first; i < x[0].end; ++i) row[i * s.strideX] += products[i];
    }
  }

  // The pixels of a row in two phases next to each other.
  void sumPhases(const Runs* found, const T* from, int phase, T* to) const {
    using Every = typename LanesOf<V::lanes>::type;
    const int positions = (s.width - phase - 1) / s.strideX + 1;
    for (int at = 0; at < positions; at += V::lanes) {
      const V first = sumAt(found[0], from, at);
      T* row = to + phase + static_cast<ptrdiff_t>(at) * s.strideX;
      const int left = s.width - phase - at * s.strideX;
      if (s.strideX == 1) {
        storeUpTo(first, row, left);
        continue;
      }
      const V second = sumAt(found[1], from, at), low = zipLow(first, second, Every());
      const V high = zipHigh(first, second, Every());
      if (s.strideX == 2) {
        storeUpTo(low, row, left);
        storeUpTo(high, row + V::lanes, left - V::lanes);
        continue;
      }
      T lanes[2 * V::lanes];
      low.store(lanes);
      high.store(lanes + V::lanes);
      const int ends = smaller(2, s.strideX - phase);  // an odd stride's last phase is alone
      for (int lane = 0; lane < V::lanes && static_cast<ptrdiff_t>(lane) * s.strideX < left; ++lane) {
        for (int i = 0; i < ends && static_cast<ptrdiff_t>(lane) * s.strideX + i < left; ++i)
          row[static_cast<ptrdiff_t>(lane) * s.strideX + i] = lanes[2 * lane + i];
      }
    }
  }

  const ConvShape& s;
  T* out;
  TapOfAxis y[kMostTaps], x[kMostTaps];
};

// Where that costs less than short vectors of windows and weights packed with transposes: sums are long enough to
// outweigh adding up, and images of the gradient few or small, above all if each remainder has but a few of its taps.
bool paysToSumOverTaps(const ConvShape& s) {
  if (s.kernelY > kMostTaps || s.kernelX > kMostTaps) return false;
  const bool isStrided = s.strideY > 1 || s.strideX > 1;
  const int64_t windows = static_cast<int64_t>(s.outHeight) * s.outWidth;
  return s.outChannels >= 128 && (windows <= (isStrided ? 1024 : 64) || s.images * windows <= kFewWindows);
}

template <typename T>
Failure sumOverTaps(const Call& call, const ConvShape& s) {
  const WindowProduct<T> p = tapProduct<T>(call, s);
  return multiplyPlanes(call, p, planeCut(p, true, false, s.taps()),
                        SumOverTaps<T>(s, static_cast<T*>(call.outputs[0].data)));
}

}  // namespace
}  // namespace saddlepoint
