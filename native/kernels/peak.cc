// The ceiling that benchmarks compare against: chains of multiply-adds that never leave the registers.
#include <time.h>

#include "../simd/vec.h"
#include "kernel.h"

namespace saddlepoint {
namespace {

double secondsNow() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// As many chains as hide the latency of an addition after a multiplication (12 are kept in registers by every set).
enum { kChains = 12, kRounds = 4096 };

float runChains(float start) {
  using V = Vec<float>;
  V sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = V::broadcast(start + static_cast<float>(i));
  const V factor = V::broadcast(0.5f), term = V::broadcast(start);
  for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sums[i] = fma(sums[i], factor, term);
  }
  V total = sums[0];
  for (int i = 1; i < kChains; ++i) total = total + sums[i];
  return reduceAdd(total);
}

}  // namespace

extern "C" double SADDLEPOINT_SYMBOL(fmaPeak)(double seconds) {
  const double flopsPerRun = 2.0 * kChains * kRounds * Vec<float>::lanes;
  volatile float sink = 1;
  double best = 0;
  const double begin = secondsNow();
  double now = begin;
  do {
    const double start = now;
    for (int i = 0; i < 16; ++i) sink = runChains(sink > 1e3f ? 1.0f : 1.5f);
    now = secondsNow();
    const double rate = 16 * flopsPerRun / (now - start);
    if (rate > best) best = rate;
  } while (now - begin < seconds);
  return best * 1e-9;
}

}  // namespace saddlepoint
