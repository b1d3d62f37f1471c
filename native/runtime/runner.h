// Runs one program after another on the calling thread and the pool, with one arena for all of them: only one program
// runs at a time, and nothing in the arena outlives it.
#pragma once
#include <atomic>

#include "aligned_memory.h"
#include "program.h"
#include "thread_pool.h"

namespace saddlepoint {

// Why a program stopped; `kind` is kOk if it did not.
struct RunFailure {
  Failure kind = kOk;
  int32_t instruction = -1;
  int64_t cause = -1;  // the id of the failed run that this one depended on
  char message[kMessageBytes] = {};
};

// What a run is given.
struct RunInput {
  void* const* bindings;  // an address for every bound buffer of the program
  const double* scalars;  // as many as the program takes
  // Null, or room for one number more than the program has instructions: when the first one began, then when each
  // ended, in nanoseconds of `nanoseconds()`.
  double* times = nullptr;
  const std::atomic<bool>* aborted = nullptr;
};

// Of a clock that only goes forward.
double nanoseconds();

class Runner {
 public:
  explicit Runner(const KernelTable* table);
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  const KernelTable* table() const { return table_; }
  void setTable(const KernelTable* table) { table_ = table; }

  // Ends early between two instructions when `stop` is set, or `input.aborted` before state is overwritten.
  void run(Program* program, const RunInput& input, const std::atomic<bool>& stop, RunFailure* failure);

 private:
  bool place(Program* program, void* const* bindings);
  void execute(const Program& program, const RunInput& input, const std::atomic<bool>& stop, RunFailure* failure);
  static void parallel(void* self, int parts, ThreadPool::Body body, void* context);
  static void* scratch(void* self, int worker, int slot, size_t bytes);

  const KernelTable* table_;
  AlignedMemory arena_;
  AlignedMemory scratch_[ThreadPool::kMaxThreads][kScratchSlots];
};

}  // namespace saddlepoint
