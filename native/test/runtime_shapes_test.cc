// Valid programs of random shapes, dims of 0 and 1 among them: whatever the decoder takes, kernels run without harm.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "../runtime/cpu.h"
#include "../runtime/runner.h"
#include "runtime_memory.h"
#include "runtime_programs.h"

namespace saddlepoint {
namespace {

class Shapes {
 public:
  explicit Shapes(uint32_t seed) : random_(seed) {}

  int32_t pick(int32_t low, int32_t high) {
    return low + static_cast<int32_t>(random_() % static_cast<uint32_t>(high - low + 1));
  }
  // Mostly small; sometimes nothing, sometimes a little more than a vector.
  int32_t dim() {
    const int32_t kind = pick(0, 11);
    return kind == 0 ? 0 : kind == 1 ? pick(15, 35) : pick(1, 6);
  }
  std::vector<int32_t> shape(int32_t rank) {
    std::vector<int32_t> result(static_cast<size_t>(rank));
    for (int32_t& size : result) size = dim();
    return result;
  }
  DType floating() { return pick(0, 1) == 0 ? kFloat32 : kFloat64; }
  std::mt19937* engine() { return &random_; }

  Example reduction() {
    const KernelId kernels[] = {k_sum, k_max, k_min, k_argmax, k_argmin, k_logSumExp, k_variance};
    const KernelId kernel = kernels[pick(0, 6)];
    const DType dtype = floating();
    const std::vector<int32_t> from = shape(pick(0, 5));
    const int32_t kept = pick(0, static_cast<int32_t>(from.size()));
    const std::vector<int32_t> to(from.begin(), from.begin() + kept);
    std::vector<double> attributes = {static_cast<double>(kept)};
    if (kernel == k_variance) attributes.push_back(pick(0, 2));
    const bool isIndex = kernel == k_argmax || kernel == k_argmin;

    // Through a permutation of the dims, as a transposed tensor has it; one of them perhaps broadcast.
    ProgramBuilder builder;
    std::vector<int32_t> strides(from.size());
    std::vector<size_t> order(from.size());
    for (size_t i = 0; i < order.size(); i++) order[i] = i;
    for (size_t i = order.size(); i > 1; i--)
      std::swap(order[i - 1], order[static_cast<size_t>(pick(0, static_cast<int32_t>(i) - 1))]);
    int32_t length = 1;
    for (size_t i : order) {
      const bool broadcast = pick(0, 5) == 0;
      strides[i] = broadcast ? 0 : length;
      if (!broadcast) length *= std::max(from[i], 1);
    }
    const int32_t input = builder.buffer(BufferKind::kInput, dtype, length);
    const int32_t output = builder.buffer(BufferKind::kOutput, isIndex ? kInt32 : dtype, TensorSpec{dtype, to}.size());
    builder.instruction(kernel, {{input, from, strides}}, {{output, to, {}}}, attributes);
    return {kernelName(kernel), builder.words()};
  }

  Example matmul() {
    const DType dtype = floating();
    std::vector<int32_t> a = shape(pick(0, 2)), b, c;
    b = c = a;
    const int32_t m = dim(), k = dim(), n = dim();
    a.insert(a.end(), {m, k});
    b.insert(b.end(), {k, n});
    c.insert(c.end(), {m, n});
    if (pick(0, 2) == 0) return single(k_matmul, {{dtype, a}, {dtype, b}}, {{dtype, c}}, {});
    if (pick(0, 1) == 0) {  // with an epilogue that adds a bias and gives two outputs
      ProgramBuilder builder;
      const int32_t x = builder.buffer(BufferKind::kInput, dtype, TensorSpec{dtype, a}.size());
      const int32_t y = builder.buffer(BufferKind::kInput, dtype, TensorSpec{dtype, b}.size());
      const int32_t bias = builder.buffer(BufferKind::kInput, dtype, std::max(1, std::max(m, n)));
      const int32_t z = builder.buffer(BufferKind::kOutput, dtype, TensorSpec{dtype, c}.size());
      const int32_t positive = builder.buffer(BufferKind::kOutput, kBool, TensorSpec{dtype, c}.size());
      std::vector<int32_t> strides(c.size(), 0);
      strides[c.size() - pick(1, 2)] = 1;
      builder.instruction(
          k_matmul, {{x, a, {}}, {y, b, {}}, {bias, c, strides}}, {{z, c, {}}, {positive, c, {}}},
          {1, 0, 4, 2, op_add, double(dtype), 2, 0, 1, -1, op_gt, double(dtype), 3, 2, 1, -1, 2, 3, 0, 0});
      return {"matmul with an epilogue", builder.words()};
    }
    // Both operands transposed, the second one and the same for the whole batch.
    ProgramBuilder builder;
    std::vector<int32_t> strides(a.size(), 0), shared(b.size(), 0);
    int32_t length = m * k;
    strides[a.size() - 1] = m;
    strides[a.size() - 2] = 1;
    for (size_t i = a.size() - 2; i-- > 0; length *= a[i]) strides[i] = length;
    shared[b.size() - 1] = k;
    shared[b.size() - 2] = 1;
    const int32_t x = builder.buffer(BufferKind::kInput, dtype, length);
    const int32_t y = builder.buffer(BufferKind::kInput, dtype, k * n);
    const int32_t z = builder.buffer(BufferKind::kOutput, dtype, TensorSpec{dtype, c}.size());
    builder.instruction(k_matmul, {{x, a, strides}, {y, b, shared}}, {{z, c, {}}}, {});
    return {"matmul", builder.words()};
  }

