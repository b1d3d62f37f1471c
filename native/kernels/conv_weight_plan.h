// How the gradient of a convolution's weights is cut: images into slices by shape, which have their own sums, and input
// channels into parts; each part goes through tiles of some rows of windows of some images.
#pragma once
#include "conv.h"

namespace saddlepoint {
namespace {

enum WeightGradWay {
  kByPositions,            // lanes run along the pixels (conv_weight_positions.h)
  kGradientsTimesWindows,  // products of matrices (conv_weight_products.h): the first factor is read where it lies
  kGradientsTimesPlanes,   // the same of 1x1 windows, where planes of the image are the windows
  kPlanesTimesGradients,
};

struct WeightGradPlan {
  ConvShape shape;
  TileShape tile;
  WeightGradWay way;
  int windowRows;       // of an image that are in the tile at a time
  int imagesPerTile;    // more than one only where they are in it as a whole
  int channelsPerPart;  // of the input
  int slices, imagesPerSlice;

  // A tile is [channels, images, plane].
  ptrdiff_t channelPitch() const { return tile.planePitch * imagesPerTile; }
  int taps() const { return shape.taps(); }
};

constexpr int kTilePixels = 1024;       // about so many windows at a time
constexpr int kLeastParts = 16;         // for threads
constexpr int kLeastPartColumns = 128;  // windows of a part, in whole panels: rows are read again for every part

// Where output channels are few, gathering windows would cost more than multiplying them; rows of windows that are
// short leave lanes empty.
inline bool arePositionsCheaper(const ConvShape& s) {
  const int few = s.outWidth < 28 ? 16 : s.inChannels < 8 ? 24 : 32;
  return s.outChannels <= few;
}

inline WeightGradWay wayFor(const ConvShape& s) {
  if (s.isPointwise() && s.strideY == 1 && s.strideX == 1 && s.outChannels >= 8) {
    // What is saved by packing gradients, if they are fewer, against turning the sums: as dear as packing eight times
    // as many (measured).
    const ptrdiff_t pixels = static_cast<ptrdiff_t>(s.images) * s.height * s.width;
    const ptrdiff_t fewer = s.inChannels - s.outChannels, sums = static_cast<ptrdiff_t>(s.inChannels) * s.outChannels;
    return fewer * pixels > 8 * sums ? kPlanesTimesGradients : kGradientsTimesPlanes;
  }
  return arePositionsCheaper(s) ? kByPositions : kGradientsTimesWindows;
}

inline WeightGradPlan planFor(const ConvShape& s, ptrdiff_t weights) {
  WeightGradPlan plan;
  plan.shape = s;
  plan.way = wayFor(s);
  const int pixels = s.outHeight * s.outWidth;
  const int pixelsOfImages = plan.way == kByPositions ? kTilePixels : kDepthBlock;
  plan.windowRows = smaller(s.outHeight, larger(1, kTilePixels / s.outWidth));
  plan.imagesPerTile = plan.windowRows < s.outHeight ? 1 : smaller(s.images, larger(1, pixelsOfImages / pixels));
  const WindowAxis y = forwardAxis(s.height, s.outHeight, s.strideY, s.paddingY, s.dilationY, s.kernelY);
  const WindowAxis x = forwardAxis(s.width, s.outWidth, s.strideX, s.paddingX, s.dilationX, s.kernelX);
  plan.tile = tileShape(y, x, plan.windowRows);

  // As many slices as there are too few channels for parts; their sums are kept to 2^20 elements.
  const ptrdiff_t tiles = ceilDivide(s.images, plan.imagesPerTile);
  const ptrdiff_t affordable = larger<ptrdiff_t>(1, (ptrdiff_t(1) << 20) / weights);
  // 32 channels are whole panels of columns of 8, 16 or 32 columns: slices must not depend on the instruction set.
  const int leastChannels = static_cast<int>(ceilDivide(kLeastPartColumns, 32 * plan.taps())) * 32;
  const ptrdiff_t wanted = ceilDivide(kLeastParts, s.groups * ceilDivide(s.inChannels, leastChannels));
  const ptrdiff_t slices = smaller<ptrdiff_t>(smaller<ptrdiff_t>(wanted, tiles), affordable);
  plan.imagesPerSlice = static_cast<int>(ceilDivide(tiles, slices)) * plan.imagesPerTile;
  plan.slices = static_cast<int>(ceilDivide(s.images, plan.imagesPerSlice));

  plan.channelsPerPart = s.inChannels;
  const auto halve = [&] { plan.channelsPerPart = (plan.channelsPerPart + 1) / 2; };
  const auto parts = [&] {
    return static_cast<ptrdiff_t>(plan.slices) * s.groups * ceilDivide(s.inChannels, plan.channelsPerPart);
  };
  while (plan.channelsPerPart > 1 && plan.channelPitch() * plan.channelsPerPart > (1 << 17)) halve();
  while (parts() < kLeastParts && plan.channelsPerPart > leastChannels) halve();
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
