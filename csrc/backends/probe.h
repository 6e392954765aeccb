#pragma once

#include <cstdint>

namespace fastdl {

/// Loops that do nothing but reach a limit of the machine, at one ISA level and on the thread pool.
/// Benchmarks hold the ops against them. Null in backends of other devices.
struct ProbeKernels {
  /// Chains of dependent fused multiply-adds in registers, as many as hide their latency; `results` takes one
  /// number a chunk. Returns the floating-point operations of the call, two a multiply-add and lane.
  double (*fma_chains)(std::int64_t chunks, std::int64_t rounds, float* results) = nullptr;
  /// to[i] = from[i], count a multiple of probe_block, both aligned to 64 bytes; `streaming` stores past the
  /// caches.
  void (*copy)(float* to, const float* from, std::int64_t count, bool streaming) = nullptr;
  /// Adds up from[0 ... count), the same alignment; results takes count / probe_block numbers.
  void (*read)(const float* from, std::int64_t count, float* results) = nullptr;
};

/// Elements of a chunk of copy and read: 128 KiB.
inline constexpr std::int64_t probe_block = 1 << 15;

/// Floating-point operations per second of the ISA level in use, on as many threads as ops use.
double measure_fma_peak();

/// Bytes read and written per second by copying `bytes` (rounded up to whole blocks) to another place again
/// and again: ordinary or streaming stores, whichever is faster.
double measure_copy_bandwidth(std::int64_t bytes);

/// Bytes per second of reading `bytes` (rounded up to whole blocks) again and again.
double measure_read_bandwidth(std::int64_t bytes);

}  // namespace fastdl
