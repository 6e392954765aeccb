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

/// The elements [begin, end) of the planes of images [image_begin, image_end).
struct ChannelSegment {
  std::int64_t image_begin, image_end, begin, end;

  std::int64_t count() const { return (image_end - image_begin) * (end - begin); }
};

/// A chunk is a range of channels and a segment: several images, or a part of one. Chunks that follow each
/// other lie side by side in memory.
struct ChannelChunks {
  std::int64_t batch, channels, inner;
  std::int64_t channels_per_chunk, images_per_segment, parts_of_image, segments;

  std::int64_t channel_parts() const { return (channels + channels_per_chunk - 1) / channels_per_chunk; }
  std::int64_t chunks() const { return channel_parts() * segments; }
  std::int64_t segment_of(std::int64_t chunk) const { return chunk / channel_parts(); }
  std::int64_t channel_begin(std::int64_t chunk) const {
    return chunk % channel_parts() * channels_per_chunk;
  }
  std::int64_t channel_end(std::int64_t chunk) const {
    return std::min(channels, channel_begin(chunk) + channels_per_chunk);
  }
  ChannelSegment segment(std::int64_t number) const {
    const std::int64_t image = number / parts_of_image * images_per_segment, part = number % parts_of_image;
    return {image, std::min(batch, image + images_per_segment), part * inner / parts_of_image,
            (part + 1) * inner / parts_of_image};
  }
};

/// Chunks of about 4096 elements: the first-level cache holds them for a second pass, and a sum of so few
/// terms loses few digits. Small planes share a chunk, and are read 1024 elements at a time at least. There
/// are at most 256 segments of images, for what they leave to be merged.
FASTDL_INLINE ChannelChunks plan_channels(std::int64_t batch, std::int64_t channels, std::int64_t inner) {
  constexpr std::int64_t chunk_elements = 1 << 12, side_by_side = 1 << 10, most_columns = 256,
                         fewest_rows = 64, most_segments = 256;
  const auto parts = [](std::int64_t count, std::int64_t of) { return (count + of - 1) / of; };
  ChannelChunks plan{batch, channels, inner, 1, 1, 1, 0};
  const std::int64_t plane = std::max<std::int64_t>(1, inner), all = std::max<std::int64_t>(1, channels);
  plan.channels_per_chunk = std::min(inner == 1 ? most_columns : parts(side_by_side, plane), all);
  plan.images_per_segment = std::max<std::int64_t>(inner == 1 ? fewest_rows : 1,
                                                   chunk_elements / (plan.channels_per_chunk * plane));
  if (inner > 1) plan.images_per_segment = std::max(plan.images_per_segment, parts(batch, most_segments));
  if (plan.images_per_segment == 1) plan.parts_of_image = parts(plane, chunk_elements);
  plan.segments = inner == 0 ? 0 : parts(batch, plan.images_per_segment) * plan.parts_of_image;
  return plan;
}

/// Whole vectors, and the first `count` lanes of one.
template <class T>
struct WholeVector {
  FASTDL_INLINE Vec<T> load(const T* p, T) const {
    prefetch_ahead(p);
    return FASTDL_ISA::load(p);
  }
  FASTDL_INLINE void store(T* p, Vec<T> v) const { FASTDL_ISA::store(p, v); }
};
template <class T>
struct PartOfVector {
  int count;
  FASTDL_INLINE Vec<T> load(const T* p, T fill) const { return load_partial(p, count, fill); }
  FASTDL_INLINE void store(T* p, Vec<T> v) const { store_partial(p, v, count); }
};

