// Max pooling where the lanes are channels of channels_last images, or planes transposed into blocks.
#pragma once

#include <limits>

#include "primitives/pooling.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
constexpr T lowest = -std::numeric_limits<T>::infinity();

/// A tap's number for a window without one.
template <class Tap>
constexpr Tap no_tap = std::numeric_limits<Tap>::max();

/// A number in every lane.
template <class T>
FASTDL_INLINE IntVec<T> all_lanes(std::int64_t number) {
  return IntVec<T>{} + static_cast<Lane<IntVec<T>>>(number);
}

template <class T, class Tap>
FASTDL_INLINE void store_taps(Tap* p, IntVec<T> taps, int count) {
  if constexpr (sizeof(Tap) == 1) {
    store_bytes<T>(p, taps, count);
  } else {
    for (int i = 0; i < count; ++i) p[i] = static_cast<Tap>(taps[i]);
  }
}

/// The running maximum of some lanes and its tap.
template <class T, bool Tracked>
struct Maximum {
  Vec<T> best;
  IntVec<T> where;

  FASTDL_INLINE void meet(Vec<T> value, std::int64_t tap) { meet(Maximum{value, {}}, tap); }

  /// The maximum of later taps, whose numbers are counted from `tap`.
  FASTDL_INLINE void meet(const Maximum& other, std::int64_t tap) {
    const Vec<T> value = other.best;
    if constexpr (Tracked) {
      const IntVec<T> better = (value > best) | isnan(value);
      best = select(better, value, best);
      where = select(better, other.where + all_lanes<T>(tap), where);
    } else {
      best = select(isnan(value), value, max(value, best));
    }
  }
};

/// Max pooling across channels. y and the taps are given by their rows: pixels y_pixel and tap_pixel apart.
template <class T, class Tap>
struct MaxPixels {
  const PoolingGeometry& g;
  const Windows &rows, &columns;
  PixelRows<const T> x;
  std::int64_t y_pixel, tap_pixel;

  /// The windows of `Vectors` vectors from channel c on; `count` lanes of each are stored, `tap_count` taps.
  template <bool Tracked, int Vectors, bool Whole>
  FASTDL_INLINE void window(const Window& h, const Window& w, const PixelSteps& steps, std::int64_t c,
                            int count, int tap_count, T* y, Tap* taps) const {
    Maximum<T, Tracked> found[Vectors];
    const std::int64_t tap_columns = g.tap_columns();
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v)
      found[v] = {broadcast(lowest<T>), all_lanes<T>(h.first * tap_columns + w.first)};
    for (std::int64_t r = h.first; r < h.last; ++r) {
      const T* row = x.row(h.origin + r * g.h.dilation) + w.origin * x.pixel + c;
      for (std::int64_t s = w.first; s < w.last; ++s) {
        const T* from = row + s * g.w.dilation * x.pixel;
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v)
          found[v].meet(Whole ? load(from + v * steps.x) : load_partial(from + v * steps.x, count),
                        r * tap_columns + s);
      }
    }
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      T* to = y + c + v * steps.y;
      Whole ? store(to, found[v].best) : store_partial(to, found[v].best, count);
      if constexpr (Tracked) {
        if (tap_count > 0)
          store_taps<T>(taps + c + v * steps.tap, found[v].where, std::min(tap_count, lanes<T>));
      }
    }
  }

  /// Channels [c, end) of output row p, of which those before `tapped` have taps.
  template <bool Tracked>
  void row(std::int64_t p, std::int64_t c, std::int64_t end, std::int64_t tapped, T* y, Tap* taps) const {
    constexpr int several = pixel_vectors;
    const PixelSteps channels{lanes<T>, lanes<T>, lanes<T>};
    for (std::int64_t q = 0, outputs = 1; q < g.w.outputs;
         q += outputs, y += outputs * y_pixel, taps += Tracked ? outputs * tap_pixel : 0) {
      std::int64_t channel = c;
      for (; channel + several * lanes<T> <= std::min(end, tapped); channel += several * lanes<T>)
        window<Tracked, several, true>(rows[p], columns[q], channels, channel, lanes<T>, lanes<T>, y, taps);
      const std::int64_t step = channel == c ? columns.step(q, several) : 0;
      const PixelSteps side_by_side{step * x.pixel, y_pixel, tap_pixel};
      outputs = step > 0 ? several : 1;
      for (; channel < end; channel += lanes<T>) {
        const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, end - channel));
        const int tap_count = static_cast<int>(std::min<std::int64_t>(lanes<T>, tapped - channel));
        const auto run = [&](auto vectors, auto whole) {
          window<Tracked, decltype(vectors)::value, decltype(whole)::value>(
              rows[p], columns[q], side_by_side, channel, count, tap_count, y, taps);
        };
        const auto run_as = [&](auto vectors) {
          count == lanes<T> ? run(vectors, std::true_type()) : run(vectors, std::false_type());
        };
        step > 0 ? run_as(std::integral_constant<int, several>()) : run_as(std::integral_constant<int, 1>());
      }
    }
  }
};

