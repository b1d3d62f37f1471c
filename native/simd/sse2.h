// SSE2, what every x86-64 processor has. Included by vec.h.
#pragma once
#include <emmintrin.h>

namespace saddlepoint {
namespace {

struct Mask32 {
  __m128 bits;
};
struct Mask64 {
  __m128d bits;
};

SADDLEPOINT_INLINE Mask32 operator&(Mask32 a, Mask32 b) { return {_mm_and_ps(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask32 operator|(Mask32 a, Mask32 b) { return {_mm_or_ps(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask32 operator~(Mask32 a) { return {_mm_xor_ps(a.bits, _mm_castsi128_ps(_mm_set1_epi32(-1)))}; }
SADDLEPOINT_INLINE bool any(Mask32 a) { return _mm_movemask_ps(a.bits) != 0; }
SADDLEPOINT_INLINE bool all(Mask32 a) { return _mm_movemask_ps(a.bits) == 0xf; }
SADDLEPOINT_INLINE Mask64 operator&(Mask64 a, Mask64 b) { return {_mm_and_pd(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask64 operator|(Mask64 a, Mask64 b) { return {_mm_or_pd(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask64 operator~(Mask64 a) { return {_mm_xor_pd(a.bits, _mm_castsi128_pd(_mm_set1_epi32(-1)))}; }
SADDLEPOINT_INLINE bool any(Mask64 a) { return _mm_movemask_pd(a.bits) != 0; }
SADDLEPOINT_INLINE bool all(Mask64 a) { return _mm_movemask_pd(a.bits) == 0x3; }

SADDLEPOINT_INLINE __m128i loadPartial4(const void* p, int n) {
  const char* bytes = static_cast<const char*>(p);
  const __m128i* low = reinterpret_cast<const __m128i*>(bytes);
  int last;
  switch (n) {
    case 0:
      return _mm_setzero_si128();
    case 1:
      __builtin_memcpy(&last, bytes, 4);
      return _mm_cvtsi32_si128(last);
    case 2:
      return _mm_loadl_epi64(low);
    case 3:
      __builtin_memcpy(&last, bytes + 8, 4);
      return _mm_unpacklo_epi64(_mm_loadl_epi64(low), _mm_cvtsi32_si128(last));
    default:
      return _mm_loadu_si128(low);
  }
}
SADDLEPOINT_INLINE void storePartial4(void* p, int n, __m128i v) {
  char* bytes = static_cast<char*>(p);
  __m128i* low = reinterpret_cast<__m128i*>(bytes);
  int last;
  switch (n) {
    case 0:
      return;
    case 1:
      last = _mm_cvtsi128_si32(v);
      __builtin_memcpy(bytes, &last, 4);
      return;
    case 2:
      _mm_storel_epi64(low, v);
      return;
    case 3:
      _mm_storel_epi64(low, v);
      last = _mm_cvtsi128_si32(_mm_unpackhi_epi64(v, v));
      __builtin_memcpy(bytes + 8, &last, 4);
      return;
    default:
      _mm_storeu_si128(low, v);
  }
}

template <>
struct Vec<int32_t> {
  static constexpr int lanes = 4;
  __m128i v;
  static SADDLEPOINT_INLINE Vec load(const int32_t* p) {
    return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))};
  }
  static SADDLEPOINT_INLINE Vec loadPartial(const int32_t* p, int n) { return {loadPartial4(p, n)}; }
  static SADDLEPOINT_INLINE Vec broadcast(int32_t x) { return {_mm_set1_epi32(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {_mm_setzero_si128()}; }
  SADDLEPOINT_INLINE void store(int32_t* p) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }
  SADDLEPOINT_INLINE void storePartial(int32_t* p, int n) const { storePartial4(p, n, v); }
};
using Int32s = Vec<int32_t>;
SADDLEPOINT_INLINE Int32s operator+(Int32s a, Int32s b) { return {_mm_add_epi32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator-(Int32s a, Int32s b) { return {_mm_sub_epi32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator*(Int32s a, Int32s b) {
  const __m128i even = _mm_mul_epu32(a.v, b.v);
  const __m128i odd = _mm_mul_epu32(_mm_srli_epi64(a.v, 32), _mm_srli_epi64(b.v, 32));
  return {_mm_unpacklo_epi32(_mm_shuffle_epi32(even, 0x08), _mm_shuffle_epi32(odd, 0x08))};
}
SADDLEPOINT_INLINE Int32s operator&(Int32s a, Int32s b) { return {_mm_and_si128(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator|(Int32s a, Int32s b) { return {_mm_or_si128(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator^(Int32s a, Int32s b) { return {_mm_xor_si128(a.v, b.v)}; }
template <int k>
SADDLEPOINT_INLINE Int32s shiftLeft(Int32s a) {
  return {_mm_slli_epi32(a.v, k)};
}
template <int k>
SADDLEPOINT_INLINE Int32s shiftRight(Int32s a) {
  return {_mm_srli_epi32(a.v, k)};
}
template <int k>
SADDLEPOINT_INLINE Int32s shiftRightSigned(Int32s a) {
  return {_mm_srai_epi32(a.v, k)};
}
SADDLEPOINT_INLINE Mask32 eq(Int32s a, Int32s b) { return {_mm_castsi128_ps(_mm_cmpeq_epi32(a.v, b.v))}; }
SADDLEPOINT_INLINE Mask32 gt(Int32s a, Int32s b) { return {_mm_castsi128_ps(_mm_cmpgt_epi32(a.v, b.v))}; }
SADDLEPOINT_INLINE Int32s select(Mask32 m, Int32s a, Int32s b) {
  return {_mm_castps_si128(
      _mm_or_ps(_mm_and_ps(m.bits, _mm_castsi128_ps(a.v)), _mm_andnot_ps(m.bits, _mm_castsi128_ps(b.v))))};
}
SADDLEPOINT_INLINE Int32s max(Int32s a, Int32s b) { return select(gt(a, b), a, b); }
SADDLEPOINT_INLINE Int32s min(Int32s a, Int32s b) { return select(gt(b, a), a, b); }

struct WideProduct {
  Int32s high, low;
};
SADDLEPOINT_INLINE WideProduct multiplyWide(Int32s a, Int32s b) {
  const __m128i even = _mm_mul_epu32(a.v, b.v);
  const __m128i odd = _mm_mul_epu32(_mm_srli_epi64(a.v, 32), _mm_srli_epi64(b.v, 32));
  return {{_mm_unpacklo_epi32(_mm_shuffle_epi32(even, 0x0d), _mm_shuffle_epi32(odd, 0x0d))},
          {_mm_unpacklo_epi32(_mm_shuffle_epi32(even, 0x08), _mm_shuffle_epi32(odd, 0x08))}};
}

template <>
struct Vec<int64_t> {
  static constexpr int lanes = 2;
  __m128i v;
  static SADDLEPOINT_INLINE Vec load(const int64_t* p) {
    return {_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))};
  }
  static SADDLEPOINT_INLINE Vec loadPartial(const int64_t* p, int n) { return {loadPartial4(p, 2 * n)}; }
  static SADDLEPOINT_INLINE Vec broadcast(int64_t x) { return {_mm_set1_epi64x(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {_mm_setzero_si128()}; }
  SADDLEPOINT_INLINE void store(int64_t* p) const { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }
  SADDLEPOINT_INLINE void storePartial(int64_t* p, int n) const { storePartial4(p, 2 * n, v); }
};
using Int64s = Vec<int64_t>;
SADDLEPOINT_INLINE Int64s operator+(Int64s a, Int64s b) { return {_mm_add_epi64(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator-(Int64s a, Int64s b) { return {_mm_sub_epi64(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator&(Int64s a, Int64s b) { return {_mm_and_si128(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator|(Int64s a, Int64s b) { return {_mm_or_si128(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator^(Int64s a, Int64s b) { return {_mm_xor_si128(a.v, b.v)}; }
template <int k>
SADDLEPOINT_INLINE Int64s shiftLeft(Int64s a) {
  return {_mm_slli_epi64(a.v, k)};
}
template <int k>
SADDLEPOINT_INLINE Int64s shiftRight(Int64s a) {
  return {_mm_srli_epi64(a.v, k)};
}

template <>
struct Vec<float> {
  static constexpr int lanes = 4;
  __m128 v;
  static SADDLEPOINT_INLINE Vec load(const float* p) { return {_mm_loadu_ps(p)}; }
  static SADDLEPOINT_INLINE Vec loadPartial(const float* p, int n) { return {_mm_castsi128_ps(loadPartial4(p, n))}; }
  static SADDLEPOINT_INLINE Vec broadcast(float x) { return {_mm_set1_ps(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {_mm_setzero_ps()}; }
  SADDLEPOINT_INLINE void store(float* p) const { _mm_storeu_ps(p, v); }
  SADDLEPOINT_INLINE void storePartial(float* p, int n) const { storePartial4(p, n, _mm_castps_si128(v)); }
};
using Floats = Vec<float>;
SADDLEPOINT_INLINE Floats operator+(Floats a, Floats b) { return {_mm_add_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator-(Floats a, Floats b) { return {_mm_sub_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator*(Floats a, Floats b) { return {_mm_mul_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator/(Floats a, Floats b) { return {_mm_div_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator-(Floats a) { return {_mm_xor_ps(a.v, _mm_set1_ps(-0.0f))}; }
SADDLEPOINT_INLINE Floats fma(Floats a, Floats b, Floats c) { return a * b + c; }
SADDLEPOINT_INLINE Floats fnma(Floats a, Floats b, Floats c) { return c - a * b; }
SADDLEPOINT_INLINE Floats max(Floats a, Floats b) { return {_mm_max_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats min(Floats a, Floats b) { return {_mm_min_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats abs(Floats a) { return {_mm_andnot_ps(_mm_set1_ps(-0.0f), a.v)}; }
SADDLEPOINT_INLINE Floats sqrt(Floats a) { return {_mm_sqrt_ps(a.v)}; }
SADDLEPOINT_INLINE Mask32 eq(Floats a, Floats b) { return {_mm_cmpeq_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask32 ne(Floats a, Floats b) { return {_mm_cmpneq_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask32 lt(Floats a, Floats b) { return {_mm_cmplt_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask32 le(Floats a, Floats b) { return {_mm_cmple_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask32 gt(Floats a, Floats b) { return {_mm_cmpgt_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask32 ge(Floats a, Floats b) { return {_mm_cmpge_ps(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats select(Mask32 m, Floats a, Floats b) {
  return {_mm_or_ps(_mm_and_ps(m.bits, a.v), _mm_andnot_ps(m.bits, b.v))};
}
// Adding and subtracting 2^23 rounds anything smaller; the sign goes back for the sake of -0.
SADDLEPOINT_INLINE Floats withSign(Floats magnitude, Floats sign) {
  return {_mm_or_ps(magnitude.v, _mm_and_ps(sign.v, _mm_set1_ps(-0.0f)))};
}
SADDLEPOINT_INLINE Floats roundEven(Floats a) {
  const Floats limit = Floats::broadcast(8388608.0f), magnitude = abs(a);
  return select(lt(magnitude, limit), withSign((magnitude + limit) - limit, a), a);
}
SADDLEPOINT_INLINE Floats floor(Floats a) {
  const Floats rounded = roundEven(a);
  return withSign(select(gt(rounded, a), rounded - Floats::broadcast(1.0f), rounded), a);
}
SADDLEPOINT_INLINE Floats ceil(Floats a) { return -floor(-a); }
SADDLEPOINT_INLINE Floats trunc(Floats a) { return withSign(floor(abs(a)), a); }
SADDLEPOINT_INLINE Int32s bits(Floats a) { return {_mm_castps_si128(a.v)}; }
SADDLEPOINT_INLINE Floats asFloat(Int32s a) { return {_mm_castsi128_ps(a.v)}; }
SADDLEPOINT_INLINE Floats toFloat(Int32s a) { return {_mm_cvtepi32_ps(a.v)}; }
SADDLEPOINT_INLINE Int32s roundToInt(Floats a) { return {_mm_cvtps_epi32(a.v)}; }
template <int k>
SADDLEPOINT_INLINE Floats swapLanes(Floats a) {
  return {_mm_shuffle_ps(a.v, a.v, k == 2 ? 0x4e : 0xb1)};
}
SADDLEPOINT_INLINE float firstLane(Floats a) { return _mm_cvtss_f32(a.v); }
SADDLEPOINT_INLINE float reduceAdd(Floats a) {
  const __m128 pair = _mm_add_ps(a.v, _mm_movehl_ps(a.v, a.v));
  return _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps(pair, pair, 1)));
}

SADDLEPOINT_INLINE Floats loadWhere(Mask32 m, const float* p) { return {_mm_and_ps(m.bits, _mm_loadu_ps(p))}; }
SADDLEPOINT_INLINE Mask32 loadBytes(const uint8_t* p) {
  int32_t four;
  __builtin_memcpy(&four, p, sizeof four);
  const __m128i zero = _mm_setzero_si128();
  const __m128i wide = _mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(four), zero), zero);
  return {_mm_castsi128_ps(_mm_cmpgt_epi32(wide, zero))};
}
SADDLEPOINT_INLINE void storeBytes(Mask32 m, uint8_t* p) {
  const __m128i words = _mm_castps_si128(m.bits), halves = _mm_packs_epi32(words, words);
  const int32_t four = _mm_cvtsi128_si32(_mm_sub_epi8(_mm_setzero_si128(), _mm_packs_epi16(halves, halves)));
  __builtin_memcpy(p, &four, sizeof four);
}

template <>
struct Vec<double> {
  static constexpr int lanes = 2;
  __m128d v;
  static SADDLEPOINT_INLINE Vec load(const double* p) { return {_mm_loadu_pd(p)}; }
  static SADDLEPOINT_INLINE Vec loadPartial(const double* p, int n) {
    return {_mm_castsi128_pd(loadPartial4(p, 2 * n))};
  }
  static SADDLEPOINT_INLINE Vec broadcast(double x) { return {_mm_set1_pd(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {_mm_setzero_pd()}; }
  SADDLEPOINT_INLINE void store(double* p) const { _mm_storeu_pd(p, v); }
  SADDLEPOINT_INLINE void storePartial(double* p, int n) const { storePartial4(p, 2 * n, _mm_castpd_si128(v)); }
};
using Doubles = Vec<double>;
SADDLEPOINT_INLINE Doubles operator+(Doubles a, Doubles b) { return {_mm_add_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator-(Doubles a, Doubles b) { return {_mm_sub_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator*(Doubles a, Doubles b) { return {_mm_mul_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator/(Doubles a, Doubles b) { return {_mm_div_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator-(Doubles a) { return {_mm_xor_pd(a.v, _mm_set1_pd(-0.0))}; }
SADDLEPOINT_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) { return a * b + c; }
SADDLEPOINT_INLINE Doubles fnma(Doubles a, Doubles b, Doubles c) { return c - a * b; }
SADDLEPOINT_INLINE Doubles max(Doubles a, Doubles b) { return {_mm_max_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles min(Doubles a, Doubles b) { return {_mm_min_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles abs(Doubles a) { return {_mm_andnot_pd(_mm_set1_pd(-0.0), a.v)}; }
SADDLEPOINT_INLINE Doubles sqrt(Doubles a) { return {_mm_sqrt_pd(a.v)}; }
SADDLEPOINT_INLINE Mask64 eq(Doubles a, Doubles b) { return {_mm_cmpeq_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask64 ne(Doubles a, Doubles b) { return {_mm_cmpneq_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask64 lt(Doubles a, Doubles b) { return {_mm_cmplt_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask64 le(Doubles a, Doubles b) { return {_mm_cmple_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask64 gt(Doubles a, Doubles b) { return {_mm_cmpgt_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask64 ge(Doubles a, Doubles b) { return {_mm_cmpge_pd(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles select(Mask64 m, Doubles a, Doubles b) {
  return {_mm_or_pd(_mm_and_pd(m.bits, a.v), _mm_andnot_pd(m.bits, b.v))};
}
// Adding and subtracting 2^52 rounds anything smaller; the sign goes back for the sake of -0.
SADDLEPOINT_INLINE Doubles withSign(Doubles magnitude, Doubles sign) {
  return {_mm_or_pd(magnitude.v, _mm_and_pd(sign.v, _mm_set1_pd(-0.0)))};
}
SADDLEPOINT_INLINE Doubles roundEven(Doubles a) {
  const Doubles limit = Doubles::broadcast(4503599627370496.0), magnitude = abs(a);
  return select(lt(magnitude, limit), withSign((magnitude + limit) - limit, a), a);
}
SADDLEPOINT_INLINE Doubles floor(Doubles a) {
  const Doubles rounded = roundEven(a);
  return withSign(select(gt(rounded, a), rounded - Doubles::broadcast(1.0), rounded), a);
}
SADDLEPOINT_INLINE Doubles ceil(Doubles a) { return -floor(-a); }
SADDLEPOINT_INLINE Doubles trunc(Doubles a) { return withSign(floor(abs(a)), a); }
SADDLEPOINT_INLINE Int64s bits(Doubles a) { return {_mm_castpd_si128(a.v)}; }
SADDLEPOINT_INLINE Doubles asDouble(Int64s a) { return {_mm_castsi128_pd(a.v)}; }
SADDLEPOINT_INLINE Doubles loadWhere(Mask64 m, const double* p) { return {_mm_and_pd(m.bits, _mm_loadu_pd(p))}; }
template <int k>
SADDLEPOINT_INLINE Doubles swapLanes(Doubles a) {
  return {_mm_shuffle_pd(a.v, a.v, 1)};
}
SADDLEPOINT_INLINE double firstLane(Doubles a) { return _mm_cvtsd_f64(a.v); }
SADDLEPOINT_INLINE double reduceAdd(Doubles a) { return _mm_cvtsd_f64(_mm_add_sd(a.v, _mm_unpackhi_pd(a.v, a.v))); }

}  // namespace
}  // namespace saddlepoint
