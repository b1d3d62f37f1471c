// The gradient of a convolution with respect to its weights: the output's gradient times the transposed windows, a
// contraction over the pixels of all images. The images are cut into slices by shape; each slice has its own sum, and
// the sums are added in a tree.
#include "conv.h"

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

template <typename T>
struct Buffers {
  T *tile, *panel, *windows, *rows;
};

// Adds what some rows of some images contribute to the weights of one group and some channels.
template <typename T>
void addTile(const WeightGradPlan& plan, const T* g, const T* x, int images, int y0, int windowRows, int channels,
             const ptrdiff_t* offsets, const Buffers<T>& buffers, T* sums, bool add) {
  const ConvShape& s = plan.shape;
  constexpr int lanes = Vec<T>::lanes;
  const ptrdiff_t pixels = static_cast<ptrdiff_t>(s.outHeight) * s.outWidth;
  const int pixelsInTile = windowRows * s.outWidth;
  const ptrdiff_t imagePitch = plan.tile.planePitch * channels, inPlane = static_cast<ptrdiff_t>(s.height) * s.width;
  for (int image = 0; image < images; ++image) {
    for (int channel = 0; channel < channels; ++channel) {
      copyTilePlane(plan.tile, x + (static_cast<ptrdiff_t>(image) * s.groups * s.inChannels + channel) * inPlane, y0,
                    windowRows, T(0), buffers.tile + image * imagePitch + channel * plan.tile.planePitch);
    }
  }
  const int taps = s.kernelY * s.kernelX, columns = channels * taps;
  const Tiling tiling = tilingFor(s.outChannels, columns, lanes);
  WindowRun runs[kDepthBlock];
  int runCount = 0;
  multiplyBlock<T>(
      tiling, s.outChannels, columns, images * pixelsInTile,
      [&](int k0, int steps) {
        runCount = windowRuns(plan.tile, windowRows, imagePitch, k0, steps, runs);
        for (int i = 0; i < s.outChannels; i += tiling.rows) {
          const int count = smaller(tiling.rows, s.outChannels - i);
          for (int k = 0; k < steps;) {
            const int image = (k0 + k) / pixelsInTile, pixel = (k0 + k) % pixelsInTile;
            const int length = smaller(pixelsInTile - pixel, steps - k);
            const T* from = g + (static_cast<ptrdiff_t>(image) * s.groups * s.outChannels + i) * pixels +
                            static_cast<ptrdiff_t>(y0) * s.outWidth + pixel;
            packPanel(buffers.rows + static_cast<ptrdiff_t>(i) * steps + static_cast<ptrdiff_t>(k) * count, count, count,
                      length, from, pixels, 1);
            k += length;
          }
        }
        return PackedRows<T>{buffers.rows};
      },
      [&](int, int steps, ptrdiff_t column, int count, int width) {
        const ptrdiff_t pitch = kDepthBlock + lanes;
        gatherWindows(buffers.tile, offsets + column, count, runs, runCount, pitch, buffers.windows);
        packPanel(buffers.panel, width, count, steps, buffers.windows, pitch, 1);
        return ColumnPanel<T>{buffers.panel, width};
      },
      sums, static_cast<ptrdiff_t>(s.inChannels) * taps, add);
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

template <typename T>
Failure conv2dWeightGrad(const Call& call) {
  const View &g = call.inputs[0], &x = call.inputs[1], &out = call.outputs[0];
  if (out.size == 0) return kOk;
  if (g.size == 0 || x.size == 0) return fillZero<T>(out), kOk;
  constexpr int lanes = Vec<T>::lanes;
  const ConvShape s = convShape(call, x, out, g);
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
    offsets[k] = k / taps * plan.tile.planePitch +
                 plan.tile.offset(tap / s.kernelX * s.dilationY - s.paddingY, tap % s.kernelX * s.dilationX - s.paddingX);
  }
  const ptrdiff_t channelParts = ceilDivide(s.inChannels, plan.channelsPerPart);
  const Failure failure = runParts(call, plan.slices * s.groups * channelParts, [&](int part, int worker) {
    const int channel = static_cast<int>(part % channelParts) * plan.channelsPerPart;
    const ptrdiff_t group = part / channelParts % s.groups;
    const int slice = static_cast<int>(part / channelParts / s.groups);
    const int channels = smaller(plan.channelsPerPart, s.inChannels - channel);
    Buffers<T> buffers;
    const size_t panelSize = static_cast<size_t>(kDepthBlock) * kLongVectors * lanes;
    const size_t windowSize = static_cast<size_t>(kDepthBlock + lanes) * kLongVectors * lanes;
    buffers.tile = scratchOf<T>(call, worker, 1, plan.tile.planePitch * channels * plan.imagesPerTile + lanes);
    buffers.panel = scratchOf<T>(call, worker, 2, panelSize + windowSize + lanes);
    buffers.rows = scratchOf<T>(call, worker, 3, static_cast<size_t>(s.outChannels) * kDepthBlock);
    if (!buffers.tile || !buffers.panel || !buffers.rows) return false;
    buffers.windows = buffers.panel + panelSize;
    T* to = sums + slice * size + group * s.outChannels * s.inChannels * taps + static_cast<ptrdiff_t>(channel) * taps;
    const int firstImage = slice * plan.imagesPerSlice;
    const int endImage = smaller(s.images, firstImage + plan.imagesPerSlice);
    bool add = false;
    for (int image = firstImage; image < endImage; image += plan.imagesPerTile) {
      const T* gradient = static_cast<const T*>(g.data) +
                          (static_cast<ptrdiff_t>(image) * s.groups + group) * s.outChannels * s.outHeight * s.outWidth;
      const T* planes = static_cast<const T*>(x.data) +
                        ((static_cast<ptrdiff_t>(image) * s.groups + group) * s.inChannels + channel) * s.height * s.width;
      for (int y = 0; y < s.outHeight; y += plan.windowRows, add = true) {
        addTile(plan, gradient, planes, smaller(plan.imagesPerTile, endImage - image), y,
                smaller(plan.windowRows, s.outHeight - y), channels, offsets, buffers, to, add);
      }
    }
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
