// Times the matrix product, convolutions and batch normalisation on one thread, without Node: time, GFLOP/s and the
// share of the measured peak. An instruction set may be chosen by the environment variable TEST_ISA.
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels_support.h"

namespace saddlepoint {
namespace {

// Processor time of this thread, so that what else runs on the machine counts as little as possible.
double secondsNow() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Whether somebody else says when to run: in_turns.mjs, which has two builds take turns.
bool isPaced = false;

// For each line of the standard input, prints the mean seconds of a few milliseconds of calls.
void runWhenAsked(const std::function<void()>& run) {
  char line[8];
  while (std::fgets(line, sizeof line, stdin)) {
    const double start = secondsNow();
    int calls = 0;
    do {
      run();
      ++calls;
    } while (secondsNow() - start < 0.004);
    std::printf("%.9f\n", (secondsNow() - start) / calls);
    std::fflush(stdout);
  }
}

double secondsOf(const std::function<void()>& run) {
  run();
  if (isPaced) {
    runWhenAsked(run);
    std::exit(0);
  }
  double start = secondsNow();
  run();
  const int calls =
      std::max(1, static_cast<int>(2e-5 / (secondsNow() - start)));  // so that reading the clock costs little
  double best = 1e30, total = 0;
  for (int round = 0; round < 1000 && (total < 0.25 || round < 3); ++round) {
    start = secondsNow();
    for (int i = 0; i < calls; ++i) run();
    const double seconds = secondsNow() - start;
    best = std::min(best, seconds / calls);
    total += seconds;
  }
  return best;
}

void report(const std::string& what, double seconds, double flops, double peak) {
  std::printf("  %-44s %10.3f us %8.1f GFLOP/s %5.1f %%\n", what.c_str(), seconds * 1e6, flops / seconds * 1e-9,
              flops / seconds * 1e-9 / peak * 100);
}

struct Product {
  int m, n, k;
  bool transposedA, transposedB;
};

// "128x512x784B": rows, columns and depth; A or B behind them for a transposed operand.
Product productOf(const char* text) {
  Product product{};
  int end = 0;
  std::sscanf(text, "%dx%dx%d%n", &product.m, &product.n, &product.k, &end);
  product.transposedA = std::strchr(text + end, 'A') != nullptr;
  product.transposedB = std::strchr(text + end, 'B') != nullptr;
  return product;
}

void benchMatmul(const TestedIsa& isa, double peak, const std::vector<Product>& products) {
  std::mt19937 random(1);
  TestServices services(1);
  for (const Product& c : products) {
    Tensor<float> a = c.transposedA ? Tensor<float>({c.m, c.k}, {1, c.m}) : Tensor<float>({c.m, c.k});
    Tensor<float> b = c.transposedB ? Tensor<float>({c.k, c.n}, {1, c.k}) : Tensor<float>({c.k, c.n});
    Tensor<float> out({c.m, c.n});
    a.normals(random);
    b.normals(random);
    const double seconds = secondsOf([&] { runKernel(isa.matmul, {a.view(), b.view()}, {out.view()}, {}, services); });
    char what[64];
    std::snprintf(what, sizeof what, "matmul %d x %d x %d%s%s", c.m, c.n, c.k, c.transposedA ? " A^T" : "",
                  c.transposedB ? " B^T" : "");
    report(what, seconds, 2.0 * c.m * c.n * c.k, peak);
  }
}

void benchConv(const TestedIsa& isa, double peak, const std::string& filter, const std::string& direction) {
  std::mt19937 random(2);
  TestServices services(1);
  struct Case {
    int n, c, h, o, k, stride, padding, groups;
  };
  Case own{0, 0, 0, 0, 1, 1, 0, 1};
  const bool isOwn = std::sscanf(filter.c_str(), "%dx%dx%dto%dk%ds%dp%dg%d", &own.n, &own.c, &own.h, &own.o, &own.k,
                                 &own.stride, &own.padding, &own.groups) >= 4;
  const std::vector<Case> usual = {
      Case{8, 64, 56, 64, 3, 1, 1, 1},     Case{8, 128, 28, 128, 3, 1, 1, 1},   Case{8, 256, 14, 256, 3, 1, 1, 1},
      Case{8, 512, 7, 512, 3, 1, 1, 1},    Case{64, 1, 28, 32, 3, 1, 1, 1},     Case{64, 32, 28, 32, 3, 1, 1, 1},
      Case{64, 1, 28, 6, 5, 1, 2, 1},      Case{64, 6, 14, 16, 5, 1, 0, 1},     Case{32, 16, 8, 32, 3, 1, 1, 1},
      Case{32, 1, 8, 16, 3, 1, 1, 1},      Case{8, 64, 56, 128, 3, 2, 1, 1},    Case{8, 64, 56, 64, 1, 1, 0, 1},
      Case{1, 3, 224, 64, 7, 2, 3, 1},     Case{8, 144, 56, 144, 3, 1, 1, 144}, Case{32, 64, 32, 64, 3, 1, 1, 1},
      Case{32, 128, 16, 128, 3, 1, 1, 1},  Case{32, 256, 8, 256, 3, 1, 1, 1},   Case{32, 512, 4, 512, 3, 1, 1, 1},
      Case{1, 64, 56, 64, 3, 1, 1, 1},     Case{1, 512, 7, 512, 3, 1, 1, 1},    Case{1, 256, 14, 512, 3, 2, 1, 1},
      Case{8, 256, 14, 512, 3, 2, 1, 1},   Case{32, 64, 32, 128, 3, 2, 1, 1},   Case{32, 128, 16, 256, 3, 2, 1, 1},
      Case{32, 256, 8, 512, 3, 2, 1, 1},   Case{32, 64, 32, 128, 1, 2, 0, 1},   Case{32, 256, 8, 512, 1, 2, 0, 1},
      Case{32, 3, 32, 64, 3, 1, 1, 1},     Case{8, 256, 56, 64, 1, 1, 0, 1},    Case{8, 512, 28, 128, 1, 1, 0, 1},
      Case{8, 2048, 7, 512, 1, 1, 0, 1},   Case{8, 512, 7, 2048, 1, 1, 0, 1},   Case{1, 512, 7, 2048, 1, 1, 0, 1},
      Case{8, 96, 112, 96, 3, 2, 1, 96},   Case{8, 384, 14, 384, 3, 1, 1, 384}, Case{8, 960, 7, 960, 3, 1, 1, 960},
      Case{8, 192, 28, 192, 3, 2, 1, 192}, Case{8, 24, 56, 144, 1, 1, 0, 1},    Case{8, 144, 56, 24, 1, 1, 0, 1},
      Case{1, 256, 14, 512, 1, 2, 0, 1},   Case{8, 576, 14, 576, 3, 2, 1, 576}};
  for (const Case& c : isOwn ? std::vector<Case>{own} : usual) {
    const int out = (c.h + 2 * c.padding - c.k) / c.stride + 1;
    Tensor<float> x = Tensor<float>({c.n, c.c, c.h, c.h}).normals(random),
                  w = Tensor<float>({c.o, c.c / c.groups, c.k, c.k}).normals(random);
    Tensor<float> g = Tensor<float>({c.n, c.o, out, out}).normals(random);
    const double flops = 2.0 * c.n * c.o * out * out * (c.c / c.groups) * c.k * c.k;
    char what[96];
    std::snprintf(what, sizeof what, "conv N%d C%d %d^2 O%d k%d s%d g%d", c.n, c.c, c.h, c.o, c.k, c.stride, c.groups);
    if (!isOwn && std::string(what).find(filter) == std::string::npos) continue;
    const bool transformable = c.k == 3 && c.stride == 1 && c.groups == 1;
    const auto timeOne = [&](const char* name, double winograd, Kernel kernel, const Tensor<float>& left,
                             const Tensor<float>& right, const Tensor<float>& to) {
      const std::vector<double> attributes = {1.0 * c.stride, 1.0 * c.stride, 1.0 * c.padding, 1.0 * c.padding, 1, 1,
                                              1.0 * c.groups, winograd};
      report(std::string(what) + name + (winograd != 0 ? " winograd" : ""), secondsOf([&] {
               runKernel(kernel, {left.view(), right.view()}, {to.view()}, attributes, services);
             }),
             flops, peak);
    };
    const auto time = [&](const char* name, Kernel kernel, const Tensor<float>& left, const Tensor<float>& right,
                          const Tensor<float>& to) {
      if (std::string(name).find(direction) == std::string::npos) return;
      if (!transformable || !isPaced) timeOne(name, 0, kernel, left, right, to);
      if (transformable) timeOne(name, 1, kernel, left, right, to);
    };
    Tensor<float> y(g.shape), xGrad(x.shape), wGrad(w.shape);
    time(" fwd", isa.conv2d, x, w, y);
    time(" dx", isa.conv2dInputGrad, g, w, xGrad);
    time(" dw", isa.conv2dWeightGrad, g, x, wGrad);
  }
}

void benchMemoryBound(const TestedIsa& isa) {
  std::mt19937 random(3);
  TestServices services(1);
  const auto report = [](const std::string& what, double seconds, double bytes) {
    std::printf("  %-44s %10.3f us %8.1f GB/s\n", what.c_str(), seconds * 1e6, bytes / seconds * 1e-9);
  };
  for (const std::vector<int>& shape :
       {std::vector<int>{64, 64, 1024}, {64, 32, 784}, {128, 256, 1}, {32, 64, 16}, {32, 64, 4}}) {
    Tensor<float> x = Tensor<float>(shape).normals(random), g = Tensor<float>(shape).normals(random), y(shape),
                  statistics({2, shape[1]}), sums({2, shape[1]});
    Tensor<float> weight = Tensor<float>({shape[1]}).normals(random), bias = Tensor<float>({shape[1]}).normals(random);
    const double bytes = 4.0 * static_cast<double>(x.size());
    const std::string what = std::to_string(shape[0]) + "x" + std::to_string(shape[1]) + "x" + std::to_string(shape[2]);
    report("batchNormStatistics " + what,
           secondsOf([&] { runKernel(isa.batchNormStatistics, {x.view()}, {statistics.view()}, {}, services); }),
           bytes);
    report("batchNorm " + what, secondsOf([&] {
             runKernel(isa.batchNorm, {x.view(), statistics.view(), weight.view(), bias.view()}, {y.view()}, {1e-5},
                       services);
           }),
           2 * bytes);
    report("batchNormGradSums " + what, secondsOf([&] {
             runKernel(isa.batchNormGradSums, {g.view(), x.view(), statistics.view()}, {sums.view()}, {}, services);
           }),
           2 * bytes);
  }
  for (const auto& [n, c, h, k, s, p] :
       {std::array<int, 6>{64, 32, 28, 2, 2, 0}, {64, 16, 10, 2, 2, 0}, {8, 64, 112, 3, 2, 1}}) {
    const int out = (h + 2 * p - k) / s + 1;
    Tensor<float> x = Tensor<float>({n, c, h, h}).normals(random), y({n, c, out, out});
    Tensor<int32_t> indices({n, c, out, out});
    const std::vector<double> max = {1.0 * k, 1.0 * k, 1.0 * s, 1.0 * s, 1.0 * p, 1.0 * p, 1, 1};
    const std::vector<double> average = {1.0 * k, 1.0 * k, 1.0 * s, 1.0 * s, 1.0 * p, 1.0 * p, 1};
    const double bytes = 4.0 * static_cast<double>(x.size() + y.size());
    const std::string what =
        std::to_string(n) + "x" + std::to_string(c) + "x" + std::to_string(h) + "^2 k" + std::to_string(k);
    report("maxPool2d " + what, secondsOf([&] { runKernel(isa.maxPool2d, {x.view()}, {y.view()}, max, services); }),
           bytes);
    report("maxPool2dIndices " + what,
           secondsOf([&] { runKernel(isa.maxPool2dIndices, {x.view()}, {indices.view()}, max, services); }), bytes);
    report("avgPool2d " + what, secondsOf([&] { runKernel(isa.avgPool2d, {x.view()}, {y.view()}, average, services); }),
           bytes);
    report("avgPool2dInputGrad " + what,
           secondsOf([&] { runKernel(isa.avgPool2dInputGrad, {y.view()}, {x.view()}, average, services); }), bytes);
  }
}

}  // namespace
}  // namespace saddlepoint

