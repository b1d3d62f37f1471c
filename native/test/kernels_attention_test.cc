// attention and attentionGrad against long double: sizes around tiles and blocks, strides, masks, causality.
#include <gtest/gtest.h>

#include "kernels_table_support.h"

namespace saddlepoint {
namespace {

struct Sizes {
  int batch, queries, keys, width, valueWidth;
};

enum class Masks { kNone, kSeen, kAdded };

// Operands as heads have them: of every tensor [batch, rows, columns] the rows lie side by side with the next head's.
template <typename T>
struct Operands {
  Sizes sizes;
  bool isCausal;
  Tensor<T> q, k, v, g, added;
  Tensor<bool> seen;
  Masks masks;

  static Tensor<T> heads(int batch, int rows, int columns) {
    return Tensor<T>({batch, rows, columns}, {columns, std::max(1, batch * columns), 1});
  }
  Operands(const Sizes& s, bool causal, Masks kind, std::mt19937& random)
      : sizes(s),
        isCausal(causal),
        q(heads(s.batch, s.queries, s.width)),
        k(heads(s.batch, s.keys, s.width)),
        v(heads(s.batch, s.keys, s.valueWidth)),
        g(heads(s.batch, s.queries, s.valueWidth)),
        added({s.batch, s.queries, s.keys}, {0, s.keys, 1}),
        seen({s.batch, s.queries, s.keys}, {s.keys, 0, 1}),
        masks(kind) {
    for (Tensor<T>* x : {&q, &k, &v, &g, &added}) x->normals(random);
    // The first key is always seen.
    seen.fill([&] { return random() % 3 != 0; });
    for (int b = 0; b < s.batch && s.queries > 0 && s.keys > 0; ++b) seen.data()[b * s.keys] = true;
  }

