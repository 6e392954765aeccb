#pragma once

#include "core/dtype.h"
#include "core/shape.h"
#include "primitives/loss_reduction.h"

namespace fastdl {

/// A loss that each element has of its own, between an input and a target of one shape.
struct ElementwiseLossParams {
  DType dtype;  ///< of everything
  std::int64_t count;
  Reduction reduction;
};

/// The rule that such losses share: one floating dtype, one shape. Throws ValueError or TypeError.
ElementwiseLossParams elementwise_loss_params(const char* op, const Shape& input, DType input_dtype,
                                              const Shape& target, DType target_dtype,
                                              const std::string& reduction);

/// What forward needs of Launch::workspace for its partial sums.
std::size_t elementwise_loss_workspace_bytes(const ElementwiseLossParams& params);

/// Elements that a block takes, for which operands are prepared, and blocks that a chunk takes. The sum runs
/// over the vectors of a block, the blocks of a chunk and the chunks, in this order whatever the number of
/// threads.
constexpr std::int64_t loss_block = 1024, loss_blocks_per_chunk = 16;
constexpr std::int64_t loss_chunk = loss_block * loss_blocks_per_chunk;

}  // namespace fastdl
