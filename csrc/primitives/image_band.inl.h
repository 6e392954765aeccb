// The part of the source that a rectangle of output positions meets, laid out so that every tap of the kernel
// is one offset: rows padded with zeros, columns `step` apart side by side. Where nothing need be padded or
// moved, it is the source itself.
#pragma once

#include "core/allocator.h"
#include "core/thread_pool.h"
#include "primitives/gather.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Output positions of one image, `columns` of every phase.
struct Rectangle {
  std::int64_t image, row, rows, column, columns;

  Rectangle of_image(std::int64_t other) const { return {other, row, rows, column, columns}; }
};

/// How the outputs are cut into rectangles, and how a rectangle's band lies in memory; the same for all of
/// them.
struct BandPlan {
  std::int64_t row_cuts, column_cuts;  // rectangles of an image
  std::int64_t rows, columns;          // of the largest rectangle
  bool direct;                         // the band is the source itself
  std::int64_t lowest_h, lowest_w;     // the source position that the band of output (0, 0) begins with
  std::int64_t phases;                 // along the width: remainders by the step that taps meet
  std::int64_t row_stride;             // source rows from one row of the band to the next
  std::int64_t row_step;               // rows of the band from one output row to the next
  std::int64_t band_rows, phase_width, row_pitch, channel_pitch;

  /// Elements from one output row's place in the band to the next one's.
  std::int64_t output_pitch() const { return row_step * row_pitch; }
  std::int64_t rectangles() const { return row_cuts * column_cuts; }
  std::int64_t pixels() const { return rows * columns; }

  Rectangle rectangle(const Gather& gather, std::int64_t image, std::int64_t index) const {
    const std::int64_t i = index / column_cuts, j = index % column_cuts, Q = gather.columns();
    const std::int64_t row = i * gather.h.outputs / row_cuts, column = j * Q / column_cuts;
    return {image, row, (i + 1) * gather.h.outputs / row_cuts - row, column,
            (j + 1) * Q / column_cuts - column};
  }
};

/// How a gather is shared out: each chunk takes one rectangle of up to `together` images and a group, and a
/// share of the panels that the group's output channels are cut into.
struct GatherPlan {
  BandPlan band;
  std::int64_t panels, panel_splits;
  std::int64_t together = 1;
};

/// Calls body(group, rectangle of the first image, images, first panel, last panel) for every chunk, by the
/// library's threads.
template <class Body>
FASTDL_INLINE void for_gather_chunks(const Gather& gather, const GatherPlan& plan, const Body& body) {
  const std::int64_t rectangles = plan.band.rectangles();
  const EvenCut images(gather.images, plan.together);
  parallel_for(images.pieces * gather.groups * rectangles * plan.panel_splits, [&](std::int64_t chunk) {
    const std::int64_t split = chunk % plan.panel_splits, part = chunk / plan.panel_splits;
    const std::int64_t group = part / rectangles % gather.groups, piece = part / rectangles / gather.groups;
    body(group, plan.band.rectangle(gather, images.begin(piece), part % rectangles), images.size(piece),
         split * plan.panels / plan.panel_splits, (split + 1) * plan.panels / plan.panel_splits);
  });
}

/// Elements that a kernel may read behind a band without using them.
template <class T>
inline constexpr std::int64_t band_slack = 8 * lanes<T>;

