// What each step of the elementwise byte code does to one vector, or to one element where loops are left to the
// compiler.
#pragma once
#include "../simd/vec.h"
#include "kernel.h"
#include "vector_math.h"

namespace saddlepoint {
namespace {

#define SADDLEPOINT_UNARY_VECTOR(name, expression) \
  struct name {                                    \
    template <typename V>                          \
    static SADDLEPOINT_INLINE V apply(V x) {       \
      return expression;                           \
    }                                              \
  };
#define SADDLEPOINT_BINARY_VECTOR(name, expression) \
  struct name {                                     \
    template <typename V>                           \
    static SADDLEPOINT_INLINE V apply(V x, V y) {   \
      return expression;                            \
    }                                               \
  };

SADDLEPOINT_BINARY_VECTOR(Add, x + y)
SADDLEPOINT_BINARY_VECTOR(Sub, x - y)
SADDLEPOINT_BINARY_VECTOR(Mul, x* y)
SADDLEPOINT_BINARY_VECTOR(Div, x / y)
SADDLEPOINT_BINARY_VECTOR(Maximum, maximum(x, y))
SADDLEPOINT_BINARY_VECTOR(Minimum, minimum(x, y))
SADDLEPOINT_UNARY_VECTOR(Neg, -x)
SADDLEPOINT_UNARY_VECTOR(Abs, abs(x))
SADDLEPOINT_UNARY_VECTOR(Exp, exp(x))
SADDLEPOINT_UNARY_VECTOR(Expm1, expm1(x))
SADDLEPOINT_UNARY_VECTOR(Log, log(x))
SADDLEPOINT_UNARY_VECTOR(Log1p, log1p(x))
SADDLEPOINT_UNARY_VECTOR(Sqrt, sqrt(x))
SADDLEPOINT_UNARY_VECTOR(Rsqrt, V::broadcast(1) / sqrt(x))
SADDLEPOINT_UNARY_VECTOR(Sin, sin(x))
SADDLEPOINT_UNARY_VECTOR(Cos, cos(x))
SADDLEPOINT_UNARY_VECTOR(Tanh, tanh(x))
SADDLEPOINT_UNARY_VECTOR(Sigmoid, sigmoid(x))
SADDLEPOINT_UNARY_VECTOR(Softplus, softplus(x))
SADDLEPOINT_UNARY_VECTOR(Erf, erf(x))
SADDLEPOINT_UNARY_VECTOR(Floor, floor(x))
SADDLEPOINT_UNARY_VECTOR(Ceil, ceil(x))
SADDLEPOINT_UNARY_VECTOR(Round, roundEven(x))
SADDLEPOINT_UNARY_VECTOR(Trunc, trunc(x))
SADDLEPOINT_UNARY_VECTOR(Relu, max(V::zero(), x))
// 0 - x instead of -x, so that x = 0 gives 0.
SADDLEPOINT_UNARY_VECTOR(Sign, select(gt(x, V::zero()), V::broadcast(1),
                                      select(lt(x, V::zero()), V::broadcast(-1), select(isNan(x), x, V::zero()))))

#undef SADDLEPOINT_UNARY_VECTOR
#undef SADDLEPOINT_BINARY_VECTOR

struct IntegerAdd {
  static SADDLEPOINT_INLINE int32_t apply(int32_t x, int32_t y) {
    return static_cast<int32_t>(static_cast<uint32_t>(x) + static_cast<uint32_t>(y));
  }
};
struct IntegerSub {
  static SADDLEPOINT_INLINE int32_t apply(int32_t x, int32_t y) {
    return static_cast<int32_t>(static_cast<uint32_t>(x) - static_cast<uint32_t>(y));
  }
};
struct IntegerMul {
  static SADDLEPOINT_INLINE int32_t apply(int32_t x, int32_t y) {
    return static_cast<int32_t>(static_cast<uint32_t>(x) * static_cast<uint32_t>(y));
  }
};
struct IntegerNeg {
  static SADDLEPOINT_INLINE int32_t apply(int32_t x) { return static_cast<int32_t>(0u - static_cast<uint32_t>(x)); }
};
struct IntegerAbs {
  static SADDLEPOINT_INLINE int32_t apply(int32_t x) { return x < 0 ? IntegerNeg::apply(x) : x; }
};
struct IntegerSign {
  static SADDLEPOINT_INLINE int32_t apply(int32_t x) { return (x > 0) - (x < 0); }
};
struct IntegerMaximum {
  static SADDLEPOINT_INLINE int32_t apply(int32_t x, int32_t y) { return x > y ? x : y; }
};
struct IntegerMinimum {
  static SADDLEPOINT_INLINE int32_t apply(int32_t x, int32_t y) { return x < y ? x : y; }
};

struct Eq {
  template <typename T>
  static SADDLEPOINT_INLINE uint8_t apply(T x, T y) {
    return x == y;
  }
};
struct Ne {
  template <typename T>
  static SADDLEPOINT_INLINE uint8_t apply(T x, T y) {
    return x != y;
  }
};
struct Lt {
  template <typename T>
  static SADDLEPOINT_INLINE uint8_t apply(T x, T y) {
    return x < y;
  }
};
struct Le {
  template <typename T>
  static SADDLEPOINT_INLINE uint8_t apply(T x, T y) {
    return x <= y;
  }
};
struct Gt {
  template <typename T>
  static SADDLEPOINT_INLINE uint8_t apply(T x, T y) {
    return x > y;
  }
};
struct Ge {
  template <typename T>
  static SADDLEPOINT_INLINE uint8_t apply(T x, T y) {
    return x >= y;
  }
};
struct LogicalAnd {
  static SADDLEPOINT_INLINE uint8_t apply(uint8_t x, uint8_t y) { return x & y; }
};
struct LogicalOr {
  static SADDLEPOINT_INLINE uint8_t apply(uint8_t x, uint8_t y) { return x | y; }
};
struct LogicalNot {
  static SADDLEPOINT_INLINE uint8_t apply(uint8_t x) { return x ^ 1; }
};
struct Pow {
  static SADDLEPOINT_INLINE float apply(float x, float y) { return __builtin_powf(x, y); }
  static SADDLEPOINT_INLINE double apply(double x, double y) { return __builtin_pow(x, y); }
};

template <typename Out>
struct Cast {
  template <typename In>
  static SADDLEPOINT_INLINE Out apply(In x) {
    return static_cast<Out>(x);
  }
};
struct CastBool {
  template <typename In>
  static SADDLEPOINT_INLINE uint8_t apply(In x) {
    return x != 0;
  }
};
}  // namespace
}  // namespace saddlepoint