// bench_gemm [matmul|conv|memory] [products, as 128x512x784B | part of a convolution's name, or one as
// 8x256x14to512k3s2p1g1: images, channels, size, output channels, and what is left out is a 1x1 window, 1, 0 and 1]
// [fwd|dx|dw] [paced: the first of them, as it is chosen, by in_turns.mjs]
int main(int count, char** arguments) {
  saddlepoint::isPaced = std::strcmp(arguments[count - 1], "paced") == 0;
  if (saddlepoint::isPaced) --count;
  const std::string only = count > 1 ? arguments[1] : "";
  const auto wanted = [&](const char* name) { return only.empty() || only == name; };
  std::vector<saddlepoint::Product> products;
  for (int i = 2; i < count; ++i) products.push_back(saddlepoint::productOf(arguments[i]));
  if (products.empty()) {
    for (const char* usual : {"1024x1024x1024", "1024x1024x1024AB", "512x512x512", "128x512x784B", "512x784x128A",
                              "32x32x16B", "32x4x32B", "32x16x32A", "1x1024x1024", "1x1024x1024B", "1024x1x1024"})
      products.push_back(saddlepoint::productOf(usual));
  }
  for (const saddlepoint::TestedIsa& isa : saddlepoint::testedIsas()) {
    double peak = 0;
    if (!saddlepoint::isPaced) {
      peak = isa.fmaPeak(0.3);
      std::printf("%s: peak %.1f GFLOP/s\n", isa.name, peak);
    }
    if (wanted("matmul")) saddlepoint::benchMatmul(isa, peak, products);
    if (wanted("conv")) saddlepoint::benchConv(isa, peak, count > 2 ? arguments[2] : "", count > 3 ? arguments[3] : "");
    if (wanted("memory")) saddlepoint::benchMemoryBound(isa);
  }
}
