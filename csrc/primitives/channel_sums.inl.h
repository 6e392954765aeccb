// The gradient of a convolution's bias: sums over images and pixels.
#pragma once

#include "core/memory_format.h"
#include "core/simd.h"
#include "core/thread_pool.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// sums[channel] of an (images, channels, plane) array.
template <class T>
void sum_planes(const T* values, std::int64_t images, std::int64_t channels, std::int64_t plane, T* sums) {
  parallel_for(channels, [&](std::int64_t channel) {
    double sum = 0;
    for (std::int64_t image = 0; image < images; ++image) {
      const T* row = values + (image * channels + channel) * plane;
      Vec<T> partial{};
      std::int64_t i = 0;
      for (; i + lanes<T> <= plane; i += lanes<T>) partial += load(row + i);
      if (i < plane) partial += load_partial(row + i, static_cast<int>(plane - i));
      sum += reduce_add(partial);
    }
    sums[channel] = static_cast<T>(sum);
  });
}

/// sums[channel] of a (pixels, channels) array.
template <class T>
void sum_pixels(const T* values, std::int64_t pixels, std::int64_t channels, T* sums) {
  constexpr std::int64_t n = lanes<T>, block = 64;  // sums of a block lose little before they meet the total
  parallel_for((channels + n - 1) / n, [&](std::int64_t chunk) {
    const std::int64_t first = chunk * n;
    const int count = static_cast<int>(std::min(n, channels - first));
    double totals[n] = {};
    for (std::int64_t begin = 0; begin < pixels; begin += block) {
      Vec<T> partial{};
      for (std::int64_t i = begin; i < std::min(pixels, begin + block); ++i)
        partial += load_up_to(values + i * channels + first, count);
      for (int lane = 0; lane < n; ++lane) totals[lane] += static_cast<double>(partial[lane]);
    }
    for (int lane = 0; lane < count; ++lane) sums[first + lane] = static_cast<T>(totals[lane]);
  });
}

template <class T>
void sum_channels(MemoryFormat format, const T* values, std::int64_t images, std::int64_t channels,
                  std::int64_t plane, T* sums) {
  if (format == MemoryFormat::channels_last)
    sum_pixels(values, images * plane, channels, sums);
  else
    sum_planes(values, images, channels, plane, sums);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
