// Programs in the flat form of lib/graph/program/encode.ts: a builder, and one example for each kernel.
#pragma once
#include <cstring>
#include <string>
#include <vector>

#include "../runtime/program.h"

namespace saddlepoint {

class ProgramBuilder {
 public:
  explicit ProgramBuilder(int32_t scalars = 0) : scalars_(scalars) {}

  // Returns the index of the buffer.
  int32_t buffer(BufferKind kind, DType dtype, int32_t length) {
    double offset = 0;
    if (kind == BufferKind::kArena) {
      offset = arenaBytes_;
      arenaBytes_ += (length * static_cast<double>(elementBytes(dtype)) + 63) / 64 * 64;
      arenaBytes_ = static_cast<double>(static_cast<int64_t>(arenaBytes_) / 64 * 64);
    }
    buffers_.insert(buffers_.end(), {static_cast<int32_t>(kind), dtype, length});
    pushFloat64(&buffers_, offset);
    return count_++;
  }

  struct Window {
    int32_t buffer;
    std::vector<int32_t> shape;
    std::vector<int32_t> strides;  // dense where empty
    int32_t offset = 0;
  };
  void instruction(KernelId kernel, const std::vector<Window>& inputs, const std::vector<Window>& outputs,
                   const std::vector<double>& attributes) {
    std::vector<int32_t> words = {kernel, 0, static_cast<int32_t>(inputs.size()), static_cast<int32_t>(outputs.size()),
                                  static_cast<int32_t>(attributes.size())};
    for (const Window& window : inputs) pushWindow(&words, window);
    for (const Window& window : outputs) pushWindow(&words, window);
    for (double attribute : attributes) pushFloat64(&words, attribute);
    words[1] = static_cast<int32_t>(words.size());
    instructions_.insert(instructions_.end(), words.begin(), words.end());
    instructionCount_++;
  }

  std::vector<int32_t> words() const {
    std::vector<int32_t> all = {kProgramMagic, kProgramVersion, 0, count_, instructionCount_, scalars_};
    pushFloat64(&all, arenaBytes_);
    all.insert(all.end(), buffers_.begin(), buffers_.end());
    all.insert(all.end(), instructions_.begin(), instructions_.end());
    all[2] = static_cast<int32_t>(all.size());
    return all;
  }

 private:
  static void pushFloat64(std::vector<int32_t>* words, double value) {
    int32_t halves[2];
    std::memcpy(halves, &value, sizeof value);
    words->insert(words->end(), {halves[0], halves[1]});
  }
  static void pushWindow(std::vector<int32_t>* words, const Window& window) {
    std::vector<int32_t> strides = window.strides;
    if (strides.empty()) {
      strides.resize(window.shape.size());
      int32_t step = 1;
      for (size_t i = strides.size(); i-- > 0; step *= window.shape[i]) strides[i] = step;
    }
    words->insert(words->end(), {window.buffer, window.offset, static_cast<int32_t>(window.shape.size())});
    words->insert(words->end(), window.shape.begin(), window.shape.end());
    words->insert(words->end(), strides.begin(), strides.end());
  }

  const int32_t scalars_;
  int32_t count_ = 0;
  int32_t instructionCount_ = 0;
  double arenaBytes_ = 0;
  std::vector<int32_t> buffers_;
  std::vector<int32_t> instructions_;
};

struct TensorSpec {
  DType dtype;
  std::vector<int32_t> shape;

