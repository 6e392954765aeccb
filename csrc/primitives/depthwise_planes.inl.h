// A depthwise gather over planes that lie one behind the other: the lanes are columns, the line of a tile
// goes along the height. The planes are read where they lie; with a step of 2, what a few rows meet is copied
// into a block that fits the first-level cache, with even and odd columns apart.
#pragma once

#include "core/allocator.h"
#include "core/thread_pool.h"
#include "primitives/depthwise_tile.inl.h"
#include "primitives/image_band.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// How planes are cut into rows that are run together, and the block that what they meet is copied to unless
/// `direct`: the even columns of a row, then the odd ones, each between zeros. Element j of either is column
/// 2 j or 2 j + 1, and lies `left` elements from its begin.
struct PlaneBand {
  bool direct;
  std::int64_t cuts;  // of a plane
  std::int64_t left, width, row_pitch;
  std::int64_t first_row;  // the row of the source that the block of output row 0 begins with
  std::int64_t used;       // elements that hold columns, of even and odd ones
  std::int64_t span;       // rows that one output row meets
  std::int64_t step;       // rows from one output row to the next
  std::int64_t size;       // of a plane's block

  std::int64_t source_rows(std::int64_t outputs) const { return (outputs - 1) * step + span; }
  std::int64_t begin(const Gather& gather, std::int64_t cut) const {
    return cut == 0 ? 0 : cut == cuts ? gather.h.outputs : cut * gather.h.outputs / cuts;
  }
};

/// Where tap `tap` of an axis along the width reads, seen from the output: in a part, and how far in it.
struct ColumnTap {
  std::int64_t part, shift;
  ColumnTap(const GatherAxis& w, std::int64_t tap) {
    const std::int64_t offset = w.base + tap * w.base_step;
    part = (offset % w.step + w.step) % w.step, shift = (offset - part) / w.step;
  }
};

template <class T>
FASTDL_INLINE std::int64_t whole_vectors(std::int64_t count) {
  return ceil_div(count, lanes<T>) * lanes<T>;
}

template <class T>
PlaneBand plan_plane_band(const Gather& gather, const LineAxis& line) {
  constexpr std::int64_t cache = 32768 / sizeof(T), wanted_units = 16;
  const GatherAxis &h = gather.h, &w = gather.w[0];
  PlaneBand band{};
  band.direct = w.step == 1;
  band.step = h.step;
  const std::int64_t least = most_line_outputs * line.turns;
  const std::int64_t shared = ceil_div(wanted_units, gather.images * gather.groups);
  band.cuts = std::min(shared, ceil_div(h.outputs, least));
  if (band.direct) return band;
  const std::int64_t lowest = w.taps ? ColumnTap(w, 0).shift : 0,
                     highest = w.taps ? std::max<std::int64_t>(0, ColumnTap(w, w.taps - 1).shift) : 0;
  const std::int64_t read = whole_vectors<T>(gather.columns());
  band.left = whole_vectors<T>(std::max<std::int64_t>(0, -lowest));
  band.used = std::min(ceil_div(w.source, w.step), read + highest);
  band.width = band.left + whole_vectors<T>(std::max(band.used, read + highest));
  band.row_pitch = 2 * band.width;
  band.first_row = h.lowest();
  band.span = h.taps ? h.highest() - h.lowest() + 1 : 1;
  const std::int64_t fitting = (cache / (gather.channels * band.row_pitch) - band.span) / band.step + 1;
  band.cuts = std::max(band.cuts, ceil_div(h.outputs, std::max(fitting, least)));
  band.size = band.source_rows(ceil_div(h.outputs, band.cuts)) * band.row_pitch;
  return band;
}

/// Even and odd elements of a row of `count` columns, as many of each as `used` says.
template <class T>
FASTDL_INLINE void copy_in_two(const T* from, std::int64_t count, std::int64_t used, T* even, T* odd) {
  constexpr std::int64_t n = lanes<T>;
  for (std::int64_t j = 0; j < used; j += n) {
    const auto rest = [&](std::int64_t begin) {
      return static_cast<int>(std::clamp<std::int64_t>(count - begin, 0, n));
    };
    const int low = rest(2 * j), high = rest(2 * j + n);
    prefetch_ahead<2>(from + 2 * j);
    const Two<Vec<T>> apart =
        deinterleave(load_up_to(from + 2 * j, low), high ? load_up_to(from + 2 * j + n, high) : Vec<T>{});
    store(even + j, apart.first), store(odd + j, apart.second);
  }
}

