// The gradient of a convolution with respect to its weights: the output's gradient times the transposed windows, a
// contraction over the pixels of all images. The images are cut into slices by shape; each slice has its own sum, and
// the sums are added in a tree.
#include "conv_depthwise.h"
#include "conv_weight_positions.h"
#include "conv_weight_products.h"
#include "winograd_weights.h"

namespace saddlepoint {
namespace {

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

// Part is PositionPart or ProductPart.
template <typename T, template <typename> class Part>
Failure sumSlices(const Call& call, const WeightGradPlan& plan, const ptrdiff_t* offsets, T* sums) {
  const ConvShape& s = plan.shape;
  const ptrdiff_t taps = plan.taps(), channelParts = ceilDivide(s.inChannels, plan.channelsPerPart);
  const ptrdiff_t groupWeights = s.outChannels * s.inChannels * taps;
  return runParts(call, plan.slices * s.groups * channelParts, [&](int index, int worker) {
    const ptrdiff_t channel = index % channelParts * plan.channelsPerPart, group = index / channelParts % s.groups;
    const int slice = static_cast<int>(index / channelParts / s.groups);
    Part<T> part(plan, smaller(plan.channelsPerPart, static_cast<int>(s.inChannels - channel)), offsets,
                 static_cast<const T*>(call.inputs[1].data) + (group * s.inChannels + channel) * s.height * s.width,
                 static_cast<const T*>(call.inputs[0].data) + group * s.outChannels * s.outHeight * s.outWidth);
    if (!part.reserve(call, worker)) return false;
    T* to = sums + (slice * s.groups + group) * groupWeights + channel * taps;
    const int firstImage = slice * plan.imagesPerSlice, endImage = smaller(s.images, firstImage + plan.imagesPerSlice);
    bool add = false;
    for (int image = firstImage; image < endImage; image += plan.imagesPerTile) {
      for (int y = 0; y < s.outHeight; y += plan.windowRows, add = true) {
        part.addTile(
            {image, smaller(plan.imagesPerTile, endImage - image), y, smaller(plan.windowRows, s.outHeight - y)}, to,
            s.inChannels * taps, add);
      }
    }
    part.finish(to, s.inChannels * taps);
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
  const ConvShape s = convShape(call, x, out, g);
  if constexpr (sizeof(T) == sizeof(float)) {
    if (s.isWinogradShape() && winogradPays(s.images, s.inChannels, s.outChannels, s.outHeight, s.outWidth))
      return winogradWeightGrad(call, winogradPlan(call, s));
  }
  if (isDepthwiseRows(s)) return SADDLEPOINT_DEPTHWISE(T, depthwiseWeightGrad, call, s);
  const ptrdiff_t size = out.size;
  const WeightGradPlan plan = planFor(s, size);
  const int taps = plan.taps(), depth = plan.channelsPerPart * taps;
  const size_t sumBytes = plan.slices > 1 ? roundUp64(plan.slices * size * sizeof(T)) : 0;
  char* shared = scratchOf<char>(call, 0, 0, sumBytes + depth * sizeof(ptrdiff_t));
  if (!shared) return kFailMemory;
  T* sums = plan.slices > 1 ? reinterpret_cast<T*>(shared) : static_cast<T*>(out.data);
  ptrdiff_t* offsets = reinterpret_cast<ptrdiff_t*>(shared + sumBytes);
  for (int k = 0; k < depth; ++k) {
    const int tap = k % taps;
    offsets[k] = k / taps * plan.channelPitch() + plan.tile.offset(tap / s.kernelX * s.dilationY - s.paddingY,
                                                                   tap % s.kernelX * s.dilationX - s.paddingX);
  }
  const Failure failure = plan.way == kByPositions ? sumSlices<T, PositionPart>(call, plan, offsets, sums)
                                                   : sumSlices<T, ProductPart>(call, plan, offsets, sums);
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
