// Sizes of dtypes, and numbers of the program as values of a dtype.
#pragma once
#include "kernel.h"

namespace saddlepoint {
namespace {

constexpr int dtypeBytes[kDTypes] = {4, 8, 4, 1, 8};

// Towards zero, saturating, NaN to 0.
struct SaturateInt32 {
  template <typename In>
  static inline int32_t apply(In x) {
    if (x >= In(2147483648.0)) return INT32_MAX;
    if (x >= In(-2147483648.0)) return static_cast<int32_t>(x);
    return x != x ? 0 : INT32_MIN;
  }
};
// From an integer: saturating.
struct SaturateToInt32 {
  template <typename In>
  static inline int32_t apply(In x) {
    const int64_t wide = x;
    return wide > INT32_MAX ? INT32_MAX : wide < INT32_MIN ? INT32_MIN : static_cast<int32_t>(wide);
  }
};
struct SaturateInt64 {
  template <typename In>
  static inline int64_t apply(In x) {
    if (x >= In(9223372036854775808.0)) return INT64_MAX;
    if (x >= In(-9223372036854775808.0)) return static_cast<int64_t>(x);
    return x != x ? 0 : INT64_MIN;
  }
};

// The bytes of one element of any dtype.
struct Scalar {
  alignas(8) unsigned char bytes[8];
};

inline Scalar scalarOf(DType dtype, double value) {
  const float asFloat32 = static_cast<float>(value);
  const int32_t asInt32 = SaturateInt32::apply(value);
  const int64_t asInt64 = SaturateInt64::apply(value);
  const uint8_t asBool = value != 0;
  Scalar scalar = {};
  switch (dtype) {
    case kFloat32:
      __builtin_memcpy(scalar.bytes, &asFloat32, 4);
      break;
    case kFloat64:
      __builtin_memcpy(scalar.bytes, &value, 8);
      break;
    case kInt32:
      __builtin_memcpy(scalar.bytes, &asInt32, 4);
      break;
    case kInt64:
      __builtin_memcpy(scalar.bytes, &asInt64, 8);
      break;
    case kBool:
      scalar.bytes[0] = asBool;
      break;
  }
  return scalar;
}

}  // namespace
}  // namespace saddlepoint
