// The formulas of cross_entropy on blocks of rows: contiguous ones, with vectors along the classes, and
// neighbouring ones, with vectors across the rows.
#pragma once

#include <algorithm>

#include "ops/cross_entropy/cross_entropy.h"
#include "primitives/rows.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// One problem with its types restored.
template <class T>
struct CrossEntropy {
  const CrossEntropyParams& params;
  const T* input;
  const std::int64_t* indices;  // null with probabilities
  const T* probabilities;       // null with indices
  const T* weight;              // null for ones
  T smooth, keep;               // label_smoothing / C and 1 - label_smoothing
  RowBlocks<T> blocks;

  CrossEntropy(const CrossEntropyParams& p, const void* x, const void* target, const void* w)
      : params(p),
        input(static_cast<const T*>(x)),
        indices(p.probabilities ? nullptr : static_cast<const std::int64_t*>(target)),
        probabilities(p.probabilities ? static_cast<const T*>(target) : nullptr),
        weight(static_cast<const T*>(w)),
        smooth(static_cast<T>(p.label_smoothing / static_cast<double>(p.classes))),
        keep(static_cast<T>(1.0 - p.label_smoothing)),
        blocks(p.classes, p.inner) {}

  T class_weight(std::int64_t c) const { return weight ? weight[c] : T(1); }
  bool ignored(std::int64_t row) const { return indices && indices[row] == params.ignore_index; }
  bool has_dense_target() const { return probabilities || params.label_smoothing > 0; }

  /// The part of w[c] q[c] that does not come from a class index, for vectors of classes (`targets`: the
  /// row's probabilities) ...
  template <class Vector>
  FASTDL_INLINE Vec<T> dense_targets(Vector vector, const T* targets, std::int64_t c) const {
    Vec<T> share = broadcast(smooth);
    if (targets) share = fma(broadcast(keep), vector.load(targets + c), share);
    return weight ? vector.load(weight + c) * share : share;
  }
  /// ... and for one class of a vector of rows.
  template <class Vector>
  FASTDL_INLINE Vec<T> dense_targets_of(Vector vector, const T* targets, std::int64_t c) const {
    Vec<T> share = broadcast(smooth);
    if (targets) share = fma(broadcast(keep), vector.load(targets), share);
    return class_weight(c) * share;
  }
};

/// What is known of a block's rows: with m the maximum of x, d[c] = x[c] - m.
template <class T>
struct RowSums {
  T maximum[max_block_rows];
  T exponentials[max_block_rows];     // sum_c exp(d[c])
  T log_sum[max_block_rows];          // its logarithm
  T target_weight[max_block_rows];    // sum_c w[c] q[c], of dense targets
  T target_distance[max_block_rows];  // sum_c w[c] q[c] d[c], of dense targets
  T counts[max_block_rows];           // 0 for a row that is ignored, else 1
  T share[max_block_rows];            // w[target] (1 - label_smoothing), 0 where it is ignored
  T target_input[max_block_rows];     // x[target]
};

/// Looks up what row + j wants of its target; its class c is x[c * step]. An ignored row reads class 0
/// instead of branching, which nobody could predict.
template <class T>
FASTDL_INLINE void look_up_target(const CrossEntropy<T>& problem, std::int64_t row, int j, const T* x,
                                  std::int64_t step, RowSums<T>& sums) {
  if (!problem.indices) {
    sums.counts[j] = 1;
    sums.share[j] = sums.target_input[j] = 0;
    return;
  }
  const std::int64_t index = problem.indices[row + j];
  const auto counts = static_cast<std::int64_t>(index != problem.params.ignore_index);
  const std::int64_t target = index & -counts;
  sums.counts[j] = static_cast<T>(counts);
  sums.share[j] = problem.keep * problem.class_weight(target);
  sums.target_input[j] = x[target * step];
}

/// Sums of one contiguous row whose maximum is known; keeps the exponentials in y unless that is null. Long
/// rows are summed in pieces, so that the error does not grow with their length.
template <class T, bool dense, bool kept>
void sum_row(const CrossEntropy<T>& problem, const T* x, const T* targets, RowSums<T>& sums, int j, T* y) {
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  const std::int64_t classes = problem.params.classes;
  // The search for a maximum has too little to compute while it waits for memory, the exponentials have
  // enough: they fetch what the rows to come will read.
  const T* const ahead = x + std::max<std::int64_t>(classes, 65536 / static_cast<std::int64_t>(sizeof(T)));
  const Vec<T> maximum = broadcast(sums.maximum[j]);
  double exponentials = 0, weight = 0, distance = 0;
  for (std::int64_t begin = 0; begin < classes; begin += tile_elements<T>) {
    Vec<T> e_sum{}, q_sum{}, d_sum{};
    for_each_vector<T>(begin, std::min(classes, begin + tile_elements<T>), [&](auto vector, std::int64_t c) {
      __builtin_prefetch(ahead + c);
      const Vec<T> d = vector.load(x + c, lowest) - maximum;
      const Vec<T> e = exp_nonpositive(d);
      e_sum += e;
      if constexpr (kept) vector.store(y + c, e);
      if constexpr (dense) {
        const Vec<T> q = vector.or_zero(problem.dense_targets(vector, targets, c));
        q_sum += q;
        d_sum += vector.or_zero(q * d);
      }
    });
    exponentials += reduce_add(e_sum);
    if constexpr (dense) weight += reduce_add(q_sum), distance += reduce_add(d_sum);
  }
  sums.exponentials[j] = static_cast<T>(exponentials);
  sums.target_weight[j] = static_cast<T>(weight);
  sums.target_distance[j] = static_cast<T>(distance);
}

