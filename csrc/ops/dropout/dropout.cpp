#include "ops/dropout/dropout.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/error.h"

namespace fastdl {

DropoutParams dropout_params(DType dtype, std::int64_t elements, double p, std::uint64_t seed,
                             std::uint64_t offset) {
  check_floating("dropout", "input", dtype);
  if (!(p >= 0.0 && p <= 1.0)) throw ValueError(concat("[dropout] p: expected a value in [0, 1], got ", p));
  const double threshold = std::min(std::ceil(std::ldexp(p, 32)), 4294967295.0);
  return {
      dtype, elements, seed, offset, static_cast<std::uint32_t>(threshold), p < 1.0 ? 1.0 / (1.0 - p) : 0.0};
}

}  // namespace fastdl