/// Copies planes into their blocks. All but what the columns of the image fill is zero from the begin on and
/// stays so from plane to plane, as long as the cut is the same.
template <class T>
class PlaneCopy {
 public:
  PlaneCopy(const Gather& gather, const PlaneBand& band, T* block)
      : gather_(gather), band_(band), block_(block) {
    if (!band.direct) std::fill_n(block, gather.channels * band.size, T(0));
  }

  /// The band of output rows [begin, end), from a group's first channel on.
  void take(const T* source, std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * band_.step + band_.first_row, rows = band_.source_rows(end - begin);
    const bool moved = begin != begin_;
    for (std::int64_t c = 0; c < gather_.channels; ++c)
      for (std::int64_t row = 0; row < rows; ++row) {
        T* const to = block_ + c * band_.size + row * band_.row_pitch + band_.left;
        if (first + row >= 0 && first + row < gather_.h.source)
          copy_in_two(source + c * gather_.source.channel + (first + row) * gather_.source.row,
                      gather_.w[0].source, band_.used, to, to + band_.width);
        else if (moved)
          std::fill_n(to - band_.left, band_.row_pitch, T(0));
      }
    begin_ = begin;
  }

  const T* block() const { return block_ + band_.left; }

 private:
  const Gather& gather_;
  const PlaneBand& band_;
  T* block_;
  std::int64_t begin_ = -1;
};

/// The column that vector `index` of a row of `columns` begins with. The last one begins early instead of
/// reaching past the row's end: what it shares with its neighbour is the same bits.
template <class T>
FASTDL_INLINE std::int64_t vector_column(std::int64_t index, std::int64_t columns) {
  return std::max<std::int64_t>(0, std::min(index * lanes<T>, columns - lanes<T>));
}

/// The lines of the taps of each vector of a row in each phase, in tables.
template <class T>
class PlaneLines {
 public:
  /// Of vectors that lie side by side, or of which the last one begins early where `overlap`.
  PlaneLines(const Gather& gather, const PlaneBand& band, const LineAxis& line, bool overlap)
      : memory_(static_cast<std::size_t>(ceil_div(gather.columns(), lanes<T>) * gather.all_taps() + 1) *
                sizeof(TapLine)) {
    auto* next = static_cast<TapLine*>(memory_.data());
    const GatherAxis& h = gather.h;
    const std::int64_t row_pitch = band.direct ? gather.source.row : band.row_pitch;
    for (int phase = 0; phase < gather.phases; ++phase) {
      const GatherAxis& w = gather.w[phase];
      const std::int64_t rows = line.listed(h);
      lines_[phase] = {next, rows * w.taps, line.between * row_pitch,
                       (line.reversed ? -h.kernel_step : h.kernel_step) * gather.S};
      for (std::int64_t v = 0; v < ceil_div(gather.columns(), lanes<T>); ++v)
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t s = 0; s < w.taps; ++s)
            *next++ = tap_line(gather, band, line, phase, r, s,
                               overlap ? vector_column<T>(v, gather.columns()) : v * lanes<T>,
                               overlap ? lanes<T> : gather.columns() - v * lanes<T>);
    }
  }

  TapLines of(int phase, std::int64_t vector) const {
    TapLines lines = lines_[phase];
    lines.begin += vector * lines.count;
    return lines;
  }

 private:
  static TapLine tap_line(const Gather& gather, const PlaneBand& band, const LineAxis& line, int phase,
                          std::int64_t r, std::int64_t s, std::int64_t column, std::int64_t columns) {
    const std::int64_t most = std::min<std::int64_t>(columns, lanes<T>);
    const GatherAxis &h = gather.h, &w = gather.w[phase];
    const std::int64_t row = line.taps > 1 ? h.lowest() : h.base + r * h.base_step,
                       kernel = gather.kernel_tap(phase, line.reversed ? h.taps - 1 : r, s);
    if (!band.direct) {
      const ColumnTap tap(w, s);
      return {(row - band.first_row) * band.row_pitch + tap.part * band.width + tap.shift + column, kernel, 0,
              0, static_cast<int>(most)};
    }
    const std::int64_t from = w.base + s * w.base_step + column;
    return {row * gather.source.row + from, kernel, row,
            static_cast<int>(std::clamp<std::int64_t>(-from, 0, most)),
            static_cast<int>(std::clamp<std::int64_t>(w.source - from, 0, most))};
  }

  Workspace memory_;
  TapLines lines_[Gather::most_phases];
};

/// What a tile's sums go over beside its taps.
struct PlaneChannels {
  std::int64_t count, source_pitch, kernel_pitch;
};

