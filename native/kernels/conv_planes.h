// Weights times planes of pixels: convolutions with 1x1 windows, and input gradients that are summed up from the
// products of every pixel with every tap. Small images stand side by side, so that vectors are full.
#pragma once
#include "conv_tile.h"
#include "gemm_large.h"

namespace saddlepoint {
namespace {

template <typename T>
struct PlaneProduct {
  int images, groups;
  int channels, rows;  // of each group: contracted, and of the result
  int height, width;   // of the planes: pixel (y, x) is that of the source at (y * stepY, x * stepX)
  const T* source;     // [images, groups * channels, sourceHeight, sourceWidth]
  int sourceHeight, sourceWidth, stepY, stepX;
  const T* weights;                              // element (row, channel) of a group is at
  ptrdiff_t groupPitch, rowPitch, channelPitch;  // group * groupPitch + row * rowPitch + channel * channelPitch

  ptrdiff_t plane() const { return static_cast<ptrdiff_t>(height) * width; }
};

// Columns and rows of a part. Several images, or pixels of one; whole units of rows.
struct PlaneCut {
  int images;
  ptrdiff_t pixels;
  int rows;
};

enum { kColumnsAtATime = 256, kFewColumns = 256, kLeastParts = 16, kLeastPartWork = 1 << 19, kResultBytes = 1 << 19 };

// A part's result has `rows` rows, whole units of them, and stays in the second-level cache if it goes to scratch
// memory.
template <typename T>
PlaneCut planeCut(const PlaneProduct<T>& p, bool wholeImages, int unit) {
  const ptrdiff_t plane = p.plane(), width = kWideVectors * Vec<T>::lanes;
  PlaneCut cut = {1, plane, p.rows};
  if (plane <= kColumnsAtATime / 2) {
    cut.images = static_cast<int>(smaller<ptrdiff_t>(p.images, kColumnsAtATime / plane));
  } else if (!wholeImages) {
    const ptrdiff_t chunks = ceilDivide(plane, kColumnsAtATime + kColumnsAtATime / 4);
    cut.pixels = smaller(plane, ceilDivide(ceilDivide(plane, chunks), width) * width);
  }
  const ptrdiff_t columns = cut.images * cut.pixels;
  const ptrdiff_t chunks = ceilDivide(p.images, cut.images) * ceilDivide(plane, cut.pixels) * p.groups;
  const auto units = [&](ptrdiff_t rowParts) { return ceilDivide(ceilDivide(p.rows, unit), rowParts) * unit; };
  ptrdiff_t rowParts = 1;
  const auto isLarge = [&] {
    return (wholeImages || cut.images > 1) &&
           units(rowParts) * columns * static_cast<ptrdiff_t>(sizeof(T)) > kResultBytes;
  };
  const auto isCoarse = [&] {
    return chunks * rowParts < kLeastParts && units(rowParts) * columns * p.channels > 2 * kLeastPartWork;
  };
  while (units(rowParts) > unit && (isLarge() || isCoarse())) rowParts *= 2;
  cut.rows = static_cast<int>(units(rowParts));
  return cut;
}

// Pixels [first, first + count) of a plane, which lie `step` apart in rows and columns of its source.
template <typename T>
void copyPixels(const PlaneProduct<T>& p, const T* source, ptrdiff_t first, ptrdiff_t count, T* out) {
  if (p.stepY == 1 && p.stepX == 1) return copyElements(out, source + first, count);
  for (ptrdiff_t done = 0; done < count;) {
    const ptrdiff_t y = (first + done) / p.width, x = (first + done) % p.width;
    const ptrdiff_t run = smaller(p.width - x, count - done);
    copyStrided(out + done, source + y * p.stepY * p.sourceWidth + x * p.stepX, p.stepX, run);
    done += run;
  }
}

// A chunk of columns, of one group: images behind each other, or part of one.
struct PlaneChunk {
  int group, image, images;
  ptrdiff_t pixel, pixels;