/// A plan with rectangles of about `pixels` positions. `copy` forbids the source itself, behind whose end a
/// kernel must not read.
template <class T>
BandPlan plan_bands(const Gather& gather, std::int64_t pixels, bool copy) {
  BandPlan plan{};
  const std::int64_t P = gather.h.outputs, Q = gather.columns();
  if (Q <= pixels) {
    plan.row_cuts = ceil_div(P, std::max<std::int64_t>(1, pixels / Q));
    plan.column_cuts = 1;
  } else {
    plan.row_cuts = P;
    plan.column_cuts = ceil_div(Q, pixels);
  }
  plan.rows = ceil_div(P, plan.row_cuts), plan.columns = ceil_div(Q, plan.column_cuts);
  std::int64_t highest_w = 0;
  bool first = true, inside = true;
  for (int phase = 0; phase < gather.phases; ++phase) {
    const GatherAxis& w = gather.w[phase];
    if (gather.taps(phase) == 0) continue;
    plan.lowest_w = first ? w.lowest() : std::min(plan.lowest_w, w.lowest());
    highest_w = first ? w.highest() : std::max(highest_w, w.highest());
    inside = inside && w.lowest() >= 0 && (w.outputs - 1) * w.step + w.highest() < w.source;
    first = false;
  }
  plan.lowest_h = gather.h.lowest();
  inside = inside && plan.lowest_h >= 0 && (P - 1) * gather.h.step + gather.h.highest() < gather.h.source;
  plan.row_stride = 1, plan.row_step = gather.h.step;
  plan.direct = !copy && inside && gather.step_w() == 1 && gather.source.pixel == 1;
  if (plan.direct) {
    plan.row_pitch = gather.source.row, plan.channel_pitch = gather.source.channel;
    return plan;
  }
  if (gather.h.taps == 1) std::swap(plan.row_stride, plan.row_step);  // rows that no tap meets stay out
  plan.band_rows = (plan.rows - 1) * plan.row_step + gather.h.highest() - plan.lowest_h + 1;
  const std::int64_t band_columns = (plan.columns - 1) * gather.step_w() + highest_w - plan.lowest_w + 1;
  plan.phase_width = ceil_div(band_columns, gather.step_w());
  plan.phases = std::min(gather.step_w(), highest_w - plan.lowest_w + 1);
  plan.row_pitch = plan.phases * plan.phase_width;
  // An odd number of cache lines, so that the channels do not meet in the same sets of the cache.
  constexpr std::int64_t line = 64 / sizeof(T);
  plan.channel_pitch = (ceil_div(plan.band_rows * plan.row_pitch, line) | 1) * line;
  return plan;
}

/// offsets[t] = where tap t = r * taps_w + s of a phase reads, seen from an output's own place in the band.
FASTDL_INLINE void tap_offsets(const Gather& gather, const BandPlan& plan, int phase, std::int64_t* offsets) {
  const GatherAxis &h = gather.h, &w = gather.w[phase];
  for (std::int64_t r = 0; r < h.taps; ++r) {
    const std::int64_t row = h.base + r * h.base_step - (plan.direct ? 0 : plan.lowest_h);
    for (std::int64_t s = 0; s < w.taps; ++s) {
      const std::int64_t column = w.base + s * w.base_step - (plan.direct ? 0 : plan.lowest_w);
      *offsets++ = row * plan.row_pitch + column % w.step * plan.phase_width + column / w.step;
    }
  }
}

/// Which of `count` positions w, w + step, … lie in [0, extent).
struct Inside {
  std::int64_t begin, end;
  Inside(std::int64_t extent, std::int64_t w, std::int64_t step, std::int64_t count) {
    begin = std::clamp<std::int64_t>(w < 0 ? ceil_div(-w, step) : 0, 0, count);
    end = std::clamp<std::int64_t>(w < extent ? (extent - 1 - w) / step + 1 : 0, begin, count);
  }
};

template <class T>
FASTDL_INLINE void fill_zeros(T* to, std::int64_t count) {
  for (; count > lanes<T>; count -= lanes<T>, to += lanes<T>) store(to, Vec<T>{});
  store_partial(to, Vec<T>{}, static_cast<int>(count));
}

/// to[j] = from[j * step] for the positions inside, zero for the others. With step 1 up to a vector behind is
/// written over, which the next row then holds, or the slack.
template <class T>
FASTDL_INLINE void copy_padded(const T* from, const Inside& inside, std::int64_t step, std::int64_t count,
                               T* to) {
  constexpr std::int64_t n = lanes<T>;
  const std::int64_t end = inside.end;
  std::int64_t j = inside.begin;
  if (step == 1) {
    for (std::int64_t i = 0; i < j; i += n) store(to + i, Vec<T>{});
    for (; j + n <= end; j += n) store(to + j, load(from + j));
    if (j < end) store(to + j, load_partial(from + j, static_cast<int>(end - j)));
    for (j = end; j < count; j += n) store(to + j, Vec<T>{});
    return;
  }
  if (j > 0) fill_zeros(to, j);
  if (step == 2) {
    for (; j + n < end; j += n)  // not the last one: the second load reaches one element further
      store(to + j, deinterleave(load(from + 2 * j), load(from + 2 * j + n)).first);
    for (; j < end; ++j) to[j] = from[2 * j];
  } else {
    for (; j < end; ++j) to[j] = from[j * step];
  }
  if (end < count) fill_zeros(to + end, count - end);
}

