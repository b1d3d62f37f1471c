// Attention without its matrix of weights: for a few queries at a time the keys go by in tiles, and a running maximum
// corrects what was summed before (online softmax: Milakov and Gimelshein 2018; Dao et al., FlashAttention, 2022).
#include "attention.h"

namespace saddlepoint {
namespace {

// Keys of a tile: part of the order of summation. Queries share what is packed of the keys; neither count of theirs
// changes a bit.
enum { kKeyTile = 128, kQueriesPerPart = 256, kQueryTile = 56 / kWideRows * kWideRows, kLeastWork = 1 << 18 };
// Off a power of two, so that the rows of a tile do not compete for the same cache lines.
enum { kScoresRow = kKeyTile + 16 };

template <typename T>
class Part {
 public:
  Part(const AttentionProblem<T>& problem, T* memory, int queries)
      : p_(problem), queries_(queries), tileRows_(static_cast<int>(ceilDivide(queries, tilesOf(queries)))) {
    Pieces<T> pieces{memory};
    q_ = pieces.take(static_cast<size_t>(queries) * p_.width);
    keys_ = pieces.take(PackedColumns<T>::elements(p_.width, kKeyTile));
    values_ = pieces.take(PackedColumns<T>::elements(kKeyTile, p_.valueWidth));
    scores_ = pieces.take(kQueryTile * kScoresRow);
    max_ = pieces.take(queries);
    sum_ = pieces.take(queries);
  }
  static size_t elements(const AttentionProblem<T>& p, int queries) {
    const auto rounded = Pieces<T>::rounded;
    return rounded(static_cast<size_t>(queries) * p.width) + rounded(PackedColumns<T>::elements(p.width, kKeyTile)) +
           rounded(PackedColumns<T>::elements(kKeyTile, p.valueWidth)) + rounded(kQueryTile * kScoresRow) +
           2 * rounded(queries);
  }

  // The queries from `first` on of an item, whose results begin at `out`.
  void run(ptrdiff_t item, int first, T* out) {
    const Matrix<T> q = matrixOf<T>(*p_.q, item), k = matrixOf<T>(*p_.k, item), v = matrixOf<T>(*p_.v, item);
    const Mask mask = p_.maskOf(item);
    // Keys that nobody sees have the weight 0, which does not make 0 of everything.
    const bool skips = p_.isCausal && allFinite(v, smaller(first + 1, p_.keys), p_.keys, p_.valueWidth);
    for (int i = 0; i < queries_; i += tileRows_) {
      const Matrix<T> rows = {q.data + (first + i) * q.row, q.row, q.column};
      packScaled(q_ + static_cast<ptrdiff_t>(i) * p_.width, rows, rowsFrom(i), p_.width, p_.scale);
    }
    for (int i = 0; i < queries_; ++i) {
      max_[i] = -MathConstants<T>::infinity;
      sum_[i] = 0;
    }
    const int end = skips ? p_.visibleKeys(first + queries_) : p_.keys;
    for (int key = 0; key < end; key += kKeyTile) {
      const int count = smaller<int>(kKeyTile, p_.keys - key);
      const PackedColumns<T> keys = {keys_, p_.width, count}, values = {values_, count, p_.valueWidth};
      keys.pack({k.data + key * k.row, k.column, k.row});
      values.pack({v.data + key * v.row, v.row, v.column});
      for (int i = 0; i < queries_; i += tileRows_) {
        const int rows = rowsFrom(i);
        if (skips && key >= first + i + rows) continue;
        multiplyPacked(q_ + static_cast<ptrdiff_t>(i) * p_.width, rows, count, p_.width, keys, scores_, kScoresRow);
        T* const to = out + static_cast<ptrdiff_t>(i) * p_.valueWidth;
        for (int row = 0; row < rows; ++row) {
          T* scores = scores_ + row * kScoresRow;
          maskScores(mask, p_.isCausal, first + i + row, key, scores, count);
          weigh(scores, count, i + row, key > 0 ? to + static_cast<ptrdiff_t>(row) * p_.valueWidth : nullptr);
        }
        multiplyLying<T>({scores_, kScoresRow, 1}, rows, p_.valueWidth, count, values, to, p_.valueWidth, key > 0);
      }
    }
    for (int i = 0; i < queries_; ++i) {
      scaleRow(out + static_cast<ptrdiff_t>(i) * p_.valueWidth, p_.valueWidth, T(1) / sum_[i]);
    }
  }

 private:
  static int tilesOf(int queries) { return static_cast<int>(ceilDivide(queries, kQueryTile)); }
  int rowsFrom(int i) const { return smaller(tileRows_, queries_ - i); }

  // Scores become e^(score - maximum so far), and what was summed before is corrected to that maximum.
  void weigh(T* scores, int count, int i, T* out) {
    constexpr T none = -MathConstants<T>::infinity;
    const T before = max_[i], most = MaxOp()(before, maxOfRow(scores, count));
    // Nothing seen yet: all terms are e^-inf, but -inf - -inf would be NaN.
    const T shift = most == none ? T(0) : most;
    const T sum = sumOfExp<true>(scores, scores, count, shift);
    max_[i] = most;
    if (before == most || before == none) {
      sum_[i] += sum;
      return;
    }
    const T factor = firstLane(exp(Vec<T>::broadcast(before - shift)));
    sum_[i] = sum_[i] * factor + sum;
    scaleRow(out, p_.valueWidth, factor);
  }

  const AttentionProblem<T>& p_;
  int queries_, tileRows_;
  T *q_, *keys_, *values_, *scores_, *max_, *sum_;
};

template <typename T>
Failure attention(const Call& call) {
  const AttentionProblem<T> p(call, 0);
  T* out = static_cast<T*>(call.outputs[0].data);
  if (call.outputs[0].size == 0) return kOk;
  if (p.keys == 0) {
    for (int32_t i = 0; i < call.outputs[0].size; ++i) out[i] = 0;
    return kOk;
  }
  const int perPart = static_cast<int>(ceilDivide(p.queries, ceilDivide(p.queries, kQueriesPerPart)));
  const int parts = static_cast<int>(ceilDivide(p.queries, perPart));
  const double work = static_cast<double>(p.queries) * p.keys * (p.width + p.valueWidth + 8);
  const ptrdiff_t items = parts > 1 ? 1 : larger<ptrdiff_t>(1, static_cast<ptrdiff_t>(kLeastWork / work));
  return runParts(call, ceilDivide(p.items, items) * parts, [&](int part, int worker) {
    const int first = part % parts * perPart, queries = smaller(perPart, p.queries - first);
    T* memory = scratchOf<T>(call, worker, 1, Part<T>::elements(p, queries));
    if (!memory) return false;
    const ptrdiff_t firstItem = part / parts * items;
    for (ptrdiff_t item = firstItem; item < smaller(firstItem + items, p.items); ++item) {
      Part<T>(p, memory, queries).run(item, first, out + (item * p.queries + first) * p.valueWidth);
    }
    return true;
  });
}

}  // namespace

SADDLEPOINT_KERNEL(attention) {
  return call.outputs[0].dtype == kFloat64 ? attention<double>(call) : attention<float>(call);
}

}  // namespace saddlepoint
