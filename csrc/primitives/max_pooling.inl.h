// The largest element of each window and which tap of the window it is: the first of equals, the last NaN
// where there are any. Taps are numbered row by row, so that a number is larger the later the tap comes.
#pragma once

#include "core/backend.h"
#include "primitives/max_pooling_pixels.inl.h"
#include "primitives/max_pooling_rows.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Calls body(Tap{}) with the type of a tap's number.
template <class Body>
FASTDL_INLINE void with_tap(const PoolingGeometry& g, Body&& body) {
  switch (tap_dtype(g)) {
    case DType::uint8:
      return body(std::uint8_t{});
    case DType::int32:
      return body(std::int32_t{});
    default:
      return body(std::int64_t{});
  }
}

FASTDL_INLINE bool one_by_one(const PoolingGeometry& g) {
  return tap_dtype(g) == DType::int64 || may_miss(g);
}

/// Where an image's element is: of one plane, or of one channel.
struct ElementOrder {
  std::int64_t image, channel, pixel, channels;

  ElementOrder(const PoolingGeometry& g, std::int64_t pixels) : channels(g.channels) {
    const bool last = g.format == MemoryFormat::channels_last;
    image = g.channels * pixels, channel = last ? 1 : pixels, pixel = last ? g.channels : 1;
  }
  std::int64_t plane(std::int64_t i) const { return i / channels * image + i % channels * channel; }
};

/// Any window of any shape, in either memory format.
template <class T, class Tap>
void max_pool_singly(const PoolingGeometry& g, const T* x, T* y, Tap* taps) {
  const ElementOrder in(g, g.input_plane()), out(g, g.output_plane());
  for_planes(g, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin * g.output_plane(); i < end * g.output_plane(); ++i) {
      const std::int64_t plane = i / g.output_plane(), o = i % g.output_plane();
      const std::int64_t p = o / g.w.outputs, q = o % g.w.outputs;
      T best = lowest<T>;
      Tap where = no_tap<Tap>;
      for (std::int64_t r = g.h.first_tap(p); r < g.h.last_tap(p); ++r)
        for (std::int64_t s = g.w.first_tap(q); s < g.w.last_tap(q); ++s) {
          const std::int64_t row = g.h.origin(p) + r * g.h.dilation,
                             column = g.w.origin(q) + s * g.w.dilation;
          const T value = x[in.plane(plane) + (row * g.w.size + column) * in.pixel];
          if (where == no_tap<Tap> || value > best || value != value)
            best = value, where = static_cast<Tap>(r * g.tap_columns() + s);
        }
      const std::int64_t at = out.plane(plane) + o * out.pixel;
      y[at] = best;
      if (taps) taps[at] = where;
    }
  });
}

/// y and, where not null, taps: in the order of y, but [block][p][q][plane] on the route of blocks.
template <class T, class Tap>
void max_pool(const PoolingGeometry& g, const T* x, T* y, Tap* taps) {
  if (one_by_one(g)) return max_pool_singly(g, x, y, taps);
  if constexpr (sizeof(Tap) < 8) {
    const auto run = [&](auto tracked) {
      constexpr bool with_taps = decltype(tracked)::value;
      switch (pooling_route(g)) {
        case PoolingRoute::planes:
          return max_pool_planes<with_taps>(g, x, y, taps);
        case PoolingRoute::rows:
          return max_pool_rows<with_taps>(g, x, y, taps);
        case PoolingRoute::blocks:
          return max_pool_blocks<with_taps>(g, x, y, taps);
        case PoolingRoute::pixels:
          return max_pool_pixels<with_taps>(g, x, y, taps);
      }
    };
    taps ? run(std::true_type()) : run(std::false_type());
  }
}

/// Calls body(output, p, q, place) for every output of the planes of a chunk: `output` counts in y's
/// memory, `place` in the taps'.
template <class Body>
FASTDL_INLINE void for_taps(const PoolingGeometry& g, std::int64_t begin, std::int64_t end, Body&& body) {
  const bool in_blocks = !one_by_one(g) && pooling_route(g) == PoolingRoute::blocks;
  const ElementOrder out(g, g.output_plane());
  for (std::int64_t plane = begin; plane < end; ++plane) {
    const std::int64_t first = plane / pooling_block * pooling_block;
    const std::int64_t step = in_blocks ? std::min(pooling_block, g.planes - first) : out.pixel;
    std::int64_t at = out.plane(plane), place = in_blocks ? first * g.output_plane() + plane - first : at;
    for (std::int64_t p = 0; p < g.h.outputs; ++p)
      for (std::int64_t q = 0; q < g.w.outputs; ++q, at += out.pixel, place += step) body(at, p, q, place);
  }
}

/// Where in its plane a tap is: h * W + w, -1 for none.
template <class Tap>
FASTDL_INLINE std::int64_t position_of(const PoolingGeometry& g, std::int64_t h_origin, std::int64_t w_origin,
                                       Tap tap) {
  if (tap == no_tap<Tap>) return -1;
  using Number = std::conditional_t<sizeof(Tap) < 8, std::uint32_t, std::uint64_t>;
  const auto columns = static_cast<Number>(g.tap_columns()), number = static_cast<Number>(tap);
  const auto r = static_cast<std::int64_t>(number / columns), s = static_cast<std::int64_t>(number % columns);
  return (h_origin + r * g.h.dilation) * g.w.size + w_origin + s * g.w.dilation;
}