/// Fetches `count` elements into the cache; never faults.
template <class T>
FASTDL_INLINE void prefetch_run(const T* from, std::int64_t count) {
  constexpr std::int64_t line = 64 / sizeof(T);
  for (std::int64_t i = 0; i < count + line - 1; i += line) __builtin_prefetch(from + i);
}

/// All four remainders of a row by a step of 4: to[r * pitch + j] = from[w + r + 4 j] where that lies in the
/// row's [0, extent), else zero.
template <class T>
FASTDL_INLINE void split_by_four(const T* from, std::int64_t extent, std::int64_t w, std::int64_t width,
                                 std::int64_t pitch, T* to) {
  constexpr std::int64_t n = lanes<T>;
  for (std::int64_t j = 0; j < width; j += n) {
    Vec<T> v[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const std::int64_t at = w + 4 * j + i * n;
      if (at >= 0 && at + n <= extent)
        v[i] = load(from + at);
      else
        v[i] = load_between(from + at, static_cast<int>(std::clamp<std::int64_t>(-at, 0, n)),
                            static_cast<int>(std::clamp<std::int64_t>(extent - at, 0, n)));
    }
    const Two<Vec<T>> low = deinterleave(v[0], v[1]), high = deinterleave(v[2], v[3]);
    const Two<Vec<T>> even = deinterleave(low.first, high.first), odd = deinterleave(low.second, high.second);
    const int count = static_cast<int>(std::min(n, width - j));
    store_up_to(to + j, even.first, count), store_up_to(to + pitch + j, odd.first, count);
    store_up_to(to + 2 * pitch + j, even.second, count), store_up_to(to + 3 * pitch + j, odd.second, count);
  }
}

/// One row of `channels` channels that lie side by side: to[c * pitch + j] = pixel w + j * step, zeros
/// outside.
template <class T>
void copy_padded_pixels(const T* source, std::int64_t extent, std::int64_t pixel, std::int64_t w,
                        std::int64_t step, std::int64_t count, std::int64_t channels, std::int64_t pitch,
                        T* to) {
  constexpr std::int64_t n = lanes<T>;
  for (std::int64_t j = 0; j < count; j += n) {
    const int width = static_cast<int>(std::min(n, count - j));
    for (std::int64_t c = 0; c < channels; c += n) {
      const int height = static_cast<int>(std::min(n, channels - c));
      Vec<T> block[n];
      for (int i = 0; i < n; ++i) {
        const std::int64_t at = w + (j + i) * step;
        block[i] = source && i < width && at >= 0 && at < extent ? load_up_to(source + at * pixel + c, height)
                                                                 : Vec<T>{};
      }
      transpose(block);
      for (int i = 0; i < height; ++i) store_up_to(to + (c + i) * pitch + j, block[i], width);
    }
  }
}

/// A band with a step of 4 along rows that lie in order: rows h, h + row_stride, … before `end`, of
/// `channels` planes, from column w on.
template <class T>
__attribute__((noinline)) void copy_planes_by_four(const Gather& gather, const BandPlan& plan, const T* image,
                                                   std::int64_t h, std::int64_t w, std::int64_t end,
                                                   std::int64_t width, std::int64_t channels, T* band) {
  for (std::int64_t c = 0; c < channels; ++c, image += gather.source.channel) {
    T* to = band + c * plan.channel_pitch;
    for (std::int64_t i = h; i < end; i += plan.row_stride, to += plan.row_pitch) {
      if (i < 0 || i >= gather.h.source) {
        fill_zeros(to, plan.row_pitch);
        continue;
      }
      const T* row = image + i * gather.source.row;
      prefetch_run(row + gather.source.channel + std::max<std::int64_t>(0, w), 4 * width);
      split_by_four(row, gather.w[0].source, w, width, plan.phase_width, to);
    }
  }
}

