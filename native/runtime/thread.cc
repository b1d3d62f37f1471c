#include "thread.h"

#include <signal.h>

#include <cstddef>

namespace saddlepoint {

bool Thread::start(void* (*body)(void*), void* argument) {
  constexpr size_t kStackBytes = size_t{2} << 20;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_attr_setstacksize(&attributes, kStackBytes);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  running_ = pthread_create(&handle_, &attributes, body, argument) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
#ifdef __linux__
  if (running_) pthread_setname_np(handle_, "saddlepoint");
#endif
  return running_;
}

void Thread::join() {
  if (!running_) return;
  pthread_join(handle_, nullptr);
  running_ = false;
}

}  // namespace saddlepoint
