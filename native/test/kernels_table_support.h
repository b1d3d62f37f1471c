// Every kernel of every instruction set of this machine by way of its table, and programs of the elementwise kernel.
#pragma once
#include "kernels_support.h"

#define SADDLEPOINT_DECLARE(isa) extern "C" const saddlepoint::KernelTable saddlepoint_##isa##_table;
SADDLEPOINT_TESTED_ISAS(SADDLEPOINT_DECLARE)
#undef SADDLEPOINT_DECLARE

namespace saddlepoint {

// Those that this machine can run, or the one that TEST_ISA names.
inline const std::vector<const KernelTable*>& testedTables() {
  static const std::vector<const KernelTable*> tables = [] {
#define SADDLEPOINT_MEMBER(isa) &saddlepoint_##isa##_table,
    const std::vector<const KernelTable*> all = {SADDLEPOINT_TESTED_ISAS(SADDLEPOINT_MEMBER)};
#undef SADDLEPOINT_MEMBER
    std::vector<const KernelTable*> able;
    for (const KernelTable* table : all) {
      bool runs = true;
#if defined(__x86_64__)
      if (std::string(table->isa) == "avx2") runs = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
      if (std::string(table->isa) == "avx512") {
        runs = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
      }
#endif
      const char* only = std::getenv("TEST_ISA");
      if (runs && (!only || std::string(only) == table->isa)) able.push_back(table);
    }
    return able;
  }();
  return tables;
}

// Instruction sets that must give the same bits: all but sse2, which has no fused multiply-add.
inline bool isFused(const KernelTable* table) { return std::string(table->isa) != "sse2"; }

template <typename T>
constexpr DType anyDTypeOf() {
  return std::is_same<T, float>::value     ? kFloat32
         : std::is_same<T, double>::value  ? kFloat64
         : std::is_same<T, int32_t>::value ? kInt32
         : std::is_same<T, int64_t>::value ? kInt64
                                           : kBool;
}

template <typename T>
View viewOf(const Tensor<T>& tensor) {
  View view = tensor.view();
  view.dtype = anyDTypeOf<T>();
  return view;
}

template <typename T>
Tensor<T> tensorOf(std::vector<int> shape, const std::vector<T>& values) {
  Tensor<T> tensor(shape);
  std::copy(values.begin(), values.end(), tensor.data());
  return tensor;
}

template <typename T>
Tensor<T> vectorOf(const std::vector<T>& values) {
  return tensorOf<T>({static_cast<int>(values.size())}, values);
}

struct Outcome {
  Failure failure;
  std::string message;
};

inline Outcome callKernel(Kernel kernel, const std::vector<View>& inputs, const std::vector<View>& outputs,
                          const std::vector<double>& attributes, const std::vector<double>& scalars = {},
                          int threads = 1) {
  TestServices services(threads);
  char message[kMessageBytes] = {};
  const Call call = {inputs.data(),
                     outputs.data(),
                     static_cast<int32_t>(inputs.size()),
                     static_cast<int32_t>(outputs.size()),
                     attributes.data(),
                     static_cast<int32_t>(attributes.size()),
                     scalars.data(),
                     services.get(),
                     message};
  const Failure failure = kernel(call);
  return {failure, message};
}

// Attributes of the elementwise kernel, as elementwise.ts lays them out.
struct ElementwiseProgram {
  struct Step {
    Opcode opcode;
    DType dtype;
    int destination, a, b, c;
  };
  std::vector<DType> scalars;  // number i of segment s is in slot s * scalars + i
  int registers;
  std::vector<Step> steps;
  std::vector<int> outputs;
  std::vector<int> folds = {};  // of each output; none where empty
  int segments = 1;

  std::vector<double> attributes() const {
    std::vector<double> all = {static_cast<double>(segments), static_cast<double>(scalars.size()),
                               static_cast<double>(registers), static_cast<double>(steps.size())};
    all.insert(all.end(), scalars.begin(), scalars.end());
    for (const Step& s : steps) {
      all.insert(all.end(),
                 {double(s.opcode), double(s.dtype), double(s.destination), double(s.a), double(s.b), double(s.c)});
    }
    all.insert(all.end(), outputs.begin(), outputs.end());
    for (size_t i = 0; i < outputs.size(); ++i) all.push_back(folds.empty() ? 0 : folds[i]);
    for (size_t i = 0; i < scalars.size() * static_cast<size_t>(segments); ++i) all.push_back(static_cast<double>(i));
    return all;
  }
};

inline Outcome runElementwise(const KernelTable* table, const ElementwiseProgram& program,
                              const std::vector<View>& inputs, const std::vector<View>& outputs,
                              const std::vector<double>& scalars = {}, int threads = 1) {
  return callKernel(table->kernels[k_elementwise], inputs, outputs, program.attributes(), scalars, threads);
}

// One step over equally shaped inputs.
template <typename In, typename Out>
std::vector<Out> runStep(const KernelTable* table, Opcode opcode, const std::vector<std::vector<In>>& inputs) {
  const int count = static_cast<int>(inputs.size());
  std::vector<Tensor<In>> tensors;
  std::vector<View> views;
  for (const auto& input : inputs) tensors.push_back(vectorOf(input));
  for (const auto& tensor : tensors) views.push_back(viewOf(tensor));
  Tensor<Out> out({static_cast<int>(inputs[0].size())});
  const ElementwiseProgram program = {
      {}, count + 1, {{opcode, anyDTypeOf<In>(), count, 0, count > 1 ? 1 : -1, count > 2 ? 2 : -1}}, {count}};
  const Outcome outcome = runElementwise(table, program, views, {viewOf(out)});
  if (outcome.failure != kOk) std::abort();
  return out.values();
}

// How many steps of T at `expected` lie between actual and expected; 0 where both are NaN.
template <typename T>
double ulpsBetween(T actual, long double expected) {
  if (std::isnan(actual) || std::isnan(expected)) return std::isnan(actual) && std::isnan(expected) ? 0 : INFINITY;
  const T rounded = static_cast<T>(expected);
  if (actual == rounded) return 0;
  if (std::isinf(actual) || std::isinf(rounded)) return INFINITY;
  const T smallest = std::numeric_limits<T>::min();
  if (std::fabs(expected) < smallest && std::fabs(actual) <= smallest) return 0;  // may be flushed
  int exponent;
  std::frexp(expected, &exponent);
  const long double ulp =
      std::ldexp(1.0L, std::max(exponent, std::numeric_limits<T>::min_exponent) - std::numeric_limits<T>::digits);
  return static_cast<double>(std::fabs(actual - expected) / ulp);
}

}  // namespace saddlepoint
