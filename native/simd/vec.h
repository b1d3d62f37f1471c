// Vectors of the instruction set this file is compiled for. Everything is in an anonymous namespace and inlined; see
// native/kernels/kernel.h for why.
//
//   Vec<T>            T = float, double, int32_t, int64_t; Vec<T>::lanes elements
//   Mask32, Mask64    one truth value for each lane of a vector of 4-byte or 8-byte elements; MaskOf<T> picks one
//
// Vec<float>, Vec<double>:
//   V::load(p), v.store(p)                          unaligned
//   V::loadPartial(p, n), v.storePartial(p, n)      0 <= n <= lanes elements, never touching others, which load as 0
//   V::broadcast(x), V::zero()
//   a + b, a - b, a * b, a / b, -a, abs(a), sqrt(a), floor(a), ceil(a), roundEven(a), trunc(a)
//   fma(a, b, c) = a b + c, fnma(a, b, c) = c - a b     rounded once, but twice on SSE2
//   max(a, b) = a > b ? a : b, min(a, b) = a < b ? a : b     hence b where either is NaN
//   maximum(a, b), minimum(a, b)                             NaN where either is NaN
//   eq, ne, lt, le, gt, ge (a, b), isNan(a)         masks, with & | ~ and any(m), all(m); select(m, a, b) = m ? a : b
//   swapLanes<k>(v)                                 lane i gets lane i ^ k; firstLane(v); both also of Vec<int32_t>
//   loadWhere(m, p)                                 memory where the mask is true, 0 elsewhere; all of it is read
//   loadBytes(p), storeBytes(m, p)                  masks of Vec<float> as a byte for each lane, 0 or else true; 1
//   where stored firstLanes<T>(n)                                mask of the first n lanes, 0 <= n <= lanes; also for
//   int32_t reduceAdd(v)                                    adds the upper half to the lower half until one lane is
//   left
//
// Vec<int32_t>, Vec<int64_t>: the loads and stores, broadcast, zero, + - & | ^, shiftLeft<k>, shiftRight<k> (logical).
// Vec<int32_t> also has * eq gt max min select shiftRightSigned<k>, and multiplyWide(a, b): the high and the low words
// of unsigned products.
//
// bits(v): float or double to integers of the same bits; asFloat(v), asDouble(v): back. toFloat(v): int32 to float.
// roundToInt(v): float to int32, half to even, for values in its range.
#pragma once
#include <cstddef>
#include <cstdint>

#define SADDLEPOINT_INLINE inline __attribute__((always_inline))

namespace saddlepoint {
namespace {

template <typename T>
struct Vec;
struct Mask32;
struct Mask64;

template <size_t bytes>
struct MaskOfSize {
  using type = Mask32;
};
template <>
struct MaskOfSize<8> {
  using type = Mask64;
};
template <typename T>
using MaskOf = typename MaskOfSize<sizeof(T)>::type;

}  // namespace
}  // namespace saddlepoint

#if defined(__AVX512F__)
#include "avx512.h"
#elif defined(__AVX2__)
#include "avx2.h"
#elif defined(__aarch64__)
#include "neon.h"
#else
#include "sse2.h"
#endif

namespace saddlepoint {
namespace {

template <int k>
SADDLEPOINT_INLINE Vec<int32_t> swapLanes(Vec<int32_t> a) {
  return bits(swapLanes<k>(asFloat(a)));
}

SADDLEPOINT_INLINE int32_t firstLane(Vec<int32_t> a) {
  const float lane = firstLane(asFloat(a));
  int32_t x;
  __builtin_memcpy(&x, &lane, sizeof x);
  return x;
}

template <typename T>
MaskOf<T> firstLanes(int n);
#if defined(__AVX512F__)
template <>
SADDLEPOINT_INLINE Mask32 firstLanes<float>(int n) {
  return {firstLanes16(n)};
}
template <>
SADDLEPOINT_INLINE Mask32 firstLanes<int32_t>(int n) {
  return {firstLanes16(n)};
}
template <>
SADDLEPOINT_INLINE Mask64 firstLanes<double>(int n) {
  return {firstLanes8(n)};
}
#else
template <>
SADDLEPOINT_INLINE Mask32 firstLanes<int32_t>(int n) {
  alignas(64) static constexpr int32_t numbers[] = {0, 1, 2, 3, 4, 5, 6, 7};
  return gt(Vec<int32_t>::broadcast(n), Vec<int32_t>::load(numbers));
}
template <>
SADDLEPOINT_INLINE Mask32 firstLanes<float>(int n) {
  return firstLanes<int32_t>(n);
}
template <>
SADDLEPOINT_INLINE Mask64 firstLanes<double>(int n) {
  alignas(64) static constexpr double numbers[] = {0, 1, 2, 3};
  return lt(Vec<double>::load(numbers), Vec<double>::broadcast(n));
}
#endif

template <typename T>
SADDLEPOINT_INLINE MaskOf<T> isNan(Vec<T> a) {
  return ne(a, a);
}

template <typename T>
SADDLEPOINT_INLINE Vec<T> maximum(Vec<T> a, Vec<T> b) {
  return select(isNan(a), a, max(a, b));
}

template <typename T>
SADDLEPOINT_INLINE Vec<T> minimum(Vec<T> a, Vec<T> b) {
  return select(isNan(a), a, min(a, b));
}

// Writes whole lines of 64 bytes past the caches; `to` is aligned to 64. finishStoresPastCaches orders them before what
// follows.
#if defined(__SSE2__)
constexpr bool canBypassCaches = true;
inline void storePastCaches(char* to, const char* from, int bytes) {
  int i = 0;
  for (; i + 64 <= bytes; i += 64) {
    for (int j = 0; j < 64; j += 16) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + i + j),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i + j)));
    }
  }
  __builtin_memcpy(to + i, from + i, static_cast<size_t>(bytes - i));
}
SADDLEPOINT_INLINE void finishStoresPastCaches() { _mm_sfence(); }
#else
constexpr bool canBypassCaches = false;
inline void storePastCaches(char* to, const char* from, int bytes) {
  __builtin_memcpy(to, from, static_cast<size_t>(bytes));
}
SADDLEPOINT_INLINE void finishStoresPastCaches() {}
#endif

SADDLEPOINT_INLINE void prefetchRead(const void* address) { __builtin_prefetch(address, 0, 3); }
// Into the second-level cache.
SADDLEPOINT_INLINE void prefetchFar(const void* address) { __builtin_prefetch(address, 0, 2); }
SADDLEPOINT_INLINE void prefetchWrite(const void* address) { __builtin_prefetch(address, 1, 3); }

}  // namespace
}  // namespace saddlepoint
