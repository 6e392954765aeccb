// The gradient of a convolution's kernel on bfloat16 as a product of pairs: rows of the gradient times
// columns that are the windows' elements (channel, tap), over pairs of neighbouring output positions.
#pragma once

#include "primitives/bf16_float32.inl.h"
#include "primitives/bf16_gather.inl.h"

#if FASTDL_SIMD_AVX512

namespace fastdl::FASTDL_ISA {
namespace {

/// The depth: the output positions of all images, those of each image filled up to whole pairs.
struct PositionPairs {
  std::int64_t images, positions;

  std::int64_t of_image() const { return (positions + 1) / 2; }
  std::int64_t count() const { return images * of_image(); }

  /// Calls body(image, position, elements, pairs) for the parts that pairs [k, k + pairs) have in each image.
  template <class Body>
  void visit(std::int64_t k, std::int64_t pairs, const Body& body) const {
    while (pairs > 0) {
      const std::int64_t first = k % of_image(), some = std::min(pairs, of_image() - first);
      body(k / of_image(), 2 * first, std::min(2 * some, positions - 2 * first), some);
      k += some, pairs -= some;
    }
  }
};

/// Packs lines that are whole planes.
inline void pack_planes(const PositionPairs& depth, const BFloat16* planes, std::int64_t image_stride,
                        std::int64_t plane_stride, std::int64_t k, std::int64_t pairs, std::int64_t line,
                        int count, std::int64_t pitch, std::uint32_t* to) {
  constexpr int n = lanes<float>;
  depth.visit(
      k, pairs, [&](std::int64_t image, std::int64_t position, std::int64_t elements, std::int64_t some) {
        const BFloat16* const from = planes + image * image_stride + line * plane_stride + position;
        for (int i = 0; i < count; i += n)
          turn_pairs(from + i * plane_stride, plane_stride, std::min(n, count - i), elements, pitch, to + i);
        to += some * pitch;
      });
}

/// What the columns of a panel read at 32 positions or fewer. A column is a tap and a channel, so that most
/// panels meet few taps.
struct WindowReads {
  std::int64_t channel, channels, channel_stride;  // the first column's, and of the source
  int counts[pair_columns];                        // of runs that a tap meets, from the first column's tap on
  LaneRead reads[pair_columns][pair_columns];

  WindowReads(const PairGather& windows, std::int64_t column, int columns, const LaneRuns& runs) {
    channels = windows.gather.channels, channel = column % channels;
    channel_stride = windows.gather.source.channel;
    const std::int64_t width = windows.w().taps, first = column / channels,
                       last = (column + columns - 1) / channels;
    for (std::int64_t tap = first; tap <= last; ++tap)
      counts[tap - first] = windows.reads_of(runs, tap / width, tap % width, reads[tap - first]);
  }
};

/// to[j * pitch + i] = pair j of what column i < `count` reads.
template <int Step>
void turn_windows(const WindowReads& windows, std::int64_t step, int count, int pairs, std::int64_t pitch,
                  std::uint32_t* to) {
  constexpr int n = lanes<float>;
  std::int64_t channel = windows.channel;
  int tap = 0;  // counted from the first column's
  for (int first = 0; first < count; first += n) {
    Vec<float> block[n];
    for (int i = 0; i < n; ++i) {
      WordVec words{};
      for (int j = 0; first + i < count && j < windows.counts[tap]; ++j)
        words = load_lanes<Step>(windows.reads[tap][j], step, channel * windows.channel_stride, words);
      block[i] = bit_cast<Vec<float>>(words);
      if (++channel == windows.channels) channel = 0, ++tap;
    }
    transpose(block);
#pragma GCC unroll 16
    for (int j = 0; j < n; ++j)
      if (j < pairs)
        store_pairs(to + j * pitch + first, bit_cast<PairVec>(block[j]), std::min(n, count - first));
  }
}

/// Adds `parts` partial sums (rows, taps, channels) in order, rounds them, and puts them as (rows, channels,
/// taps).
inline void narrow_kernel(const float* partial, std::int64_t parts, std::int64_t rows, std::int64_t taps,
                          std::int64_t channels, BFloat16* to) {
  if (taps == 1) return narrow_sums(partial, parts, rows * channels, to);
  const std::int64_t size = rows * taps * channels;
  parallel_for(rows, [&](std::int64_t row) {
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      const float* from = partial + (row * taps + tap) * channels;
      BFloat16* const kernel = to + row * channels * taps + tap;
      for (std::int64_t c = 0; c < channels; c += lanes<float>) {
        const int count = static_cast<int>(std::min<std::int64_t>(lanes<float>, channels - c));
        Vec<float> sum = load_up_to(from + c, count);
        for (std::int64_t part = 1; part < parts; ++part) sum += load_up_to(from + part * size + c, count);
        const HalfVec rounded = rounded_to_bf16(sum);
        for (int i = 0; i < count; ++i) kernel[(c + i) * taps].bits = rounded[i];
      }
    }
  });
}

/// One group's product: rows of the gradient times windows of the source.
struct PairWeight {
  const Gather& gather;
  const BFloat16* source;
  const BFloat16* grad;
  PositionPairs depth{gather.images, gather.h.outputs * gather.w[0].outputs};

