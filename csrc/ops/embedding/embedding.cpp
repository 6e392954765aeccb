#include "ops/embedding/embedding.h"

#include "core/check.h"
#include "core/error.h"

namespace fastdl {

EmbeddingParams embedding_params(const Shape& indices, const Shape& weight, DType weight_dtype,
                                 std::optional<std::int64_t> padding_idx, bool scale_grad_by_freq) {
  check_floating("embedding", "weight", weight_dtype);
  if (weight.size() != 2)
    throw ValueError(concat("[embedding] weight: expected (num_embeddings, embedding_dim), got ", weight));
  EmbeddingParams params{};
  params.dtype = weight_dtype;
  params.count = indices.numel();
  params.num_embeddings = weight[0];
  params.embedding_dim = weight[1];
  params.padding_idx = -1;
  params.scale_grad_by_freq = scale_grad_by_freq;
  if (padding_idx) {
    if (*padding_idx < -weight[0] || *padding_idx >= weight[0])
      throw ValueError(concat("[embedding] padding_idx: expected a value in [", -weight[0], ", ", weight[0],
                              ") for weight of shape ", weight, ", got ", *padding_idx));
    params.padding_idx = *padding_idx < 0 ? *padding_idx + weight[0] : *padding_idx;
  }
  return params;
}

}  // namespace fastdl
