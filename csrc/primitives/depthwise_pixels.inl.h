// A depthwise gather over pixels whose channels lie side by side: the lanes are channels, the line of a tile
// goes along the width.
#pragma once

#include <optional>

#include "core/allocator.h"
#include "core/thread_pool.h"
#include "primitives/depthwise_tile.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// The line of an axis along the width; outputs are neighbours.
template <class Taps>
FASTDL_INLINE LineAxis pixel_line(const GatherAxis& w, Taps taps) {
  const LineAxis line(w, taps);
  return line.turns == 1 ? line : LineAxis(w, LineTaps<>());
}

/// The lines of the taps of one phase; the kernel's taps lie in vectors of all channels.
class PixelLines {
 public:
  PixelLines(const Gather& gather, int phase, const LineAxis& line, std::int64_t padded)
      : gather_(gather),
        listed_(line.listed(gather.w[phase])),
        memory_(static_cast<std::size_t>(gather.h.taps * listed_ + 1) * sizeof(TapLine)) {
    const GatherAxis &h = gather.h, &w = gather.w[phase];
    auto* next = static_cast<TapLine*>(memory_.data());
    lines_ = {next, 0, line.between * gather.source.pixel, line.reversed ? -padded : padded};
    for (std::int64_t r = 0; r < h.taps; ++r)
      for (std::int64_t s = 0; s < listed_; ++s) {
        const std::int64_t column = line.taps > 1 ? w.lowest() : w.base + s * w.base_step;
        const std::int64_t tap = r * w.taps + (line.reversed ? w.taps - 1 : s);
        *next++ = {(h.base + r * h.base_step) * gather.source.row + column * gather.source.pixel,
                   tap * padded, column, 0, 0};
      }
  }

  /// Those in the source for an output row.
  TapLines of_row(std::int64_t row) const {
    const GatherAxis& h = gather_.h;
    const auto inside = [&](std::int64_t r) {
      const std::int64_t at = row * h.step + h.base + r * h.base_step;
      return at >= 0 && at < h.source;
    };
    std::int64_t first = 0, last = h.taps;
    while (first < last && !inside(first)) ++first;
    while (last > first && !inside(last - 1)) --last;
    TapLines lines = lines_;
    lines.begin += first * listed_, lines.count = (last - first) * listed_;
    return lines;
  }

 private:
  const Gather& gather_;
  std::int64_t listed_;
  Workspace memory_;
  TapLines lines_;
};

/// Neighbouring outputs, all channels.
template <int Taps, int Step, int Outputs, class T>
__attribute__((noinline)) void sum_pixel_tile(const TapLines& lines, std::int64_t channels,
                                              const TileSource<T>& source, const T* kernel, const T* bias,
                                              const LineTarget<T>& target) {
  const LineRange range_of_all = source.template range<Taps, Step, Outputs>(*lines.begin);
  for (std::int64_t c = 0; c < channels; c += lanes<T>) {
    const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, channels - c));
    source.template prefetch<Outputs * Step>(c, lines.source_pitch);
    const Vec<T> first = bias ? load_up_to(bias + c, count) : Vec<T>{};
    Vec<T> sums[Outputs];
#pragma GCC unroll 8
    for (int o = 0; o < Outputs; ++o) sums[o] = first;
    for (const TapLine* line = lines.begin; line != lines.begin + lines.count; ++line) {
      const LineRange range = Taps > 1 ? range_of_all : source.template range<Taps, Step, Outputs>(*line);
      Vec<T> weights[Taps];
#pragma GCC unroll 8
      for (int t = 0; t < Taps; ++t) weights[t] = load(kernel + line->kernel + t * lines.kernel_pitch + c);
      add_line<Taps, Step, Outputs>(source.at + line->source + c, lines.source_pitch, range, 0, count,
                                    weights, sums);
    }
    store_outputs<Outputs>(target, c, count, sums);
  }
}

/// Adds what neighbouring outputs, whose gradients are `pitch` elements apart, add to the sums of all taps.
template <int Taps, int Step, int Outputs, class T>
__attribute__((noinline)) void sum_pixel_products(const TapLines& lines, std::int64_t channels,
                                                  const TileSource<T>& source, const T* grad,
                                                  std::int64_t pitch, T* totals) {
  const LineRange range_of_all = source.template range<Taps, Step, Outputs>(*lines.begin);
  for (std::int64_t c = 0; c < channels; c += lanes<T>) {
    const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, channels - c));
    source.template prefetch<Outputs * Step>(c, lines.source_pitch);
    Vec<T> gradients[Outputs];
