// Winograd's algorithm against the definition, where convolutions choose it.
#include <gtest/gtest.h>

#include <algorithm>

#include "kernels_conv_support.h"

namespace saddlepoint {
namespace {

// Large enough that it pays; images cut into tiles with and without a rest, small ones many to a block, blocks with a
// rest.
std::vector<Shape> winogradShapes() {
  return {
      {4, 32, 16, 16, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
      {3, 33, 23, 17, 37, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
      {70, 40, 4, 4, 48, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
      {9, 128, 7, 7, 128, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
      {2, 48, 42, 11, 40, 3, 3, 1, 1, 0, 0, 1, 1, 1, 1},
      {3, 36, 16, 18, 48, 3, 3, 1, 1, 2, 2, 1, 1, 1, 1},
      {2, 32, 30, 31, 32, 3, 3, 1, 1, 1, 0, 1, 1, 1, 1},
      {1, 32, 20, 130, 32, 3, 3, 1, 1, 0, 2, 1, 1, 1, 1},
      {6, 270, 8, 8, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
      {40, 64, 8, 6, 80, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
      // Some filters at a time; for weights' gradients only in the second case.
      {32, 200, 4, 4, 190, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
      {1, 260, 14, 14, 270, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1},
  };
}

struct Results {
  Tensor<float> out, xGrad, weightGrad;
};

Results run(const TestedIsa& isa, const Shape& s, const Tensor<float>& x, const Tensor<float>& weight,
            const Tensor<float>& g, int threads) {
  Results r = {Tensor<float>(s.out()), Tensor<float>(s.x()), Tensor<float>(s.weight())};
  for (Tensor<float>* t : {&r.out, &r.xGrad, &r.weightGrad}) t->fill([] { return 99.0f; });
  EXPECT_EQ(kOk, runKernel(isa.conv2d, {x.view(), weight.view()}, {r.out.view()}, s.attributes(), threads));
  EXPECT_EQ(kOk, runKernel(isa.conv2dInputGrad, {g.view(), weight.view()}, {r.xGrad.view()}, s.attributes(), threads));
  EXPECT_EQ(kOk, runKernel(isa.conv2dWeightGrad, {g.view(), x.view()}, {r.weightGrad.view()}, s.attributes(), threads));
  return r;
}

struct Expected {
  std::vector<double> value, magnitude;
  explicit Expected(size_t size) : value(size), magnitude(size) {}
  void add(int at, double product) {
    value[at] += product;
    magnitude[at] += std::fabs(product);
  }
};

// Calls visit(name, actual, expected, terms) for the results that `s` gives.
template <typename Visit>
void forEachResult(const Shape& s, const Tensor<float>& x, const Tensor<float>& weight, const Tensor<float>& g,
                   const Results& r, const Visit& visit) {
  Expected out(r.out.size()), xGrad(r.xGrad.size()), weightGrad(r.weightGrad.size());
  forEachProduct(s, [&](int xAt, int wAt, int outAt) {
    const double xv = x.data()[xAt], wv = weight.data()[wAt], gv = g.data()[outAt];
    out.add(outAt, xv * wv);
    xGrad.add(xAt, gv * wv);
    weightGrad.add(wAt, gv * xv);
  });
  visit("forward", r.out, out, s.channels * 9);
  visit("input gradient", r.xGrad, xGrad, s.outChannels * 9);
  visit("weight gradient", r.weightGrad, weightGrad, s.images * s.outHeight() * s.outWidth());
}

// With multiples of 576 on one side every result is one; what rounding in between leaves is far below half of that.
TEST(WinogradTest, EveryResultIsTheRightMultiple) {
  std::mt19937 random(1);
  const auto pick = [&](int most) { return static_cast<float>(static_cast<int>(random() % (2 * most + 1)) - most); };
  for (const Shape& s : winogradShapes()) {
    Tensor<float> x(s.x()), weight(s.weight()), g(s.out());
    x.fill([&] { return pick(2); });
    for (const TestedIsa& isa : testedIsas()) {
      weight.fill([&] { return 576 * pick(1); });
      g.fill([&] { return pick(2); });
      const Results first = run(isa, s, x, weight, g, 2);
      forEachResult(s, x, weight, g, first, [&](const char* name, const Tensor<float>& actual, const Expected& e, int) {
        if (name == std::string("weight gradient")) return;
        for (size_t i = 0; i < e.value.size(); ++i)
          ASSERT_LT(std::fabs(actual.data()[i] - e.value[i]), 200) << isa.name << " " << s.text() << " " << name << i;
      });
      g.fill([&] { return 576 * pick(1); });
      const Results second = run(isa, s, x, weight, g, 2);
      forEachResult(s, x, weight, g, second,
                    [&](const char* name, const Tensor<float>& actual, const Expected& e, int) {
                      if (name != std::string("weight gradient")) return;
                      for (size_t i = 0; i < e.value.size(); ++i)
                        ASSERT_LT(std::fabs(actual.data()[i] - e.value[i]), 200)
                            << isa.name << " " << s.text() << " " << name << i;
                    });
    }
  }
}

// The direct sum's bound holds with the greatest magnitude in place of each result's own.
TEST(WinogradTest, ErrorsStayBelowTheBoundOfTheDirectSum) {
  std::mt19937 random(2);
  for (const Shape& s : winogradShapes()) {
    Tensor<float> x = Tensor<float>(s.x()).normals(random), weight = Tensor<float>(s.weight()).normals(random),
                  g = Tensor<float>(s.out()).normals(random);
    for (const TestedIsa& isa : testedIsas()) {
      const Results r = run(isa, s, x, weight, g, 1);
      forEachResult(s, x, weight, g, r,
                    [&](const char* name, const Tensor<float>& actual, const Expected& e, int terms) {
                      const double most = *std::max_element(e.magnitude.begin(), e.magnitude.end());
                      for (size_t i = 0; i < e.value.size(); ++i)
                        ASSERT_LE(std::fabs(actual.data()[i] - e.value[i]), epsilonOf<float>() * (terms + 2) * most)
                            << isa.name << " " << s.text() << " " << name << i;
                    });
    }
  }
}

TEST(WinogradTest, IsChosenForAllThreeAndOnlyWhereAllowed) {
  std::mt19937 random(3);
  for (Shape s : winogradShapes()) {
    Tensor<float> x = Tensor<float>(s.x()).normals(random), weight = Tensor<float>(s.weight()).normals(random),
                  g = Tensor<float>(s.out()).normals(random);
    const TestedIsa isa = testedIsas().back();
    const Results transformed = run(isa, s, x, weight, g, 1);
    s.winograd = 0;
    const Results direct = run(isa, s, x, weight, g, 1);
    EXPECT_FALSE(sameBits(transformed.out.values(), direct.out.values())) << s.text();
    EXPECT_FALSE(sameBits(transformed.xGrad.values(), direct.xGrad.values())) << s.text();
    EXPECT_FALSE(sameBits(transformed.weightGrad.values(), direct.weightGrad.values())) << s.text();
  }
}

TEST(WinogradTest, TheBitsDependNeitherOnThreadsNorOnTheInstructionSet) {
  std::mt19937 random(4);
  for (const Shape& s : winogradShapes()) {
    Tensor<float> x = Tensor<float>(s.x()).normals(random), weight = Tensor<float>(s.weight()).normals(random),
                  g = Tensor<float>(s.out()).normals(random);
    std::vector<Results> fused;
    for (const TestedIsa& isa : testedIsas()) {
      const Results one = run(isa, s, x, weight, g, 1), three = run(isa, s, x, weight, g, 3);
      EXPECT_TRUE(sameBits(one.out.values(), three.out.values())) << isa.name << " " << s.text();
      EXPECT_TRUE(sameBits(one.xGrad.values(), three.xGrad.values())) << isa.name << " " << s.text();
      EXPECT_TRUE(sameBits(one.weightGrad.values(), three.weightGrad.values())) << isa.name << " " << s.text();
      if (!isa.fused) continue;
      if (fused.empty()) fused.push_back(one);
      EXPECT_TRUE(sameBits(one.out.values(), fused[0].out.values())) << isa.name << " " << s.text();
      EXPECT_TRUE(sameBits(one.xGrad.values(), fused[0].xGrad.values())) << isa.name << " " << s.text();
      EXPECT_TRUE(sameBits(one.weightGrad.values(), fused[0].weightGrad.values())) << isa.name << " " << s.text();
    }
  }
}

TEST(WinogradTest, NaNPropagatesToWhatLooksAtIt) {
  Shape s = {4, 32, 16, 16, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1};
  std::mt19937 random(5);
  for (const TestedIsa& isa : testedIsas()) {
    Tensor<float> x = Tensor<float>(s.x()).normals(random), weight = Tensor<float>(s.weight()).normals(random),
                  g = Tensor<float>(s.out()).normals(random);
    x.data()[5 * 16 + 6] = NAN;  // the first channel of the first image
    const Results r = run(isa, s, x, weight, g, 1);
    for (int y = 4; y <= 6; ++y) {
      for (int c = 5; c <= 7; ++c) EXPECT_TRUE(std::isnan(r.out.data()[y * 16 + c])) << isa.name;
    }
    EXPECT_FALSE(std::isnan(r.out.data()[15 * 16 + 15]));
    EXPECT_TRUE(std::isnan(r.weightGrad.data()[0]));
  }
}

}  // namespace
}  // namespace saddlepoint
