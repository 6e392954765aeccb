// The gradient of a depthwise kernel over planes that lie one behind the other.
#pragma once

#include "primitives/depthwise_planes.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Rows of the gradient, `pitch` elements apart.
template <class T>
struct GradientRows {
  const T* at;
  std::int64_t pitch, columns;
};

/// Adds what a tile of rows adds to the totals of all taps, a vector each. `lines` are those of the first
/// vector of columns.
template <int Taps, int Step, int Outputs, class T>
__attribute__((noinline)) void sum_plane_products(TapLines lines, const TileSource<T>& source,
                                                  const GradientRows<T>& grad, T* totals) {
  const LineRange range_of_all = source.template range<Taps, Step, Outputs>(*lines.begin);
  for (std::int64_t q = 0; q < grad.columns; q += lanes<T>, lines.begin += lines.count) {
    const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, grad.columns - q));
    source.template prefetch<Outputs * Step>(q, lines.source_pitch);
    Vec<T> gradients[Outputs];
#pragma GCC unroll 8
    for (int o = 0; o < Outputs; ++o) {
      prefetch_ahead(grad.at + o * grad.pitch + q);
      gradients[o] = load_up_to(grad.at + o * grad.pitch + q, count);
    }
    for (const TapLine* line = lines.begin; line != lines.begin + lines.count; ++line) {
      const LineRange range = Taps > 1 ? range_of_all : source.template range<Taps, Step, Outputs>(*line);
      add_line_products<Taps, Step, Outputs>(source.at + line->source, lines.source_pitch, range, line->first,
                                             line->last, gradients, totals + line->kernel * lanes<T>,
                                             lines.kernel_pitch * lanes<T>);
    }
  }
}

template <class T>
using PlaneProducts = void (*)(TapLines, const TileSource<T>&, const GradientRows<T>&, T*);

/// How the gradient of a kernel is cut: blocks of groups, and the images in splits whose sums are added in
/// order.
struct PlaneWeightPlan {
  std::int64_t block, blocks, splits;
};

template <class T>
PlaneWeightPlan plan_plane_weight(const Gather& gather) {
  constexpr std::int64_t totals_bytes = 24576, wanted_chunks = 16;
  const std::int64_t of_group = gather.rows * gather.channels * gather.taps(0) * FASTDL_VECTOR_BYTES;
  PlaneWeightPlan plan{};
  plan.blocks = ceil_div(gather.groups, std::clamp<std::int64_t>(totals_bytes / of_group, 1, 32));
  plan.block = ceil_div(gather.groups, plan.blocks);
  plan.blocks = ceil_div(gather.groups, plan.block);
  plan.splits = std::clamp<std::int64_t>(ceil_div(wanted_chunks, plan.blocks), 1,
                                         std::max<std::int64_t>(1, gather.images));
  return plan;
}

template <class T>
class DepthwisePlaneGradients {
 public:
  DepthwisePlaneGradients(const Gather& gather, const T* source, const T* grad)
      : gather_(gather),
        line_(gather.h, WeightLineTaps()),
        band_(plan_plane_band<T>(gather, line_)),
        lines_(gather, band_, line_, false),
        tiles_(WeightLineTaps(), line_,
               [](auto taps, auto step, auto outputs) -> PlaneProducts<T> {
                 return sum_plane_products<taps(), step(), outputs(), T>;
               }),
        source_(source),
        grad_(grad) {}

  /// Partial sums (splits, size of the kernel).
  void run(const PlaneWeightPlan& plan, T* partial) const {
    parallel_for(plan.splits * plan.blocks, [&](std::int64_t chunk) {
      const std::int64_t split = chunk / plan.blocks, begin = chunk % plan.blocks * plan.block;
      const std::int64_t end = std::min(gather_.groups, begin + plan.block);
      const std::int64_t size = (end - begin) * gather_.group_stride;
      const std::int64_t totals_size = size * lanes<T>;
      const Workspace memory(static_cast<std::size_t>(totals_size + gather_.channels * band_.size) *
                             sizeof(T));
      T* const totals = static_cast<T*>(memory.data());
      std::fill_n(totals, totals_size, T(0));
      PlaneCopy<T> copy(gather_, band_, totals + totals_size);
      for (std::int64_t image = split * gather_.images / plan.splits;
           image < (split + 1) * gather_.images / plan.splits; ++image)
        for (std::int64_t group = begin; group < end; ++group)
          for (std::int64_t cut = 0; cut < band_.cuts; ++cut)
            add_cut(image, group, cut, copy, totals + (group - begin) * gather_.group_stride * lanes<T>);
      T* const sums = partial + split * gather_.groups * gather_.group_stride + begin * gather_.group_stride;
      for (std::int64_t i = 0; i < size; ++i) sums[i] = reduce_add(load(totals + i * lanes<T>));
    });
  }

 private:
  void add_cut(std::int64_t image, std::int64_t group, std::int64_t cut, PlaneCopy<T>& copy,
               T* totals) const {
    const std::int64_t begin = band_.begin(gather_, cut), end = band_.begin(gather_, cut + 1);
    const TileSource<T> source = plane_source(
        gather_, band_, line_, copy,
        source_ + image * gather_.source.image + group * gather_.channels * gather_.source.channel, begin,
        end);
    for (std::int64_t row = 0; row < gather_.rows; ++row)
      for (std::int64_t c = 0; c < gather_.channels; ++c) {
        TileSource<T> from = source;
        from.at += c * (band_.direct ? gather_.source.channel : band_.size);
        const T* const grad = grad_ + image * gather_.target.image +
                              (group * gather_.rows + row) * gather_.target.channel +
                              begin * gather_.target.row;
        T* const to = totals + (row * gather_.row_stride + c * gather_.channel_stride) * lanes<T>;
        for_row_tiles(gather_, band_, line_, end - begin, from,
                      [&](std::int64_t output, int size, const TileSource<T>& met) {
                        tiles_.of[size](lines_.of(0, 0), met,
                                        {grad + output * gather_.target.row, line_.turns * gather_.target.row,
                                         gather_.w[0].outputs},
                                        to);
                      });
      }
  }

  const Gather& gather_;
  const LineAxis line_;
  const PlaneBand band_;
  const PlaneLines<T> lines_;
  const LineTiles<PlaneProducts<T>> tiles_;
  const T *source_, *grad_;
};

}  // namespace
}  // namespace fastdl::FASTDL_ISA
