#include "executor.h"

#include <cstdio>
#include <utility>

namespace saddlepoint {
namespace {

void setAborted(RunFailure* failure) {
  failure->kind = kFailAborted;
  std::snprintf(failure->message, kMessageBytes, "aborted");
}

}  // namespace

Executor::Executor(const KernelTable* table, void (*notify)(void*), void* context)
    : runner_(table), notify_(notify), context_(context) {
  ThreadPool::instance().addUser();
}

Executor::~Executor() {
  stop();
  ThreadPool::instance().removeUser();
}

std::unique_ptr<Request> Executor::newRequest() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (spare_.empty()) return std::make_unique<Request>();
  std::unique_ptr<Request> request = std::move(spare_.back());
  spare_.pop_back();
  request->aborted = false;
  return request;
}

bool Executor::submit(std::unique_ptr<Request> request) {
  if (!thread_.running() && !thread_.start(&threadMain, this)) return false;
  last_id_ = request->id;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    // Room for the end of everything queued, so that the executor's thread never allocates.
    const size_t left = static_cast<size_t>(left_.load()) + 1;
    if (completions_.capacity() < completions_.size() + left) completions_.reserve(2 * (completions_.size() + left));
    if (failed_.capacity() < failed_.size() + left) failed_.reserve(2 * (failed_.size() + left));
    if (spare_.capacity() < spare_.size() + left) spare_.reserve(2 * (spare_.size() + left));
    queue_.push_back(std::move(request));
    left_.fetch_add(1);
    queued_.fetch_add(1);
  }
  submitted_.notify_one();
  return true;
}

bool Executor::abort(int64_t id) {
  std::lock_guard<std::mutex> lock(mutex_);
  Request* found = running_ != nullptr && running_->id == id ? running_ : nullptr;
  for (const std::unique_ptr<Request>& request : queue_)
    if (request->id == id) found = request.get();
  if (found != nullptr) found->aborted = true;
  return found != nullptr;
}

void Executor::wait(int64_t id) {
  const auto over = [&] { return left_.load(std::memory_order_acquire) == 0 || ended_.load() >= id; };
  // Waking the executor's thread takes longer than many a run, and may put it on this thread's processor.
  while (!over()) {
    std::unique_ptr<Request> request;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (isReady()) request = take();
    }
    if (request == nullptr) break;
    execute(std::move(request));
  }
  if (over()) return;
  // The pool's threads need the processors more than this one, unless there is one to spare.
  ThreadPool& pool = ThreadPool::instance();
  pool.addBusyThread();
  for (int i = 0; i < kSpins && !over() && pool.maySpin(); i++) spinPause();
  pool.removeBusyThread();
  if (over()) return;
  std::unique_lock<std::mutex> lock(mutex_);
  awaited_ = id;
  finished_.wait(lock, over);
  awaited_ = 0;
}

void Executor::collect(std::vector<Completion>* completions) {
  completions->clear();
  std::lock_guard<std::mutex> lock(mutex_);
  completions->swap(completions_);
  // Whoever has seen a failure names it no more as a dependency, but what is still queued may.
  if (left_.load() == 0) failed_.clear();
}

void Executor::reset() {
  if (!idle()) wait(last_id_);
  std::lock_guard<std::mutex> lock(mutex_);
  completions_.clear();
  failed_.clear();
  ended_ = 0;
  last_id_ = 0;
}

void Executor::runInline(Program* program, const RunInput& input, RunFailure* failure) {
  if (!idle()) wait(last_id_);
  runner_.run(program, input, stopping_, failure);
}

void Executor::setTable(const KernelTable* table) {
  if (!idle()) wait(last_id_);
  runner_.setTable(table);
}

void Executor::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    queue_.clear();
    queued_ = 0;
  }
  submitted_.notify_one();
  thread_.join();
}

void* Executor::threadMain(void* self) {
  static_cast<Executor*>(self)->work();
  return nullptr;
}

void Executor::work() {
  while (std::unique_ptr<Request> request = next()) execute(std::move(request));
}

void Executor::execute(std::unique_ptr<Request> request) {
  RunFailure failure;
  run(request.get(), &failure);
  finish(std::move(request), failure);
  notify_(context_);
}

void Executor::run(Request* request, RunFailure* failure) {
  if (dependencyFailed(*request, failure)) return;
  if (request->aborted.load()) {
    setAborted(failure);
    return;
  }
  const RunInput input{request->bindings.data(), request->scalars.data(), request->times, &request->aborted};
  runner_.run(request->program.get(), input, stopping_, failure);
}

std::unique_ptr<Request> Executor::next() {
  // The next program is often on its way: the environment's thread has just been told of the last.
  for (int i = 0; i < kSpins && queued_.load(std::memory_order_relaxed) == 0; i++) {
    if (stopping_.load(std::memory_order_relaxed) || !ThreadPool::instance().maySpin()) break;
    spinPause();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  submitted_.wait(lock, [this] { return stopping_.load() || isReady(); });
  return stopping_.load() ? nullptr : take();
}

std::unique_ptr<Request> Executor::take() {
  std::unique_ptr<Request> request = std::move(queue_.front());
  queue_.pop_front();
  running_ = request.get();
  queued_.fetch_sub(1);
  return request;
}

bool Executor::dependencyFailed(const Request& request, RunFailure* failure) {
  if (request.after.empty()) return false;
  std::lock_guard<std::mutex> lock(mutex_);
  for (int64_t id : request.after)
    for (const Completion& failed : failed_)
      if (failed.id == id) {
        *failure = failed.failure;
        failure->instruction = -1;
        return true;
      }
  return false;
}

void Executor::finish(std::unique_ptr<Request> request, RunFailure failure) {
  const int64_t id = request->id;
  const bool writes = request->program->firstWriter < static_cast<int32_t>(request->program->instructions.size());
  request->program.reset();
  bool awaited, isNextReady;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    // Whoever asked for it in time has been told that it fails.
    if (failure.kind == kOk && request->aborted.load() && !writes) setAborted(&failure);
    completions_.push_back({id, failure});
    if (failure.kind != kOk) {
      failed_.push_back({id, failure});
      if (failure.cause < 0) failed_.back().failure.cause = id;
    }
    running_ = nullptr;
    spare_.push_back(std::move(request));
    // In this order: whoever sees that the last has ended sees that nothing is left.
    const bool isLast = left_.fetch_sub(1) == 1;
    ended_.store(id);
    awaited = awaited_ != 0 && (isLast || id >= awaited_);
    isNextReady = isReady();
  }
  if (isNextReady) submitted_.notify_one();
  // Waking for every run would cost the pool's threads a processor each time.
  if (awaited) finished_.notify_one();
}

}  // namespace saddlepoint
