// Convolution forward and backward-data on bfloat16 as a product of pairs: rows of the kernel times columns
// that are output positions of all images, over pairs of neighbouring channels, tap by tap. A panel of
// columns is packed straight from the image, so no matrix of windows ever lies in memory.
#pragma once

#include "primitives/bf16_product.inl.h"
#include "primitives/gather.inl.h"

#if FASTDL_SIMD_AVX512

namespace fastdl::FASTDL_ISA {
namespace {

/// Lanes [begin, end) of a panel that are output positions side by side in one row of one image.
struct LaneRun {
  int begin, end;
  std::int64_t image, row, column;
};

struct LaneRuns {
  int count = 0;
  LaneRun runs[pair_columns];

  /// Positions [position, position + lanes) of (images, height, width).
  LaneRuns(std::int64_t height, std::int64_t width, std::int64_t position, int lanes) {
    std::int64_t column = position % width, row = position / width % height,
                 image = position / width / height;
    for (int begin = 0; begin < lanes;) {
      const int length = static_cast<int>(std::min<std::int64_t>(lanes - begin, width - column));
      runs[count++] = {begin, begin + length, image, row, column};
      begin += length, column = 0;
      if (++row == height) row = 0, ++image;
    }
  }
};

/// Lanes [begin, end) as a mask, and as one of every second bit.
FASTDL_INLINE std::uint32_t lane_mask(std::int64_t begin, std::int64_t end) {
  return begin < end ? mask_of_first(end) & ~mask_of_first(begin) : 0;
}
FASTDL_INLINE std::uint64_t spread_lane_mask(std::int64_t begin, std::int64_t end) {
  constexpr std::uint64_t even = 0x5555555555555555u;
  if (begin >= end) return 0;
  const std::uint64_t below_end = end >= 32 ? ~std::uint64_t{0} : (std::uint64_t{1} << 2 * end) - 1;
  return even & below_end & ~((std::uint64_t{1} << 2 * begin) - 1);
}

/// Which of `length` places first, first + step, … lie in [0, extent). Divisions cost more than what they
/// spare here.
struct InsideLanes {
  std::int64_t begin, end;
  InsideLanes(std::int64_t extent, std::int64_t first, std::int64_t step, std::int64_t length) {
    const auto over_step = [step](std::int64_t x) { return step == 1 ? x : step == 2 ? x / 2 : x / step; };
    begin = first < 0 ? std::min(length, over_step(step - 1 - first)) : 0;
    end = first < extent ? std::min(length, over_step(extent - 1 - first) + 1) : 0;
  }
};

/// What a tap reads for a run of lanes: lane i at from + i * step, of the lanes in the mask.
struct LaneRead {
  const BFloat16* from;
  std::uint32_t mask;
  std::uint64_t spread;
};

template <int Step>
FASTDL_INLINE WordVec load_lanes(const LaneRead& read, std::int64_t step, std::int64_t offset, WordVec rest) {
  const BFloat16* const from = read.from + offset;
  if constexpr (Step == 1) return load_words(from, read.mask, rest);
  if constexpr (Step == 2) return load_every_second_word(from, read.mask, read.spread, rest);
  for (std::uint32_t left = read.mask; left != 0; left &= left - 1) {
    const int lane = __builtin_ctz(left);
    rest[lane] = from[lane * step].bits;
  }
  return rest;
}

/// Pairs of channels [channel, channel + 2 * pairs) of one tap, those from `channels` on zero.
template <int Step>
void pack_tap(const LaneRead* reads, int count, std::int64_t step, std::int64_t channel_stride,
              std::int64_t channel, std::int64_t channels, std::int64_t pairs, int columns,
              std::int64_t pitch, std::uint32_t* to) {
  for (std::int64_t j = 0; j < pairs; ++j, channel += 2, to += pitch) {
    WordVec even{}, odd{};
    for (int i = 0; i < count; ++i) {
      even = load_lanes<Step>(reads[i], step, channel * channel_stride, even);
      if (channel + 1 < channels) odd = load_lanes<Step>(reads[i], step, (channel + 1) * channel_stride, odd);
    }
    store_pairs(to, low_pairs(even, odd), lanes<float>);
    if (columns > lanes<float>) store_pairs(to + lanes<float>, high_pairs(even, odd), lanes<float>);
  }
}

/// One phase of a gather, for one group whose operands `source`, `kernel`, `bias` (may be null) and `target`
/// are.
struct PairGather {
  const Gather& gather;
  int phase;
  const BFloat16* source;
  const BFloat16* kernel;
  const BFloat16* bias;
  BFloat16* target;