  Example attention() {
    const DType dtype = floating();
    const std::vector<int32_t> batch = shape(pick(0, 2));
    const auto with = [&](std::vector<int32_t> last) {
      std::vector<int32_t> dims = batch;
      dims.insert(dims.end(), last.begin(), last.end());
      return dims;
    };
    const int32_t l = dim(), s = dim(), e = dim(), ev = dim(), masks = pick(0, 2);
    const TensorSpec q = {dtype, with({l, e})}, k = {dtype, with({s, e})}, v = {dtype, with({s, ev})};
    const TensorSpec y = {dtype, with({l, ev})}, packed = {dtype, with({(l + s) * e + s * ev})};
    const bool grad = pick(0, 1) == 0;
    std::vector<TensorSpec> inputs = {q, k, v};
    if (grad) inputs.insert(inputs.begin(), y);
    if (masks > 0) inputs.push_back({masks == 1 ? kBool : dtype, with({l, s})});
    return single(grad ? k_attentionGrad : k_attention, inputs, {grad ? packed : y},
                  {0.5, static_cast<double>(pick(0, 1))});
  }

  // Size of an output along one dim, or -1.
  static int32_t slide(int32_t size, int32_t kernel, int32_t stride, int32_t padding, int32_t dilation) {
    const int32_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? -1 : room / stride + 1;
  }

  Example convolution() {
    for (;;) {
      const DType dtype = floating();
      const int32_t groups = pick(1, 3), c = dim() % 20, o = dim() % 20, kh = pick(1, 4), kw = pick(1, 4);
      const int32_t sh = pick(1, 3), sw = pick(1, 3), ph = pick(0, 3), pw = pick(0, 3), dh = pick(1, 2),
                    dw = pick(1, 2);
      const int32_t n = pick(0, 3), h = dim(), w = dim();
      const int32_t oh = slide(h, kh, sh, ph, dh), ow = slide(w, kw, sw, pw, dw);
      if (oh < 0 || ow < 0) continue;
      const TensorSpec x = {dtype, {n, c * groups, h, w}}, weight = {dtype, {o * groups, c, kh, kw}};
      const TensorSpec y = {dtype, {n, o * groups, oh, ow}};
      const std::vector<double> attributes = {1.0 * sh, 1.0 * sw, 1.0 * ph,     1.0 * pw,
                                              1.0 * dh, 1.0 * dw, 1.0 * groups, 1.0 * pick(0, 1)};
      switch (pick(0, 2)) {
        case 0:
          return single(k_conv2d, {x, weight}, {y}, attributes);
        case 1:
          return single(k_conv2dInputGrad, {y, weight}, {x}, attributes);
        default:
          return single(k_conv2dWeightGrad, {y, x}, {weight}, attributes);
      }
    }
  }

  Example pool() {
    for (;;) {
      const DType dtype = floating();
      const int32_t kh = pick(1, 4), kw = pick(1, 4), sh = pick(1, 3), sw = pick(1, 3);
      const int32_t ph = pick(0, 4), pw = pick(0, 4), dh = pick(1, 2), dw = pick(1, 2), h = dim(), w = dim();
      const bool isMax = pick(0, 1) == 0;
      const int32_t oh = slide(h, kh, sh, ph, isMax ? dh : 1), ow = slide(w, kw, sw, pw, isMax ? dw : 1);
      if (oh < 0 || ow < 0) continue;
      const TensorSpec x = {dtype, {pick(0, 3), pick(0, 5), h, w}};
      TensorSpec y = {dtype, {x.shape[0], x.shape[1], oh, ow}};
      std::vector<double> attributes = {1.0 * kh, 1.0 * kw, 1.0 * sh, 1.0 * sw, 1.0 * ph, 1.0 * pw};
      if (isMax) {
        attributes.insert(attributes.end(), {1.0 * dh, 1.0 * dw});
        if (pick(0, 1) == 0) return single(k_maxPool2d, {x}, {y}, attributes);
        y.dtype = kInt32;
        return single(k_maxPool2dIndices, {x}, {y}, attributes);
      }
      attributes.push_back(pick(0, 1));
      if (pick(0, 1) == 0) return single(k_avgPool2d, {x}, {y}, attributes);
      return single(k_avgPool2dInputGrad, {y}, {x}, attributes);
    }
  }