  ptrdiff_t columns() const { return images * pixels; }
};

// Channels [k0, k0 + steps) of a chunk as panels one behind the other.
template <typename T>
void packPlanes(const PlaneProduct<T>& p, const PlaneChunk& chunk, const Tiling& tiling, int k0, int steps, T* out) {
  constexpr int lanes = Vec<T>::lanes;
  const ptrdiff_t sourcePlane = static_cast<ptrdiff_t>(p.sourceHeight) * p.sourceWidth;
  const auto planeOf = [&](int image, int channel) {
    return p.source + ((static_cast<ptrdiff_t>(image) * p.groups + chunk.group) * p.channels + channel) * sourcePlane;
  };
  if (chunk.images == 1 && p.stepY == 1 && p.stepX == 1)
    return packColumns(out, tiling, chunk.columns(), steps, planeOf(chunk.image, k0) + chunk.pixel, sourcePlane, 1);
  const ptrdiff_t columns = chunk.columns(), full = tiling.vectors * lanes;
  const ptrdiff_t last = (columns - 1) / full * full;
  const int lastWidth = columnVectors(tiling, columns - last, lanes) * lanes;
  for (int k = 0; k < steps; ++k) {
    for (int image = 0; image < chunk.images; ++image) {
      const T* from = planeOf(chunk.image + image, k0 + k);
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

// target.at(chunk, row) is where that row of the result goes, or null: then target.take(chunk, row, rows, result,
// pitch) is called when they are complete.
template <typename T, typename Target>
Failure multiplyPlanes(const Call& call, const PlaneProduct<T>& p, const PlaneCut& cut, const Target& target) {
  constexpr int lanes = Vec<T>::lanes;
  const ptrdiff_t columns = cut.images * cut.pixels, rowParts = ceilDivide(p.rows, cut.rows);
  const Tiling tiling = tilingFor(larger(2, cut.rows), columns, lanes);  // no long panels: their widths vary
  const ptrdiff_t padded = ceilDivide(columns, tiling.vectors * lanes) * tiling.vectors * lanes;
  const ptrdiff_t pixelChunks = ceilDivide(p.plane(), cut.pixels);
  const ptrdiff_t chunks = ceilDivide(p.images, cut.images) * pixelChunks * p.groups;
  const int depth = p.channels, block = smaller<int>(depth, kDepthBlock);
  const int blockRows = larger(1, kRowsOfPart / tiling.rows) * tiling.rows;
  const bool sharesColumns = rowParts > 1, packsRows = p.images * p.plane() > kFewColumns;
  const auto chunkAt = [&](ptrdiff_t at) {
    PlaneChunk chunk;
    chunk.pixel = at % pixelChunks * cut.pixels;
    chunk.pixels = smaller(cut.pixels, p.plane() - chunk.pixel);
    const ptrdiff_t imageChunks = ceilDivide(p.images, cut.images);
    chunk.image = static_cast<int>(at / pixelChunks % imageChunks) * cut.images;
    chunk.images = smaller(cut.images, p.images - chunk.image);
    chunk.group = static_cast<int>(at / pixelChunks / imageChunks);
    return chunk;
  };
  const size_t weightElements = packsRows ? roundUp64(static_cast<size_t>(p.groups) * p.rows * depth) : 0;
  T* packedRows =
      scratchOf<T>(call, 0, 0, weightElements + (sharesColumns ? static_cast<size_t>(chunks * padded) * depth : 0));
  if (!packedRows) return kFailMemory;
  T* packedColumns = packedRows + weightElements;

  const ptrdiff_t depthBlocks = ceilDivide(depth, kDepthBlock);
  if (packsRows) {
    runParts(call, p.groups * rowParts * depthBlocks, [&](ptrdiff_t part, int) {
      const int k0 = static_cast<int>(part % depthBlocks) * kDepthBlock, steps = smaller<int>(kDepthBlock, depth - k0);
      const ptrdiff_t row = part / depthBlocks % rowParts * cut.rows, group = part / depthBlocks / rowParts;
      packRows(packedRows + (group * depth + k0) * p.rows + row * steps, tiling,
               static_cast<int>(smaller<ptrdiff_t>(cut.rows, p.rows - row)), steps,
               p.weights + group * p.groupPitch + row * p.rowPitch + k0 * p.channelPitch, p.rowPitch, p.channelPitch);
      return true;
    });
  }
  if (sharesColumns) {
    runParts(call, chunks * depthBlocks, [&](ptrdiff_t part, int) {
      const int k0 = static_cast<int>(part % depthBlocks) * kDepthBlock, steps = smaller<int>(kDepthBlock, depth - k0);
      packPlanes(p, chunkAt(part / depthBlocks), tiling, k0, steps,
                 packedColumns + (part / depthBlocks * depth + k0) * padded);
      return true;
    });
  }
  return runParts(call, chunks * rowParts, [&](ptrdiff_t part, int worker) {
    const PlaneChunk chunk = chunkAt(part / rowParts);
    const int firstRow = static_cast<int>(part % rowParts) * cut.rows, rows = smaller(cut.rows, p.rows - firstRow);
    T* own = sharesColumns ? nullptr : scratchOf<T>(call, worker, 2, static_cast<size_t>(padded) * block);
    T* c = target.at(chunk, firstRow);
    const bool isDirect = c != nullptr;
    const ptrdiff_t pitch = isDirect ? p.plane() : padded;
    if (!isDirect) c = scratchOf<T>(call, worker, 3, static_cast<size_t>(rows) * padded);
    if ((!sharesColumns && !own) || !c) return false;
    for (int k0 = 0; k0 < depth; k0 += kDepthBlock) {
      const int steps = smaller<int>(kDepthBlock, depth - k0);
      const T* panels = sharesColumns ? packedColumns + (part / rowParts * depth + k0) * padded : own;
      if (!sharesColumns) packPlanes(p, chunk, tiling, k0, steps, own);
      for (int row = 0; row < rows; row += blockRows) {
        const ptrdiff_t at = firstRow + row;
        const RowBlock<T> rowsOfA =
            packsRows
                ? RowBlock<T>{packedRows + (static_cast<ptrdiff_t>(chunk.group) * depth + k0) * p.rows + at * steps, 0,
                              0, true}
                : RowBlock<T>{p.weights + chunk.group * p.groupPitch + at * p.rowPitch + k0 * p.channelPitch,
                              p.rowPitch, p.channelPitch, false};
        multiplyBlock<T>(
            tiling, smaller(blockRows, rows - row), chunk.columns(), steps, [&](int, int) { return rowsOfA; },
            [&](int, int, ptrdiff_t j, int, int width) {
              return ColumnPanel<T>{panels + j * steps, width};
            },
            c + row * pitch, pitch, k0 > 0);
      }
    }
    if (!isDirect) target.take(chunk, firstRow, rows, c, pitch);
    return true;
  });
}

// The result as planes of its own, [images, groups * rows, plane].
template <typename T>
struct PlanesAsTheyAre {
  T* out;
  ptrdiff_t groups, rows, plane;

  T* planeAt(const PlaneChunk& chunk, int image, int row) const {
    return out + ((static_cast<ptrdiff_t>(image) * groups + chunk.group) * rows + row) * plane;
  }
  T* at(const PlaneChunk& chunk, int row) const {
    return chunk.images == 1 ? planeAt(chunk, chunk.image, row) + chunk.pixel : nullptr;
  }
  void take(const PlaneChunk& chunk, int row, int count, const T* result, ptrdiff_t pitch) const {
    for (int i = 0; i < count; ++i) {
      for (int image = 0; image < chunk.images; ++image)
        copyElements(planeAt(chunk, chunk.image + image, row + i), result + i * pitch + image * plane, plane);
    }
  }
};

template <typename T>
Failure multiplyPlanes(const Call& call, const PlaneProduct<T>& p, T* out) {
  const int unit = tilingFor(p.rows, p.plane(), Vec<T>::lanes).rows;
  return multiplyPlanes(call, p, planeCut(p, false, unit), PlanesAsTheyAre<T>{out, p.groups, p.rows, p.plane()});
}

}  // namespace
}  // namespace saddlepoint
