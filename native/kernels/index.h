// Naming the first index that is out of range.
#pragma once
#include <stdio.h>

#include "kernel.h"

namespace saddlepoint {
namespace {

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
