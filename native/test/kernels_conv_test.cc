// Convolutions against the definition: exactly for small integers, within c K eps sum|ab| for random numbers.
#include <gtest/gtest.h>

#include "kernels_conv_support.h"

namespace saddlepoint {
namespace {

template <typename T>
void expectNear(const Tensor<T>& actual, const std::vector<double>& expected, const std::vector<double>& magnitude,
                double tolerance, const std::string& what) {
  for (size_t i = 0; i < expected.size(); ++i) {
    const double error = std::fabs(static_cast<double>(actual.data()[i]) - expected[i]);
    ASSERT_LE(error, tolerance * magnitude[i])
        << what << " at " << i << ": " << actual.data()[i] << ", not " << expected[i];
  }
}

// Runs the three kernels. The error of a sum of at most `terms` products is at most terms eps sum|ab|.
template <typename T>
void check(const TestedIsa& isa, const Shape& s, bool integers, std::mt19937& random, int threads) {
  Tensor<T> x(s.x()), weight(s.weight()), g(s.out()), out(s.out()), xGrad(s.x()), weightGrad(s.weight());
  for (Tensor<T>* t : {&x, &weight, &g}) {
    if (integers) {
      t->integers(random);
    } else {
      t->normals(random);
    }
  }
  for (Tensor<T>* t : {&out, &xGrad, &weightGrad}) t->fill([] { return T(99); });
  ASSERT_EQ(kOk, runKernel(isa.conv2d, {x.view(), weight.view()}, {out.view()}, s.attributes(), threads));
  ASSERT_EQ(kOk, runKernel(isa.conv2dInputGrad, {g.view(), weight.view()}, {xGrad.view()}, s.attributes(), threads));
  ASSERT_EQ(kOk, runKernel(isa.conv2dWeightGrad, {g.view(), x.view()}, {weightGrad.view()}, s.attributes(), threads));
  std::vector<double> o(out.size()), oMagnitude(out.size()), dx(x.size()), dxMagnitude(x.size()), dw(weight.size()),
      dwMagnitude(weight.size());
  forEachProduct(s, [&](int xAt, int wAt, int outAt) {
    const double xv = x.data()[xAt], wv = weight.data()[wAt], gv = g.data()[outAt];
    o[outAt] += xv * wv;
    oMagnitude[outAt] += std::fabs(xv * wv);
    dx[xAt] += gv * wv;
    dxMagnitude[xAt] += std::fabs(gv * wv);
    dw[wAt] += gv * xv;
    dwMagnitude[wAt] += std::fabs(gv * xv);
  });
  const double eps = integers ? 0 : epsilonOf<T>();
  const int taps = s.kernelY * s.kernelX;
  const std::string what = std::string(isa.name) + " " + s.text();
  expectNear(out, o, oMagnitude, eps * (s.channels / s.groups * taps + 2), "forward " + what);
  expectNear(xGrad, dx, dxMagnitude, eps * (s.outChannels / s.groups * taps + 2), "input gradient " + what);
  expectNear(weightGrad, dw, dwMagnitude, eps * (s.images * s.outHeight() * s.outWidth() + 2),
             "weight gradient " + what);
}

template <typename T>
class ConvTest : public testing::Test {};
using Floating = testing::Types<float, double>;
TYPED_TEST_SUITE(ConvTest, Floating);

TYPED_TEST(ConvTest, ChosenShapes) {
  std::mt19937 random(1);
  const std::vector<Shape> shapes = {
      {1, 1, 1, 1, 1, 1, 1},
      {2, 3, 8, 8, 5, 3, 3, 1, 1, 1, 1},
      {3, 1, 28, 28, 6, 5, 5, 1, 1, 2, 2},
      {5, 6, 14, 14, 16, 5, 5},
      {2, 33, 9, 7, 29, 3, 3, 1, 1, 1, 1},
      {2, 4, 13, 17, 6, 3, 3, 2, 2, 1, 1},
      {2, 4, 13, 17, 6, 3, 2, 3, 2, 2, 0},
      {1, 3, 30, 31, 4, 7, 7, 2, 2, 3, 3},
      {2, 8, 12, 12, 8, 3, 3, 1, 1, 1, 1, 1, 1, 8},
      {2, 8, 12, 12, 24, 3, 3, 2, 1, 1, 1, 1, 1, 8},
      {2, 12, 6, 6, 8, 3, 3, 1, 1, 1, 1, 1, 1, 4},
      {1, 2, 20, 20, 3, 3, 3, 1, 1, 4, 4, 4, 4},
      {1, 2, 15, 11, 3, 3, 2, 2, 3, 3, 1, 2, 3},
      {2, 16, 7, 7, 12, 1, 1},
      {2, 16, 7, 7, 12, 1, 1, 2, 2},
      {2, 3, 4, 4, 2, 2, 2, 5, 5},        // pixels that no window reaches
      {1, 2, 2, 2, 2, 3, 3, 1, 1, 5, 6},  // padding larger than the kernel
      {2, 3, 1, 40, 2, 1, 9, 1, 1, 0, 4},
      {2, 3, 40, 1, 2, 9, 1, 1, 1, 4, 0},
      {1, 40, 4, 4, 70, 3, 3, 1, 1, 1, 1},  // more than one block of the contraction
      {20, 2, 3, 3, 3, 3, 3, 1, 1, 1, 1},
      {1, 1, 70, 600, 2, 3, 3, 1, 1, 1, 1},  // several tiles of one image
      // 1x1: pixels of one image in chunks, images side by side, rows in parts, one row, strides, groups
      {1, 3, 40, 41, 5, 1, 1},
      {1, 40, 20, 20, 300, 1, 1},
      {1, 70, 7, 7, 200, 1, 1},
      {23, 300, 3, 5, 40, 1, 1},
      {7, 4, 9, 11, 1, 1, 1},
      {1, 1, 30, 30, 1, 1, 1},
      {9, 12, 9, 10, 30, 1, 1, 2, 3, 0, 0, 1, 1, 3},
      {2, 20, 33, 40, 16, 1, 1, 3, 2, 0, 0, 1, 1, 2},
      // panels of windows: images side by side, chunks that begin within a row, rows in parts, plain weights, groups,
      // one column, dilation, more taps than a block of the contraction
      {11, 9, 14, 14, 70, 3, 3, 2, 2, 1, 1},
      {7, 66, 5, 5, 90, 3, 3, 1, 1, 1, 1},
      {2, 10, 47, 51, 40, 3, 3, 2, 2, 1, 1},
      {1, 33, 29, 31, 130, 3, 3, 2, 2, 1, 1},
      {1, 60, 9, 9, 300, 3, 3, 1, 1, 1, 1},
      {5, 12, 12, 13, 40, 2, 3, 3, 2, 0, 1, 1, 1, 2},
      {9, 8, 20, 1, 40, 3, 1, 2, 1, 1, 0},
      {6, 8, 14, 15, 50, 3, 3, 1, 2, 3, 2, 3, 2},
      {3, 2, 24, 25, 40, 17, 18, 3, 1, 2, 3},
      // input gradients summed over taps: strides, dilation, groups, padding beyond the image, one pixel, rows in parts
      {3, 6, 13, 9, 129, 3, 3, 2, 2, 1, 1},
      {2, 4, 11, 17, 256, 3, 2, 3, 2, 2, 0, 1, 2, 2},
      {1, 5, 7, 7, 130, 3, 3, 1, 1, 1, 1},
      {2, 2, 2, 2, 128, 3, 3, 1, 1, 5, 6},
      {2, 3, 1, 1, 140, 1, 1, 2, 2},
      {2, 130, 8, 8, 300, 3, 3, 2, 2, 1, 1},
      {2, 3, 13, 20, 128, 3, 4, 2, 3, 1, 2},
      {1, 2, 9, 40, 130, 2, 17, 1, 2, 0, 3},
      {1, 3, 9, 9, 128, 1, 1, 2, 2, 1, 1},
      {2, 3, 30, 37, 128, 5, 5, 2, 2, 2, 2},
      {1, 2, 7, 90, 128, 3, 3, 2, 2, 1, 1},
      // weights' gradients of 1x1 windows: more input channels than output channels and fewer, images side by side and
      // in several tiles, groups
      {7, 70, 7, 7, 9, 1, 1},
      {2, 40, 33, 50, 33, 1, 1},
      {2, 33, 33, 50, 40, 1, 1},
      {3, 60, 9, 10, 20, 1, 1, 1, 1, 0, 0, 1, 1, 2},
      // depthwise: within a vector, of whole vectors and between, odd and even, larger than the window and smaller
      {2, 5, 7, 7, 5, 3, 3, 1, 1, 1, 1, 1, 1, 5},
      {2, 3, 14, 16, 3, 3, 3, 1, 1, 1, 1, 1, 1, 3},
      {1, 2, 5, 70, 2, 3, 3, 1, 1, 1, 1, 1, 1, 2},
      {3, 2, 1, 1, 2, 3, 3, 1, 1, 1, 1, 1, 1, 2},
      {2, 4, 2, 33, 4, 5, 5, 1, 1, 2, 2, 1, 1, 4},
      {3, 4, 14, 14, 4, 3, 3, 2, 2, 1, 1, 1, 1, 4},
      {2, 3, 15, 31, 3, 3, 3, 2, 2, 1, 1, 1, 1, 3},
      {2, 3, 8, 67, 3, 3, 3, 2, 2, 1, 1, 1, 1, 3},
      {2, 2, 16, 65, 2, 5, 5, 2, 2, 2, 2, 1, 1, 2},
      {1, 3, 1, 2, 3, 5, 5, 2, 2, 2, 2, 1, 1, 3},
      {40, 2, 28, 28, 2, 3, 3, 1, 1, 1, 1, 1, 1, 2},
  };
  for (const TestedIsa& isa : testedIsas()) {
    for (const Shape& s : shapes) {
      check<TypeParam>(isa, s, true, random, 1);
      check<TypeParam>(isa, s, false, random, 2);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(ConvTest, RandomShapes) {
  std::mt19937 random(2);
  const auto pick = [&](int low, int high) { return low + static_cast<int>(random() % (high - low + 1)); };
  for (int round = 0; round < 150; ++round) {
    Shape s;
    s.groups = pick(1, 3);
    s.images = pick(1, 5);
    s.channels = s.groups * pick(1, 5);
    s.outChannels = s.groups * pick(1, 9);
    s.kernelY = pick(1, 4);
    s.kernelX = pick(1, 4);
    s.dilationY = pick(1, 3);
    s.dilationX = pick(1, 3);
    s.strideY = pick(1, 3);
    s.strideX = pick(1, 3);
    s.paddingY = pick(0, 4);
    s.paddingX = pick(0, 4);
    s.height = pick(1, 14) + std::max(0, s.dilationY * (s.kernelY - 1) - 2 * s.paddingY);
    s.width = pick(1, 20) + std::max(0, s.dilationX * (s.kernelX - 1) - 2 * s.paddingX);
    for (const TestedIsa& isa : testedIsas()) {
      check<TypeParam>(isa, s, true, random, 1 + round % 2);
      if (this->HasFatalFailure()) return;
    }
  }
}

// Columns in any number of vectors, the last of any length.
TYPED_TEST(ConvTest, DepthwiseOfAnyWidth) {
  std::mt19937 random(5);
  for (int round = 0; round < 400; ++round) {
    const int width = 1 + round / 4, kernel = round % 2 == 0 ? 3 : 5, stride = 1 + round / 2 % 2, padding = kernel / 2;
    const Shape s = {1 + width % 3, 3,      1 + width % 7, width,   3, kernel, kernel,
                     stride,        stride, padding,       padding, 1, 1,      3};
    for (const TestedIsa& isa : testedIsas()) {
      check<TypeParam>(isa, s, true, random, 1 + width % 2);
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(ConvTest, EmptyShapes) {
  for (const TestedIsa& isa : testedIsas()) {
    std::mt19937 random(3);
    for (Shape s : {Shape{0, 2, 4, 4, 3, 3, 3}, Shape{2, 0, 4, 4, 3, 3, 3}, Shape{2, 2, 4, 4, 0, 3, 3}}) {
      check<TypeParam>(isa, s, true, random, 1);
    }
  }
}

TYPED_TEST(ConvTest, TheBitsDependNeitherOnThreadsNorOnTheOtherImagesNorOnTheInstructionSet) {
  using T = TypeParam;
  std::mt19937 random(4);
  for (Shape s : {Shape{6, 16, 14, 14, 20, 3, 3, 1, 1, 1, 1}, Shape{6, 16, 15, 15, 20, 3, 3, 2, 2, 1, 1},
                  Shape{6, 16, 9, 9, 16, 3, 3, 1, 1, 1, 1, 1, 1, 16}, Shape{6, 4, 37, 37, 4, 5, 5, 2, 2, 2, 2, 1, 1, 4},
                  Shape{40, 4, 28, 28, 6, 5, 5}, Shape{9, 30, 14, 14, 70, 3, 3, 2, 2, 1, 1}}) {
    Tensor<T> x = Tensor<T>(s.x()).normals(random), weight = Tensor<T>(s.weight()).normals(random),
              g = Tensor<T>(s.out()).normals(random);
    std::vector<std::vector<T>> fused;
    for (const TestedIsa& isa : testedIsas()) {
      std::vector<std::vector<T>> results;
      for (int threads : {1, 3}) {
        Tensor<T> out(s.out()), xGrad(s.x()), weightGrad(s.weight());
        ASSERT_EQ(kOk, runKernel(isa.conv2d, {x.view(), weight.view()}, {out.view()}, s.attributes(), threads));
        ASSERT_EQ(kOk,
                  runKernel(isa.conv2dInputGrad, {g.view(), weight.view()}, {xGrad.view()}, s.attributes(), threads));
        ASSERT_EQ(kOk,
                  runKernel(isa.conv2dWeightGrad, {g.view(), x.view()}, {weightGrad.view()}, s.attributes(), threads));
        for (const Tensor<T>& t : {out, xGrad, weightGrad}) results.push_back(t.values());
      }
      for (int i = 0; i < 3; ++i) EXPECT_TRUE(sameBits(results[i], results[i + 3])) << isa.name << " " << s.text() << i;

      Shape one = s;
      one.images = 1;
      Tensor<T> firstImage(one.x()), firstGrad(one.out()), out(one.out()), xGrad(one.x());
      std::copy(x.data(), x.data() + firstImage.size(), firstImage.data());
      std::copy(g.data(), g.data() + firstGrad.size(), firstGrad.data());
      ASSERT_EQ(kOk, runKernel(isa.conv2d, {firstImage.view(), weight.view()}, {out.view()}, s.attributes()));
      ASSERT_EQ(kOk, runKernel(isa.conv2dInputGrad, {firstGrad.view(), weight.view()}, {xGrad.view()}, s.attributes()));
      EXPECT_EQ(0, std::memcmp(out.data(), results[0].data(), out.size() * sizeof(T))) << isa.name << " " << s.text();
      EXPECT_EQ(0, std::memcmp(xGrad.data(), results[1].data(), xGrad.size() * sizeof(T)))
          << isa.name << " " << s.text();

      if (!isa.fused) continue;
      if (fused.empty()) fused = results;
      for (int i = 0; i < 3; ++i) EXPECT_TRUE(sameBits(fused[i], results[i])) << isa.name << " " << s.text() << i;
    }
  }
}

// Products that the definition lacks count for nothing, in rows and columns.
TYPED_TEST(ConvTest, DepthwiseInfinityReachesNoOtherTap) {
  using T = TypeParam;
  const Shape s = {1, 2, 4, 37, 2, 3, 3, 1, 1, 1, 1, 1, 1, 2};
  for (const TestedIsa& isa : testedIsas()) {
    Tensor<T> x(s.x()), g(s.out()), weightGrad(s.weight());
    x.fill([] { return T(0); });
    g.fill([] { return T(1); });
    x.data()[0] = static_cast<T>(INFINITY);                           // a corner: taps (0..1, 0..1)
    x.data()[2 * s.height * s.width - 1] = static_cast<T>(INFINITY);  // the opposite one: taps (1..2, 1..2)
    ASSERT_EQ(kOk, runKernel(isa.conv2dWeightGrad, {g.view(), x.view()}, {weightGrad.view()}, s.attributes()));
    for (int tap = 0; tap < 9; ++tap) {
      const bool first = tap / 3 < 2 && tap % 3 < 2, last = tap / 3 > 0 && tap % 3 > 0;
      EXPECT_EQ(weightGrad.data()[tap], first ? static_cast<T>(INFINITY) : T(0)) << isa.name << " " << tap;
      EXPECT_EQ(weightGrad.data()[9 + tap], last ? static_cast<T>(INFINITY) : T(0)) << isa.name << " " << tap;
    }
  }
}

TYPED_TEST(ConvTest, NaNAndInfinityPropagate) {
  using T = TypeParam;
  const Shape s = {1, 1, 6, 6, 2, 3, 3};
  for (const TestedIsa& isa : testedIsas()) {
    Tensor<T> x(s.x()), weight(s.weight()), out(s.out());
    x.fill([] { return T(0); });
    weight.fill([] { return T(1); });
    weight.data()[4] = static_cast<T>(NAN);
    x.data()[0] = static_cast<T>(INFINITY);
    ASSERT_EQ(kOk, runKernel(isa.conv2d, {x.view(), weight.view()}, {out.view()}, s.attributes()));
    for (int i = 0; i < 16; ++i) EXPECT_TRUE(std::isnan(out.data()[i]));
    EXPECT_EQ(out.data()[16], static_cast<T>(INFINITY));
    EXPECT_EQ(out.data()[17], T(0));
  }
}

}  // namespace
}  // namespace saddlepoint
