// out = weights x windows: what the forward convolution and its input gradient have in common. For every image and
// group, a matrix product whose right side are windows of the image: as they lie in a tile, or gathered from it panel
// by panel.
#pragma once
#include "conv_positions.h"

namespace saddlepoint {
namespace {

template <typename T>
struct WindowProduct {
  int images, groups;
  int channels;  // contracted, of each group
  int rows;      // of the result, of each group
  int taps;
  WindowAxis y, x;
  const T* source;           // [images, groups * channels, y.size, x.size]
  const T* weights;          // packed by packWeights: a block of the contraction after the other, groups outside;
  bool arePlain;             // or else [groups, rows, channels, taps], for the products that gather windows
  const ptrdiff_t* offsets;  // [channels * taps], see windowOffsets
  T* tiles;                  // room for sharedTiles
  T* out;                    // [images, groups * rows, outHeight, outWidth]; window (y, x) goes to
  int outHeight, outWidth;   // (outY + y * outStepY, outX + x * outStepX)
  int outY, outX, outStepY, outStepX;
};

// How the work on one group of one image is cut.
struct WindowCut {
  int windowRows;  // for one part: a tile that fits in half of the L2 cache
  int rowParts;    // into which the rows of the product are cut
};

// Enough parts where the images are few: parts that share windows rather than rows of windows, which are short vectors.
template <typename T>
WindowCut windowCut(const WindowProduct<T>& p) {
  const double work = static_cast<double>(p.rows) * p.channels * p.taps * p.x.windows;
  WindowCut cut = {p.y.windows, 1};
  const auto tileBytes = [&] {
    return static_cast<double>(tileShape(p.y, p.x, cut.windowRows).planePitch) * p.channels * sizeof(T);
  };
  while (cut.windowRows > 1 && tileBytes() > (1 << 19)) cut.windowRows = (cut.windowRows + 1) / 2;
  const auto isCoarse = [&] {
    const double parts =
        static_cast<double>(p.images) * p.groups * ceilDivide(p.y.windows, cut.windowRows) * cut.rowParts;
    return parts < 16 && work * cut.windowRows / cut.rowParts > (1 << 19);
  };
  while (p.rows / cut.rowParts >= 64 && isCoarse()) cut.rowParts *= 2;
  while (cut.windowRows > 1 && isCoarse()) cut.windowRows = (cut.windowRows + 1) / 2;
  return cut;
}

// Behind the last element up to a vector is read; tiles begin with a line.
template <typename T>
ptrdiff_t tileElements(const WindowProduct<T>& p, const WindowCut& cut) {
  const ptrdiff_t line = 64 / sizeof(T), elements = tileShape(p.y, p.x, cut.windowRows).planePitch * p.channels;
  return (ceilDivide(elements, line) + 1) * line;
}

// Elements of the tiles that parts share which compute different rows of the same windows: then each is filled once,
// before them.
template <typename T>
size_t sharedTiles(const WindowProduct<T>& p, const WindowCut& cut) {
  if (cut.rowParts == 1) return 0;
  return static_cast<size_t>(p.images * p.groups * ceilDivide(p.y.windows, cut.windowRows) * tileElements(p, cut));
}

template <typename T>
void windowOffsets(const TileShape& tile, int channels, int taps, const int* tapY, const int* tapX,
                   ptrdiff_t* offsets) {
  for (int channel = 0; channel < channels; ++channel) {
    for (int tap = 0; tap < taps; ++tap) *offsets++ = channel * tile.planePitch + tile.offset(tapY[tap], tapX[tap]);
  }
}

// Where the result is spread over every other pixel, or has gaps between its rows, it comes from elsewhere: rows of
// windows `pitch` apart, those of the product `resultPitch`.
template <typename T>
void spreadRows(const WindowProduct<T>& p, const T* result, ptrdiff_t resultPitch, ptrdiff_t pitch, int y0,
                int windowRows, int rows, T* planes) {
  for (int row = 0; row < rows; ++row) {
    for (int y = 0; y < windowRows; ++y) {
      const T* from = result + row * resultPitch + y * pitch;
      T* to = planes +
              (static_cast<ptrdiff_t>(row) * p.outHeight + p.outY + static_cast<ptrdiff_t>(y0 + y) * p.outStepY) *
                  p.outWidth +
              p.outX;
      if (p.outStepX == 1) {
        copyElements(to, from, p.x.windows);
      } else {
        for (int x = 0; x < p.x.windows; ++x) to[static_cast<ptrdiff_t>(x) * p.outStepX] = from[x];
      }
    }
  }
}

// Whether computing what lies between rows of windows, and copying them out, costs less than gathering windows: about
// how many cycles on vectors of 64 bytes.
template <typename T>
bool usesPositions(const WindowProduct<T>& p, int rowsPerPart) {
  if (p.arePlain) return false;
  const ptrdiff_t width = p.x.windows, pitch = width + (p.x.lastTap - p.x.firstTap) / p.x.step;
  const ptrdiff_t depth = static_cast<ptrdiff_t>(p.channels) * p.taps, lanes = 64 / sizeof(T);
  const ptrdiff_t gathered = ceilDivide(rowsPerPart * width, lanes);
  const ptrdiff_t positions = ceilDivide((rowsPerPart - 1) * pitch + width, lanes);
  return p.rows * depth * (positions - gathered) / 2 + 8 * p.rows * rowsPerPart <= 4 * depth * gathered;
}

template <typename T>
Tiling windowTiling(const WindowProduct<T>& p, int rowsPerPart) {
  if (usesPositions(p, rowsPerPart)) return positionTiling(p.rows);
  return tilingFor(p.rows, static_cast<ptrdiff_t>(p.y.windows) * p.x.windows, Vec<T>::lanes);
}

// One part: some rows of windows of one group of one image.
template <typename T>
struct WindowPart {
  ptrdiff_t imageGroup;
  int y0, windowRows;
  int firstRow, rows;  // of the product
  const T* weights;    // of the group
  T* result;           // first window of the first row of the result
  ptrdiff_t pitch;     // between rows of the result

