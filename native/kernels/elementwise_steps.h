// One loop for each step of the elementwise byte code and each dtype it takes.
#pragma once
#include "../simd/vec.h"
#include "elementwise_operations.h"
#include "kernel.h"
#include "parallel.h"
#include "philox.h"
#include "scalar.h"

namespace saddlepoint {
namespace {

// destination[i] = step(a[i], b[i], c[i]) for i < n. The destination may be an operand, if its elements are no wider.
// `first` is the number of element 0 in its segment.
using Step = void (*)(void* destination, const void* a, const void* b, const void* c, int n, int64_t first);

template <typename T, typename Op>
void unaryVectors(void* destination, const void* a, const void*, const void*, int n, int64_t) {
  using V = Vec<T>;
  T* out = static_cast<T*>(destination);
  const T* x = static_cast<const T*>(a);
  int i = 0;
  for (; i + V::lanes <= n; i += V::lanes) Op::apply(V::load(x + i)).store(out + i);
  if (i < n) Op::apply(V::loadPartial(x + i, n - i)).storePartial(out + i, n - i);
}

template <typename T, typename Op>
void binaryVectors(void* destination, const void* a, const void* b, const void*, int n, int64_t) {
  using V = Vec<T>;
  T* out = static_cast<T*>(destination);
  const T* x = static_cast<const T*>(a);
  const T* y = static_cast<const T*>(b);
  int i = 0;
  for (; i + V::lanes <= n; i += V::lanes) Op::apply(V::load(x + i), V::load(y + i)).store(out + i);
  if (i < n) Op::apply(V::loadPartial(x + i, n - i), V::loadPartial(y + i, n - i)).storePartial(out + i, n - i);
}

// Loops over scalars carry no dependence even where the destination is an operand, which the compiler cannot know.
template <typename Out, typename In, typename Op>
void unaryScalars(void* destination, const void* a, const void*, const void*, int n, int64_t) {
  Out* out = static_cast<Out*>(destination);
  const In* x = static_cast<const In*>(a);
#pragma GCC ivdep
  for (int i = 0; i < n; i++) out[i] = Op::apply(x[i]);
}

template <typename Out, typename In, typename Op>
void binaryScalars(void* destination, const void* a, const void* b, const void*, int n, int64_t) {
  Out* out = static_cast<Out*>(destination);
  const In* x = static_cast<const In*>(a);
  const In* y = static_cast<const In*>(b);
#pragma GCC ivdep
  for (int i = 0; i < n; i++) out[i] = Op::apply(x[i], y[i]);
}

template <typename T>
void whereScalars(void* destination, const void* a, const void* b, const void* c, int n, int64_t) {
  T* out = static_cast<T*>(destination);
  const uint8_t* condition = static_cast<const uint8_t*>(a);
  const T* x = static_cast<const T*>(b);
  const T* y = static_cast<const T*>(c);
#pragma GCC ivdep
  for (int i = 0; i < n; i++) {
    const T yes = x[i], no = y[i];
    out[i] = condition[i] ? yes : no;
  }
}

template <typename T>
void copyScalars(void* destination, const void* a, const void*, const void*, int n, int64_t) {
  __builtin_memmove(destination, a, static_cast<size_t>(n) * sizeof(T));
}

// The numbers of the stream that *a (the seed) and *b (the offset) name.
template <typename T>
void uniformNumbers(void* destination, const void* a, const void* b, const void*, int n, int64_t first) {
  constexpr int batch = philoxBatchBlocks * Uniform<T>::perBlock;
  const RandomStream stream = randomStream(*static_cast<const double*>(a), *static_cast<const double*>(b));
  T* out = static_cast<T*>(destination);
  RandomWords words;
  for (int i = 0; i < n;) {
    // Batches begin at multiples of their size, whatever the block begins with.
    const int skipped = static_cast<int>((first + i) % batch);
    const int count = smaller(n - i, batch - skipped);
    philoxBatch(stream, static_cast<uint32_t>((first + i - skipped) / Uniform<T>::perBlock), words);
    if (count == batch) {
      Uniform<T>::fill(words, out + i);
    } else {
      T whole[batch];
      Uniform<T>::fill(words, whole);
      for (int j = 0; j < count; j++) out[i + j] = whole[skipped + j];
    }
    i += count;
  }
}

template <typename T>
constexpr Step stepOfFloats(Opcode opcode) {
  switch (opcode) {
    case op_castFloat32:
      return sizeof(T) == 4 ? copyScalars<T> : unaryScalars<float, T, Cast<float>>;
    case op_castFloat64:
      return sizeof(T) == 8 ? copyScalars<T> : unaryScalars<double, T, Cast<double>>;
    case op_castInt32:
      return unaryScalars<int32_t, T, SaturateInt32>;
    case op_castInt64:
      return unaryScalars<int64_t, T, SaturateInt64>;
    case op_castBool:
      return unaryScalars<uint8_t, T, CastBool>;
    case op_add:
      return binaryVectors<T, Add>;
    case op_sub:
      return binaryVectors<T, Sub>;
    case op_mul:
      return binaryVectors<T, Mul>;
    case op_div:
      return binaryVectors<T, Div>;
    case op_neg:
      return unaryVectors<T, Neg>;
    case op_abs:
      return unaryVectors<T, Abs>;
    case op_sign:
      return unaryVectors<T, Sign>;
    case op_maximum:
      return binaryVectors<T, Maximum>;
    case op_minimum:
      return binaryVectors<T, Minimum>;
    case op_eq:
      return binaryScalars<uint8_t, T, Eq>;
    case op_ne:
      return binaryScalars<uint8_t, T, Ne>;
    case op_lt:
      return binaryScalars<uint8_t, T, Lt>;
    case op_le:
      return binaryScalars<uint8_t, T, Le>;
    case op_gt:
      return binaryScalars<uint8_t, T, Gt>;
    case op_ge:
      return binaryScalars<uint8_t, T, Ge>;
    case op_pow:
      return binaryScalars<T, T, Pow>;
    case op_exp:
      return unaryVectors<T, Exp>;
    case op_expm1:
      return unaryVectors<T, Expm1>;
    case op_log:
      return unaryVectors<T, Log>;
    case op_log1p:
      return unaryVectors<T, Log1p>;
    case op_sqrt:
      return unaryVectors<T, Sqrt>;
    case op_rsqrt:
      return unaryVectors<T, Rsqrt>;
    case op_sin:
      return unaryVectors<T, Sin>;
    case op_cos:
      return unaryVectors<T, Cos>;
    case op_tanh:
      return unaryVectors<T, Tanh>;
    case op_sigmoid:
      return unaryVectors<T, Sigmoid>;
    case op_softplus:
      return unaryVectors<T, Softplus>;
    case op_erf:
      return unaryVectors<T, Erf>;
    case op_floor:
      return unaryVectors<T, Floor>;
    case op_ceil:
      return unaryVectors<T, Ceil>;
    case op_round:
      return unaryVectors<T, Round>;
    case op_trunc:
      return unaryVectors<T, Trunc>;
    case op_relu:
      return unaryVectors<T, Relu>;
    case op_uniform:
      return uniformNumbers<T>;
    default:
      return nullptr;
  }
}

template <typename T>
constexpr Step castOf(Opcode opcode) {
  switch (opcode) {
    case op_castFloat32:
      return unaryScalars<float, T, Cast<float>>;
    case op_castFloat64:
      return unaryScalars<double, T, Cast<double>>;
    case op_castInt32:
      return unaryScalars<int32_t, T, SaturateToInt32>;
    case op_castInt64:
      return unaryScalars<int64_t, T, Cast<int64_t>>;
    case op_castBool:
      return unaryScalars<uint8_t, T, CastBool>;
    default:
      return nullptr;
  }
}

template <typename T>
constexpr Step comparisonOrCastOf(Opcode opcode) {
  switch (opcode) {
    case op_eq:
      return binaryScalars<uint8_t, T, Eq>;
    case op_ne:
      return binaryScalars<uint8_t, T, Ne>;
    case op_lt:
      return binaryScalars<uint8_t, T, Lt>;
    case op_le:
      return binaryScalars<uint8_t, T, Le>;
    case op_gt:
      return binaryScalars<uint8_t, T, Gt>;
    case op_ge:
      return binaryScalars<uint8_t, T, Ge>;
    default:
      return castOf<T>(opcode);
  }
}

constexpr Step stepOfInt32(Opcode opcode) {
  switch (opcode) {
    case op_add:
      return binaryScalars<int32_t, int32_t, IntegerAdd>;
    case op_sub:
      return binaryScalars<int32_t, int32_t, IntegerSub>;
    case op_mul:
      return binaryScalars<int32_t, int32_t, IntegerMul>;
    case op_neg:
      return unaryScalars<int32_t, int32_t, IntegerNeg>;
    case op_abs:
      return unaryScalars<int32_t, int32_t, IntegerAbs>;
    case op_sign:
      return unaryScalars<int32_t, int32_t, IntegerSign>;
    case op_maximum:
      return binaryScalars<int32_t, int32_t, IntegerMaximum>;
    case op_minimum:
      return binaryScalars<int32_t, int32_t, IntegerMinimum>;
    default:
      return comparisonOrCastOf<int32_t>(opcode);
  }
}

constexpr Step stepOfBool(Opcode opcode) {
  switch (opcode) {
    case op_logicalAnd:
      return binaryScalars<uint8_t, uint8_t, LogicalAnd>;
    case op_logicalOr:
      return binaryScalars<uint8_t, uint8_t, LogicalOr>;
    case op_logicalNot:
      return unaryScalars<uint8_t, uint8_t, LogicalNot>;
    default:
      return comparisonOrCastOf<uint8_t>(opcode);
  }
}

constexpr Step stepOfSize(Opcode opcode, int bytes) {
  if (opcode == op_copy)
    return bytes == 1 ? copyScalars<uint8_t> : bytes == 4 ? copyScalars<int32_t> : copyScalars<int64_t>;
  return bytes == 1 ? whereScalars<uint8_t> : bytes == 4 ? whereScalars<int32_t> : whereScalars<int64_t>;
}

// Null where elementwise.ts does not have the combination.
constexpr Step findStep(Opcode opcode, DType dtype) {
  if (opcode == op_copy || opcode == op_where) return stepOfSize(opcode, dtypeBytes[dtype]);
  switch (dtype) {
    case kFloat32:
      return stepOfFloats<float>(opcode);
    case kFloat64:
      return stepOfFloats<double>(opcode);
    case kInt32:
      return stepOfInt32(opcode);
    case kBool:
      return stepOfBool(opcode);
    case kInt64:
      return castOf<int64_t>(opcode);
    default:
      return nullptr;
  }
}

constexpr DType resultDType(Opcode opcode, DType dtype) {
  switch (opcode) {
    case op_castFloat32:
      return kFloat32;
    case op_castFloat64:
      return kFloat64;
    case op_castInt32:
      return kInt32;
    case op_castInt64:
      return kInt64;
    case op_castBool:
      return kBool;
    case op_eq:
    case op_ne:
    case op_lt:
    case op_le:
    case op_gt:
    case op_ge:
      return kBool;
    default:
      return dtype;
  }
}

struct StepTable {
  Step steps[kOpcodes][kDTypes] = {};
  int8_t resultBytes[kOpcodes][kDTypes] = {};

  constexpr StepTable() {
    for (int opcode = 0; opcode < kOpcodes; opcode++) {
      for (int dtype = 0; dtype < kDTypes; dtype++) {
        steps[opcode][dtype] = findStep(static_cast<Opcode>(opcode), static_cast<DType>(dtype));
        resultBytes[opcode][dtype] =
            static_cast<int8_t>(dtypeBytes[resultDType(static_cast<Opcode>(opcode), static_cast<DType>(dtype))]);
      }
    }
  }
};
constexpr StepTable stepTable;

// About how many picoseconds a step takes for an element, to decide what is worth splitting.
int stepCost(Opcode opcode, DType dtype) {
  if (opcode == op_pow) return 8000;
  if (opcode == op_uniform) return 1000;
  if (opcode == op_sin || opcode == op_cos || opcode == op_erf) return dtype == kFloat64 ? 12000 : 800;
  const bool function = opcode >= op_exp && opcode <= op_softplus && opcode != op_sqrt && opcode != op_rsqrt;
  if (function) return dtype == kFloat64 ? 2000 : 500;
  return dtypeBytes[dtype] >= 8 ? 100 : 50;
}

}  // namespace
}  // namespace saddlepoint
