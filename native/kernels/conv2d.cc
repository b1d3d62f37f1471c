// Convolution, forward: the windows of an image times the weights.
#include "conv.h"
#include "conv_depthwise.h"
#include "conv_planes.h"
#include "conv_position_product.h"
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
WindowProduct<T> forwardProduct(const Call& call, const ConvShape& s) {
  WindowProduct<T> p;
  p.images = s.images;
  p.groups = s.groups;
  p.channels = s.inChannels;
  p.rows = s.outChannels;
  p.y = forwardAxis(s.height, s.outHeight, s.strideY, s.paddingY, s.dilationY, s.kernelY);
  p.x = forwardAxis(s.width, s.outWidth, s.strideX, s.paddingX, s.dilationX, s.kernelX);
  p.source = static_cast<const T*>(call.inputs[0].data);
  p.weights = static_cast<const T*>(call.inputs[1].data);
  p.tapPitchX = 1;
  p.tapPitchY = s.kernelX;
  p.channelPitch = s.taps();
  p.rowPitch = p.channelPitch * p.channels;
  p.groupPitch = p.rowPitch * p.rows;
  return p;
}

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
  const WindowProduct<T> p = forwardProduct<T>(call, s);
  const ResultPlanes<T> result = {static_cast<T*>(out.data), s.outHeight, s.outWidth};
  return paysByPositions(p) ? multiplyByPositions(call, p, result) : multiplyPlanes(call, p, result);
}

}  // namespace

SADDLEPOINT_KERNEL(conv2d) { return call.outputs[0].dtype == kFloat64 ? conv2d<double>(call) : conv2d<float>(call); }

}  // namespace saddlepoint
