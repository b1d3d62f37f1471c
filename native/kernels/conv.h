// The attributes of a convolution, [strideH, strideW, paddingH, paddingW, dilationH, dilationW, groups, winograd], and
// its shapes.
#pragma once
#include "conv_tile.h"

namespace saddlepoint {
namespace {

struct ConvShape {
  int strideY, strideX, paddingY, paddingX, dilationY, dilationX, groups;
  int images, inChannels, outChannels;  // channels of one group
  int height, width, outHeight, outWidth, kernelY, kernelX;
  bool winograd;  // may be used

  bool isWinogradShape() const {
    return winograd && kernelY == 3 && kernelX == 3 && strideY == 1 && strideX == 1 && dilationY == 1 &&
           dilationX == 1 && paddingY <= 2 && paddingX <= 2 && groups == 1;
  }

  bool isPointwise() const { return kernelY == 1 && kernelX == 1 && paddingY == 0 && paddingX == 0; }
  int taps() const { return kernelY * kernelX; }
};

inline ConvShape convShape(const Call& call, const View& input, const View& weight, const View& output) {
  const double* a = call.attributes;
  ConvShape s;
  s.strideY = static_cast<int>(a[0]);
  s.strideX = static_cast<int>(a[1]);
  s.paddingY = static_cast<int>(a[2]);
  s.paddingX = static_cast<int>(a[3]);
  s.dilationY = static_cast<int>(a[4]);
  s.dilationX = static_cast<int>(a[5]);
  s.groups = static_cast<int>(a[6]);
  s.winograd = a[7] != 0;
  s.images = input.shape[0];
  s.inChannels = weight.shape[1];
  s.outChannels = weight.shape[0] / s.groups;
  s.height = input.shape[2];
  s.width = input.shape[3];
  s.outHeight = output.shape[2];
  s.outWidth = output.shape[3];
  s.kernelY = weight.shape[2];
  s.kernelX = weight.shape[3];
  return s;
}

inline WindowAxis forwardAxis(int size, int windows, int stride, int padding, int dilation, int kernel) {
  return {size, windows, stride, kernel, -padding, (kernel - 1) * dilation - padding, dilation};
}

template <typename T>
void fillZero(const View& out) {
  fillWith(static_cast<T*>(out.data), out.size, T(0));
}

}  // namespace
}  // namespace saddlepoint