  Example normalization() {
    const DType dtype = floating();
    const TensorSpec x = {dtype, shape(3)}, statistics = {dtype, {2, x.shape[1]}}, perChannel = {dtype, {x.shape[1]}};
    const TensorSpec rows = {dtype, shape(2)}, perColumn = {dtype, {rows.shape[1]}};
    switch (pick(0, 6)) {
      case 0:
        return single(k_batchNormStatistics, {x}, {statistics}, {});
      case 1:
        return single(k_batchNorm, {x, statistics, perChannel, perChannel}, {x}, {1e-5});
      case 2:
        return single(k_batchNormGradSums, {x, x, statistics}, {statistics}, {});
      case 3:
        return single(k_layerNorm, {rows, perColumn, perColumn}, {rows}, {1e-5});
      case 4:
        return single(k_layerNormInputGrad, {rows, rows, perColumn}, {rows}, {1e-5});
      case 5:
        return single(k_layerNormWeightGrads, {rows, rows}, {{dtype, {2, rows.shape[1]}}}, {1e-5});
      default: {
        const TensorSpec logits = {dtype, shape(pick(1, 4))};
        return single(pick(0, 1) == 0 ? k_softmax : k_logSoftmax, {logits}, {logits}, {});
      }
    }
  }

  Example indexing() {
    const DType dtype = floating();
    if (pick(0, 1) == 0) {
      const TensorSpec table = {dtype, {dim(), dim()}}, index = {kInt32, shape(pick(0, 3))};
      TensorSpec rows = {dtype, index.shape};
      rows.shape.push_back(table.shape[1]);
      if (pick(0, 1) == 0) return single(k_embedding, {table, index}, {rows}, {});
      return single(k_embeddingGrad, {rows, index}, {table}, {});
    }
    const TensorSpec x = {dtype, shape(pick(1, 4))};
    const int32_t along = pick(0, static_cast<int32_t>(x.shape.size()) - 1);
    TensorSpec index = {kInt32, x.shape};
    for (int32_t& size : index.shape) size = pick(0, size);
    index.shape[static_cast<size_t>(along)] = dim();
    const TensorSpec source = {dtype, index.shape};
    if (pick(0, 1) == 0) return single(k_gather, {x, index}, {source}, {1.0 * along});
    return single(k_scatterAdd, {x, index, source}, {x}, {1.0 * along});
  }

  Example placing() {
    const DType dtypes[] = {kFloat32, kFloat64, kInt32, kBool, kInt64};
    const DType dtype = dtypes[pick(0, 4)];
    TensorSpec x = {dtype, shape(pick(1, 4))}, y = x;
    if (pick(0, 1) == 0) {
      const size_t along = static_cast<size_t>(pick(0, static_cast<int32_t>(x.shape.size()) - 1));
      std::vector<TensorSpec> parts;
      y.shape[along] = 0;
      for (int32_t i = pick(1, 4); i > 0; i--) {
        x.shape[along] = dim();
        y.shape[along] += x.shape[along];
        parts.push_back(x);
      }
      return single(k_concat, parts, {y}, {1.0 * static_cast<double>(along)});
    }
    std::vector<double> starts, steps, attributes = {1.0};
    for (size_t i = 0; i < x.shape.size(); i++) {
      const int32_t start = pick(0, 3), step = pick(1, 3);
      starts.push_back(start);
      steps.push_back(step);
      y.shape[i] = start + std::max(0, (x.shape[i] - 1) * step + 1) + pick(0, 3);
    }
    attributes.insert(attributes.end(), starts.begin(), starts.end());
    attributes.insert(attributes.end(), steps.begin(), steps.end());
    return single(k_pad, {x}, {y}, attributes);
  }

  Example numbers() {
    switch (pick(0, 2)) {
      case 0:
        return single(k_elementwise, {}, {{kFloat32, shape(pick(0, 3))}}, uniformCode, 2);
      case 1:
        return single(k_normal, {}, {{floating(), shape(pick(0, 3))}}, {0, 1}, 2);
      default:
        return single(k_permutation, {}, {{kInt32, {dim() * pick(1, 20)}}}, {0, 1}, 2);
    }
  }

  Example any() {
    switch (pick(0, 8)) {
      case 0:
        return reduction();
      case 8:
        return attention();
      case 1:
        return matmul();
      case 2:
        return convolution();
      case 3:
        return pool();
      case 4:
        return normalization();
      case 5:
        return indexing();
      case 6:
        return placing();
      default:
        return numbers();
    }
  }

 private:
  std::mt19937 random_;
};

TEST(Shapes, AnyThatAreTakenRunWithoutHarm) {
  Shapes shapes(3);
  const int rounds = std::getenv("FUZZ_ROUNDS") != nullptr ? std::atoi(std::getenv("FUZZ_ROUNDS")) : 6000;
  int taken = 0;
  for (int round = 0; round < rounds; round++) {
    const Example example = shapes.any();
    std::string problem;
    const auto program = decodeProgram(example.words.data(), example.words.size(), &problem);
    if (program == nullptr) {
      // The only mistakes that these can have.
      EXPECT_NE(problem.find("reduces over nothing"), std::string::npos) << problem;
      continue;
    }
    taken++;
    for (const KernelTable* table : supportedTables()) {
      SCOPED_TRACE(example.name + " on " + table->isa + ", round " + std::to_string(round));
      runWithMemory(program.get(), table, shapes.engine());
    }
  }
  EXPECT_GT(taken, rounds * 9 / 10);
}

}  // namespace
}  // namespace saddlepoint
