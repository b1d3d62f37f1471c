// Philox4x32-10 of Salmon et al., SC 2011: the random words of lib/tensor/philox.ts.
#pragma once
#include "../simd/vec.h"
#include "kernel.h"

namespace saddlepoint {
namespace {

// Key and the offset's half of the counter.
struct RandomStream {
  uint32_t key0, key1, offset0, offset1;
};

inline uint32_t lowWord(double x) { return static_cast<uint32_t>(static_cast<uint64_t>(x)); }
inline uint32_t highWord(double x) { return static_cast<uint32_t>(static_cast<uint64_t>(x) >> 32); }

inline RandomStream randomStream(double seed, double offset) {
  return {lowWord(seed), highWord(seed), lowWord(offset), highWord(offset)};
}

alignas(64) constexpr int32_t laneNumbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

inline Vec<int32_t> broadcastWord(uint32_t x) { return Vec<int32_t>::broadcast(static_cast<int32_t>(x)); }

// The words of `philoxBatchBlocks` blocks, which vectors make at once: word j of block i is w[j][i].
constexpr int philoxBatchBlocks = 16;
struct RandomWords {
  int32_t w[4][philoxBatchBlocks];

  uint32_t at(int block, int word) const { return static_cast<uint32_t>(w[word][block]); }
};

inline void philoxBatch(const RandomStream& stream, uint32_t firstBlock, RandomWords& words) {
  using V = Vec<int32_t>;
  const V multiplier0 = broadcastWord(0xd2511f53), multiplier1 = broadcastWord(0xcd9e8d57);
  for (int i = 0; i < philoxBatchBlocks; i += V::lanes) {
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

inline double unit53(uint32_t a, uint32_t b) {
  return (static_cast<double>(a >> 5) * 67108864.0 + static_cast<double>(b >> 6)) / 9007199254740992.0;
}

// Uniform numbers, `perBlock` from each block of words.
template <typename T>
struct Uniform;
template <>
struct Uniform<float> {
  static constexpr int perBlock = 4;
  // In vectors of all first words, all second words, ...; then they are put in order.
  static void fill(const RandomWords& words, float* out) {
    for (int j = 0; j < 4; j++) {
      for (int i = 0; i < philoxBatchBlocks; i++)
        out[4 * i + j] = static_cast<float>(static_cast<int32_t>(words.at(i, j) >> 8)) * 0x1p-24f;
    }
  }
};
template <>
struct Uniform<double> {
  static constexpr int perBlock = 2;
  static void fill(const RandomWords& words, double* out) {
    for (int i = 0; i < philoxBatchBlocks; i++) {
      for (int j = 0; j < 2; j++) out[2 * i + j] = unit53(words.at(i, 2 * j), words.at(i, 2 * j + 1));
    }
  }
};

}  // namespace
}  // namespace saddlepoint
