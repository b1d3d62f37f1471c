// Random numbers as lib/tensor/philox.ts states them: Philox4x32-10 of Salmon et al., SC 2011.
#include "../simd/vec.h"
#include "kernel.h"
#include "parallel.h"

namespace saddlepoint {
namespace {

constexpr int elementsPerPart = 8192;  // a multiple of what one block of words gives
constexpr double pi = 3.14159265358979323846;

struct Words {
  uint32_t w[4];
};

// Key and the offset's half of the counter.
struct Stream {
  uint32_t key0, key1, offset0, offset1;
};

uint32_t lowWord(double x) { return static_cast<uint32_t>(static_cast<uint64_t>(x)); }
uint32_t highWord(double x) { return static_cast<uint32_t>(static_cast<uint64_t>(x) >> 32); }

Stream streamOf(const Call& call) {
  const double seed = call.scalars[static_cast<int>(call.attributes[0])];
  const double offset = call.scalars[static_cast<int>(call.attributes[1])];
  return {lowWord(seed), highWord(seed), lowWord(offset), highWord(offset)};
}

alignas(64) constexpr int32_t laneNumbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

inline Vec<int32_t> broadcastWord(uint32_t x) { return Vec<int32_t>::broadcast(static_cast<int32_t>(x)); }

// The words of `batch` blocks, which vectors make at once.
constexpr int batch = 16;
struct WordsOfBlocks {
  int32_t w[4][batch];
};

inline void philoxBatch(const Stream& stream, uint32_t firstBlock, WordsOfBlocks& words) {
  using V = Vec<int32_t>;
  const V multiplier0 = broadcastWord(0xd2511f53), multiplier1 = broadcastWord(0xcd9e8d57);
  for (int i = 0; i < batch; i += V::lanes) {
    V c0 = broadcastWord(firstBlock + static_cast<uint32_t>(i)) + V::load(laneNumbers), c1 = V::zero();
    V c2 = broadcastWord(stream.offset0), c3 = broadcastWord(stream.offset1);
    uint32_t key0 = stream.key0, key1 = stream.key1;
    for (int round = 0; round < 10; round++) {
      const WideProduct product0 = multiplyWide(multiplier0, c0), product1 = multiplyWide(multiplier1, c2);
      c0 = product1.high ^ c1 ^ broadcastWord(key0);
      c1 = product1.low;
      c2 = product0.high ^ c3 ^ broadcastWord(key1);
      c3 = product0.low;
      key0 += 0x9e3779b9;
      key1 += 0xbb67ae85;
    }
    c0.store(words.w[0] + i);
    c1.store(words.w[1] + i);
    c2.store(words.w[2] + i);
    c3.store(words.w[3] + i);
  }
}

inline Words wordsOf(const WordsOfBlocks& words, int i) {
  Words one;
  for (int j = 0; j < 4; j++) one.w[j] = static_cast<uint32_t>(words.w[j][i]);
  return one;
}

double unit53(uint32_t a, uint32_t b) {
  return (static_cast<double>(a >> 5) * 67108864.0 + static_cast<double>(b >> 6)) / 9007199254740992.0;
}

// Each generator fills up to `perBlock` elements from the words of one block.
template <typename T>
struct Uniform;
template <>
struct Uniform<float> {
  static constexpr int perBlock = 4;
  static void fill(const Words& words, float* out) {
    for (int i = 0; i < 4; i++) out[i] = static_cast<float>(words.w[i] >> 8) / 16777216.0f;
  }
};
template <>
struct Uniform<double> {
  static constexpr int perBlock = 2;
  static void fill(const Words& words, double* out) {
    for (int i = 0; i < 2; i++) out[i] = unit53(words.w[2 * i], words.w[2 * i + 1]);
  }
};

template <typename T>
struct Normal {
  static constexpr int perBlock = 2;
  static void fill(const Words& words, T* out) {
    const double u = 1 - unit53(words.w[0], words.w[1]), angle = 2 * pi * unit53(words.w[2], words.w[3]);
    const double radius = __builtin_sqrt(-2 * __builtin_log(u));
    out[0] = static_cast<T>(radius * __builtin_cos(angle));
    out[1] = static_cast<T>(radius * __builtin_sin(angle));
  }
};

struct Problem {
  Stream stream;
  void* out;
  int size;
};

template <typename T, typename Generator>
void fillPart(const Problem& problem, int part) {
  constexpr int perBlock = Generator::perBlock;
  T* out = static_cast<T*>(problem.out);
  const int64_t begin = int64_t{part} * elementsPerPart;
  const int64_t end = smaller<int64_t>(problem.size, begin + elementsPerPart);
  for (int64_t i = begin; i < end; i += batch * perBlock) {
    WordsOfBlocks words;
    philoxBatch(problem.stream, static_cast<uint32_t>(i / perBlock), words);
    if (end - i >= batch * perBlock) {
      for (int j = 0; j < batch; j++) Generator::fill(wordsOf(words, j), out + i + j * perBlock);
    } else {
      T last[batch * perBlock];
      for (int j = 0; j < batch; j++) Generator::fill(wordsOf(words, j), last + j * perBlock);
      __builtin_memcpy(out + i, last, static_cast<size_t>(end - i) * sizeof(T));
    }
  }
}

template <typename T, typename Generator>
Failure fill(const Call& call) {
  const Problem problem{streamOf(call), call.outputs[0].data, call.outputs[0].size};
  return runParts(call, ceilDivide(problem.size, elementsPerPart), [&](int part, int) {
    fillPart<T, Generator>(problem, part);
    return true;
  });
}

}  // namespace

SADDLEPOINT_KERNEL(uniform) {
  return call.outputs[0].dtype == kFloat64 ? fill<double, Uniform<double>>(call) : fill<float, Uniform<float>>(call);
}

SADDLEPOINT_KERNEL(normal) {
  return call.outputs[0].dtype == kFloat64 ? fill<double, Normal<double>>(call) : fill<float, Normal<float>>(call);
}

SADDLEPOINT_KERNEL(permutation) {
  const Stream stream = streamOf(call);
  int32_t* out = static_cast<int32_t*>(call.outputs[0].data);
  const int n = call.outputs[0].size;
  for (int i = 0; i < n; i++) out[i] = i;
  WordsOfBlocks words;
  for (int i = n - 1; i > 0; i--) {
    if (i == n - 1 || i % batch == batch - 1) philoxBatch(stream, static_cast<uint32_t>(i / batch * batch), words);
    const Words drawn = wordsOf(words, i % batch);
    const int j = static_cast<int>(unit53(drawn.w[0], drawn.w[1]) * (i + 1.0));
    const int32_t swapped = out[i];
    out[i] = out[j];
    out[j] = swapped;
  }
  return kOk;
}

}  // namespace saddlepoint
