// Processors read ahead within a page of memory, not into the next one, which they know nothing of until some of its
// lines were missed. Kernels that read much memory once prefetch the first lines of each page, a page ahead.
#pragma once
#include "../simd/vec.h"

namespace saddlepoint {
namespace {

constexpr uintptr_t pageBytes = 4096, pageStartBytes = 1024;

// For those who read the `bytes` from here on and then what lies behind them. Inlined, for GCC takes a
// function that only prefetches for one without effect, and leaves its calls out.
SADDLEPOINT_INLINE void prefetchPageStarts(const void* from, int64_t bytes) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(from) + pageBytes;
  const uintptr_t first = (begin + pageBytes - 1) / pageBytes * pageBytes;
  for (uintptr_t page = first; page < begin + static_cast<uintptr_t>(bytes); page += pageBytes) {
    for (uintptr_t at = page; at < page + pageStartBytes; at += 64) prefetchRead(reinterpret_cast<const void*>(at));
  }
}

}  // namespace
}  // namespace saddlepoint