/// indices, in y's order: where in its plane each maximum is.
template <class Tap>
void positions_of_taps(const PoolingGeometry& g, const Tap* taps, std::int64_t* indices) {
  const Windows rows(g.h), columns(g.w);
  for_planes(g, [&](std::int64_t begin, std::int64_t end) {
    for_taps(g, begin, end, [&](std::int64_t at, std::int64_t p, std::int64_t q, std::int64_t place) {
      indices[at] = position_of(g, rows[p].origin, columns[q].origin, taps[place]);
    });
  });
}

/// Of `indices` and `taps` one at most is not null.
template <class T>
void max_pool(const PoolingGeometry& g, const T* x, T* y, std::int64_t* indices, void* taps) {
  with_tap(g, [&]<class Tap>(Tap) {
    if (!indices) return max_pool(g, x, y, static_cast<Tap*>(taps));
    const auto outputs = static_cast<std::size_t>(g.planes * g.output_plane());
    const Workspace memory(outputs * sizeof(Tap));
    max_pool(g, x, y, static_cast<Tap*>(memory.data()));
    positions_of_taps(g, static_cast<const Tap*>(memory.data()), indices);
  });
}

/// Each plane of grad_x is zero but for the gradients of the outputs that were found there, added in order.
template <class T, class Tap>
void scatter_to_taps(const PoolingGeometry& g, const T* grad_y, const Tap* taps, T* grad_x) {
  const Windows rows(g.h), columns(g.w);
  const ElementOrder in(g, g.input_plane());
  for_planes(g, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      T* to = grad_x + in.plane(plane);
      clear_pixels(to, g.input_plane(), in.pixel, 1);
      for_taps(g, plane, plane + 1, [&](std::int64_t at, std::int64_t p, std::int64_t q, std::int64_t place) {
        const std::int64_t i = position_of(g, rows[p].origin, columns[q].origin, taps[place]);
        if (i >= 0) to[i * in.pixel] += grad_y[at];
      });
    }
  });
}

/// The gradient of max_pool with its taps.
template <class T>
void max_pool_backward(const PoolingGeometry& g, const T* grad_y, const void* taps, T* grad_x) {
  constexpr std::int64_t most_compared = 32;  // taps: a vector of outputs meets each, one output only one
  with_tap(g, [&]<class Tap>(Tap) {
    const auto* numbers = static_cast<const Tap*>(taps);
    if constexpr (sizeof(Tap) == 1) {
      if (!one_by_one(g) && g.tap_numbers() <= most_compared) switch (pooling_route(g)) {
          case PoolingRoute::rows:
            return max_pool_backward_rows(g, grad_y, numbers, grad_x);
          case PoolingRoute::blocks:
            return max_pool_backward_blocks(g, grad_y, numbers, grad_x);
          case PoolingRoute::pixels:
            return max_pool_backward_pixels(g, grad_y, numbers, grad_x);
          case PoolingRoute::planes:
            break;
        }
    }
    if constexpr (sizeof(Tap) < 8) {
      if (!one_by_one(g) && pooling_route(g) == PoolingRoute::pixels)
        return scatter_to_pixels(g, grad_y, numbers, grad_x);
      if (!one_by_one(g) && pooling_route(g) == PoolingRoute::planes)
        return max_pool_backward_planes(g, grad_y, numbers, grad_x);
    }
    scatter_to_taps(g, grad_y, numbers, grad_x);
  });
}

/// Each plane of grad_x is zero but for the gradients of the outputs that were found there, added in order;
/// -1 found nothing. Other indices outside [0, H * W) are skipped, and the first of them is answered as
/// bad_index.
template <class T>
Status scatter_to_maxima(const PoolingGeometry& g, const T* grad_y, const std::int64_t* indices, T* grad_x) {
  const std::int64_t count = g.planes * g.output_plane();
  const ElementOrder in(g, g.input_plane()), out(g, g.output_plane());
  std::int64_t first_bad = count;
  for_planes(g, [&](std::int64_t begin, std::int64_t end) {
    std::int64_t bad = count;
    for (std::int64_t plane = begin; plane < end; ++plane) {
      T* to = grad_x + in.plane(plane);
      clear_pixels(to, g.input_plane(), in.pixel, 1);
      for (std::int64_t o = 0; o < g.output_plane(); ++o) {
        const std::int64_t at = out.plane(plane) + o * out.pixel, index = indices[at];
        if (index >= 0 && index < g.input_plane()) {
          to[index * in.pixel] += grad_y[at];
        } else if (index != -1) {
          bad = std::min(bad, plane * g.output_plane() + o);
        }
      }
    }
    std::int64_t seen = __atomic_load_n(&first_bad, __ATOMIC_RELAXED);
    while (bad < seen &&
           !__atomic_compare_exchange_n(&first_bad, &seen, bad, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    }
  });
  if (first_bad < count) {
    const std::int64_t at =
        out.plane(first_bad / g.output_plane()) + first_bad % g.output_plane() * out.pixel;
    return {Status::bad_index, first_bad, indices[at]};
  }
  return {};
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
