// Runs decoded byte code over one segment at a time, a block of elements after the other, so that what steps hand to
// each other stays in the first-level cache.
#pragma once
#include "elementwise_code.h"
#include "page_starts.h"
#include "strided.h"

namespace saddlepoint {
namespace {

constexpr int64_t bypassFromBytes = 16 << 20;

// A row-major view without holes; strides of dims of one element do not matter.
inline bool isDense(const View& view) {
  int64_t expected = 1;
  for (int i = view.rank - 1; i >= 0; i--) {
    if (view.shape[i] == 1) continue;
    if (view.strides[i] != expected) return false;
    expected *= view.shape[i];
  }
  return true;
}

// Its memory is a worker's scratch; what is larger than that lies there too.
class Machine {
 public:
  static size_t bytesOf(const Code& code) {
    const size_t slots = static_cast<size_t>(code.slots), streams = static_cast<size_t>(code.streams());
    return code.workerBytes + roundUp64(slots * sizeof(char*)) + roundUp64(streams * 8) +
           roundUp64(static_cast<size_t>(code.scalars) * 8) +
           roundUp64(static_cast<size_t>(code.links) * sizeof(Link)) +
           roundUp64(static_cast<size_t>(code.inputs) * sizeof(Gather)) +
           roundUp64(static_cast<size_t>(code.inputs) * sizeof(Place)) +
           roundUp64(static_cast<size_t>(code.outputs) * sizeof(Bypass));
  }

  Machine(const Code& code, char* memory) : code_(code), scratch_(memory) {
    Carver carver{memory + code.workerBytes};
    pointers_ = carver.take<char*>(static_cast<size_t>(code.slots));
    streamBytes_ = carver.take<int64_t>(static_cast<size_t>(code.streams()));
    scalars_ = carver.take<double>(static_cast<size_t>(code.scalars));
    links_ = carver.take<Link>(static_cast<size_t>(code.links));
    gathers_ = carver.take<Gather>(static_cast<size_t>(code.inputs));
    places_ = carver.take<Place>(static_cast<size_t>(code.inputs));
    bypasses_ = carver.take<Bypass>(static_cast<size_t>(code.outputs));
    for (int i = 0; i < code.slots; i++) pointers_[i] = scratch_ + code.offsets[i];
  }

  // Goes to element number `first` of a segment of `size`.
  void seek(int segment, int64_t first, int64_t size) {
    first_ = first;
    gatherCount_ = placeCount_ = bypassCount_ = 0;
    prefetches_ = code_.prefetches && size >= prefetchFromElements;
    for (int i = 0; i < code_.inputs; i++) bindInput(i, code_.input(segment, i));
    for (int i = 0; i < code_.scalars; i++) bindScalar(segment, i);
    for (int i = 0; i < code_.outputs; i++) bindOutput(segment, i);
    isFirst_ = false;
    hasSought_ = true;
  }

  // How many of the next n elements are a block.
  int blockOf(int64_t n) const {
    const int64_t most = code_.row == 0 ? n : smaller(n, code_.row - first_ % code_.row);
    return static_cast<int>(smaller<int64_t>(code_.block, most));
  }

  // Computes the next n elements, at most a block; `next` goes on behind them.
  void run(int n) {
    for (int i = 0; i < gatherCount_; i++) {
      Gather& gather = gathers_[i];
      if (code_.constants[gather.slot]) {
        if (hasSought_ || gather.at.position[0] == 0)
          fillSlot(gather.slot, gather.data + gather.at.offset * code_.slotBytes[gather.slot]);
        gather.at.advance(gather.dims, n);
        continue;
      }
      gatherBytes(pointers_[gather.slot], gather.data, gather.dims, gather.at, n, code_.slotBytes[gather.slot]);
    }
    hasSought_ = false;
    for (int g = 0; g < code_.groups; g++) {
      const Group& group = code_.group[g];
      if (group.links == 0 || n < chainElements) {
        runLoops(group, n);
      } else {
        runChainOf(group, n);
      }
    }
  }

  // What run(n) has made of an output.
  const char* block(int output) const { return pointers_[code_.outputSlots[output]]; }

  void next(int n) {
    for (int i = 0; i < bypassCount_; i++) {
      Bypass& bypass = bypasses_[i];
      storePastCaches(bypass.to, pointers_[bypass.slot], n * bypass.bytes);
      bypass.to += n * bypass.bytes;
    }
    for (int i = 0; i < placeCount_; i++) moveTo(places_[i], places_[i].position + n);
    for (int i = 0; i < code_.streams(); i++) pointers_[code_.slotOfStream(i)] += n * streamBytes_[i];
    first_ += n;
  }

  void finish() const {
    if (hasBypassed_) finishStoresPastCaches();
  }

 private:
  struct Gather {
    int32_t slot;
    const char* data;
    StridedDims dims;
    Odometer at;
  };
  // Where in its period a repeated input is.
  struct Place {
    int32_t input;
    int64_t position;
  };
  // An output too large for the caches to be of use: blocks are made in scratch and written past them.
  struct Bypass {
    int32_t slot, bytes;
    char* to;
  };

  void runLoops(const Group& group, int n) const {
    for (int t = group.firstStep; t < group.firstStep + group.steps; t++) {
      const StepCode& step = code_.code[t];
      if (prefetches_) prefetch(step);
      step.step(pointers_[step.destination], pointers_[step.a], pointers_[step.b], pointers_[step.c], n, first_);
    }
  }

