#pragma once

#include <cstdint>

#include "backends/probe.h"
#include "ops/activation/activation.h"
#include "ops/adam/adam.h"
#include "ops/adaptive_avg_pool2d/adaptive_avg_pool2d.h"
#include "ops/adaptive_max_pool2d/adaptive_max_pool2d.h"
#include "ops/arithmetic/arithmetic.h"
#include "ops/avg_pool2d/avg_pool2d.h"
#include "ops/batch_norm/batch_norm.h"
#include "ops/binary_cross_entropy/binary_cross_entropy.h"
#include "ops/binary_cross_entropy_with_logits/binary_cross_entropy_with_logits.h"
#include "ops/conv2d/conv2d.h"
#include "ops/conv_transpose2d/conv_transpose2d.h"
#include "ops/cross_entropy/cross_entropy.h"
#include "ops/dropout/dropout.h"
#include "ops/embedding/embedding.h"
#include "ops/linear/linear.h"
#include "ops/lstm/lstm.h"
#include "ops/matmul/matmul.h"
#include "ops/max_pool2d/max_pool2d.h"
#include "ops/mse_loss/mse_loss.h"
#include "ops/nll_loss/nll_loss.h"
#include "ops/pad/pad.h"
#include "ops/rmsprop/rmsprop.h"
#include "ops/sgd/sgd.h"
#include "ops/softmax/softmax.h"
#include "ops/square_sum/square_sum.h"

namespace fastdl {

/// The kernels of one device (or of one ISA level of the CPU): plain C function pointers, null where the
/// backend has no kernel for an op. `version` and `bytes` are checked when a backend is loaded.
struct BackendTable : Backend {
  BackendTable() { bytes = sizeof(BackendTable); }

#define FASTDL_OP(stem, Type) Type##Kernels stem{};
#include "ops/ops.inc"
#undef FASTDL_OP

  ProbeKernels probe{};
};

}  // namespace fastdl

/// The one symbol that a backend in a shared library exports.
extern "C" __attribute__((visibility("default"))) const fastdl::BackendTable* fastdl_backend();
