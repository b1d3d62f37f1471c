// The gradient of a convolution with respect to its weights: the output's gradient times the transposed windows, a
// contraction over the pixels of all images. The images are cut into slices by shape; each slice has its own sum, and
// the sums are added in a tree.
#include "conv.h"
#include "winograd_weights.h"

namespace saddlepoint {
namespace {

struct WeightGradPlan {
  ConvShape shape;
  TileShape tile;
  int windowRows;       // of an image that are in the tile at a time
  int imagesPerTile;    // more than one only where they are in it as a whole
  int channelsPerPart;  // of the input
  int slices, imagesPerSlice;
};

inline WeightGradPlan planFor(const ConvShape& s, ptrdiff_t weights) {
  WeightGradPlan plan;
  plan.shape = s;
  const int pixels = s.outHeight * s.outWidth;
  const int pixelsPerTile = 4 * kDepthBlock;
  plan.imagesPerTile = smaller(s.images, larger<int>(1, kDepthBlock / pixels));
  plan.windowRows = smaller(s.outHeight, larger(1, pixelsPerTile / s.outWidth));
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
  const auto tileElements = [&] { return plan.tile.planePitch * plan.channelsPerPart * plan.imagesPerTile; };
  while (plan.channelsPerPart > 1 && tileElements() > (1 << 17)) plan.channelsPerPart = (plan.channelsPerPart + 1) / 2;
  const auto parts = [&] {
    return static_cast<ptrdiff_t>(plan.slices) * s.groups * ceilDivide(s.inChannels, plan.channelsPerPart);
  };
  while (parts() < 16 && plan.channelsPerPart * s.kernelY * s.kernelX > 128) {
    plan.channelsPerPart = (plan.channelsPerPart + 1) / 2;
  }
  return plan;
}

// What one part works on: one group, some input channels, a slice of the images.
template <typename T>
struct GradPart {
  const WeightGradPlan& plan;
  int channels, columns;     // columns = channels * taps
  const ptrdiff_t* offsets;  // of the taps, see TileShape
  T *tile, *panel, *windows, *rows;