/// A tile of rows, all columns. `lines` are those of the first vector.
template <int Taps, int Step, int Outputs, class T>
__attribute__((noinline)) void sum_plane_tile(TapLines lines, const PlaneChannels& channels,
                                              const TileSource<T>& source, const T* kernel, T bias,
                                              const LineTarget<T>& target, std::int64_t columns) {
  const LineRange range_of_all = source.template range<Taps, Step, Outputs>(*lines.begin);
  for (std::int64_t q = 0; q < columns; q += lanes<T>, lines.begin += lines.count) {
    source.template prefetch<Outputs * Step>(q, lines.source_pitch);
    Vec<T> sums[Outputs];
#pragma GCC unroll 8
    for (int o = 0; o < Outputs; ++o) sums[o] = broadcast(bias);
    for (std::int64_t c = 0; c < channels.count; ++c) {
      const T* const plane = source.at + c * channels.source_pitch;
      const T* const taps = kernel + c * channels.kernel_pitch;
      for (const TapLine* line = lines.begin; line != lines.begin + lines.count; ++line) {
        const LineRange range = Taps > 1 ? range_of_all : source.template range<Taps, Step, Outputs>(*line);
        Vec<T> weights[Taps];
#pragma GCC unroll 8
        for (int t = 0; t < Taps; ++t) weights[t] = broadcast(taps[line->kernel + t * lines.kernel_pitch]);
        add_line<Taps, Step, Outputs>(plane + line->source, lines.source_pitch, range, line->first,
                                      line->last, weights, sums);
      }
    }
    store_outputs<Outputs>(target, columns < lanes<T> ? 0 : std::min(q, columns - lanes<T>),
                           static_cast<int>(std::min<std::int64_t>(columns, lanes<T>)), sums);
  }
}

template <class T>
using PlaneTile = void (*)(TapLines, const PlaneChannels&, const TileSource<T>&, const T*, T,
                           const LineTarget<T>&, std::int64_t);

/// One row of every phase, each in a buffer `pitch` apart, written as the target's neighbours.
template <class T>
void write_phases(const Gather& gather, const T* buffer, std::int64_t pitch, T* row) {
  if (gather.phases == 2 && gather.w[0].target_step == 2 && gather.w[0].target_begin == 0) {
    const std::int64_t columns = gather.w[0].outputs + gather.w[1].outputs;
    for (std::int64_t q = 0; q < columns; q += 2 * lanes<T>) {
      const Two<Vec<T>> both = interleave(load(buffer + q / 2), load(buffer + pitch + q / 2));
      const int rest = static_cast<int>(std::min<std::int64_t>(2 * lanes<T>, columns - q));
      store_up_to(row + q, both.first, std::min(rest, lanes<T>));
      if (rest > lanes<T>) store_up_to(row + q + lanes<T>, both.second, rest - lanes<T>);
    }
    return;
  }
  for (int phase = 0; phase < gather.phases; ++phase, buffer += pitch) {
    const GatherAxis& w = gather.w[phase];
    for (std::int64_t q = 0; q < w.outputs; ++q) row[w.target_begin + q * w.target_step] = buffer[q];
  }
}

/// What runs some rows of a plane reads: the plane itself, or a block that they have been copied to.
template <class T>
TileSource<T> plane_source(const Gather& gather, const PlaneBand& band, const LineAxis& line,
                           PlaneCopy<T>& copy, const T* plane, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t everywhere = std::int64_t{1} << 62, planes_ahead = 16384;
  if (band.direct)
    return {plane + begin * band.step * gather.source.row, begin * band.step, gather.h.source, line.between,
            planes_ahead / sizeof(T)};
  copy.take(plane, begin, end);
  return {copy.block(), 0, everywhere, 1, 0};
}

/// Calls body(first row, rows, source) for the tiles of `rows` output rows that read from `source` on; the
/// rows of a tile are line.turns apart.
template <class T, class Body>
FASTDL_INLINE void for_row_tiles(const Gather& gather, const PlaneBand& band, const LineAxis& line,
                                 std::int64_t rows, const TileSource<T>& source, const Body& body) {
  const std::int64_t pitch = band.step * (band.direct ? gather.source.row : band.row_pitch);
  for (std::int64_t turn = 0; turn < std::min(line.turns, rows); ++turn) {
    std::int64_t row = turn;
    for (std::int64_t rest = line.turns == 1 ? rows : ceil_div(rows - turn, line.turns); rest > 0;) {
      TileSource<T> from = source;
      from.at += row * pitch, from.along += row * band.step;
      const int size = tile_outputs(rest);
      body(row, size, from);
      row += size * line.turns, rest -= size;
    }
  }
}

