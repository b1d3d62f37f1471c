#include "check.h"

namespace saddlepoint {
namespace {

// Whether `view` is [batch of q..., sizes...].
bool fits(const View& view, const View& q, std::initializer_list<int64_t> sizes) {
  int32_t dim = q.rank - 2;
  if (view.rank != dim + static_cast<int32_t>(sizes.size())) return false;
  for (int32_t i = 0; i < dim; i++)
    if (view.shape[i] != q.shape[i]) return false;
  for (int64_t size : sizes)
    if (view.shape[dim++] != size) return false;
  return true;
}

}  // namespace

bool checkAttention(const View* inputs, const View& output, int32_t first, bool masked, std::string* problem) {
  const auto fail = [&](const char* what) {
    *problem = what;
    return false;
  };
  const View &q = inputs[first], &k = inputs[first + 1], &v = inputs[first + 2];
  if (q.rank < 2 || k.rank != q.rank || v.rank != q.rank) return fail("its ranks do not fit");
  const int32_t rows = q.rank - 2, columns = q.rank - 1;
  const int64_t queries = q.shape[rows], keys = k.shape[rows], width = q.shape[columns], valueWidth = v.shape[columns];
  if (!fits(k, q, {keys, width}) || !fits(v, q, {keys, valueWidth}))
    return fail("its query, key and value do not fit");
  if (masked) {
    const View& mask = inputs[first + 3];
    if (mask.dtype != kBool && mask.dtype != q.dtype) return fail("its mask is neither bool nor of the query's dtype");
    if (!fits(mask, q, {queries, keys})) return fail("its mask does not fit");
  }
  if (first == 0) return fits(output, q, {queries, valueWidth}) || fail("its output does not fit");
  if (!fits(inputs[0], q, {queries, valueWidth})) return fail("its gradient does not fit");
  return fits(output, q, {(queries + keys) * width + keys * valueWidth}) || fail("its output does not fit");
}

}  // namespace saddlepoint
