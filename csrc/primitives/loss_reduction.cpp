#include "primitives/loss_reduction.h"

#include "core/error.h"
#include "core/shape.h"

namespace fastdl {

Reduction parse_reduction(const char* op, const std::string& reduction) {
  if (reduction == "none") return Reduction::none;
  if (reduction == "mean") return Reduction::mean;
  if (reduction == "sum") return Reduction::sum;
  throw ValueError(concat("[", op, "] reduction: expected 'none', 'mean' or 'sum', got '", reduction, "'"));
}

}  // namespace fastdl
