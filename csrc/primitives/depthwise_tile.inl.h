// Register tiles of a depthwise convolution. A tile sums `Outputs` positions that lie in a line, one vector
// each. Along the line the kernel has `Taps` taps side by side, and the outputs are `Step` of their distances
// apart: what is loaded once meets every output that it belongs to while it is in a register. Across the line
// the taps are a list. Lanes are the columns of a plane, with the line along the height and weights that are
// broadcast, or channels that lie side by side, with the line along the width and weights in vectors. Padding
// is not read: along the line it is left out, across it lanes are masked.
#pragma once

#include "primitives/activation.inl.h"
#include "primitives/gather.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

inline constexpr int most_line_outputs = 8;

/// Taps that a line may have beside 1, for which all of the kernel's taps are in the list.
template <int... Taps>
struct LineTaps {
  static bool has(std::int64_t taps) { return ((taps == Taps) || ...); }
};
/// Odd ones with a step of 1 or 2, even ones, which are left of them for every second output of a gradient,
/// with a step of 1.
using GatherLineTaps = LineTaps<2, 3, 4, 5, 7>;
using WeightLineTaps = LineTaps<3, 5, 7>;

/// How an axis of a gather is a line of the kernel's taps, if it is.
struct LineAxis {
  int taps = 1, step = 1;
  std::int64_t between;    // positions of the source from one along the line to the next
  std::int64_t turns = 1;  // outputs from one of the line to the next
  bool reversed = false;   // the first tap along the line is the kernel's last

  template <int... Taps>
  LineAxis(const GatherAxis& axis, LineTaps<Taps...>) : between(axis.step) {
    const std::int64_t dilation = axis.base_step < 0 ? -axis.base_step : axis.base_step;
    if (!LineTaps<Taps...>::has(axis.taps) ||
        !(axis.step == 1 || (axis.step == 2 && dilation == 1 && axis.taps % 2 == 1)))
      return;
    taps = static_cast<int>(axis.taps), step = static_cast<int>(axis.step), between = dilation;
    turns = step == 1 ? dilation : 1;
    reversed = axis.base_step < 0;
  }
  /// Taps of the list for each tap across the line.
  std::int64_t listed(const GatherAxis& axis) const { return taps > 1 ? 1 : axis.taps; }
};

/// A line of taps: where it begins in the source and the kernel, how far from the output along the line, and
/// which lanes lie in the source.
struct TapLine {
  std::int64_t source, kernel, along;
  int first, last;
};

/// The lines of a tile's taps, and the distances along a line. With several taps to a line all begin equally
/// far `along`.
struct TapLines {
  const TapLine* begin;
  std::int64_t count;
  std::int64_t source_pitch, kernel_pitch;
};

/// The positions of a tile's lines that lie in the source.
struct LineRange {
  int begin, end;

  /// Of `count` positions, `between` apart, from `at` on.
  FASTDL_INLINE LineRange(std::int64_t at, std::int64_t extent, std::int64_t between, int count) {
    std::int64_t before = -at, inside = extent - at;
    if (between > 1) {
      before = before > 0 ? ceil_div(before, between) : 0;
      inside = inside > 0 ? ceil_div(inside, between) : 0;
    }
    begin = static_cast<int>(std::min<std::int64_t>(count, std::max<std::int64_t>(0, before)));
    end = static_cast<int>(std::min<std::int64_t>(count, std::max<std::int64_t>(0, inside)));
  }
};

/// Where a tile's first output reads without the taps' offsets: in memory, and along the line. What lies
/// `ahead` elements further is fetched for tiles to come, and what lies `also` elements behind that: a tile
/// reads too many runs for the processor's own prefetching.
template <class T>
struct TileSource {
  const T* at;
  std::int64_t along, extent, between, ahead, also = 0;

  template <int Taps, int Step, int Outputs>
  FASTDL_INLINE LineRange range(const TapLine& line) const {
    return {along + line.along, extent, between, (Outputs - 1) * Step + Taps};
  }
  template <int Count>
  FASTDL_INLINE void prefetch(std::int64_t across, std::int64_t pitch) const {
#pragma GCC unroll 16
    for (int i = 0; i < Count; ++i) __builtin_prefetch(at + ahead + i * pitch + across);
    if (also == 0) return;
#pragma GCC unroll 16
    for (int i = 0; i < Count; ++i) __builtin_prefetch(at + ahead + also + i * pitch + across);
  }
};

/// load_between, out of line where it has no instruction of its own: tiles hold many.
#if FASTDL_VECTOR_BYTES == 16
template <class T>
__attribute__((noinline)) Vec<T> load_edge(const T* p, int first, int last) {
  return load_between(p, first, last);
}
#else
template <class T>
FASTDL_INLINE Vec<T> load_edge(const T* p, int first, int last) {
  return load_between(p, first, last);
}
#endif

/// Calls body(i, values) with what lies at each position of a line that is in the source, i a constant.
template <int Count, bool Masked, class T, class Body>
FASTDL_INLINE void for_line(const T* at, std::int64_t pitch, const LineRange& range, int first, int last,
                            const Body& body) {
#pragma GCC unroll 32
  for (int i = 0; i < Count; ++i, at += pitch) {
    if (i < range.begin || i >= range.end) continue;
    if constexpr (Masked)
      body(i, load_edge(at, first, last));
    else
      body(i, load(at));
  }
}

