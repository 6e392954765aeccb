// bfloat16 operands as float32 and results back: the way of every op where pairs of bfloat16 cannot be
// multiplied, or where that would not pay.
#pragma once

#include <algorithm>

#include "core/backend.h"
#include "core/simd_bf16.h"
#include "core/thread_pool.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Hands out a workspace piece by piece, each on a cache line of its own; with null memory, only counts.
class WorkspacePieces {
 public:
  explicit WorkspacePieces(void* memory) : memory_(static_cast<char*>(memory)) {}

  template <class T>
  T* take(std::int64_t count) {
    char* const piece = memory_ + bytes_;
    bytes_ += (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return reinterpret_cast<T*>(piece);
  }
  std::size_t bytes() const { return bytes_; }

 private:
  char* memory_;
  std::size_t bytes_ = 0;
};

inline constexpr std::int64_t conversion_chunk = 1 << 15;

/// to[i] = from[i], exactly.
inline void widen(const BFloat16* from, std::int64_t count, float* to) {
  parallel_for((count + conversion_chunk - 1) / conversion_chunk, [&](std::int64_t chunk) {
    std::int64_t i = chunk * conversion_chunk;
    const std::int64_t end = std::min(count, i + conversion_chunk);
    for (; i + lanes<float> <= end; i += lanes<float>) store(to + i, load_bf16(from + i));
    const int rest = static_cast<int>(end - i);
    if (rest > 0) store_partial(to + i, load_bf16(from + i, rest), rest);
  });
}

/// to[i] = the sum of `parts` values partial[part * count + i], added in order and rounded to nearest even.
inline void narrow_sums(const float* partial, std::int64_t parts, std::int64_t count, BFloat16* to) {
  parallel_for((count + conversion_chunk - 1) / conversion_chunk, [&](std::int64_t chunk) {
    std::int64_t i = chunk * conversion_chunk;
    const std::int64_t end = std::min(count, i + conversion_chunk);
    for (; i + lanes<float> <= end; i += lanes<float>) {
      Vec<float> sum = load(partial + i);
      for (std::int64_t part = 1; part < parts; ++part) sum += load(partial + part * count + i);
      store_bf16(to + i, sum);
    }
    const int rest = static_cast<int>(end - i);
    if (rest <= 0) return;
    Vec<float> sum = load_partial(partial + i, rest);
    for (std::int64_t part = 1; part < parts; ++part) sum += load_partial(partial + part * count + i, rest);
    store_bf16(to + i, sum, rest);
  });
}

/// sums[channel] of an (images, channels, plane) array, as sum_planes of gather_weight.inl.h.
inline void sum_bf16_planes(const BFloat16* values, std::int64_t images, std::int64_t channels,
                            std::int64_t plane, BFloat16* sums) {
  parallel_for(channels, [&](std::int64_t channel) {
    double sum = 0;
    for (std::int64_t image = 0; image < images; ++image) {
      const BFloat16* row = values + (image * channels + channel) * plane;
      Vec<float> partial{};
      std::int64_t i = 0;
      for (; i + lanes<float> <= plane; i += lanes<float>) partial += load_bf16(row + i);
      if (i < plane) partial += load_bf16(row + i, static_cast<int>(plane - i));
      sum += reduce_add(partial);
    }
    store_bf16(sums + channel, broadcast(static_cast<float>(sum)), 1);
  });
}

/// An operand that the float32 kernels read, widened into a piece of the workspace; null stays null.
inline const float* widened_operand(const void* from, std::int64_t count, WorkspacePieces& pieces) {
  float* const to = pieces.take<float>(count);
  if (from == nullptr) return nullptr;
  widen(static_cast<const BFloat16*>(from), count, to);
  return to;
}

/// Elements of two operands, of a bias that is null where there is none, and of the result.
struct WidenedSizes {
  std::int64_t a, b, bias, result;
};

/// Workspace of run_widened around a kernel that wants `own` bytes itself.
inline std::size_t widened_bytes(const WidenedSizes& sizes, std::size_t own) {
  WorkspacePieces pieces(nullptr);
  for (const std::int64_t count : {sizes.a, sizes.b, sizes.bias, sizes.result}) pieces.take<float>(count);
  return pieces.bytes() + own;
}

/// run(launch, a, b, bias, result), a float32 kernel, on copies of the operands; and its result, rounded.
template <class Run>
void run_widened(const Launch& launch, const WidenedSizes& sizes, const void* a, const void* b,
                 const void* bias, void* result, const Run& run) {
  WorkspacePieces pieces(launch.workspace);
  const float* const wide_a = widened_operand(a, sizes.a, pieces);
  const float* const wide_b = widened_operand(b, sizes.b, pieces);
  const float* const wide_bias = widened_operand(bias, sizes.bias, pieces);
  float* const wide_result = pieces.take<float>(sizes.result);
  run(Launch{launch.stream, pieces.take<char>(0)}, wide_a, wide_b, wide_bias, wide_result);
  narrow_sums(wide_result, 1, sizes.result, static_cast<BFloat16*>(result));
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
