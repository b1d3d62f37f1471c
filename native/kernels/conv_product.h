// What a convolution and its input gradient have in common: for every image and group, a matrix product of weights and
// windows. Computed from panels of windows (conv_planes.h) or from windows as they lie in a tile
// (conv_position_product.h).
#pragma once
#include "conv_tile.h"

namespace saddlepoint {
namespace {

// Weights of products with so few windows are read where they lie, if steps of the contraction are evenly apart.
enum { kFewWindows = 256 };

// The contraction runs over channels, then over the taps of a window, by rows.
template <typename T>
struct WindowProduct {
  int images, groups;
  int channels, rows;  // of each group: contracted, and of the result
  WindowAxis y, x;
  const T* source;       // [images, groups * channels, y.size, x.size]
  const T* weights;      // element (row, channel, tapY, tapX) of a group is at group * groupPitch +
  ptrdiff_t groupPitch;  // row * rowPitch + channel * channelPitch + tapY * tapPitchY + tapX * tapPitchX
  ptrdiff_t rowPitch, channelPitch;
  ptrdiff_t tapPitchY, tapPitchX;

  int taps() const { return y.taps * x.taps; }
  int depth() const { return channels * taps(); }
  ptrdiff_t windows() const { return static_cast<ptrdiff_t>(y.windows) * x.windows; }  // of an image
  ptrdiff_t sourcePlane() const { return static_cast<ptrdiff_t>(y.size) * x.size; }
  const T* planeOf(int image, int group, int channel) const {
    return source + ((static_cast<ptrdiff_t>(image) * groups + group) * channels + channel) * sourcePlane();
  }
  // Whether windows are single pixels of the image, all of them if they are next to each other.
  bool isPointwise() const {
    const auto isPixel = [](const WindowAxis& axis) {
      return axis.taps == 1 && axis.firstTap == 0 &&
             (axis.step == 1 ? axis.windows == axis.size : (axis.windows - 1) * axis.step < axis.size);
    };
    return isPixel(y) && isPixel(x);
  }
  // Whether the taps of a channel are equally far apart in the weights, by stepPitch(), and whether all steps of the
  // contraction are.
  bool haveEvenTaps() const { return x.taps == 1 || y.taps == 1 || tapPitchY == x.taps * tapPitchX; }
  bool isEven() const { return taps() == 1 || (haveEvenTaps() && channelPitch == taps() * stepPitch()); }
  ptrdiff_t stepPitch() const { return taps() == 1 ? channelPitch : x.taps == 1 ? tapPitchY : tapPitchX; }
};

// Result planes, of which each window gives one element: that of window (y, x) is at (firstY + y * stepY,
// firstX + x * stepX).
template <typename T>
struct ResultPlanes {
  T* out;  // [images, groups * rows, height, width]
  int height, width;
  int firstY = 0, firstX = 0, stepY = 1, stepX = 1;

  bool isDense() const { return stepY == 1 && stepX == 1; }
  T* planeOf(const WindowProduct<T>& p, int image, int group, int row) const {
    return out + ((static_cast<ptrdiff_t>(image) * p.groups + group) * p.rows + row) * height * width;
  }
  // `count` windows of row y, from x on.
  void put(T* plane, int y, int x, const T* from, ptrdiff_t count) const {
    T* to = plane + (firstY + static_cast<ptrdiff_t>(y) * stepY) * width + firstX + static_cast<ptrdiff_t>(x) * stepX;
    if (stepX == 1) return copyElements(to, from, count);
    for (ptrdiff_t i = 0; i < count; ++i) to[i * stepX] = from[i];
  }
};

// Where steps [k0, k0 + steps) of window (0, 0) lie in tiles of the channels from that of k0 on, `channelPitch` apart.
template <typename T>
void windowOffsets(const WindowProduct<T>& p, const TileShape& tile, ptrdiff_t channelPitch, int k0, int steps,
                   ptrdiff_t* offsets) {
  const int taps = p.taps(), firstChannel = k0 / taps;
  for (int k = k0; k < k0 + steps; ++k) {
    const int tap = k % taps;
    *offsets++ =
        (k / taps - firstChannel) * channelPitch + tile.offset(p.y.tapAt(tap / p.x.taps), p.x.tapAt(tap % p.x.taps));
  }
}

// Of all groups, each part of `rowsOfPart` rows in panels of tiling.rows, one block of the contraction after the other:
// the panel from row `row` on, for block k0 of a group, begins at group * rows * depth + k0 * rows + row * steps.
template <typename T>
Failure packWeights(const Call& call, const WindowProduct<T>& p, const Tiling& tiling, int rowsOfPart, T* out) {
  const int depth = p.depth(), taps = p.taps();
  // From step k on, so many are equally far apart.
  const auto runFrom = [&](int k) {
    return p.isEven() ? depth - k : p.haveEvenTaps() ? taps - k % taps : p.x.taps - k % p.x.taps;
  };
  const ptrdiff_t panelsOfPart = ceilDivide(rowsOfPart, tiling.rows),
                  panelsOfGroup = ceilDivide(p.rows, rowsOfPart) * panelsOfPart;
  const ptrdiff_t panels = p.groups * panelsOfGroup;
  const ptrdiff_t perPart = larger<ptrdiff_t>(1, (1 << 15) / (static_cast<ptrdiff_t>(tiling.rows) * depth));
  return runParts(call, ceilDivide(panels, perPart), [&](ptrdiff_t part, int) {
    for (ptrdiff_t at = part * perPart; at < smaller(panels, (part + 1) * perPart); ++at) {
      const ptrdiff_t group = at / panelsOfGroup, inGroup = at % panelsOfGroup,
                      inPart = inGroup % panelsOfPart * tiling.rows;
      const ptrdiff_t row = inGroup / panelsOfPart * rowsOfPart + inPart;
      const int count = static_cast<int>(smaller<ptrdiff_t>(tiling.rows, smaller(rowsOfPart - inPart, p.rows - row)));
      if (count <= 0) continue;
      const T* from = p.weights + group * p.groupPitch + row * p.rowPitch;
      for (int k0 = 0; k0 < depth; k0 += kDepthBlock) {
        const int steps = smaller<int>(kDepthBlock, depth - k0);
        T* panel = out + (group * depth + k0) * p.rows + row * steps;
        for (int k = 0, length; k < steps; k += length) {
          const int channel = (k0 + k) / taps, tap = (k0 + k) % taps;
          length = smaller(runFrom(k0 + k), steps - k);
          packPanel(panel + static_cast<ptrdiff_t>(k) * count, count, count, length,
                    from + channel * p.channelPitch + tap / p.x.taps * p.tapPitchY + tap % p.x.taps * p.tapPitchX,
                    p.rowPitch, p.stepPitch());
        }
      }
    }
    return true;
  });
}

}  // namespace
}  // namespace saddlepoint
