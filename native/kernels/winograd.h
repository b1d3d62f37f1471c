// Winograd's minimal filtering F(4x4, 3x3): 16 results of a 3x3 window from 36 products instead of 144 (Lavin and Gray,
// "Fast Algorithms for Convolutional Neural Networks", 2016). An image is cut into tiles of 4x4 results, which look at
// 6x6 pixels. With d a tile of pixels and g a filter,
//
//     y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A
//
// so for each of the 36 positions there is one matrix product over the channels. Gradients are the same with the
// matrices transposed. Here: the transforms, on vectors whose lanes are tiles, or filters.
#pragma once
#include "conv.h"

namespace saddlepoint {
namespace {

enum { kTileStep = 4, kTileSize = 6, kTilePoints = 36 };

// Whether transforming pays: estimated steps of a vector unit, from shapes alone, so that bits do not depend on the
// machine.
inline bool winogradPays(double images, double channels, double rows, double outHeight, double outWidth) {
  const double tiles = images * ceilDivide(static_cast<ptrdiff_t>(outHeight), kTileStep) *
                       ceilDivide(static_cast<ptrdiff_t>(outWidth), kTileStep);
  const double direct = images * outHeight * outWidth * rows * channels * 9 / 32;
  const double products = tiles * rows * channels * kTilePoints / 32;
  const double transforms = 20 * tiles * (channels + rows) + 26 * rows * channels;
  return channels >= 16 && rows >= 16 && 1.1 * products + transforms < 0.9 * direct;
}

// Whether filters are many for the tiles, and more than caches hold: then they are better made where they are used.
inline bool filtersPrevail(ptrdiff_t tiles, ptrdiff_t channels, ptrdiff_t rows) {
  const ptrdiff_t bytes = channels * rows * kTilePoints * static_cast<ptrdiff_t>(sizeof(float));
  return bytes > (ptrdiff_t(4) << 20) && channels * rows > 1024 * tiles;
}

// Then they are worked on by so many rows, in whole panels, and columns (channels) at a time: what is transformed once
// for all filters and lies farther away than the L2 cache is read by as few parts as can be.
enum { kFilterRows = 56, kFilterColumns = 128, kFilterDepth = 64 };

// Each is for one axis: reads `from` at multiples of `step`, writes `to` at multiples of `toStep`.
template <typename V>
struct WinogradAxis {
  static SADDLEPOINT_INLINE V number(double x) { return V::broadcast(static_cast<decltype(firstLane(V::zero()))>(x)); }

  // Bᵀ, 6 from 6.
  static SADDLEPOINT_INLINE void pixels(const V* from, int step, V* to, int toStep) {
    const V d0 = from[0], d1 = from[step], d2 = from[2 * step], d3 = from[3 * step], d4 = from[4 * step],
            d5 = from[5 * step];
    const V four = number(4), five = number(5), two = number(2);
    const V even = fnma(four, d2, d4), odd = fnma(four, d1, d3);
    const V farEven = d4 - d2, farOdd = two * (d3 - d1);
    to[0] = fma(four, d0, fnma(five, d2, d4));
    to[toStep] = even + odd;
    to[2 * toStep] = even - odd;
    to[3 * toStep] = farEven + farOdd;
    to[4 * toStep] = farEven - farOdd;
    to[5 * toStep] = fma(four, d1, fnma(five, d3, d5));
  }

  // Aᵀ, 4 from 6.
  static SADDLEPOINT_INLINE void results(const V* from, int step, V* to, int toStep) {
    const V m1 = from[step], m2 = from[2 * step], m3 = from[3 * step], m4 = from[4 * step];
    const V near = m1 + m2, nearOdd = m1 - m2, far = m3 + m4, farOdd = m3 - m4;
    to[0] = from[0] + near + far;
    to[toStep] = fma(number(2), farOdd, nearOdd);
    to[2 * toStep] = fma(number(4), far, near);
    to[3 * toStep] = fma(number(8), farOdd, nearOdd) + from[5 * step];
  }