  std::int64_t columns() const { return gather.channels * gather.taps(0); }
  PairPlan plan() const { return plan_pairs(gather.rows, columns(), depth.count(), true); }
  /// Whether a window's elements at all positions are a plane of the source as it lies.
  bool planes() const {
    const GatherAxis &h = gather.h, &w = gather.w[0];
    return gather.taps(0) == 1 && h.base == 0 && w.base == 0 && h.step == 1 && w.step == 1 &&
           h.outputs == h.source && w.outputs == w.source;
  }

  void pack_gradient(std::int64_t k, std::int64_t pairs, std::int64_t row, int rows, std::int64_t pitch,
                     std::uint32_t* to) const {
    pack_planes(depth, grad, gather.target.image, gather.target.channel, k, pairs, row, rows, pitch, to);
  }

  void pack_windows(std::int64_t k, std::int64_t pairs, std::int64_t column, int count, std::int64_t pitch,
                    std::uint32_t* to) const {
    const GatherAxis &h = gather.h, &w = gather.w[0];
    if (planes())
      return pack_planes(depth, source, gather.source.image, gather.source.channel, k, pairs, column, count,
                         pitch, to);
    const PairGather windows{gather, 0, source, nullptr, nullptr, nullptr};
    const auto turn = w.step == 1 ? turn_windows<1> : w.step == 2 ? turn_windows<2> : turn_windows<0>;
    depth.visit(k, pairs,
                [&](std::int64_t image, std::int64_t position, std::int64_t elements, std::int64_t some) {
                  for (std::int64_t e = 0; e < elements; e += pair_columns) {
                    const int length = static_cast<int>(std::min<std::int64_t>(pair_columns, elements - e));
                    const LaneRuns runs(h.outputs, w.outputs, image * depth.positions + position + e, length);
                    turn(WindowReads(windows, column, count, runs), w.step, count, (length + 1) / 2, pitch,
                         to + e / 2 * pitch);
                  }
                  to += some * pitch;
                });
  }
};

inline std::size_t pair_weight_workspace_bytes(const Gather& given) {
  const Gather gather = flattened(given);
  const PairWeight share{gather, nullptr, nullptr};
  const PairPlan plan = share.plan();
  WorkspacePieces pieces(nullptr);
  pieces.take<std::uint32_t>(plan.a_size());
  pieces.take<float>(plan.splits * plan.rows * plan.columns);
  return pieces.bytes();
}

/// grad_kernel (groups * rows, channels, taps) of a forward gather from its source and the gradient of its
/// target.
inline void run_pair_weight(const Gather& given, const BFloat16* source, const BFloat16* grad,
                            BFloat16* grad_kernel, void* workspace) {
  const Gather gather = flattened(given);
  for (std::int64_t group = 0; group < gather.groups; ++group) {
    const PairWeight share{gather, source + group * gather.channels * gather.source.channel,
                           grad + group * gather.rows * gather.target.channel};
    const PairPlan plan = share.plan();
    WorkspacePieces pieces(workspace);
    auto* const packed = pieces.take<std::uint32_t>(plan.a_size());
    const std::int64_t size = plan.rows * plan.columns;
    float* const partial = pieces.take<float>(plan.splits * size);
    multiply_pairs(
        plan,
        [&](std::int64_t k, std::int64_t pairs, std::int64_t row, int rows, std::int64_t pitch,
            std::uint32_t* to) { share.pack_gradient(k, pairs, row, rows, pitch, to); },
        [&](std::int64_t k, std::int64_t pairs, std::int64_t column, int count, std::int64_t pitch,
            std::uint32_t* to) { share.pack_windows(k, pairs, column, count, pitch, to); },
        [&](const PairSums& sums) {
          float* to = partial + sums.split * size + sums.row * plan.columns + sums.column;
          for (std::int64_t i = 0; i < sums.rows; ++i, to += plan.columns)
            std::copy_n(sums.values + i * sums.pitch, sums.columns, to);
        },
        packed);
    narrow_kernel(partial, plan.splits, gather.rows, gather.taps(0), gather.channels,
                  grad_kernel + group * size);
  }
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA

#endif  // FASTDL_SIMD_AVX512
