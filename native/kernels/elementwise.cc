// The byte code of lib/graph/program/elementwise.ts, a block of elements at a time, so that what steps hand to each
// other stays in the first-level cache.
#include "elementwise_step.h"
#include "elementwise_steps.h"
#include "kernel.h"
#include "parallel.h"
#include "strided.h"

namespace saddlepoint {
namespace {

// Where a step finds its operands: in memory of the program, which moves on with each block, or in a worker's scratch.
struct Slot {
  char* stream;   // or null: scratch
  int32_t bytes;  // of an element
  size_t offset;  // in scratch
};

struct StepCode {
  Step step;
  int32_t destination, a, b, c;
  int32_t firstStream, streams;  // those whose next block this step prefetches
};

struct Gather {
  int32_t slot;
  const char* data;
  StridedDims dims;
};

struct Splat {
  int32_t slot;
  Scalar value;
};

// An output too large for the caches to be of use: blocks are made in scratch and written past them.
struct Bypass {
  int32_t slot;
  char* data;
};

struct Plan {
  int32_t size, block, blocks, blocksPerPart;
  int32_t slotCount, stepCount, gatherCount, splatCount, streamCount, bypassCount;
  Slot* slots;
  StepCode* steps;
  Gather* gathers;
  Splat* splats;
  Bypass* bypasses;
  int32_t* streams;
  size_t workerBytes;
};

constexpr int64_t partPicoseconds = 16000000;
constexpr int prefetchFromElements = 32768;  // smaller inputs are in a cache anyway
constexpr int64_t bypassFromBytes = 16 << 20;

// Hands out the parts of one scratch allocation.
struct Carver {
  char* at;
  template <typename T>
  T* take(size_t count) {
    T* result = reinterpret_cast<T*>(at);
    at += roundUp64(count * sizeof(T));
    return result;
  }
};

struct Attributes {
  const double* values;
  int next;
  int read() { return static_cast<int>(values[next++]); }
};

void addStream(Plan& plan, int slot, const View& view) {
  plan.slots[slot].stream = static_cast<char*>(view.data);
  plan.slots[slot].bytes = dtypeBytes[view.dtype];
}

bool isAnInput(const Call& call, const View& output) {
  for (int i = 0; i < call.inputCount; i++) {
    if (call.inputs[i].data == output.data) return true;
  }
  return false;
}

void planOutput(Plan& plan, int slot, const View& view, const Call& call) {
  const bool aligned = reinterpret_cast<uintptr_t>(view.data) % 64 == 0;
  const int bytes = dtypeBytes[view.dtype];
  if (canBypassCaches && aligned && int64_t{view.size} * bytes >= bypassFromBytes && !isAnInput(call, view)) {
    plan.bypasses[plan.bypassCount++] = {slot, static_cast<char*>(view.data)};
    plan.slots[slot].bytes = bytes;
  } else {
    addStream(plan, slot, view);
  }
}

void planInput(Plan& plan, int slot, const View& view) {
  const StridedDims dims = collapseDims(view.shape, view.strides, view.rank);
  const int bytes = dtypeBytes[view.dtype];
  if (isContiguous(dims)) return addStream(plan, slot, view);
  plan.slots[slot].bytes = bytes;
  if (isSingleValue(dims)) {
    Splat& splat = plan.splats[plan.splatCount++];
    splat.slot = slot;
    __builtin_memcpy(splat.value.bytes, view.data, static_cast<size_t>(bytes));
  } else {
    plan.gathers[plan.gatherCount++] = {slot, static_cast<const char*>(view.data), dims};
  }
}

struct Operand {
  int32_t slot, bytes;
};

// A step that widens its operand in place would overwrite elements it has not read: its result gets a slot of its own.
bool overwritesUnread(int destination, int bytes, const Operand* operands) {
  for (int i = 0; i < 3; i++) {
    if (operands[i].slot == destination && operands[i].bytes < bytes) return true;
  }
  return false;
}

bool isMadeIn(const Plan& plan, int slot, const void* data) {
  for (int i = 0; i < plan.bypassCount; i++) {
    if (plan.bypasses[i].slot == slot && plan.bypasses[i].data == data) return true;
  }
  return plan.slots[slot].stream == data;
}

bool planSteps(Plan& plan, const Call& call, Attributes attributes, int32_t* slotOfRegister, int64_t& picoseconds) {
  for (int t = 0; t < plan.stepCount; t++) {
    const Opcode opcode = static_cast<Opcode>(attributes.read());
    const DType dtype = static_cast<DType>(attributes.read());
    const int destination = attributes.read();
    const int bytes = dtypeBytes[resultDType(opcode, dtype)];
    Operand operands[3];
    for (int i = 0; i < 3; i++) {
      const int reg = attributes.read();
      const bool condition = opcode == op_where && i == 0;
      operands[i] = {reg < 0 ? -1 : slotOfRegister[reg], condition ? 1 : dtypeBytes[dtype]};
    }
    if (overwritesUnread(slotOfRegister[destination], bytes, operands)) {
      plan.slots[plan.slotCount] = {nullptr, 0, 0};
      slotOfRegister[destination] = plan.slotCount++;
    }
    StepCode& code = plan.steps[t];
    code.step = stepOf(opcode, dtype);
    if (code.step == nullptr) return false;
    code.destination = slotOfRegister[destination];
    // Operands that a step lacks point at its first one.
    code.a = operands[0].slot;
    code.b = operands[1].slot < 0 ? code.a : operands[1].slot;
    code.c = operands[2].slot < 0 ? code.a : operands[2].slot;
    Slot& slot = plan.slots[code.destination];
    if (slot.bytes < bytes) slot.bytes = bytes;
    picoseconds += stepCost(opcode, dtype);
  }
  // A register that is several outputs is copied to the others.
  for (int i = 0; i < call.outputCount; i++) {
    const int slot = slotOfRegister[attributes.read()];
    if (isMadeIn(plan, slot, call.outputs[i].data)) continue;
    const int copy = plan.slotCount++;
    plan.slots[copy] = {nullptr, 0, 0};
    addStream(plan, copy, call.outputs[i]);
    plan.steps[plan.stepCount++] = {stepOf(op_copy, call.outputs[i].dtype), copy, slot, slot, slot, 0, 0};
  }
  return true;
}

// Each stream is prefetched by the first step that touches it.
void planPrefetch(Plan& plan, int32_t* stepOfSlot) {
  for (int i = 0; i < plan.slotCount; i++) stepOfSlot[i] = -1;
  for (int t = 0; t < plan.stepCount; t++) {
    StepCode& code = plan.steps[t];
    code.firstStream = plan.streamCount;
    const int32_t touched[4] = {code.a, code.b, code.c, code.destination};
    for (int i = 0; i < 4; i++) {
      if (plan.slots[touched[i]].stream == nullptr || stepOfSlot[touched[i]] >= 0) continue;
      stepOfSlot[touched[i]] = t;
      plan.streams[plan.streamCount++] = touched[i];
    }
    code.streams = plan.streamCount - code.firstStream;
  }
}

void layOutScratch(Plan& plan) {
  size_t offset = roundUp64(static_cast<size_t>(plan.slotCount) * sizeof(char*)) +
                  roundUp64(static_cast<size_t>(plan.gatherCount) * sizeof(Odometer));
  for (int i = 0; i < plan.slotCount; i++) {
    Slot& slot = plan.slots[i];
    if (slot.stream != nullptr) continue;
    slot.offset = offset;
    offset += roundUp64(static_cast<size_t>(plan.block) * static_cast<size_t>(slot.bytes));
  }
  plan.workerBytes = offset;
}

void prefetchBlock(const char* from, int bytes, bool written) {
  if (written) {
    for (int i = 0; i < bytes; i += 64) prefetchWrite(from + i);
  } else {
    for (int i = 0; i < bytes; i += 64) prefetchRead(from + i);
  }
}

bool runPart(const Call& call, const Plan& plan, int part, int worker) {
  char* scratch = scratchOf<char>(call, worker, 1, plan.workerBytes);
  if (scratch == nullptr) return false;
  Carver carver{scratch};
  char** pointers = carver.take<char*>(static_cast<size_t>(plan.slotCount));
  Odometer* odometers = carver.take<Odometer>(static_cast<size_t>(plan.gatherCount));
  const int64_t begin = static_cast<int64_t>(part) * plan.blocksPerPart * plan.block;
  const int64_t limit = begin + static_cast<int64_t>(plan.blocksPerPart) * plan.block;
  const int64_t end = limit < plan.size ? limit : plan.size;
  const int64_t count = end - begin;

  for (int i = 0; i < plan.slotCount; i++) {
    const Slot& slot = plan.slots[i];
    pointers[i] = slot.stream == nullptr ? scratch + slot.offset : slot.stream + begin * slot.bytes;
  }
  for (int i = 0; i < plan.splatCount; i++) {
    const Splat& splat = plan.splats[i];
    fillBytes(pointers[splat.slot], splat.value.bytes, static_cast<int>(count < plan.block ? count : plan.block),
              plan.slots[splat.slot].bytes);
  }
  for (int i = 0; i < plan.gatherCount; i++) odometers[i].seek(plan.gathers[i].dims, begin);

  const bool prefetch = plan.size >= prefetchFromElements;
  for (int64_t at = begin; at < end; at += plan.block) {
    const int n = static_cast<int>(end - at < plan.block ? end - at : plan.block);
    for (int i = 0; i < plan.gatherCount; i++) {
      const Gather& gather = plan.gathers[i];
      gatherBytes(pointers[gather.slot], gather.data, gather.dims, odometers[i], n, plan.slots[gather.slot].bytes);
    }
    for (int t = 0; t < plan.stepCount; t++) {
      const StepCode& code = plan.steps[t];
      if (prefetch) {
        for (int i = code.firstStream; i < code.firstStream + code.streams; i++) {
          const int blockBytes = plan.block * plan.slots[plan.streams[i]].bytes;
          prefetchBlock(pointers[plan.streams[i]] + blockBytes, blockBytes, plan.streams[i] == code.destination);
        }
      }
      code.step(pointers[code.destination], pointers[code.a], pointers[code.b], pointers[code.c], n);
    }
    for (int i = 0; i < plan.bypassCount; i++) {
      const Bypass& bypass = plan.bypasses[i];
      const int bytes = plan.slots[bypass.slot].bytes;
      storePastCaches(bypass.data + at * bytes, pointers[bypass.slot], n * bytes);
    }
    for (int i = 0; i < plan.streamCount; i++) {
      const int32_t slot = plan.streams[i];
      pointers[slot] += static_cast<int64_t>(plan.block) * plan.slots[slot].bytes;
    }
  }
  if (plan.bypassCount > 0) finishStoresPastCaches();
  return true;
}

}  // namespace

extern "C" ElementwiseStep SADDLEPOINT_SYMBOL(elementwiseStep)(Opcode opcode, DType dtype, DType* result) {
  *result = resultDType(opcode, dtype);
  return stepOf(opcode, dtype);
}

SADDLEPOINT_KERNEL(elementwise) {
  const int size = call.outputs[0].size;
  if (size == 0) return kOk;
  Attributes attributes{call.attributes, 0};
  const int scalars = attributes.read();
  const int registers = attributes.read();
  const int steps = attributes.read();

  Plan plan;
  plan.size = size;
  plan.stepCount = steps;
  plan.slotCount = registers;
  plan.gatherCount = plan.splatCount = plan.streamCount = plan.bypassCount = 0;
  const size_t maxSlots = static_cast<size_t>(registers + steps + call.outputCount);
  const size_t maxSteps = static_cast<size_t>(steps + call.outputCount);
  const size_t inputs = static_cast<size_t>(call.inputCount + scalars);
  const size_t bytes = roundUp64(maxSlots * sizeof(Slot)) + roundUp64(maxSteps * sizeof(StepCode)) +
                       roundUp64(inputs * sizeof(Gather)) + roundUp64(inputs * sizeof(Splat)) +
                       roundUp64(static_cast<size_t>(call.outputCount) * sizeof(Bypass)) +
                       2 * roundUp64(maxSlots * sizeof(int32_t));
  char* memory = scratchOf<char>(call, 0, 0, bytes);
  if (memory == nullptr) return kFailMemory;
  Carver carver{memory};
  plan.slots = carver.take<Slot>(maxSlots);
  plan.steps = carver.take<StepCode>(maxSteps);
  plan.gathers = carver.take<Gather>(inputs);
  plan.splats = carver.take<Splat>(inputs);
  plan.bypasses = carver.take<Bypass>(static_cast<size_t>(call.outputCount));
  plan.streams = carver.take<int32_t>(maxSlots);
  int32_t* slotOfRegister = carver.take<int32_t>(maxSlots);

  for (int i = 0; i < registers; i++) {
    plan.slots[i] = {nullptr, 0, 0};
    slotOfRegister[i] = i;
  }
  for (int i = 0; i < call.inputCount; i++) planInput(plan, i, call.inputs[i]);
  for (int i = 0; i < scalars; i++) {
    const int slot = attributes.read();
    const DType dtype = static_cast<DType>(attributes.read());
    plan.splats[plan.splatCount++] = {call.inputCount + i, scalarOf(dtype, call.scalars[slot])};
    plan.slots[call.inputCount + i].bytes = dtypeBytes[dtype];
  }
  const double* outputRegisters = attributes.values + attributes.next + 6 * steps;
  for (int i = 0; i < call.outputCount; i++) {
    const int reg = static_cast<int>(outputRegisters[i]);
    if (plan.slots[reg].bytes == 0) planOutput(plan, reg, call.outputs[i], call);
  }
  int64_t picoseconds = 0;
  if (!planSteps(plan, call, attributes, slotOfRegister, picoseconds)) return kFailInternal;
  planPrefetch(plan, slotOfRegister);
  picoseconds += 100 * plan.streamCount;
  plan.block = plan.streamCount > 6 ? 256 : 512;
  plan.blocks = static_cast<int32_t>(ceilDivide(size, plan.block));
  const int64_t perPart = partPicoseconds / (picoseconds * plan.block);
  plan.blocksPerPart = static_cast<int32_t>(perPart < 4 ? 4 : perPart);
  layOutScratch(plan);

  return runParts(call, ceilDivide(plan.blocks, plan.blocksPerPart),
                  [&](int part, int worker) { return runPart(call, plan, part, worker); });
}

}  // namespace saddlepoint