  // A, 6 from 4: gradients of results.
  static SADDLEPOINT_INLINE void resultGradients(const V* from, int step, V* to, int toStep) {
    const V y0 = from[0], y1 = from[step], y2 = from[2 * step], y3 = from[3 * step];
    const V even = y0 + y2, odd = y1 + y3;
    const V farEven = fma(number(4), y2, y0), farOdd = number(2) * fma(number(4), y3, y1);
    to[0] = y0;
    to[toStep] = even + odd;
    to[2 * toStep] = even - odd;
    to[3 * toStep] = farEven + farOdd;
    to[4 * toStep] = farEven - farOdd;
    to[5 * toStep] = y3;
  }

  template <int size>
  static SADDLEPOINT_INLINE void tile(const V* from, int step, V* to, int toStep) {
    if (size == kTileSize) {
      pixels(from, step, to, toStep);
    } else {
      resultGradients(from, step, to, toStep);
    }
  }

  // G, 6 from 3.
  static SADDLEPOINT_INLINE void filter(const V* from, int step, V* to, int toStep) {
    const V g0 = from[0], g1 = from[step], g2 = from[2 * step];
    const V sixth = number(1.0 / 6), twelfth = number(1.0 / 12);
    const V outer = g0 + g2, far = fma(number(1.0 / 24), g0, sixth * g2);
    to[0] = number(0.25) * g0;
    to[toStep] = -(sixth * (outer + g1));
    to[2 * toStep] = -(sixth * (outer - g1));
    to[3 * toStep] = fma(twelfth, g1, far);
    to[4 * toStep] = fnma(twelfth, g1, far);
    to[5 * toStep] = g2;
  }

  // Gᵀ, 3 from 6: gradients of a filter.
  static SADDLEPOINT_INLINE void filterGradients(const V* from, int step, V* to, int toStep) {
    const V near = from[step] + from[2 * step], nearOdd = from[2 * step] - from[step];
    const V far = from[3 * step] + from[4 * step], farOdd = from[3 * step] - from[4 * step];
    const V sixth = number(1.0 / 6);
    to[0] = fma(number(1.0 / 24), far, fnma(sixth, near, number(0.25) * from[0]));
    to[toStep] = fma(number(1.0 / 12), farOdd, sixth * nearOdd);
    to[2 * toStep] = fma(sixth, far - near, from[5 * step]);
  }
};

// What the tiles cover. The pixels of tile (ty, tx) begin at (4 ty - paddingY, 4 tx - paddingX); those outside are 0.
struct TileGrid {
  int height, width;  // of the planes
  int paddingY, paddingX;
  int tilesY, tilesX;

