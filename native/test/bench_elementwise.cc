// Times the elementwise kernel without Node: what an instruction costs, Adam over many parameters, a chain over large
// memory. An instruction set may be chosen by the environment variable TEST_ISA.
#include <time.h>

#include <cstdio>

#include "../runtime/thread_pool.h"
#include "kernels_table_support.h"

namespace saddlepoint {
namespace {

// Processor time of this thread, so that what else runs on the machine counts as little as possible; with one thread,
// that is all of the work.
double secondsNow() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// The quarter of many rounds that were fastest: the others were interrupted.
double secondsOf(const std::function<void()>& run, int calls, int rounds = 16) {
  run();
  std::vector<double> all;
  for (int round = 0; round < rounds; ++round) {
    const double start = secondsNow();
    for (int i = 0; i < calls; ++i) run();
    all.push_back((secondsNow() - start) / calls);
  }
  std::sort(all.begin(), all.end());
  return all[all.size() / 4];
}

// Services as the runtime has them: the pool, and scratch that is kept.
class PoolServices {
 public:
  PoolServices() : services_{this, parallel, scratch, ThreadPool::instance().threads()} {}
  const Services* get() const { return &services_; }

 private:
  static void parallel(void*, int parts, ThreadPool::Body body, void* context) {
    ThreadPool::instance().run(parts, body, context);
  }
  static void* scratch(void* self, int worker, int slot, size_t bytes) {
    auto& memory = static_cast<PoolServices*>(self)->memory_[worker][slot];
    if (memory.size() < bytes + 64) memory.resize(bytes + 64);
    return reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64);
  }
  std::vector<char> memory_[ThreadPool::kMaxThreads][kScratchSlots];
  Services services_;
};

struct Instruction {
  ElementwiseProgram program;
  std::vector<View> inputs, outputs;
  std::vector<double> scalars, attributes;

