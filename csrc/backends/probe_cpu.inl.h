#include "backends/probe.h"
#include "core/simd.h"
#include "core/thread_pool.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Two units of latency 4 or 5 take 8 to 10 chains; 12 and their two operands fit 16 registers.
constexpr int chains = 12;

double fma_chains(std::int64_t chunks, std::int64_t rounds, float* results) {
  parallel_for(chunks, [&](std::int64_t chunk) {
    // Towards 2, so that no value is ever denormal.
    const Vec<float> half = broadcast(0.5f), one = broadcast(1.0f);
    Vec<float> sums[chains];
    for (int i = 0; i < chains; ++i) sums[i] = broadcast(1.0f / static_cast<float>(i + 1));
    for (std::int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
      for (int i = 0; i < chains; ++i) sums[i] = fma(sums[i], half, one);
    }
    Vec<float> total = sums[0];
    for (int i = 1; i < chains; ++i) total += sums[i];
    results[chunk] = reduce_add(total);
  });
  return 2.0 * lanes<float> * chains * static_cast<double>(rounds) * static_cast<double>(chunks);
}

template <class Store>
FASTDL_INLINE void copy_block(float* to, const float* from, const Store& store_vector) {
  constexpr int width = lanes<float>;
  for (std::int64_t i = 0; i < probe_block; i += 4 * width) {
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) store_vector(to + i + j * width, load(from + i + j * width));
  }
}

void copy(float* to, const float* from, std::int64_t count, bool streaming) {
  parallel_for(count / probe_block, [&](std::int64_t chunk) {
    const std::int64_t at = chunk * probe_block;
    if (streaming) {
      copy_block(to + at, from + at, [](float* p, Vec<float> v) { store_streaming(p, v); });
      streaming_fence();
    } else {
      copy_block(to + at, from + at, [](float* p, Vec<float> v) { store(p, v); });
    }
  });
}

void read(const float* from, std::int64_t count, float* results) {
  parallel_for(count / probe_block, [&](std::int64_t chunk) {
    constexpr int width = lanes<float>, sums = 8;
    const float* block = from + chunk * probe_block;
    Vec<float> sum[sums] = {};
    for (std::int64_t i = 0; i < probe_block; i += sums * width) {
#pragma GCC unroll 8
      for (int j = 0; j < sums; ++j) sum[j] += load(block + i + j * width);
    }
    Vec<float> total = sum[0];
    for (int j = 1; j < sums; ++j) total += sum[j];
    results[chunk] = reduce_add(total);
  });
}

}  // namespace

void fill_probe(ProbeKernels& kernels) {
  kernels = {fma_chains, copy, read};
}

}  // namespace fastdl::FASTDL_ISA
