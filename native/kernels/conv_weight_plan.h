// How the gradient of a convolution's weights is cut: images into slices by shape, which have their own sums, and input
// channels into parts; each part goes through tiles of some rows of windows of some images.
#pragma once
#include "conv.h"

namespace saddlepoint {
namespace {

struct WeightGradPlan {
  ConvShape shape;
  TileShape tile;
  bool ofPlanes;        // 1x1 windows, where the planes are the windows (conv_weight_planes.h)
  bool byPositions;     // lanes run along the pixels (conv_weight_positions.h), or the product is one of matrices
  int windowRows;       // of an image that are in the tile at a time
  int imagesPerTile;    // more than one only where they are in it as a whole
  int channelsPerPart;  // of the input
  int slices, imagesPerSlice;

  // A tile is [channels, images, plane].
  ptrdiff_t channelPitch() const { return tile.planePitch * imagesPerTile; }
  int taps() const { return shape.kernelY * shape.kernelX; }
};

constexpr int kTilePixels = 1024;  // about so many windows at a time

// Where output channels are few, gathering windows would cost more than multiplying them.
inline bool arePositionsCheaper(const ConvShape& s) {
  return s.outChannels <= 16 || (s.outChannels <= 64 && s.outWidth >= 28);
}

inline WeightGradPlan planFor(const ConvShape& s, ptrdiff_t weights) {
  WeightGradPlan plan;
  plan.shape = s;
  plan.ofPlanes = s.isPointwise() && s.strideY == 1 && s.strideX == 1 && s.outChannels >= 8;
  plan.byPositions = !plan.ofPlanes && arePositionsCheaper(s);
  const int pixels = s.outHeight * s.outWidth, pixelsOfImages = plan.byPositions ? kTilePixels : kDepthBlock;
  plan.windowRows = smaller(s.outHeight, larger(1, kTilePixels / s.outWidth));
  plan.imagesPerTile = plan.windowRows < s.outHeight ? 1 : smaller(s.images, larger(1, pixelsOfImages / pixels));
  const WindowAxis y = forwardAxis(s.height, s.outHeight, s.strideY, s.paddingY, s.dilationY, s.kernelY);
  const WindowAxis x = forwardAxis(s.width, s.outWidth, s.strideX, s.paddingX, s.dilationX, s.kernelX);
  plan.tile = tileShape(y, x, plan.windowRows);

  // The sums of the slices are kept to 2^20 elements.
  const ptrdiff_t tiles = ceilDivide(s.images, plan.imagesPerTile);
  const ptrdiff_t affordable = larger<ptrdiff_t>(1, (ptrdiff_t(1) << 20) / weights);
  const ptrdiff_t slices = smaller<ptrdiff_t>(smaller<ptrdiff_t>(16, tiles), affordable);
  plan.imagesPerSlice = static_cast<int>(ceilDivide(tiles, slices)) * plan.imagesPerTile;
  plan.slices = static_cast<int>(ceilDivide(s.images, plan.imagesPerSlice));

  plan.channelsPerPart = s.inChannels;
  const auto tileElements = [&] { return plan.channelPitch() * plan.channelsPerPart; };
  while (plan.channelsPerPart > 1 && tileElements() > (1 << 17)) plan.channelsPerPart = (plan.channelsPerPart + 1) / 2;
  const auto parts = [&] {
    return static_cast<ptrdiff_t>(plan.slices) * s.groups * ceilDivide(s.inChannels, plan.channelsPerPart);
  };
  while (parts() < 16 && plan.channelsPerPart > 1 && plan.channelsPerPart * plan.taps() > 128)
    plan.channelsPerPart = (plan.channelsPerPart + 1) / 2;
  return plan;
}

// Some rows of windows of some images.
struct TileAt {
  int firstImage, images, y0, windowRows;
};

// Copies what these windows look at, in `channels` channels from x on, image 0.
template <typename T>
void fillTile(const WeightGradPlan& plan, const TileAt& at, int channels, const T* x, T* tile) {
  const ConvShape& s = plan.shape;
  const ptrdiff_t plane = static_cast<ptrdiff_t>(s.height) * s.width;
  for (int image = 0; image < at.images; ++image) {
    const T* from = x + static_cast<ptrdiff_t>(at.firstImage + image) * s.groups * s.inChannels * plane;
    for (int channel = 0; channel < channels; ++channel) {
      copyTilePlane(plan.tile, from + channel * plane, at.y0, at.windowRows, T(0),
                    tile + channel * plan.channelPitch() + image * plan.tile.planePitch);
    }
  }
}

// Where the gradients of an output channel of image `image` begin, g being those of image 0 and channel 0.
template <typename T>
const T* gradientsAt(const ConvShape& s, const T* g, int image, int channel) {
  return g + (static_cast<ptrdiff_t>(image) * s.groups * s.outChannels + channel) * s.outHeight * s.outWidth;
}

}  // namespace
}  // namespace saddlepoint
