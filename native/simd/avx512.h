// AVX-512 (F, BW, DQ, VL). Included by vec.h.
#pragma once
// GCC 12 warns of the deliberately undefined operand inside its own intrinsics.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

namespace saddlepoint {
namespace {

struct Mask32 {
  __mmask16 bits;
};
struct Mask64 {
  __mmask8 bits;
};

SADDLEPOINT_INLINE Mask32 operator&(Mask32 a, Mask32 b) { return {_kand_mask16(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask32 operator|(Mask32 a, Mask32 b) { return {_kor_mask16(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask32 operator~(Mask32 a) { return {_knot_mask16(a.bits)}; }
SADDLEPOINT_INLINE bool any(Mask32 a) { return a.bits != 0; }
SADDLEPOINT_INLINE bool all(Mask32 a) { return a.bits == 0xffff; }
SADDLEPOINT_INLINE Mask64 operator&(Mask64 a, Mask64 b) { return {_kand_mask8(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask64 operator|(Mask64 a, Mask64 b) { return {_kor_mask8(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask64 operator~(Mask64 a) { return {_knot_mask8(a.bits)}; }
SADDLEPOINT_INLINE bool any(Mask64 a) { return a.bits != 0; }
SADDLEPOINT_INLINE bool all(Mask64 a) { return a.bits == 0xff; }

SADDLEPOINT_INLINE __mmask16 firstLanes16(int n) { return static_cast<__mmask16>((1u << n) - 1); }
SADDLEPOINT_INLINE __mmask8 firstLanes8(int n) { return static_cast<__mmask8>((1u << n) - 1); }

template <>
struct Vec<int32_t> {
  static constexpr int lanes = 16;
  __m512i v;
  static SADDLEPOINT_INLINE Vec load(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
  static SADDLEPOINT_INLINE Vec loadPartial(const int32_t* p, int n) {
    return {_mm512_maskz_loadu_epi32(firstLanes16(n), p)};
  }
  static SADDLEPOINT_INLINE Vec broadcast(int32_t x) { return {_mm512_set1_epi32(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {_mm512_setzero_si512()}; }
  SADDLEPOINT_INLINE void store(int32_t* p) const { _mm512_storeu_si512(p, v); }
  SADDLEPOINT_INLINE void storePartial(int32_t* p, int n) const { _mm512_mask_storeu_epi32(p, firstLanes16(n), v); }
};
using Int32s = Vec<int32_t>;
SADDLEPOINT_INLINE Int32s operator+(Int32s a, Int32s b) { return {_mm512_add_epi32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator-(Int32s a, Int32s b) { return {_mm512_sub_epi32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator*(Int32s a, Int32s b) { return {_mm512_mullo_epi32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator&(Int32s a, Int32s b) { return {_mm512_and_si512(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator|(Int32s a, Int32s b) { return {_mm512_or_si512(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator^(Int32s a, Int32s b) { return {_mm512_xor_si512(a.v, b.v)}; }
template <int k>
SADDLEPOINT_INLINE Int32s shiftLeft(Int32s a) {
  return {_mm512_slli_epi32(a.v, k)};
}
template <int k>
SADDLEPOINT_INLINE Int32s shiftRight(Int32s a) {
  return {_mm512_srli_epi32(a.v, k)};
}
template <int k>
SADDLEPOINT_INLINE Int32s shiftRightSigned(Int32s a) {
  return {_mm512_srai_epi32(a.v, k)};
}
SADDLEPOINT_INLINE Mask32 eq(Int32s a, Int32s b) { return {_mm512_cmpeq_epi32_mask(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask32 gt(Int32s a, Int32s b) { return {_mm512_cmpgt_epi32_mask(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s select(Mask32 m, Int32s a, Int32s b) { return {_mm512_mask_blend_epi32(m.bits, b.v, a.v)}; }
SADDLEPOINT_INLINE Int32s max(Int32s a, Int32s b) { return {_mm512_max_epi32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s min(Int32s a, Int32s b) { return {_mm512_min_epi32(a.v, b.v)}; }

struct WideProduct {
  Int32s high, low;
};
SADDLEPOINT_INLINE WideProduct multiplyWide(Int32s a, Int32s b) {
  const __m512i even = _mm512_mul_epu32(a.v, b.v);
  const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a.v, 32), _mm512_srli_epi64(b.v, 32));
  return {{_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd)},
          {_mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32))}};
}

template <>
struct Vec<int64_t> {
  static constexpr int lanes = 8;
  __m512i v;
  static SADDLEPOINT_INLINE Vec load(const int64_t* p) { return {_mm512_loadu_si512(p)}; }
  static SADDLEPOINT_INLINE Vec loadPartial(const int64_t* p, int n) {
    return {_mm512_maskz_loadu_epi64(firstLanes8(n), p)};
  }
  static SADDLEPOINT_INLINE Vec broadcast(int64_t x) { return {_mm512_set1_epi64(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {_mm512_setzero_si512()}; }
  SADDLEPOINT_INLINE void store(int64_t* p) const { _mm512_storeu_si512(p, v); }
  SADDLEPOINT_INLINE void storePartial(int64_t* p, int n) const { _mm512_mask_storeu_epi64(p, firstLanes8(n), v); }
};
using Int64s = Vec<int64_t>;
SADDLEPOINT_INLINE Int64s operator+(Int64s a, Int64s b) { return {_mm512_add_epi64(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator-(Int64s a, Int64s b) { return {_mm512_sub_epi64(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator&(Int64s a, Int64s b) { return {_mm512_and_si512(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator|(Int64s a, Int64s b) { return {_mm512_or_si512(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator^(Int64s a, Int64s b) { return {_mm512_xor_si512(a.v, b.v)}; }
template <int k>
SADDLEPOINT_INLINE Int64s shiftLeft(Int64s a) {
  return {_mm512_slli_epi64(a.v, k)};
}
template <int k>
SADDLEPOINT_INLINE Int64s shiftRight(Int64s a) {
  return {_mm512_srli_epi64(a.v, k)};
}

template <>
struct Vec<float> {
  static constexpr int lanes = 16;
  __m512 v;
  static SADDLEPOINT_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static SADDLEPOINT_INLINE Vec loadPartial(const float* p, int n) {
    return {_mm512_maskz_loadu_ps(firstLanes16(n), p)};
  }
  static SADDLEPOINT_INLINE Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
  SADDLEPOINT_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  SADDLEPOINT_INLINE void storePartial(float* p, int n) const { _mm512_mask_storeu_ps(p, firstLanes16(n), v); }
};
using Floats = Vec<float>;
SADDLEPOINT_INLINE Floats operator+(Floats a, Floats b) { return {_mm512_add_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator-(Floats a, Floats b) { return {_mm512_sub_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator*(Floats a, Floats b) { return {_mm512_mul_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator/(Floats a, Floats b) { return {_mm512_div_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator-(Floats a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
SADDLEPOINT_INLINE Floats fma(Floats a, Floats b, Floats c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
SADDLEPOINT_INLINE Floats fnma(Floats a, Floats b, Floats c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
SADDLEPOINT_INLINE Floats max(Floats a, Floats b) { return {_mm512_max_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats min(Floats a, Floats b) { return {_mm512_min_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats abs(Floats a) { return {_mm512_abs_ps(a.v)}; }
SADDLEPOINT_INLINE Floats sqrt(Floats a) { return {_mm512_sqrt_ps(a.v)}; }
SADDLEPOINT_INLINE Floats floor(Floats a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
SADDLEPOINT_INLINE Floats ceil(Floats a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)};
}
SADDLEPOINT_INLINE Floats trunc(Floats a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)};
}
SADDLEPOINT_INLINE Floats roundEven(Floats a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
SADDLEPOINT_INLINE Mask32 eq(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
SADDLEPOINT_INLINE Mask32 ne(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
SADDLEPOINT_INLINE Mask32 lt(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
SADDLEPOINT_INLINE Mask32 le(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LE_OQ)}; }
SADDLEPOINT_INLINE Mask32 gt(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
SADDLEPOINT_INLINE Mask32 ge(Floats a, Floats b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ)}; }
SADDLEPOINT_INLINE Floats select(Mask32 m, Floats a, Floats b) { return {_mm512_mask_blend_ps(m.bits, b.v, a.v)}; }
SADDLEPOINT_INLINE Int32s bits(Floats a) { return {_mm512_castps_si512(a.v)}; }
SADDLEPOINT_INLINE Floats asFloat(Int32s a) { return {_mm512_castsi512_ps(a.v)}; }
SADDLEPOINT_INLINE Floats toFloat(Int32s a) { return {_mm512_cvtepi32_ps(a.v)}; }
SADDLEPOINT_INLINE Int32s roundToInt(Floats a) { return {_mm512_cvtps_epi32(a.v)}; }
template <int k>
SADDLEPOINT_INLINE Floats swapLanes(Floats a) {
  if (k == 8) return {_mm512_shuffle_f32x4(a.v, a.v, 0x4e)};
  if (k == 4) return {_mm512_shuffle_f32x4(a.v, a.v, 0xb1)};
  return {_mm512_permute_ps(a.v, k == 2 ? 0x4e : 0xb1)};
}
SADDLEPOINT_INLINE float firstLane(Floats a) { return _mm512_cvtss_f32(a.v); }
SADDLEPOINT_INLINE float reduceAdd(Floats a) {
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 pair = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
}

SADDLEPOINT_INLINE Floats loadWhere(Mask32 m, const float* p) { return {_mm512_maskz_loadu_ps(m.bits, p)}; }
SADDLEPOINT_INLINE Mask32 loadBytes(const uint8_t* p) {
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return {_mm_test_epi8_mask(bytes, bytes)};
}
SADDLEPOINT_INLINE void storeBytes(Mask32 m, uint8_t* p) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_maskz_set1_epi8(m.bits, 1));
}

template <>
struct Vec<double> {
  static constexpr int lanes = 8;
  __m512d v;
  static SADDLEPOINT_INLINE Vec load(const double* p) { return {_mm512_loadu_pd(p)}; }
  static SADDLEPOINT_INLINE Vec loadPartial(const double* p, int n) {
    return {_mm512_maskz_loadu_pd(firstLanes8(n), p)};
  }
  static SADDLEPOINT_INLINE Vec broadcast(double x) { return {_mm512_set1_pd(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {_mm512_setzero_pd()}; }
  SADDLEPOINT_INLINE void store(double* p) const { _mm512_storeu_pd(p, v); }
  SADDLEPOINT_INLINE void storePartial(double* p, int n) const { _mm512_mask_storeu_pd(p, firstLanes8(n), v); }
};
using Doubles = Vec<double>;
SADDLEPOINT_INLINE Doubles operator+(Doubles a, Doubles b) { return {_mm512_add_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator-(Doubles a, Doubles b) { return {_mm512_sub_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator*(Doubles a, Doubles b) { return {_mm512_mul_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator/(Doubles a, Doubles b) { return {_mm512_div_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator-(Doubles a) { return {_mm512_xor_pd(a.v, _mm512_set1_pd(-0.0))}; }
SADDLEPOINT_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
SADDLEPOINT_INLINE Doubles fnma(Doubles a, Doubles b, Doubles c) { return {_mm512_fnmadd_pd(a.v, b.v, c.v)}; }
SADDLEPOINT_INLINE Doubles max(Doubles a, Doubles b) { return {_mm512_max_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles min(Doubles a, Doubles b) { return {_mm512_min_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles abs(Doubles a) { return {_mm512_abs_pd(a.v)}; }
SADDLEPOINT_INLINE Doubles sqrt(Doubles a) { return {_mm512_sqrt_pd(a.v)}; }
SADDLEPOINT_INLINE Doubles floor(Doubles a) {
  return {_mm512_roundscale_pd(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
SADDLEPOINT_INLINE Doubles ceil(Doubles a) {
  return {_mm512_roundscale_pd(a.v, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)};
}
SADDLEPOINT_INLINE Doubles trunc(Doubles a) {
  return {_mm512_roundscale_pd(a.v, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)};
}
SADDLEPOINT_INLINE Doubles roundEven(Doubles a) {
  return {_mm512_roundscale_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
SADDLEPOINT_INLINE Mask64 eq(Doubles a, Doubles b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_EQ_OQ)}; }
SADDLEPOINT_INLINE Mask64 ne(Doubles a, Doubles b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_NEQ_UQ)}; }
SADDLEPOINT_INLINE Mask64 lt(Doubles a, Doubles b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LT_OQ)}; }
SADDLEPOINT_INLINE Mask64 le(Doubles a, Doubles b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_LE_OQ)}; }
SADDLEPOINT_INLINE Mask64 gt(Doubles a, Doubles b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GT_OQ)}; }
SADDLEPOINT_INLINE Mask64 ge(Doubles a, Doubles b) { return {_mm512_cmp_pd_mask(a.v, b.v, _CMP_GE_OQ)}; }
SADDLEPOINT_INLINE Doubles select(Mask64 m, Doubles a, Doubles b) { return {_mm512_mask_blend_pd(m.bits, b.v, a.v)}; }
SADDLEPOINT_INLINE Int64s bits(Doubles a) { return {_mm512_castpd_si512(a.v)}; }
SADDLEPOINT_INLINE Doubles asDouble(Int64s a) { return {_mm512_castsi512_pd(a.v)}; }
SADDLEPOINT_INLINE Doubles loadWhere(Mask64 m, const double* p) { return {_mm512_maskz_loadu_pd(m.bits, p)}; }
template <int k>
SADDLEPOINT_INLINE Doubles swapLanes(Doubles a) {
  if (k == 4) return {_mm512_shuffle_f64x2(a.v, a.v, 0x4e)};
  if (k == 2) return {_mm512_shuffle_f64x2(a.v, a.v, 0xb1)};
  return {_mm512_permute_pd(a.v, 0x55)};
}
SADDLEPOINT_INLINE double firstLane(Doubles a) { return _mm512_cvtsd_f64(a.v); }
SADDLEPOINT_INLINE double reduceAdd(Doubles a) {
  const __m256d half = _mm256_add_pd(_mm512_castpd512_pd256(a.v), _mm512_extractf64x4_pd(a.v, 1));
  const __m128d pair = _mm_add_pd(_mm256_castpd256_pd128(half), _mm256_extractf128_pd(half, 1));
  return _mm_cvtsd_f64(_mm_add_sd(pair, _mm_unpackhi_pd(pair, pair)));
}

}  // namespace
}  // namespace saddlepoint
