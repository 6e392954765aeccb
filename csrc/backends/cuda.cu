// The table of the CUDA backend: a shared library of its own, loaded at run time. Compiled as host C++
// together with the ops' .cu files, by nvcc for a GPU and by a C++ compiler for the SIMT emulation.
#include "core/cuda_launch.h"
#include "ops/backend_table.h"

namespace fastdl::cuda {

// Weak: null for an op that has no <op>_cuda.cu.
#define FASTDL_OP(stem, Type) __attribute__((weak)) void fill_##stem(Type##Kernels& kernels);
#include "ops/ops.inc"
#undef FASTDL_OP

static BackendTable make_table() {
  BackendTable table;
#ifdef FASTDL_SIMT
  table.name = "simt";
#else
  table.name = "cuda";
#endif
  table.last_error = &last_launch_error;
#define FASTDL_OP(stem, Type) \
  if (fill_##stem) fill_##stem(table.stem);
#include "ops/ops.inc"
#undef FASTDL_OP
  return table;
}

}  // namespace fastdl::cuda

const fastdl::BackendTable* fastdl_backend() {
  static const fastdl::BackendTable table = fastdl::cuda::make_table();
  return &table;
}
