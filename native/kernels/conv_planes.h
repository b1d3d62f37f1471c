// Weights times panels of windows, which all rows of the product share. Small images stand side by side, so that
// vectors are full.
#pragma once
#include "conv_product.h"
#include "gemm_large.h"

namespace saddlepoint {
namespace {

// Columns and rows of a part. Several images, or pixels of one; whole units of rows.
struct PlaneCut {
  int images;
  ptrdiff_t pixels;
  int rows;
};

enum { kColumnsAtATime = 256, kLeastParts = 8, kLeastPartWork = 1 << 19, kResultBytes = 1 << 19, kTileBytes = 1 << 20 };

// Room for the tile of one block of the contraction.
template <typename T>
size_t paddedElements(const WindowProduct<T>& p, const PlaneCut& cut) {
  if (p.isPointwise()) return 0;
  const ptrdiff_t rows = smaller<ptrdiff_t>(p.y.windows, (cut.pixels - 2) / p.x.windows + 2);
  const ptrdiff_t channels = smaller(p.channels, kDepthBlock / p.taps() + 2);
  return channels * cut.images * tileShape(p.y, p.x, static_cast<int>(rows)).planePitch + Vec<T>::lanes;
}

// A part's result has `rows` rows, whole units of them, and stays in the second-level cache if it does not go to its
// place at once.
template <typename T>
PlaneCut planeCut(const WindowProduct<T>& p, bool wholeImages, bool isDirect, int unit) {
  const ptrdiff_t plane = p.windows(), width = kWideVectors * Vec<T>::lanes;
  PlaneCut cut = {1, plane, p.rows};
  if (plane <= kColumnsAtATime / 2) {
    const ptrdiff_t chunks = ceilDivide(p.images, kColumnsAtATime / plane);
    cut.images = static_cast<int>(ceilDivide(p.images, chunks));
    while (cut.images > 1 && paddedElements(p, cut) * sizeof(T) > kTileBytes) cut.images = (cut.images + 1) / 2;
  } else if (!wholeImages) {
    const ptrdiff_t chunks = ceilDivide(plane, kColumnsAtATime + kColumnsAtATime / 4);
    cut.pixels = smaller(plane, ceilDivide(ceilDivide(plane, chunks), width) * width);
  }
  const ptrdiff_t columns = cut.images * cut.pixels;
  const ptrdiff_t chunks = ceilDivide(p.images, cut.images) * ceilDivide(plane, cut.pixels) * p.groups;
  const auto units = [&](ptrdiff_t rowParts) { return ceilDivide(ceilDivide(p.rows, unit), rowParts) * unit; };
  ptrdiff_t rowParts = 1;
  const auto isLarge = [&] {
    return (!isDirect || cut.images > 1) &&
           units(rowParts) * columns * static_cast<ptrdiff_t>(sizeof(T)) > kResultBytes;
  };
  const auto isCoarse = [&] {
    return chunks * rowParts < kLeastParts && units(rowParts) * columns * p.depth() > 2 * kLeastPartWork;
  };
  while (units(rowParts) > unit && (isLarge() || isCoarse())) rowParts *= 2;
  cut.rows = static_cast<int>(units(rowParts));
  return cut;
}

// Pixels [first, first + count) of a plane, which lie a step apart in rows and columns of its source.
template <typename T>
void copyPixels(const WindowProduct<T>& p, const T* source, ptrdiff_t first, ptrdiff_t count, T* out) {
  if (p.y.step == 1 && p.x.step == 1) return copyElements(out, source + first, count);
  for (ptrdiff_t done = 0; done < count;) {
    const ptrdiff_t y = (first + done) / p.x.windows, x = (first + done) % p.x.windows;
    const ptrdiff_t run = smaller(p.x.windows - x, count - done);
    copyStrided(out + done, source + y * p.y.step * p.x.size + x * p.x.step, p.x.step, run);
    done += run;
  }
}

// A chunk of columns, of one group: images behind each other, or part of one.
struct PlaneChunk {
  int group, image, images;
  ptrdiff_t pixel, pixels;

