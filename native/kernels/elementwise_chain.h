// Steps of float32 that hand each other eight vectors in registers, where the loops of elementwise_steps.h would store
// and load them between any two: a link is a function that ends by calling the next one with its results, which
// compilers make a jump (tail calls; where they do not, calls nest as deep as a chain has links).
#pragma once
#include "elementwise_operations.h"
#include "kernel.h"

namespace saddlepoint {
namespace {

using Floats8 = Floats[8];  // of one link; only ever in registers

struct Link;
using LinkFunction = void (*)(const Link* link, ptrdiff_t at, Floats v0, Floats v1, Floats v2, Floats v3, Floats v4,
                              Floats v5, Floats v6, Floats v7);

// x and y are memory, of element 0 of a block; what for is the function's.
struct Link {
  LinkFunction function;
  char* x;
  char* y;
};

constexpr int chainElements = 8 * Floats::lanes;  // that go through a chain together

template <typename Body>
void runLink(const Link* link, ptrdiff_t at, Floats v0, Floats v1, Floats v2, Floats v3, Floats v4, Floats v5,
             Floats v6, Floats v7) {
  Floats8 v = {v0, v1, v2, v3, v4, v5, v6, v7};
  Body::apply(*link, at, v);
  return link[1].function(link + 1, at, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
}

// The last link: goes on with the first one, x, and the next elements while they are whole, up to y.
inline void endChain(const Link* link, ptrdiff_t at, Floats v0, Floats v1, Floats v2, Floats v3, Floats v4, Floats v5,
                     Floats v6, Floats v7) {
  at += chainElements;
  if (at >= reinterpret_cast<ptrdiff_t>(link->y)) return;
  const Link* first = reinterpret_cast<const Link*>(link->x);
  return first->function(first, at, v0, v1, v2, v3, v4, v5, v6, v7);
}

// Elements [0, n), n a multiple of chainElements. `end` is the last link.
inline void runChain(const Link* first, Link* end, ptrdiff_t n) {
  end->x = reinterpret_cast<char*>(const_cast<Link*>(first));
  end->y = reinterpret_cast<char*>(n);
  const Floats zero = Floats::zero();
  first->function(first, 0, zero, zero, zero, zero, zero, zero, zero, zero);
}

constexpr ptrdiff_t prefetchDistance = 4096 / 4;

SADDLEPOINT_INLINE Floats streamAt(const char* memory, ptrdiff_t at, int j) {
  const float* from = reinterpret_cast<const float*>(memory) + at + j * Floats::lanes;
  if (j * Floats::lanes % 16 == 0) prefetchRead(from + prefetchDistance);
  return Floats::load(from);
}
// Slots of scalars are filled with them.
SADDLEPOINT_INLINE Floats scalarAt(const char* memory) { return Floats::load(reinterpret_cast<const float*>(memory)); }

#define SADDLEPOINT_EACH(expression) _Pragma("GCC unroll 8") for (int j = 0; j < 8; j++) expression

struct LoadStream {
  static SADDLEPOINT_INLINE void apply(const Link& link, ptrdiff_t at, Floats8& v) {
    SADDLEPOINT_EACH(v[j] = streamAt(link.x, at, j);)
  }
};
struct LoadScalar {
  static SADDLEPOINT_INLINE void apply(const Link& link, ptrdiff_t, Floats8& v) {
    SADDLEPOINT_EACH(v[j] = scalarAt(link.x);)
  }
};
struct Store {
  static SADDLEPOINT_INLINE void apply(const Link& link, ptrdiff_t at, Floats8& v) {
    SADDLEPOINT_EACH(v[j].store(reinterpret_cast<float*>(link.x) + at + j * Floats::lanes);)
  }
};

// What a step does with the vectors at hand, v, and where its other operand is.
template <typename Op>
struct OfOne {
  static SADDLEPOINT_INLINE void apply(const Link&, ptrdiff_t, Floats8& v) { SADDLEPOINT_EACH(v[j] = Op::apply(v[j]);) }
};
template <typename Op>
struct WithItself {
  static SADDLEPOINT_INLINE void apply(const Link&, ptrdiff_t, Floats8& v) {
    SADDLEPOINT_EACH(v[j] = Op::apply(v[j], v[j]);)
  }
};
template <typename Op>
struct WithStream {
  static SADDLEPOINT_INLINE void apply(const Link& link, ptrdiff_t at, Floats8& v) {
    SADDLEPOINT_EACH(v[j] = Op::apply(v[j], streamAt(link.x, at, j));)
  }
};
template <typename Op>
struct StreamWith {
  static SADDLEPOINT_INLINE void apply(const Link& link, ptrdiff_t at, Floats8& v) {
    SADDLEPOINT_EACH(v[j] = Op::apply(streamAt(link.x, at, j), v[j]);)
  }
};
template <typename Op>
struct WithScalar {
  static SADDLEPOINT_INLINE void apply(const Link& link, ptrdiff_t, Floats8& v) {
    const Floats scalar = scalarAt(link.x);
    SADDLEPOINT_EACH(v[j] = Op::apply(v[j], scalar);)
  }
};
template <typename Op>
struct ScalarWith {
  static SADDLEPOINT_INLINE void apply(const Link& link, ptrdiff_t, Floats8& v) {
    const Floats scalar = scalarAt(link.x);
    SADDLEPOINT_EACH(v[j] = Op::apply(scalar, v[j]);)
  }
};

// Comparisons write bytes to y and leave the vectors as they are.
template <typename Op>
struct CompareStream {
  static SADDLEPOINT_INLINE void apply(const Link& link, ptrdiff_t at, Floats8& v) {
    SADDLEPOINT_EACH(storeBytes(Op::apply(v[j], streamAt(link.x, at, j)), bytesAt(link.y, at, j));)
  }
  static SADDLEPOINT_INLINE uint8_t* bytesAt(char* memory, ptrdiff_t at, int j) {
    return reinterpret_cast<uint8_t*>(memory) + at + j * Floats::lanes;
  }
};
template <typename Op>
struct CompareScalar {
  static SADDLEPOINT_INLINE void apply(const Link& link, ptrdiff_t at, Floats8& v) {
    const Floats scalar = scalarAt(link.x);
    SADDLEPOINT_EACH(storeBytes(Op::apply(v[j], scalar), CompareStream<Op>::bytesAt(link.y, at, j));)
  }
};

struct VectorsEq {
  static SADDLEPOINT_INLINE Mask32 apply(Floats a, Floats b) { return eq(a, b); }
};
struct VectorsNe {
  static SADDLEPOINT_INLINE Mask32 apply(Floats a, Floats b) { return ne(a, b); }
};
struct VectorsLt {
  static SADDLEPOINT_INLINE Mask32 apply(Floats a, Floats b) { return lt(a, b); }
};
struct VectorsLe {
  static SADDLEPOINT_INLINE Mask32 apply(Floats a, Floats b) { return le(a, b); }
};
struct VectorsGt {
  static SADDLEPOINT_INLINE Mask32 apply(Floats a, Floats b) { return gt(a, b); }
};
struct VectorsGe {
  static SADDLEPOINT_INLINE Mask32 apply(Floats a, Floats b) { return ge(a, b); }
};

// Where the bytes at y say so the vectors at hand, elsewhere the other operand; WhereNot the other way round.
struct Where {
  static SADDLEPOINT_INLINE Floats apply(Mask32 condition, Floats v, Floats other) {
    return select(condition, v, other);
  }
};
struct WhereNot {
  static SADDLEPOINT_INLINE Floats apply(Mask32 condition, Floats v, Floats other) {
    return select(condition, other, v);
  }
};
SADDLEPOINT_INLINE Mask32 conditionAt(const char* memory, ptrdiff_t at, int j) {
  return loadBytes(reinterpret_cast<const uint8_t*>(memory) + at + j * Floats::lanes);
}
template <typename Choice>
struct ChooseStream {
  static SADDLEPOINT_INLINE void apply(const Link& link, ptrdiff_t at, Floats8& v) {
    SADDLEPOINT_EACH(v[j] = Choice::apply(conditionAt(link.y, at, j), v[j], streamAt(link.x, at, j));)
  }
};
template <typename Choice>
struct ChooseScalar {
  static SADDLEPOINT_INLINE void apply(const Link& link, ptrdiff_t at, Floats8& v) {
    const Floats scalar = scalarAt(link.x);
    SADDLEPOINT_EACH(v[j] = Choice::apply(conditionAt(link.y, at, j), v[j], scalar);)
  }
};

#undef SADDLEPOINT_EACH

// How a step is a link; null where it is none. `swapped` ones have the vectors at hand as their second operand.
struct LinkForms {
  LinkFunction one, itself, stream, swappedStream, scalar, swappedScalar;
};

template <typename Op>
constexpr LinkForms unaryForms() {
  return {runLink<OfOne<Op>>, nullptr, nullptr, nullptr, nullptr, nullptr};
}
template <typename Op>
constexpr LinkForms binaryForms() {
  return {nullptr,
          runLink<WithItself<Op>>,
          runLink<WithStream<Op>>,
          runLink<StreamWith<Op>>,
          runLink<WithScalar<Op>>,
          runLink<ScalarWith<Op>>};
}
template <typename Op, typename Swapped>
constexpr LinkForms comparisonForms() {
  return {nullptr,
          nullptr,
          runLink<CompareStream<Op>>,
          runLink<CompareStream<Swapped>>,
          runLink<CompareScalar<Op>>,
          runLink<CompareScalar<Swapped>>};
}

constexpr LinkForms findForms(int opcode) {
  switch (opcode) {
    case op_where:
      return {nullptr,
              nullptr,
              runLink<ChooseStream<Where>>,
              runLink<ChooseStream<WhereNot>>,
              runLink<ChooseScalar<Where>>,
              runLink<ChooseScalar<WhereNot>>};
    case op_add:
      return binaryForms<Add>();
    case op_sub:
      return binaryForms<Sub>();
    case op_mul:
      return binaryForms<Mul>();
    case op_div:
      return binaryForms<Div>();
    case op_maximum:
      return binaryForms<Maximum>();
    case op_minimum:
      return binaryForms<Minimum>();
    case op_neg:
      return unaryForms<Neg>();
    case op_abs:
      return unaryForms<Abs>();
    case op_sign:
      return unaryForms<Sign>();
    case op_sqrt:
      return unaryForms<Sqrt>();
    case op_rsqrt:
      return unaryForms<Rsqrt>();
    case op_floor:
      return unaryForms<Floor>();
    case op_ceil:
      return unaryForms<Ceil>();
    case op_round:
      return unaryForms<Round>();
    case op_trunc:
      return unaryForms<Trunc>();
    case op_relu:
      return unaryForms<Relu>();
    case op_eq:
      return comparisonForms<VectorsEq, VectorsEq>();
    case op_ne:
      return comparisonForms<VectorsNe, VectorsNe>();
    case op_lt:
      return comparisonForms<VectorsLt, VectorsGt>();
    case op_le:
      return comparisonForms<VectorsLe, VectorsGe>();
    case op_gt:
      return comparisonForms<VectorsGt, VectorsLt>();
    case op_ge:
      return comparisonForms<VectorsGe, VectorsLe>();
    default:
      return {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr};
  }
}

struct FormsTable {
  LinkForms forms[kOpcodes] = {};
  constexpr FormsTable() {
    for (int opcode = 0; opcode < kOpcodes; opcode++) forms[opcode] = findForms(opcode);
  }
};
constexpr FormsTable linkForms;

}  // namespace
}  // namespace saddlepoint
