// The gradients of attention for query, key and value, each item's beside each other: [L E | S E | S Ev]. The weights
// are computed again for a few queries at a time, whole rows of them, and die in the cache.
#include "attention.h"

namespace saddlepoint {
namespace {

// Queries of a tile are part of the order of summation: they follow from the number of keys alone.
enum { kLongTile = 64, kShortTile = 32, kManyKeys = 2048, kLeastWork = 1 << 18 };

template <typename T>
SADDLEPOINT_INLINE T dotOfChunk(const T* a, const T* b, int n) {
  using V = Vec<T>;
  Lanes<T> sum = Lanes<T>::broadcast(0);
  for (int i = 0; i < n; i += reduceLanes) {
    for (int j = 0; j < Lanes<T>::count; ++j) {
      const int at = i + j * V::lanes, left = n - at;
      if (left >= V::lanes) {
        sum.v[j] = fma(V::load(a + at), V::load(b + at), sum.v[j]);
      } else if (left > 0) {
        sum.v[j] = fma(V::loadPartial(a + at, left), V::loadPartial(b + at, left), sum.v[j]);
      }
    }
  }
  return combineLanes(sum, SumOp());
}

template <typename T>
T dotOfRows(const T* a, const T* b, int n) {
  if (n <= reduceChunk) return dotOfChunk(a, b, n);
  PairTree<T, SumOp> tree;
  for (int i = 0; i < n; i += reduceChunk) {
    tree.push(dotOfChunk(a + i, b + i, smaller(reduceChunk, n - i)), SumOp());
  }
  return tree.finish(SumOp());
}

// The gradient for the scores of a query, from its weights and the gradient for them: w (g - Σ w g).
template <typename T>
void gradOfScores(const T* weights, T* grad, int n) {
  using V = Vec<T>;
  const V mean = V::broadcast(dotOfRows(weights, grad, n));
  int i = 0;
  for (; i + V::lanes <= n; i += V::lanes) (V::load(weights + i) * (V::load(grad + i) - mean)).store(grad + i);
  if (i < n) {
    (V::loadPartial(weights + i, n - i) * (V::loadPartial(grad + i, n - i) - mean)).storePartial(grad + i, n - i);
  }
}

template <typename T>
class Item {
 public:
  Item(const AttentionProblem<T>& problem, const View& g, T* memory) : p_(problem), g_(g) {
    Pieces<T> pieces{memory};
    const auto panels = [&](int depth, int columns) {
      return PackedColumns<T>{pieces.take(PackedColumns<T>::elements(depth, columns)), depth, columns};
    };
    const int tile = tileOf(p_);
    keysTransposed_ = panels(p_.width, p_.keys);
    valuesTransposed_ = panels(p_.valueWidth, p_.keys);
    keys_ = panels(p_.keys, p_.width);
    queryColumns_ = pieces.take(PackedColumns<T>::elements(tile, p_.width));
    gradColumns_ = pieces.take(PackedColumns<T>::elements(tile, p_.valueWidth));
    queryRows_ = pieces.take(static_cast<size_t>(tile) * p_.width);
    gradRows_ = pieces.take(static_cast<size_t>(tile) * p_.valueWidth);
    weights_ = pieces.take(static_cast<size_t>(tile) * scoresRow(p_));
    scoresGrad_ = pieces.take(static_cast<size_t>(tile) * scoresRow(p_));
  }
  static size_t elements(const AttentionProblem<T>& p) {
    const auto rounded = Pieces<T>::rounded;
    const auto panels = [&](int depth, int columns) { return rounded(PackedColumns<T>::elements(depth, columns)); };
    const int tile = tileOf(p);
    return panels(p.width, p.keys) + panels(p.valueWidth, p.keys) + panels(p.keys, p.width) + panels(tile, p.width) +
           panels(tile, p.valueWidth) + rounded(static_cast<size_t>(tile) * p.width) +
           rounded(static_cast<size_t>(tile) * p.valueWidth) + 2 * rounded(static_cast<size_t>(tile) * scoresRow(p));
  }

