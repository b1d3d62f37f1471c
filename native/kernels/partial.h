// Vectors of which the last may be incomplete. Masked accesses are slow on some processors, so whole ones avoid them.
#pragma once
#include "../simd/vec.h"

namespace saddlepoint {
namespace {

template <typename T>
SADDLEPOINT_INLINE Vec<T> loadSome(const T* p, int present) {
  return present == Vec<T>::lanes ? Vec<T>::load(p) : Vec<T>::loadPartial(p, present);
}

template <typename T>
SADDLEPOINT_INLINE void storeSome(Vec<T> v, T* p, int present) {
  if (present == Vec<T>::lanes) {
    v.store(p);
  } else {
    v.storePartial(p, present);
  }
}

}  // namespace
}  // namespace saddlepoint
