// Random numbers as lib/tensor/philox.ts states them: Philox4x32-10 of Salmon et al., SC 2011.
#include "kernel.h"

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

Words philox(const Stream& stream, uint32_t block) {
  uint32_t key0 = stream.key0, key1 = stream.key1;
  uint32_t c0 = block, c1 = 0, c2 = stream.offset0, c3 = stream.offset1;
  for (int round = 0; round < 10; round++) {
    const uint64_t product0 = uint64_t{0xd2511f53} * c0, product1 = uint64_t{0xcd9e8d57} * c2;
    c0 = static_cast<uint32_t>(product1 >> 32) ^ c1 ^ key0;
    c1 = static_cast<uint32_t>(product1);
    c2 = static_cast<uint32_t>(product0 >> 32) ^ c3 ^ key1;
    c3 = static_cast<uint32_t>(product0);
    key0 += 0x9e3779b9;
    key1 += 0xbb67ae85;
  }
  return {{c0, c1, c2, c3}};
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
void fillPart(void* context, int part, int) {
  constexpr int perBlock = Generator::perBlock;
  const Problem& problem = *static_cast<const Problem*>(context);
  T* out = static_cast<T*>(problem.out);
  const int begin = part * elementsPerPart;
  const int end = problem.size - begin < elementsPerPart ? problem.size : begin + elementsPerPart;
  int i = begin;
  for (; i + perBlock <= end; i += perBlock) {
    Generator::fill(philox(problem.stream, static_cast<uint32_t>(i / perBlock)), out + i);
  }
  if (i < end) {
    T last[perBlock];
    Generator::fill(philox(problem.stream, static_cast<uint32_t>(i / perBlock)), last);
    for (int j = 0; i + j < end; j++) out[i + j] = last[j];
  }
}

template <typename T, typename Generator>
Failure fill(const Call& call) {
  Problem problem{streamOf(call), call.outputs[0].data, call.outputs[0].size};
  const int parts = problem.size / elementsPerPart + (problem.size % elementsPerPart != 0);
  if (parts == 1) {
    fillPart<T, Generator>(&problem, 0, 0);
  } else if (parts > 1) {
    call.services->parallel(call.services->self, parts, fillPart<T, Generator>, &problem);
  }
  return kOk;
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
  for (int i = n - 1; i > 0; i--) {
    const Words words = philox(stream, static_cast<uint32_t>(i));
    const int j = static_cast<int>(unit53(words.w[0], words.w[1]) * (i + 1.0));
    const int32_t swapped = out[i];
    out[i] = out[j];
    out[j] = swapped;
  }
  return kOk;
}

}  // namespace saddlepoint
