// What follows a product while its elements are still in a cache: the byte code of lib/graph/program/elementwise.ts, run
// on parts of the result. Register 0 is the product, which was made in the memory of output 0; the kernel's inputs from
// `firstInput` on are the registers behind it.
#pragma once
#include "elementwise_step.h"
#include "kernel.h"
#include "parallel.h"
#include "scalar.h"
#include "strided.h"

namespace saddlepoint {
namespace {

class Epilogue {
 public:
  // Ranges are whole rows of `columns` elements if `wholeRows`, or else each lies within a row. Memory is the worker's
  // scratch slot 3; false if there is none.
  bool prepare(const Call& call, int firstInput, int worker, int columns, bool wholeRows) {
    const double* header = call.attributes;
    const int scalars = static_cast<int>(header[1]), registers = static_cast<int>(header[2]);
    stepCount_ = static_cast<int>(header[3]);
    const int inputs = call.inputCount - firstInput + 1;
    wholeRows_ = wholeRows && columns <= kBlock;
    columns_ = columns;
    block_ = smaller(wholeRows_ ? kBlock / columns * columns : kBlock, call.outputs[0].size);

    const size_t slots = static_cast<size_t>(registers + stepCount_), steps = static_cast<size_t>(stepCount_);
    const size_t tables = roundUp64(slots * sizeof(Slot)) + roundUp64(steps * sizeof(StepCode)) +
                          roundUp64(slots * sizeof(int32_t));
    const size_t blockBytes = roundUp64(static_cast<size_t>(block_) * 8);
    char* memory = scratchOf<char>(call, worker, 3, tables + slots * blockBytes);
    if (memory == nullptr) return false;
    slots_ = reinterpret_cast<Slot*>(memory);
    steps_ = reinterpret_cast<StepCode*>(memory + roundUp64(slots * sizeof(Slot)));
    int32_t* slotOf = reinterpret_cast<int32_t*>(memory + tables - roundUp64(slots * sizeof(int32_t)));
    blocks_ = memory + tables;
    blockBytes_ = blockBytes;
    slotCount_ = registers;
    for (int i = 0; i < registers; ++i) {
      slots_[i].kind = kBlockOfResults;
      slots_[i].memory = blocks_ + static_cast<size_t>(i) * blockBytes;
      slotOf[i] = i;
    }

    const double* code = header + 4 + scalars;
    const double* outputRegisters = code + 6 * stepCount_;
    const double* scalarSlots = outputRegisters + 2 * call.outputCount;
    for (int i = 0; i < scalars; ++i) {
      const DType dtype = static_cast<DType>(header[4 + i]);
      const Scalar value = scalarOf(dtype, call.scalars[static_cast<int>(scalarSlots[i])]);
      fillBytes(slots_[inputs + i].memory, value.bytes, block_, dtypeBytes[dtype]);
    }
    for (int i = 0; i < call.outputCount; ++i) {
      addStream(static_cast<int>(outputRegisters[i]), call.outputs[i]);
    }
    addStream(0, call.outputs[0]);
    for (int i = 1; i < inputs; ++i) addInput(i, call.inputs[firstInput + i - 1]);
    return addSteps(code, slotOf);
  }

  // Elements [begin, end) of the result.
  void run(int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; at += block_) {
      const int n = static_cast<int>(end - at < block_ ? end - at : block_);
      for (int i = 0; i < slotCount_; ++i) move(slots_[i], at, n);
      for (int t = 0; t < stepCount_; ++t) {
        const StepCode& code = steps_[t];
        code.step(slots_[code.destination].memory, slots_[code.a].memory, slots_[code.b].memory,
                  slots_[code.c].memory, n, at);
      }
    }
  }

 private:
  enum { kBlock = 512 };
  enum Kind { kBlockOfResults, kStream, kRow, kGathered };
  struct Slot {
    Kind kind;
    int32_t bytes;
    char* memory;  // of the block at hand
    char* data;
    StridedDims dims;
  };
  struct StepCode {
    ElementwiseStep step;
    int32_t destination, a, b, c;
  };