  std::vector<View> inputs(bool grad) const {
    std::vector<View> views = {viewOf(q), viewOf(k), viewOf(v)};
    if (grad) views.insert(views.begin(), viewOf(g));
    if (masks == Masks::kAdded) views.push_back(viewOf(added));
    if (masks == Masks::kSeen) views.push_back(viewOf(seen));
    return views;
  }
  static long double at(const Tensor<T>& x, int b, int i, int j) {
    return x.data()[b * x.strides[0] + i * x.strides[1] + j * x.strides[2]];
  }
  long double score(int b, int l, int s) const {
    long double score = 0;
    for (int e = 0; e < sizes.width; ++e) score += at(q, b, l, e) * at(k, b, s, e);
    score *= 0.25L;
    if (masks == Masks::kAdded) score += at(added, b, l, s);
    const bool hidden = (masks == Masks::kSeen && !seen.data()[b * sizes.keys + s]) || (isCausal && s > l);
    return hidden ? -INFINITY : score;
  }
  // The weights of one query.
  std::vector<long double> weights(int b, int l) const {
    std::vector<long double> row(static_cast<size_t>(sizes.keys));
    for (int s = 0; s < sizes.keys; ++s) row[static_cast<size_t>(s)] = score(b, l, s);
    const long double most = *std::max_element(row.begin(), row.end());
    long double sum = 0;
    for (long double& x : row) sum += x = std::exp(x - most);
    for (long double& x : row) x /= sum;
    return row;
  }
};

template <typename T>
void check(const Sizes& s, bool isCausal, Masks masks) {
  std::mt19937 random(static_cast<uint32_t>(s.queries * 1000 + s.keys));
  const Operands<T> x(s, isCausal, masks, random);
  const size_t L = static_cast<size_t>(s.queries), S = static_cast<size_t>(s.keys), E = static_cast<size_t>(s.width),
               Ev = static_cast<size_t>(s.valueWidth), perItem = (L + S) * E + S * Ev;
  std::vector<long double> y(static_cast<size_t>(s.batch) * L * Ev), grads(static_cast<size_t>(s.batch) * perItem);
  for (int b = 0; b < s.batch; ++b) {
    long double *const item = grads.data() + static_cast<size_t>(b) * perItem, *const ofKeys = item + L * E,
                       *const ofValues = ofKeys + S * E;
    for (int l = 0; l < s.queries && s.keys > 0; ++l) {
      const std::vector<long double> w = x.weights(b, l);
      std::vector<long double> d(S);
      long double mean = 0;
      for (size_t t = 0; t < S; ++t) {
        for (size_t j = 0; j < Ev; ++j) {
          const int column = static_cast<int>(j), key = static_cast<int>(t);
          y[(static_cast<size_t>(b) * L + static_cast<size_t>(l)) * Ev + j] += w[t] * x.at(x.v, b, key, column);
          d[t] += x.at(x.g, b, l, column) * x.at(x.v, b, key, column);
          ofValues[t * Ev + j] += w[t] * x.at(x.g, b, l, column);
        }
        mean += w[t] * d[t];
      }
      for (size_t t = 0; t < S; ++t) {
        for (size_t e = 0; e < E; ++e) {
          const long double slope = w[t] * (d[t] - mean) * 0.25L;
          item[static_cast<size_t>(l) * E + e] += slope * x.at(x.k, b, static_cast<int>(t), static_cast<int>(e));
          ofKeys[t * E + e] += slope * x.at(x.q, b, l, static_cast<int>(e));
        }
      }
    }
  }
  // Scores are below 0.25 * 16 E, their error that times E + 3 roundings; weights and sums pass it on to numbers below
  // 4 (and to gradients of weights below 16 Ev); each sum over S or L adds its length.
  const double ofScores = 4.0 * s.width * (s.width + 3) + s.keys + 100;
  const double bound = epsilonOf<T>() * ofScores * 4;
  const double gradBound = bound * (s.queries + 4) * 8 * (s.valueWidth + 1);
  std::vector<T> first, firstGrad;
  for (const KernelTable* table : testedTables()) {
    const Tensor<T> out({s.batch, s.queries, s.valueWidth}), packed({s.batch, static_cast<int>(perItem)});
    const std::vector<double> attributes = {0.25, isCausal ? 1.0 : 0.0};
    for (int threads : {1, 3}) {
      const std::vector<T> before = out.values(), beforeGrad = packed.values();
      for (const bool grad : {false, true}) {
        const Kernel kernel = table->kernels[grad ? k_attentionGrad : k_attention];
        const View output = grad ? viewOf(packed) : viewOf(out);
        ASSERT_EQ(callKernel(kernel, x.inputs(grad), {output}, attributes, {}, threads).failure, kOk);
      }
      const bool same = sameBits(before, out.values()) && sameBits(beforeGrad, packed.values());
      EXPECT_TRUE(threads == 1 || same) << table->isa;
    }
    for (size_t i = 0; i < y.size(); ++i) ASSERT_NEAR(out.data()[i], y[i], bound) << table->isa << " " << i;
    for (size_t i = 0; i < grads.size(); ++i)
      ASSERT_NEAR(packed.data()[i], grads[i], gradBound) << table->isa << " " << i;
    if (!isFused(table)) continue;
    if (first.empty()) first = out.values(), firstGrad = packed.values();
    EXPECT_TRUE(sameBits(first, out.values()) && sameBits(firstGrad, packed.values())) << table->isa;
  }
}

TEST(Attention, Sizes) {
  for (const Masks masks : {Masks::kNone, Masks::kSeen, Masks::kAdded}) {
    for (const bool isCausal : {false, true}) {
      for (const Sizes& s : std::initializer_list<Sizes>{{2, 1, 1, 1, 1},
                                                         {2, 5, 7, 3, 2},
                                                         {3, 15, 17, 16, 33},
                                                         {1, 1, 200, 8, 5},
                                                         {2, 57, 129, 17, 16},
                                                         {1, 129, 64, 5, 70},
                                                         {1, 300, 260, 12, 9}}) {
        check<float>(s, isCausal, masks);
        check<double>(s, isCausal, masks);
      }
    }
  }
  check<float>({1, 9, 20, 260, 3}, false, Masks::kNone);
  check<float>({1, 40, 2100, 4, 4}, true, Masks::kNone);
}

TEST(Attention, Empty) {
  for (int empty = 0; empty < 5; ++empty) {
    const auto size = [&](int which, int usual) { return which == empty ? 0 : usual; };
    const Sizes s = {size(0, 2), size(1, 3), size(2, 4), size(3, 5), size(4, 6)};
    check<float>(s, false, Masks::kNone);
    check<double>(s, true, Masks::kNone);
  }
}

// An item's results have the same bits in any batch.
TEST(Attention, BatchDoesNotMatter) {
  std::mt19937 random(5);
  const Operands<float> x({6, 33, 150, 8, 8}, true, Masks::kNone, random);
  for (const KernelTable* table : testedTables()) {
    for (const bool grad : {false, true}) {
      const Kernel kernel = table->kernels[grad ? k_attentionGrad : k_attention];
      const int length = grad ? (33 + 150) * 8 + 150 * 8 : 33 * 8;
      const auto view = [&](const Tensor<float>& t) { return viewOf(t); };
      const Tensor<float> all = grad ? Tensor<float>({6, length}) : Tensor<float>({6, 33, 8});
      const Tensor<float> one = grad ? Tensor<float>({1, length}) : Tensor<float>({1, 33, 8});
      ASSERT_EQ(callKernel(kernel, x.inputs(grad), {view(all)}, {0.25, 1}).failure, kOk);
      for (int b = 0; b < 6; ++b) {
        std::vector<View> inputs = x.inputs(grad);
        for (View& input : inputs) {
          input.data = static_cast<float*>(input.data) + b * input.strides[0];
          input.size /= 6;
          input.shape[0] = 1;
        }
        ASSERT_EQ(callKernel(kernel, inputs, {view(one)}, {0.25, 1}).failure, kOk);
        EXPECT_EQ(std::memcmp(all.data() + b * length, one.data(), sizeof(float) * static_cast<size_t>(length)), 0);
      }
    }
  }
}

}  // namespace
}  // namespace saddlepoint
