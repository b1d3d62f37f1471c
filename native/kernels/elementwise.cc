// The byte code of lib/graph/program/elementwise.ts over all segments of an instruction, as one parallel pass.
#include "elementwise_machine.h"

namespace saddlepoint {
namespace {

constexpr int64_t partPicoseconds = 16000000;
constexpr int64_t leastBlocksPerPart = 4;

// Blocks are counted through all segments; each begins with a new one.
struct Cut {
  int64_t blocks, blocksPerPart;
};

int64_t blocksOf(const Code& code, int segment) { return ceilDivide(code.output(segment, 0).size, code.block); }

Cut cutOf(const Code& code) {
  Cut cut{0, 0};
  for (int s = 0; s < code.segments; s++) cut.blocks += blocksOf(code, s);
  cut.blocksPerPart = leastBlocksPerPart;
  if (cut.blocks > leastBlocksPerPart)
    cut.blocksPerPart = larger(leastBlocksPerPart, partPicoseconds / (picosecondsOf(code) * code.block));
  return cut;
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
    for (int64_t at = begin; at < end; at += code.block)
      machine.run(static_cast<int>(smaller<int64_t>(code.block, end - at)));
    left -= taken;
    skipped = 0;
  }
  machine.finish();
  return true;
}

}  // namespace

SADDLEPOINT_KERNEL(elementwise) {
  Code code;
  if (!decode(call, 0, code)) return kFailMemory;
  const Cut cut = cutOf(code);
  return runParts(call, ceilDivide(cut.blocks, cut.blocksPerPart),
                  [&](int part, int worker) { return runPart(code, cut, part, worker); });
}

}  // namespace saddlepoint
