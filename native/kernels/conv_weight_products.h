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
    const bool inTile = plan_.way == kGradientsTimesWindows;
    panel_ = scratchOf<T>(call, worker, 1, panelSize + (inTile ? windowSize + kLanes : 0));
    windows_ = panel_ + panelSize;
    // What is turned is padded to whole panels.
    const ptrdiff_t columns = ceilDivide(plan_.shape.outChannels, kLongVectors * kLanes) * kLongVectors * kLanes;
    const ptrdiff_t size = inTile           ? plan_.channelPitch() * channels_ + kLanes
                           : isTransposed() ? channels_ * columns
                                            : 0;
    own_ = scratchOf<T>(call, worker, 2, static_cast<size_t>(size));
    return panel_ && own_;
  }

  // Adds what the tile contributes; `add` says whether there is something to add to.
  void addTile(const TileAt& at, T* sums, ptrdiff_t pitch, bool add) {
    const auto ofSums = [&](int column, int) { return Panel{sums + column, pitch}; };
    if (plan_.way == kGradientsTimesPlanes)
      return multiply(at, gradients_, channels_, packerOf(at, pixels_), ofSums, add);
    if (plan_.way == kPlanesTimesGradients) {
      const auto turned = [&](int column, int width) { return turnedPanel(column, width); };
      return multiply(at, pixels_, gradients_.channels, packerOf(at, gradients_), turned, add);
    }
    fillTile(plan_, at, channels_, pixels_.data, own_);
    Run runs[kDepthBlock];
    const auto pack = [&](int k0, int steps, int column, int count, int width) {
      const int found = windowRuns(plan_.tile, at.windowRows, plan_.tile.planePitch, k0, steps, runs);
      gatherWindows(own_, offsets_ + column, count, runs, found, kWindowPitch, windows_);
      packPanel(panel_, width, count, steps, windows_, kWindowPitch, 1);
    };
    multiply(at, gradients_, channels_ * plan_.taps(), pack, ofSums, add);
  }

  // sums[output channel * pitch + channel * taps + tap] is then the sum over all tiles.
  void finish(T* sums, ptrdiff_t pitch) const {
    if (!isTransposed()) return;
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

  bool isTransposed() const { return plan_.way == kPlanesTimesGradients; }

  // Panels one behind the other, so that each stays in the first-level cache.
  Panel turnedPanel(int column, int width) const { return {own_ + static_cast<ptrdiff_t>(column) * channels_, width}; }

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

  // Packs channels of planes.
  auto packerOf(const TileAt& at, const Planes<T>& planes) {
    return [this, at, planes](int k0, int steps, int column, int count, int width) {
      Run runs[kDepthBlock];
      const int found = pixelRuns(at, planes.image, k0, steps, runs);
      for (const Run* run = runs; run < runs + found; ++run) {
        packPanel(panel_ + static_cast<ptrdiff_t>(run->at) * width, width, count, run->count,
                  planes.data + column * planes.plane + run->offset, planes.plane, 1);
      }
    };
  }

  // Adds rows times columns, of which pack(k0, steps, column, count, width) packs a panel, to what panelAt(column,
  // width) gives.
  template <typename Pack, typename PanelAt>
  void multiply(const TileAt& at, const Planes<T>& rows, int columns, const Pack& pack, const PanelAt& panelAt,
                bool add) {
    const Tiling tiling = tilingFor(rows.channels, columns, kLanes);
    const int depth = at.images * at.windowRows * plan_.shape.outWidth;
    Run runs[kDepthBlock];
    for (int k0 = 0; k0 < depth; k0 += kDepthBlock, add = true) {
      const int steps = smaller<int>(kDepthBlock, depth - k0);
      const int found = pixelRuns(at, rows.image, k0, steps, runs);
      forPanels(tiling, columns, [&](int column, int count, int vectors) {
        pack(k0, steps, column, count, vectors * kLanes);
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
  T *panel_ = nullptr, *windows_ = nullptr;
  T* own_ = nullptr;  // the tile, or what is still to be turned
};

}  // namespace
}  // namespace saddlepoint
