// What the indexing kernels share: cutting work into parts, and naming the first index that is out of range.
#pragma once
#include <stdio.h>

#include "../simd/vec.h"
#include "kernel.h"

namespace saddlepoint {
namespace {

constexpr int64_t movedPerPart = 32768;  // elements

inline void runParts(const Call& call, int64_t parts, void (*body)(void*, int, int), void* context) {
  if (parts == 1) {
    body(context, 0, 0);
  } else if (parts > 1) {
    call.services->parallel(call.services->self, static_cast<int>(parts), body, context);
  }
}

// The lowest position noted by any thread.
struct FirstInvalid {
  int64_t position = INT64_MAX;

  void note(int64_t at) {
    int64_t seen = __atomic_load_n(&position, __ATOMIC_RELAXED);
    while (at < seen && !__atomic_compare_exchange_n(&position, &seen, at, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
  }
  Failure failure(const Call& call, const int32_t* index, int32_t limit) const {
    if (position == INT64_MAX) return kOk;
    snprintf(call.message, kMessageBytes, "index %d at position %lld is out of range [0, %d)", index[position],
             static_cast<long long>(position), limit);
    return kFailValue;
  }
};

}  // namespace
}  // namespace saddlepoint