  ptrdiff_t imagePitch() const { return plan.tile.planePitch * channels; }
  // Few columns: the product is computed transposed, so that vectors run over the output channels.
  bool transposed() const { return columns <= Vec<T>::lanes && columns < plan.shape.outChannels; }
  // Depthwise: no matrix product at all.
  bool depthwise() const { return plan.shape.outChannels == 1 && plan.shape.inChannels == 1; }
};

// Some rows of windows of some images: their gradients and how many there are.
template <typename T>
struct GradTile {
  const T* g;
  int images, y0, windowRows;
};

template <typename T>
void fillTile(const GradPart<T>& part, const GradTile<T>& at, const T* x) {
  const ConvShape& s = part.plan.shape;
  const ptrdiff_t plane = static_cast<ptrdiff_t>(s.height) * s.width;
  for (int image = 0; image < at.images; ++image) {
    for (int channel = 0; channel < part.channels; ++channel) {
      copyTilePlane(part.plan.tile, x + (static_cast<ptrdiff_t>(image) * s.groups * s.inChannels + channel) * plane,
                    at.y0, at.windowRows, T(0),
                    part.tile + image * part.imagePitch() + channel * part.plan.tile.planePitch);
    }
  }
}

// Packs the gradients of output channels [channel, channel + count) at pixels [k0, k0 + steps) of a tile.
template <typename T>
void packGradients(const GradPart<T>& part, const GradTile<T>& at, int channel, int count, int width, int k0, int steps,
                   T* out) {
  const ConvShape& s = part.plan.shape;
  const ptrdiff_t pixels = static_cast<ptrdiff_t>(s.outHeight) * s.outWidth;
  const int pixelsInTile = at.windowRows * s.outWidth;
  for (int k = 0; k < steps;) {
    const int image = (k0 + k) / pixelsInTile, pixel = (k0 + k) % pixelsInTile;
    const int length = smaller(pixelsInTile - pixel, steps - k);
    const T* from = at.g + (static_cast<ptrdiff_t>(image) * s.groups * s.outChannels + channel) * pixels +
                    static_cast<ptrdiff_t>(at.y0) * s.outWidth + pixel;
    packPanel(out + static_cast<ptrdiff_t>(k) * width, width, count, length, from, pixels, 1);
    k += length;
  }
}

// Adds what a tile contributes to sums[output channel * pitch + column].
template <typename T>
void addTile(const GradPart<T>& part, const GradTile<T>& at, T* sums, ptrdiff_t pitch, bool add) {
  const ConvShape& s = part.plan.shape;
  constexpr int lanes = Vec<T>::lanes;
  const ptrdiff_t windowPitch = kDepthBlock + lanes;
  const Tiling tiling = tilingFor(s.outChannels, part.columns, lanes);
  WindowRun runs[kDepthBlock];
  int runCount = 0;
  multiplyBlock<T>(
      tiling, s.outChannels, part.columns, at.images * at.windowRows * s.outWidth,
      [&](int k0, int steps) {
        runCount = windowRuns(part.plan.tile, at.windowRows, part.imagePitch(), k0, steps, runs);
        for (int i = 0; i < s.outChannels; i += tiling.rows) {
          const int count = smaller(tiling.rows, s.outChannels - i);
          packGradients(part, at, i, count, count, k0, steps, part.rows + static_cast<ptrdiff_t>(i) * steps);
        }
        return PackedRows<T>{part.rows};
      },
      [&](int, int steps, ptrdiff_t column, int count, int width) {
        gatherWindows(part.tile, part.offsets + column, count, runs, runCount, windowPitch, part.windows);
        packPanel(part.panel, width, count, steps, part.windows, windowPitch, 1);
        return ColumnPanel<T>{part.panel, width};
      },
      sums, pitch, add);
}

// The same for sums[column * pitch + output channel].
template <typename T>
void addTileTransposed(const GradPart<T>& part, const GradTile<T>& at, T* sums, ptrdiff_t pitch, bool add) {
  const ConvShape& s = part.plan.shape;
  constexpr int lanes = Vec<T>::lanes;
  const ptrdiff_t windowPitch = kDepthBlock + lanes;
  multiplyBlock<T>(
      tilingFor(part.columns, s.outChannels, lanes), part.columns, s.outChannels,
      at.images * at.windowRows * s.outWidth,
      [&](int k0, int steps) {
        WindowRun runs[kDepthBlock];
        const int runCount = windowRuns(part.plan.tile, at.windowRows, part.imagePitch(), k0, steps, runs);
        gatherWindows(part.tile, part.offsets, part.columns, runs, runCount, windowPitch, part.windows);
        return RowBlock<T>{part.windows, windowPitch, 1, false};
      },
      [&](int k0, int steps, ptrdiff_t channel, int count, int width) {
        packGradients(part, at, static_cast<int>(channel), count, width, k0, steps, part.panel);
        return ColumnPanel<T>{part.panel, width};
      },
      sums, pitch, add);
}

// Depthwise: for each tap, the sums of 64 bytes' worth of lanes: sums[tap * lanes + lane].
template <typename T>
constexpr int depthwiseLanes() {
  return 64 / sizeof(T);
}

template <typename T>
void addTileDepthwise(const GradPart<T>& part, const GradTile<T>& at, T* sums) {
  using V = Vec<T>;
  constexpr int registers = depthwiseLanes<T>() / V::lanes, tapsAtOnce = 4;
  const ConvShape& s = part.plan.shape;
  const ptrdiff_t pixels = static_cast<ptrdiff_t>(s.outHeight) * s.outWidth;
  for (int tap = 0; tap < part.columns; tap += tapsAtOnce) {
    const int taps = smaller<int>(tapsAtOnce, part.columns - tap);
    ptrdiff_t offsets[tapsAtOnce];
    V lanes[tapsAtOnce][registers];
    for (int t = 0; t < tapsAtOnce; ++t) {
      offsets[t] = part.offsets[tap + smaller(t, taps - 1)];
      for (int r = 0; r < registers; ++r) {
        lanes[t][r] = t < taps ? V::load(sums + ((tap + t) * registers + r) * V::lanes) : V::zero();
      }
    }
    for (int row = 0; row < at.images * at.windowRows; ++row) {
      const int image = row / at.windowRows, y = row % at.windowRows;
      const T* g = at.g + image * s.groups * pixels + static_cast<ptrdiff_t>(at.y0 + y) * s.outWidth;
      const T* corner =
          part.tile + image * part.imagePitch() + static_cast<ptrdiff_t>(y) * s.strideY * part.plan.tile.rowPitch;
      for (int x = 0; x < s.outWidth; x += depthwiseLanes<T>()) {
#pragma GCC unroll 8
        for (int r = 0; r < registers; ++r) {
          const int at0 = x + r * V::lanes, left = s.outWidth - at0;
          if (left >= V::lanes) {
            const V gradient = V::load(g + at0);
#pragma GCC unroll 4
            for (int t = 0; t < tapsAtOnce; ++t)
              lanes[t][r] = fma(gradient, V::load(corner + offsets[t] + at0), lanes[t][r]);
          } else if (left > 0) {
            const V gradient = V::loadPartial(g + at0, left);
#pragma GCC unroll 4
            for (int t = 0; t < tapsAtOnce; ++t) {
              lanes[t][r] = fma(gradient, V::loadPartial(corner + offsets[t] + at0, left), lanes[t][r]);
            }
          }
        }
      }
    }
    for (int t = 0; t < taps; ++t) {
      for (int r = 0; r < registers; ++r) lanes[t][r].store(sums + ((tap + t) * registers + r) * V::lanes);
    }
  }
}

template <typename T>
void addLanes(T* sums, int taps, T* out) {
  for (int tap = 0; tap < taps; ++tap, sums += depthwiseLanes<T>()) {
    for (int half = depthwiseLanes<T>() / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
    }
    out[tap] = sums[0];
  }
}

// Everything one part contributes: images [firstImage, endImage), whose planes start at g and x for image 0.
template <typename T>
void sumSlice(const GradPart<T>& part, const T* g, const T* x, int firstImage, int endImage, T* temporary, T* out) {
  const WeightGradPlan& plan = part.plan;
  const ConvShape& s = plan.shape;
  const ptrdiff_t outPitch = static_cast<ptrdiff_t>(s.inChannels) * s.kernelY * s.kernelX;
  const ptrdiff_t gImage = static_cast<ptrdiff_t>(s.groups) * s.outChannels * s.outHeight * s.outWidth;
  const ptrdiff_t xImage = static_cast<ptrdiff_t>(s.groups) * s.inChannels * s.height * s.width;
  if (part.depthwise()) fillWith(temporary, part.columns * depthwiseLanes<T>(), T(0));
  bool add = false;
  for (int image = firstImage; image < endImage; image += plan.imagesPerTile) {
    for (int y = 0; y < s.outHeight; y += plan.windowRows, add = true) {
      const GradTile<T> at = {g + image * gImage, smaller(plan.imagesPerTile, endImage - image), y,
                              smaller(plan.windowRows, s.outHeight - y)};
      fillTile(part, at, x + image * xImage);
      if (part.depthwise()) {
        addTileDepthwise(part, at, temporary);
      } else if (part.transposed()) {
        addTileTransposed(part, at, temporary, s.outChannels, add);
      } else {
        addTile(part, at, out, outPitch, add);
      }
    }
  }
  if (part.depthwise()) {
    addLanes(temporary, part.columns, out);
  } else if (part.transposed()) {
    for (int o = 0; o < s.outChannels; ++o) {
      for (int column = 0; column < part.columns; ++column)
        out[o * outPitch + column] = temporary[column * s.outChannels + o];
    }
  }
}

// sums[0] += sums[1] + ... as a balanced tree over the slices.
template <typename T>
Failure addSlices(const Call& call, T* sums, int slices, ptrdiff_t size) {
  const ptrdiff_t perPart = 4096;
  return runParts(call, ceilDivide(size, perPart), [&](int part, int) {
    const ptrdiff_t begin = part * perPart, end = smaller(size, begin + perPart);
    for (int distance = 1; distance < slices; distance *= 2) {
      for (int slice = 0; slice + distance < slices; slice += 2 * distance) {
        T* to = sums + slice * size;
        const T* from = sums + (slice + distance) * size;
        for (ptrdiff_t i = begin; i < end; ++i) to[i] += from[i];
      }
    }
    return true;
  });
}

WinogradWeightGrad<float> winogradPlan(const Call& call, const ConvShape& s) {
  const TileGrid pixels = tileGrid(s.height, s.width, s.paddingY, s.paddingX, s.outHeight, s.outWidth);
  const TileGrid gradients = tileGrid(s.outHeight, s.outWidth, 0, 0, s.outHeight, s.outWidth);
  return {s.images,
          {pixels, static_cast<const float*>(call.inputs[1].data), s.inChannels},
          {gradients, static_cast<const float*>(call.inputs[0].data), s.outChannels},
          static_cast<float*>(call.outputs[0].data)};
}

template <typename T>
Failure conv2dWeightGrad(const Call& call) {
  const View &g = call.inputs[0], &x = call.inputs[1], &out = call.outputs[0];
  if (out.size == 0) return kOk;
  if (g.size == 0 || x.size == 0) return fillZero<T>(out), kOk;
  constexpr int lanes = Vec<T>::lanes;
  const ConvShape s = convShape(call, x, out, g);
  if constexpr (sizeof(T) == sizeof(float)) {
    if (s.isWinogradShape() && winogradPays(s.images, s.inChannels, s.outChannels, s.outHeight, s.outWidth))
      return winogradWeightGrad(call, winogradPlan(call, s));
  }
  const ptrdiff_t size = out.size;
  const WeightGradPlan plan = planFor(s, size);
  const int taps = s.kernelY * s.kernelX, depth = plan.channelsPerPart * taps;
  const size_t sumBytes = plan.slices > 1 ? roundUp64(plan.slices * size * sizeof(T)) : 0;
  char* shared = scratchOf<char>(call, 0, 0, sumBytes + depth * sizeof(ptrdiff_t));
  if (!shared) return kFailMemory;
  T* sums = plan.slices > 1 ? reinterpret_cast<T*>(shared) : static_cast<T*>(out.data);
  ptrdiff_t* offsets = reinterpret_cast<ptrdiff_t*>(shared + sumBytes);
  for (int k = 0; k < depth; ++k) {
    const int tap = k % taps;
    offsets[k] = k / taps * plan.tile.planePitch + plan.tile.offset(tap / s.kernelX * s.dilationY - s.paddingY,
                                                                    tap % s.kernelX * s.dilationX - s.paddingX);
  }
  const ptrdiff_t channelParts = ceilDivide(s.inChannels, plan.channelsPerPart);
  const Failure failure = runParts(call, plan.slices * s.groups * channelParts, [&](int part, int worker) {
    const int channel = static_cast<int>(part % channelParts) * plan.channelsPerPart;
    const ptrdiff_t group = part / channelParts % s.groups;
    const int slice = static_cast<int>(part / channelParts / s.groups);
    const int channels = smaller(plan.channelsPerPart, s.inChannels - channel);
    const size_t panelSize = static_cast<size_t>(kDepthBlock) * kLongVectors * lanes;
    const size_t windowSize = static_cast<size_t>(kDepthBlock + lanes) * kLongVectors * lanes;
    const size_t rowSize = static_cast<size_t>(s.outChannels) * kDepthBlock;
    GradPart<T> work = {plan, channels, channels * taps, offsets, nullptr, nullptr, nullptr, nullptr};
    const size_t temporarySize = work.depthwise()    ? static_cast<size_t>(taps) * depthwiseLanes<T>()
                                 : work.transposed() ? static_cast<size_t>(work.columns) * s.outChannels
                                                     : 0;
    work.tile = scratchOf<T>(call, worker, 1, plan.tile.planePitch * channels * plan.imagesPerTile + lanes);
    work.panel = scratchOf<T>(call, worker, 2, panelSize + windowSize + lanes);
    work.rows = scratchOf<T>(call, worker, 3, rowSize + temporarySize);
    if (!work.tile || !work.panel || !work.rows) return false;
    work.windows = work.panel + panelSize;
    const int firstImage = slice * plan.imagesPerSlice, endImage = smaller(s.images, firstImage + plan.imagesPerSlice);
    sumSlice(
        work, static_cast<const T*>(g.data) + group * s.outChannels * s.outHeight * s.outWidth,
        static_cast<const T*>(x.data) + (group * s.inChannels + channel) * s.height * s.width, firstImage, endImage,
        work.rows + rowSize,
        sums + slice * size + group * s.outChannels * s.inChannels * taps + static_cast<ptrdiff_t>(channel) * taps);
    return true;
  });
  if (failure != kOk || plan.slices == 1) return failure;
  const Failure added = addSlices(call, sums, plan.slices, size);
  if (added == kOk) copyElements(static_cast<T*>(out.data), sums, size);
  return added;
}

}  // namespace

SADDLEPOINT_KERNEL(conv2dWeightGrad) {
  return call.outputs[0].dtype == kFloat64 ? conv2dWeightGrad<double>(call) : conv2dWeightGrad<float>(call);
}

}  // namespace saddlepoint
