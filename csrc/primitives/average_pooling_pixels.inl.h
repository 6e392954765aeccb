// Average pooling where the lanes are channels of channels_last images, or planes transposed into blocks.
#pragma once

#include "primitives/pooling.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// What a window's sum is divided by.
struct DivisorRule {
  bool count_include_pad;
  std::int64_t divisor_override;  // 0: none
};

/// The divisor of output (p, q) is rows(p) * columns(q)[0].
template <class T>
class Divisors {
 public:
  Divisors(const PoolingGeometry& g, const DivisorRule& rule)
      : memory_(static_cast<std::size_t>(g.h.outputs + g.w.outputs + lanes<T>) * sizeof(T)),
        rows_(static_cast<T*>(memory_.data())),
        columns_(rows_ + g.h.outputs) {
    const auto count = [&](const WindowAxis& axis, std::int64_t o) {
      if (rule.divisor_override != 0) return std::int64_t{1};
      return rule.count_include_pad ? axis.padded_extent(o) : axis.end(o) - axis.begin(o);
    };
    for (std::int64_t p = 0; p < g.h.outputs; ++p) rows_[p] = static_cast<T>(count(g.h, p));
    for (std::int64_t q = 0; q < g.w.outputs + lanes<T>; ++q)
      columns_[q] = q < g.w.outputs ? static_cast<T>(count(g.w, q)) : T(1);
    if (rule.divisor_override != 0) std::fill_n(rows_, g.h.outputs, static_cast<T>(rule.divisor_override));
  }
  T rows(std::int64_t p) const { return rows_[p]; }
  /// Of the outputs from q on.
  const T* columns(std::int64_t q) const { return columns_ + q; }

 private:
  Workspace memory_;
  T *rows_, *columns_;
};

/// Of a wide window so many elements are added up before their sum joins the others': long sums lose digits.
constexpr std::int64_t most_in_a_row = 32;

template <class T>
struct AveragePixels {
  const PoolingGeometry& g;
  const Divisors<T>& divisors;
  const Windows &rows, &columns;
  PixelRows<const T> x;
  std::int64_t y_pixel;

  /// The windows of `Vectors` vectors from channel c on; `count` lanes of each are stored.
  template <int Vectors, bool Whole>
  FASTDL_INLINE void window(const Window& h, const Window& w, const PixelSteps& steps, const T* divisors_of,
                            T divisor_rows, std::int64_t c, int count, T* y) const {
    Vec<T> sums[Vectors] = {};
    const auto add = [&](Vec<T>* to, std::int64_t r, std::int64_t begin, std::int64_t end) {
      const T* from = x.row(h.origin + r) + (w.origin + begin) * x.pixel + c;
      for (std::int64_t s = begin; s < end; ++s, from += x.pixel)
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; ++v)
          to[v] += Whole ? load(from + v * steps.x) : load_partial(from + v * steps.x, count);
    };
    for (std::int64_t r = h.first; r < h.last; ++r) {
      if (w.last - w.first <= most_in_a_row) {
        add(sums, r, w.first, w.last);
        continue;
      }
      for (std::int64_t s = w.first; s < w.last; s += most_in_a_row) {
        Vec<T> part[Vectors] = {};
        add(part, r, s, std::min(w.last, s + most_in_a_row));
        for (int v = 0; v < Vectors; ++v) sums[v] += part[v];
      }
    }
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      const Vec<T> mean = sums[v] / (divisor_rows * divisors_of[v * steps.tap]);
      T* to = y + c + v * steps.y;
      Whole ? store(to, mean) : store_partial(to, mean, count);
    }
  }

  /// Channels [c, end) of output row p.
  void row(std::int64_t p, std::int64_t c, std::int64_t end, T* y) const {
    constexpr int several = pixel_vectors;
    const PixelSteps channels{lanes<T>, lanes<T>, 0};
    for (std::int64_t q = 0, outputs = 1; q < g.w.outputs; q += outputs, y += outputs * y_pixel) {
      const T* divisor = divisors.columns(q);
      std::int64_t channel = c;
      for (; channel + several * lanes<T> <= end; channel += several * lanes<T>)
        window<several, true>(rows[p], columns[q], channels, divisor, divisors.rows(p), channel, lanes<T>, y);
      const std::int64_t step = channel == c ? columns.step(q, several) : 0;
      const PixelSteps side_by_side{step * x.pixel, y_pixel, 1};
      outputs = step > 0 ? several : 1;
      for (; channel < end; channel += lanes<T>) {
        const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, end - channel));
        const auto run = [&](auto vectors, auto whole) {
          window<decltype(vectors)::value, decltype(whole)::value>(rows[p], columns[q], side_by_side, divisor,
                                                                   divisors.rows(p), channel, count, y);
        };
        const auto run_as = [&](auto vectors) {
          count == lanes<T> ? run(vectors, std::true_type()) : run(vectors, std::false_type());
        };
        step > 0 ? run_as(std::integral_constant<int, several>()) : run_as(std::integral_constant<int, 1>());
      }
    }
  }
};