/// The same for `count` neighbouring rows; x, targets and y have their classes `step` apart.
template <class T, bool dense, bool kept>
void sum_rows(const CrossEntropy<T>& problem, const T* x, const T* targets, std::int64_t step, int count,
              RowSums<T>& sums, T* y) {
  for_each_vector<T>(0, count, [&](auto vector, std::int64_t j) {
    const Vec<T> maximum = vector.load(sums.maximum + j);
    Vec<T> e_sum{}, q_sum{}, d_sum{};
    for (std::int64_t c = 0; c < problem.params.classes; ++c) {
      const std::int64_t at = c * step + j;
      const Vec<T> d = vector.load(x + at) - maximum;
      const Vec<T> e = exp_nonpositive(d);
      e_sum += e;
      if constexpr (kept) vector.store(y + at, e);
      if constexpr (dense) {
        const Vec<T> q = problem.dense_targets_of(vector, targets ? targets + at : nullptr, c);
        q_sum += q;
        d_sum = fma(q, d, d_sum);
      }
    }
    vector.store(sums.exponentials + j, e_sum);
    vector.store(sums.target_weight + j, q_sum);
    vector.store(sums.target_distance + j, d_sum);
  });
}

/// The logarithms of a block's sums, and its losses.
template <class T>
void finish_losses(const CrossEntropy<T>& problem, int count, RowSums<T>& sums, T* loss) {
  const bool dense = problem.has_dense_target();
  for_each_vector<T>(0, count, [&](auto vector, std::int64_t j) {
    const auto of = [&](const T* values) { return vector.load(values + j); };
    const Vec<T> log_sum = log(of(sums.exponentials));
    vector.store(sums.log_sum + j, log_sum);
    Vec<T> value = of(sums.share) * (log_sum - (of(sums.target_input) - of(sums.maximum)));
    if (!problem.indices) value = Vec<T>{};
    if (dense) value += fma(log_sum, of(sums.target_weight), -of(sums.target_distance));
    vector.store(loss + j, select(of(sums.counts) > T(0), value, Vec<T>{}));
  });
}

/// From exponentials to gradients, d loss / d x[c] = g (p[c] sum_c' w[c'] q[c'] - w[c] q[c]) with
/// p = softmax(x): of one row ...
template <class T, bool dense>
void row_gradient(const CrossEntropy<T>& problem, std::int64_t row, const T* targets, T g,
                  const RowSums<T>& sums, int j, T* y) {
  const std::int64_t classes = problem.params.classes;
  if (problem.ignored(row)) {
    std::fill_n(y, classes, T(0));
    return;
  }
  const T scale = g * (dense ? sums.share[j] + sums.target_weight[j] : sums.share[j]) / sums.exponentials[j];
  for_each_vector<T>(0, classes, [&](auto vector, std::int64_t c) {
    Vec<T> grad = scale * vector.load(y + c);
    if constexpr (dense) grad = fma(broadcast(-g), problem.dense_targets(vector, targets, c), grad);
    vector.store(y + c, grad);
  });
  if (problem.indices) y[problem.indices[row]] -= g * sums.share[j];
}

/// ... and of `count` neighbours, with their g.
template <class T, bool dense>
void row_gradients(const CrossEntropy<T>& problem, std::int64_t row, const T* targets, const T* g, int count,
                   const RowSums<T>& sums, std::int64_t step, T* y) {
  T due[max_block_rows];  // g w[target] (1 - label_smoothing)
  for_each_vector<T>(0, count, [&](auto vector, std::int64_t j) {
    const auto of = [&](const T* values) { return vector.load(values + j); };
    const IntVec<T> counts = of(sums.counts) > T(0);
    const Vec<T> weight = dense ? of(sums.share) + of(sums.target_weight) : of(sums.share);
    const Vec<T> factor = of(g) * weight / of(sums.exponentials);
    for (std::int64_t at = j, c = 0; c < problem.params.classes; at += step, ++c) {
      Vec<T> grad = factor * vector.load(y + at);
      if constexpr (dense)
        grad = fma(-of(g), problem.dense_targets_of(vector, targets ? targets + at : nullptr, c), grad);
      vector.store(y + at, select(counts, grad, Vec<T>{}));
    }
    vector.store(due + j, select(counts, of(g) * of(sums.share), Vec<T>{}));
  });
  for (int j = 0; problem.indices && j < count; ++j) {
    const std::int64_t index = problem.indices[row + j];
    y[(index == problem.params.ignore_index ? 0 : index) * step + j] -= due[j];
  }
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
