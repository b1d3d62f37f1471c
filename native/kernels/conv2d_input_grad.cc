// The gradient of a convolution with respect to its input: again windows times weights, now windows of the output's
// gradient. With a stride, pixels whose positions have different remainders are reached by different taps: each
// remainder is a convolution of its own, with stride 1. With many output channels on small images, the products of all
// pixels with all taps are summed up instead.
#include "conv.h"
#include "conv_depthwise.h"
#include "conv_planes.h"
#include "conv_windows.h"
#include "winograd_product.h"

namespace saddlepoint {
namespace {

// The pixels start, start + stride, ... of one axis. Pixel start + y * stride gets weight tap t from output y +
// tapOf(t).
struct Phase {
  int start, stride, padding, dilation, kernel;

  bool reachedBy(int tap) const { return (start + padding - tap * dilation) % stride == 0; }
  int tapOf(int tap) const { return (start + padding - tap * dilation) / stride; }

  WindowAxis axis(int outputSize, int size) const {
    WindowAxis axis = {outputSize, start < size ? (size - start - 1) / stride + 1 : 0, 1, 0, 0, 0};
    for (int tap = 0; tap < kernel; ++tap) {
      if (!reachedBy(tap)) continue;
      const int at = tapOf(tap);
      axis.firstTap = axis.taps == 0 ? at : smaller(axis.firstTap, at);
      axis.lastTap = axis.taps == 0 ? at : larger(axis.lastTap, at);
      ++axis.taps;
    }
    return axis;
  }
};

template <typename T>
Failure runPhase(const Call& call, const ConvShape& s, const Phase& phaseY, const Phase& phaseX, T* out) {
  const View &g = call.inputs[0], &weight = call.inputs[1];
  WindowProduct<T> p;
  p.images = s.images;
  p.groups = s.groups;
  p.channels = s.outChannels;
  p.rows = s.inChannels;
  p.y = phaseY.axis(s.outHeight, s.height);
  p.x = phaseX.axis(s.outWidth, s.width);
  p.taps = p.y.taps * p.x.taps;
  if (p.taps == 0 || p.y.windows == 0 || p.x.windows == 0) return kOk;
  p.source = static_cast<const T*>(g.data);
  p.out = out;
  p.outHeight = s.height;
  p.outWidth = s.width;
  p.outY = phaseY.start;
  p.outX = phaseX.start;
  p.outStepY = phaseY.stride;
  p.outStepX = phaseX.stride;
  p.arePlain = false;

  const ptrdiff_t depth = static_cast<ptrdiff_t>(p.channels) * p.taps;
  const size_t weightBytes = roundUp64(static_cast<size_t>(depth) * p.rows * p.groups * sizeof(T));
  const WindowCut cut = windowCut(p);
  const size_t tileBytes = sharedTiles(p, cut) * sizeof(T);
  char* shared =
      scratchOf<char>(call, 0, 0, weightBytes + tileBytes + depth * sizeof(ptrdiff_t) + 3 * p.taps * sizeof(int));
  if (!shared) return kFailMemory;
  T* packed = reinterpret_cast<T*>(shared);
  p.tiles = reinterpret_cast<T*>(shared + weightBytes);
  ptrdiff_t* offsets = reinterpret_cast<ptrdiff_t*>(shared + weightBytes + tileBytes);
  int* tapY = reinterpret_cast<int*>(offsets + depth);
  int *tapX = tapY + p.taps, *tapAt = tapX + p.taps;
  int found = 0;
  for (int y = 0; y < s.kernelY; ++y) {
    for (int x = 0; x < s.kernelX; ++x) {
      if (!phaseY.reachedBy(y) || !phaseX.reachedBy(x)) continue;
      tapY[found] = phaseY.tapOf(y);
      tapX[found] = phaseX.tapOf(x);
      tapAt[found++] = y * s.kernelX + x;
    }
  }
  p.weights = packed;
  p.offsets = offsets;
  windowOffsets<T>(tileShape(p.y, p.x, cut.windowRows), p.channels, p.taps, tapY, tapX, offsets);
  const ptrdiff_t taps = static_cast<ptrdiff_t>(s.kernelY) * s.kernelX;
  const Failure failure = packWeights(call, p, cut.windowRows, static_cast<const T*>(weight.data),
                                      taps * p.rows * p.channels, taps, taps * p.rows, tapAt, packed);
  return failure != kOk ? failure : multiplyWindows(call, p, cut);
}

// The gradients' planes times every tap of every weight.
template <typename T>
PlaneProduct<T> tapProduct(const Call& call, const ConvShape& s) {
  PlaneProduct<T> p;
  p.images = s.images;
  p.groups = s.groups;
  p.channels = s.outChannels;
  p.rows = s.inChannels * s.kernelY * s.kernelX;
  p.height = p.sourceHeight = s.outHeight;
  p.width = p.sourceWidth = s.outWidth;
  p.source = static_cast<const T*>(call.inputs[0].data);
  p.stepY = p.stepX = 1;
  p.weights = static_cast<const T*>(call.inputs[1].data);
  p.groupPitch = static_cast<ptrdiff_t>(p.rows) * p.channels;
  p.rowPitch = 1;
  p.channelPitch = p.rows;
  return p;
}

// Adds each product to the pixel that its tap looks at, tap by tap.
template <typename T>
struct SumOverTaps {
  const ConvShape& s;
  T* out;

