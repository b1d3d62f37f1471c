// The gradient of a convolution's weights as products of matrices whose contraction goes along the pixels: one factor
// is read where it lies, in runs of consecutive pixels; the other is packed, panel by panel.
#pragma once
#include "conv_weight_plan.h"

namespace saddlepoint {
namespace {

// Channels of one group, of all images.
template <typename T>
struct Planes {
  const T* data;  // of image 0
  int channels;
  ptrdiff_t plane, image;  // between channels, and between images
};

// One part: one group, some input channels, a slice of the images.
template <typename T>
class ProductPart {
 public:
  // `offsets` of the taps of `channels` channels, see TileShape. x and g are those of image 0.
  ProductPart(const WeightGradPlan& plan, int channels, const ptrdiff_t* offsets, const T* x, const T* g)
      : plan_(plan), channels_(channels), offsets_(offsets) {
    const ConvShape& s = plan.shape;
    const ptrdiff_t plane = static_cast<ptrdiff_t>(s.height) * s.width;
    const ptrdiff_t gradientPlane = static_cast<ptrdiff_t>(s.outHeight) * s.outWidth;
    pixels_ = {x, channels, plane, s.groups * s.inChannels * plane};
    gradients_ = {g, s.outChannels, gradientPlane, s.groups * s.outChannels * gradientPlane};
  }

  // False where there is no memory.
  bool reserve(const Call& call, int worker) {
    const size_t panelSize = static_cast<size_t>(kDepthBlock) * kLongVectors * kLanes;
    const size_t windowSize = static_cast<size_t>(kWindowPitch) * kLongVectors * kLanes;
    panel_ = scratchOf<T>(call, worker, 1, panelSize + windowSize + kLanes);
    windows_ = panel_ + panelSize;
    if (plan_.way == kGradientsTimesWindows) {
      tile_ = scratchOf<T>(call, worker, 2, static_cast<size_t>(plan_.channelPitch()) * channels_ + kLanes);
      return panel_ && tile_;
    }
    if (plan_.way == kPlanesTimesGradients) {  // in whole panels
      const ptrdiff_t columns = ceilDivide(gradients_.channels, kLongVectors * kLanes) * kLongVectors * kLanes;
      turned_ = scratchOf<T>(call, worker, 2, static_cast<size_t>(columns) * channels_);
      return panel_ && turned_;
    }
    return panel_ != nullptr;
  }

  // Adds what the tile contributes; `add` says whether there is something to add to.
  void addTile(const TileAt& at, T* sums, ptrdiff_t pitch, bool add) {
    const auto ofSums = [&](int column, int) { return Panel{sums + column, pitch}; };
    if (plan_.way == kGradientsTimesPlanes)
      return multiply(at, gradients_, channels_, pixelsOf(at, pixels_), packerOf(pixels_), ofSums, add);
    if (plan_.way == kPlanesTimesGradients) {
      const auto turned = [&](int column, int width) { return turnedPanel(column, width); };
      return multiply(at, pixels_, gradients_.channels, pixelsOf(at, gradients_), packerOf(gradients_), turned, add);
    }
    fillTile(plan_, at, channels_, pixels_.data, tile_);
    const auto windows = [&](int k0, int steps, Run* runs) {
      return windowRuns(plan_.tile, at.windowRows, plan_.tile.planePitch, k0, steps, runs);
    };
    const auto pack = [&](const Run* runs, int found, int steps, int column, int count, int width) {
      gatherWindows(tile_, offsets_ + column, count, runs, found, kWindowPitch, windows_);
      packPanel(panel_, width, count, steps, windows_, kWindowPitch, 1);
    };
    multiply(at, gradients_, channels_ * plan_.taps(), windows, pack, ofSums, add);
  }

  // sums[output channel * pitch + channel * taps + tap] is then the sum over all tiles.
  void finish(T* sums, ptrdiff_t pitch) const {
    if (plan_.way != kPlanesTimesGradients) return;
    const auto turn = [&](int column, int count, int vectors) {
      const Panel panel = turnedPanel(column, vectors * kLanes);
      transpose(sums + column * pitch, pitch, channels_, count, panel.data, panel.row);
    };
    forPanels(tilingFor(channels_, gradients_.channels, kLanes), gradients_.channels, turn);
  }