/// Copies the band of a rectangle: channels [begin, end) of a group whose first channel is `source`.
template <class T>
void copy_band(const Gather& gather, const BandPlan& plan, const Rectangle& at, const T* source,
               std::int64_t begin, std::int64_t end, T* band) {
  const GatherAxis& w = gather.w[0];
  const T* image = source + at.image * gather.source.image + begin * gather.source.channel;
  const std::int64_t first_h = at.row * gather.h.step + plan.lowest_h,
                     first_w = at.column * w.step + plan.lowest_w;
  const std::int64_t rows = plan.band_rows - (plan.rows - at.rows) * plan.row_step;
  const std::int64_t width = plan.phase_width - (plan.columns - at.columns);
  if (gather.source.pixel == 1 && w.step == 4 && plan.phases == 4)
    return copy_planes_by_four(gather, plan, image, first_h, first_w, first_h + rows * plan.row_stride, width,
                               end - begin, band);
  for (std::int64_t phase = 0; phase < plan.phases; ++phase) {
    const Inside inside(w.source, first_w + phase, w.step, width);
    T* const to = band + phase * plan.phase_width;
    if (gather.source.pixel == 1) {
      for (std::int64_t c = 0; c < end - begin; ++c) {
        const T* plane = image + c * gather.source.channel + first_w + phase;
        for (std::int64_t i = 0; i < rows; ++i) {
          T* row = to + c * plan.channel_pitch + i * plan.row_pitch;
          const std::int64_t h = first_h + i * plan.row_stride;
          if (h >= 0 && h < gather.h.source) {
            // The processor's own prefetching is too slow for a few lines of every plane.
            prefetch_run(plane + 4 * gather.source.channel + h * gather.source.row + inside.begin * w.step,
                         (inside.end - inside.begin) * w.step);
            copy_padded(plane + h * gather.source.row, inside, w.step, width, row);
          } else {
            fill_zeros(row, width);
          }
        }
      }
      continue;
    }
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t h = first_h + i * plan.row_stride;
      const T* row = h >= 0 && h < gather.h.source ? image + h * gather.source.row : nullptr;
      copy_padded_pixels(row, w.source, gather.source.pixel, first_w + phase, w.step, width, end - begin,
                         plan.channel_pitch, to + i * plan.row_pitch);
    }
  }
}

/// The band of a rectangle, from channel `begin` of the group on: the source's own memory, or a copy in
/// `scratch`.
template <class T>
FASTDL_INLINE const T* band_of(const Gather& gather, const BandPlan& plan, const Rectangle& at,
                               const T* source, std::int64_t begin, std::int64_t end, T* scratch) {
  if (plan.direct)
    return source + at.image * gather.source.image + begin * gather.source.channel +
           at.row * gather.h.step * gather.source.row + at.column;
  copy_band(gather, plan, at, source, begin, end, scratch);
  return scratch;
}

/// How far the band of the next image is; `size`: of a copy.
FASTDL_INLINE std::int64_t band_distance(const Gather& gather, const BandPlan& plan, std::int64_t size) {
  return plan.direct ? gather.source.image : size;
}

/// band_of for the same rectangle of `images` images, from that of `at` on.
template <class T>
FASTDL_INLINE const T* bands_of(const Gather& gather, const BandPlan& plan, const Rectangle& at,
                                std::int64_t images, const T* source, std::int64_t begin, std::int64_t end,
                                T* scratch, std::int64_t size) {
  for (std::int64_t i = 1; i < images; ++i)
    band_of(gather, plan, at.of_image(at.image + i), source, begin, end, scratch + i * size);
  return band_of(gather, plan, at, source, begin, end, scratch);
}

/// Where a rectangle's results go: the position of its first output, and how far the next are.
template <class T>
struct RectangleTarget {
  T* at;
  std::int64_t row, column, channel;

  RectangleTarget(const Gather& gather, int phase, const Rectangle& rectangle, T* target) {
    const GatherAxis &h = gather.h, &w = gather.w[phase];
    const ImageLayout& layout = gather.target;
    at = target + rectangle.image * layout.image +
         (h.target_begin + rectangle.row * h.target_step) * layout.row +
         (w.target_begin + rectangle.column * w.target_step) * layout.pixel;
    row = h.target_step * layout.row, column = w.target_step * layout.pixel, channel = layout.channel;
  }
};

}  // namespace
}  // namespace fastdl::FASTDL_ISA
