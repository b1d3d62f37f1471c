#include "thread_pool.h"

#include <algorithm>
#include <cstdint>

#include "available_cpus.h"
#include "float_mode.h"

namespace saddlepoint {
namespace {

thread_local int current_worker = -1;  // -1: this thread is in no job

void runSerially(int parts, ThreadPool::Body body, void* context, int worker) {
  for (int part = 0; part < parts; part++) body(context, part, worker);
}

}  // namespace

ThreadPool& ThreadPool::instance() {
  // Never destroyed: at process exit a thread may still be parked in it.
  static ThreadPool* const pool = new ThreadPool;
  return *pool;
}

ThreadPool::ThreadPool() : cpus_(availableCpus()), threads_(std::min(cpus_, kMaxThreads)) {}

void ThreadPool::addUser() {
  std::lock_guard<std::mutex> lock(users_mutex_);
  users_++;
}

void ThreadPool::removeUser() {
  std::lock_guard<std::mutex> lock(users_mutex_);
  if (--users_ > 0) return;
  std::lock_guard<std::mutex> job(job_mutex_);
  stopThreads();
}

void ThreadPool::setThreads(int threads) {
  std::lock_guard<std::mutex> job(job_mutex_);
  if (threads < threads_) stopThreads();
  threads_ = threads;
}

void ThreadPool::run(int parts, Body body, void* context) {
  if (parts <= 0) return;
  if (current_worker >= 0) return runSerially(parts, body, context, current_worker);
  current_worker = 0;
  std::unique_lock<std::mutex> job(job_mutex_, std::defer_lock);
  const bool shared = parts > 1 && threads() > 1 && job.try_lock();
  if (shared && static_cast<int>(workers_.size()) < threads() - 1) startThreads();
  if (!shared || workers_.empty()) {
    runSerially(parts, body, context, 0);
  } else {
    body_ = body;
    context_ = context;
    share_count_ = std::min(parts, static_cast<int>(workers_.size()) + 1);
    for (int i = 0; i < share_count_; i++) {
      shares_[i].next.store(static_cast<int>(int64_t{parts} * i / share_count_), std::memory_order_relaxed);
      shares_[i].end = static_cast<int>(int64_t{parts} * (i + 1) / share_count_);
    }
    inside_.fetch_and(~kClosed, std::memory_order_release);
    announce(share_count_ - 1);
    work(0);
    inside_.fetch_or(kClosed, std::memory_order_acq_rel);
    waitForHelpers();
  }
  current_worker = -1;
}

void ThreadPool::work(int worker) {
  for (int i = 0; i < share_count_; i++) {
    Share& share = shares_[(worker + i) % share_count_];
    for (;;) {
      const int part = share.next.fetch_add(1, std::memory_order_relaxed);
      if (part >= share.end) break;
      body_(context_, part, worker);
    }
  }
}

// Parking and waking use sequentially consistent atomics: either the sleeper sees what it waits for, or the waker sees
// the sleeper.
void ThreadPool::announce(int helpers) {
  announced_.fetch_add(1);
  const int parked = parked_.load();
  if (parked == 0) return;
  std::lock_guard<std::mutex> lock(park_mutex_);
  if (helpers >= parked)
    job_announced_.notify_all();
  else
    for (int i = 0; i < helpers; i++) job_announced_.notify_one();
}

void ThreadPool::waitForHelpers() {
  if (maySpin())
    for (int i = 0; i < kSpins; i++) {
      if (inside_.load(std::memory_order_acquire) == kClosed) return;
      spinPause();
    }
  caller_parked_.store(true);
  {
    std::unique_lock<std::mutex> lock(park_mutex_);
    helpers_left_.wait(lock, [this] { return inside_.load() == kClosed; });
  }
  caller_parked_.store(false);
}

void ThreadPool::help(int worker) {
  // A thread that comes late sees that the job is closed, and leaves without having looked at it.
  if ((inside_.fetch_add(1, std::memory_order_acquire) & kClosed) == 0) work(worker);
  inside_.fetch_sub(1);
  if (!caller_parked_.load()) return;
  std::lock_guard<std::mutex> lock(park_mutex_);
  helpers_left_.notify_one();
}

unsigned ThreadPool::waitForJob(unsigned seen) {
  if (maySpin())
    for (int i = 0; i < kSpins; i++) {
      if (announced_.load(std::memory_order_acquire) != seen) return announced_.load();
      spinPause();
    }
  parked_.fetch_add(1);
  {
    std::unique_lock<std::mutex> lock(park_mutex_);
    job_announced_.wait(lock, [&] { return announced_.load() != seen || stopping_.load(); });
  }
  parked_.fetch_sub(1);
  return announced_.load();
}

void* ThreadPool::workerMain(void* argument) {
  const Worker& worker = *static_cast<Worker*>(argument);
  ThreadPool& pool = *worker.pool;
  FlushDenormals flush;
  current_worker = worker.index;
  for (unsigned seen = worker.seen; !pool.stopping_.load();) {
    const unsigned job = pool.waitForJob(seen);
    if (job != seen) pool.help(worker.index);
    seen = job;
  }
  return nullptr;
}

void ThreadPool::startThreads() {
  while (static_cast<int>(workers_.size()) < threads() - 1) {
    const int index = static_cast<int>(workers_.size()) + 1;
    auto* worker = new Worker{this, index, announced_.load(), Thread()};
    if (!worker->thread.start(&workerMain, worker)) {
      delete worker;
      threads_ = index;
      return;
    }
    workers_.push_back(worker);
  }
}

void ThreadPool::stopThreads() {
  {
    std::lock_guard<std::mutex> lock(park_mutex_);
    stopping_ = true;
    job_announced_.notify_all();
  }
  for (Worker* worker : workers_) {
    worker->thread.join();
    delete worker;
  }
  workers_.clear();
  stopping_ = false;
}

}  // namespace saddlepoint
