// Windows of an image. A tile is a padded copy of the part of an image that some rows of windows look at, small enough
// for the L2 cache. Its rows and columns are sorted by their remainders modulo the strides, so that for every tap, the
// elements that consecutive windows of a row want lie next to each other, and those of all rows one pitch apart,
// whatever the stride, padding and dilation.
#pragma once
#include "gemm.h"

namespace saddlepoint {
namespace {

// One axis: window y looks at the elements y * step + tapAt(t), which may lie outside of the image.
struct WindowAxis {
  int size;     // of the image
  int windows;  // how many
  int step;
  int taps;
  int firstTap, lastTap;  // the least and the greatest
  int tapStep = 1;        // from one to the next; may be negative

  int tapAt(int tap) const { return (tapStep < 0 ? lastTap : firstTap) + tap * tapStep; }
};

struct TileShape {
  WindowAxis y, x;
  int rowPhases, columnPhases;      // remainders kept
  ptrdiff_t pitch;                  // elements of one remainder in a row
  ptrdiff_t columnPhase, rowPhase;  // between remainders
  ptrdiff_t planePitch;

  // Where tap (tapY, tapX) of window (0, 0) of the tile lies in a plane; the window at (y, x) is at y * pitch + x
  // behind that.
  ptrdiff_t offset(int tapY, int tapX) const {
    const int row = tapY - y.firstTap, column = tapX - x.firstTap;
    return row % y.step * rowPhase + row / y.step * pitch + column % x.step * columnPhase + column / x.step;
  }
};

inline ptrdiff_t tileRows(const WindowAxis& y, int windowRows) {
  return static_cast<ptrdiff_t>(windowRows - 1) * y.step + y.lastTap - y.firstTap + 1;
}

inline TileShape tileShape(const WindowAxis& y, const WindowAxis& x, int windowRows) {
  TileShape tile;
  tile.y = y;
  tile.x = x;
  tile.rowPhases = smaller(y.step, y.lastTap - y.firstTap + 1);
  tile.columnPhases = smaller(x.step, x.lastTap - x.firstTap + 1);
  tile.pitch = x.windows + (x.lastTap - x.firstTap) / x.step;
  tile.columnPhase = tile.pitch * (windowRows + (y.lastTap - y.firstTap) / y.step);
  tile.rowPhase = tile.columnPhase * tile.columnPhases;
  tile.planePitch = tile.rowPhase * tile.rowPhases;
  return tile;
}

template <typename T>
void fillWith(T* out, ptrdiff_t count, T value) {
  for (ptrdiff_t i = 0; i < count; ++i) out[i] = value;
}

template <typename T>
void copyElements(T* out, const T* from, ptrdiff_t count) {
  constexpr int lanes = Vec<T>::lanes;
  ptrdiff_t i = 0;
  for (; i + lanes <= count; i += lanes) Vec<T>::load(from + i).store(out + i);
  if (i < count)
    Vec<T>::loadPartial(from + i, static_cast<int>(count - i)).storePartial(out + i, static_cast<int>(count - i));
}

template <typename T, int... lane>
SADDLEPOINT_INLINE Vec<T> evenLanes(Vec<T> a, Vec<T> b, LaneNumbers<lane...>) {
  a.v = __builtin_shufflevector(a.v, b.v, (2 * lane)...);
  return a;
}

template <typename T, int... lane>
SADDLEPOINT_INLINE Vec<T> oddLanes(Vec<T> a, Vec<T> b, LaneNumbers<lane...>) {
  a.v = __builtin_shufflevector(a.v, b.v, (2 * lane + 1)...);
  return a;
}
// a0 b0 a1 b1 ... of the lower halves, and of the upper ones.
template <typename T, int... lane>
SADDLEPOINT_INLINE Vec<T> zipLow(Vec<T> a, Vec<T> b, LaneNumbers<lane...>) {
  constexpr int n = Vec<T>::lanes;
  a.v = __builtin_shufflevector(a.v, b.v, (lane % 2 * n + lane / 2)...);
  return a;
}
template <typename T, int... lane>
SADDLEPOINT_INLINE Vec<T> zipHigh(Vec<T> a, Vec<T> b, LaneNumbers<lane...>) {
  constexpr int n = Vec<T>::lanes;
  a.v = __builtin_shufflevector(a.v, b.v, (lane % 2 * n + n / 2 + lane / 2)...);
  return a;
}

// out[i] = from[i * step]
template <typename T>
void copyStrided(T* out, const T* from, ptrdiff_t step, ptrdiff_t count) {
  using V = Vec<T>;
  using Every = typename LanesOf<V::lanes>::type;
  ptrdiff_t i = 0;
  if (step == 2) {
    for (; i + V::lanes < count; i += V::lanes) {
      evenLanes(V::load(from + 2 * i), V::load(from + 2 * i + V::lanes), Every()).store(out + i);
    }
    const int left = static_cast<int>(count - i), wanted = 2 * left - 1;  // nothing behind the last one is read
    if (left <= 0) return;
    const V low = V::loadPartial(from + 2 * i, smaller<int>(wanted, V::lanes));
    const V high = wanted > V::lanes ? V::loadPartial(from + 2 * i + V::lanes, wanted - V::lanes) : V::zero();
    evenLanes(low, high, Every()).storePartial(out + i, left);
    return;
  }
  for (; i < count; ++i) out[i] = from[i * step];
}

// evens[i] = from[2 * i], odds[i] = from[2 * i + 1]
template <typename T>
void splitPairs(const T* from, ptrdiff_t count, T* evens, T* odds) {
  using V = Vec<T>;
  using Every = typename LanesOf<V::lanes>::type;
  for (; count > 0; from += 2 * V::lanes, evens += V::lanes, odds += V::lanes, count -= 2 * V::lanes) {
    if (count >= 2 * V::lanes) {
      const V low = V::load(from), high = V::load(from + V::lanes);
      evenLanes(low, high, Every()).store(evens);
      oddLanes(low, high, Every()).store(odds);
      continue;
    }
    const int left = static_cast<int>(count);
    const V low = V::loadPartial(from, smaller<int>(left, V::lanes));
    const V high = left > V::lanes ? V::loadPartial(from + V::lanes, left - V::lanes) : V::zero();
    evenLanes(low, high, Every()).storePartial(evens, (left + 1) / 2);
    oddLanes(low, high, Every()).storePartial(odds, left / 2);
  }
}

// One row of an image, `from`, as a tile has it. What lies outside of it is written only if `fill`.
template <typename T>
void copyTileRow(const TileShape& tile, const T* from, bool fill, T outside, T* out) {
  const int step = tile.x.step, width = tile.x.size;
  // Both remainders at once where the edges have been filled.
  if (!fill && tile.columnPhases == 2 && step == 2 && tile.x.firstTap <= 0) {
    const ptrdiff_t before = -tile.x.firstTap, odd = before + 1;
    return splitPairs(from, smaller<ptrdiff_t>(width, 2 * tile.pitch - before),
                      out + before % 2 * tile.columnPhase + before / 2, out + odd % 2 * tile.columnPhase + odd / 2);
  }
  for (int phase = 0; phase < tile.columnPhases; ++phase) {
    T* to = out + phase * tile.columnPhase;
    const ptrdiff_t start = tile.x.firstTap + phase;  // image column of element 0; may be negative
    const ptrdiff_t first = start >= 0 ? 0 : smaller<ptrdiff_t>(ceilDivide(-start, step), tile.pitch);
    const ptrdiff_t inside = width > start ? ceilDivide(width - start, step) : 0;
    const ptrdiff_t end = larger(first, smaller(inside, tile.pitch));
    if (fill) fillWith(to, first, outside);
    if (step == 1) {
      copyElements(to + first, from + start + first, end - first);
    } else {
      copyStrided(to + first, from + start + first * step, step, end - first);
    }
    if (fill) fillWith(to + end, tile.pitch - end, outside);
  }
}

constexpr int kShortPitch = 64;  // rows up to here are filled all at once: their edges are dear

// The part of a plane that the windows of rows [y0, y0 + windowRows) look at; `outside` where that is not in the image.
template <typename T>
void copyTilePlane(const TileShape& tile, const T* plane, int y0, int windowRows, T outside, T* out) {
  const ptrdiff_t rows = tileRows(tile.y, windowRows),
                  first = static_cast<ptrdiff_t>(y0) * tile.y.step + tile.y.firstTap;
  const bool isShort = tile.pitch <= kShortPitch;
  if (isShort) fillWith(out, tile.planePitch, outside);
  for (int phase = 0; phase < tile.rowPhases; ++phase) {
    T* to = out + phase * tile.rowPhase;
    for (ptrdiff_t row = phase; row < rows; row += tile.y.step, to += tile.pitch) {
      const ptrdiff_t y = first + row;
      if (y >= 0 && y < tile.y.size) {
        copyTileRow(tile, plane + y * tile.x.size, !isShort, outside, to);
      } else if (!isShort) {
        for (int column = 0; column < tile.columnPhases; ++column)
          fillWith(to + column * tile.columnPhase, tile.pitch, outside);
      }
    }
  }
}

// Cuts windows [first, first + count), numbered row by row, into runs of consecutive windows of a row; returns how many. `images` of `windowRows` rows
// each may follow each other in the tile.
inline int windowRuns(const TileShape& tile, int windowRows, ptrdiff_t imagePitch, ptrdiff_t first, int count,
                      Run* runs) {
  const int width = tile.x.windows;
  const ptrdiff_t perImage = static_cast<ptrdiff_t>(windowRows) * width;
  int found = 0;
  for (int at = 0; at < count; ++found) {
    const ptrdiff_t window = first + at, inImage = window % perImage;
    const int x = static_cast<int>(inImage % width);
    const int run = smaller(width - x, count - at);
    runs[found] = {window / perImage * imagePitch + inImage / width * tile.pitch + x, at, run};
    at += run;
  }
  return found;
}

// out[k * pitch + i] = window i at tap k, where `tile` + taps[k] is tap k of window (0, 0). Copies whole vectors: up to
// a vector behind the tile is read, and up to a vector behind each row of `out` but the last one written, before the
// next row is.
template <typename T>
void gatherWindows(const T* tile, const ptrdiff_t* taps, int depth, const Run* runs, int runCount,
                   ptrdiff_t pitch, T* out) {
  using V = Vec<T>;
  for (int k = 0; k < depth - 1; ++k, out += pitch) {
    const T* from = tile + taps[k];
    for (int r = 0; r < runCount; ++r) {
      const T* source = from + runs[r].offset;
      T* to = out + runs[r].at;
      for (int i = 0; i < runs[r].count; i += V::lanes) V::load(source + i).store(to + i);
    }
  }
  for (int r = 0; r < runCount; ++r)
    copyElements(out + runs[r].at, tile + taps[depth - 1] + runs[r].offset, runs[r].count);
}

}  // namespace
}  // namespace saddlepoint
