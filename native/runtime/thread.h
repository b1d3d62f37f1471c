// A thread that takes no signals (they are Node's) and has the same stack on every C library (musl's default is 128
// KiB).
#pragma once
#include <pthread.h>

namespace saddlepoint {

class Thread {
 public:
  Thread() = default;
  Thread(Thread&& other) noexcept : handle_(other.handle_), running_(other.running_) { other.running_ = false; }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  Thread& operator=(Thread&&) = delete;

  // False if the system has no thread left.
  bool start(void* (*body)(void*), void* argument);
  void join();
  bool running() const { return running_; }

 private:
  pthread_t handle_{};
  bool running_ = false;
};

// Tells the processor that this thread only waits.
inline void spinPause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

constexpr int kSpins = 1000;

}  // namespace saddlepoint
