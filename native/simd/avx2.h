// AVX2 with FMA. Included by vec.h.
#pragma once
#include <immintrin.h>

namespace saddlepoint {
namespace {

struct Mask32 {
  __m256 bits;
};
struct Mask64 {
  __m256d bits;
};

SADDLEPOINT_INLINE Mask32 operator&(Mask32 a, Mask32 b) { return {_mm256_and_ps(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask32 operator|(Mask32 a, Mask32 b) { return {_mm256_or_ps(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask32 operator~(Mask32 a) {
  return {_mm256_xor_ps(a.bits, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))};
}
SADDLEPOINT_INLINE bool any(Mask32 a) { return _mm256_movemask_ps(a.bits) != 0; }
SADDLEPOINT_INLINE bool all(Mask32 a) { return _mm256_movemask_ps(a.bits) == 0xff; }
SADDLEPOINT_INLINE Mask64 operator&(Mask64 a, Mask64 b) { return {_mm256_and_pd(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask64 operator|(Mask64 a, Mask64 b) { return {_mm256_or_pd(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask64 operator~(Mask64 a) {
  return {_mm256_xor_pd(a.bits, _mm256_castsi256_pd(_mm256_set1_epi32(-1)))};
}
SADDLEPOINT_INLINE bool any(Mask64 a) { return _mm256_movemask_pd(a.bits) != 0; }
SADDLEPOINT_INLINE bool all(Mask64 a) { return _mm256_movemask_pd(a.bits) == 0xf; }

SADDLEPOINT_INLINE __m256i firstLanes8(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
SADDLEPOINT_INLINE __m256i firstLanes4(int n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}

// int64_t is long, the intrinsics say long long.
SADDLEPOINT_INLINE const long long* longLongs(const int64_t* p) { return reinterpret_cast<const long long*>(p); }
SADDLEPOINT_INLINE long long* longLongs(int64_t* p) { return reinterpret_cast<long long*>(p); }

template <>
struct Vec<int32_t> {
  static constexpr int lanes = 8;
  __m256i v;
  static SADDLEPOINT_INLINE Vec load(const int32_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
  static SADDLEPOINT_INLINE Vec loadPartial(const int32_t* p, int n) {
    return {_mm256_maskload_epi32(p, firstLanes8(n))};
  }
  static SADDLEPOINT_INLINE Vec broadcast(int32_t x) { return {_mm256_set1_epi32(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {_mm256_setzero_si256()}; }
  SADDLEPOINT_INLINE void store(int32_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  SADDLEPOINT_INLINE void storePartial(int32_t* p, int n) const { _mm256_maskstore_epi32(p, firstLanes8(n), v); }
};
using Int32s = Vec<int32_t>;
SADDLEPOINT_INLINE Int32s operator+(Int32s a, Int32s b) { return {_mm256_add_epi32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator-(Int32s a, Int32s b) { return {_mm256_sub_epi32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator*(Int32s a, Int32s b) { return {_mm256_mullo_epi32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator&(Int32s a, Int32s b) { return {_mm256_and_si256(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator|(Int32s a, Int32s b) { return {_mm256_or_si256(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator^(Int32s a, Int32s b) { return {_mm256_xor_si256(a.v, b.v)}; }
template <int k>
SADDLEPOINT_INLINE Int32s shiftLeft(Int32s a) {
  return {_mm256_slli_epi32(a.v, k)};
}
template <int k>
SADDLEPOINT_INLINE Int32s shiftRight(Int32s a) {
  return {_mm256_srli_epi32(a.v, k)};
}
template <int k>
SADDLEPOINT_INLINE Int32s shiftRightSigned(Int32s a) {
  return {_mm256_srai_epi32(a.v, k)};
}
SADDLEPOINT_INLINE Mask32 eq(Int32s a, Int32s b) { return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.v, b.v))}; }
SADDLEPOINT_INLINE Mask32 gt(Int32s a, Int32s b) { return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(a.v, b.v))}; }
SADDLEPOINT_INLINE Int32s select(Mask32 m, Int32s a, Int32s b) {
  return {_mm256_blendv_epi8(b.v, a.v, _mm256_castps_si256(m.bits))};
}
SADDLEPOINT_INLINE Int32s max(Int32s a, Int32s b) { return {_mm256_max_epi32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s min(Int32s a, Int32s b) { return {_mm256_min_epi32(a.v, b.v)}; }

struct WideProduct {
  Int32s high, low;
};
SADDLEPOINT_INLINE WideProduct multiplyWide(Int32s a, Int32s b) {
  const __m256i even = _mm256_mul_epu32(a.v, b.v);
  const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a.v, 32), _mm256_srli_epi64(b.v, 32));
  return {{_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa)},
          {_mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa)}};
}

template <>
struct Vec<int64_t> {
  static constexpr int lanes = 4;
  __m256i v;
  static SADDLEPOINT_INLINE Vec load(const int64_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
  static SADDLEPOINT_INLINE Vec loadPartial(const int64_t* p, int n) {
    return {_mm256_maskload_epi64(longLongs(p), firstLanes4(n))};
  }
  static SADDLEPOINT_INLINE Vec broadcast(int64_t x) { return {_mm256_set1_epi64x(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {_mm256_setzero_si256()}; }
  SADDLEPOINT_INLINE void store(int64_t* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  SADDLEPOINT_INLINE void storePartial(int64_t* p, int n) const {
    _mm256_maskstore_epi64(longLongs(p), firstLanes4(n), v);
  }
};
using Int64s = Vec<int64_t>;
SADDLEPOINT_INLINE Int64s operator+(Int64s a, Int64s b) { return {_mm256_add_epi64(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator-(Int64s a, Int64s b) { return {_mm256_sub_epi64(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator&(Int64s a, Int64s b) { return {_mm256_and_si256(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator|(Int64s a, Int64s b) { return {_mm256_or_si256(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator^(Int64s a, Int64s b) { return {_mm256_xor_si256(a.v, b.v)}; }
template <int k>
SADDLEPOINT_INLINE Int64s shiftLeft(Int64s a) {
  return {_mm256_slli_epi64(a.v, k)};
}
template <int k>
SADDLEPOINT_INLINE Int64s shiftRight(Int64s a) {
  return {_mm256_srli_epi64(a.v, k)};
}

template <>
struct Vec<float> {
  static constexpr int lanes = 8;
  __m256 v;
  static SADDLEPOINT_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
  static SADDLEPOINT_INLINE Vec loadPartial(const float* p, int n) { return {_mm256_maskload_ps(p, firstLanes8(n))}; }
  static SADDLEPOINT_INLINE Vec broadcast(float x) { return {_mm256_set1_ps(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {_mm256_setzero_ps()}; }
  SADDLEPOINT_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  // Masked stores take a dozen cycles on AMD processors.
  SADDLEPOINT_INLINE void storePartial(float* p, int n) const {
    if (n >= 8) return store(p);
    __m128 rest = _mm256_castps256_ps128(v);
    if (n & 4) {
      _mm_storeu_ps(p, rest);
      p += 4;
      rest = _mm256_extractf128_ps(v, 1);
    }
    if (n & 2) {
      _mm_storel_pi(reinterpret_cast<__m64*>(p), rest);
      p += 2;
      rest = _mm_movehl_ps(rest, rest);
    }
    if (n & 1) _mm_store_ss(p, rest);
  }
};
using Floats = Vec<float>;
SADDLEPOINT_INLINE Floats operator+(Floats a, Floats b) { return {_mm256_add_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator-(Floats a, Floats b) { return {_mm256_sub_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator*(Floats a, Floats b) { return {_mm256_mul_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator/(Floats a, Floats b) { return {_mm256_div_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator-(Floats a) { return {_mm256_xor_ps(a.v, _mm256_set1_ps(-0.0f))}; }
SADDLEPOINT_INLINE Floats fma(Floats a, Floats b, Floats c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
SADDLEPOINT_INLINE Floats fnma(Floats a, Floats b, Floats c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
SADDLEPOINT_INLINE Floats max(Floats a, Floats b) { return {_mm256_max_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats min(Floats a, Floats b) { return {_mm256_min_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats abs(Floats a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
SADDLEPOINT_INLINE Floats sqrt(Floats a) { return {_mm256_sqrt_ps(a.v)}; }
SADDLEPOINT_INLINE Floats floor(Floats a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
SADDLEPOINT_INLINE Floats ceil(Floats a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)}; }
SADDLEPOINT_INLINE Floats trunc(Floats a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)}; }
SADDLEPOINT_INLINE Floats roundEven(Floats a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
SADDLEPOINT_INLINE Mask32 eq(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
SADDLEPOINT_INLINE Mask32 ne(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_NEQ_UQ)}; }
SADDLEPOINT_INLINE Mask32 lt(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
SADDLEPOINT_INLINE Mask32 le(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LE_OQ)}; }
SADDLEPOINT_INLINE Mask32 gt(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
SADDLEPOINT_INLINE Mask32 ge(Floats a, Floats b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)}; }
SADDLEPOINT_INLINE Floats select(Mask32 m, Floats a, Floats b) { return {_mm256_blendv_ps(b.v, a.v, m.bits)}; }
SADDLEPOINT_INLINE Int32s bits(Floats a) { return {_mm256_castps_si256(a.v)}; }
SADDLEPOINT_INLINE Floats asFloat(Int32s a) { return {_mm256_castsi256_ps(a.v)}; }
SADDLEPOINT_INLINE Floats toFloat(Int32s a) { return {_mm256_cvtepi32_ps(a.v)}; }
SADDLEPOINT_INLINE Int32s roundToInt(Floats a) { return {_mm256_cvtps_epi32(a.v)}; }
template <int k>
SADDLEPOINT_INLINE Floats swapLanes(Floats a) {
  if (k == 4) return {_mm256_permute2f128_ps(a.v, a.v, 1)};
  return {_mm256_permute_ps(a.v, k == 2 ? 0x4e : 0xb1)};
}
SADDLEPOINT_INLINE float firstLane(Floats a) { return _mm256_cvtss_f32(a.v); }
SADDLEPOINT_INLINE float reduceAdd(Floats a) {
  const __m128 half = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  const __m128 pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
}

SADDLEPOINT_INLINE Floats loadWhere(Mask32 m, const float* p) { return {_mm256_and_ps(m.bits, _mm256_loadu_ps(p))}; }
SADDLEPOINT_INLINE Mask32 loadBytes(const uint8_t* p) {
  const __m256i wide = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(wide, _mm256_setzero_si256()))};
}
SADDLEPOINT_INLINE void storeBytes(Mask32 m, uint8_t* p) {
  const __m256i words = _mm256_castps_si256(m.bits);
  const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  const __m128i bytes = _mm_sub_epi8(_mm_setzero_si128(), _mm_packs_epi16(halves, halves));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), bytes);
}

template <>
struct Vec<double> {
  static constexpr int lanes = 4;
  __m256d v;
  static SADDLEPOINT_INLINE Vec load(const double* p) { return {_mm256_loadu_pd(p)}; }
  static SADDLEPOINT_INLINE Vec loadPartial(const double* p, int n) { return {_mm256_maskload_pd(p, firstLanes4(n))}; }
  static SADDLEPOINT_INLINE Vec broadcast(double x) { return {_mm256_set1_pd(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {_mm256_setzero_pd()}; }
  SADDLEPOINT_INLINE void store(double* p) const { _mm256_storeu_pd(p, v); }
  SADDLEPOINT_INLINE void storePartial(double* p, int n) const { _mm256_maskstore_pd(p, firstLanes4(n), v); }
};
using Doubles = Vec<double>;
SADDLEPOINT_INLINE Doubles operator+(Doubles a, Doubles b) { return {_mm256_add_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator-(Doubles a, Doubles b) { return {_mm256_sub_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator*(Doubles a, Doubles b) { return {_mm256_mul_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator/(Doubles a, Doubles b) { return {_mm256_div_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator-(Doubles a) { return {_mm256_xor_pd(a.v, _mm256_set1_pd(-0.0))}; }
SADDLEPOINT_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
SADDLEPOINT_INLINE Doubles fnma(Doubles a, Doubles b, Doubles c) { return {_mm256_fnmadd_pd(a.v, b.v, c.v)}; }
SADDLEPOINT_INLINE Doubles max(Doubles a, Doubles b) { return {_mm256_max_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles min(Doubles a, Doubles b) { return {_mm256_min_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles abs(Doubles a) { return {_mm256_andnot_pd(_mm256_set1_pd(-0.0), a.v)}; }
SADDLEPOINT_INLINE Doubles sqrt(Doubles a) { return {_mm256_sqrt_pd(a.v)}; }
SADDLEPOINT_INLINE Doubles floor(Doubles a) {
  return {_mm256_round_pd(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
SADDLEPOINT_INLINE Doubles ceil(Doubles a) { return {_mm256_round_pd(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)}; }
SADDLEPOINT_INLINE Doubles trunc(Doubles a) { return {_mm256_round_pd(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)}; }
SADDLEPOINT_INLINE Doubles roundEven(Doubles a) {
  return {_mm256_round_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
SADDLEPOINT_INLINE Mask64 eq(Doubles a, Doubles b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_EQ_OQ)}; }
SADDLEPOINT_INLINE Mask64 ne(Doubles a, Doubles b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_NEQ_UQ)}; }
SADDLEPOINT_INLINE Mask64 lt(Doubles a, Doubles b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_LT_OQ)}; }
SADDLEPOINT_INLINE Mask64 le(Doubles a, Doubles b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_LE_OQ)}; }
SADDLEPOINT_INLINE Mask64 gt(Doubles a, Doubles b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_GT_OQ)}; }
SADDLEPOINT_INLINE Mask64 ge(Doubles a, Doubles b) { return {_mm256_cmp_pd(a.v, b.v, _CMP_GE_OQ)}; }
SADDLEPOINT_INLINE Doubles select(Mask64 m, Doubles a, Doubles b) { return {_mm256_blendv_pd(b.v, a.v, m.bits)}; }
SADDLEPOINT_INLINE Int64s bits(Doubles a) { return {_mm256_castpd_si256(a.v)}; }
SADDLEPOINT_INLINE Doubles asDouble(Int64s a) { return {_mm256_castsi256_pd(a.v)}; }
SADDLEPOINT_INLINE Doubles loadWhere(Mask64 m, const double* p) { return {_mm256_and_pd(m.bits, _mm256_loadu_pd(p))}; }
template <int k>
SADDLEPOINT_INLINE Doubles swapLanes(Doubles a) {
  if (k == 2) return {_mm256_permute2f128_pd(a.v, a.v, 1)};
  return {_mm256_permute_pd(a.v, 0x5)};
}
SADDLEPOINT_INLINE double firstLane(Doubles a) { return _mm256_cvtsd_f64(a.v); }
SADDLEPOINT_INLINE double reduceAdd(Doubles a) {
  const __m128d pair = _mm_add_pd(_mm256_castpd256_pd128(a.v), _mm256_extractf128_pd(a.v, 1));
  return _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)));
}

}  // namespace
}  // namespace saddlepoint
