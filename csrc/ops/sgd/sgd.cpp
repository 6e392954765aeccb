#include "ops/sgd/sgd.h"

#include "core/check.h"
#include "core/error.h"

namespace fastdl {

void check_sgd(const SgdParams& params) {
  constexpr const char* op = "sgd_step";
  check_non_negative(op, "lr", params.lr);
  check_non_negative(op, "momentum", params.momentum);
  check_finite(op, "dampening", params.dampening);
  check_non_negative(op, "weight_decay", params.weight_decay);
  if (params.nesterov && (params.momentum == 0 || params.dampening != 0))
    throw ValueError(concat("[sgd_step] nesterov: expected a momentum and no dampening, got momentum=",
                            params.momentum, " and dampening=", params.dampening));
}

}  // namespace fastdl
