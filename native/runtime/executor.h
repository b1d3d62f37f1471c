// The runs of one environment: a queue, first in, first out, and the thread that works it off. The environment's own
// thread calls everything here; it may also run programs itself: when the queue is empty, or while it waits for what
// that thread has not begun.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runner.h"
#include "thread.h"

namespace saddlepoint {

// A queued run, with what a RunInput points at.
struct Request {
  int64_t id = 0;
  std::shared_ptr<Program> program;
  std::vector<void*> bindings;
  std::vector<double> scalars;
  double* times = nullptr;
  std::atomic<bool> aborted{false};
  std::vector<int64_t> after;  // if one of these failed, this one fails without running
};

struct Completion {
  int64_t id;
  RunFailure failure;
};

class Executor {
 public:
  // `notify(context)` is called after each run of the queue, on the thread that ran it.
  Executor(const KernelTable* table, void (*notify)(void*), void* context);
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // An empty request, with the memory of one that has ended where there is one.
  std::unique_ptr<Request> newRequest();
  // Ids must count up. False if the system has no thread left.
  bool submit(std::unique_ptr<Request> request);
  // The run fails with kFailAborted, without running if it has not begun; without effect once it overwrites state. False
  // if it has ended, or never was: then it stays as it is.
  bool abort(int64_t id);
  // Returns when the run, and so all before it, have ended.
  void wait(int64_t id);
  // The runs that ended since the last call, in order.
  void collect(std::vector<Completion>* completions);
  // Waits for everything queued and forgets it: ids may begin again.
  void reset();
  int64_t lastId() const { return last_id_; }
  bool idle() const { return left_.load(std::memory_order_acquire) == 0; }

  // Runs on the calling thread, after everything queued has ended.
  void runInline(Program* program, const RunInput& input, RunFailure* failure);

  const KernelTable* table() const { return runner_.table(); }
  // After everything queued has ended.
  void setTable(const KernelTable* table);

  // Drops what is queued, lets the running program end after its current instruction, and ends the thread.
  void stop();

 private:
  static void* threadMain(void* self);
  void work();
  std::unique_ptr<Request> next();
  // With mutex_ held: whether the first of the queue can begin, and beginning it.
  bool isReady() const { return running_ == nullptr && !queue_.empty(); }
  std::unique_ptr<Request> take();
  void execute(std::unique_ptr<Request> request);
  void run(Request* request, RunFailure* failure);
  bool dependencyFailed(const Request& request, RunFailure* failure);
  void finish(std::unique_ptr<Request> request, RunFailure failure);

  Runner runner_;
  void (*const notify_)(void*);
  void* const context_;
  Thread thread_;
  int64_t last_id_ = 0;
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;  // guards what follows
  std::condition_variable submitted_;
  std::condition_variable finished_;
  int64_t awaited_ = 0;  // the id that the environment's thread sleeps for, or 0
  std::deque<std::unique_ptr<Request>> queue_;
  Request* running_ = nullptr;
  std::vector<std::unique_ptr<Request>> spare_;
  std::vector<Completion> completions_;
  std::vector<Completion> failed_;  // their `cause` is the first failure of a chain, their own id if they are that
  std::atomic<int> queued_{0};      // in queue_
  std::atomic<int> left_{0};        // submitted and not ended
  std::atomic<int64_t> ended_{0};   // the id of the last that ended
};

}  // namespace saddlepoint
