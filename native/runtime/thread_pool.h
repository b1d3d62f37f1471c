// The threads that kernels share: one pool per process, whatever the number of environments (worker_threads) in it.
#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "thread.h"

namespace saddlepoint {

class ThreadPool {
 public:
  static constexpr int kMaxThreads = 64;
  using Body = void (*)(void* context, int part, int worker);

  static ThreadPool& instance();

  // Environments that use the pool; its threads end with the last of them.
  void addUser();
  void removeUser();

  // The caller included.
  int threads() const { return threads_.load(std::memory_order_relaxed); }
  void setThreads(int threads);

  // Calls body(context, part, worker) for part = 0..parts-1 and returns when all have ended. The caller is worker 0. If
  // the pool is taken by another environment, or this is a nested call, the caller runs all parts: the result must not
  // depend on which thread runs a part.
  void run(int parts, Body body, void* context);

  // Threads outside of the pool that keep a processor busy, be it with a program or by spinning until one ends. Where
  // there are more of them and of the pool's than processors, threads that wait sleep instead of spinning.
  void addBusyThread() { busy_.fetch_add(1, std::memory_order_relaxed); }
  void removeBusyThread() { busy_.fetch_sub(1, std::memory_order_relaxed); }
  bool maySpin() const { return busy_.load(std::memory_order_relaxed) + threads() - 1 <= cpus_; }

 private:
  // A worker begins with its own share of the parts, so that the same data meets the same cache, and then helps others.
  struct alignas(64) Share {
    std::atomic<int> next{0};
    int end = 0;
  };
  struct Worker {
    ThreadPool* pool;
    int index;
    unsigned seen;  // the last job that was announced when the thread was started
    Thread thread;
  };

  ThreadPool();
  void startThreads();
  void stopThreads();
  void announce(int helpers);
  void waitForHelpers();
  void work(int worker);
  void help(int worker);
  unsigned waitForJob(unsigned seen);
  static void* workerMain(void* worker);

  // In `inside_`: no further thread may enter the job.
  static constexpr int kClosed = 1 << 20;

  const int cpus_;
  std::atomic<int> threads_;
  std::atomic<int> busy_{0};
  std::mutex job_mutex_;  // held by the thread that runs a job, and while threads are started or stopped
  std::vector<Worker*> workers_;

  // The job. Written before it is opened, read by those that entered it.
  Body body_ = nullptr;
  void* context_ = nullptr;
  int share_count_ = 0;
  Share shares_[kMaxThreads];
  alignas(64) std::atomic<int> inside_{kClosed};

  alignas(64) std::mutex park_mutex_;
  std::condition_variable job_announced_;
  std::condition_variable helpers_left_;
  std::atomic<unsigned> announced_{0};
  std::atomic<int> parked_{0};
  std::atomic<bool> caller_parked_{false};
  std::atomic<bool> stopping_{false};

  std::mutex users_mutex_;
  int users_ = 0;
};

}  // namespace saddlepoint
