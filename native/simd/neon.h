// NEON of aarch64. Included by vec.h.
#pragma once
#include <arm_neon.h>

namespace saddlepoint {
namespace {

struct Mask32 {
  uint32x4_t bits;
};
struct Mask64 {
  uint64x2_t bits;
};

SADDLEPOINT_INLINE Mask32 operator&(Mask32 a, Mask32 b) { return {vandq_u32(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask32 operator|(Mask32 a, Mask32 b) { return {vorrq_u32(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask32 operator~(Mask32 a) { return {vmvnq_u32(a.bits)}; }
SADDLEPOINT_INLINE bool any(Mask32 a) { return vmaxvq_u32(a.bits) != 0; }
SADDLEPOINT_INLINE bool all(Mask32 a) { return vminvq_u32(a.bits) != 0; }
SADDLEPOINT_INLINE Mask64 operator&(Mask64 a, Mask64 b) { return {vandq_u64(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask64 operator|(Mask64 a, Mask64 b) { return {vorrq_u64(a.bits, b.bits)}; }
SADDLEPOINT_INLINE Mask64 operator~(Mask64 a) {
  return {vreinterpretq_u64_u32(vmvnq_u32(vreinterpretq_u32_u64(a.bits)))};
}
SADDLEPOINT_INLINE bool any(Mask64 a) { return vmaxvq_u32(vreinterpretq_u32_u64(a.bits)) != 0; }
SADDLEPOINT_INLINE bool all(Mask64 a) { return vminvq_u32(vreinterpretq_u32_u64(a.bits)) != 0; }

template <>
struct Vec<int32_t> {
  static constexpr int lanes = 4;
  int32x4_t v;
  static SADDLEPOINT_INLINE Vec load(const int32_t* p) { return {vld1q_s32(p)}; }
  static SADDLEPOINT_INLINE Vec loadPartial(const int32_t* p, int n) {
    if (n >= 4) return load(p);
    int32x4_t v = vdupq_n_s32(0);
    if (n > 0) v = vld1q_lane_s32(p, v, 0);
    if (n > 1) v = vld1q_lane_s32(p + 1, v, 1);
    if (n > 2) v = vld1q_lane_s32(p + 2, v, 2);
    return {v};
  }
  static SADDLEPOINT_INLINE Vec broadcast(int32_t x) { return {vdupq_n_s32(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {vdupq_n_s32(0)}; }
  SADDLEPOINT_INLINE void store(int32_t* p) const { vst1q_s32(p, v); }
  SADDLEPOINT_INLINE void storePartial(int32_t* p, int n) const {
    if (n >= 4) return store(p);
    if (n > 0) vst1q_lane_s32(p, v, 0);
    if (n > 1) vst1q_lane_s32(p + 1, v, 1);
    if (n > 2) vst1q_lane_s32(p + 2, v, 2);
  }
};
using Int32s = Vec<int32_t>;
SADDLEPOINT_INLINE Int32s operator+(Int32s a, Int32s b) { return {vaddq_s32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator-(Int32s a, Int32s b) { return {vsubq_s32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator*(Int32s a, Int32s b) { return {vmulq_s32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator&(Int32s a, Int32s b) { return {vandq_s32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator|(Int32s a, Int32s b) { return {vorrq_s32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s operator^(Int32s a, Int32s b) { return {veorq_s32(a.v, b.v)}; }
template <int k>
SADDLEPOINT_INLINE Int32s shiftLeft(Int32s a) {
  return {vshlq_n_s32(a.v, k)};
}
template <int k>
SADDLEPOINT_INLINE Int32s shiftRight(Int32s a) {
  return {vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a.v), k))};
}
template <int k>
SADDLEPOINT_INLINE Int32s shiftRightSigned(Int32s a) {
  return {vshrq_n_s32(a.v, k)};
}
SADDLEPOINT_INLINE Mask32 eq(Int32s a, Int32s b) { return {vceqq_s32(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask32 gt(Int32s a, Int32s b) { return {vcgtq_s32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s select(Mask32 m, Int32s a, Int32s b) { return {vbslq_s32(m.bits, a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s max(Int32s a, Int32s b) { return {vmaxq_s32(a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s min(Int32s a, Int32s b) { return {vminq_s32(a.v, b.v)}; }

struct WideProduct {
  Int32s high, low;
};
SADDLEPOINT_INLINE WideProduct multiplyWide(Int32s a, Int32s b) {
  const uint32x4_t x = vreinterpretq_u32_s32(a.v), y = vreinterpretq_u32_s32(b.v);
  const uint32x4_t low = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(x), vget_low_u32(y)));
  const uint32x4_t high = vreinterpretq_u32_u64(vmull_high_u32(x, y));
  return {{vreinterpretq_s32_u32(vuzp2q_u32(low, high))}, {vreinterpretq_s32_u32(vuzp1q_u32(low, high))}};
}

template <>
struct Vec<int64_t> {
  static constexpr int lanes = 2;
  int64x2_t v;
  static SADDLEPOINT_INLINE Vec load(const int64_t* p) { return {vld1q_s64(p)}; }
  static SADDLEPOINT_INLINE Vec loadPartial(const int64_t* p, int n) {
    if (n >= 2) return load(p);
    const int64x2_t v = vdupq_n_s64(0);
    return {n > 0 ? vld1q_lane_s64(p, v, 0) : v};
  }
  static SADDLEPOINT_INLINE Vec broadcast(int64_t x) { return {vdupq_n_s64(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {vdupq_n_s64(0)}; }
  SADDLEPOINT_INLINE void store(int64_t* p) const { vst1q_s64(p, v); }
  SADDLEPOINT_INLINE void storePartial(int64_t* p, int n) const {
    if (n >= 2) return store(p);
    if (n > 0) vst1q_lane_s64(p, v, 0);
  }
};
using Int64s = Vec<int64_t>;
SADDLEPOINT_INLINE Int64s operator+(Int64s a, Int64s b) { return {vaddq_s64(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator-(Int64s a, Int64s b) { return {vsubq_s64(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator&(Int64s a, Int64s b) { return {vandq_s64(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator|(Int64s a, Int64s b) { return {vorrq_s64(a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s operator^(Int64s a, Int64s b) { return {veorq_s64(a.v, b.v)}; }
template <int k>
SADDLEPOINT_INLINE Int64s shiftLeft(Int64s a) {
  return {vshlq_n_s64(a.v, k)};
}
template <int k>
SADDLEPOINT_INLINE Int64s shiftRight(Int64s a) {
  return {vreinterpretq_s64_u64(vshrq_n_u64(vreinterpretq_u64_s64(a.v), k))};
}

template <>
struct Vec<float> {
  static constexpr int lanes = 4;
  float32x4_t v;
  static SADDLEPOINT_INLINE Vec load(const float* p) { return {vld1q_f32(p)}; }
  static SADDLEPOINT_INLINE Vec loadPartial(const float* p, int n) {
    if (n >= 4) return load(p);
    float32x4_t v = vdupq_n_f32(0);
    if (n > 0) v = vld1q_lane_f32(p, v, 0);
    if (n > 1) v = vld1q_lane_f32(p + 1, v, 1);
    if (n > 2) v = vld1q_lane_f32(p + 2, v, 2);
    return {v};
  }
  static SADDLEPOINT_INLINE Vec broadcast(float x) { return {vdupq_n_f32(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {vdupq_n_f32(0)}; }
  SADDLEPOINT_INLINE void store(float* p) const { vst1q_f32(p, v); }
  SADDLEPOINT_INLINE void storePartial(float* p, int n) const {
    if (n >= 4) return store(p);
    if (n > 0) vst1q_lane_f32(p, v, 0);
    if (n > 1) vst1q_lane_f32(p + 1, v, 1);
    if (n > 2) vst1q_lane_f32(p + 2, v, 2);
  }
};
using Floats = Vec<float>;
SADDLEPOINT_INLINE Floats operator+(Floats a, Floats b) { return {vaddq_f32(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator-(Floats a, Floats b) { return {vsubq_f32(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator*(Floats a, Floats b) { return {vmulq_f32(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator/(Floats a, Floats b) { return {vdivq_f32(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats operator-(Floats a) { return {vnegq_f32(a.v)}; }
SADDLEPOINT_INLINE Floats fma(Floats a, Floats b, Floats c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
SADDLEPOINT_INLINE Floats fnma(Floats a, Floats b, Floats c) { return {vfmsq_f32(c.v, a.v, b.v)}; }
SADDLEPOINT_INLINE Floats max(Floats a, Floats b) { return {vbslq_f32(vcgtq_f32(a.v, b.v), a.v, b.v)}; }
SADDLEPOINT_INLINE Floats min(Floats a, Floats b) { return {vbslq_f32(vcltq_f32(a.v, b.v), a.v, b.v)}; }
SADDLEPOINT_INLINE Floats abs(Floats a) { return {vabsq_f32(a.v)}; }
SADDLEPOINT_INLINE Floats sqrt(Floats a) { return {vsqrtq_f32(a.v)}; }
SADDLEPOINT_INLINE Floats floor(Floats a) { return {vrndmq_f32(a.v)}; }
SADDLEPOINT_INLINE Floats ceil(Floats a) { return {vrndpq_f32(a.v)}; }
SADDLEPOINT_INLINE Floats trunc(Floats a) { return {vrndq_f32(a.v)}; }
SADDLEPOINT_INLINE Floats roundEven(Floats a) { return {vrndnq_f32(a.v)}; }
SADDLEPOINT_INLINE Mask32 eq(Floats a, Floats b) { return {vceqq_f32(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask32 ne(Floats a, Floats b) { return ~eq(a, b); }
SADDLEPOINT_INLINE Mask32 lt(Floats a, Floats b) { return {vcltq_f32(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask32 le(Floats a, Floats b) { return {vcleq_f32(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask32 gt(Floats a, Floats b) { return {vcgtq_f32(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask32 ge(Floats a, Floats b) { return {vcgeq_f32(a.v, b.v)}; }
SADDLEPOINT_INLINE Floats select(Mask32 m, Floats a, Floats b) { return {vbslq_f32(m.bits, a.v, b.v)}; }
SADDLEPOINT_INLINE Int32s bits(Floats a) { return {vreinterpretq_s32_f32(a.v)}; }
SADDLEPOINT_INLINE Floats asFloat(Int32s a) { return {vreinterpretq_f32_s32(a.v)}; }
SADDLEPOINT_INLINE Floats toFloat(Int32s a) { return {vcvtq_f32_s32(a.v)}; }
SADDLEPOINT_INLINE Int32s roundToInt(Floats a) { return {vcvtnq_s32_f32(a.v)}; }
template <int k>
SADDLEPOINT_INLINE Floats swapLanes(Floats a) {
  return {k == 2 ? vextq_f32(a.v, a.v, 2) : vrev64q_f32(a.v)};
}
SADDLEPOINT_INLINE float firstLane(Floats a) { return vgetq_lane_f32(a.v, 0); }
SADDLEPOINT_INLINE float reduceAdd(Floats a) {
  const float32x2_t pair = vadd_f32(vget_low_f32(a.v), vget_high_f32(a.v));
  return vget_lane_f32(pair, 0) + vget_lane_f32(pair, 1);
}

SADDLEPOINT_INLINE Floats loadWhere(Mask32 m, const float* p) {
  return {vreinterpretq_f32_u32(vandq_u32(m.bits, vreinterpretq_u32_f32(vld1q_f32(p))))};
}
SADDLEPOINT_INLINE Mask32 loadBytes(const uint8_t* p) {
  uint32_t four;
  __builtin_memcpy(&four, p, sizeof four);
  const uint16x8_t halves = vmovl_u8(vcreate_u8(four));
  return {vcgtq_u32(vmovl_u16(vget_low_u16(halves)), vdupq_n_u32(0))};
}
SADDLEPOINT_INLINE void storeBytes(Mask32 m, uint8_t* p) {
  const uint16x4_t halves = vmovn_u32(m.bits);
  const uint8x8_t bytes = vand_u8(vmovn_u16(vcombine_u16(halves, halves)), vdup_n_u8(1));
  const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
  __builtin_memcpy(p, &four, sizeof four);
}

template <>
struct Vec<double> {
  static constexpr int lanes = 2;
  float64x2_t v;
  static SADDLEPOINT_INLINE Vec load(const double* p) { return {vld1q_f64(p)}; }
  static SADDLEPOINT_INLINE Vec loadPartial(const double* p, int n) {
    if (n >= 2) return load(p);
    const float64x2_t v = vdupq_n_f64(0);
    return {n > 0 ? vld1q_lane_f64(p, v, 0) : v};
  }
  static SADDLEPOINT_INLINE Vec broadcast(double x) { return {vdupq_n_f64(x)}; }
  static SADDLEPOINT_INLINE Vec zero() { return {vdupq_n_f64(0)}; }
  SADDLEPOINT_INLINE void store(double* p) const { vst1q_f64(p, v); }
  SADDLEPOINT_INLINE void storePartial(double* p, int n) const {
    if (n >= 2) return store(p);
    if (n > 0) vst1q_lane_f64(p, v, 0);
  }
};
using Doubles = Vec<double>;
SADDLEPOINT_INLINE Doubles operator+(Doubles a, Doubles b) { return {vaddq_f64(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator-(Doubles a, Doubles b) { return {vsubq_f64(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator*(Doubles a, Doubles b) { return {vmulq_f64(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator/(Doubles a, Doubles b) { return {vdivq_f64(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles operator-(Doubles a) { return {vnegq_f64(a.v)}; }
SADDLEPOINT_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles fnma(Doubles a, Doubles b, Doubles c) { return {vfmsq_f64(c.v, a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles max(Doubles a, Doubles b) { return {vbslq_f64(vcgtq_f64(a.v, b.v), a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles min(Doubles a, Doubles b) { return {vbslq_f64(vcltq_f64(a.v, b.v), a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles abs(Doubles a) { return {vabsq_f64(a.v)}; }
SADDLEPOINT_INLINE Doubles sqrt(Doubles a) { return {vsqrtq_f64(a.v)}; }
SADDLEPOINT_INLINE Doubles floor(Doubles a) { return {vrndmq_f64(a.v)}; }
SADDLEPOINT_INLINE Doubles ceil(Doubles a) { return {vrndpq_f64(a.v)}; }
SADDLEPOINT_INLINE Doubles trunc(Doubles a) { return {vrndq_f64(a.v)}; }
SADDLEPOINT_INLINE Doubles roundEven(Doubles a) { return {vrndnq_f64(a.v)}; }
SADDLEPOINT_INLINE Mask64 eq(Doubles a, Doubles b) { return {vceqq_f64(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask64 ne(Doubles a, Doubles b) { return ~eq(a, b); }
SADDLEPOINT_INLINE Mask64 lt(Doubles a, Doubles b) { return {vcltq_f64(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask64 le(Doubles a, Doubles b) { return {vcleq_f64(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask64 gt(Doubles a, Doubles b) { return {vcgtq_f64(a.v, b.v)}; }
SADDLEPOINT_INLINE Mask64 ge(Doubles a, Doubles b) { return {vcgeq_f64(a.v, b.v)}; }
SADDLEPOINT_INLINE Doubles select(Mask64 m, Doubles a, Doubles b) { return {vbslq_f64(m.bits, a.v, b.v)}; }
SADDLEPOINT_INLINE Int64s bits(Doubles a) { return {vreinterpretq_s64_f64(a.v)}; }
SADDLEPOINT_INLINE Doubles asDouble(Int64s a) { return {vreinterpretq_f64_s64(a.v)}; }
SADDLEPOINT_INLINE Doubles loadWhere(Mask64 m, const double* p) {
  return {vreinterpretq_f64_u64(vandq_u64(m.bits, vreinterpretq_u64_f64(vld1q_f64(p))))};
}
template <int k>
SADDLEPOINT_INLINE Doubles swapLanes(Doubles a) {
  return {vextq_f64(a.v, a.v, 1)};
}
SADDLEPOINT_INLINE double firstLane(Doubles a) { return vgetq_lane_f64(a.v, 0); }
SADDLEPOINT_INLINE double reduceAdd(Doubles a) { return vgetq_lane_f64(a.v, 0) + vgetq_lane_f64(a.v, 1); }

}  // namespace
}  // namespace saddlepoint