/// Calls body(access, offset, values, sums) for vectors that cover a segment of channels [channel,
/// channel_end). `values` are the entries of `tables` for the vector's channels, and what the body adds to
/// `sums` ends in sums_out[k][channel]. Lanes beyond a plane's end load as the `fill` they are given.
template <class T, std::size_t tables_count, std::size_t sums_count, class Body>
void visit_planes(const ChannelChunks& plan, std::int64_t channel, std::int64_t channel_end,
                  const ChannelSegment& segment, const std::array<const T*, tables_count>& tables,
                  const std::array<T*, sums_count>& sums_out, const Body& body) {
  constexpr int width = lanes<T>, unrolled = 4;
  for (; channel < channel_end; ++channel) {
    Vec<T> values[tables_count + 1], sums[unrolled][sums_count + 1] = {};
    for (int k = 0; k < static_cast<int>(tables_count); ++k) values[k] = broadcast(tables[k][channel]);
    for (std::int64_t n = segment.image_begin; n < segment.image_end; ++n) {
      const std::int64_t plane = (n * plan.channels + channel) * plan.inner;
      std::int64_t offset = plane + segment.begin;
      const std::int64_t stop = plane + segment.end;
      for (; offset + unrolled * width <= stop; offset += unrolled * width) {
#pragma GCC unroll 4
        for (int v = 0; v < unrolled; ++v) body(WholeVector<T>{}, offset + v * width, values, sums[v]);
      }
      for (; offset + width <= stop; offset += width) body(WholeVector<T>{}, offset, values, sums[0]);
      if (offset < stop) body(PartOfVector<T>{static_cast<int>(stop - offset)}, offset, values, sums[1]);
    }
    for (int k = 0; k < static_cast<int>(sums_count); ++k)
      sums_out[k][channel] = reduce_add((sums[0][k] + sums[1][k]) + (sums[2][k] + sums[3][k]));
  }
}

/// The same for inner == 1: `Vectors` neighbouring vectors of channels, down the rows together, so that what
/// a row has of them is read in one go.
template <int Vectors, class T, class Access, std::size_t tables_count, std::size_t sums_count, class Body>
FASTDL_INLINE void visit_column_group(const ChannelChunks& plan, const Access& access, std::int64_t channel,
                                      const ChannelSegment& rows,
                                      const std::array<const T*, tables_count>& tables,
                                      const std::array<T*, sums_count>& sums_out, const Body& body) {
  constexpr int tables_size = static_cast<int>(tables_count), sums_size = static_cast<int>(sums_count);
  Vec<T> values[Vectors][tables_count + 1], sums[Vectors][sums_count + 1] = {};
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; ++v)
    for (int k = 0; k < tables_size; ++k)
      values[v][k] = access.load(tables[k] + channel + v * lanes<T>, T(0));
  for (std::int64_t row = rows.image_begin; row < rows.image_end; ++row)
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v)
      body(access, row * plan.channels + channel + v * lanes<T>, values[v], sums[v]);
#pragma GCC unroll 4
  for (int v = 0; v < Vectors; ++v)
    for (int k = 0; k < sums_size; ++k) access.store(sums_out[k] + channel + v * lanes<T>, sums[v][k]);
}

template <class T, std::size_t tables_count, std::size_t sums_count, class Body>
void visit_columns(const ChannelChunks& plan, std::int64_t channel, std::int64_t channel_end,
                   const ChannelSegment& rows, const std::array<const T*, tables_count>& tables,
                   const std::array<T*, sums_count>& sums_out, const Body& body) {
  constexpr int several = 4;
  for (; channel + several * lanes<T> <= channel_end; channel += several * lanes<T>)
    visit_column_group<several>(plan, WholeVector<T>{}, channel, rows, tables, sums_out, body);
  for (; channel + lanes<T> <= channel_end; channel += lanes<T>)
    visit_column_group<1>(plan, WholeVector<T>{}, channel, rows, tables, sums_out, body);
  if (channel < channel_end)
    visit_column_group<1>(plan, PartOfVector<T>{static_cast<int>(channel_end - channel)}, channel, rows,
                          tables, sums_out, body);
}

/// One chunk of either kind.
template <class T, std::size_t tables_count, std::size_t sums_count, class Body>
FASTDL_INLINE void visit_chunk(const ChannelChunks& plan, std::int64_t chunk,
                               const std::array<const T*, tables_count>& tables,
                               const std::array<T*, sums_count>& sums_out, const Body& body) {
  const ChannelSegment segment = plan.segment(plan.segment_of(chunk));
  const std::int64_t channel = plan.channel_begin(chunk), channel_end = plan.channel_end(chunk);
  if (plan.inner == 1) {
    visit_columns(plan, channel, channel_end, segment, tables, sums_out, body);
  } else {
    visit_planes(plan, channel, channel_end, segment, tables, sums_out, body);
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