/// The same, with masks only where they are needed or cost nothing.
template <int Count, class T, class Body>
FASTDL_INLINE void for_line(const T* at, std::int64_t pitch, const LineRange& range, int first, int last,
                            const Body& body) {
#if FASTDL_VECTOR_BYTES < 64
  if (first == 0 && last == lanes<T>) return for_line<Count, false>(at, pitch, range, first, last, body);
#endif
  for_line<Count, true>(at, pitch, range, first, last, body);
}

/// Adds the products of one line with its weights to the sums.
template <int Taps, int Step, int Outputs, class T>
FASTDL_INLINE void add_line(const T* at, std::int64_t pitch, const LineRange& range, int first, int last,
                            const Vec<T> (&weights)[Taps], Vec<T> (&sums)[Outputs]) {
  for_line<(Outputs - 1) * Step + Taps>(at, pitch, range, first, last,
                                        [&](int i, Vec<T> values) __attribute__((always_inline)) {
#pragma GCC unroll 8
                                          for (int o = 0; o < Outputs; ++o)
                                            if (const int t = i - o * Step; t >= 0 && t < Taps)
                                              sums[o] += weights[t] * values;
                                        });
}

/// Where a tile's results go: `pitch` elements apart.
template <class T>
struct LineTarget {
  T* at;
  std::int64_t pitch;
  const Activation& activation;
};

/// Writes a tile's results, `count` lanes of each.
template <int Outputs, class T>
FASTDL_INLINE void store_outputs(const LineTarget<T>& target, std::int64_t across, int count,
                                 Vec<T> (&sums)[Outputs]) {
  if (target.activation.kind != ActivationKind::none) {
#pragma GCC unroll 8
    for (int o = 0; o < Outputs; ++o) sums[o] = activated<T>(target.activation, sums[o]);
  }
  T* to = target.at + across;
  if (count == lanes<T>) {
#pragma GCC unroll 8
    for (int o = 0; o < Outputs; ++o, to += target.pitch) store(to, sums[o]);
  } else {
#pragma GCC unroll 8
    for (int o = 0; o < Outputs; ++o, to += target.pitch) store_partial(to, sums[o], count);
  }
}

/// Adds to the total of each tap of one line the products of the gradients with what the tap met.
template <int Taps, int Step, int Outputs, class T>
FASTDL_INLINE void add_line_products(const T* at, std::int64_t pitch, const LineRange& range, int first,
                                     int last, const Vec<T> (&gradients)[Outputs], T* totals,
                                     std::int64_t total_pitch) {
  Vec<T> total[Taps];
#pragma GCC unroll 8
  for (int t = 0; t < Taps; ++t) total[t] = load(totals + t * total_pitch);
  for_line<(Outputs - 1) * Step + Taps>(at, pitch, range, first, last,
                                        [&](int i, Vec<T> values) __attribute__((always_inline)) {
#pragma GCC unroll 8
                                          for (int o = 0; o < Outputs; ++o)
                                            if (const int t = i - o * Step; t >= 0 && t < Taps)
                                              total[t] += gradients[o] * values;
                                        });
#pragma GCC unroll 8
  for (int t = 0; t < Taps; ++t) store(totals + t * total_pitch, total[t]);
}

/// Chunks for units of `work` products each.
FASTDL_INLINE std::int64_t depthwise_chunks(std::int64_t units, std::int64_t work) {
  constexpr std::int64_t chunk_work = 1 << 18, wanted_chunks = 16;
  const std::int64_t by_work = std::max<std::int64_t>(1, chunk_work / std::max<std::int64_t>(1, work));
  return ceil_div(units, std::min(by_work, std::max<std::int64_t>(1, units / wanted_chunks)));
}

/// Outputs of the next tile of a line with `rest` left.
FASTDL_INLINE int tile_outputs(std::int64_t rest) {
  if (rest % 8 != 0 && rest % 7 == 0) return 7;
  return rest >= 7 ? static_cast<int>(std::min<std::int64_t>(rest, 8)) : rest >= 4 ? 4 : rest >= 2 ? 2 : 1;
}

template <int Taps, class Make>
FASTDL_INLINE auto line_tile_of(const LineAxis& line, int outputs, const Make& make) {
  const auto of_outputs = [&](auto step) {
    constexpr std::integral_constant<int, Taps> taps;
    switch (outputs) {
      case 8:
        return make(taps, step, std::integral_constant<int, 8>());
      case 7:
        return make(taps, step, std::integral_constant<int, 7>());
      case 4:
        return make(taps, step, std::integral_constant<int, 4>());
      case 2:
        return make(taps, step, std::integral_constant<int, 2>());
      default:
        return make(taps, step, std::integral_constant<int, 1>());
    }
  };
  if constexpr (Taps % 2 == 1 && Taps > 1)
    if (line.step == 2) return of_outputs(std::integral_constant<int, 2>());
  return of_outputs(std::integral_constant<int, 1>());
}

/// The functions for tiles of a line, by their outputs. make(taps, step, outputs), the three as integral
/// constants, gives one.
template <class Function>
struct LineTiles {
  Function of[most_line_outputs + 1];

  template <int... Taps, class Make>
  LineTiles(LineTaps<Taps...>, const LineAxis& line, const Make& make) {
    for (int outputs = 0; outputs <= most_line_outputs; ++outputs) {
      of[outputs] = line_tile_of<1>(line, outputs, make);
      ((line.taps == Taps ? void(of[outputs] = line_tile_of<Taps>(line, outputs, make)) : void()), ...);
    }
  }
};

}  // namespace
}  // namespace fastdl::FASTDL_ISA