  ptrdiff_t columns() const { return images * pixels; }
};

// Steps [k0, k0 + steps) of the contraction of a chunk as panels one behind the other, where windows are pixels.
template <typename T>
void packPixels(const WindowProduct<T>& p, const PlaneChunk& chunk, const Tiling& tiling, int k0, int steps, T* out) {
  constexpr int lanes = Vec<T>::lanes;
  if (chunk.images == 1 && p.y.step == 1 && p.x.step == 1)
    return packColumns(out, tiling, chunk.columns(), steps, p.planeOf(chunk.image, chunk.group, k0) + chunk.pixel,
                       p.sourcePlane(), 1);
  const ptrdiff_t columns = chunk.columns(), full = tiling.vectors * lanes;
  const ptrdiff_t last = (columns - 1) / full * full;
  const int lastWidth = columnVectors(tiling, columns - last, lanes) * lanes;
  for (int k = 0; k < steps; ++k) {
    for (int image = 0; image < chunk.images; ++image) {
      const T* from = p.planeOf(chunk.image + image, chunk.group, k0 + k);
      for (ptrdiff_t done = 0; done < chunk.pixels;) {
        const ptrdiff_t column = image * chunk.pixels + done, panel = column / full * full;
        const ptrdiff_t width = panel == last ? lastWidth : full;
        const ptrdiff_t run = smaller(panel + full - column, chunk.pixels - done);
        copyPixels(p, from, chunk.pixel + done, run, out + panel * steps + k * width + column - panel);
        done += run;
      }
    }
    fillWith(out + last * steps + k * lastWidth + columns - last, lastWidth - (columns - last), T(0));
  }
}

// The same where windows have several taps: each channel is sorted into a tile once, and every tap gathers from that.
template <typename T>
void packWindows(const WindowProduct<T>& p, const PlaneChunk& chunk, const Tiling& tiling, int k0, int steps, T* padded,
                 T* out) {
  constexpr int lanes = Vec<T>::lanes;
  const int y0 = static_cast<int>(chunk.pixel / p.x.windows), taps = p.taps();
  const int windowRows = static_cast<int>((chunk.pixel + chunk.pixels - 1) / p.x.windows) + 1 - y0;
  const TileShape tile = tileShape(p.y, p.x, windowRows);
  T* to = padded;
  for (int channel = k0 / taps; channel * taps < k0 + steps; ++channel) {
    for (int image = 0; image < chunk.images; ++image, to += tile.planePitch)
      copyTilePlane(tile, p.planeOf(chunk.image + image, chunk.group, channel), y0, windowRows, T(0), to);
  }
  ptrdiff_t offsets[kDepthBlock];
  windowOffsets(p, tile, chunk.images * tile.planePitch, k0, steps, offsets);
  const ptrdiff_t columns = chunk.columns(), skipped = chunk.pixel - static_cast<ptrdiff_t>(y0) * p.x.windows;
  for (ptrdiff_t column = 0; column < columns;) {
    const int width = columnVectors(tiling, columns - column, lanes) * lanes;
    const int count = static_cast<int>(smaller<ptrdiff_t>(width, columns - column));
    Run runs[kWideVectors * lanes];
    const int found = windowRuns(tile, windowRows, tile.planePitch, skipped + column, count, runs);
    T* panel = out + column * steps;
    if (count < width) fillWith(panel, static_cast<ptrdiff_t>(steps) * width, T(0));
    gatherWindows(padded, offsets, steps, runs, found, width, panel);
    column += count;
  }
}

// target.at(chunk, row) is where that row of the result goes, or null: then target.take(chunk, row, rows, result,
// pitch) is called when they are complete.
template <typename T, typename Target>
Failure multiplyPlanes(const Call& call, const WindowProduct<T>& p, const PlaneCut& cut, const Target& target) {
  constexpr int lanes = Vec<T>::lanes;
  const ptrdiff_t columns = cut.images * cut.pixels, rowParts = ceilDivide(p.rows, cut.rows);
  const Tiling tiling = tilingFor(larger(2, cut.rows), columns, lanes);  // no long panels: their widths vary
  const ptrdiff_t padded = ceilDivide(columns, tiling.vectors * lanes) * tiling.vectors * lanes;
  const ptrdiff_t pixelChunks = ceilDivide(p.windows(), cut.pixels);
  const ptrdiff_t chunks = ceilDivide(p.images, cut.images) * pixelChunks * p.groups;
  const int depth = p.depth(), block = smaller<int>(depth, kDepthBlock);
  const int blockRows = larger(1, kRowsOfPart / tiling.rows) * tiling.rows;
  const bool sharesColumns = rowParts > 1, packsRows = p.images * p.windows() > kFewWindows || !p.isEven();
  const auto chunkAt = [&](ptrdiff_t at) {
    PlaneChunk chunk;
    chunk.pixel = at % pixelChunks * cut.pixels;
    chunk.pixels = smaller(cut.pixels, p.windows() - chunk.pixel);
    const ptrdiff_t imageChunks = ceilDivide(p.images, cut.images);
    chunk.image = static_cast<int>(at / pixelChunks % imageChunks) * cut.images;
    chunk.images = smaller(cut.images, p.images - chunk.image);
    chunk.group = static_cast<int>(at / pixelChunks / imageChunks);
    return chunk;
  };
  const auto packColumnsOf = [&](ptrdiff_t at, int k0, int steps, int worker, T* out) {
    if (p.isPointwise()) return packPixels(p, chunkAt(at), tiling, k0, steps, out), true;
    T* tile = scratchOf<T>(call, worker, 1, paddedElements(p, cut));
    if (tile) packWindows(p, chunkAt(at), tiling, k0, steps, tile, out);
    return tile != nullptr;
  };
  const size_t weightElements = packsRows ? roundUp64(static_cast<size_t>(p.groups) * p.rows * depth) : 0;
  T* packedRows =
      scratchOf<T>(call, 0, 0, weightElements + (sharesColumns ? static_cast<size_t>(chunks * padded) * depth : 0));
  if (!packedRows) return kFailMemory;
  T* packedColumns = packedRows + weightElements;

  const ptrdiff_t depthBlocks = ceilDivide(depth, kDepthBlock);
  if (packsRows) {
    const Failure failure = packWeights(call, p, tiling, cut.rows, packedRows);
    if (failure != kOk) return failure;
  }
  if (sharesColumns) {
    const Failure failure = runParts(call, chunks * depthBlocks, [&](ptrdiff_t part, int worker) {
      const int k0 = static_cast<int>(part % depthBlocks) * kDepthBlock, steps = smaller<int>(kDepthBlock, depth - k0);
      return packColumnsOf(part / depthBlocks, k0, steps, worker,
                           packedColumns + (part / depthBlocks * depth + k0) * padded);
    });
    if (failure != kOk) return failure;
  }
  return runParts(call, chunks * rowParts, [&](ptrdiff_t part, int worker) {
    const PlaneChunk chunk = chunkAt(part / rowParts);
    const int firstRow = static_cast<int>(part % rowParts) * cut.rows, rows = smaller(cut.rows, p.rows - firstRow);
    T* own = sharesColumns ? nullptr : scratchOf<T>(call, worker, 2, static_cast<size_t>(padded) * block);
    T* c = target.at(chunk, firstRow);
    const bool isDirect = c != nullptr;
    const ptrdiff_t pitch = isDirect ? p.windows() : padded;
    if (!isDirect) c = scratchOf<T>(call, worker, 3, static_cast<size_t>(rows) * padded);
    if ((!sharesColumns && !own) || !c) return false;
    for (int k0 = 0; k0 < depth; k0 += kDepthBlock) {
      const int steps = smaller<int>(kDepthBlock, depth - k0);
      const T* panels = sharesColumns ? packedColumns + (part / rowParts * depth + k0) * padded : own;
      if (!sharesColumns && !packColumnsOf(part, k0, steps, worker, own)) return false;
      for (int row = 0; row < rows; row += blockRows) {
        const ptrdiff_t at = firstRow + row;
        const RowBlock<T> rowsOfA =
            packsRows
                ? RowBlock<T>{packedRows + (static_cast<ptrdiff_t>(chunk.group) * depth + k0) * p.rows + at * steps, 0,
                              0, true}
                : RowBlock<T>{p.weights + chunk.group * p.groupPitch + at * p.rowPitch + k0 * p.stepPitch(), p.rowPitch,
                              p.stepPitch(), false};
        multiplyPacked<T>(tiling, smaller(blockRows, rows - row), chunk.columns(), steps, rowsOfA, panels,
                          c + row * pitch, pitch, k0 > 0);
      }
    }
    if (!isDirect) target.take(chunk, firstRow, rows, c, pitch);
    return true;
  });
}

// The result's elements where they belong.
template <typename T>
struct ToPlanes {
  const WindowProduct<T>& p;
  const ResultPlanes<T>& result;