  const GatherAxis& h() const { return gather.h; }
  const GatherAxis& w() const { return gather.w[phase]; }
  std::int64_t positions() const { return gather.images * h().outputs * w().outputs; }
  std::int64_t channel_pairs() const { return (gather.channels + 1) / 2; }
  PairPlan plan() const {
    return plan_pairs(gather.rows, positions(), gather.taps(phase) * channel_pairs(), false);
  }

  /// The kernel's share of a tile.
  void pack_kernel(std::int64_t k, std::int64_t pairs, std::int64_t row, int rows, std::int64_t pitch,
                   std::uint32_t* to) const {
    const std::int64_t per_tap = channel_pairs(), cs = gather.channel_stride, rs = gather.row_stride;
    if (gather.taps(phase) == 1 && std::min(cs, rs) == 1)
      return PairLines{kernel + gather.kernel_tap(phase, 0, 0), rs, cs, gather.channels}.pack(
          k, pairs, row, rows, pitch, to);
    for (std::int64_t j = 0; j < pairs; ++j, to += pitch) {
      const std::int64_t tap = (k + j) / per_tap, channel = 2 * ((k + j) % per_tap);
      const std::int64_t at =
          gather.kernel_tap(phase, tap / w().taps, tap % w().taps) + channel * cs + row * rs;
      const bool whole = channel + 1 < gather.channels;
      for (int i = 0; i < rows; ++i)
        to[i] = kernel[at + i * rs].bits |
                (whole ? static_cast<std::uint32_t>(kernel[at + i * rs + cs].bits) << 16 : 0u);
    }
  }

  /// What tap (r, s) reads for runs of lanes; how many runs read anything.
  int reads_of(const LaneRuns& runs, std::int64_t r, std::int64_t s, LaneRead* reads) const {
    int count = 0;
    for (int i = 0; i < runs.count; ++i) {
      const LaneRun& run = runs.runs[i];
      const std::int64_t row = run.row * h().step + h().base + r * h().base_step;
      if (row < 0 || row >= h().source) continue;
      const std::int64_t step = w().step, first = run.column * step + w().base + s * w().base_step,
                         length = run.end - run.begin;
      const auto [begin, end] = InsideLanes(w().source, first, step, length);
      if (begin >= end) continue;
      reads[count++] = {
          source + run.image * gather.source.image + row * gather.source.row + first - run.begin * step,
          lane_mask(run.begin + begin, run.begin + end),
          spread_lane_mask(run.begin + begin, run.begin + end)};
    }
    return count;
  }

  /// A panel of positions.
  void pack_positions(std::int64_t k, std::int64_t pairs, std::int64_t position, int count,
                      std::int64_t pitch, std::uint32_t* to) const {
    const LaneRuns runs(h().outputs, w().outputs, position, count);
    const auto pack = w().step == 1 ? pack_tap<1> : w().step == 2 ? pack_tap<2> : pack_tap<0>;
    LaneRead reads[pair_columns];
    for (const std::int64_t end = k + pairs; k < end;) {
      const std::int64_t tap = k / channel_pairs(), first = k % channel_pairs();
      const std::int64_t some = std::min(end - k, channel_pairs() - first);
      const int met = reads_of(runs, tap / w().taps, tap % w().taps, reads);
      pack(reads, met, w().step, gather.source.channel, 2 * first, gather.channels, some, count, pitch, to);
      k += some, to += some * pitch;
    }
  }

