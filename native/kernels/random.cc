// Random numbers as lib/tensor/philox.ts states them. Uniform ones are a step of the elementwise kernel.
#include "kernel.h"
#include "parallel.h"
#include "philox.h"

namespace saddlepoint {
namespace {

constexpr int elementsPerPart = 8192;  // a multiple of what one block of words gives
constexpr double pi = 3.14159265358979323846;

constexpr int normalsPerBlock = 2;

template <typename T>
void fillNormals(const RandomWords& words, T* out) {
  for (int i = 0; i < philoxBatchBlocks; i++) {
    const double u = 1 - unit53(words.at(i, 0), words.at(i, 1)), angle = 2 * pi * unit53(words.at(i, 2), words.at(i, 3));
    const double radius = __builtin_sqrt(-2 * __builtin_log(u));
    out[normalsPerBlock * i] = static_cast<T>(radius * __builtin_cos(angle));
    out[normalsPerBlock * i + 1] = static_cast<T>(radius * __builtin_sin(angle));
  }
}

RandomStream streamOf(const Call& call) {
  return randomStream(call.scalars[static_cast<int>(call.attributes[0])],
                      call.scalars[static_cast<int>(call.attributes[1])]);
}

template <typename T>
void normalsPart(const RandomStream& stream, T* out, int64_t begin, int64_t end) {
  constexpr int batch = philoxBatchBlocks * normalsPerBlock;
  for (int64_t i = begin; i < end; i += batch) {
    RandomWords words;
    philoxBatch(stream, static_cast<uint32_t>(i / normalsPerBlock), words);
    if (end - i >= batch) {
      fillNormals(words, out + i);
    } else {
      T last[batch];
      fillNormals(words, last);
      __builtin_memcpy(out + i, last, static_cast<size_t>(end - i) * sizeof(T));
    }
  }
}

template <typename T>
Failure normals(const Call& call) {
  const RandomStream stream = streamOf(call);
  T* out = static_cast<T*>(call.outputs[0].data);
  const int64_t size = call.outputs[0].size;
  return runParts(call, ceilDivide(size, elementsPerPart), [&](int part, int) {
    const int64_t begin = int64_t{part} * elementsPerPart;
    normalsPart(stream, out, begin, smaller(size, begin + elementsPerPart));
    return true;
  });
}

}  // namespace

SADDLEPOINT_KERNEL(normal) {
  return call.outputs[0].dtype == kFloat64 ? normals<double>(call) : normals<float>(call);
}

SADDLEPOINT_KERNEL(permutation) {
  const RandomStream stream = streamOf(call);
  int32_t* out = static_cast<int32_t*>(call.outputs[0].data);
  const int n = call.outputs[0].size;
  for (int i = 0; i < n; i++) out[i] = i;
  constexpr int batch = philoxBatchBlocks;
  RandomWords words;
  for (int i = n - 1; i > 0; i--) {
    if (i == n - 1 || i % batch == batch - 1) philoxBatch(stream, static_cast<uint32_t>(i / batch * batch), words);
    const int j = static_cast<int>(unit53(words.at(i % batch, 0), words.at(i % batch, 1)) * (i + 1.0));
    const int32_t swapped = out[i];
    out[i] = out[j];
    out[j] = swapped;
  }
  return kOk;
}

}  // namespace saddlepoint