template <class T>
class DepthwisePlanes {
 public:
  DepthwisePlanes(const Gather& gather, const T* source, const T* kernel, const T* bias, T* target)
      : gather_(gather),
        line_(gather.h, GatherLineTaps()),
        band_(plan_plane_band<T>(gather, line_)),
        lines_(gather, band_, line_, true),
        tiles_(GatherLineTaps(), line_,
               [](auto taps, auto step, auto outputs) -> PlaneTile<T> {
                 return sum_plane_tile<taps(), step(), outputs(), T>;
               }),
        source_(source),
        kernel_(kernel),
        bias_(bias),
        target_(target),
        buffered_(gather.phases > 1 || gather.w[0].target_step != 1),
        buffer_pitch_(whole_vectors<T>(gather.columns()) + lanes<T>) {}

  void run() const {
    const std::int64_t units = gather_.images * gather_.groups * band_.cuts;
    const std::int64_t work = gather_.rows * gather_.channels * gather_.h.outputs / band_.cuts *
                              gather_.columns() * std::max<std::int64_t>(1, gather_.all_taps());
    const std::int64_t chunks = depthwise_chunks(units, work);
    parallel_for(chunks, [&](std::int64_t chunk) {
      const std::int64_t block = gather_.channels * band_.size;
      const Workspace memory(static_cast<std::size_t>(block + buffer_size()) * sizeof(T));
      T* const scratch = static_cast<T*>(memory.data());
      PlaneCopy<T> copy(gather_, band_, scratch);
      std::int64_t unit = chunk * units / chunks, cut = unit % band_.cuts;
      const std::int64_t plane = unit / band_.cuts;
      std::int64_t image = plane / gather_.groups, group = plane % gather_.groups;
      for (; unit < (chunk + 1) * units / chunks; ++unit) {
        run_cut(image, group, cut, copy, scratch + block);
        if (++cut < band_.cuts) continue;
        cut = 0;
        if (++group == gather_.groups) group = 0, ++image;
      }
    });
  }

 private:
  std::int64_t buffer_size() const {
    return buffered_ ? most_line_outputs * gather_.phases * buffer_pitch_ : 0;
  }

  void run_cut(std::int64_t image, std::int64_t group, std::int64_t cut, PlaneCopy<T>& copy,
               T* buffer) const {
    const std::int64_t begin = band_.begin(gather_, cut), end = band_.begin(gather_, cut + 1);
    const TileSource<T> source = plane_source(
        gather_, band_, line_, copy,
        source_ + image * gather_.source.image + group * gather_.channels * gather_.source.channel, begin,
        end);
    for (std::int64_t row = 0; row < gather_.rows; ++row) {
      const std::int64_t channel = group * gather_.rows + row;
      const T* const kernel = kernel_ + group * gather_.group_stride + row * gather_.row_stride;
      T* const target = target_ + image * gather_.target.image + channel * gather_.target.channel +
                        (gather_.h.target_begin + begin * gather_.h.target_step) * gather_.target.row;
      for_row_tiles(gather_, band_, line_, end - begin, source,
                    [&](std::int64_t output, int size, const TileSource<T>& from) {
                      run_tile(size, from, kernel, bias_ ? bias_[channel] : T(0), buffer,
                               target + output * gather_.h.target_step * gather_.target.row);
                    });
    }
  }

  /// `size` rows of the target, line_.turns apart.
  void run_tile(int size, const TileSource<T>& source, const T* kernel, T bias, T* buffer, T* target) const {
    const PlaneChannels channels{gather_.channels, band_.direct ? gather_.source.channel : band_.size,
                                 gather_.channel_stride};
    const std::int64_t pitch = line_.turns * gather_.h.target_step * gather_.target.row;
    const PlaneTile<T> tile = tiles_.of[size];
    if (!buffered_)
      return tile(lines_.of(0, 0), channels, source, kernel, bias, {target, pitch, gather_.activation},
                  gather_.columns());
    for (int phase = 0; phase < gather_.phases; ++phase)
      tile(lines_.of(phase, 0), channels, source, kernel, bias,
           {buffer + phase * buffer_pitch_, gather_.phases * buffer_pitch_, gather_.activation},
           std::max<std::int64_t>(lanes<T>, gather_.columns()));
    for (int row = 0; row < size; ++row)
      write_phases(gather_, buffer + row * gather_.phases * buffer_pitch_, buffer_pitch_,
                   target + row * pitch);
  }

  const Gather& gather_;
  const LineAxis line_;
  const PlaneBand band_;
  const PlaneLines<T> lines_;
  const LineTiles<PlaneTile<T>> tiles_;
  const T *source_, *kernel_, *bias_;
  T* target_;
  const bool buffered_;
  const std::int64_t buffer_pitch_;
};

}  // namespace
}  // namespace fastdl::FASTDL_ISA
