// The byte code of lib/graph/program/elementwise.ts as the elementwise kernel runs it: decoded once for each call, and
// the same for all segments. That it is sound was checked when the program was loaded (check_elementwise.cc).
#pragma once
#include "elementwise_groups.h"
#include "kernel.h"
#include "parallel.h"
#include "strided.h"

namespace saddlepoint {
namespace {

// An input that is the same after each `period` elements, such as what belongs to features or to the channels of small
// images: written out once, with a block more than the period, so that blocks read it in place wherever they begin.
struct Repeat {
  int64_t period;  // 0: none
  char* values;
};

// Streams are the inputs, then the outputs: where they are contiguous, steps read and write them in place.
struct Code {
  const Call* call;
  int32_t segments, inputs, outputs, scalars, steps, slots;  // inputs and outputs of one segment
  int32_t block;                                             // elements that go through all steps together
  int32_t constantElements;  // that the memory of a constant holds: chains read a vector of it, loops as many as they
                             // run over
  int64_t row;               // elements after which rowValues change, so that no block crosses them; 0: there are none
  bool prefetches;
  StepCode* code;
  int32_t groups, links;
  Group* group;
  LinkCode* link;
  const int32_t* scalarDTypes;
  const int32_t* scalarSlots;  // in the program: `scalars` for each segment
  const int32_t* folds;        // of each output
  int32_t* outputSlots;
  int32_t* slotBytes;  // of an element
  bool*
      constants;  // for each slot whether a block has one value for it: scalars, and inputs that are the same for a row
  size_t* offsets;   // of each slot in a worker's scratch
  Repeat* repeated;  // of each input
  int32_t* prefetched;
  size_t workerBytes;