  void addStream(int slot, const View& view) {
    slots_[slot].kind = kStream;
    slots_[slot].bytes = dtypeBytes[view.dtype];
    slots_[slot].data = static_cast<char*>(view.data);
  }

  void addInput(int i, const View& view) {
    Slot& slot = slots_[i];
    slot.bytes = dtypeBytes[view.dtype];
    slot.data = static_cast<char*>(view.data);
    slot.dims = collapseDims(view.shape, view.strides, view.rank);
    if (isContiguous(slot.dims)) {
      slot.kind = kStream;
    } else if (isSingleValue(slot.dims)) {
      fillBytes(slot.memory, slot.data, block_, slot.bytes);
    } else if (slot.dims.rank == 2 && slot.dims.strides[1] == 0 && slot.dims.shape[0] == columns_ &&
               (wholeRows_ || slot.dims.strides[0] == 1)) {
      // The same for every row: blocks of whole rows have it once and for all.
      slot.kind = kRow;
      if (wholeRows_) {
        gatherBlock(slot, 0, block_);
        slot.kind = kBlockOfResults;
      }
    } else {
      slot.kind = kGathered;
    }
  }

  bool addSteps(const double* code, int32_t* slotOf) {
    for (int t = 0; t < stepCount_; ++t, code += 6) {
      const Opcode opcode = static_cast<Opcode>(code[0]);
      const DType dtype = static_cast<DType>(code[1]);
      DType result;
      StepCode& step = steps_[t];
      step.step = SADDLEPOINT_SYMBOL(elementwiseStep)(opcode, dtype, &result);
      if (step.step == nullptr) return false;
      const int destination = static_cast<int>(code[2]);
      bool widens = false;
      // Operands that a step lacks are its first one.
      int32_t operands[3] = {slotOf[static_cast<int>(code[3])], 0, 0};
      for (int i = 0; i < 3; ++i) {
        const int reg = static_cast<int>(code[3 + i]);
        operands[i] = reg < 0 ? operands[0] : slotOf[reg];
        const int bytes = opcode == op_where && i == 0 ? 1 : dtypeBytes[dtype];
        widens = widens || (operands[i] == slotOf[destination] && bytes < dtypeBytes[result]);
      }
      // A result wider than the operand whose place it takes would overwrite elements before they are read.
      if (widens) {
        slots_[slotCount_].kind = kBlockOfResults;
        slots_[slotCount_].memory = blocks_ + static_cast<size_t>(slotCount_) * blockBytes_;
        slotOf[destination] = slotCount_++;
      }
      step.destination = slotOf[destination];
      step.a = operands[0];
      step.b = operands[1];
      step.c = operands[2];
    }
    return true;
  }

  void move(Slot& slot, int64_t at, int n) {
    if (slot.kind == kBlockOfResults) return;
    if (slot.kind == kStream) {
      slot.memory = slot.data + at * slot.bytes;
    } else if (slot.kind == kRow) {
      slot.memory = slot.data + at % columns_ * slot.bytes;
    } else {
      gatherBlock(slot, at, n);
    }
  }

  void gatherBlock(const Slot& slot, int64_t at, int n) {
    Odometer odometer;
    odometer.seek(slot.dims, at);
    gatherBytes(slot.memory, slot.data, slot.dims, odometer, n, slot.bytes);
  }

  Slot* slots_;
  StepCode* steps_;
  char* blocks_;
  size_t blockBytes_;
  int slotCount_, stepCount_, columns_, block_;
  bool wholeRows_;
};

// Rows [row, endRow) and columns [column, endColumn) of C, whose rows have `columns` elements; the rows of a batch follow
// one another.
inline bool runEpilogue(const Call& call, int firstInput, int worker, int64_t row, int64_t endRow, int column,
                        int endColumn, int columns) {
  Epilogue epilogue;
  const bool wholeRows = column == 0 && endColumn == columns;
  if (!epilogue.prepare(call, firstInput, worker, columns, wholeRows)) return false;
  if (wholeRows && columns <= 512) {
    epilogue.run(row * columns, endRow * columns);
  } else {
    for (int64_t i = row; i < endRow; ++i) epilogue.run(i * columns + column, i * columns + endColumn);
  }
  return true;
}

}  // namespace
}  // namespace saddlepoint
