// Denormals are flushed to zero while native code runs, for some formulas (Adam's moments) are 20 times slower with
// them.
#pragma once
#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace saddlepoint {

// Sets the mode for a scope and restores what was there: JavaScript must not notice.
class FlushDenormals {
 public:
#if defined(__x86_64__)
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(static_cast<uint32_t>(before_) | kFlush); }
  ~FlushDenormals() { _mm_setcsr(static_cast<uint32_t>(before_)); }

 private:
  static constexpr uint32_t kFlush = 0x8040;  // FTZ and DAZ
#elif defined(__aarch64__)
  FlushDenormals() {
    __asm__ volatile("mrs %0, fpcr" : "=r"(before_));
    __asm__ volatile("msr fpcr, %0" ::"r"(before_ | kFlush));
  }
  ~FlushDenormals() { __asm__ volatile("msr fpcr, %0" ::"r"(before_)); }

 private:
  static constexpr uint64_t kFlush = uint64_t{1} << 24;  // FZ
#endif
  uint64_t before_;

 public:
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
};

}  // namespace saddlepoint