  // Its rows of a block of the contraction.
  const T* packed(const WindowProduct<T>& p, int k0, int steps) const {
    return weights + static_cast<ptrdiff_t>(k0) * p.rows + static_cast<ptrdiff_t>(firstRow) * steps;
  }
  RowBlock<T> rowsOf(const WindowProduct<T>& p, int k0, int steps) const {
    if (!p.arePlain) return {packed(p, k0, steps), 0, 0, true};
    const ptrdiff_t depth = static_cast<ptrdiff_t>(p.channels) * p.taps;
    return {weights + firstRow * depth + k0, depth, 1, false};
  }
};

// Channels of a shared tile that are copied as one part.
enum { kChannelsAtATime = 64 };

template <typename T>
void fillTile(const WindowProduct<T>& p, const TileShape& tile, const WindowPart<T>& part, int firstChannel,
              int endChannel, T* padded) {
  const ptrdiff_t plane = static_cast<ptrdiff_t>(p.y.size) * p.x.size;
  for (int channel = firstChannel; channel < endChannel; ++channel) {
    copyTilePlane(tile, p.source + (part.imageGroup * p.channels + channel) * plane, part.y0, part.windowRows, T(0),
                  padded + channel * tile.planePitch);
  }
}

template <typename T>
void multiplyGathered(const WindowProduct<T>& p, const Tiling& tiling, const TileShape& tile, const WindowPart<T>& part,
                      const T* padded, T* panel) {
  multiplyBlock<T>(
      tiling, part.rows, static_cast<ptrdiff_t>(part.windowRows) * p.x.windows, p.channels * p.taps,
      [&](int k0, int steps) { return part.rowsOf(p, k0, steps); },
      [&](int k0, int steps, ptrdiff_t first, int count, int width) {
        WindowRun runs[kLongVectors * Vec<T>::lanes];
        const int found = windowRuns(tile, part.windowRows, 0, first, count, runs);
        if (count < width) fillWith(panel, static_cast<ptrdiff_t>(steps) * width, T(0));
        gatherWindows(padded, p.offsets + k0, steps, runs, found, width, panel);
        return ColumnPanel<T>{panel, width};
      },
      part.result, part.pitch, false);
}

// Parts are numbered by image and group, then by rows of windows, then by rows of the product; small ones go together.
template <typename T>
Failure multiplyWindows(const Call& call, const WindowProduct<T>& p, const WindowCut& cut) {
  constexpr int lanes = Vec<T>::lanes;
  const int rowsPerPart = cut.windowRows;
  const TileShape tile = tileShape(p.y, p.x, rowsPerPart);
  const Tiling tiling = windowTiling(p, rowsPerPart);
  // Rows of the product that a part has: whole panels.
  const int panelRows = static_cast<int>(ceilDivide(tiling.panels, cut.rowParts)) * tiling.rows;
  const ptrdiff_t rowParts = ceilDivide(p.rows, panelRows), windowParts = ceilDivide(p.y.windows, rowsPerPart);
  const ptrdiff_t parts = p.images * p.groups * windowParts * rowParts;
  const bool positions = usesPositions(p, rowsPerPart);
  const bool direct = !positions && p.outStepY == 1 && p.outStepX == 1;  // into the result's memory
  const ptrdiff_t outPlane = static_cast<ptrdiff_t>(p.outHeight) * p.outWidth;
  const ptrdiff_t rowPitch = positions ? tile.pitch : p.x.windows;
  const ptrdiff_t resultPitch = roundUp64(static_cast<size_t>(rowPitch) * rowsPerPart * sizeof(T)) / sizeof(T);
  const double work = static_cast<double>(p.rows) * p.channels * p.taps * p.x.windows * rowsPerPart;
  const ptrdiff_t tilePitch = tileElements(p, cut);
  const bool areShared = sharedTiles(p, cut) > 0;
  const auto partAt = [&](ptrdiff_t at) {
    WindowPart<T> part;
    part.imageGroup = at / rowParts / windowParts;
    part.y0 = static_cast<int>(at / rowParts % windowParts) * rowsPerPart;
    part.windowRows = smaller(rowsPerPart, p.y.windows - part.y0);
    part.firstRow = static_cast<int>(at % rowParts) * panelRows;
    part.rows = smaller(panelRows, p.rows - part.firstRow);
    part.weights = p.weights + part.imageGroup % p.groups * p.rows * p.channels * p.taps;
    return part;
  };
  if (areShared) {
    const ptrdiff_t tiles = p.images * p.groups * windowParts, chunks = ceilDivide(p.channels, kChannelsAtATime);
    runParts(call, tiles * chunks, [&](ptrdiff_t index, int) {
      const int first = static_cast<int>(index % chunks) * kChannelsAtATime;
      fillTile(p, tile, partAt(index / chunks * rowParts), first, smaller<int>(p.channels, first + kChannelsAtATime),
               p.tiles + index / chunks * tilePitch);
      return true;
    });
  }
  const ptrdiff_t together = work >= (1 << 16) ? 1 : static_cast<ptrdiff_t>((1 << 16) / larger(1.0, work)) + 1;
  return runParts(call, ceilDivide(parts, together), [&](int index, int worker) {
    T* own = areShared ? nullptr : scratchOf<T>(call, worker, 1, tilePitch);
    T* panel = positions
                   ? nullptr
                   : scratchOf<T>(call, worker, 2, static_cast<size_t>(kDepthBlock) * kLongVectors * lanes + lanes);
    T* result = direct ? nullptr : scratchOf<T>(call, worker, 3, panelRows * resultPitch);
    if ((!areShared && !own) || (!positions && !panel) || (!direct && !result)) return false;
    for (ptrdiff_t at = index * together; at < smaller(parts, (index + 1) * together); ++at) {
      WindowPart<T> part = partAt(at);
      T* to = p.out + (part.imageGroup * p.rows + part.firstRow) * outPlane;
      part.result = direct ? to + static_cast<ptrdiff_t>(part.y0) * p.outWidth : result;
      part.pitch = direct ? outPlane : resultPitch;
      T* padded = areShared ? p.tiles + at / rowParts * tilePitch : own;
      if (!areShared) fillTile(p, tile, part, 0, p.channels, padded);
      if (positions) {
        multiplyPositions<T>(
            tiling, part.rows, p.channels * p.taps, [&](int k0, int steps) { return part.packed(p, k0, steps); },
            padded, p.offsets, (part.windowRows - 1) * tile.pitch + p.x.windows, part.result, part.pitch);
      } else {
        multiplyGathered(p, tiling, tile, part, padded, panel);
      }
      if (!direct) spreadRows(p, result, resultPitch, rowPitch, part.y0, part.windowRows, part.rows, to);
    }
    return true;
  });
}

// Packs the weights of every group: element (row, channel, tap) of a group lies at
// group * groupPitch + row * rowPitch + channel * channelPitch + tapAt[tap].
template <typename T>
Failure packWeights(const Call& call, const WindowProduct<T>& p, int rowsPerPart, const T* weights,
                    ptrdiff_t groupPitch, ptrdiff_t rowPitch, ptrdiff_t channelPitch, const int* tapAt, T* out) {
  const Tiling tiling = windowTiling(p, rowsPerPart);
  const int depth = p.channels * p.taps;
  const bool tapsFollow = tapAt[p.taps - 1] == p.taps - 1;
  const bool channelsFollow = tapsFollow && channelPitch == p.taps;
  const ptrdiff_t panels = static_cast<ptrdiff_t>(p.groups) * tiling.panels;
  const ptrdiff_t perPart = larger<ptrdiff_t>(1, (1 << 15) / (static_cast<ptrdiff_t>(tiling.rows) * depth));
  return runParts(call, ceilDivide(panels, perPart), [&](int part, int) {
    for (ptrdiff_t at = part * perPart; at < smaller(panels, (part + 1) * perPart); ++at) {
      const ptrdiff_t group = at / tiling.panels, row = at % tiling.panels * tiling.rows;
      const int count = static_cast<int>(smaller<ptrdiff_t>(tiling.rows, p.rows - row));
      const T* from = weights + group * groupPitch + row * rowPitch;
      for (int k0 = 0; k0 < depth; k0 += kDepthBlock) {
        const int steps = smaller<int>(kDepthBlock, depth - k0);
        T* panel = out + group * p.rows * depth + static_cast<ptrdiff_t>(k0) * p.rows + row * steps;
        if (channelsFollow) {
          packPanel(panel, count, count, steps, from + k0, rowPitch, 1);
          continue;
        }
        if (p.taps == 1) {
          packPanel(panel, count, count, steps, from + k0 * channelPitch + tapAt[0], rowPitch, channelPitch);
          continue;
        }
        for (int k = 0; k < steps;) {
          const int channel = (k0 + k) / p.taps, tap = (k0 + k) % p.taps;
          const int length = tapsFollow ? smaller(p.taps - tap, steps - k) : 1;
          packPanel(panel + static_cast<ptrdiff_t>(k) * count, count, count, length,
                    from + channel * channelPitch + tapAt[tap], rowPitch, 1);
          k += length;
        }
      }
    }
    return true;
  });
}

}  // namespace
}  // namespace saddlepoint
