#pragma once

#include "core/backend.h"
#include "core/dtype.h"

namespace fastdl {

/// y[i] = x[i] * (u[i] < p ? 0 : 1 / (1 - p)), u uniform in [0, 1): random words of Philox4x32-10 over 2^32,
/// which follow from seed, offset and i alone (primitives/philox.inl.h). i counts in memory order.
struct DropoutParams {
  DType dtype;
  std::int64_t elements;
  std::uint64_t seed, offset;
  std::uint32_t threshold;  ///< words below it drop their element
  double scale;             ///< of the elements that stay
};

struct DropoutKernels {
  /// Both are blocks of `elements` elements; output may be input. The gradient takes the same way as x.
  Status (*forward)(const Launch&, const DropoutParams&, const void* input, void* output);
};

/// Throws TypeError unless the dtype is floating, ValueError unless 0 <= p <= 1.
DropoutParams dropout_params(DType dtype, std::int64_t elements, double p, std::uint64_t seed,
                             std::uint64_t offset);

}  // namespace fastdl