#pragma GCC unroll 8
    for (int o = 0; o < Outputs; ++o) gradients[o] = load_up_to(grad + o * pitch + c, count);
    for (const TapLine* line = lines.begin; line != lines.begin + lines.count; ++line) {
      const LineRange range = Taps > 1 ? range_of_all : source.template range<Taps, Step, Outputs>(*line);
      add_line_products<Taps, Step, Outputs>(source.at + line->source + c, lines.source_pitch, range, 0,
                                             count, gradients, totals + line->kernel + c, lines.kernel_pitch);
    }
  }
}

/// From where an output row reads to what the next one will read first; from there to what it reads next, if
/// there is more.
FASTDL_INLINE std::int64_t next_pixels(const Gather& gather) {
  return (gather.h.highest() + 1) * gather.source.row;
}
FASTDL_INLINE std::int64_t also_next(const Gather& gather) {
  return gather.h.step > 1 ? gather.source.row : 0;
}

/// The kernels of groups [first, first + count), of one row and channel each, as (taps, channels), the taps
/// of one phase after another and `padded` elements apart.
template <class T>
void turn_kernel(const Gather& gather, std::int64_t first, std::int64_t count, std::int64_t padded,
                 const T* kernel, T* to) {
  kernel += first * gather.group_stride;
  for (int phase = 0; phase < gather.phases; ++phase)
    for (std::int64_t r = 0; r < gather.h.taps; ++r)
      for (std::int64_t s = 0; s < gather.w[phase].taps; ++s, to += padded) {
        const T* from = kernel + gather.kernel_tap(phase, r, s);
        for (std::int64_t c = 0; c < count; ++c) to[c] = from[c * gather.group_stride];
        std::fill(to + count, to + padded, T(0));
      }
}

template <class T>
using PixelTile = void (*)(const TapLines&, std::int64_t, const TileSource<T>&, const T*, const T*,
                           const LineTarget<T>&);

/// A gather along one phase of the width.
template <class T>
struct PixelPhase {
  LineAxis line;
  PixelLines lines;
  LineTiles<PixelTile<T>> tiles;

  PixelPhase(const Gather& gather, int phase, std::int64_t padded)
      : line(pixel_line(gather.w[phase], GatherLineTaps())),
        lines(gather, phase, line, padded),
        tiles(GatherLineTaps(), line, [](auto taps, auto step, auto outputs) -> PixelTile<T> {
          return sum_pixel_tile<taps(), step(), outputs(), T>;
        }) {}
};

/// Rows of a gather with turned kernels, whose taps lie `padded` elements apart.
template <class T>
class DepthwisePixels {
 public:
  DepthwisePixels(const Gather& gather, std::int64_t padded) : gather_(gather), padded_(padded) {
    for (int phase = 0; phase < gather.phases; ++phase) phases_[phase].emplace(gather, phase, padded);
  }

  /// An output row of one image, `channels` of it.
  void run_row(std::int64_t row, const T* source, std::int64_t channels, const T* kernel, const T* bias,
               T* target) const {
    const GatherAxis& h = gather_.h;
    const std::int64_t pixel = gather_.source.pixel;
    source += row * h.step * gather_.source.row;
    target += (h.target_begin + row * h.target_step) * gather_.target.row;
    for (int phase = 0; phase < gather_.phases; ++phase) {
      const GatherAxis& w = gather_.w[phase];
      const PixelPhase<T>& run = *phases_[phase];
      const TapLines lines = run.lines.of_row(row);
      const std::int64_t pitch = w.target_step * gather_.target.pixel;
      T* to = target + w.target_begin * gather_.target.pixel;
      for (std::int64_t q = 0; q < w.outputs;) {
        const int size = tile_outputs(w.outputs - q);
        run.tiles.of[size](lines, channels,
                           {source + q * w.step * pixel, q * w.step, w.source, run.line.between,
                            next_pixels(gather_), also_next(gather_)},
                           kernel, bias, {to + q * pitch, pitch, gather_.activation});
        q += size;
      }
      kernel += gather_.taps(phase) * padded_;
    }
  }

 private:
  const Gather& gather_;
  std::int64_t padded_;
  std::optional<PixelPhase<T>> phases_[Gather::most_phases];
};

