// Reductions over a warp and over a block, in an order that the block's shape alone fixes.
#pragma once

#include "core/cuda_launch.h"

namespace fastdl {

struct Sum {
  template <class T>
  FASTDL_HOST_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};

/// NaN wins, as in PyTorch.
struct Max {
  template <class T>
  FASTDL_HOST_DEVICE T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};

/// The reduction of all 32 lanes' values, in every lane. `op` must be commutative: a butterfly then gives
/// every lane the same bits.
template <class T, class Op>
FASTDL_DEVICE T warp_reduce(T value, Op op) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    value = op(value, __shfl_xor_sync(0xffffffffu, value, offset));
  }
  return value;
}

/// The reduction of all the block's values, in every thread. The block's threads are a multiple of 32;
/// `scratch` holds one element per warp and is free again on return.
template <class T, class Op>
FASTDL_DEVICE T block_reduce(T value, Op op, Shared<T>* scratch) {
  const unsigned rank = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned warps = blockDim.x * blockDim.y * blockDim.z / 32;
  value = warp_reduce(value, op);
  if (warps == 1) return value;
  if (rank % 32 == 0) scratch[rank / 32] = value;
  __syncthreads();
  value = scratch[0];
  for (unsigned warp = 1; warp < warps; ++warp) value = op(value, static_cast<T>(scratch[warp]));
  __syncthreads();  // the next use of scratch waits for the slowest reader
  return value;
}

}  // namespace fastdl
