// The gradient of the weights of 1x1 convolutions: gradients times transposed planes, image by image. The gradients are
// read where they lie, and of the planes only panels are packed.
#pragma once
#include "conv_weight_plan.h"

namespace saddlepoint {
namespace {

// One part: one group, some input channels, a slice of the images.
template <typename T>
class PlanePart {
 public:
  // x and g are those of image 0.
  PlanePart(const WeightGradPlan& plan, int channels, const ptrdiff_t*, const T* x, const T* g)
      : plan_(plan), channels_(channels), x_(x), g_(g) {}

  // False where there is no memory.
  bool reserve(const Call& call, int worker) {
    panel_ = scratchOf<T>(call, worker, 1, static_cast<size_t>(kDepthBlock) * kLongVectors * Vec<T>::lanes);
    return panel_ != nullptr;
  }

  // sums[output channel * pitch + channel] = or += what the tile contributes
  void addTile(const TileAt& at, T* sums, ptrdiff_t pitch, bool add) {
    const ConvShape& s = plan_.shape;
    const ptrdiff_t plane = static_cast<ptrdiff_t>(s.height) * s.width;
    const Tiling tiling = tilingFor(s.outChannels, channels_, Vec<T>::lanes);
    const int depth = at.windowRows * s.width;
    const bool isFar = channels_ * plane > kNearElements;
    for (int i = 0; i < at.images; ++i) {
      const ptrdiff_t image = at.firstImage + i, first = static_cast<ptrdiff_t>(at.y0) * s.width;
      const T* gradients = g_ + image * s.groups * s.outChannels * plane + first;
      const T* pixels = x_ + image * s.groups * s.inChannels * plane + first;
      multiplyBlock<T>(
          tiling, s.outChannels, channels_, depth,
          [&](int k0, int) {
            return RowBlock<T>{gradients + k0, plane, 1, false};
          },
          [&](int k0, int steps, ptrdiff_t channel, int count, int width) {
            packPanel(panel_, width, count, steps, pixels + channel * plane + k0, plane, 1);
            ColumnPanel<T> packed = {panel_, width};
            const Matrix<T> columns = {pixels, 1, plane};
            if (isFar) packed.next = panelAfter(columns, k0, steps, depth, channel + count, channels_);
            return packed;
          },
          sums, pitch, add || i > 0);
    }
  }

 private:
  const WeightGradPlan& plan_;
  const int channels_;
  const T *x_, *g_;
  T* panel_ = nullptr;
};

}  // namespace
}  // namespace saddlepoint
