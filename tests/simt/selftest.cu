// Kernels that try the device model: some are right, the others each hold one fault that must be named.
#include "core/cuda_launch.h"
#include "primitives/cuda_reduce.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

using fastdl::launch;

EXPORT const char* selftest_error() {
  return fastdl::last_launch_error();
}

FASTDL_KERNEL void axpy(std::int64_t n, float a, const float* __restrict__ x, float* __restrict__ y) {
  for (std::int64_t i = fastdl::global_index(); i < n; i += fastdl::global_size())
    y[i] = fmaf(a, __ldg(x + i), y[i]);
}
EXPORT int selftest_axpy(std::int64_t n, float a, const float* x, float* y) {
  return launch("axpy", nullptr, fastdl::grid_for(n, 256), 256, 0, axpy, n, a, x, y).code;
}

template <class T, bool kBarrier>
FASTDL_KERNEL void __launch_bounds__(256) transpose(int rows, int columns, const T* x, T* y) {
  FASTDL_SHARED(T, tile, [16][17]);
  const int column = static_cast<int>(blockIdx.x * 16 + threadIdx.x);
  const int row = static_cast<int>(blockIdx.y * 16 + threadIdx.y);
  if (row < rows && column < columns) tile[threadIdx.y][threadIdx.x] = x[row * columns + column];
  if constexpr (kBarrier) __syncthreads();
  const int row_out = static_cast<int>(blockIdx.x * 16 + threadIdx.y);
  const int column_out = static_cast<int>(blockIdx.y * 16 + threadIdx.x);
  if (row_out < columns && column_out < rows) y[row_out * rows + column_out] = tile[threadIdx.x][threadIdx.y];
}
EXPORT int selftest_transpose(int rows, int columns, const float* x, float* y, int barrier) {
  const fastdl::Dim3 grid((columns + 15) / 16, (rows + 15) / 16);
  return launch("transpose", nullptr, grid, {16, 16}, 0,
                barrier ? transpose<float, true> : transpose<float, false>, rows, columns, x, y)
      .code;
}

FASTDL_KERNEL void softmax(int columns, const float* x, float* y) {
  FASTDL_SHARED(float, scratch, [32]);
  x += static_cast<std::int64_t>(blockIdx.x) * columns;
  y += static_cast<std::int64_t>(blockIdx.x) * columns;
  float most = -INFINITY;
  for (int i = static_cast<int>(threadIdx.x); i < columns; i += static_cast<int>(blockDim.x))
    most = fmaxf(most, x[i]);
  most = fastdl::block_reduce(most, fastdl::Max{}, scratch);
  float sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < columns; i += static_cast<int>(blockDim.x))
    sum += expf(x[i] - most);
  sum = fastdl::block_reduce(sum, fastdl::Sum{}, scratch);
  for (int i = static_cast<int>(threadIdx.x); i < columns; i += static_cast<int>(blockDim.x))
    y[i] = expf(x[i] - most) / sum;
}
EXPORT int selftest_softmax(int rows, int columns, const float* x, float* y, int threads) {
  return launch("softmax", nullptr, rows, threads, 0, softmax, columns, x, y).code;
}

// An inclusive scan of one block: by warp with __shfl_up_sync, then over the warps' totals.
FASTDL_KERNEL void scan(const int* x, int* y) {
  auto* totals = fastdl::dynamic_shared<int>();
  const unsigned lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  int value = x[threadIdx.x];
#pragma unroll
  for (unsigned delta = 1; delta < 32; delta *= 2) {
    const int before = __shfl_up_sync(0xffffffffu, value, delta);
    if (lane >= delta) value += before;
  }
  if (lane == 31) totals[warp] = value;
  __syncthreads();
  for (unsigned w = 0; w < warp; ++w) value += totals[w];
  y[threadIdx.x] = value;
}
EXPORT int selftest_scan(int n, const int* x, int* y) {
  return launch("scan", nullptr, 1, n, static_cast<std::size_t>(n) / 32 * sizeof(int), scan, x, y).code;
}