  int32_t streams() const { return inputs + outputs; }
  int32_t slotOfStream(int32_t stream) const { return stream < inputs ? stream : outputSlots[stream - inputs]; }
  const View& input(int segment, int i) const { return call->inputs[segment * inputs + i]; }
  const View& output(int segment, int i) const { return call->outputs[segment * outputs + i]; }
  // What a segment iterates over: an output that is not folded, or any input.
  const View& space(int segment) const {
    for (int i = 0; i < outputs; i++) {
      if (folds[i] == 0) return output(segment, i);
    }
    return input(segment, 0);
  }
};

constexpr int chainBlock = 2048;  // where nothing but chains reads and writes it, and no input repeats
constexpr int largeBlock = 512;
constexpr int smallBlock = 256;  // with many streams, so that their blocks fit the first-level cache
constexpr int smallBlockFromStreams = 7;
constexpr int prefetchFromElements = 32768;        // smaller segments are in a cache anyway
constexpr int64_t prefetchUpToPicoseconds = 1000;  // what takes longer an element does not wait for memory
constexpr int leastRepeats = 4;                    // writing out what repeats less often takes as long as gathering it
constexpr int64_t mostRepeatedBytes = 512 << 10;   // of all such inputs: a part of the second-level cache

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

// A step that widens its operand in place would overwrite elements it has not read: its result gets a slot of its own.
inline bool overwritesUnread(const Code& code, const StepCode& step, int bytes) {
  return (step.a == step.destination && code.slotBytes[step.a] < bytes) ||
         (step.b == step.destination && code.slotBytes[step.b] < bytes) ||
         (step.c == step.destination && code.slotBytes[step.c] < bytes);
}

// Each stream is prefetched by the first step that touches it.
inline void planPrefetch(Code& code, int32_t* streamOfSlot) {
  for (int i = 0; i < code.slots; i++) streamOfSlot[i] = -1;
  for (int i = 0; i < code.streams(); i++) {
    if (i < code.inputs || code.folds[i - code.inputs] == 0) streamOfSlot[code.slotOfStream(i)] = i;
  }
  int32_t count = 0;
  for (int t = 0; t < code.steps; t++) {
    StepCode& step = code.code[t];
    step.firstStream = count;
    const int32_t touched[4] = {step.a, step.b, step.c, step.destination};
    for (int i = 0; i < 4; i++) {
      if (streamOfSlot[touched[i]] < 0) continue;
      code.prefetched[count++] = streamOfSlot[touched[i]];
      streamOfSlot[touched[i]] = -1;
    }
    step.streams = count - step.firstStream;
  }
}

// `at` begins with the steps; slotOfRegister has room for all registers. The widest result decides on a slot's size.
inline void decodeSteps(Code& code, const int32_t* at, int32_t registers, int32_t* slotOfRegister) {
  int32_t* current = code.slotBytes;  // while steps are decoded: of what the slot holds
  for (int i = 0; i < registers; i++) slotOfRegister[i] = i;
  int32_t* widest = slotOfRegister + registers;
  for (int i = 0; i < registers; i++) widest[i] = current[i];
  for (int t = 0; t < code.steps; t++, at += 6) {
    StepCode& step = code.code[t];
    const int bytes = stepTable.resultBytes[at[0]][at[1]];
    step.step = stepTable.steps[at[0]][at[1]];
    step.opcode = static_cast<Opcode>(at[0]);
    step.dtype = static_cast<DType>(at[1]);
    step.destination = slotOfRegister[at[2]];
    step.a = slotOfRegister[at[3]];
    // Operands that a step lacks point at its first one.
    step.b = at[4] < 0 ? step.a : slotOfRegister[at[4]];
    step.c = at[5] < 0 ? step.a : slotOfRegister[at[5]];
    if (overwritesUnread(code, step, bytes)) {
      widest[code.slots] = 0;
      step.destination = slotOfRegister[at[2]] = code.slots++;
    }
    current[step.destination] = bytes;
    if (widest[step.destination] < bytes) widest[step.destination] = bytes;
  }
  for (int i = 0; i < code.slots; i++) current[i] = widest[i];
}

// Chains take whole parts of a block: shorter segments have none.
inline void groupSteps(Code& code, int64_t largest, SlotUse* uses) {
  code.groups = 1;
  code.links = 0;
  code.group[0] = {0, code.steps, 0, 0};
  if (largest < chainElements || code.steps < 2) return;
  for (int i = 0; i < code.slots; i++) uses[i] = {-1, -1, 0, code.constants[i]};
  for (int i = 0; i < code.outputs; i++) uses[code.outputSlots[i]].lastRead = code.steps;
  Grouping grouping(code.code, code.steps, code.group, code.link, uses);
  code.groups = grouping.run();
  code.links = grouping.links();
}

// Finds the inputs that are one value, or broadcast along rows of one length, such as what belongs to the channels of
// images, where blocks may end with rows; and of the others those that repeat, as many as there is room for with blocks
// of at most `block` elements.
inline void findBroadcast(Code& code, bool endsWithRows, int block) {
  int64_t total = 0;
  for (int i = 0; i < code.inputs; i++) {
    code.repeated[i] = {0, nullptr};
    if (code.segments > 1) continue;
    const View& view = code.input(0, i);
    const StridedDims dims = collapseDims(view.shape, view.strides, view.rank);
    if (isContiguous(dims)) continue;
    // Loops over what chains leave of a row would cost more than it saves.
    const int length = dims.shape[0], left = length % chainElements, outer = dims.rank - 1;
    if (endsWithRows && dims.strides[0] == 0 && length >= chainElements && 8 * left <= length) {
      if (outer > 0 && code.row == 0) code.row = length;
      code.constants[i] = outer == 0 || code.row == length;
      if (code.constants[i]) continue;
    }
    if (outer == 0 || dims.strides[outer] != 0 || dims.shape[outer] < leastRepeats) continue;
    const int64_t period = view.size / dims.shape[outer], bytes = (period + block) * code.slotBytes[i];
    if (total + bytes > mostRepeatedBytes) continue;
    total += bytes;
    code.repeated[i].period = period;
  }
}

// False where there is no memory.
inline bool writeRepeated(Code& code) {
  size_t total = 0;
  const auto bytesOf = [&](int i) {
    return static_cast<size_t>((code.repeated[i].period + code.block) * code.slotBytes[i]);
  };
  for (int i = 0; i < code.inputs; i++) total += code.repeated[i].period > 0 ? roundUp64(bytesOf(i)) : 0;
  if (total == 0) return true;
  Carver carver{scratchOf<char>(*code.call, 0, 4, total)};
  if (carver.at == nullptr) return false;
  for (int i = 0; i < code.inputs; i++) {
    if (code.repeated[i].period == 0) continue;
    const View& view = code.input(0, i);
    const StridedDims dims = collapseDims(view.shape, view.strides, view.rank);
    const int period = static_cast<int>(code.repeated[i].period);
    char* values = code.repeated[i].values = carver.take<char>(bytesOf(i));
    Odometer at;
    at.seek(dims, 0);
    gatherBytes(values, view.data, dims, at, period, code.slotBytes[i]);
    for (size_t done = static_cast<size_t>(period * code.slotBytes[i]), more; done < bytesOf(i); done += more) {
      more = smaller(done, bytesOf(i) - done);
      __builtin_memcpy(values + done, values, more);
    }
  }
  return true;
}

inline bool hasRepeated(const Code& code) {
  for (int i = 0; i < code.inputs; i++) {
    if (code.repeated[i].period > 0) return true;
  }
  return false;
}

inline bool isOfChains(const Code& code) {
  for (int g = 0; g < code.groups; g++) {
    if (code.group[g].links == 0) return false;
  }
  return true;
}

inline int blockOf(const Code& code) {
  if (isOfChains(code) && !hasRepeated(code)) return chainBlock;
  return code.streams() >= smallBlockFromStreams ? smallBlock : largeBlock;
}

// About how many picoseconds an element takes: what is worth splitting.
inline int64_t picosecondsOf(const Code& code) {
  const int32_t* at = code.scalarDTypes + code.scalars;
  int64_t picoseconds = 100 * code.streams();
  for (int t = 0; t < code.steps; t++)
    picoseconds += stepCost(static_cast<Opcode>(at[6 * t]), static_cast<DType>(at[6 * t + 1]));
  return picoseconds;
}

// False where there is no memory. `block` 0: as the code has streams, and then blocks end where rows do.
inline bool decode(const Call& call, int block, Code& code) {
  const size_t count = static_cast<size_t>(call.attributeCount);
  const int32_t registers = static_cast<int32_t>(call.attributes[2]);
  code.call = &call;
  code.segments = static_cast<int32_t>(call.attributes[0]);
  code.scalars = static_cast<int32_t>(call.attributes[1]);
  code.steps = static_cast<int32_t>(call.attributes[3]);
  code.inputs = code.segments == 1 ? call.inputCount : call.inputCount / code.segments;
  code.outputs = code.segments == 1 ? call.outputCount : call.outputCount / code.segments;
  code.slots = registers;
  const size_t steps = static_cast<size_t>(code.steps), maxSlots = static_cast<size_t>(registers) + steps;
  const size_t streams = static_cast<size_t>(code.streams());
  Carver carver{scratchOf<char>(call, 0, 0,
                                roundUp64(count * 4) + roundUp64(steps * sizeof(StepCode)) +
                                    roundUp64(streams * 4) * 2 + roundUp64(streams * sizeof(Repeat)) +
                                    roundUp64(maxSlots * 4) + roundUp64(maxSlots * 8) * 2 + roundUp64(maxSlots) +
                                    roundUp64(steps * sizeof(Group)) + roundUp64(maxLinks(steps) * sizeof(LinkCode)) +
                                    roundUp64(maxSlots * sizeof(SlotUse)))};
  if (carver.at == nullptr) return false;
  int32_t* attributes = carver.take<int32_t>(count);
  for (size_t i = 0; i < count; i++) attributes[i] = static_cast<int32_t>(call.attributes[i]);
  code.code = carver.take<StepCode>(steps);
  code.outputSlots = carver.take<int32_t>(streams);
  code.prefetched = carver.take<int32_t>(streams);
  code.slotBytes = carver.take<int32_t>(maxSlots);
  code.offsets = carver.take<size_t>(maxSlots);
  code.constants = carver.take<bool>(maxSlots);
  code.repeated = carver.take<Repeat>(streams);
  int32_t* slotOfRegister = carver.take<int32_t>(2 * maxSlots);
  code.group = carver.take<Group>(steps);
  code.link = carver.take<LinkCode>(maxLinks(steps));
  SlotUse* uses = carver.take<SlotUse>(maxSlots);

  code.scalarDTypes = attributes + 4;
  for (int i = 0; i < code.inputs; i++) code.slotBytes[i] = dtypeBytes[call.inputs[i].dtype];
  for (int i = 0; i < code.scalars; i++) code.slotBytes[code.inputs + i] = dtypeBytes[code.scalarDTypes[i]];
  for (int i = code.inputs + code.scalars; i < registers; i++) code.slotBytes[i] = 0;
  const int32_t* at = code.scalarDTypes + code.scalars;
  decodeSteps(code, at, registers, slotOfRegister);
  at += 6 * code.steps;
  for (int i = 0; i < code.outputs; i++) code.outputSlots[i] = slotOfRegister[at[i]];
  code.folds = at + code.outputs;
  code.scalarSlots = code.folds + code.outputs;

  for (int i = 0; i < code.slots; i++) code.constants[i] = i >= code.inputs && i < code.inputs + code.scalars;
  code.row = 0;
  findBroadcast(code, block == 0, block == 0 ? chainBlock : block);
  int64_t largest = 0;
  for (int s = 0; s < code.segments; s++) largest = larger<int64_t>(largest, code.space(s).size);
  groupSteps(code, largest, uses);
  code.prefetches = largest >= prefetchFromElements && picosecondsOf(code) <= prefetchUpToPicoseconds;
  if (code.prefetches) planPrefetch(code, slotOfRegister);
  if (block == 0) block = blockOf(code);
  // Short ones lie close together.
  code.block = static_cast<int32_t>(smaller<int64_t>(block, largest / 16 * 16 + 16));
  code.constantElements = isOfChains(code) ? smaller<int32_t>(code.block, chainElements) : code.block;
  code.workerBytes = 0;
  for (int i = 0; i < code.slots; i++) {
    code.offsets[i] = code.workerBytes;
    code.workerBytes += roundUp64(static_cast<size_t>(code.block) * static_cast<size_t>(code.slotBytes[i]));
  }
  return writeRepeated(code);
}

}  // namespace
}  // namespace saddlepoint