  /// Rounds sums and puts them where the target's positions are.
  void write(const PairSums& sums) const {
    const LaneRuns runs(h().outputs, w().outputs, sums.column, sums.columns);
    const std::int64_t step = w().target_step;
    std::int64_t offsets[pair_columns];  // of lane 0
    std::uint32_t masks[pair_columns];
    int count = 0;
    for (int i = 0; i < runs.count; ++i) {
      const LaneRun& run = runs.runs[i];
      const std::int64_t offset = run.image * gather.target.image +
                                  (h().target_begin + run.row * h().target_step) * gather.target.row +
                                  w().target_begin + (run.column - run.begin) * step;
      const std::uint32_t mask = lane_mask(run.begin, run.end);
      if (count > 0 && offsets[count - 1] == offset)
        masks[count - 1] |= mask;
      else
        offsets[count] = offset, masks[count++] = mask;
    }
    for (std::int64_t i = 0; i < sums.rows; ++i) {
      const std::int64_t row = sums.row + i;
      const float added = bias ? __builtin_bit_cast(float, std::uint32_t{bias[row].bits} << 16) : 0.0f;
      const WordVec words = rounded_sums(sums.values + i * sums.pitch, sums.columns, added);
      BFloat16* const to = target + row * gather.target.channel;
      if (step == 1) {
        for (int j = 0; j < count; ++j) store_words(to + offsets[j], words, masks[j]);
        continue;
      }
      BFloat16 rounded[pair_columns];
      store_words(rounded, words, ~0u);
      for (int j = 0; j < count; ++j)
        for (int lane = __builtin_ctz(masks[j]); lane < 32 - __builtin_clz(masks[j]); ++lane)
          to[offsets[j] + lane * step] = rounded[lane];
    }
  }
};

/// Calls body(group's share) for every group and phase.
template <class Body>
FASTDL_INLINE void for_pair_gathers(const Gather& gather, const BFloat16* source, const BFloat16* kernel,
                                    const BFloat16* bias, BFloat16* target, const Body& body) {
  for (std::int64_t group = 0; group < gather.groups; ++group)
    for (int phase = 0; phase < gather.phases; ++phase)
      body(PairGather{gather, phase, source + group * gather.channels * gather.source.channel,
                      kernel + group * gather.group_stride, bias ? bias + group * gather.rows : nullptr,
                      target + group * gather.rows * gather.target.channel});
}

inline std::size_t pair_gather_workspace_bytes(const Gather& gather) {
  std::int64_t most = 0;
  for (int phase = 0; phase < gather.phases; ++phase)
    most = std::max(most, gather.rows * gather.taps(phase) * ((gather.channels + 1) / 2));
  return static_cast<std::size_t>(most) * sizeof(std::uint32_t);
}

/// target = gather of source with the kernel, plus bias (groups * rows, may be null), as run_gather of
/// gather_convolution.inl.h. Images have their pixels side by side.
inline void run_pair_gather(const Gather& given, const BFloat16* source, const BFloat16* kernel,
                            const BFloat16* bias, BFloat16* target, void* workspace) {
  const Gather gather = flattened(given);
  for_pair_gathers(gather, source, kernel, bias, target, [&](const PairGather& share) {
    if (share.positions() == 0) return;
    multiply_pairs(
        share.plan(),
        [&](std::int64_t k, std::int64_t pairs, std::int64_t row, int rows, std::int64_t pitch,
            std::uint32_t* to) { share.pack_kernel(k, pairs, row, rows, pitch, to); },
        [&](std::int64_t k, std::int64_t pairs, std::int64_t position, int count, std::int64_t pitch,
            std::uint32_t* to) { share.pack_positions(k, pairs, position, count, pitch, to); },
        [&](const PairSums& sums) { share.write(sums); }, static_cast<std::uint32_t*>(workspace));
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA

#endif  // FASTDL_SIMD_AVX512