  // All three gradients are 0 before.
  void run(ptrdiff_t item, T* queryGrad, T* keyGrad, T* valueGrad) {
    const Matrix<T> q = matrixOf<T>(*p_.q, item), k = matrixOf<T>(*p_.k, item), v = matrixOf<T>(*p_.v, item);
    const Matrix<T> g = matrixOf<T>(g_, item);
    const Mask mask = p_.maskOf(item);
    // Keys that nobody sees have the weight 0, which does not make 0 of everything.
    const bool skips = p_.isCausal && allFinite(q, 0, p_.queries, p_.width) && allFinite(k, 0, p_.keys, p_.width) &&
                       allFinite(v, 0, p_.keys, p_.valueWidth) && allFinite(g, 0, p_.queries, p_.valueWidth);
    keysTransposed_.pack({k.data, k.column, k.row});
    valuesTransposed_.pack({v.data, v.column, v.row});
    keys_.pack(k);
    const int tile = tileOf(p_);
    for (int i = 0; i < p_.queries; i += tile) {
      const int rows = smaller(tile, p_.queries - i);
      const int count = skips ? p_.visibleKeys(i + rows) : p_.keys;
      scoresGradOf({q.data + i * q.row, q.row, q.column}, {g.data + i * g.row, g.row, g.column}, mask, i, rows, count);
      T* const to = queryGrad + static_cast<ptrdiff_t>(i) * p_.width;
      const ptrdiff_t pitch = scoresRow(p_);
      multiplyLying<T>({scoresGrad_, pitch, 1}, rows, p_.width, count, keys_, to, p_.width, false);
      scaleRow(to, rows * p_.width, p_.scale);
      multiplyLying<T>({scoresGrad_, 1, pitch}, count, p_.width, rows, {queryColumns_, rows, p_.width}, keyGrad,
                       p_.width, true);
      multiplyLying<T>({weights_, 1, pitch}, count, p_.valueWidth, rows, {gradColumns_, rows, p_.valueWidth}, valueGrad,
                       p_.valueWidth, true);
    }
  }

 private:
  static int tileOf(const AttentionProblem<T>& p) { return p.keys > kManyKeys ? kShortTile : kLongTile; }
  // Off a power of two, so that the rows of a tile do not compete for the same cache lines.
  static int scoresRow(const AttentionProblem<T>& p) { return static_cast<int>(ceilDivide(p.keys, 16)) * 16 + 16; }

  // Fills weights_ and scoresGrad_ for some queries, and packs these and their g as the products need them.
  void scoresGradOf(const Matrix<T>& q, const Matrix<T>& g, const Mask& mask, int first, int rows, int count) {
    const ptrdiff_t pitch = scoresRow(p_);
    packScaled(queryRows_, q, rows, p_.width, p_.scale);
    packScaled(gradRows_, g, rows, p_.valueWidth, T(1));
    const PackedColumns<T> queries = {queryColumns_, rows, p_.width}, grads = {gradColumns_, rows, p_.valueWidth};
    queries.pack(q);
    scaleRow(queryColumns_, static_cast<int>(PackedColumns<T>::elements(rows, p_.width)), p_.scale);
    grads.pack(g);
    multiplyPacked(queryRows_, rows, count, p_.width, keysTransposed_, weights_, pitch);
    multiplyPacked(gradRows_, rows, count, p_.valueWidth, valuesTransposed_, scoresGrad_, pitch);
    for (int row = 0; row < rows; ++row) {
      T* weights = weights_ + row * pitch;
      maskScores(mask, p_.isCausal, first + row, 0, weights, count);
      softmaxRow(weights, weights, count);
      gradOfScores(weights, scoresGrad_ + row * pitch, count);
    }
  }

  const AttentionProblem<T>& p_;
  const View& g_;
  PackedColumns<T> keysTransposed_, valuesTransposed_, keys_;
  T *queryColumns_, *gradColumns_, *queryRows_, *gradRows_, *weights_, *scoresGrad_;
};

template <typename T>
Failure attentionGrad(const Call& call) {
  const AttentionProblem<T> p(call, 1);
  T* out = static_cast<T*>(call.outputs[0].data);
  for (int32_t i = 0; i < call.outputs[0].size; ++i) out[i] = 0;
  if (call.outputs[0].size == 0 || p.keys == 0 || p.queries == 0) return kOk;
  const ptrdiff_t ofQuery = static_cast<ptrdiff_t>(p.queries) * p.width;
  const ptrdiff_t ofKey = static_cast<ptrdiff_t>(p.keys) * p.width;
  const ptrdiff_t ofItem = ofQuery + ofKey + static_cast<ptrdiff_t>(p.keys) * p.valueWidth;
  const double work = static_cast<double>(p.queries) * p.keys * (p.width + p.valueWidth + 8) * 2;
  const ptrdiff_t items = larger<ptrdiff_t>(1, static_cast<ptrdiff_t>(kLeastWork / work));
  return runParts(call, ceilDivide(p.items, items), [&](int part, int worker) {
    T* memory = scratchOf<T>(call, worker, 1, Item<T>::elements(p));
    if (!memory) return false;
    for (ptrdiff_t item = part * items; item < smaller((part + 1) * items, p.items); ++item) {
      T* const to = out + item * ofItem;
      Item<T>(p, call.inputs[0], memory).run(item, to, to + ofQuery, to + ofQuery + ofKey);
    }
    return true;
  });
}

}  // namespace

SADDLEPOINT_KERNEL(attentionGrad) {
  return call.outputs[0].dtype == kFloat64 ? attentionGrad<double>(call) : attentionGrad<float>(call);
}

}  // namespace saddlepoint