  T* at(const PlaneChunk& chunk, int row) const {
    if (!result.isDense() || chunk.images > 1) return nullptr;
    return result.planeOf(p, chunk.image, chunk.group, row) + chunk.pixel;
  }
  void take(const PlaneChunk& chunk, int row, int count, const T* computed, ptrdiff_t pitch) const {
    for (int i = 0; i < count; ++i) {
      for (int image = 0; image < chunk.images; ++image) {
        T* plane = result.planeOf(p, chunk.image + image, chunk.group, row + i);
        const T* from = computed + i * pitch + image * chunk.pixels;
        if (result.isDense()) {
          copyElements(plane + chunk.pixel, from, chunk.pixels);
          continue;
        }
        for (ptrdiff_t done = 0, run; done < chunk.pixels; done += run) {
          const ptrdiff_t y = (chunk.pixel + done) / p.x.windows, x = (chunk.pixel + done) % p.x.windows;
          run = smaller(p.x.windows - x, chunk.pixels - done);
          result.put(plane, static_cast<int>(y), static_cast<int>(x), from + done, run);
        }
      }
    }
  }
};

template <typename T>
Failure multiplyPlanes(const Call& call, const WindowProduct<T>& p, const ResultPlanes<T>& result) {
  const int unit = tilingFor(p.rows, p.windows(), Vec<T>::lanes).rows;
  return multiplyPlanes(call, p, planeCut(p, false, result.isDense(), unit), ToPlanes<T>{p, result});
}

}  // namespace
}  // namespace saddlepoint
