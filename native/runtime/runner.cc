#include "runner.h"

#include <cstdio>
#include <cstring>

#include "float_mode.h"

namespace saddlepoint {
namespace {

// Stands for the address of memory that no element is read from or written to.
alignas(64) char nowhere[64];

}  // namespace

Runner::Runner(const KernelTable* table) : table_(table) {}

void Runner::run(Program* program, void* const* bindings, const double* scalars, const std::atomic<bool>& stop,
                 RunFailure* failure) {
  failure->kind = kOk;
  failure->instruction = -1;
  failure->cause = -1;
  if (!place(program, bindings)) {
    failure->kind = kFailMemory;
    std::snprintf(failure->message, kMessageBytes, "no memory for %lld bytes of intermediate results",
                  static_cast<long long>(program->arenaBytes));
    return;
  }
  ThreadPool& pool = ThreadPool::instance();
  const FlushDenormals flush;
  pool.addBusyThread();
  execute(*program, scalars, stop, failure);
  pool.removeBusyThread();
}

bool Runner::place(Program* program, void* const* bindings) {
  char* arena = nullptr;
  if (program->arenaBytes > 0) {
    arena = static_cast<char*>(arena_.reserve(static_cast<size_t>(program->arenaBytes)));
    if (arena == nullptr) return false;
  }
  for (size_t i = 0; i < program->views.size(); i++) {
    const Operand& operand = program->operands[i];
    char* base = operand.binding < 0 ? arena : static_cast<char*>(bindings[operand.binding]);
    program->views[i].data = base == nullptr ? nowhere : base + operand.offset;
  }
  return true;
}

void Runner::execute(const Program& program, const double* scalars, const std::atomic<bool>& stop,
                     RunFailure* failure) {
  const Services services{this, &parallel, &scratch, ThreadPool::instance().threads()};
  Call call{};
  call.scalars = scalars;
  call.services = &services;
  call.message = failure->message;
  for (size_t i = 0; i < program.instructions.size(); i++) {
    const Instruction& instruction = program.instructions[i];
    if (instruction.skipped) continue;
    failure->instruction = static_cast<int32_t>(i);
    failure->message[0] = '\0';
    if (stop.load(std::memory_order_relaxed)) {
      failure->kind = kFailInternal;
      std::snprintf(failure->message, kMessageBytes, "stopped, because its environment ends");
      return;
    }
    call.inputs = program.views.data() + instruction.firstView;
    call.outputs = call.inputs + instruction.inputCount;
    call.inputCount = instruction.inputCount;
    call.outputCount = instruction.outputCount;
    call.attributes = program.attributes.data() + instruction.firstAttribute;
    call.attributeCount = instruction.attributeCount;
    failure->kind = table_->kernels[instruction.kernel](call);
    if (failure->kind == kOk) continue;
    failure->message[kMessageBytes - 1] = '\0';
    if (failure->message[0] == '\0')
      std::snprintf(failure->message, kMessageBytes, "%s: %s", kernelName(instruction.kernel),
                    failure->kind == kFailMemory ? "no memory for its working space" : "failed");
    return;
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
