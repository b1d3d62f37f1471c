// gather, scatterAdd, embedding, embeddingGrad, concat and pad against loops over coordinates.
#include <gtest/gtest.h>

#include "kernels_table_support.h"

namespace saddlepoint {
namespace {

using Shape = std::vector<int>;

// The coordinates of row-major element i, and the offset of coordinates.
Shape coordinatesOf(const Shape& shape, size_t i) {
  Shape at(shape.size());
  for (size_t dim = shape.size(); dim-- > 0; i /= static_cast<size_t>(shape[dim])) {
    at[dim] = static_cast<int>(i % static_cast<size_t>(shape[dim]));
  }
  return at;
}

template <typename T>
T& elementAt(const Tensor<T>& x, const Shape& at) {
  size_t offset = 0;
  for (size_t dim = 0; dim < at.size(); ++dim)
    offset += static_cast<size_t>(at[dim]) * static_cast<size_t>(x.strides[dim]);
  return x.data()[offset];
}

template <typename T>
Tensor<T> randomTensor(Shape shape, std::mt19937& random, Shape strides = {}) {
  Tensor<T> x(shape, strides);
  return x.fill(
      [&] { return static_cast<T>(std::is_same<T, uint8_t>::value ? random() % 2 : random() % 2001 - 1000); });
}

Tensor<int32_t> randomIndex(Shape shape, int limit, std::mt19937& random) {
  return Tensor<int32_t>(shape).fill([&] { return static_cast<int32_t>(random() % static_cast<unsigned>(limit)); });
}

struct IndexCase {
  Shape x, index;
  int dim;
};

const std::vector<IndexCase> indexCases = {
    {{10}, {7}, 0},
    {{10}, {70}, 0},
    {{6, 10}, {6, 3}, 1},
    {{6, 10}, {4, 3}, 1},
    {{6, 10}, {9, 10}, 0},
    {{6, 10}, {9, 4}, 0},
    {{3, 4, 5}, {3, 8, 5}, 1},
    {{3, 4, 5}, {2, 8, 3}, 1},
    {{3, 4, 5}, {2, 2, 9}, 2},
    {{3, 4, 5}, {7, 4, 5}, 0},
    {{600, 300}, {600, 70}, 1},
    {{300, 500}, {200, 500}, 0},
    {{50, 30, 60}, {50, 40, 60}, 1},
    {{4, 3}, {0, 3}, 0},
};

template <typename T>
void checkGather() {
  std::mt19937 random(1);
  for (const IndexCase& c : indexCases) {
    const Tensor<T> x = randomTensor<T>(c.x, random);
    const Tensor<int32_t> index = randomIndex(c.index, c.x[static_cast<size_t>(c.dim)], random);
    for (const KernelTable* table : testedTables()) {
      for (int threads : {1, 3}) {
        const Tensor<T> out(c.index);
        ASSERT_EQ(callKernel(table->kernels[k_gather], {viewOf(x), viewOf(index)}, {viewOf(out)}, {double(c.dim)}, {},
                             threads)
                      .failure,
                  kOk);
        for (size_t i = 0; i < out.size(); ++i) {
          Shape at = coordinatesOf(c.index, i);
          at[static_cast<size_t>(c.dim)] = index.data()[i];
          ASSERT_EQ(out.data()[i], elementAt(x, at));
        }
      }
    }
  }
}

TEST(Index, Gather) {
  checkGather<float>();
  checkGather<double>();
  checkGather<uint8_t>();
  checkGather<int64_t>();
}

template <typename T>
void checkScatterAdd() {
  std::mt19937 random(2);
  for (const IndexCase& c : indexCases) {
    const Tensor<T> x = randomTensor<T>(c.x, random), source = randomTensor<T>(c.index, random);
    const Tensor<int32_t> index = randomIndex(c.index, c.x[static_cast<size_t>(c.dim)], random);
    const Tensor<T> expected = tensorOf<T>(c.x, x.values());
    for (size_t i = 0; i < index.size(); ++i) {
      Shape at = coordinatesOf(c.index, i);
      at[static_cast<size_t>(c.dim)] = index.data()[i];
      elementAt(expected, at) += source.data()[i];
    }
    for (const KernelTable* table : testedTables()) {
      for (int threads : {1, 3}) {
        const Tensor<T> out(c.x);
        ASSERT_EQ(callKernel(table->kernels[k_scatterAdd], {viewOf(x), viewOf(index), viewOf(source)}, {viewOf(out)},
                             {double(c.dim)}, {}, threads)
                      .failure,
                  kOk);
        ASSERT_EQ(out.values(), expected.values());
      }
    }
  }
}

TEST(Index, ScatterAdd) {
  checkScatterAdd<float>();
  checkScatterAdd<double>();
  checkScatterAdd<int32_t>();
}

TEST(Index, OutOfRange) {
  for (const KernelTable* table : testedTables()) {
    for (int threads : {1, 3}) {
      const Tensor<float> x({10}), weight({10, 4});
      for (int wrong : {10, 12, -1, INT32_MIN, INT32_MAX}) {
        std::vector<int32_t> values(100000, 9);
        values[3] = values[77777] = wrong;
        const Tensor<int32_t> index = vectorOf(values);
        const std::string message = "index " + std::to_string(wrong) + " at position 3 is out of range [0, 10)";
        const Tensor<float> source({100000}), out({100000}), small({10}), rows({100000, 4}), grad({10, 4});
        const Outcome outcomes[] = {
            callKernel(table->kernels[k_gather], {viewOf(x), viewOf(index)}, {viewOf(out)}, {0}, {}, threads),
            callKernel(table->kernels[k_scatterAdd], {viewOf(x), viewOf(index), viewOf(source)}, {viewOf(small)}, {0},
                       {}, threads),
            callKernel(table->kernels[k_embedding], {viewOf(weight), viewOf(index)}, {viewOf(rows)}, {}, {}, threads),
            callKernel(table->kernels[k_embeddingGrad], {viewOf(rows), viewOf(index)}, {viewOf(grad)}, {}, {},
                       threads)};
        for (const Outcome& outcome : outcomes) {
          EXPECT_EQ(outcome.failure, kFailValue);
          EXPECT_EQ(outcome.message, message);
        }
      }
    }
  }
}

template <typename T>
void checkEmbedding(int size, int width, Shape indexShape) {
  std::mt19937 random(4);
  const Tensor<T> weight = randomTensor<T>({size, width}, random);
  const Tensor<int32_t> index = randomIndex(indexShape, size, random);
  Shape outShape = indexShape;
  outShape.push_back(width);
  for (const KernelTable* table : testedTables()) {
    for (int threads : {1, 3}) {
      const Tensor<T> out(outShape);
      ASSERT_EQ(callKernel(table->kernels[k_embedding], {viewOf(weight), viewOf(index)}, {viewOf(out)}, {}, {}, threads)
                    .failure,
                kOk);
      for (size_t i = 0; i < out.size(); ++i) {
        const size_t w = static_cast<size_t>(width);
        ASSERT_EQ(out.data()[i], weight.data()[static_cast<size_t>(index.data()[i / w]) * w + i % w]);
      }
      if (!std::is_floating_point<T>::value) continue;
      const Tensor<T> grad({size, width});
      std::vector<T> expected(weight.size(), T(0));
      for (size_t i = 0; i < out.size(); ++i) {
        const size_t w = static_cast<size_t>(width);
        expected[static_cast<size_t>(index.data()[i / w]) * w + i % w] += out.data()[i];
      }
      ASSERT_EQ(
          callKernel(table->kernels[k_embeddingGrad], {viewOf(out), viewOf(index)}, {viewOf(grad)}, {}, {}, threads)
              .failure,
          kOk);
      ASSERT_EQ(grad.values(), expected);
    }
  }
}

TEST(Index, Embedding) {
  for (int width : {0, 1, 3, 8, 16, 17, 70, 300}) {
    checkEmbedding<float>(11, width, {5, 7});
    checkEmbedding<double>(11, width, {40});
    checkEmbedding<uint8_t>(11, width, {40});
  }
  checkEmbedding<float>(1000, 130, {600});
  checkEmbedding<float>(5, 4, {});
  checkEmbedding<float>(5, 4, {0});
}

template <typename T>
void checkConcat(const std::vector<Shape>& shapes, const std::vector<Shape>& strides, int dim) {
  std::mt19937 random(5);
  std::vector<Tensor<T>> inputs;
  std::vector<View> views;
  Shape outShape = shapes[0];
  outShape[static_cast<size_t>(dim)] = 0;
  for (size_t i = 0; i < shapes.size(); ++i) {
    inputs.push_back(randomTensor<T>(shapes[i], random, strides.empty() ? Shape{} : strides[i]));
    outShape[static_cast<size_t>(dim)] += shapes[i][static_cast<size_t>(dim)];
  }
  for (const auto& input : inputs) views.push_back(viewOf(input));
  for (const KernelTable* table : testedTables()) {
    const Tensor<T> out(outShape);
    ASSERT_EQ(callKernel(table->kernels[k_concat], views, {viewOf(out)}, {double(dim)}, {}, 2).failure, kOk);
    int start = 0;
    for (size_t k = 0; k < inputs.size(); ++k) {
      for (size_t i = 0; i < inputs[k].size(); ++i) {
        Shape at = coordinatesOf(shapes[k], i);
        const T value = elementAt(inputs[k], at);
        at[static_cast<size_t>(dim)] += start;
        ASSERT_EQ(elementAt(out, at), value);
      }
      start += shapes[k][static_cast<size_t>(dim)];
    }
  }
}

template <typename T>
void checkConcats() {
  checkConcat<T>({{5}, {70}, {1}, {0}}, {}, 0);
  checkConcat<T>({{2, 3, 4}, {5, 3, 4}}, {}, 0);
  checkConcat<T>({{2, 3, 4}, {2, 1, 4}, {2, 8, 4}}, {}, 1);
  checkConcat<T>({{2, 3, 4}, {2, 3, 9}}, {}, 2);
  checkConcat<T>({{40, 50}, {40, 7}}, {{1, 40}, {0, 3}}, 1);
  checkConcat<T>({{400, 150}, {400, 160}}, {{150, 1}, {1, 400}}, 1);
  checkConcat<T>({{400, 150}, {300, 150}}, {{1, 400}, {150, 1}}, 0);
}

TEST(Index, Concat) {
  checkConcats<float>();
  checkConcats<double>();
  checkConcats<uint8_t>();
}

template <typename T>
void checkPad(Shape shape, Shape outShape, Shape starts, Shape steps, double value, Shape strides = {}) {
  std::mt19937 random(6);
  const Tensor<T> x = randomTensor<T>(shape, random, strides);
  std::vector<double> attributes = {value};
  attributes.insert(attributes.end(), starts.begin(), starts.end());
  attributes.insert(attributes.end(), steps.begin(), steps.end());
  const Tensor<T> expected(outShape);
  std::fill_n(expected.data(), expected.elements, static_cast<T>(value));
  for (size_t i = 0; i < x.size(); ++i) {
    Shape at = coordinatesOf(shape, i);
    const T element = elementAt(x, at);
    for (size_t dim = 0; dim < at.size(); ++dim) at[dim] = starts[dim] + at[dim] * steps[dim];
    elementAt(expected, at) = element;
  }
  for (const KernelTable* table : testedTables()) {
    const Tensor<T> out(outShape);
    ASSERT_EQ(callKernel(table->kernels[k_pad], {viewOf(x)}, {viewOf(out)}, attributes, {}, 2).failure, kOk);
    ASSERT_EQ(out.values(), expected.values());
  }
}

template <typename T>
void checkPads() {
  checkPad<T>({}, {}, {}, {}, 1);
  checkPad<T>({5}, {5}, {0}, {1}, 1);
  checkPad<T>({5}, {12}, {3}, {1}, 1);
  checkPad<T>({5}, {12}, {1}, {2}, 0);
  checkPad<T>({0}, {12}, {1}, {2}, 1);
  checkPad<T>({3, 4}, {7, 9}, {2, 5}, {1, 1}, 1);
  checkPad<T>({3, 4}, {9, 15}, {1, 2}, {3, 4}, 0);
  checkPad<T>({2, 3, 4}, {4, 3, 40}, {1, 0, 30}, {2, 1, 3}, 1, {1, 2, 6});
  checkPad<T>({8, 16, 30, 30}, {8, 16, 32, 32}, {0, 0, 1, 1}, {1, 1, 1, 1}, 0);
}

TEST(Index, Pad) {
  checkPads<float>();
  checkPads<double>();
  checkPads<int64_t>();
  checkPads<uint8_t>();
}

}  // namespace
}  // namespace saddlepoint
