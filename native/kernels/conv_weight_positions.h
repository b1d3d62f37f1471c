// The gradient of a convolution's weights where output channels are few: lanes run along the pixels
// (conv_weight_sums.h).
#pragma once
#include "conv_weight_plan.h"
#include "conv_weight_sums.h"

namespace saddlepoint {
namespace {

// One part: one group, some input channels, a slice of the images.
template <typename T>
class PositionPart {
 public:
  // `offsets` of the taps of `channels` channels, see TileShape. x and g are those of image 0.
  PositionPart(const WeightGradPlan& plan, int channels, const ptrdiff_t* offsets, const T* x, const T* g)
      : plan_(plan), channels_(channels), offsets_(offsets), x_(x), g_(g) {}

  // False where there is no memory.
  bool reserve(const Call& call, int worker) {
    // A vector behind the last position is read.
    tile_ = scratchOf<T>(call, worker, 1, static_cast<size_t>(plan_.channelPitch()) * channels_ + sumLanes<T>());
    gradients_ = scratchOf<T>(call, worker, 2, kSumChannels * gradientPitch());
    masks_ = scratchOf<MaskOf<T>>(call, worker, 3, gradientPitch() / Vec<T>::lanes);
    return tile_ && gradients_ && masks_;
  }

  // sums[output channel * pitch + channel * taps + tap] = or += what the tile contributes
  void addTile(const TileAt& at, T* sums, ptrdiff_t pitch, bool add) {
    const ConvShape& s = plan_.shape;
    fillTile(plan_, at, channels_, x_, tile_);
    if (at.images != placedImages_ || at.windowRows != placedRows_) place(at);
    const int columns = channels_ * plan_.taps();
    const int panels = static_cast<int>(ceilDivide(s.outChannels, kSumChannels));
    const int perPanel = static_cast<int>(ceilDivide(s.outChannels, panels));
    const int most = perPanel == 1 ? kSumTapsOfOne : kSumTaps;
    for (int channel = 0; channel < s.outChannels; channel += perPanel) {
      const int count = smaller(perPanel, s.outChannels - channel);
      for (int c = 0; c < count; ++c) fillGradients(at, channel + c, gradients_ + c * gradientPitch());
      for (int column = 0; column < columns; column += most) {
        const int taps = smaller(most, columns - column);
        // A panel of one channel behind wider ones has no more taps than they.
        sumPositionsFor<T>(count, taps)(positions_, tile_, offsets_ + column, gradients_,
                                        static_cast<ptrdiff_t>(gradientPitch()), sums + channel * pitch + column, pitch,
                                        add);
      }
    }
  }

  void finish(T*, ptrdiff_t) const {}

 private:
  // Positions from the first window to the last of `rows` rows.
  ptrdiff_t span(int rows) const { return (rows - 1) * plan_.tile.pitch + plan_.shape.outWidth; }

  static ptrdiff_t wholeLanes(ptrdiff_t count) { return ceilDivide(count, sumLanes<T>()) * sumLanes<T>(); }

  // Of one output channel, whether images are joined or not.
  size_t gradientPitch() const {
    return static_cast<size_t>(plan_.imagesPerTile) *
           static_cast<size_t>(wholeLanes(larger<ptrdiff_t>(plan_.tile.planePitch, span(plan_.windowRows))));
  }

  // Images follow each other without a seam where that takes fewer vectors, as 1x1 windows do.
  void place(const TileAt& at) {
    placedImages_ = at.images;
    placedRows_ = at.windowRows;
    const ptrdiff_t length = span(at.windowRows), plane = plan_.tile.planePitch;
    const ptrdiff_t joined = wholeLanes((at.images - 1) * plane + length), alone = wholeLanes(length);
    const bool join = joined <= at.images * alone;
    positions_ = {join ? 1 : at.images, static_cast<int>(join ? joined : alone), plane, alone, masks_};
    gradientImagePitch_ = join ? plane : alone;
    T* isWindow = gradients_;  // not needed yet
    fillWith(isWindow, positions_.count, T(0));
    for (int image = 0; image < (join ? at.images : 1); ++image) {
      for (int y = 0; y < at.windowRows; ++y)
        fillWith(isWindow + image * plane + y * plan_.tile.pitch, plan_.shape.outWidth, T(1));
    }
    for (int i = 0; i < positions_.count; i += Vec<T>::lanes)
      masks_[i / Vec<T>::lanes] = gt(Vec<T>::load(isWindow + i), Vec<T>::zero());
  }

  // Zero between the rows.
  void fillGradients(const TileAt& at, int channel, T* out) const {
    const ConvShape& s = plan_.shape;
    const ptrdiff_t pitch = plan_.tile.pitch;
    T* to = out;
    for (int image = 0; image < at.images; ++image) {
      const T* from = gradientsAt(s, g_, at.firstImage + image, channel) + static_cast<ptrdiff_t>(at.y0) * s.outWidth;
      to = out + image * gradientImagePitch_;
      if (pitch == s.outWidth) {
        copyElements(to, from, static_cast<ptrdiff_t>(at.windowRows) * s.outWidth);
        to += at.windowRows * pitch;
      } else {
        for (int y = 0; y < at.windowRows; ++y, from += s.outWidth, to += pitch) {
          copyElements(to, from, s.outWidth);
          if (y + 1 < at.windowRows) fillWith(to + s.outWidth, pitch - s.outWidth, T(0));
        }
        to += s.outWidth - pitch;
      }
      const T* end = out + (image + 1 < at.images ? (image + 1) * gradientImagePitch_ : endOfGradients());
      if (to < end) fillWith(to, end - to, T(0));
    }
  }

  ptrdiff_t endOfGradients() const { return (positions_.images - 1) * gradientImagePitch_ + positions_.count; }

  const WeightGradPlan& plan_;
  const int channels_;
  const ptrdiff_t* offsets_;
  const T *x_, *g_;
  T *tile_ = nullptr, *gradients_ = nullptr;  // gradients_: [kSumChannels][gradientPitch]
  MaskOf<T>* masks_ = nullptr;
  Positions<T> positions_ = {};
  ptrdiff_t gradientImagePitch_ = 0;
  int placedImages_ = 0, placedRows_ = 0;
};

}  // namespace
}  // namespace saddlepoint
