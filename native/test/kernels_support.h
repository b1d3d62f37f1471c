// Calls kernels without the runtime: guarded memory, threads, every instruction set of this machine.
#pragma once
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../kernels/kernel.h"

namespace saddlepoint {

#define SADDLEPOINT_TESTED_KERNELS(X)                                                                        \
  X(matmul)                                                                                                  \
  X(conv2d)                                                                                                  \
  X(conv2dInputGrad) X(conv2dWeightGrad) X(maxPool2d) X(maxPool2dIndices) X(avgPool2d) X(avgPool2dInputGrad) \
      X(batchNormStatistics) X(batchNorm) X(batchNormGradSums) X(layerNorm) X(layerNormInputGrad)            \
          X(layerNormWeightGrads)

#if defined(__x86_64__)
#define SADDLEPOINT_TESTED_ISAS(X) X(sse2) X(avx2) X(avx512)
#else
#define SADDLEPOINT_TESTED_ISAS(X) X(neon)
#endif

#define SADDLEPOINT_DECLARE(isa)                                 \
  extern "C" {                                                   \
  Failure saddlepoint_##isa##_matmul(const Call&);               \
  Failure saddlepoint_##isa##_conv2d(const Call&);               \
  Failure saddlepoint_##isa##_conv2dInputGrad(const Call&);      \
  Failure saddlepoint_##isa##_conv2dWeightGrad(const Call&);     \
  Failure saddlepoint_##isa##_maxPool2d(const Call&);            \
  Failure saddlepoint_##isa##_maxPool2dIndices(const Call&);     \
  Failure saddlepoint_##isa##_avgPool2d(const Call&);            \
  Failure saddlepoint_##isa##_avgPool2dInputGrad(const Call&);   \
  Failure saddlepoint_##isa##_batchNormStatistics(const Call&);  \
  Failure saddlepoint_##isa##_batchNorm(const Call&);            \
  Failure saddlepoint_##isa##_batchNormGradSums(const Call&);    \
  Failure saddlepoint_##isa##_layerNorm(const Call&);            \
  Failure saddlepoint_##isa##_layerNormInputGrad(const Call&);   \
  Failure saddlepoint_##isa##_layerNormWeightGrads(const Call&); \
  double saddlepoint_##isa##_fmaPeak(double seconds);            \
  }
SADDLEPOINT_TESTED_ISAS(SADDLEPOINT_DECLARE)
#undef SADDLEPOINT_DECLARE

struct TestedIsa {
  const char* name;
  bool fused;  // whether multiply-adds round once
  Kernel matmul, conv2d, conv2dInputGrad, conv2dWeightGrad, maxPool2d, maxPool2dIndices, avgPool2d, avgPool2dInputGrad,
      batchNormStatistics, batchNorm, batchNormGradSums, layerNorm, layerNormInputGrad, layerNormWeightGrads;
  double (*fmaPeak)(double seconds);
};

// Those that this machine can run.
inline const std::vector<TestedIsa>& testedIsas() {
#define SADDLEPOINT_MEMBER(isa)              \
  {#isa,                                     \
   std::string(#isa) != "sse2",              \
   saddlepoint_##isa##_matmul,               \
   saddlepoint_##isa##_conv2d,               \
   saddlepoint_##isa##_conv2dInputGrad,      \
   saddlepoint_##isa##_conv2dWeightGrad,     \
   saddlepoint_##isa##_maxPool2d,            \
   saddlepoint_##isa##_maxPool2dIndices,     \
   saddlepoint_##isa##_avgPool2d,            \
   saddlepoint_##isa##_avgPool2dInputGrad,   \
   saddlepoint_##isa##_batchNormStatistics,  \
   saddlepoint_##isa##_batchNorm,            \
   saddlepoint_##isa##_batchNormGradSums,    \
   saddlepoint_##isa##_layerNorm,            \
   saddlepoint_##isa##_layerNormInputGrad,   \
   saddlepoint_##isa##_layerNormWeightGrads, \
   saddlepoint_##isa##_fmaPeak},
  static const std::vector<TestedIsa> isas = [] {
    std::vector<TestedIsa> all = {SADDLEPOINT_TESTED_ISAS(SADDLEPOINT_MEMBER)};
    std::vector<TestedIsa> able;
    for (const TestedIsa& isa : all) {
      bool runs = true;
#if defined(__x86_64__)
      if (std::string(isa.name) == "avx2") runs = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
      if (std::string(isa.name) == "avx512") {
        runs = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
      }
#endif
      const char* only = std::getenv("TEST_ISA");
      if (runs && (!only || std::string(only) == isa.name)) able.push_back(isa);
    }
    return able;
  }();
#undef SADDLEPOINT_MEMBER
  return isas;
}

// Memory that ends right before a page that nobody may touch.
class Guarded {
 public:
  explicit Guarded(size_t bytes) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_ = (bytes + page - 1) / page * page + page;
    base_ = static_cast<char*>(mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || mprotect(base_ + size_ - page, page, PROT_NONE) != 0) std::abort();
    data_ = base_ + size_ - page - bytes;
  }
  ~Guarded() { munmap(base_, size_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  void* data() const { return data_; }

 private:
  char *base_, *data_;
  size_t size_;
};

template <typename T>
constexpr DType dtypeOf() {
  return std::is_same<T, float>::value ? kFloat32 : std::is_same<T, double>::value ? kFloat64 : kInt32;
}

// A tensor in guarded memory; `strides` are row-major unless given.
template <typename T>
struct Tensor {
  std::vector<int> shape;
  std::vector<int> strides;
  size_t elements;  // of the memory
  std::shared_ptr<Guarded> memory;

  explicit Tensor(std::vector<int> dims, std::vector<int> steps = {}) : shape(dims), strides(steps) {
    size_t size = 1;
    for (int d : shape) size *= static_cast<size_t>(d);
    if (strides.empty()) {
      strides.resize(shape.size());
      int step = 1;
      for (size_t i = shape.size(); i-- > 0; step *= shape[i]) strides[i] = step;
      elements = size;
    } else {
      elements = size == 0 ? 0 : 1;
      for (size_t i = 0; size && i < shape.size(); ++i)
        elements += static_cast<size_t>(strides[i]) * static_cast<size_t>(shape[i] - 1);
    }
    memory = std::make_shared<Guarded>(elements * sizeof(T));
  }
  T* data() const { return static_cast<T*>(memory->data()); }
  size_t size() const {
    size_t size = 1;
    for (int d : shape) size *= static_cast<size_t>(d);
    return size;
  }
  View view() const {
    View v = {};
    v.data = data();
    v.dtype = dtypeOf<T>();
    v.rank = static_cast<int32_t>(shape.size());
    v.size = static_cast<int32_t>(size());
    std::copy(shape.begin(), shape.end(), v.shape);
    std::copy(strides.begin(), strides.end(), v.strides);
    return v;
  }
  Tensor& fill(const std::function<T()>& value) {
    for (size_t i = 0; i < elements; ++i) data()[i] = value();
    return *this;
  }
  Tensor& integers(std::mt19937& random, int limit = 4) {
    return fill([&] { return static_cast<T>(static_cast<int>(random() % (2 * limit + 1)) - limit); });
  }
  Tensor& normals(std::mt19937& random) {
    std::normal_distribution<double> normal;
    return fill([&] { return static_cast<T>(normal(random)); });
  }
  std::vector<T> values() const { return std::vector<T>(data(), data() + elements); }
};

// Runs parts on `threads` threads, the parts in an order that depends on timing.
class TestServices {
 public:
  explicit TestServices(int threads) : threads_(threads), buffers_(static_cast<size_t>(threads * kScratchSlots)) {
    services_ = {this, parallel, scratch, threads};
  }
  const Services* get() const { return &services_; }

 private:
  static void parallel(void* self, int parts, void (*body)(void*, int, int), void* context) {
    const int threads = static_cast<TestServices*>(self)->threads_;
    if (threads == 1) {
      for (int part = 0; part < parts; ++part) body(context, part, 0);
      return;
    }
    std::atomic<int> next{0};
    std::vector<std::thread> workers;
    for (int worker = 0; worker < threads; ++worker) {
      workers.emplace_back([&, worker] {
        for (int part; (part = next++) < parts;) body(context, part, worker);
      });
    }
    for (std::thread& thread : workers) thread.join();
  }
  // Memory as dirty as it may be: what was never written is NaN.
  static void* scratch(void* self, int worker, int slot, size_t bytes) {
    Buffer& buffer = static_cast<TestServices*>(self)->buffers_[static_cast<size_t>(worker * kScratchSlots + slot)];
    const size_t rounded = (bytes + 63) / 64 * 64;
    if (buffer.bytes < rounded || !buffer.guarded) {
      buffer.guarded = std::make_unique<Guarded>(rounded);
      buffer.bytes = rounded;
      std::memset(buffer.guarded->data(), 0xff, rounded);
    }
    return static_cast<char*>(buffer.guarded->data()) + (buffer.bytes - rounded);
  }
  struct Buffer {
    std::unique_ptr<Guarded> guarded;
    size_t bytes = 0;
  };
  int threads_;
  std::vector<Buffer> buffers_;
  Services services_;
};

inline Failure runKernel(Kernel kernel, const std::vector<View>& inputs, const std::vector<View>& outputs,
                         const std::vector<double>& attributes, const TestServices& services) {
  char message[kMessageBytes] = {};
  const Call call = {inputs.data(),
                     outputs.data(),
                     static_cast<int32_t>(inputs.size()),
                     static_cast<int32_t>(outputs.size()),
                     attributes.data(),
                     static_cast<int32_t>(attributes.size()),
                     nullptr,
                     services.get(),
                     message};
  return kernel(call);
}

inline Failure runKernel(Kernel kernel, const std::vector<View>& inputs, const std::vector<View>& outputs,
                         const std::vector<double>& attributes, int threads = 1) {
  return runKernel(kernel, inputs, outputs, attributes, TestServices(threads));
}

template <typename T>
bool sameBits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

template <typename T>
double epsilonOf() {
  return std::is_same<T, float>::value ? std::ldexp(1.0, -24) : std::ldexp(1.0, -53);
}

}  // namespace saddlepoint