// Shared and global integer atomics, a scalar in shared memory, and a vector seen through its elements.
FASTDL_KERNEL void histogram(int n, const int* x, unsigned* counts, unsigned* distinct) {
  FASTDL_SHARED(unsigned, bins, [8]);
  FASTDL_SHARED(unsigned, used, );
  if (threadIdx.x < 8) bins[threadIdx.x] = 0;
  if (threadIdx.x == 0) used = 0;
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x))
    atomicAdd(&bins[x[i]], 1u);
  __syncthreads();
  if (threadIdx.x < 8 && bins[threadIdx.x] != 0) atomicAdd(&used, 1u);
  __syncthreads();
  auto* pairs = reinterpret_cast<fastdl::Shared<uint2>*>(&bins[0]);
  if (threadIdx.x < 4) {
    const uint2 pair = pairs[threadIdx.x];
    atomicAdd(counts + 2 * threadIdx.x, pair.x);
    atomicAdd(counts + 2 * threadIdx.x + 1, pair.y);
  }
  if (threadIdx.x == 0) *distinct = used;
}
EXPORT int selftest_histogram(int n, const int* x, unsigned* counts, unsigned* distinct) {
  return launch("histogram", nullptr, 1, 96, 0, histogram, n, x, counts, distinct).code;
}

// out[lane] of each intrinsic, 8 rows of 64 threads.
FASTDL_KERNEL void intrinsics(const double* x, double* out) {
  const unsigned all = 0xffffffffu, t = threadIdx.x, n = blockDim.x;
  const double value = x[t];
  out[t] = __shfl_sync(all, value, 5, 8);
  out[n + t] = __shfl_up_sync(all, value, 3, 16);
  out[2 * n + t] = __shfl_down_sync(all, value, 3, 16);
  out[3 * n + t] = __shfl_xor_sync(all, value, 9, 16);
  out[4 * n + t] = __ballot_sync(all, value > 0);
  out[5 * n + t] = __any_sync(all, value > 1e9);
  out[6 * n + t] = __all_sync(all, value < 1e9);
  const bool odd = t % 2 != 0;  // the two halves of a warp converge separately
  out[7 * n + t] = odd ? __shfl_xor_sync(0xaaaaaaaau, value, 2) : __shfl_xor_sync(0x55555555u, value, 4);
}
EXPORT int selftest_intrinsics(const double* x, double* out) {
  return launch("intrinsics", nullptr, 1, 64, 0, intrinsics, x, out).code;
}

// Neighbours exchange through shared memory inside a warp. Each of the two __syncwarp is needed: the bits of
// kSyncs say which ones are there.
template <int kSyncs>
FASTDL_KERNEL void neighbours(const float* x, float* y) {
  FASTDL_SHARED(float, cells, [64]);
  for (int round = 0; round < 2; ++round) {
    cells[threadIdx.x] = x[threadIdx.x] + static_cast<float>(round);
    if constexpr ((kSyncs & 1) != 0) __syncwarp();
    y[threadIdx.x] = cells[threadIdx.x ^ 1];
    if constexpr ((kSyncs & 2) != 0) __syncwarp();
  }
}
EXPORT int selftest_neighbours(const float* x, float* y, int syncs) {
  static void (*const kernels[])(const float*, float*) = {neighbours<0>, neighbours<1>, neighbours<2>,
                                                          neighbours<3>};
  return launch("neighbours", nullptr, 1, 64, 0, kernels[syncs], x, y).code;
}

// The second write may come while slow threads still read the first one.
FASTDL_KERNEL void reused_scratch(float* y) {
  FASTDL_SHARED(float, scratch, [2]);
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = scratch[0] + scratch[1];
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = 2.0f;
}

// A shuffle holds the lanes together but orders no memory.
FASTDL_KERNEL void write_after_read(float* y) {
  FASTDL_SHARED(float, cells, [64]);
  cells[threadIdx.x] = 1.0f;
  __syncwarp();
  y[threadIdx.x] = __shfl_xor_sync(0xffffffffu, static_cast<float>(cells[threadIdx.x ^ 1]), 1);
  cells[threadIdx.x] = 2.0f;
}