template <bool Tracked, class T, class Tap>
void max_pool_pixels(const PoolingGeometry& g, const T* x, T* y, Tap* taps) {
  const Windows rows(g.h), columns(g.w);
  const PixelChunks chunks(g.images(), g.channels, g.h.outputs,
                           g.input_plane() / std::max<std::int64_t>(1, g.h.outputs));
  const std::int64_t row = g.w.outputs * g.channels;
  chunks.run(0, [&](std::int64_t image, std::int64_t c, std::int64_t c_end, std::int64_t begin,
                    std::int64_t end, void*) {
    const MaxPixels<T, Tap> pixels{
        g,          rows,      columns, {x + image * g.input_plane() * g.channels, 0, g.w.size, g.channels},
        g.channels, g.channels};
    for (std::int64_t p = begin; p < end; ++p) {
      const std::int64_t at = (image * g.h.outputs + p) * row;
      pixels.template row<Tracked>(p, c, c_end, c_end, y + at, Tracked ? taps + at : nullptr);
    }
  });
}

template <bool Tracked, class T, class Tap>
void max_pool_blocks(const PoolingGeometry& g, const T* x, T* y, Tap* taps) {
  const Windows rows(g.h), columns(g.w);
  pool_blocks(g, rows, x, y,
              [&](const PixelRows<const T>& in, std::int64_t first, int planes, std::int64_t begin,
                  std::int64_t end, T* result) {
                const MaxPixels<T, Tap> pixels{g, rows, columns, in, pooling_block, planes};
                for (std::int64_t p = begin; p < end; ++p) {
                  Tap* numbers =
                      Tracked ? taps + first * g.output_plane() + p * g.w.outputs * planes : nullptr;
                  pixels.template row<Tracked>(p, 0, pooling_block, planes,
                                               result + (p - begin) * g.w.outputs * pooling_block, numbers);
                }
              });
}

/// Rows [begin, end) of grad_x, which is zero: adds the gradients of output row p where the taps say.
template <class T, class Tap>
struct MaxPixelsBackward {
  const PoolingGeometry& g;
  const Windows &rows, &columns;
  PixelRows<T> grad_x;
  std::int64_t y_pixel, tap_pixel, begin, end;

  FASTDL_INLINE void window(const Window& h, const Window& w, std::int64_t c, int count, int tap_count,
                            const T* grad_y, const Tap* taps) const {
    const bool whole = count == lanes<T>;
    const Vec<T> grad = whole ? load(grad_y + c) : load_partial(grad_y + c, count);
    const IntVec<T> where = load_bytes<T>(taps + c, std::min(tap_count, lanes<T>));
    for (std::int64_t r = h.first; r < h.last; ++r) {
      const std::int64_t position = h.origin + r * g.h.dilation;
      if (position < begin || position >= end) continue;
      T* row = grad_x.row(position) + w.origin * grad_x.pixel + c;
      for (std::int64_t s = w.first; s < w.last; ++s) {
        T* to = row + s * g.w.dilation * grad_x.pixel;
        const Vec<T> share = select(where == all_lanes<T>(r * g.tap_columns() + s), grad, Vec<T>{});
        if (whole) {
          store(to, load(to) + share);
        } else {
          store_partial(to, load_partial(to, count) + share, count);
        }
      }
    }
  }

