// Batch normalisation of [N, C, S]. Sums run in 32 lanes over chunks cut by shape; the chunks of a channel are combined
// in order, in double. Where S is short, vectors run over the columns of [N, C * S] instead.
#include "../simd/vec.h"
#include "kernel.h"
#include "lane_sums.h"
#include "parallel.h"

namespace saddlepoint {
namespace {

enum { kChunk = 8192, kChunkRows = 128, kShort = 64 };

// What a chunk knows: mean and sum of squared deviations (Chan, Golub and LeVeque), or two sums.
struct Pair {
  double first, second;
};

// How the elements of a channel are cut into chunks.
struct Chunks {
  ptrdiff_t images, channels, length;  // N, C, S
  bool byColumns;                      // S is short
  ptrdiff_t imagesPerChunk, piece;     // a chunk is some images, or a piece of one
  ptrdiff_t pieces, count;             // pieces of an image; chunks of a channel (or column)

  ptrdiff_t imagesOf(ptrdiff_t chunk) const {
    const ptrdiff_t first = chunk / pieces * imagesPerChunk;
    return smaller(imagesPerChunk, images - first);
  }
  ptrdiff_t lengthOf(ptrdiff_t chunk) const { return smaller(piece, length - chunk % pieces * piece); }
};

Chunks chunksOf(const View& x) {
  Chunks c;
  c.images = x.shape[0];
  c.channels = x.shape[1];
  c.length = x.shape[2];
  c.byColumns = c.length < kShort;
  c.imagesPerChunk = c.byColumns ? ptrdiff_t(kChunkRows) : larger<ptrdiff_t>(1, kChunk / c.length);
  c.pieces = c.byColumns ? 1 : ceilDivide(c.length, kChunk);
  c.piece = c.byColumns ? c.length : ceilDivide(c.length, c.pieces);
  c.count = ceilDivide(c.images, c.imagesPerChunk) * c.pieces;
  return c;
}

// Both passes over one chunk of a channel; the second finds it in the cache.
template <typename T>
Pair momentsOfChunk(const T* x, const Chunks& c, ptrdiff_t images, ptrdiff_t length) {
  const ptrdiff_t imagePitch = c.channels * c.length;
  LaneSums<T> sums;
  for (ptrdiff_t n = 0; n < images; ++n) {
    const T* row = x + n * imagePitch;
    sums.over(length, [&](Vec<T> sum, ptrdiff_t i, int present) { return sum + loadSome(row + i, present); });
  }
  const double mean = sums.total() / static_cast<double>(images * length);
  const Repeated<T> center(static_cast<T>(mean));
  LaneSums<T> squares;
  for (ptrdiff_t n = 0; n < images; ++n) {
    const T* row = x + n * imagePitch;
    squares.over(length, [&](Vec<T> sum, ptrdiff_t i, int present) {
      const Vec<T> deviation = loadSome(row + i, present) - center.present(present);
      return fma(deviation, deviation, sum);
    });
  }
  return {mean, squares.total()};
}

template <typename T>
Pair gradSumsOfChunk(const T* g, const T* x, T mean, const Chunks& c, ptrdiff_t images, ptrdiff_t length) {
  const Repeated<T> center(mean);
  LaneSums<T> sums, products;
  for (ptrdiff_t n = 0; n < images; ++n) {
    const T *gRow = g + n * c.channels * c.length, *xRow = x + n * c.channels * c.length;
    sums.over(length, [&](Vec<T> sum, ptrdiff_t i, int present) { return sum + loadSome(gRow + i, present); });
    products.over(length, [&](Vec<T> sum, ptrdiff_t i, int present) {
      return fma(loadSome(gRow + i, present), loadSome(xRow + i, present) - center.present(present), sum);
    });
  }
  return {sums.total(), products.total()};
}

// The same for a chunk of `rows` rows of up to 32 columns, each column by itself. A few rows at a time are joined to the
// ones before (Chan, Golub and LeVeque), for rows far apart would not be in the cache for a second pass.
template <typename T>
void momentsOfColumns(const T* x, ptrdiff_t pitch, ptrdiff_t rows, int columns, Pair* out, ptrdiff_t outPitch) {
  using V = Vec<T>;
  constexpr int together = 8;
  for (int j = 0; j < columns; j += V::lanes) {
    const int present = smaller<int>(V::lanes, columns - j);
    V mean = V::zero(), squares = V::zero();
    const auto join = [&](ptrdiff_t i, int count) __attribute__((always_inline)) {
      V values[together], sum = V::zero(), more = V::zero();
      for (int k = 0; k < count; ++k) sum = sum + (values[k] = loadSome(x + (i + k) * pitch + j, present));
      const V mine = sum / V::broadcast(static_cast<T>(count)), delta = mine - mean;
      for (int k = 0; k < count; ++k) more = fma(values[k] - mine, values[k] - mine, more);
      const V share = V::broadcast(static_cast<T>(count) / static_cast<T>(i + count));
      mean = fma(delta, share, mean);
      squares = squares + fma(delta * delta, share * V::broadcast(static_cast<T>(i)), more);
    };
    ptrdiff_t i = 0;
    for (; i + together <= rows; i += together) join(i, together);
    if (i < rows) join(i, static_cast<int>(rows - i));
    T means[V::lanes], sums[V::lanes];
    mean.store(means);
    squares.store(sums);
    for (int k = 0; k < present; ++k)
      out[(j + k) * outPitch] = {static_cast<double>(means[k]), static_cast<double>(sums[k])};
  }
}

template <typename T>
void gradSumsOfColumns(const T* g, const T* x, const T* means, ptrdiff_t pitch, ptrdiff_t rows, int columns, Pair* out,
                       ptrdiff_t outPitch) {
  for (int j = 0; j < columns; j += Vec<T>::lanes) {
    using V = Vec<T>;
    const int present = smaller<int>(V::lanes, columns - j);
    const V mean = loadSome(means + j, present);
    V sum = V::zero(), products = V::zero();
    for (ptrdiff_t i = 0; i < rows; ++i) {
      const V gradient = loadSome(g + i * pitch + j, present);
      sum = sum + gradient;
      products = fma(gradient, loadSome(x + i * pitch + j, present) - mean, products);
    }
    T sums[V::lanes], dots[V::lanes];
    sum.store(sums);
    products.store(dots);
    for (int k = 0; k < present; ++k)
      out[(j + k) * outPitch] = {static_cast<double>(sums[k]), static_cast<double>(dots[k])};
  }
}

// Fills pairs[channel][...], chunks.count of them for each channel, or for each column of it. byChunk(offset of the
// first element, channel, images, length) -> Pair; byColumns(offset, first column, rows, columns, out, pitch of out).
template <typename ByChunk, typename ByColumns>
Failure forChunks(const Call& call, const Chunks& c, Pair* pairs, const ByChunk& byChunk, const ByColumns& byColumns) {
  const ptrdiff_t columns = c.channels * c.length;
  if (c.byColumns) {
    const ptrdiff_t blocks = ceilDivide(columns, kLanes);
    const ptrdiff_t perPart = 8;
    return runParts(call, ceilDivide(blocks * c.count, perPart), [&](int part, int) {
      for (ptrdiff_t at = part * perPart; at < smaller(blocks * c.count, (part + 1) * perPart); ++at) {
        const ptrdiff_t chunk = at / blocks, column = at % blocks * kLanes, image = chunk * c.imagesPerChunk;
        byColumns(image * columns + column, column, c.imagesOf(chunk),
                  static_cast<int>(smaller<ptrdiff_t>(kLanes, columns - column)), pairs + column * c.count + chunk,
                  c.count);
      }
      return true;
    });
  }
  const ptrdiff_t total = c.channels * c.count;
  const ptrdiff_t perPart = larger<ptrdiff_t>(1, 4 * kChunk / (smaller(c.imagesPerChunk, c.images) * c.piece));
  return runParts(call, ceilDivide(total, perPart), [&](int part, int) {
    for (ptrdiff_t at = part * perPart; at < smaller(total, (part + 1) * perPart); ++at) {
      const ptrdiff_t channel = at / c.count, chunk = at % c.count;
      const ptrdiff_t image = chunk / c.pieces * c.imagesPerChunk;
      const ptrdiff_t offset = (image * c.channels + channel) * c.length + chunk % c.pieces * c.piece;
      pairs[at] = byChunk(offset, channel, c.imagesOf(chunk), c.lengthOf(chunk));
    }
    return true;
  });
}

ptrdiff_t pairsPerChannel(const Chunks& c) { return c.byColumns ? c.count * c.length : c.count; }

Pair combineMoments(const Chunks& c, const Pair* pairs) {
  const double size = static_cast<double>(c.images * c.length);
  const auto forEach = [&](const auto& use) {
    for (ptrdiff_t chunk = 0; chunk < c.count; ++chunk) {
      const double elements = static_cast<double>(c.imagesOf(chunk) * (c.byColumns ? 1 : c.lengthOf(chunk)));
      for (ptrdiff_t i = chunk; i < pairsPerChannel(c); i += c.count) use(pairs[i], elements);
    }
  };
  double sum = 0, squares = 0;
  forEach([&](const Pair& pair, double elements) { sum += pair.first * elements; });
  const double mean = sum / size;
  forEach([&](const Pair& pair, double elements) {
    const double delta = pair.first - mean;
    squares += pair.second + delta * delta * elements;
  });
  return {mean, squares / size};
}

template <typename T>
Failure batchNormStatistics(const Call& call) {
  const View &x = call.inputs[0], &out = call.outputs[0];
  T* means = static_cast<T*>(out.data);
  if (x.size == 0) {
    for (int32_t i = 0; i < out.size; ++i) means[i] = static_cast<T>(__builtin_nan(""));
    return kOk;
  }
  const Chunks c = chunksOf(x);
  Pair* pairs = scratchOf<Pair>(call, 0, 0, c.channels * pairsPerChannel(c));
  if (!pairs) return kFailMemory;
  const T* data = static_cast<const T*>(x.data);
  forChunks(
      call, c, pairs,
      [&](ptrdiff_t at, ptrdiff_t, ptrdiff_t images, ptrdiff_t length) {
        return momentsOfChunk(data + at, c, images, length);
      },
      [&](ptrdiff_t at, ptrdiff_t, ptrdiff_t rows, int columns, Pair* to, ptrdiff_t pitch) {
        momentsOfColumns(data + at, c.channels * c.length, rows, columns, to, pitch);
      });
  for (ptrdiff_t channel = 0; channel < c.channels; ++channel) {
    const Pair moments = combineMoments(c, pairs + channel * pairsPerChannel(c));
    means[channel] = static_cast<T>(moments.first);
    means[c.channels + channel] = static_cast<T>(moments.second);
  }
  return kOk;
}

// Each of `count` values S times.
template <typename T>
void repeatEach(const T* values, ptrdiff_t count, ptrdiff_t times, T* out) {
  for (ptrdiff_t i = 0; i < count; ++i) {
    for (ptrdiff_t j = 0; j < times; ++j) *out++ = values[i];
  }
}

template <typename T>
Failure batchNormGradSums(const Call& call) {
  const View &x = call.inputs[1], &out = call.outputs[0];
  T* sums = static_cast<T*>(out.data);
  if (x.size == 0) {
    for (int32_t i = 0; i < out.size; ++i) sums[i] = 0;
    return kOk;
  }
  const Chunks c = chunksOf(x);
  const ptrdiff_t perChannel = pairsPerChannel(c);
  Pair* pairs = scratchOf<Pair>(call, 0, 0, c.channels * perChannel);
  T* columnMeans = c.byColumns ? scratchOf<T>(call, 0, 1, c.channels * c.length) : nullptr;
  if (!pairs || (c.byColumns && !columnMeans)) return kFailMemory;
  const T *g = static_cast<const T*>(call.inputs[0].data), *data = static_cast<const T*>(x.data);
  const T* means = static_cast<const T*>(call.inputs[2].data);
  if (c.byColumns) repeatEach(means, c.channels, c.length, columnMeans);
  forChunks(
      call, c, pairs,
      [&](ptrdiff_t at, ptrdiff_t channel, ptrdiff_t images, ptrdiff_t length) {
        return gradSumsOfChunk(g + at, data + at, means[channel], c, images, length);
      },
      [&](ptrdiff_t at, ptrdiff_t column, ptrdiff_t rows, int columns, Pair* to, ptrdiff_t pitch) {
        gradSumsOfColumns(g + at, data + at, columnMeans + column, c.channels * c.length, rows, columns, to, pitch);
      });
  for (ptrdiff_t channel = 0; channel < c.channels; ++channel) {
    Pair total = {0, 0};
    for (ptrdiff_t i = 0; i < perChannel; ++i) {
      total.first += pairs[channel * perChannel + i].first;
      total.second += pairs[channel * perChannel + i].second;
    }
    sums[channel] = static_cast<T>(total.first);
    sums[c.channels + channel] = static_cast<T>(total.second);
  }
  return kOk;
}

template <typename T>
SADDLEPOINT_INLINE Vec<T> normalized(Vec<T> x, Vec<T> mean, Vec<T> scale, Vec<T> bias) {
  return fma(x - mean, scale, bias);
}

template <typename T>
void normalizeRow(const T* x, T mean, T scale, T bias, ptrdiff_t count, T* out) {
  using V = Vec<T>;
  const V m = V::broadcast(mean), s = V::broadcast(scale), b = V::broadcast(bias);
  ptrdiff_t i = 0;
  for (; i + V::lanes <= count; i += V::lanes) normalized(V::load(x + i), m, s, b).store(out + i);
  const int left = static_cast<int>(count - i);
  if (left > 0) normalized(V::loadPartial(x + i, left), m, s, b).storePartial(out + i, left);
}

template <typename T>
void normalizeColumns(const T* x, const T* means, const T* scales, const T* biases, ptrdiff_t count, T* out) {
  using V = Vec<T>;
  for (ptrdiff_t i = 0; i < count; i += V::lanes) {
    const int present = static_cast<int>(smaller<ptrdiff_t>(V::lanes, count - i));
    const V y = normalized(loadSome(x + i, present), loadSome(means + i, present), loadSome(scales + i, present),
                           loadSome(biases + i, present));
    storeSome(y, out + i, present);
  }
}

template <typename T>
Failure batchNorm(const Call& call) {
  const View &x = call.inputs[0], &out = call.outputs[0];
  if (out.size == 0) return kOk;
  const Chunks c = chunksOf(x);
  const T *means = static_cast<const T*>(call.inputs[1].data), *variances = means + c.channels;
  const T *weight = static_cast<const T*>(call.inputs[2].data), *bias = static_cast<const T*>(call.inputs[3].data);
  const ptrdiff_t columns = c.channels * c.length;
  T* scales = scratchOf<T>(call, 0, 0, c.channels + 3 * columns * c.byColumns);
  if (!scales) return kFailMemory;
  for (ptrdiff_t i = 0; i < c.channels; ++i) {
    scales[i] = static_cast<T>(weight[i] / __builtin_sqrt(static_cast<double>(variances[i]) + call.attributes[0]));
  }
  const T* from = static_cast<const T*>(x.data);
  T* to = static_cast<T*>(out.data);
  if (c.byColumns) {
    T *columnMeans = scales + c.channels, *columnScales = columnMeans + columns, *columnBiases = columnScales + columns;
    repeatEach(means, c.channels, c.length, columnMeans);
    repeatEach<T>(scales, c.channels, c.length, columnScales);
    repeatEach(bias, c.channels, c.length, columnBiases);
    const ptrdiff_t perPart = larger<ptrdiff_t>(1, 4 * kChunk / columns);
    return runParts(call, ceilDivide(c.images, perPart), [&](int part, int) {
      for (ptrdiff_t n = part * perPart; n < smaller(c.images, (part + 1) * perPart); ++n) {
        normalizeColumns(from + n * columns, columnMeans, columnScales, columnBiases, columns, to + n * columns);
      }
      return true;
    });
  }
  const ptrdiff_t rows = c.images * c.channels, perPart = larger<ptrdiff_t>(1, 4 * kChunk / c.length);
  return runParts(call, ceilDivide(rows, perPart), [&](int part, int) {
    for (ptrdiff_t row = part * perPart; row < smaller(rows, (part + 1) * perPart); ++row) {
      const ptrdiff_t channel = row % c.channels;
      normalizeRow(from + row * c.length, means[channel], scales[channel], bias[channel], c.length,
                   to + row * c.length);
    }
    return true;
  });
}

}  // namespace

SADDLEPOINT_KERNEL(batchNormStatistics) {
  return call.outputs[0].dtype == kFloat64 ? batchNormStatistics<double>(call) : batchNormStatistics<float>(call);
}

SADDLEPOINT_KERNEL(batchNorm) {
  return call.outputs[0].dtype == kFloat64 ? batchNorm<double>(call) : batchNorm<float>(call);
}

SADDLEPOINT_KERNEL(batchNormGradSums) {
  return call.outputs[0].dtype == kFloat64 ? batchNormGradSums<double>(call) : batchNormGradSums<float>(call);
}

}  // namespace saddlepoint
