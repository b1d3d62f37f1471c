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
  const T* weights;          // packed by packWeights: a block of the contraction after the other, groups outside
  const ptrdiff_t* offsets;  // [channels * taps], see windowOffsets
  T* out;                    // [images, groups * rows, outHeight, outWidth]; window (y, x) goes to
  int outHeight, outWidth;   // (outY + y * outStepY, outX + x * outStepX)
  int outY, outX, outStepY, outStepX;
};

// Window rows for one part: a tile that fits in half of the L2 cache, and enough parts where the images are few.
template <typename T>
int windowRowsPerPart(const WindowProduct<T>& p) {
  const double work = static_cast<double>(p.rows) * p.channels * p.taps * p.x.windows;
  int rows = p.y.windows;
  const auto tileBytes = [&] {
    return static_cast<double>(tileShape(p.y, p.x, rows).planePitch) * p.channels * sizeof(T);
  };
  while (rows > 1 && tileBytes() > (1 << 19)) rows = (rows + 1) / 2;
  const auto parts = [&] { return static_cast<double>(p.images) * p.groups * ceilDivide(p.y.windows, rows); };
  while (rows > 1 && parts() < 16 && work * rows > (1 << 19)) rows = (rows + 1) / 2;
  return rows;
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
                int windowRows, T* planes) {
  for (int row = 0; row < p.rows; ++row) {
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

inline bool isPlain(const WindowAxis& axis) {
  return axis.taps == 1 && axis.step == 1 && axis.firstTap == 0 && axis.windows == axis.size;
}

template <typename T>
bool planesAreWindows(const WindowProduct<T>& p) {
  return isPlain(p.y) && isPlain(p.x);
}

// Whether computing what lies between rows of windows, and copying them out, costs less than gathering windows: about
// how many cycles on vectors of 64 bytes.
template <typename T>
bool usesPositions(const WindowProduct<T>& p, int rowsPerPart) {
  if (planesAreWindows(p)) return false;
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
  const T* weights;  // of the group
  T* result;         // first window of the first row of the result
  ptrdiff_t pitch;   // between rows of the result
};

// 1x1, stride 1, no padding: the planes are the windows.
template <typename T>
void multiplyPlanes(const WindowProduct<T>& p, const Tiling& tiling, const WindowPart<T>& part, T* panel) {
  const ptrdiff_t plane = static_cast<ptrdiff_t>(p.y.size) * p.x.size;
  const T* source = p.source + part.imageGroup * p.channels * plane + static_cast<ptrdiff_t>(part.y0) * p.x.size;
  multiplyBlock<T>(
      tiling, p.rows, static_cast<ptrdiff_t>(part.windowRows) * p.x.windows, p.channels,
      [&](int k0, int) { return PackedRows<T>{part.weights + static_cast<ptrdiff_t>(k0) * p.rows}; },
      [&](int k0, int steps, ptrdiff_t first, int count, int width) {
        packPanel(panel, width, count, steps, source + k0 * plane + first, 1, plane);
        return ColumnPanel<T>{panel, width};
      },
      part.result, part.pitch, false);
}

template <typename T>
void fillTile(const WindowProduct<T>& p, const TileShape& tile, const WindowPart<T>& part, T* padded) {
  const ptrdiff_t plane = static_cast<ptrdiff_t>(p.y.size) * p.x.size;
  for (int channel = 0; channel < p.channels; ++channel) {
    copyTilePlane(tile, p.source + (part.imageGroup * p.channels + channel) * plane, part.y0, part.windowRows, T(0),
                  padded + channel * tile.planePitch);
  }
}

template <typename T>
void multiplyGathered(const WindowProduct<T>& p, const Tiling& tiling, const TileShape& tile, const WindowPart<T>& part,
                      const T* padded, T* panel) {
  multiplyBlock<T>(
      tiling, p.rows, static_cast<ptrdiff_t>(part.windowRows) * p.x.windows, p.channels * p.taps,
      [&](int k0, int) { return PackedRows<T>{part.weights + static_cast<ptrdiff_t>(k0) * p.rows}; },
      [&](int k0, int steps, ptrdiff_t first, int count, int width) {
        WindowRun runs[kLongVectors * Vec<T>::lanes];
        const int found = windowRuns(tile, part.windowRows, 0, first, count, runs);
        if (count < width) fillWith(panel, static_cast<ptrdiff_t>(steps) * width, T(0));
        gatherWindows(padded, p.offsets + k0, steps, runs, found, width, panel);
        return ColumnPanel<T>{panel, width};
      },
      part.result, part.pitch, false);
}

// Parts are numbered by image and group, then by rows of windows; small ones go together.
template <typename T>
Failure multiplyWindows(const Call& call, const WindowProduct<T>& p, int rowsPerPart) {
  constexpr int lanes = Vec<T>::lanes;
  const TileShape tile = tileShape(p.y, p.x, rowsPerPart);
  const Tiling tiling = windowTiling(p, rowsPerPart);
  const ptrdiff_t rowParts = ceilDivide(p.y.windows, rowsPerPart), parts = p.images * p.groups * rowParts;
  const bool positions = usesPositions(p, rowsPerPart), planes = planesAreWindows(p);
  const bool direct = !positions && p.outStepY == 1 && p.outStepX == 1;  // into the result's memory
  const ptrdiff_t outPlane = static_cast<ptrdiff_t>(p.outHeight) * p.outWidth;
  const ptrdiff_t rowPitch = positions ? tile.pitch : p.x.windows;
  const ptrdiff_t resultPitch = roundUp64(static_cast<size_t>(rowPitch) * rowsPerPart * sizeof(T)) / sizeof(T);
  const double work = static_cast<double>(p.rows) * p.channels * p.taps * p.x.windows * rowsPerPart;
  const ptrdiff_t together = work >= (1 << 16) ? 1 : static_cast<ptrdiff_t>((1 << 16) / larger(1.0, work)) + 1;
  return runParts(call, ceilDivide(parts, together), [&](int index, int worker) {
    T* padded = planes ? nullptr : scratchOf<T>(call, worker, 1, tile.planePitch * p.channels + lanes);
    T* panel = positions
                   ? nullptr
                   : scratchOf<T>(call, worker, 2, static_cast<size_t>(kDepthBlock) * kLongVectors * lanes + lanes);
    T* result = direct ? nullptr : scratchOf<T>(call, worker, 3, p.rows * resultPitch);
    if ((!planes && !padded) || (!positions && !panel) || (!direct && !result)) return false;
    for (ptrdiff_t at = index * together; at < smaller(parts, (index + 1) * together); ++at) {
      WindowPart<T> part;
      part.imageGroup = at / rowParts;
      part.y0 = static_cast<int>(at % rowParts) * rowsPerPart;
      part.windowRows = smaller(rowsPerPart, p.y.windows - part.y0);
      part.weights = p.weights + part.imageGroup % p.groups * p.rows * p.channels * p.taps;
      T* to = p.out + part.imageGroup * p.rows * outPlane;
      part.result = direct ? to + static_cast<ptrdiff_t>(part.y0) * p.outWidth : result;
      part.pitch = direct ? outPlane : resultPitch;
      if (planes) {
        multiplyPlanes(p, tiling, part, panel);
      } else {
        fillTile(p, tile, part, padded);
        if (positions) {
          multiplyPositions(tiling, p.rows, p.channels * p.taps, part.weights, padded, p.offsets,
                            (part.windowRows - 1) * tile.pitch + p.x.windows, part.result, part.pitch);
        } else {
          multiplyGathered(p, tiling, tile, part, padded, panel);
        }
      }
      if (!direct) spreadRows(p, result, resultPitch, rowPitch, part.y0, part.windowRows, to);
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