// The __syncwarp orders each warp's reads before its write, but not the other warp's reads.
FASTDL_KERNEL void write_after_read_of_warps(float* y) {
  FASTDL_SHARED(float, cell, );
  if (threadIdx.x == 0) cell = 1.0f;
  __syncthreads();
  y[threadIdx.x] = cell;
  __syncwarp();
  if (threadIdx.x % 32 == 0) cell = 2.0f;
}

FASTDL_KERNEL void divergent_barrier(float* y) {
  if (threadIdx.x < 40) __syncthreads();
  y[threadIdx.x] = 0;
}
FASTDL_KERNEL void two_barriers(float* y) {
  if (threadIdx.x < 40) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = 0;
}
FASTDL_KERNEL void foreign_lane(float* y) {
  if (threadIdx.x % 32 < 8) y[threadIdx.x] = __shfl_sync(0xffu, 1.0f, static_cast<int>(threadIdx.x) + 4);
}
FASTDL_KERNEL void left_out(float* y) {
  y[threadIdx.x] = __shfl_xor_sync(0xffu, 1.0f, 1);
}
FASTDL_KERNEL void exited_lane(float* y) {
  if (threadIdx.x == 37) return;
  y[threadIdx.x] = fastdl::warp_reduce(1.0f, fastdl::Sum{});
}
FASTDL_KERNEL void lane_at_barrier(float* y) {
  if (threadIdx.x == 3) __syncthreads();
  y[threadIdx.x] = fastdl::warp_reduce(1.0f, fastdl::Sum{});
}
FASTDL_KERNEL void out_of_bounds(float* y) {
  FASTDL_SHARED(float, cells, [64]);
  cells[threadIdx.x + 1] = 1.0f;
  y[threadIdx.x] = 0;
}
FASTDL_KERNEL void raw_out_of_bounds(float* y) {  // past the checked element: for AddressSanitizer
  FASTDL_SHARED(float, cells, [64]);
  reinterpret_cast<float*>(&cells[0])[threadIdx.x + 1] = 1.0f;
  y[threadIdx.x] = 0;
}
FASTDL_KERNEL void dynamic_forgotten(float* y) {
  y[threadIdx.x] = fastdl::dynamic_shared<float>()[0];
}
FASTDL_KERNEL void uninitialised(float* y) {
  FASTDL_SHARED(float, cells, [64]);
  if (threadIdx.x != 9) cells[threadIdx.x] = 1.0f;
  __syncthreads();
  y[threadIdx.x] = cells[63 - threadIdx.x];
}
FASTDL_KERNEL void global_race(float* y) {  // each warp hands its values to the next one without a barrier
  y[threadIdx.x] = 1.0f;
  __syncwarp();
  y[threadIdx.x] += y[(threadIdx.x + 32) % 64];
}

// Launches the faulty kernel of that name on 64 threads.
EXPORT int selftest_fault(const char* name, float* y) {
  struct Fault {
    const char* name;
    void (*kernel)(float*);
  };
  static const Fault faults[] = {{"reused_scratch", reused_scratch},
                                 {"write_after_read", write_after_read},
                                 {"write_after_read_of_warps", write_after_read_of_warps},
                                 {"divergent_barrier", divergent_barrier},
                                 {"two_barriers", two_barriers},
                                 {"foreign_lane", foreign_lane},
                                 {"left_out", left_out},
                                 {"exited_lane", exited_lane},
                                 {"lane_at_barrier", lane_at_barrier},
                                 {"out_of_bounds", out_of_bounds},
                                 {"raw_out_of_bounds", raw_out_of_bounds},
                                 {"uninitialised", uninitialised},
                                 {"dynamic_forgotten", dynamic_forgotten},
                                 {"global_race", global_race}};
  for (const Fault& fault : faults) {
    const char *a = fault.name, *b = name;
    while (*a && *a == *b) ++a, ++b;
    if (*a == *b) return launch(fault.name, nullptr, 2, 64, 0, fault.kernel, y).code;
  }
  return -1;
}

EXPORT int selftest_launch(std::int64_t grid, std::int64_t block, std::int64_t shared_bytes, float* y) {
  return launch("divergent_barrier", nullptr, grid, block, static_cast<std::size_t>(shared_bytes),
                divergent_barrier, y)
      .code;
}