template <class T>
void run_depthwise_pixels(const Gather& gather, const T* source, const T* kernel, const T* bias, T* target,
                          T* turned_kernel) {
  const std::int64_t padded = ceil_div(gather.groups, lanes<T>) * lanes<T>;
  turn_kernel(gather, 0, gather.groups, padded, kernel, turned_kernel);
  const DepthwisePixels<T> pixels(gather, padded);
  const std::int64_t P = gather.h.outputs, rows = gather.images * P;
  const std::int64_t chunks =
      depthwise_chunks(rows, gather.columns() * gather.groups * std::max<std::int64_t>(1, gather.all_taps()));
  parallel_for(chunks, [&](std::int64_t chunk) {
    for (std::int64_t at = chunk * rows / chunks; at < (chunk + 1) * rows / chunks; ++at)
      pixels.run_row(at % P, source + at / P * gather.source.image, gather.groups, turned_kernel, bias,
                     target + at / P * gather.target.image);
  });
}

template <class T>
using PixelProducts = void (*)(const TapLines&, std::int64_t, const TileSource<T>&, const T*, std::int64_t,
                               T*);

/// Rows of the gradient of a kernel, whose taps lie `padded` elements apart.
template <class T>
class DepthwisePixelGradients {
 public:
  DepthwisePixelGradients(const Gather& gather, std::int64_t padded)
      : gather_(gather),
        line_(pixel_line(gather.w[0], WeightLineTaps())),
        lines_(gather, 0, line_, padded),
        tiles_(WeightLineTaps(), line_, [](auto taps, auto step, auto outputs) -> PixelProducts<T> {
          return sum_pixel_products<taps(), step(), outputs(), T>;
        }) {}

  /// Adds what an output row of one image adds to the totals of `channels`.
  void add_row(std::int64_t row, const T* source, std::int64_t channels, const T* grad, T* totals) const {
    const GatherAxis& w = gather_.w[0];
    const TapLines lines = lines_.of_row(row);
    source += row * gather_.h.step * gather_.source.row;
    grad += row * gather_.target.row;
    for (std::int64_t q = 0; q < w.outputs;) {
      const int outputs = tile_outputs(w.outputs - q);
      tiles_.of[outputs](lines, channels,
                         {source + q * w.step * gather_.source.pixel, q * w.step, w.source, line_.between,
                          next_pixels(gather_), also_next(gather_)},
                         grad + q * gather_.target.pixel, gather_.target.pixel, totals);
      q += outputs;
    }
  }

 private:
  const Gather& gather_;
  LineAxis line_;
  PixelLines lines_;
  LineTiles<PixelProducts<T>> tiles_;
};

/// How the gradient of a kernel is cut: the channels in pieces of whole vectors, and all rows of the images
/// in splits whose sums are added in order.
struct PixelWeightPlan {
  std::int64_t pieces, splits;
};

FASTDL_INLINE PixelWeightPlan plan_pixel_weight(const Gather& gather) {
  constexpr std::int64_t wanted_chunks = 16, least_channels = 128, least_pixels = 64;
  PixelWeightPlan plan{};
  plan.pieces = std::clamp<std::int64_t>(gather.groups / least_channels, 1, 4);
  const std::int64_t rows = gather.images * gather.h.outputs;
  plan.splits = std::clamp<std::int64_t>(
      std::min(ceil_div(wanted_chunks, plan.pieces), rows * gather.w[0].outputs / least_pixels), 1,
      std::max<std::int64_t>(1, rows));
  return plan;
}

/// Partial sums of a kernel's gradient, (splits, taps, channels in whole vectors).
template <class T>
void sum_pixel_gradients(const Gather& gather, const PixelWeightPlan& plan, const T* source, const T* grad,
                         T* partial) {
  const std::int64_t vectors = ceil_div(gather.groups, lanes<T>), padded = vectors * lanes<T>,
                     taps = gather.taps(0);
  const DepthwisePixelGradients<T> pixels(gather, padded);
  const std::int64_t P = gather.h.outputs, rows = gather.images * P;
  parallel_for(plan.splits * plan.pieces, [&](std::int64_t chunk) {
    const std::int64_t split = chunk / plan.pieces, piece = chunk % plan.pieces;
    const std::int64_t first = piece * vectors / plan.pieces * lanes<T>,
                       last = (piece + 1) * vectors / plan.pieces * lanes<T>;
    T* const totals = partial + split * taps * padded + first;
    for (std::int64_t tap = 0; tap < taps; ++tap) std::fill_n(totals + tap * padded, last - first, T(0));
    for (std::int64_t at = split * rows / plan.splits; at < (split + 1) * rows / plan.splits; ++at)
      pixels.add_row(at % P, source + at / P * gather.source.image + first,
                     std::min(gather.groups, last) - first, grad + at / P * gather.target.image + first,
                     totals);
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
