// Pooling against the definition, exactly.
#include <gtest/gtest.h>

#include "kernels_support.h"

namespace saddlepoint {
namespace {

struct Shape {
  int images, channels, height, width, kernelY, kernelX, strideY, strideX, paddingY, paddingX, dilationY = 1,
                                                                                               dilationX = 1;

  int outHeight() const { return (height + 2 * paddingY - dilationY * (kernelY - 1) - 1) / strideY + 1; }
  int outWidth() const { return (width + 2 * paddingX - dilationX * (kernelX - 1) - 1) / strideX + 1; }
  std::vector<int> x() const { return {images, channels, height, width}; }
  std::vector<int> out() const { return {images, channels, outHeight(), outWidth()}; }
  std::vector<double> maxAttributes() const {
    return {1.0 * kernelY,  1.0 * kernelX,  1.0 * strideY,   1.0 * strideX,
            1.0 * paddingY, 1.0 * paddingX, 1.0 * dilationY, 1.0 * dilationX};
  }
  std::vector<double> averageAttributes(bool countPadding) const {
    return {1.0 * kernelY,  1.0 * kernelX,  1.0 * strideY,     1.0 * strideX,
            1.0 * paddingY, 1.0 * paddingX, 1.0 * countPadding};
  }
};

// visit(plane, y, x, height of the tap, width of the tap) for the taps inside of the image, in order.
template <typename Visit>
void forEachTap(const Shape& s, const Visit& visit) {
  for (int plane = 0; plane < s.images * s.channels; ++plane) {
    for (int y = 0; y < s.outHeight(); ++y) {
      for (int x = 0; x < s.outWidth(); ++x) {
        for (int r = 0; r < s.kernelY; ++r) {
          for (int q = 0; q < s.kernelX; ++q) {
            const int h = y * s.strideY - s.paddingY + r * s.dilationY,
                      w = x * s.strideX - s.paddingX + q * s.dilationX;
            if (h < 0 || h >= s.height || w < 0 || w >= s.width) continue;
            visit((plane * s.outHeight() + y) * s.outWidth() + x, plane, h, w);
          }
        }
      }
    }
  }
}

const std::vector<Shape> shapes = {
    {2, 3, 8, 8, 2, 2, 2, 2, 0, 0},         {2, 3, 9, 13, 3, 3, 2, 2, 1, 1},  {1, 1, 1, 1, 1, 1, 1, 1, 0, 0},
    {1, 2, 28, 28, 2, 2, 2, 2, 0, 0},       {1, 2, 30, 41, 3, 2, 1, 3, 1, 1}, {1, 2, 7, 7, 7, 7, 1, 1, 0, 0},
    {1, 2, 20, 23, 3, 3, 2, 1, 1, 1, 2, 3}, {3, 1, 10, 10, 2, 2, 4, 5, 0, 0}, {1, 1, 5, 300, 3, 3, 1, 1, 1, 1},
    {1, 1, 300, 500, 3, 3, 2, 2, 1, 1},     {0, 2, 4, 4, 2, 2, 2, 2, 0, 0},
};

template <typename T>
class PoolTest : public testing::Test {};
using Floating = testing::Types<float, double>;
TYPED_TEST_SUITE(PoolTest, Floating);

template <typename T>
void checkMax(const TestedIsa& isa, const Shape& s, const Tensor<T>& x) {
  Tensor<T> out(s.out()), again(s.out());
  Tensor<int32_t> indices(s.out());
  std::vector<int> expected(out.size(), -1);
  std::vector<T> best(out.size());
  forEachTap(s, [&](int at, int plane, int h, int w) {
    const T value = x.data()[(plane * s.height + h) * s.width + w];
    if (expected[at] < 0 || value > best[at] || (std::isnan(value) && !std::isnan(best[at]))) {
      expected[at] = h * s.width + w;
      best[at] = value;
    }
  });
  ASSERT_EQ(kOk, runKernel(isa.maxPool2d, {x.view()}, {out.view()}, s.maxAttributes()));
  ASSERT_EQ(kOk, runKernel(isa.maxPool2d, {x.view()}, {again.view()}, s.maxAttributes(), 3));
  ASSERT_EQ(kOk, runKernel(isa.maxPool2dIndices, {x.view()}, {indices.view()}, s.maxAttributes(), 2));
  EXPECT_TRUE(sameBits(out.values(), again.values()));
  for (size_t i = 0; i < out.size(); ++i) {
    ASSERT_EQ(indices.data()[i], expected[i]) << isa.name << " at " << i;
    ASSERT_TRUE(out.data()[i] == best[i] || (std::isnan(out.data()[i]) && std::isnan(best[i])))
        << isa.name << " at " << i;
  }
}

TYPED_TEST(PoolTest, MaximumAndItsIndexWithTiesNaNAndInfinity) {
  using T = TypeParam;
  std::mt19937 random(1);
  for (const TestedIsa& isa : testedIsas()) {
    for (const Shape& s : shapes) {
      Tensor<T> x(s.x());
      checkMax(isa, s, x.integers(random));
      checkMax(isa, s, x.fill([&] {
        const int kind = static_cast<int>(random() % 8);
        return kind == 0 ? static_cast<T>(NAN) : kind < 5 ? -static_cast<T>(INFINITY) : static_cast<T>(kind);
      }));
      checkMax(isa, s, x.fill([] { return -static_cast<T>(INFINITY); }));
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(PoolTest, AverageAndItsGradient) {
  using T = TypeParam;
  std::mt19937 random(2);
  for (const TestedIsa& isa : testedIsas()) {
    for (const Shape& dilated : shapes) {
      Shape s = dilated;
      s.dilationY = s.dilationX = 1;
      for (bool countPadding : {false, true}) {
        Tensor<T> x = Tensor<T>(s.x()).integers(random), g = Tensor<T>(s.out()).normals(random), out(s.out()),
                  grad(s.x()), again(s.x());
        std::vector<double> sums(out.size()), counts(out.size()), gradient(x.size()), magnitude(x.size());
        forEachTap(s, [&](int at, int plane, int h, int w) {
          sums[at] += static_cast<double>(x.data()[(plane * s.height + h) * s.width + w]);
          counts[at] += 1;
        });
        if (countPadding) std::fill(counts.begin(), counts.end(), s.kernelY * s.kernelX);
        forEachTap(s, [&](int at, int plane, int h, int w) {
          const double share = static_cast<double>(g.data()[at]) / counts[at];
          gradient[(plane * s.height + h) * s.width + w] += share;
          magnitude[(plane * s.height + h) * s.width + w] += std::fabs(share);
        });
        ASSERT_EQ(kOk, runKernel(isa.avgPool2d, {x.view()}, {out.view()}, s.averageAttributes(countPadding)));
        ASSERT_EQ(kOk, runKernel(isa.avgPool2dInputGrad, {g.view()}, {grad.view()}, s.averageAttributes(countPadding)));
        ASSERT_EQ(kOk,
                  runKernel(isa.avgPool2dInputGrad, {g.view()}, {again.view()}, s.averageAttributes(countPadding), 3));
        EXPECT_TRUE(sameBits(grad.values(), again.values()));
        for (size_t i = 0; i < out.size(); ++i) {
          ASSERT_EQ(out.data()[i], static_cast<T>(sums[i]) / static_cast<T>(counts[i])) << isa.name << " at " << i;
        }
        for (size_t i = 0; i < x.size(); ++i) {
          const double tolerance = epsilonOf<T>() * (s.kernelY * s.kernelX + 2) * magnitude[i];
          ASSERT_LE(std::fabs(static_cast<double>(grad.data()[i]) - gradient[i]), tolerance) << isa.name << " at " << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace saddlepoint
