// The device model for the ops' .cu files: kernel declarations, shared memory, and the one way to launch.
// Under nvcc it is CUDA's; with FASTDL_SIMT defined the same file is host C++ and runs on tests/simt.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <type_traits>

#include "core/backend.h"
#include "core/macros.h"

#ifdef FASTDL_SIMT
#include "simt.h"

#define FASTDL_KERNEL [[maybe_unused]] static
#define FASTDL_DEVICE inline
/// FASTDL_SHARED(float, tile, [16][17]) declares `tile`; FASTDL_SHARED(int, count, ) a scalar.
#define FASTDL_SHARED(T, name, ...)                      \
  using name##_shared = ::fastdl::Shared<T> __VA_ARGS__; \
  static constexpr char name##_site = 0;                 \
  name##_shared& name =                                  \
      *static_cast<name##_shared*>(::simt::static_shared(&name##_site, #name, sizeof(name##_shared)))
#else
#include <cuda_runtime.h>

#define FASTDL_KERNEL __global__ static
#define FASTDL_DEVICE __device__ __forceinline__
#define FASTDL_SHARED(T, name, ...) __shared__ T name __VA_ARGS__
#endif

namespace fastdl {

/// An element of shared memory, as a helper's parameter: `Shared<float>* scratch`.
#ifdef FASTDL_SIMT
template <class T>
using Shared = simt::Cell<T>;
#else
template <class T>
using Shared = T;
#endif

/// The launch's dynamic shared memory from `byte_offset` on, aligned to 16 bytes at offset 0.
template <class T>
FASTDL_DEVICE Shared<T>* dynamic_shared(std::size_t byte_offset = 0) {
#ifdef FASTDL_SIMT
  return reinterpret_cast<Shared<T>*>(simt::dynamic_shared() + byte_offset);
#else
  extern __shared__ __align__(16) unsigned char fastdl_dynamic_shared[];
  return reinterpret_cast<T*>(fastdl_dynamic_shared + byte_offset);
#endif
}

/// The rank of this thread among all those of a one-dimensional launch, and their number: a grid-stride loop
/// is `for (i = global_index(); i < n; i += global_size())`.
FASTDL_DEVICE std::int64_t global_index() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
FASTDL_DEVICE std::int64_t global_size() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

/// 64-bit so that an extent beyond the device's limits is an error and not another, smaller extent.
struct Dim3 {
  constexpr Dim3(std::int64_t x = 1, std::int64_t y = 1, std::int64_t z = 1) : x(x), y(y), z(z) {}
  std::int64_t x, y, z;
};

/// Blocks for a grid-stride loop over n elements: it depends on the shape alone, as determinism asks.
constexpr std::int64_t grid_for(std::int64_t n, std::int64_t block, std::int64_t most = 65536) {
  return std::min((n + block - 1) / block, most);
}

inline thread_local char launch_error[512] = "";

/// What the latest failed launch of this thread died of: "kernel <name>: <reason>".
inline const char* last_launch_error() {
  return launch_error;
}

/// Enqueues kernel<<<grid, block, shared_bytes, stream>>>(args...). Where that fails: launch_failed, and why
/// in last_launch_error(). An empty grid is no launch and no error.
template <class... P>
Status launch(const char* kernel_name, void* stream, Dim3 grid, Dim3 block, std::size_t shared_bytes,
              void (*kernel)(P...), std::type_identity_t<P>... args) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return {};
  const auto fail = [&](const char* reason) {
    std::snprintf(launch_error, sizeof launch_error, "kernel %s: %s", kernel_name, reason);
    return Status{Status::launch_failed};
  };
  const auto within = [](Dim3 d, std::int64_t x, std::int64_t y, std::int64_t z) {
    return d.x > 0 && d.x <= x && d.y > 0 && d.y <= y && d.z > 0 && d.z <= z;
  };
  if (!within(grid, 0x7fffffff, 65535, 65535) || !within(block, 1024, 1024, 64) ||
      block.x * block.y * block.z > 1024) {
    char reason[256];
    std::snprintf(reason, sizeof reason, "grid (%lld, %lld, %lld) of blocks (%lld, %lld, %lld) is no launch",
                  static_cast<long long>(grid.x), static_cast<long long>(grid.y),
                  static_cast<long long>(grid.z), static_cast<long long>(block.x),
                  static_cast<long long>(block.y), static_cast<long long>(block.z));
    return fail(reason);
  }
  const auto dim3_of = [](Dim3 d) {
    return dim3(static_cast<unsigned>(d.x), static_cast<unsigned>(d.y), static_cast<unsigned>(d.z));
  };
#ifdef FASTDL_SIMT
  static_cast<void>(stream);
  auto body = [&] { kernel(args...); };
  const char* reason = simt::run(
      dim3_of(grid), dim3_of(block), shared_bytes, [](void* f) { (*static_cast<decltype(body)*>(f))(); },
      &body);
  return reason ? fail(reason) : Status{};
#else
  const auto* function = reinterpret_cast<const void*>(kernel);
  cudaError_t status = cudaSuccess;
  if (shared_bytes > 48 * 1024) {  // more than the default takes an explicit permission
    status = cudaFuncSetAttribute(function, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                  static_cast<int>(shared_bytes));
  }
  if (status == cudaSuccess) {
    void* values[] = {const_cast<void*>(static_cast<const void*>(&args))..., nullptr};
    status = cudaLaunchKernel(function, dim3_of(grid), dim3_of(block), values, shared_bytes,
                              static_cast<cudaStream_t>(stream));
  }
  if (status == cudaSuccess) return {};
  static_cast<void>(cudaGetLastError());  // else the caller's array library would report it once more
  return fail(cudaGetErrorString(status));
#endif
}

}  // namespace fastdl
