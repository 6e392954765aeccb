#include <algorithm>
#include <cstring>

#include "core/simd.h"
#include "core/thread_pool.h"
#include "ops/embedding/embedding.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Rows of the table, or of the result, that a chunk takes.
FASTDL_INLINE std::int64_t embedding_rows_per_chunk(const EmbeddingParams& params) {
  constexpr std::int64_t chunk_elements = 1 << 15;
  return std::max<std::int64_t>(1, chunk_elements / std::max<std::int64_t>(1, params.embedding_dim));
}

FASTDL_INLINE Status check_embedding_indices(const EmbeddingParams& params, const std::int64_t* indices) {
  for (std::int64_t i = 0; i < params.count; ++i)
    if (indices[i] < 0 || indices[i] >= params.num_embeddings) return {Status::bad_index, i, indices[i]};
  return {};
}

Status embedding_forward(const Launch&, const EmbeddingParams& params, const void* indices,
                         const void* weight, void* y) {
  const auto* rows = static_cast<const std::int64_t*>(indices);
  const Status status = check_embedding_indices(params, rows);
  if (status.code != Status::ok) return status;
  const std::int64_t bytes = params.embedding_dim * static_cast<std::int64_t>(item_size(params.dtype));
  const std::int64_t step = embedding_rows_per_chunk(params);
  parallel_for((params.count + step - 1) / step, [&](std::int64_t chunk) {
    for (std::int64_t i = chunk * step; i < std::min(params.count, (chunk + 1) * step); ++i)
      std::memcpy(static_cast<char*>(y) + i * bytes, static_cast<const char*>(weight) + rows[i] * bytes,
                  static_cast<std::size_t>(bytes));
  });
  return {};
}

/// Where each index occurs: positions[begin[v]] up to positions[begin[v + 1]] are those of v, in order.
struct Occurrences {
  std::int64_t* begin;
  std::int64_t* positions;

  Occurrences(const EmbeddingParams& params, void* workspace)
      : begin(static_cast<std::int64_t*>(workspace)), positions(begin + params.num_embeddings + 1) {}

  /// A counting sort, stable.
  void sort(const EmbeddingParams& params, const std::int64_t* indices) const {
    std::memset(begin, 0, static_cast<std::size_t>(params.num_embeddings + 1) * sizeof(*begin));
    for (std::int64_t i = 0; i < params.count; ++i) ++begin[indices[i] + 1];
    for (std::int64_t v = 0; v < params.num_embeddings; ++v) begin[v + 1] += begin[v];
    // From here begin[v] is the end of what v has found; afterwards it is the beginning of v + 1.
    for (std::int64_t i = 0; i < params.count; ++i) positions[begin[indices[i]]++] = i;
    for (std::int64_t v = params.num_embeddings; v > 0; --v) begin[v] = begin[v - 1];
    begin[0] = 0;
  }
};

std::size_t embedding_backward_workspace_bytes(const EmbeddingParams& params) {
  return static_cast<std::size_t>(params.num_embeddings + 1 + params.count) * sizeof(std::int64_t);
}

/// sum += x, both of `count` elements.
template <class T>
FASTDL_INLINE void add_row(const T* x, std::int64_t count, T* sum) {
  std::int64_t j = 0;
  for (; j + lanes<T> <= count; j += lanes<T>) store(sum + j, load(sum + j) + load(x + j));
  for (; j < count; ++j) sum[j] += x[j];
}

template <class T>
void embedding_backward_row(const EmbeddingParams& params, const Occurrences& occurrences, std::int64_t v,
                            const T* grad_y, T* sum) {
  const std::int64_t dim = params.embedding_dim, begin = occurrences.begin[v], end = occurrences.begin[v + 1];
  if (begin == end || v == params.padding_idx) {
    std::memset(sum, 0, static_cast<std::size_t>(dim) * sizeof(T));
    return;
  }
  std::memcpy(sum, grad_y + occurrences.positions[begin] * dim, static_cast<std::size_t>(dim) * sizeof(T));
  for (std::int64_t i = begin + 1; i < end; ++i) add_row(grad_y + occurrences.positions[i] * dim, dim, sum);
  if (params.scale_grad_by_freq)
    for (std::int64_t j = 0; j < dim; ++j) sum[j] /= static_cast<T>(end - begin);
}

Status embedding_backward(const Launch& launch, const EmbeddingParams& params, const void* grad_y,
                          const void* indices, void* grad_weight) {
  const auto* rows = static_cast<const std::int64_t*>(indices);
  const Status status = check_embedding_indices(params, rows);
  if (status.code != Status::ok) return status;
  const Occurrences occurrences(params, launch.workspace);
  occurrences.sort(params, rows);
  const std::int64_t step = embedding_rows_per_chunk(params);
  with_type(params.dtype, [&]<class T>(T) {
    parallel_for((params.num_embeddings + step - 1) / step, [&](std::int64_t chunk) {
      for (std::int64_t v = chunk * step; v < std::min(params.num_embeddings, (chunk + 1) * step); ++v)
        embedding_backward_row(params, occurrences, v, static_cast<const T*>(grad_y),
                               static_cast<T*>(grad_weight) + v * params.embedding_dim);
    });
  });
  return {};
}

}  // namespace

void fill_embedding(EmbeddingKernels& kernels) {
  kernels = {embedding_forward, embedding_backward_workspace_bytes, embedding_backward};
}

}  // namespace fastdl::FASTDL_ISA
