#include "ops/rmsprop/rmsprop.h"

#include "core/check.h"

namespace fastdl {

void check_rmsprop(const RmspropParams& params) {
  constexpr const char* op = "rmsprop_step";
  check_non_negative(op, "lr", params.lr);
  check_non_negative(op, "alpha", params.alpha);
  check_non_negative(op, "eps", params.eps);
  check_non_negative(op, "weight_decay", params.weight_decay);
  check_non_negative(op, "momentum", params.momentum);
}

}  // namespace fastdl
