// Elementary functions of vectors: the same operations for every lane on every instruction set, so that a result
// depends neither on a value's position nor (but on SSE2, which lacks fused multiply-add) on the processor. Polynomials
// are minimax fits (Remez) of the function named beside them. Results below the smallest normal number may become 0.
#pragma once
#include "../simd/vec.h"
#include "kernel.h"

namespace saddlepoint {
namespace {

template <typename T>
struct MathConstants;

template <>
struct MathConstants<float> {
  using Int = int32_t;
  static constexpr int mantissaBits = 23, exponentBias = 127;
  static constexpr Int one = 0x3f800000, sqrtHalf = 0x3f3504f3, mantissaMask = 0x007fffff,
                       twoToMantissaBits = 0x4b000000;
  static constexpr float roundingShift = 12582912.0f, minNormal = 1.17549435e-38f, infinity = __builtin_inff();
  static constexpr float log2E = 1.44269504f, ln2High = 0.69317627f, ln2Low = -2.90889713e-05f;
  static constexpr float expLow = -104.0f, expHigh = 89.0f, expm1Low = -18.0f, tanhHigh = 10.0f;
  static constexpr float tiny = 2.98023224e-08f;  // x + x^2 rounds to x
  // (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2
  static constexpr float exp[] = {0.50000001f, 0.166665183f, 0.0416662039f, 0.00836895334f, 0.0013950616f};
  // (log((1 + s) / (1 - s)) / s - 2) / s^2 by s^2, for s <= (sqrt(2) - 1) / (sqrt(2) + 1)
  static constexpr float log[] = {0.666666656f, 0.400003362f, 0.285372382f, 0.235835708f};
};

template <>
struct MathConstants<double> {
  using Int = int64_t;
  static constexpr int mantissaBits = 52, exponentBias = 1023;
  static constexpr Int one = 0x3ff0000000000000, sqrtHalf = 0x3fe6a09e667f3bcd, mantissaMask = 0x000fffffffffffff,
                       twoToMantissaBits = 0x4330000000000000;
  static constexpr double roundingShift = 6755399441055744.0, minNormal = 2.2250738585072014e-308,
                          infinity = __builtin_inf();
  static constexpr double log2E = 1.4426950408889634, ln2High = 0.6931471806019545, ln2Low = -4.2009150726810846e-11;
  static constexpr double expLow = -746.0, expHigh = 710.0, expm1Low = -40.0, tanhHigh = 20.0;
  static constexpr double tiny = 5.5511151231257827e-17;
  static constexpr double exp[] = {0.5,
                                   0.16666666666666685,
                                   0.041666666666666727,
                                   0.0083333333333166174,
                                   0.0013888888888858209,
                                   0.00019841269897361943,
                                   2.4801587374092641e-05,
                                   2.755723392954036e-06,
                                   2.7557233106646933e-07,
                                   2.5112348416370125e-08,
                                   2.0927013291924297e-09};
  static constexpr double log[] = {0.66666666666667351, 0.39999999999411068, 0.28571428743266958, 0.22222198475617314,
                                   0.18183569756972742, 0.15313902834083479, 0.14797511725045229};
};

SADDLEPOINT_INLINE Vec<float> fromBits(Vec<int32_t> v) { return asFloat(v); }
SADDLEPOINT_INLINE Vec<double> fromBits(Vec<int64_t> v) { return asDouble(v); }

// c[0] + c[1] x + c[2] x^2 + ...
template <typename T, int count>
SADDLEPOINT_INLINE Vec<T> polynomial(Vec<T> x, const T (&c)[count]) {
  Vec<T> sum = Vec<T>::broadcast(c[count - 1]);
#pragma GCC unroll 16
  for (int i = count - 2; i >= 0; i--) sum = fma(sum, x, Vec<T>::broadcast(c[i]));
  return sum;
}

// 2^n for a whole n that is an exponent of normal numbers.
template <typename T>
SADDLEPOINT_INLINE Vec<T> powerOfTwo(Vec<T> n) {
  using C = MathConstants<T>;
  const auto shifted = bits(n + Vec<T>::broadcast(C::roundingShift));
  return fromBits(shiftLeft<C::mantissaBits>(shifted + Vec<typename C::Int>::broadcast(C::exponentBias)));
}

template <typename T>
struct ExpParts {
  Vec<T> n;      // x = n ln(2) + r, |r| <= ln(2) / 2
  Vec<T> expm1;  // e^r - 1
};

template <typename T>
SADDLEPOINT_INLINE ExpParts<T> expParts(Vec<T> x) {
  using V = Vec<T>;
  using C = MathConstants<T>;
  const V n = roundEven(x * V::broadcast(C::log2E));
  const V r = fnma(n, V::broadcast(C::ln2Low), fnma(n, V::broadcast(C::ln2High), x));
  return {n, fma(r * r, polynomial(r, C::exp), r)};
}

// Within 2 ULP.
template <typename T>
SADDLEPOINT_INLINE Vec<T> exp(Vec<T> x) {
  using V = Vec<T>;
  using C = MathConstants<T>;
  const ExpParts<T> parts = expParts(max(V::broadcast(C::expLow), min(V::broadcast(C::expHigh), x)));
  const V half = roundEven(parts.n * V::broadcast(T(0.5)));
  const V scale = powerOfTwo(half);
  return fma(parts.expm1, scale, scale) * powerOfTwo(parts.n - half);
}

template <typename T>
SADDLEPOINT_INLINE Vec<T> expm1(Vec<T> x) {
  using V = Vec<T>;
  using C = MathConstants<T>;
  const V half = V::broadcast(T(0.5));
  const ExpParts<T> parts = expParts(max(V::broadcast(C::expm1Low), min(V::broadcast(C::expHigh), x)));
  const V scale = powerOfTwo(parts.n - V::broadcast(T(1)));  // half of 2^n, which itself may overflow
  const V result = fma(parts.expm1, scale, scale - half);
  return select(lt(abs(x), V::broadcast(C::tiny)), x, result + result);
}

// log(1 + f) + exponent ln(2), for 1 + f from sqrt(1/2) to sqrt(2).
template <typename T>
SADDLEPOINT_INLINE Vec<T> logOfParts(Vec<T> f, Vec<T> exponent) {
  using V = Vec<T>;
  using C = MathConstants<T>;
  const V s = f / (V::broadcast(T(2)) + f);
  const V s2 = s * s;
  const V halfSquare = V::broadcast(T(0.5)) * f * f;
  const V rest = fma(s2, polynomial(s2, C::log), halfSquare);
  const V tail = fma(s, rest, exponent * V::broadcast(C::ln2Low));
  return fma(exponent, V::broadcast(C::ln2High), f - (halfSquare - tail));
}

template <typename T>
struct LogParts {
  Vec<T> mantissa;  // sqrt(1/2) to sqrt(2)
  Vec<T> exponent;
};

// Of normal positive numbers.
template <typename T>
SADDLEPOINT_INLINE LogParts<T> logParts(Vec<T> x) {
  using C = MathConstants<T>;
  using Ints = Vec<typename C::Int>;
  const Ints shifted = bits(x) + Ints::broadcast(C::one - C::sqrtHalf);
  const Ints biased = shiftRight<C::mantissaBits>(shifted) | Ints::broadcast(C::twoToMantissaBits);
  const T offset = static_cast<T>(int64_t{1} << C::mantissaBits) + C::exponentBias;
  return {fromBits((shifted & Ints::broadcast(C::mantissaMask)) + Ints::broadcast(C::sqrtHalf)),
          fromBits(biased) - Vec<T>::broadcast(offset)};
}

// What log gives at `x` = 0, +inf, NaN and below 0; elsewhere `result`.
template <typename T>
SADDLEPOINT_INLINE Vec<T> logAtEnds(Vec<T> x, Vec<T> result) {
  using V = Vec<T>;
  const V infinity = V::broadcast(MathConstants<T>::infinity);
  result = select(lt(x, infinity), result, x);
  result = select(eq(x, V::zero()), -infinity, result);
  return select(lt(x, V::zero()), V::broadcast(__builtin_nanf("")), result);
}

template <typename T>
SADDLEPOINT_INLINE Vec<T> log(Vec<T> x) {
  using V = Vec<T>;
  using C = MathConstants<T>;
  const MaskOf<T> small = lt(x, V::broadcast(C::minNormal));
  const T power = static_cast<T>(int64_t{1} << C::mantissaBits);
  const LogParts<T> parts = logParts(select(small, x * V::broadcast(power), x));
  const V exponent = parts.exponent - select(small, V::broadcast(T(C::mantissaBits)), V::zero());
  return logAtEnds(x, logOfParts(parts.mantissa - V::broadcast(T(1)), exponent));
}

// log(u) for u = 1 + x, where what rounding 1 + x lost, scaled like u's mantissa, is added to the mantissa.
template <typename T>
SADDLEPOINT_INLINE Vec<T> log1p(Vec<T> x) {
  using V = Vec<T>;
  using C = MathConstants<T>;
  const V one = V::broadcast(T(1));
  const V u = one + x;
  const LogParts<T> parts = logParts(u);
  const V lost = select(gt(x, one), one - (u - x), x - (u - one));
  const V scale = powerOfTwo(max(V::broadcast(T(1 - C::exponentBias)), -parts.exponent));
  const V f = fma(lost, scale, parts.mantissa - one);
  const V result = logAtEnds(u, logOfParts(f, parts.exponent));
  return select(lt(abs(x), V::broadcast(C::tiny)), x, result);
}

template <typename T>
SADDLEPOINT_INLINE Vec<T> withSignOf(Vec<T> magnitude, Vec<T> x) {
  return fromBits(bits(magnitude) | (bits(x) & bits(Vec<T>::broadcast(T(-0.0)))));
}

// (e^2|x| - 1) / (e^2|x| + 1) with the sign of x.
template <typename T>
SADDLEPOINT_INLINE Vec<T> tanh(Vec<T> x) {
  using V = Vec<T>;
  const V magnitude = min(V::broadcast(MathConstants<T>::tanhHigh), abs(x));
  const V e = expm1(magnitude + magnitude);
  return withSignOf(e / (e + V::broadcast(T(2))), x);
}

template <typename T>
SADDLEPOINT_INLINE Vec<T> sigmoid(Vec<T> x) {
  const Vec<T> one = Vec<T>::broadcast(T(1));
  return one / (one + exp(-x));
}

template <typename T>
SADDLEPOINT_INLINE Vec<T> softplus(Vec<T> x) {
  return max(Vec<T>::zero(), x) + log1p(exp(-abs(x)));
}

// The C library's function for every lane: for what is too rare or too delicate for vectors.
template <typename T, typename Function>
SADDLEPOINT_INLINE Vec<T> eachLane(Vec<T> x, Function function) {
  T values[Vec<T>::lanes];
  x.store(values);
  for (int i = 0; i < Vec<T>::lanes; i++) values[i] = function(values[i]);
  return Vec<T>::load(values);
}

// Coefficients: (sin(r) / r - 1) / r^2 and (cos(r) - 1 + r^2 / 2) / r^4 by r^2, for |r| <= pi / 4.
constexpr float sinCoefficients[] = {-0.166666549f, 0.00833217355f, -0.000195166561f};
constexpr float cosCoefficients[] = {0.0416666467f, -0.00138873615f, 2.44377313e-05f};
// pi / 2 in parts of 12 bits, whose products with n < 2^12 are exact, and a rest.
constexpr float halfPiParts[] = {1.57080078125f, -4.4535845518112183e-06f, -8.7061380327213556e-10f,
                                 6.2228000530240024e-14f, 5.72118873e-18f};
constexpr float reducibleLimit = 6400.0f;

// sin(x + quarterTurns pi / 2) for |x| <= reducibleLimit.
template <int quarterTurns>
SADDLEPOINT_INLINE Vec<float> sinOfReducible(Vec<float> x) {
  using V = Vec<float>;
  const V n = roundEven(x * V::broadcast(0.636619772f));
  V r = x;
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) r = fnma(n, V::broadcast(halfPiParts[i]), r);
  const V r2 = r * r;
  const V sine = fma(r * r2, polynomial(r2, sinCoefficients), r);
  const V cosine = fma(r2 * r2, polynomial(r2, cosCoefficients), fnma(r2, V::broadcast(0.5f), V::broadcast(1.0f)));
  const auto quadrant =
      bits(n + V::broadcast(MathConstants<float>::roundingShift)) + Vec<int32_t>::broadcast(quarterTurns);
  const auto odd = eq(quadrant & Vec<int32_t>::broadcast(1), Vec<int32_t>::broadcast(1));
  const auto sign = shiftLeft<30>(quadrant & Vec<int32_t>::broadcast(2));
  return fromBits(bits(select(odd, cosine, sine)) ^ sign);
}

SADDLEPOINT_INLINE Vec<float> sin(Vec<float> x) {
  using V = Vec<float>;
  V result = select(lt(abs(x), V::broadcast(0.000244140625f)), x, sinOfReducible<0>(x));
  const Mask32 far = gt(abs(x), V::broadcast(reducibleLimit));
  if (any(far)) {
    const V exact = eachLane(x, [](float value) { return static_cast<float>(__builtin_sin(value)); });
    result = select(far, exact, result);
  }
  return result;
}

SADDLEPOINT_INLINE Vec<float> cos(Vec<float> x) {
  Vec<float> result = sinOfReducible<1>(x);
  const Mask32 far = gt(abs(x), Vec<float>::broadcast(reducibleLimit));
  if (any(far)) {
    const Vec<float> exact = eachLane(x, [](float value) { return static_cast<float>(__builtin_cos(value)); });
    result = select(far, exact, result);
  }
  return result;
}

// Below 0.92: erf(x) / x - 1 by x^2. Above: log(erfc(x)).
constexpr float erfCoefficients[] = {0.128379167f,   -0.376126337f,   0.112836939f,   -0.0268592709f,
                                     0.00520063452f, -0.00081374395f, 8.34523175e-05f};
constexpr float logErfcCoefficients[] = {-0.000207049097f, -1.12762723f,    -0.637266061f,  -0.103856091f,
                                         0.0221896336f,    -0.00303365468f, 0.000194942709f};

SADDLEPOINT_INLINE Vec<float> erf(Vec<float> x) {
  using V = Vec<float>;
  const V one = V::broadcast(1.0f), magnitude = min(V::broadcast(4.0f), abs(x));
  const V near = magnitude * (one + polynomial(magnitude * magnitude, erfCoefficients));
  const V far = one - exp(polynomial(magnitude, logErfcCoefficients));
  return withSignOf(select(lt(magnitude, V::broadcast(0.92f)), near, far), x);
}

SADDLEPOINT_INLINE Vec<double> sin(Vec<double> x) {
  return eachLane(x, [](double value) { return __builtin_sin(value); });
}
SADDLEPOINT_INLINE Vec<double> cos(Vec<double> x) {
  return eachLane(x, [](double value) { return __builtin_cos(value); });
}
SADDLEPOINT_INLINE Vec<double> erf(Vec<double> x) {
  return eachLane(x, [](double value) { return __builtin_erf(value); });
}

}  // namespace
}  // namespace saddlepoint