  int32_t size() const {
    int32_t product = 1;
    for (int32_t dim : shape) product *= dim;
    return product;
  }
};

struct Example {
  std::string name;
  std::vector<int32_t> words;
};

// One instruction, each of its tensors in a buffer of its own.
inline Example single(KernelId kernel, const std::vector<TensorSpec>& inputs, const std::vector<TensorSpec>& outputs,
                      const std::vector<double>& attributes, int32_t scalars = 0) {
  ProgramBuilder builder(scalars);
  std::vector<ProgramBuilder::Window> from, to;
  for (const TensorSpec& spec : inputs)
    from.push_back({builder.buffer(BufferKind::kInput, spec.dtype, spec.size()), spec.shape, {}});
  for (const TensorSpec& spec : outputs)
    to.push_back({builder.buffer(BufferKind::kOutput, spec.dtype, spec.size()), spec.shape, {}});
  builder.instruction(kernel, from, to, attributes);
  return {kernelName(kernel), builder.words()};
}

// One output of float32, uniform numbers of the seed in slot 0 and the offset in slot 1.
inline const std::vector<double> uniformCode = {1, 2, 3, 1,  kFloat64, kFloat64, op_uniform, kFloat32,
                                                2, 0, 1, -1, 2,        0,        0,          1};

// One for each kernel, and some of several instructions with broadcast, transposed and overwritten memory.
inline std::vector<Example> examples() {
  const DType f = kFloat32, d = kFloat64, i = kInt32, b = kBool;
  std::vector<Example> all = {
      // relu(a + 2 b) and, as bool, a < b
      single(k_elementwise, {{f, {3, 5}}, {f, {3, 5}}}, {{f, {3, 5}}, {b, {3, 5}}},
             {1,      1, 6, 4, 0,                                                                               //
              op_mul, 0, 3, 1, 2, -1, op_add, 0, 3, 0, 3, -1, op_relu, 0, 4, 3, -1, -1, op_lt, 0, 5, 0, 1, -1,  //
              4,      5, 0, 0, 0},
             1),
      // -a, its sum over the last dim and its maximum over the last dim
      single(k_elementwise, {{f, {3, 5}}}, {{f, {3, 5}}, {f, {3}}, {f, {3}}},
             {1, 0, 2, 1, op_neg, 0, 1, 0, -1, -1, 1, 1, 1, 0, 1, 2}),
      single(k_sum, {{f, {3, 4, 5}}}, {{f, {3, 4}}}, {2}),
      single(k_max, {{i, {3, 4, 5}}}, {{i, {3}}}, {1}),
      single(k_min, {{d, {30}}}, {{d, {}}}, {0}),
      single(k_argmax, {{f, {4, 9}}}, {{i, {4}}}, {1}),
      single(k_argmin, {{i, {4, 9}}}, {{i, {4}}}, {1}),
      single(k_logSumExp, {{f, {4, 9}}}, {{f, {4}}}, {1}),
      single(k_variance, {{d, {4, 9}}}, {{d, {4}}}, {1, 1}),
      single(k_softmax, {{f, {4, 9}}}, {{f, {4, 9}}}, {}),
      single(k_logSoftmax, {{d, {4, 9}}}, {{d, {4, 9}}}, {}),
      single(k_matmul, {{f, {2, 3, 4}}, {f, {2, 4, 5}}}, {{f, {2, 3, 5}}}, {}),
      // relu(a @ b + c)
      single(k_matmul, {{f, {3, 4}}, {f, {4, 5}}, {f, {3, 5}}}, {{f, {3, 5}}},
             {1, 0, 4, 2, op_add, 0, 2, 0, 1, -1, op_relu, 0, 3, 2, -1, -1, 3, 0}),
      single(k_attention, {{f, {2, 3, 4}}, {f, {2, 5, 4}}, {f, {2, 5, 2}}}, {{f, {2, 3, 2}}}, {0.5, 1}),
      single(k_attentionGrad, {{d, {3, 2}}, {d, {3, 4}}, {d, {5, 4}}, {d, {5, 2}}, {b, {3, 5}}}, {{d, {42}}}, {0.5, 0}),
      single(k_conv2d, {{f, {2, 4, 6, 7}}, {f, {6, 2, 3, 2}}}, {{f, {2, 6, 4, 4}}}, {2, 2, 2, 1, 1, 2, 2, 0}),
      single(k_conv2dInputGrad, {{f, {2, 6, 4, 4}}, {f, {6, 2, 3, 2}}}, {{f, {2, 4, 6, 7}}}, {2, 2, 2, 1, 1, 2, 2, 0}),
      single(k_conv2dWeightGrad, {{f, {2, 6, 4, 4}}, {f, {2, 4, 6, 7}}}, {{f, {6, 2, 3, 2}}}, {2, 2, 2, 1, 1, 2, 2, 0}),
      single(k_maxPool2d, {{f, {2, 3, 6, 7}}}, {{f, {2, 3, 3, 3}}}, {2, 3, 2, 2, 0, 0, 1, 1}),
      single(k_maxPool2dIndices, {{f, {2, 3, 6, 7}}}, {{i, {2, 3, 3, 3}}}, {2, 3, 2, 2, 0, 0, 1, 1}),
      single(k_avgPool2d, {{f, {2, 3, 6, 7}}}, {{f, {2, 3, 4, 3}}}, {2, 3, 2, 2, 1, 0, 1}),
      single(k_avgPool2dInputGrad, {{f, {2, 3, 4, 3}}}, {{f, {2, 3, 6, 7}}}, {2, 3, 2, 2, 1, 0, 0}),
      single(k_batchNormStatistics, {{f, {2, 3, 8}}}, {{f, {2, 3}}}, {}),
      single(k_batchNorm, {{f, {2, 3, 8}}, {f, {2, 3}}, {f, {3}}, {f, {3}}}, {{f, {2, 3, 8}}}, {1e-5}),
      single(k_batchNormGradSums, {{f, {2, 3, 8}}, {f, {2, 3, 8}}, {f, {2, 3}}}, {{f, {2, 3}}}, {}),
      single(k_layerNorm, {{f, {4, 7}}, {f, {7}}, {f, {7}}}, {{f, {4, 7}}}, {1e-5}),
      single(k_layerNormInputGrad, {{d, {4, 7}}, {d, {4, 7}}, {d, {7}}}, {{d, {4, 7}}}, {1e-5}),
      single(k_layerNormWeightGrads, {{f, {4, 7}}, {f, {4, 7}}}, {{f, {2, 7}}}, {1e-5}),
      single(k_gather, {{f, {4, 5}}, {i, {3, 2}}}, {{f, {3, 2}}}, {1}),
      single(k_scatterAdd, {{f, {4, 5}}, {i, {3, 2}}, {f, {3, 2}}}, {{f, {4, 5}}}, {0}),
      single(k_embedding, {{d, {4, 5}}, {i, {3, 2}}}, {{d, {3, 2, 5}}}, {}),
      single(k_embeddingGrad, {{f, {3, 2, 5}}, {i, {3, 2}}}, {{f, {4, 5}}}, {}),
      single(k_concat, {{b, {2, 3}}, {b, {2, 1}}, {b, {2, 4}}}, {{b, {2, 8}}}, {1}),
      single(k_pad, {{i, {2, 3}}}, {{i, {5, 8}}}, {7, 1, 0, 3, 2}),
      single(k_checkRange, {{f, {2, 3}}}, {{f, {2, 3}}}, {-1e9, 1e9, 1}),
      single(k_elementwise, {}, {{f, {33}}}, uniformCode, 2),
      // -a for a [3, 5] and a [4], each with its own addend
      single(k_elementwise, {{f, {3, 5}}, {f, {4}}}, {{f, {3, 5}}, {f, {4}}},
             {2, 1, 4, 2, 0, op_neg, 0, 2, 0, -1, -1, op_add, 0, 3, 2, 1, -1, 3, 0, 0, 1}, 2),
      single(k_normal, {}, {{d, {17}}}, {1, 0}, 2),
      single(k_permutation, {}, {{i, {19}}}, {0, 1}, 2),
  };

  // y = sum(x * transpose(w)) over rows, by way of the arena; then y overwrites the inout buffer by y + itself.
  ProgramBuilder builder;
  const int32_t x = builder.buffer(BufferKind::kInput, f, 12);
  const int32_t w = builder.buffer(BufferKind::kInput, f, 12);
  const int32_t total = builder.buffer(BufferKind::kInout, f, 4);
  const int32_t product = builder.buffer(BufferKind::kArena, f, 12);
  const int32_t sums = builder.buffer(BufferKind::kArena, f, 4);
  builder.instruction(k_elementwise, {{x, {4, 3}, {}}, {w, {4, 3}, {1, 4}}}, {{product, {4, 3}, {}}},
                      {1, 0, 3, 1, op_mul, 0, 2, 0, 1, -1, 2, 0});
  builder.instruction(k_sum, {{product, {4, 3}, {}}}, {{sums, {4}, {}}}, {1});
  builder.instruction(k_elementwise, {{sums, {4}, {}}, {total, {4}, {}}}, {{total, {4}, {}}},
                      {1, 0, 3, 1, op_add, 0, 2, 0, 1, -1, 2, 0});
  all.push_back({"several", builder.words()});
  return all;
}

}  // namespace saddlepoint