  T* at(const PlaneChunk&, int) const { return nullptr; }
  void take(const PlaneChunk& chunk, int row, int rows, const T* result, ptrdiff_t pitch) const {
    const int taps = s.kernelY * s.kernelX;
    const ptrdiff_t plane = static_cast<ptrdiff_t>(s.height) * s.width;
    for (int channel = row / taps; channel < (row + rows) / taps; ++channel) {
      for (int image = 0; image < chunk.images; ++image) {
        T* to =
            out +
            ((static_cast<ptrdiff_t>(chunk.image + image) * s.groups + chunk.group) * s.inChannels + channel) * plane;
        const T* from = result + (channel * taps - row) * pitch + image * chunk.pixels;
        fillWith(to, plane, T(0));
        for (int tap = 0; tap < taps; ++tap, from += pitch) addTap(tap / s.kernelX, tap % s.kernelX, from, to);
      }
    }
  }

 private:
  // Windows whose tap lies in the image: [first, end).
  static void inside(int windows, int size, int stride, ptrdiff_t offset, ptrdiff_t* first, ptrdiff_t* end) {
    *first = offset >= 0 ? 0 : ceilDivide(-offset, stride);
    *end = offset >= size ? 0 : smaller<ptrdiff_t>(windows, (size - 1 - offset) / stride + 1);
  }

  void addTap(int tapY, int tapX, const T* from, T* to) const {
    const ptrdiff_t offsetY = static_cast<ptrdiff_t>(tapY) * s.dilationY - s.paddingY,
                    offsetX = static_cast<ptrdiff_t>(tapX) * s.dilationX - s.paddingX;
    ptrdiff_t firstY, endY, firstX, endX;
    inside(s.outHeight, s.height, s.strideY, offsetY, &firstY, &endY);
    inside(s.outWidth, s.width, s.strideX, offsetX, &firstX, &endX);
    for (ptrdiff_t y = firstY; y < endY; ++y) {
      T* row = to + (y * s.strideY + offsetY) * s.width + offsetX;
      for (ptrdiff_t x = firstX; x < endX; ++x) row[x * s.strideX] += from[y * s.outWidth + x];
    }
  }
};

// Where that costs less than short vectors of windows and weights packed with transposes: sums are long enough to
// outweigh adding up, and images of the gradient small, above all if each remainder has but a few of its taps.
bool paysToSumOverTaps(const ConvShape& s) {
  const bool isStrided = s.strideY > 1 || s.strideX > 1;
  return s.outChannels >= 128 && static_cast<int64_t>(s.outHeight) * s.outWidth <= (isStrided ? 1024 : 64);
}

template <typename T>
Failure sumOverTaps(const Call& call, const ConvShape& s) {
  const PlaneProduct<T> p = tapProduct<T>(call, s);
  return multiplyPlanes(call, p, planeCut(p, true, s.kernelY * s.kernelX),
                        SumOverTaps<T>{s, static_cast<T*>(call.outputs[0].data)});
}

WinogradProduct<float> winogradInputGrad(const Call& call, const ConvShape& s) {
  WinogradProduct<float> p;
  p.images = s.images;
  p.rows = s.inChannels;
  p.outHeight = s.height;
  p.outWidth = s.width;
  p.source = {tileGrid(s.outHeight, s.outWidth, 2 - s.paddingY, 2 - s.paddingX, s.height, s.width),
              static_cast<const float*>(call.inputs[0].data), s.outChannels};
  p.weights = static_cast<const float*>(call.inputs[1].data);
  p.rowPitch = 9;
  p.channelPitch = 9 * s.inChannels;
  p.flipped = true;
  p.out = static_cast<float*>(call.outputs[0].data);
  return p;
}

template <typename T>
Failure conv2dInputGrad(const Call& call) {
  const View &g = call.inputs[0], &weight = call.inputs[1], &out = call.outputs[0];
  if (out.size == 0) return kOk;
  const ConvShape s = convShape(call, out, weight, g);
  if (g.size > 0 && weight.size > 0 && isDepthwiseRows(s)) return SADDLEPOINT_DEPTHWISE(T, depthwiseInputGrad, call, s);
  if (g.size > 0 && weight.size > 0 && s.isPointwise()) {
    if (s.strideY == 1 && s.strideX == 1)
      return multiplyPlanes(call, tapProduct<T>(call, s), static_cast<T*>(out.data));
    return sumOverTaps<T>(call, s);
  }
  // Pixels that no window reaches stay zero.
  if (s.strideY > 1 || s.strideX > 1 || g.size == 0 || weight.size == 0) fillZero<T>(out);
  if (g.size == 0 || weight.size == 0) return kOk;
  if constexpr (sizeof(T) == sizeof(float)) {
    if (s.isWinogradShape() && winogradPays(s.images, s.outChannels, s.inChannels, s.height, s.width))
      return winogradProduct(call, winogradInputGrad(call, s));
  }
  if (paysToSumOverTaps(s)) return sumOverTaps<T>(call, s);
  for (int y = 0; y < smaller(s.strideY, s.height); ++y) {
    for (int x = 0; x < smaller(s.strideX, s.width); ++x) {
      const Failure failure = runPhase(call, s, {y, s.strideY, s.paddingY, s.dilationY, s.kernelY},
                                       {x, s.strideX, s.paddingX, s.dilationX, s.kernelX}, static_cast<T*>(out.data));
      if (failure != kOk) return failure;
    }
  }
  return kOk;
}

}  // namespace

SADDLEPOINT_KERNEL(conv2dInputGrad) {
  return call.outputs[0].dtype == kFloat64 ? conv2dInputGrad<double>(call) : conv2dInputGrad<float>(call);
}

}  // namespace saddlepoint
