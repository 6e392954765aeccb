// Walks over an (N, C, inner) array channel by channel, in vectors: sums for each channel, and elementwise
// work with values that belong to the channel. With inner == 1 vectors run across neighbouring channels,
// otherwise along a plane. What a chunk takes, and the order within, follow from the shape alone.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/simd.h"
#include "core/thread_pool.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// A chunk is a range of channels and a segment: a range of the N * inner elements that each of them has.
struct ChannelChunks {
  std::int64_t batch, channels, inner;
  std::int64_t channels_per_chunk, segment_elements, segments;

  std::int64_t elements() const { return batch * inner; }
  std::int64_t chunks() const { return (channels + channels_per_chunk - 1) / channels_per_chunk * segments; }
  std::int64_t segment(std::int64_t chunk) const { return chunk % segments; }
  std::int64_t segment_begin(std::int64_t segment) const { return segment * segment_elements; }
  std::int64_t segment_end(std::int64_t segment) const {
    return std::min(elements(), (segment + 1) * segment_elements);
  }
  std::int64_t channel_begin(std::int64_t chunk) const { return chunk / segments * channels_per_chunk; }
  std::int64_t channel_end(std::int64_t chunk) const {
    return std::min(channels, channel_begin(chunk) + channels_per_chunk);
  }
};

/// Chunks of about 4096 elements: the first-level cache holds them for a second pass, and a sum of so few
/// terms loses few digits.
FASTDL_INLINE ChannelChunks plan_channels(std::int64_t batch, std::int64_t channels, std::int64_t inner) {
  constexpr std::int64_t chunk_elements = 1 << 12, most_columns = 256, fewest_rows = 64;
  ChannelChunks plan{batch, channels, inner, 1, chunk_elements, 1};
  const std::int64_t elements = std::max<std::int64_t>(1, plan.elements());
  plan.channels_per_chunk = std::clamp<std::int64_t>(inner == 1 ? most_columns : chunk_elements / elements, 1,
                                                     std::max<std::int64_t>(1, channels));
  if (inner == 1) plan.segment_elements = std::max(fewest_rows, chunk_elements / plan.channels_per_chunk);
  plan.segments = (elements + plan.segment_elements - 1) / plan.segment_elements;
  return plan;
}

/// Whole vectors, and the first `count` lanes of one.
template <class T>
struct WholeVector {
  FASTDL_INLINE Vec<T> load(const T* p, T) const { return FASTDL_ISA::load(p); }
  FASTDL_INLINE void store(T* p, Vec<T> v) const { FASTDL_ISA::store(p, v); }
};
template <class T>
struct PartOfVector {
  int count;
  FASTDL_INLINE Vec<T> load(const T* p, T fill) const { return load_partial(p, count, fill); }
  FASTDL_INLINE void store(T* p, Vec<T> v) const { store_partial(p, v, count); }
};

/// Calls body(access, offset, values, sums) for vectors that cover the elements [begin, end) of channels
/// [channel, channel_end). `values` are the entries of `tables` for the vector's channels, and what the body
/// adds to `sums` ends in sums_out[k][channel]. Lanes beyond a plane's end load as the `fill` they are given.
template <class T, std::size_t tables_count, std::size_t sums_count, class Body>
void visit_planes(const ChannelChunks& plan, std::int64_t channel, std::int64_t channel_end,
                  std::int64_t begin, std::int64_t end, const std::array<const T*, tables_count>& tables,
                  const std::array<T*, sums_count>& sums_out, const Body& body) {
  constexpr int width = lanes<T>, unrolled = 4;
  for (; channel < channel_end; ++channel) {
    Vec<T> values[tables_count + 1], sums[unrolled][sums_count + 1] = {};
    for (int k = 0; k < static_cast<int>(tables_count); ++k) values[k] = broadcast(tables[k][channel]);
    for (std::int64_t element = begin; element < end;) {
      const std::int64_t n = element / plan.inner, i = element % plan.inner;
      const std::int64_t run = std::min(plan.inner - i, end - element);
      std::int64_t offset = (n * plan.channels + channel) * plan.inner + i;
      const std::int64_t stop = offset + run;
      for (; offset + unrolled * width <= stop; offset += unrolled * width) {
#pragma GCC unroll 4
        for (int v = 0; v < unrolled; ++v) body(WholeVector<T>{}, offset + v * width, values, sums[v]);
      }
      for (; offset + width <= stop; offset += width) body(WholeVector<T>{}, offset, values, sums[0]);
      if (offset < stop) body(PartOfVector<T>{static_cast<int>(stop - offset)}, offset, values, sums[1]);
      element += run;
    }
    for (int k = 0; k < static_cast<int>(sums_count); ++k)
      sums_out[k][channel] = reduce_add((sums[0][k] + sums[1][k]) + (sums[2][k] + sums[3][k]));
  }
}

/// The same for inner == 1.
template <class T, std::size_t tables_count, std::size_t sums_count, class Body>
void visit_columns(const ChannelChunks& plan, std::int64_t channel, std::int64_t channel_end,
                   std::int64_t begin, std::int64_t end, const std::array<const T*, tables_count>& tables,
                   const std::array<T*, sums_count>& sums_out, const Body& body) {
  const auto visit = [&](const auto& access) {
    Vec<T> values[tables_count + 1], sums[sums_count + 1] = {};
    for (int k = 0; k < static_cast<int>(tables_count); ++k)
      values[k] = access.load(tables[k] + channel, T(0));
    for (std::int64_t row = begin; row < end; ++row)
      body(access, row * plan.channels + channel, values, sums);
    for (int k = 0; k < static_cast<int>(sums_count); ++k) access.store(sums_out[k] + channel, sums[k]);
  };
  for (; channel + lanes<T> <= channel_end; channel += lanes<T>) visit(WholeVector<T>{});
  if (channel < channel_end) visit(PartOfVector<T>{static_cast<int>(channel_end - channel)});
}

/// One chunk of either kind.
template <class T, std::size_t tables_count, std::size_t sums_count, class Body>
FASTDL_INLINE void visit_chunk(const ChannelChunks& plan, std::int64_t chunk,
                               const std::array<const T*, tables_count>& tables,
                               const std::array<T*, sums_count>& sums_out, const Body& body) {
  const std::int64_t segment = plan.segment(chunk), begin = plan.segment_begin(segment),
                     end = plan.segment_end(segment);
  const std::int64_t channel = plan.channel_begin(chunk), channel_end = plan.channel_end(chunk);
  if (plan.inner == 1) {
    visit_columns(plan, channel, channel_end, begin, end, tables, sums_out, body);
  } else {
    visit_planes(plan, channel, channel_end, begin, end, tables, sums_out, body);
  }
}

/// Calls body(channel) for every channel, some of them a chunk.
template <class Body>
void for_each_channel(const ChannelChunks& plan, const Body& body) {
  constexpr std::int64_t step = 64;
  parallel_for((plan.channels + step - 1) / step, [&](std::int64_t chunk) {
    for (std::int64_t c = chunk * step; c < std::min(plan.channels, (chunk + 1) * step); ++c) body(c);
  });
}

/// Elementwise work on the whole array: visit_chunk without sums.
template <class T, std::size_t tables_count, class Body>
void visit_channels(const ChannelChunks& plan, const std::array<const T*, tables_count>& tables,
                    const Body& body) {
  parallel_for(plan.chunks(),
               [&](std::int64_t chunk) { visit_chunk(plan, chunk, tables, std::array<T*, 0>{}, body); });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
