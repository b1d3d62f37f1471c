// Running the parts of a kernel on the runtime's threads.
#pragma once
#include "kernel.h"

namespace saddlepoint {
namespace {

inline ptrdiff_t ceilDivide(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }
inline size_t roundUp64(size_t bytes) { return (bytes + 63) & ~size_t(63); }
template <typename I>
inline I smaller(I a, I b) {
  return a < b ? a : b;
}
template <typename I>
inline I larger(I a, I b) {
  return a > b ? a : b;
}

// body(part, worker) for part = 0..parts-1; a body returns false when it found no scratch memory.
template <typename Body>
Failure runParts(const Call& call, ptrdiff_t parts, const Body& body) {
  struct Shared {
    const Body& body;
    bool failed;
  } shared{body, false};
  if (parts == 1) return body(0, 0) ? kOk : kFailMemory;
  if (parts > 0) {
    call.services->parallel(
        call.services->self, static_cast<int>(parts),
        [](void* context, int part, int worker) {
          Shared* s = static_cast<Shared*>(context);
          if (!s->body(part, worker)) __atomic_store_n(&s->failed, true, __ATOMIC_RELAXED);
        },
        &shared);
  }
  return shared.failed ? kFailMemory : kOk;
}

// Scratch slots: 0 and 4 for what all workers share, taken before `runParts`; 1 to 3 for each worker.
template <typename T>
T* scratchOf(const Call& call, int worker, int slot, size_t elements) {
  return static_cast<T*>(call.services->scratch(call.services->self, worker, slot, elements * sizeof(T) + 64));
}

}  // namespace
}  // namespace saddlepoint
