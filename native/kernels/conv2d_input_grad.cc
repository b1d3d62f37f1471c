// The gradient of a convolution with respect to its input: again windows times weights, now windows of the output's
// gradient. With a stride, pixels whose positions have different remainders are reached by different taps: each
// remainder is a convolution of its own, with stride 1. With many output channels on small images, the products of all
// pixels with all taps are summed up instead.
#include "conv.h"
#include "conv_depthwise.h"
#include "conv_planes.h"
#include "conv_position_product.h"
#include "conv_sum_over_taps.h"
#include "winograd_product.h"

namespace saddlepoint {
namespace {

// The pixels start, start + stride, ... of one axis, and the taps that reach them: first, first + apart, ... Pixel
// start + y * stride gets weight tap t from output y + (start + padding - t * dilation) / stride.
struct Phase {
  int start, stride, padding, dilation, kernel;
  int first = 0, apart = 1, count = 0;

  Phase(int at, int every, int before, int spread, int taps)
      : start(at), stride(every), padding(before), dilation(spread), kernel(taps) {
    for (int tap = 0; tap < kernel; ++tap) {
      if ((start + padding - tap * dilation) % stride != 0) continue;
      if (count == 0) first = tap;
      if (count == 1) apart = tap - first;
      ++count;
    }
  }
  WindowAxis axis(int outputSize, int size) const {
    const int step = -apart * dilation / stride, last = (start + padding - first * dilation) / stride;
    return {outputSize, start < size ? (size - start - 1) / stride + 1 : 0, 1, count, last + (count - 1) * step, last,
            step};
  }
};

template <typename T>
Failure runPhase(const Call& call, const ConvShape& s, const Phase& phaseY, const Phase& phaseX, T* out) {
  WindowProduct<T> p;
  p.images = s.images;
  p.groups = s.groups;
  p.channels = s.outChannels;
  p.rows = s.inChannels;
  p.y = phaseY.axis(s.outHeight, s.height);
  p.x = phaseX.axis(s.outWidth, s.width);
  if (p.taps() == 0 || p.windows() == 0) return kOk;
  p.source = static_cast<const T*>(call.inputs[0].data);
  p.weights = static_cast<const T*>(call.inputs[1].data) + phaseY.first * s.kernelX + phaseX.first;
  p.tapPitchX = phaseX.apart;
  p.tapPitchY = phaseY.apart * static_cast<ptrdiff_t>(s.kernelX);
  p.rowPitch = s.taps();
  p.channelPitch = p.rowPitch * p.rows;
  p.groupPitch = p.channelPitch * p.channels;
  const ResultPlanes<T> result = {out, s.height, s.width, phaseY.start, phaseX.start, phaseY.stride, phaseX.stride};
  return paysByPositions(p) ? multiplyByPositions(call, p, result) : multiplyPlanes(call, p, result);
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
  if (g.size == 0 || weight.size == 0) return fillZero<T>(out), kOk;
  if (isDepthwiseRows(s)) return SADDLEPOINT_DEPTHWISE(T, depthwiseInputGrad, call, s);
  if (s.isPointwise()) {
    if (s.strideY == 1 && s.strideX == 1)
      return multiplyPlanes(call, tapProduct<T>(call, s),
                            ResultPlanes<T>{static_cast<T*>(out.data), s.height, s.width});
    return sumOverTaps<T>(call, s);
  }
  if constexpr (sizeof(T) == sizeof(float)) {
    if (s.isWinogradShape() && winogradPays(s.images, s.outChannels, s.inChannels, s.height, s.width))
      return winogradProduct(call, winogradInputGrad(call, s));
  }
  if (paysToSumOverTaps(s)) return sumOverTaps<T>(call, s);
  if (s.strideY > 1 || s.strideX > 1) fillZero<T>(out);  // pixels that no window reaches
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
