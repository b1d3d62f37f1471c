#include "check.h"

namespace saddlepoint {
namespace {

// A window along one of the two dims that it moves over.
struct Window {
  int64_t kernel;
  int64_t stride;
  int64_t padding;
  int64_t dilation;
};

bool failed(const char* what, std::string* problem) {
  *problem = what;
  return false;
}

bool fits(int64_t size, int64_t outputSize, const Window& w, std::string* problem) {
  // All terms are below 2^31, so 64 bits hold every product; kernels may compute in 32.
  const int64_t reach = w.dilation * (w.kernel - 1) + 1;
  const int64_t padded = size + 2 * w.padding;
  if (padded > INT32_MAX || reach > padded) return failed("its window does not fit into the padded input", problem);
  return (padded - reach) / w.stride + 1 == outputSize ||
         failed("the output does not have the size that follows", problem);
}

}  // namespace

bool checkConvolution(const View& x, const View& weight, const View& y, const double* attributes,
                      std::string* problem) {
  if (x.rank != 4 || weight.rank != 4 || y.rank != 4) return failed("its tensors do not have 4 dims", problem);
  int64_t v[7];
  for (int32_t i = 0; i < 7; i++)
    if (!integerAttribute(attributes, i, i == 2 || i == 3 ? 0 : 1, INT32_MAX, &v[i], problem)) return false;
  int64_t winograd;
  if (!integerAttribute(attributes, 7, 0, 1, &winograd, problem)) return false;
  const int64_t groups = v[6];
  if (x.shape[0] != y.shape[0]) return failed("its batch sizes differ", problem);
  if (weight.shape[0] != y.shape[1] || weight.shape[0] % groups != 0 || weight.shape[1] * groups != x.shape[1])
    return failed("its channels and groups do not fit", problem);
  if (weight.shape[2] < 1 || weight.shape[3] < 1) return failed("its window is empty", problem);
  return fits(x.shape[2], y.shape[2], {weight.shape[2], v[0], v[2], v[4]}, problem) &&
         fits(x.shape[3], y.shape[3], {weight.shape[3], v[1], v[3], v[5]}, problem);
}

bool checkPool(const View& x, const View& y, bool isMax, const double* attributes, std::string* problem) {
  if (x.rank != 4 || y.rank != 4) return failed("its tensors do not have 4 dims", problem);
  int64_t v[8] = {1, 1, 1, 1, 0, 0, 1, 1};
  const int32_t count = isMax ? 8 : 6;
  for (int32_t i = 0; i < count; i++)
    if (!integerAttribute(attributes, i, i == 4 || i == 5 ? 0 : 1, INT32_MAX, &v[i], problem)) return false;
  int64_t countIncludePad;
  if (!isMax && !integerAttribute(attributes, 6, 0, 1, &countIncludePad, problem)) return false;
  if (x.shape[0] != y.shape[0] || x.shape[1] != y.shape[1])
    return failed("its batch sizes or channels differ", problem);
  return fits(x.shape[2], y.shape[2], {v[0], v[2], v[4], v[6]}, problem) &&
         fits(x.shape[3], y.shape[3], {v[1], v[3], v[5], v[7]}, problem);
}

}  // namespace saddlepoint