  int perImage() const { return tilesY * tilesX; }
};

// For results of outHeight x outWidth.
inline TileGrid tileGrid(int height, int width, int paddingY, int paddingX, int outHeight, int outWidth) {
  return {height,
          width,
          paddingY,
          paddingX,
          static_cast<int>(ceilDivide(outHeight, kTileStep)),
          static_cast<int>(ceilDivide(outWidth, kTileStep))};
}

// Consecutive tiles of one row of tiles.
struct TileRun {
  ptrdiff_t image;
  int y, x;  // of the first tile, in tiles
  int at, count;
};

// Calls body for the runs that make up tiles [first, first + count) of all images.
template <typename Body>
SADDLEPOINT_INLINE void forEachRun(const TileGrid& grid, ptrdiff_t first, int count, const Body& body) {
  for (int at = 0; at < count;) {
    const ptrdiff_t tile = first + at;
    const int inImage = static_cast<int>(tile % grid.perImage());
    const int x = inImage % grid.tilesX;
    const int run = smaller(grid.tilesX - x, count - at);
    body(TileRun{tile / grid.perImage(), inImage / grid.tilesX, x, at, run});
    at += run;
  }
}

// to[j][i] = from[4 i + j], j < 4
template <typename T>
SADDLEPOINT_INLINE void everyFourth(const T* from, Vec<T>* to) {
  using V = Vec<T>;
  using Every = typename LanesOf<V::lanes>::type;
  const V a = V::load(from), b = V::load(from + V::lanes), c = V::load(from + 2 * V::lanes),
          d = V::load(from + 3 * V::lanes);
  const V evenLow = evenLanes(a, b, Every()), evenHigh = evenLanes(c, d, Every());
  const V oddLow = oddLanes(a, b, Every()), oddHigh = oddLanes(c, d, Every());
  to[0] = evenLanes(evenLow, evenHigh, Every());
  to[1] = evenLanes(oddLow, oddHigh, Every());
  to[2] = oddLanes(evenLow, evenHigh, Every());
  to[3] = oddLanes(oddLow, oddHigh, Every());
}

// to[4 i + j] = from[j][i]
template <typename T>
SADDLEPOINT_INLINE void interleaveFour(const Vec<T>* from, T* to) {
  using V = Vec<T>;
  using Every = typename LanesOf<V::lanes>::type;
  const V evenLow = zipLow(from[0], from[2], Every()), evenHigh = zipHigh(from[0], from[2], Every());
  const V oddLow = zipLow(from[1], from[3], Every()), oddHigh = zipHigh(from[1], from[3], Every());
  zipLow(evenLow, oddLow, Every()).store(to);
  zipHigh(evenLow, oddLow, Every()).store(to + V::lanes);
  zipLow(evenHigh, oddHigh, Every()).store(to + 2 * V::lanes);
  zipHigh(evenHigh, oddHigh, Every()).store(to + 3 * V::lanes);
}

// The positions of a tile lie this far apart, for `size` elements each: not a multiple of what makes cache lines
// compete.
inline ptrdiff_t pointPitch(ptrdiff_t size) { return (size + 15) / 16 * 16 + 16; }

// Zeros, up to a vector too many.
template <typename T>
SADDLEPOINT_INLINE void fillZeros(T* out, ptrdiff_t count) {
  for (ptrdiff_t i = 0; i < count; i += Vec<T>::lanes) {
    Vec<T>::zero().store(out + i);
    __asm__("" ::: "memory");  // else compilers call memset, which is dear for the borders of small images
  }
}

// Elements of a padded row of tiles, with room for whole vectors.
template <typename T>
inline ptrdiff_t paddedRowPitch(const TileGrid& grid) {
  return kTileStep * grid.tilesX + 2 * Vec<T>::lanes;
}

// Room for the padded rows that `tiles` tiles of one image look at, and for what is read behind them.
template <typename T>
inline ptrdiff_t paddedSize(const TileGrid& grid, ptrdiff_t tiles) {
  const ptrdiff_t rows = smaller<ptrdiff_t>(grid.tilesY, tiles / grid.tilesX + 2);
  return (kTileStep * rows + 2) * paddedRowPitch<T>(grid) + 8 * Vec<T>::lanes;
}

// The rows of a plane that rows [y0, y1) of tiles look at, with zeros around.
template <int size, typename T>
void copyPadded(const TileGrid& grid, const T* plane, int y0, int y1, T* out) {
  const ptrdiff_t pitch = paddedRowPitch<T>(grid);
  const int first = kTileStep * y0 - grid.paddingY, end = kTileStep * y1 + size - kTileStep - grid.paddingY;
  for (int y = first; y < end; ++y, out += pitch) {
    if (y < 0 || y >= grid.height) {
      fillZeros(out, pitch);
      continue;
    }
    fillZeros(out, grid.paddingX);
    copyElements(out + grid.paddingX, plane + static_cast<ptrdiff_t>(y) * grid.width, grid.width);
    const ptrdiff_t filled = grid.paddingX + grid.width;
    fillZeros(out + filled, kTileStep * grid.tilesX + 2 - filled);
  }
}

// Sorts the pixels of tiles [first, first + count): position (i, j) of tile t goes to staged[(i * size + j) * pitch +
// t]. `planes` is one channel of image 0; `padded` is room of paddedSize. Writes up to a vector behind `count`.
template <int size, typename T>
void stageTiles(const TileGrid& grid, const T* planes, ptrdiff_t imagePitch, ptrdiff_t first, int count, T* padded,
                T* staged, ptrdiff_t pitch) {
  using V = Vec<T>;
  const ptrdiff_t rowPitch = paddedRowPitch<T>(grid);
  int firstRow = 0;
  forEachRun(grid, first, count, [&](const TileRun& run) {
    if (run.at == 0 || run.y == 0) {
      const int rows = static_cast<int>(ceilDivide(run.x + count - run.at, grid.tilesX));
      firstRow = run.y;
      copyPadded<size>(grid, planes + run.image * imagePitch, firstRow, smaller(grid.tilesY, firstRow + rows), padded);
    }
    const T* corner = padded + kTileStep * ((run.y - firstRow) * rowPitch + run.x);
    for (int i = 0; i < size; ++i) {
      const T* row = corner + i * rowPitch;
      T* to = staged + i * size * pitch + run.at;
      for (int t = 0; t < run.count; t += V::lanes) {
        V columns[8];
        everyFourth(row + kTileStep * t, columns);
        if (size > kTileStep) everyFourth(row + kTileStep * (t + 1), columns + 4);
#pragma GCC unroll 6
        for (int j = 0; j < size; ++j) columns[j].store(to + j * pitch + t);
      }
    }
  });
}

// Images as they are cut into tiles: [images, channels, grid.height, grid.width].
template <typename T>
struct TilePlanes {
  TileGrid grid;
  const T* data;
  int channels;

