#pragma once

#include <optional>

#include "core/backend.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace fastdl {

/// y[i, :] = weight[indices[i], :] for `count` int64 indices in [0, num_embeddings), weight (num_embeddings,
/// embedding_dim) and y (count, embedding_dim).
struct EmbeddingParams {
  DType dtype;  ///< of weight, y and the gradients
  std::int64_t count, num_embeddings, embedding_dim;
  std::int64_t padding_idx;  ///< the row that gets no gradient; -1 for none
  bool scale_grad_by_freq;   ///< divides a row's gradient by how often its index occurs
};

/// All arrays are C-contiguous; none aliases another. An index out of range: bad_index, and nothing is
/// written.
struct EmbeddingKernels {
  Status (*forward)(const Launch&, const EmbeddingParams&, const void* indices, const void* weight, void* y);

  /// Bytes of Launch::workspace for backward.
  std::size_t (*backward_workspace_bytes)(const EmbeddingParams&);
  /// grad_weight[v, :] = sum of grad_y[i, :] over the i with indices[i] == v, in order; zeros for the others.
  Status (*backward)(const Launch&, const EmbeddingParams&, const void* grad_y, const void* indices,
                     void* grad_weight);
};

/// The shape rule. A negative padding_idx counts from the end. Throws ValueError or TypeError.
EmbeddingParams embedding_params(const Shape& indices, const Shape& weight, DType weight_dtype,
                                 std::optional<std::int64_t> padding_idx, bool scale_grad_by_freq);

}  // namespace fastdl