template <class T>
void average_pixels(const PoolingGeometry& g, const Divisors<T>& divisors, const T* x, T* y) {
  const Windows rows(g.h), columns(g.w);
  const PixelChunks chunks(g.images(), g.channels, g.h.outputs,
                           g.input_plane() / std::max<std::int64_t>(1, g.h.outputs));
  chunks.run(0, [&](std::int64_t image, std::int64_t c, std::int64_t c_end, std::int64_t begin,
                    std::int64_t end, void*) {
    const T* from = x + image * g.input_plane() * g.channels;
    const AveragePixels<T> pixels{g, divisors, rows, columns, {from, 0, g.w.size, g.channels}, g.channels};
    for (std::int64_t p = begin; p < end; ++p)
      pixels.row(p, c, c_end, y + (image * g.h.outputs + p) * g.w.outputs * g.channels);
  });
}

template <class T>
void average_blocks(const PoolingGeometry& g, const Divisors<T>& divisors, const T* x, T* y) {
  const Windows rows(g.h), columns(g.w);
  pool_blocks(
      g, rows, x, y,
      [&](const PixelRows<const T>& in, std::int64_t, int, std::int64_t begin, std::int64_t end, T* result) {
        const AveragePixels<T> pixels{g, divisors, rows, columns, in, pooling_block};
        for (std::int64_t p = begin; p < end; ++p)
          pixels.row(p, 0, pooling_block, result + (p - begin) * g.w.outputs * pooling_block);
      });
}

/// Rows [begin, end) of grad_x: each window's gradient goes in equal shares to its elements, which are zero
/// before, or get nothing else where windows tile the image.
template <class T>
struct AveragePixelsBackward {
  const PoolingGeometry& g;
  const Divisors<T>& divisors;
  const Windows &rows, &columns;
  PixelRows<T> grad_x;
  std::int64_t y_pixel, begin, end;

  template <bool Tiled>
  FASTDL_INLINE void window(const Window& h, const Window& w, T divisor, std::int64_t c, int count,
                            const T* grad_y) const {
    const bool whole = count == lanes<T>;
    const Vec<T> share = (whole ? load(grad_y + c) : load_partial(grad_y + c, count)) / divisor;
    const std::int64_t row_begin = std::max(begin, h.origin + h.first),
                       row_end = std::min(end, h.origin + h.last);
    for (std::int64_t row = row_begin; row < row_end; ++row) {
      T* to = grad_x.row(row) + (w.origin + w.first) * grad_x.pixel + c;
      for (std::int64_t s = w.first; s < w.last; ++s, to += grad_x.pixel) {
        if (whole) {
          store(to, Tiled ? share : load(to) + share);
        } else {
          store_partial(to, Tiled ? share : load_partial(to, count) + share, count);
        }
      }
    }
  }

  template <bool Tiled>
  void row(std::int64_t p, std::int64_t c, std::int64_t channel_end, const T* grad_y) const {
    for (std::int64_t q = 0; q < g.w.outputs; ++q, grad_y += y_pixel) {
      const T divisor = divisors.rows(p) * *divisors.columns(q);
      for (std::int64_t channel = c; channel < channel_end; channel += lanes<T>)
        window<Tiled>(rows[p], columns[q], divisor, channel,
                      static_cast<int>(std::min<std::int64_t>(lanes<T>, channel_end - channel)), grad_y);
    }
  }
};

template <class T>
void average_pixels_backward(const PoolingGeometry& g, const Divisors<T>& divisors, const T* grad_y,
                             T* grad_x) {
  const Windows rows(g.h), columns(g.w);
  const PixelChunks chunks(g.images(), g.channels, g.h.size, g.w.size);
  const bool tiled = windows_tile(g);
  chunks.run(0, [&](std::int64_t image, std::int64_t c, std::int64_t c_end, std::int64_t begin,
                    std::int64_t end, void*) {
    T* to = grad_x + image * g.input_plane() * g.channels;
    const AveragePixelsBackward<T> pixels{g,          divisors, rows, columns, {to, 0, g.w.size, g.channels},
                                          g.channels, begin,    end};
    if (!tiled)
      clear_pixels(to + begin * g.w.size * g.channels + c, (end - begin) * g.w.size, g.channels, c_end - c);
    const MeetingWindows meeting(rows, g.h, begin, end);
    for (std::int64_t p = meeting.begin; p < meeting.end; ++p) {
      const T* from = grad_y + (image * g.h.outputs + p) * g.w.outputs * g.channels;
      tiled ? pixels.template row<true>(p, c, c_end, from) : pixels.template row<false>(p, c, c_end, from);
    }
  });
}

template <class T>
void average_blocks_backward(const PoolingGeometry& g, const Divisors<T>& divisors, const T* grad_y,
                             T* grad_x) {
  const Windows rows(g.h), columns(g.w);
  const bool tiled = windows_tile(g);
  pool_blocks_backward(g, rows, !tiled, grad_y, grad_x,
                       [&](const PixelRows<T>& to, std::int64_t, int, std::int64_t begin, std::int64_t end,
                           const MeetingWindows& meeting, const T* grad) {
                         const AveragePixelsBackward<T> pixels{g,  divisors,      rows,  columns,
                                                               to, pooling_block, begin, end};
                         for (std::int64_t p = meeting.begin; p < meeting.end; ++p) {
                           const T* from = grad + (p - meeting.begin) * g.w.outputs * pooling_block;
                           tiled ? pixels.template row<true>(p, 0, pooling_block, from)
                                 : pixels.template row<false>(p, 0, pooling_block, from);
                         }
                       });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
