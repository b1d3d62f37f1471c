// Convolution, forward: the windows of an image times the weights.
#include "conv.h"
#include "conv_depthwise.h"
#include "conv_planes.h"
#include "conv_windows.h"
#include "winograd_product.h"

namespace saddlepoint {
namespace {

WinogradProduct<float> winogradForward(const Call& call, const ConvShape& s) {
  WinogradProduct<float> p;
  p.images = s.images;
  p.rows = s.outChannels;
  p.outHeight = s.outHeight;
  p.outWidth = s.outWidth;
  p.source = {tileGrid(s.height, s.width, s.paddingY, s.paddingX, s.outHeight, s.outWidth),
              static_cast<const float*>(call.inputs[0].data), s.inChannels};
  p.weights = static_cast<const float*>(call.inputs[1].data);
  p.rowPitch = 9 * s.inChannels;
  p.channelPitch = 9;
  p.flipped = false;
  p.out = static_cast<float*>(call.outputs[0].data);
  return p;
}

template <typename T>
Failure pointwiseForward(const Call& call, const ConvShape& s) {
  PlaneProduct<T> p;
  p.images = s.images;
  p.groups = s.groups;
  p.channels = s.inChannels;
  p.rows = s.outChannels;
  p.height = s.outHeight;
  p.width = s.outWidth;
  p.source = static_cast<const T*>(call.inputs[0].data);
  p.sourceHeight = s.height;
  p.sourceWidth = s.width;
  p.stepY = s.strideY;
  p.stepX = s.strideX;
  p.weights = static_cast<const T*>(call.inputs[1].data);
  p.groupPitch = static_cast<ptrdiff_t>(p.rows) * p.channels;
  p.rowPitch = p.channels;
  p.channelPitch = 1;
  return multiplyPlanes(call, p, static_cast<T*>(call.outputs[0].data));
}

enum { kFewWindows = 256 };

template <typename T>
Failure conv2d(const Call& call) {
  const View &x = call.inputs[0], &weight = call.inputs[1], &out = call.outputs[0];
  if (out.size == 0) return kOk;
  if (weight.size == 0) return fillZero<T>(out), kOk;
  const ConvShape s = convShape(call, x, weight, out);
  if constexpr (sizeof(T) == sizeof(float)) {
    if (s.isWinogradShape() && winogradPays(s.images, s.inChannels, s.outChannels, s.outHeight, s.outWidth))
      return winogradProduct(call, winogradForward(call, s));
  }
  if (isDepthwiseRows(s)) return SADDLEPOINT_DEPTHWISE(T, depthwiseForward, call, s);
  if (s.isPointwise()) return pointwiseForward<T>(call, s);
  WindowProduct<T> p;
  p.images = s.images;
  p.groups = s.groups;
  p.channels = s.inChannels;
  p.rows = s.outChannels;
  p.taps = s.kernelY * s.kernelX;
  p.y = forwardAxis(s.height, s.outHeight, s.strideY, s.paddingY, s.dilationY, s.kernelY);
  p.x = forwardAxis(s.width, s.outWidth, s.strideX, s.paddingX, s.dilationX, s.kernelX);
  p.source = static_cast<const T*>(x.data);
  p.out = static_cast<T*>(out.data);
  p.outHeight = s.outHeight;
  p.outWidth = s.outWidth;
  p.outY = p.outX = 0;
  p.outStepY = p.outStepX = 1;

  const WindowCut cut = windowCut(p);
  // Packing weights is dear beside few windows.
  p.arePlain = p.images == 1 && s.outHeight * s.outWidth <= kFewWindows;
  const ptrdiff_t depth = static_cast<ptrdiff_t>(p.channels) * p.taps;
  const size_t weightBytes = p.arePlain ? 0 : roundUp64(static_cast<size_t>(weight.size) * sizeof(T));
  const size_t tileBytes = sharedTiles(p, cut) * sizeof(T);
  char* shared =
      scratchOf<char>(call, 0, 0, weightBytes + tileBytes + depth * sizeof(ptrdiff_t) + 3 * p.taps * sizeof(int));
  if (!shared) return kFailMemory;
  T* packed = reinterpret_cast<T*>(shared);
  p.tiles = reinterpret_cast<T*>(shared + weightBytes);
  ptrdiff_t* offsets = reinterpret_cast<ptrdiff_t*>(shared + weightBytes + tileBytes);
  int* tapY = reinterpret_cast<int*>(offsets + depth);
  int *tapX = tapY + p.taps, *tapAt = tapX + p.taps;
  for (int tap = 0; tap < p.taps; ++tap) {
    tapY[tap] = tap / s.kernelX * s.dilationY - s.paddingY;
    tapX[tap] = tap % s.kernelX * s.dilationX - s.paddingX;
    tapAt[tap] = tap;
  }
  p.weights = p.arePlain ? static_cast<const T*>(weight.data) : packed;
  p.offsets = offsets;
  windowOffsets<T>(tileShape(p.y, p.x, cut.windowRows), p.channels, p.taps, tapY, tapX, offsets);
  if (p.arePlain) return multiplyWindows(call, p, cut);
  const Failure failure = packWeights(call, p, cut.windowRows, static_cast<const T*>(weight.data), depth * p.rows,
                                      depth, p.taps, tapAt, packed);
  return failure != kOk ? failure : multiplyWindows(call, p, cut);
}

}  // namespace

SADDLEPOINT_KERNEL(conv2d) { return call.outputs[0].dtype == kFloat64 ? conv2d<double>(call) : conv2d<float>(call); }

}  // namespace saddlepoint
