// The gradient of a convolution's weights as a product of matrices: gradients times transposed windows, which are
// gathered panel by panel.
#pragma once
#include "conv_weight_plan.h"

namespace saddlepoint {
namespace {

// One part: one group, some input channels, a slice of the images.
template <typename T>
class ProductPart {
 public:
  // `offsets` of the taps of `channels` channels, see TileShape. x and g are those of image 0.
  ProductPart(const WeightGradPlan& plan, int channels, const ptrdiff_t* offsets, const T* x, const T* g)
      : plan_(plan), channels_(channels), offsets_(offsets), x_(x), g_(g) {}

  // False where there is no memory.
  bool reserve(const Call& call, int worker) {
    const size_t panelSize = static_cast<size_t>(kDepthBlock) * kLongVectors * kLanes;
    const size_t windowSize = static_cast<size_t>(kWindowPitch) * kLongVectors * kLanes;
    tile_ = scratchOf<T>(call, worker, 1, static_cast<size_t>(plan_.channelPitch()) * channels_ + kLanes);
    panel_ = scratchOf<T>(call, worker, 2, panelSize + windowSize + kLanes);
    rows_ = scratchOf<T>(call, worker, 3, static_cast<size_t>(plan_.shape.outChannels) * kDepthBlock);
    windows_ = panel_ + panelSize;
    return tile_ && panel_ && rows_;
  }

  // sums[output channel * pitch + channel * taps + tap] = or += what the tile contributes
  void addTile(const TileAt& at, T* sums, ptrdiff_t pitch, bool add) {
    const ConvShape& s = plan_.shape;
    fillTile(plan_, at, channels_, x_, tile_);
    const int columns = channels_ * plan_.taps();
    const Tiling tiling = tilingFor(s.outChannels, columns, kLanes);
    WindowRun runs[kDepthBlock];
    int runCount = 0;
    multiplyBlock<T>(
        tiling, s.outChannels, columns, at.images * at.windowRows * s.outWidth,
        [&](int k0, int steps) {
          runCount = windowRuns(plan_.tile, at.windowRows, plan_.tile.planePitch, k0, steps, runs);
          for (int i = 0; i < s.outChannels; i += tiling.rows) {
            packGradients(at, i, smaller(tiling.rows, s.outChannels - i), k0, steps,
                          rows_ + static_cast<ptrdiff_t>(i) * steps);
          }
          return PackedRows<T>{rows_};
        },
        [&](int, int steps, ptrdiff_t column, int count, int width) {
          gatherWindows(tile_, offsets_ + column, count, runs, runCount, kWindowPitch, windows_);
          packPanel(panel_, width, count, steps, windows_, kWindowPitch, 1);
          return ColumnPanel<T>{panel_, width};
        },
        sums, pitch, add);
  }

 private:
  static constexpr int kLanes = Vec<T>::lanes;
  static constexpr ptrdiff_t kWindowPitch = kDepthBlock + kLanes;

  // Packs the gradients of output channels [channel, channel + count) at pixels [k0, k0 + steps) of a tile.
  void packGradients(const TileAt& at, int channel, int count, int k0, int steps, T* out) const {
    const ConvShape& s = plan_.shape;
    const ptrdiff_t pixels = static_cast<ptrdiff_t>(s.outHeight) * s.outWidth;
    const int pixelsInTile = at.windowRows * s.outWidth;
    for (int k = 0; k < steps;) {
      const int image = (k0 + k) / pixelsInTile, pixel = (k0 + k) % pixelsInTile;
      const int length = smaller(pixelsInTile - pixel, steps - k);
      const T* from =
          gradientsAt(s, g_, at.firstImage + image, channel) + static_cast<ptrdiff_t>(at.y0) * s.outWidth + pixel;
      packPanel(out + static_cast<ptrdiff_t>(k) * count, count, count, length, from, pixels, 1);
      k += length;
    }
  }

  const WeightGradPlan& plan_;
  const int channels_;
  const ptrdiff_t* offsets_;
  const T *x_, *g_;
  T *tile_ = nullptr, *panel_ = nullptr, *windows_ = nullptr, *rows_ = nullptr;
};

}  // namespace
}  // namespace saddlepoint
