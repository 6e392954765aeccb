#include "backends/probe.h"

#include <algorithm>
#include <chrono>

#include "backends/backends.h"
#include "core/allocator.h"
#include "core/thread_pool.h"

namespace fastdl {
namespace {

using Clock = std::chrono::steady_clock;

/// Long enough for a processor to leave its idle clock rate, and for an undisturbed sample.
constexpr double seconds_of_samples = 0.15;
constexpr int least_samples = 5;

/// The shortest of several samples: what else runs on the machine only ever adds time.
template <class Call>
double best_seconds(const Call& call) {
  call();
  double best = 0, total = 0;
  for (int sample = 0; sample < least_samples || total < seconds_of_samples; ++sample) {
    const auto begin = Clock::now();
    call();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    best = sample == 0 ? seconds : std::min(best, seconds);
    total += seconds;
  }
  return best;
}

std::int64_t whole_blocks(std::int64_t bytes) {
  const std::int64_t block_bytes = probe_block * static_cast<std::int64_t>(sizeof(float));
  return std::max<std::int64_t>(1, (bytes + block_bytes - 1) / block_bytes);
}

/// Zeros that every thread may read; written, so that each page is a page of its own.
struct Floats {
  explicit Floats(std::int64_t count) : workspace(static_cast<std::size_t>(count) * sizeof(float)) {
    std::fill_n(data(), count, 0.0f);
  }
  float* data() const { return static_cast<float*>(workspace.data()); }
  Workspace workspace;
};

}  // namespace

double measure_fma_peak() {
  constexpr std::int64_t rounds = 1 << 19;
  const ProbeKernels& probe = cpu_backend().probe;
  const std::int64_t chunks = get_num_threads();
  const Floats results(chunks);
  double operations = 0;
  const double seconds = best_seconds([&] { operations = probe.fma_chains(chunks, rounds, results.data()); });
  return operations / seconds;
}

double measure_copy_bandwidth(std::int64_t bytes) {
  const ProbeKernels& probe = cpu_backend().probe;
  const std::int64_t count = whole_blocks(bytes) * probe_block;
  const Floats from(count), to(count);
  double best = 0;
  for (const bool streaming : {false, true}) {
    const double seconds = best_seconds([&] { probe.copy(to.data(), from.data(), count, streaming); });
    best = std::max(best, 2.0 * static_cast<double>(count) * sizeof(float) / seconds);
  }
  return best;
}

double measure_read_bandwidth(std::int64_t bytes) {
  const ProbeKernels& probe = cpu_backend().probe;
  const std::int64_t blocks = whole_blocks(bytes), count = blocks * probe_block;
  const Floats from(count), results(blocks);
  const double seconds = best_seconds([&] { probe.read(from.data(), count, results.data()); });
  return static_cast<double>(count) * sizeof(float) / seconds;
}

}  // namespace fastdl
