#pragma once

/// For helpers in headers that per-ISA sources include: never an out-of-line copy for the linker to pick.
#define FASTDL_INLINE inline __attribute__((always_inline))

/// Formulas shared by CPU and CUDA kernels.
#if defined(__CUDACC__)
#define FASTDL_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define FASTDL_HOST_DEVICE inline __attribute__((always_inline))
#endif