 private:
  static constexpr int kLanes = Vec<T>::lanes;
  static constexpr ptrdiff_t kWindowPitch = kDepthBlock + kLanes;

  // Some columns of the sums.
  struct Panel {
    T* data;
    ptrdiff_t row;
  };

  // Panels one behind the other, so that each stays in the first-level cache.
  Panel turnedPanel(int column, int width) const {
    return {turned_ + static_cast<ptrdiff_t>(column) * channels_, width};
  }

  // use(first column, columns, vectors)
  template <typename Use>
  static void forPanels(const Tiling& tiling, int columns, const Use& use) {
    for (int column = 0; column < columns;) {
      const int vectors = columnVectors(tiling, columns - column, kLanes);
      const int count = smaller(vectors * kLanes, columns - column);
      use(column, count, vectors);
      column += count;
    }
  }

  // Steps of the contraction as runs of pixels.
  auto pixelsOf(const TileAt& at, const Planes<T>& planes) const {
    return [this, at, pitch = planes.image](int k0, int steps, Run* runs) {
      return pixelRuns(at, pitch, k0, steps, runs);
    };
  }

  // Packs channels of planes.
  auto packerOf(const Planes<T>& planes) {
    return [this, planes](const Run* runs, int found, int, int column, int count, int width) {
      for (const Run* run = runs; run < runs + found; ++run) {
        packPanel(panel_ + static_cast<ptrdiff_t>(run->at) * width, width, count, run->count,
                  planes.data + column * planes.plane + run->offset, planes.plane, 1);
      }
    };
  }

  // Adds rows times columns to what panelAt(column, width) gives. columnRuns(k0, steps, runs) gives the steps of a
  // block of the contraction, of which pack(runs, found, steps, column, count, width) packs a panel of columns.
  template <typename ColumnRuns, typename Pack, typename PanelAt>
  void multiply(const TileAt& at, const Planes<T>& rows, int columns, const ColumnRuns& columnRuns, const Pack& pack,
                const PanelAt& panelAt, bool add) {
    const Tiling tiling = tilingFor(rows.channels, columns, kLanes);
    const int depth = at.images * at.windowRows * plan_.shape.outWidth;
    Run runs[kDepthBlock], packed[kDepthBlock];
    for (int k0 = 0; k0 < depth; k0 += kDepthBlock, add = true) {
      const int steps = smaller<int>(kDepthBlock, depth - k0);
      const int found = pixelRuns(at, rows.image, k0, steps, runs), packedFound = columnRuns(k0, steps, packed);
      forPanels(tiling, columns, [&](int column, int count, int vectors) {
        pack(packed, packedFound, steps, column, count, vectors * kLanes);
        const Panel panel = panelAt(column, vectors * kLanes);
        for (int i = 0; i < rows.channels; i += tiling.rows) {
          const int height = smaller(tiling.rows, rows.channels - i), end = i + height;
          const T* after = end < rows.channels ? rows.data + end * rows.plane : rows.data + steps;
          runKernelFor<T>(height, vectors)(runs, found, rows.data + i * rows.plane, rows.plane,
                                           column == 0 ? after : nullptr, panel_, panel.data + i * panel.row, panel.row,
                                           count, add);
        }
      });
    }
  }

  // Pixels [first, first + count) of the tile's images, in planes as wide as the output's.
  int pixelRuns(const TileAt& at, ptrdiff_t imagePitch, int first, int count, Run* runs) const {
    const int width = plan_.shape.outWidth, perImage = at.windowRows * width;
    int found = 0;
    for (int done = 0; done < count; ++found) {
      const int image = (first + done) / perImage, pixel = (first + done) % perImage;
      const int length = smaller(perImage - pixel, count - done);
      runs[found] = {(at.firstImage + image) * imagePitch + static_cast<ptrdiff_t>(at.y0) * width + pixel, done,
                     length};
      done += length;
    }
    return found;
  }

  const WeightGradPlan& plan_;
  const int channels_;
  const ptrdiff_t* offsets_;
  Planes<T> pixels_, gradients_;
  T *panel_ = nullptr, *windows_ = nullptr, *tile_ = nullptr;
  T* turned_ = nullptr;  // sums of 1x1 windows whose rows are input channels
};

}  // namespace
}  // namespace saddlepoint