  /// Channels [c, channel_end), of which those before `tapped` have taps; the others' vectors are whole.
  void row(std::int64_t p, std::int64_t c, std::int64_t channel_end, std::int64_t tapped, const T* grad_y,
           const Tap* taps) const {
    for (std::int64_t q = 0; q < g.w.outputs; ++q, grad_y += y_pixel, taps += tap_pixel)
      for (std::int64_t channel = c; channel < std::min(channel_end, tapped); channel += lanes<T>) {
        const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, channel_end - channel));
        window(rows[p], columns[q], channel, count,
               static_cast<int>(std::min<std::int64_t>(lanes<T>, tapped - channel)), grad_y, taps);
      }
  }
};

template <class T, class Tap>
void max_pool_backward_pixels(const PoolingGeometry& g, const T* grad_y, const Tap* taps, T* grad_x) {
  const Windows rows(g.h), columns(g.w);
  const PixelChunks chunks(g.images(), g.channels, g.h.size, g.w.size);
  chunks.run(0, [&](std::int64_t image, std::int64_t c, std::int64_t c_end, std::int64_t begin,
                    std::int64_t end, void*) {
    T* to = grad_x + image * g.input_plane() * g.channels;
    const MaxPixelsBackward<T, Tap> pixels{g,          rows,       columns, {to, 0, g.w.size, g.channels},
                                           g.channels, g.channels, begin,   end};
    clear_pixels(to + begin * g.w.size * g.channels + c, (end - begin) * g.w.size, g.channels, c_end - c);
    const MeetingWindows meeting(rows, g.h, begin, end);
    for (std::int64_t p = meeting.begin; p < meeting.end; ++p) {
      const std::int64_t at = (image * g.h.outputs + p) * g.w.outputs * g.channels;
      pixels.row(p, c, c_end, c_end, grad_y + at, taps + at);
    }
  });
}

template <class T, class Tap>
void max_pool_backward_blocks(const PoolingGeometry& g, const T* grad_y, const Tap* taps, T* grad_x) {
  const Windows rows(g.h), columns(g.w);
  pool_blocks_backward(
      g, rows, true, grad_y, grad_x,
      [&](const PixelRows<T>& to, std::int64_t first, int planes, std::int64_t begin, std::int64_t end,
          const MeetingWindows& meeting, const T* grad) {
        const MaxPixelsBackward<T, Tap> pixels{g, rows, columns, to, pooling_block, planes, begin, end};
        for (std::int64_t p = meeting.begin; p < meeting.end; ++p)
          pixels.row(p, 0, pooling_block, planes, grad + (p - meeting.begin) * g.w.outputs * pooling_block,
                     taps + first * g.output_plane() + p * g.w.outputs * planes);
      });
}

/// Large windows of channels_last images: output by output, in order.
template <class T, class Tap>
void scatter_to_pixels(const PoolingGeometry& g, const T* grad_y, const Tap* taps, T* grad_x) {
  const Windows rows(g.h), columns(g.w);
  const PixelChunks chunks(g.images(), g.channels, 1, g.input_plane());
  chunks.run(0,
             [&](std::int64_t image, std::int64_t c, std::int64_t c_end, std::int64_t, std::int64_t, void*) {
               T* to = grad_x + image * g.input_plane() * g.channels;
               clear_pixels(to + c, g.input_plane(), g.channels, c_end - c);
               for (std::int64_t o = 0; o < g.output_plane(); ++o) {
                 const Window &h = rows[o / g.w.outputs], &w = columns[o % g.w.outputs];
                 const std::int64_t at = (image * g.output_plane() + o) * g.channels;
                 for (std::int64_t channel = c; channel < c_end; ++channel) {
                   const auto tap = static_cast<std::uint32_t>(taps[at + channel]);
                   const auto tap_columns = static_cast<std::uint32_t>(g.tap_columns());
                   const std::int64_t row = h.origin + tap / tap_columns * g.h.dilation;
                   const std::int64_t column = w.origin + tap % tap_columns * g.w.dilation;
                   to[(row * g.w.size + column) * g.channels + channel] += grad_y[at + channel];
                 }
               }
             });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