  void run(const KernelTable* table, const PoolServices& services) {
    if (attributes.empty()) attributes = program.attributes();
    char message[kMessageBytes];
    const Call call = {inputs.data(),
                       outputs.data(),
                       static_cast<int32_t>(inputs.size()),
                       static_cast<int32_t>(outputs.size()),
                       attributes.data(),
                       static_cast<int32_t>(attributes.size()),
                       scalars.data(),
                       services.get(),
                       message};
    if (table->kernels[k_elementwise](call) != kOk) std::abort();
  }
};

// Behind it there is more memory, as behind buffers of a program: next to a page that must not be read, masked loads
// are slow.
Tensor<float> filled(int size) {
  Tensor<float> tensor({size + 16});
  tensor.shape = {size};
  for (int i = 0; i < size; ++i) tensor.data()[i] = 1 + 1e-3f * static_cast<float>(i % 1000);
  return tensor;
}

// m, v, p in place, as Adam's formula lowers.
Instruction adamOver(const std::vector<int>& sizes) {
  Instruction adam;
  adam.program.scalars = {kFloat32, kFloat32, kFloat32, kFloat32, kFloat32, kFloat32, kFloat32};
  adam.program.registers = 16;
  adam.program.segments = static_cast<int>(sizes.size());
  adam.program.steps = {
      {op_mul, kFloat32, 11, 0, 4, -1},   {op_mul, kFloat32, 12, 1, 5, -1},    {op_add, kFloat32, 13, 11, 12, -1},
      {op_mul, kFloat32, 11, 2, 6, -1},   {op_mul, kFloat32, 12, 1, 1, -1},    {op_mul, kFloat32, 12, 12, 7, -1},
      {op_add, kFloat32, 14, 11, 12, -1}, {op_sqrt, kFloat32, 11, 14, -1, -1}, {op_div, kFloat32, 11, 11, 8, -1},
      {op_add, kFloat32, 11, 11, 9, -1},  {op_div, kFloat32, 11, 13, 11, -1},  {op_mul, kFloat32, 11, 11, 10, -1},
      {op_sub, kFloat32, 15, 3, 11, -1}};
  adam.program.outputs = {13, 14, 15};
  for (int size : sizes) {
    View m = viewOf(filled(size)), g = m, v = m, p = m;
    // Kept alive for the whole run.
    for (View* view : {&m, &g, &v, &p}) {
      auto* tensor = new Tensor<float>(filled(size));
      view->data = tensor->data();
    }
    adam.inputs.insert(adam.inputs.end(), {m, g, v, p});
    adam.outputs.insert(adam.outputs.end(), {m, v, p});
    adam.scalars.insert(adam.scalars.end(), {0.9, 0.1, 0.999, 0.001, 0.5, 1e-8, 1e-3});
  }
  return adam;
}

void benchSmall(const KernelTable* table, const PoolServices& services) {
  for (int size : {4, 64, 1000}) {
    const Tensor<float> a = filled(size), b = filled(size), out = filled(size);
    Instruction add;
    add.program = {{}, 3, {{op_add, kFloat32, 2, 0, 1, -1}}, {2}};
    add.inputs = {viewOf(a), viewOf(b)};
    add.outputs = {viewOf(out)};
    std::printf("  add of %-36d %9.1f ns\n", size, secondsOf([&] { add.run(table, services); }, 20000) * 1e9);
  }
  Instruction adam = adamOver({16 * 32, 32, 32 * 32, 32, 32 * 4, 4});
  std::printf("  Adam over the MLP's 6 parameters            %9.1f ns\n",
              secondsOf([&] { adam.run(table, services); }, 3000) * 1e9);
  double alone = 0;
  for (int size : {16 * 32, 32, 32 * 32, 32, 32 * 4, 4}) {
    Instruction one = adamOver({size});
    alone += secondsOf([&] { one.run(table, services); }, 3000);
  }
  std::printf("  the same, an instruction for each           %9.1f ns\n", alone * 1e9);
}

// Bandwidth as a copy of memory gives it, on all threads of the pool: bytes read and written, without write-allocates.
double measureBandwidth(size_t floats, const Tensor<float>& a, const Tensor<float>& b) {
  struct Job {
    const float* from;
    float* to;
    size_t floats;
  } job{a.data(), b.data(), floats};
  // In place (read, then written back), as the cases below.
  const double seconds = secondsOf(
      [&] {
        ThreadPool::instance().run(
            64,
            [](void* context, int part, int) {
              const Job& j = *static_cast<Job*>(context);
              const size_t begin = j.floats * static_cast<size_t>(part) / 64, end = j.floats * size_t(part + 1) / 64;
              for (size_t i = begin; i < end; ++i) j.to[i] = j.to[i] * 0.5f + 1;
            },
            &job);
      },
      1);
  return 8.0 * static_cast<double>(floats) / seconds;
}

Instruction tenSteps(const Tensor<float>& from, const Tensor<float>& to) {
  Instruction chain;
  chain.program.scalars = {kFloat32, kFloat32};
  chain.program.registers = 5;
  for (int i = 0; i < 10; ++i)
    chain.program.steps.push_back({i % 2 ? op_add : op_mul, kFloat32, i == 9 ? 4 : 3, i == 0 ? 0 : 3, 1 + i % 2, -1});
  chain.program.outputs = {4};
  chain.scalars = {0.5, 1};
  chain.inputs = {viewOf(from)};
  chain.outputs = {viewOf(to)};
  return chain;
}

// What steps take where memory is near.
void benchCached(const KernelTable* table, const PoolServices& services) {
  const int floats = 1 << 17;
  const Tensor<float> a = filled(floats);
  Instruction chain = tenSteps(a, a), adam = adamOver({floats});
  std::printf("  128k elements: ten steps %.3f ns an element, Adam %.3f\n",
              secondsOf([&] { chain.run(table, services); }, 50) * 1e9 / floats,
              secondsOf([&] { adam.run(table, services); }, 50) * 1e9 / floats);
}

void benchLarge(const KernelTable* table, const PoolServices& services) {
  const int floats = 16 << 20;
  const Tensor<float> a = filled(floats), b = filled(floats);
  std::vector<int> sizes;
  int total = 0;
  for (int i = 0; i < 20; ++i)
    sizes.insert(sizes.end(), {i % 5 == 0 ? 2359296 / 2 : 2359296 / 10, 64 << (i % 4), 64 << (i % 4)});
  for (int& size : sizes) total += size;
  Instruction adam = adamOver(sizes);
  Instruction chain = tenSteps(a, a);
  for (int round = 0; round < 3; ++round) {
    const double bandwidth = measureBandwidth(floats, a, b);
    const double adamSeconds = secondsOf([&] { adam.run(table, services); }, 1);
    const double chainSeconds = secondsOf([&] { chain.run(table, services); }, 1);
    std::printf(
        "  in place %5.2f GB/s; Adam over %d in %zu: %6.2f ms, %4.2f of 28 bytes; ten steps over 16M in place: "
        "%6.2f ms, %4.2f of a read and a write\n",
        bandwidth * 1e-9, total, sizes.size(), adamSeconds * 1e3, adamSeconds * bandwidth / (28.0 * total),
        chainSeconds * 1e3, chainSeconds * bandwidth / (8.0 * floats));
  }
  chain.outputs = {viewOf(b)};
  std::printf("  ten steps into another buffer: %6.2f ms\n", secondsOf([&] { chain.run(table, services); }, 1) * 1e3);
  Instruction random;
  random.program = {{kFloat64, kFloat64}, 3, {{op_uniform, kFloat32, 2, 0, 1, -1}}, {2}};
  random.scalars = {1, 2};
  random.outputs = {viewOf(b)};
  std::printf("  uniform: %4.2f ns an element\n", secondsOf([&] { random.run(table, services); }, 1) * 1e9 / floats);
}

}  // namespace
}  // namespace saddlepoint

int main(int argc, char**) {
  using namespace saddlepoint;
  ThreadPool::instance().setThreads(1);
  ThreadPool::instance().addUser();
  const PoolServices services;
  for (const KernelTable* table : testedTables()) {
    std::printf("%s, %d threads\n", table->isa, ThreadPool::instance().threads());
    benchSmall(table, services);
    benchCached(table, services);
    if (argc > 1) benchLarge(table, services);
  }
  ThreadPool::instance().removeUser();
}
