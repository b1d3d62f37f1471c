// Convolutions by their definition, for the tests of their kernels.
#pragma once
#include "kernels_support.h"

namespace saddlepoint {
namespace {

struct Shape {
  int images, channels, height, width, outChannels, kernelY, kernelX;  // channels of all groups
  int strideY = 1, strideX = 1, paddingY = 0, paddingX = 0, dilationY = 1, dilationX = 1, groups = 1, winograd = 0;

  int outHeight() const { return (height + 2 * paddingY - dilationY * (kernelY - 1) - 1) / strideY + 1; }
  int outWidth() const { return (width + 2 * paddingX - dilationX * (kernelX - 1) - 1) / strideX + 1; }
  std::vector<int> x() const { return {images, channels, height, width}; }
  std::vector<int> weight() const { return {outChannels, channels / groups, kernelY, kernelX}; }
  std::vector<int> out() const { return {images, outChannels, outHeight(), outWidth()}; }
  std::vector<double> attributes() const {
    std::vector<double> values;
    for (int v : {strideY, strideX, paddingY, paddingX, dilationY, dilationX, groups, winograd}) values.push_back(v);
    return values;
  }
  std::string text() const {
    std::string s = "N" + std::to_string(images) + " C" + std::to_string(channels) + " " + std::to_string(height) +
                    "x" + std::to_string(width) + " O" + std::to_string(outChannels) + " k" + std::to_string(kernelY) +
                    "x" + std::to_string(kernelX);
    for (double v : attributes()) s += " " + std::to_string(static_cast<int>(v));
    return s;
  }
};

// Calls visit(index in x, index in weight, index in out) for every product in the definition.
template <typename Visit>
void forEachProduct(const Shape& s, const Visit& visit) {
  const int channels = s.channels / s.groups, rows = s.outChannels / s.groups;
  for (int n = 0; n < s.images; ++n) {
    for (int o = 0; o < s.outChannels; ++o) {
      for (int y = 0; y < s.outHeight(); ++y) {
        for (int x = 0; x < s.outWidth(); ++x) {
          for (int c = 0; c < channels; ++c) {
            for (int r = 0; r < s.kernelY; ++r) {
              for (int q = 0; q < s.kernelX; ++q) {
                const int h = y * s.strideY - s.paddingY + r * s.dilationY,
                          w = x * s.strideX - s.paddingX + q * s.dilationX;
                if (h < 0 || h >= s.height || w < 0 || w >= s.width) continue;
                const int channel = o / rows * channels + c;
                visit(((n * s.channels + channel) * s.height + h) * s.width + w,
                      ((o * channels + c) * s.kernelY + r) * s.kernelX + q,
                      ((n * s.outChannels + o) * s.outHeight() + y) * s.outWidth() + x);
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace saddlepoint
