// The byte code of lib/graph/program/elementwise.ts over all segments of an instruction, as one parallel pass.
#include "elementwise_folds.h"
#include "elementwise_machine.h"
#include "elementwise_step.h"

namespace saddlepoint {
namespace {

constexpr int64_t partPicoseconds = 16000000;
constexpr int64_t leastBlocksPerPart = 4;

// Blocks are counted through all segments; each begins with a new one.
struct Cut {
  int64_t blocks, blocksPerPart;
};

// Divisions are dear beside a short instruction.
int64_t blocksOf(const Code& code, int segment) {
  const int size = code.output(segment, 0).size;
  return size <= code.block ? size > 0 : ceilDivide(size, code.block);
}

Cut cutOf(const Code& code) {
  Cut cut{0, 0};
  for (int s = 0; s < code.segments; s++) cut.blocks += blocksOf(code, s);
  cut.blocksPerPart = leastBlocksPerPart;
  if (cut.blocks > leastBlocksPerPart)
    cut.blocksPerPart = larger(leastBlocksPerPart, partPicoseconds / (picosecondsOf(code) * code.block));
  return cut;
}

// Only instructions of one segment have any.
bool hasFolds(const Call& call) {
  if (call.attributes[0] != 1) return false;
  const int firstFold = 4 + static_cast<int>(call.attributes[1] + 6 * call.attributes[3]) + call.outputCount;
  for (int i = 0; i < call.outputCount; i++) {
    if (call.attributes[firstFold + i] != 0) return true;
  }
  return false;
}

bool runPart(const Code& code, const Cut& cut, int part, int worker) {
  char* memory = scratchOf<char>(*code.call, worker, 1, Machine::bytesOf(code));
  if (memory == nullptr) return false;
  Machine machine(code, memory);
  int64_t skipped = part * cut.blocksPerPart, left = cut.blocksPerPart;
  for (int s = 0; s < code.segments && left > 0; s++) {
    const int64_t blocks = blocksOf(code, s);
    if (skipped >= blocks) {
      skipped -= blocks;
      continue;
    }
    const int64_t taken = smaller(left, blocks - skipped), size = code.output(s, 0).size;
    const int64_t begin = skipped * code.block, end = smaller(size, (skipped + taken) * code.block);
    machine.seek(s, begin, size);
    for (int64_t at = begin; at < end;) {
      const int n = machine.blockOf(end - at);
      machine.run(n);
      machine.next(n);
      at += n;
    }
    left -= taken;
    skipped = 0;
  }
  machine.finish();
  return true;
}

}  // namespace

extern "C" ElementwiseStep SADDLEPOINT_SYMBOL(elementwiseStep)(Opcode opcode, DType dtype, DType* result) {
  *result = resultDType(opcode, dtype);
  return stepTable.steps[opcode][dtype];
}

SADDLEPOINT_KERNEL(elementwise) {
  if (hasFolds(call)) return runFolds(call);
  Code code;
  if (!decode(call, 0, code)) return kFailMemory;
  const Cut cut = cutOf(code);
  const ptrdiff_t parts = cut.blocks <= leastBlocksPerPart ? cut.blocks > 0 : ceilDivide(cut.blocks, cut.blocksPerPart);
  return runParts(call, parts,
                  [&](int part, int worker) { return runPart(code, cut, part, worker); });
}

}  // namespace saddlepoint