  // As many elements as are whole parts of a chain; the rest by loops.
  void runChainOf(const Group& group, int n) const {
    const LinkCode* code = code_.link + group.firstLink;
    for (int i = 0; i < group.links; i++) {
      links_[i] = {code[i].function, code[i].x < 0 ? nullptr : pointers_[code[i].x],
                   code[i].y < 0 ? nullptr : pointers_[code[i].y]};
    }
    const int whole = n - n % chainElements;
    runChain(links_, links_ + group.links - 1, whole);
    if (whole == n) return;
    for (int t = group.firstStep; t < group.firstStep + group.steps; t++) {
      const StepCode& step = code_.code[t];
      const int bytes = whole * dtypeBytes[step.dtype];
      const auto rest = [&](int slot, int done) { return pointers_[slot] + (code_.constants[slot] ? 0 : done); };
      step.step(pointers_[step.destination] + whole * dtypeBytes[resultDType(step.opcode, step.dtype)],
                rest(step.a, step.opcode == op_where ? whole : bytes), rest(step.b, bytes), rest(step.c, bytes),
                n - whole, first_ + whole);
    }
  }

  void moveTo(Place& place, int64_t position) {
    const Repeat& repeated = code_.repeated[place.input];
    place.position = position < repeated.period ? position : position % repeated.period;
    pointers_[place.input] = repeated.values + place.position * code_.slotBytes[place.input];
  }

  char* scratchOfSlot(int slot) const { return scratch_ + code_.offsets[slot]; }

  void fillSlot(int slot, const void* value) {
    fillBytes(pointers_[slot], value, code_.constants[slot] ? code_.constantElements : code_.block,
              code_.slotBytes[slot]);
  }

  void bindInput(int i, const View& view) {
    const int bytes = code_.slotBytes[i];
    if (isDense(view)) {
      pointers_[i] = static_cast<char*>(view.data) + first_ * bytes;
      streamBytes_[i] = bytes;
      return;
    }
    streamBytes_[i] = 0;
    if (code_.repeated[i].period > 0) {
      places_[placeCount_].input = i;
      return moveTo(places_[placeCount_++], first_);
    }
    pointers_[i] = scratchOfSlot(i);
    Gather& gather = gathers_[gatherCount_];
    gather.dims = collapseDims(view.shape, view.strides, view.rank);
    if (isSingleValue(gather.dims)) return fillSlot(i, view.data);
    gather.slot = i;
    gather.data = static_cast<const char*>(view.data);
    gather.at.seek(gather.dims, first_);
    gatherCount_++;
  }

  // As much is filled as any segment reads, so that the next one finds it.
  void bindScalar(int segment, int i) {
    const double value = code_.call->scalars[code_.scalarSlots[segment * code_.scalars + i]];
    if (!isFirst_ && __builtin_memcmp(&value, &scalars_[i], sizeof value) == 0) return;
    scalars_[i] = value;
    const int slot = code_.inputs + i;
    const Scalar scalar = scalarOf(static_cast<DType>(code_.scalarDTypes[i]), value);
    fillBytes(pointers_[slot], scalar.bytes, code_.constantElements, code_.slotBytes[slot]);
  }

  void bindOutput(int segment, int i) {
    const View& view = code_.output(segment, i);
    const int stream = code_.inputs + i, slot = code_.outputSlots[i];
    streamBytes_[stream] = 0;
    if (code_.folds[i] != 0) return;
    const int bytes = dtypeBytes[view.dtype];
    char* to = static_cast<char*>(view.data) + first_ * bytes;
    if (bypassesCaches(segment, view)) {
      pointers_[slot] = scratchOfSlot(slot);
      bypasses_[bypassCount_++] = {slot, bytes, to};
      hasBypassed_ = true;
    } else {
      pointers_[slot] = to;
      streamBytes_[stream] = bytes;
    }
  }

  bool bypassesCaches(int segment, const View& output) const {
    const bool aligned = reinterpret_cast<uintptr_t>(output.data) % 64 == 0;
    // Blocks that end with rows leave the next ones unaligned.
    if (code_.row * dtypeBytes[output.dtype] % 64 != 0) return false;
    if (!canBypassCaches || !aligned || int64_t{output.size} * dtypeBytes[output.dtype] < bypassFromBytes) return false;
    for (int i = 0; i < code_.inputs; i++) {
      if (code_.input(segment, i).data == output.data) return false;
    }
    return true;
  }

  // Of outputs the whole next block: processors that read ahead do not write ahead.
  SADDLEPOINT_INLINE void prefetch(const StepCode& step) const {
    for (int i = step.firstStream; i < step.firstStream + step.streams; i++) {
      const int stream = code_.prefetched[i];
      const char* block = pointers_[code_.slotOfStream(stream)];
      const int64_t bytes = code_.block * streamBytes_[stream];
      if (stream < code_.inputs) {
        prefetchPageStarts(block, bytes);
      } else {
        for (int64_t line = 0; line < bytes; line += 64) prefetchWrite(block + bytes + line);
      }
    }
  }

  const Code& code_;
  char* const scratch_;
  char** pointers_;       // to the block of each slot
  int64_t* streamBytes_;  // by which a stream moves on with each element; 0: it is in scratch
  double* scalars_;       // the numbers that the slots of scalars are filled with
  Link* links_;
  Gather* gathers_;
  Place* places_;
  Bypass* bypasses_;
  int gatherCount_ = 0, placeCount_ = 0, bypassCount_ = 0;
  int64_t first_ = 0;
  bool isFirst_ = true, prefetches_ = false, hasBypassed_ = false, hasSought_ = false;
};

}  // namespace
}  // namespace saddlepoint