  ptrdiff_t plane() const { return static_cast<ptrdiff_t>(grid.height) * grid.width; }
};

// Some tiles of all channels, transformed: element (position, channel, tile) at position * pointPitch + channel * pitch
// + tile.
template <typename T>
struct TransformedTiles {
  ptrdiff_t first;
  int count;
  ptrdiff_t pitch, pointPitch;
  T* data;
};

// Room that `transformTiles` needs.
template <typename T>
size_t transformRoom(const TileGrid& grid, ptrdiff_t tiles) {
  return static_cast<size_t>(paddedSize<T>(grid, tiles)) + kTilePoints * static_cast<size_t>(tiles + Vec<T>::lanes);
}

// One channel: tiles of 6x6 pixels by Bᵀ, or of 4x4 gradients of results by A.
template <int size, typename T>
void transformTiles(const TilePlanes<T>& planes, int channel, const TransformedTiles<T>& tiles, T* room) {
  using V = Vec<T>;
  const ptrdiff_t pitch = tiles.count + V::lanes;
  T* staged = room + paddedSize<T>(planes.grid, tiles.count);
  stageTiles<size>(planes.grid, planes.data + channel * planes.plane(), planes.channels * planes.plane(), tiles.first,
                   tiles.count, room, staged, pitch);
  T* to = tiles.data + channel * tiles.pitch;
  for (int t = 0; t < tiles.count; t += V::lanes) {
    // The lines that are written next, for each is in another page.
#pragma GCC unroll 36
    for (int point = 0; point < kTilePoints; ++point) prefetchWrite(to + point * tiles.pointPitch + t + 2 * V::lanes);
    V tile[size * size], half[kTileSize * size], transformed[kTilePoints];
#pragma GCC unroll 36
    for (int point = 0; point < size * size; ++point) tile[point] = V::load(staged + point * pitch + t);
#pragma GCC unroll 6
    for (int x = 0; x < size; ++x) WinogradAxis<V>::template tile<size>(tile + x, size, half + x, size);
#pragma GCC unroll 6
    for (int y = 0; y < kTileSize; ++y)
      WinogradAxis<V>::template tile<size>(half + y * size, 1, transformed + y * kTileSize, 1);
#pragma GCC unroll 36
    for (int point = 0; point < kTilePoints; ++point) transformed[point].store(to + point * tiles.pointPitch + t);
  }
}

// body(plane, room) for every plane, a few in each part.
template <typename T, typename Body>
Failure forPlanes(const Call& call, int planes, size_t room, const Body& body) {
  enum { kPlanes = 8 };
  return runParts(call, ceilDivide(planes, kPlanes), [&](ptrdiff_t part, int worker) {
    T* space = scratchOf<T>(call, worker, 1, room);
    if (!space) return false;
    const int first = static_cast<int>(part) * kPlanes;
    for (int plane = first; plane < smaller<int>(planes, first + kPlanes); ++plane) body(plane, space);
    return true;
  });
}

}  // namespace
}  // namespace saddlepoint
