#include "runner.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "float_mode.h"

namespace saddlepoint {
namespace {

// Stands for the address of memory that no element is read from or written to.
alignas(64) char nowhere[64];

}  // namespace

double nanoseconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

Runner::Runner(const KernelTable* table) : table_(table) {}

void Runner::run(Program* program, const RunInput& input, const std::atomic<bool>& stop, RunFailure* failure) {
  failure->kind = kOk;
  failure->instruction = -1;
  failure->cause = -1;
  if (!place(program, input.bindings)) {
    failure->kind = kFailMemory;
    std::snprintf(failure->message, kMessageBytes, "no memory for %lld bytes of intermediate results",
                  static_cast<long long>(program->arenaBytes));
    return;
  }
  ThreadPool& pool = ThreadPool::instance();
  const FlushDenormals flush;
  pool.addBusyThread();
  execute(*program, input, stop, failure);
  pool.removeBusyThread();
}

// Programs are mostly run again with the addresses that they had: then nothing is written.
bool Runner::place(Program* program, void* const* bindings) {
  char* arena = nullptr;
  if (program->arenaBytes > 0) {
    arena = static_cast<char*>(arena_.reserve(static_cast<size_t>(program->arenaBytes)));
    if (arena == nullptr) return false;
  }
  std::vector<void*>& placed = program->placed;
  if (program->isPlaced && program->placedArena == arena && std::equal(placed.begin(), placed.end(), bindings))
    return true;
  placed.assign(bindings, bindings + program->bound.size());
  program->placedArena = arena;
  program->isPlaced = true;
  for (size_t i = 0; i < program->views.size(); i++) {
    const Operand& operand = program->operands[i];
    char* base = operand.binding < 0 ? arena : static_cast<char*>(bindings[operand.binding]);
    program->views[i].data = base == nullptr ? nowhere : base + operand.offset;
  }
  return true;
}

void Runner::execute(const Program& program, const RunInput& input, const std::atomic<bool>& stop,
                     RunFailure* failure) {
  const Services services{this, &parallel, &scratch, ThreadPool::instance().threads()};
  Call call{};
  call.scalars = input.scalars;
  call.services = &services;
  call.message = failure->message;
  if (input.times != nullptr) input.times[0] = nanoseconds();
  for (size_t i = 0; i < program.instructions.size(); i++) {
    const Instruction& instruction = program.instructions[i];
    failure->instruction = static_cast<int32_t>(i);
    failure->message[0] = '\0';
    if (stop.load(std::memory_order_relaxed)) {
      failure->kind = kFailInternal;
      std::snprintf(failure->message, kMessageBytes, "stopped, because its environment ends");
      return;
    }
    if (input.aborted != nullptr && failure->instruction <= program.firstWriter &&
        input.aborted->load(std::memory_order_relaxed)) {
      failure->kind = kFailAborted;
      std::snprintf(failure->message, kMessageBytes, "aborted");
      return;
    }
    if (!instruction.skipped) {
      call.inputs = program.views.data() + instruction.firstView;
      call.outputs = call.inputs + instruction.inputCount;
      call.inputCount = instruction.inputCount;
      call.outputCount = instruction.outputCount;
      call.attributes = program.attributes.data() + instruction.firstAttribute;
      call.attributeCount = instruction.attributeCount;
      failure->kind = table_->kernels[instruction.kernel](call);
      if (failure->kind != kOk) {
        failure->message[kMessageBytes - 1] = '\0';
        if (failure->message[0] == '\0')
          std::snprintf(failure->message, kMessageBytes, "%s: %s", kernelName(instruction.kernel),
                        failure->kind == kFailMemory ? "no memory for its working space" : "failed");
        return;
      }
    }
    if (input.times != nullptr) input.times[i + 1] = nanoseconds();
  }
  failure->instruction = -1;
}

void Runner::parallel(void*, int parts, ThreadPool::Body body, void* context) {
  ThreadPool::instance().run(parts, body, context);
}

void* Runner::scratch(void* self, int worker, int slot, size_t bytes) {
  return static_cast<Runner*>(self)->scratch_[worker][slot].reserve(bytes);
}

}  // namespace saddlepoint
