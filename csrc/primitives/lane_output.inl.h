// What a product whose columns are lanes leaves, positions x channels, written as an image.
#pragma once

#include "primitives/activation.inl.h"
#include "primitives/image_band.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// A buffer of results: `panel_width` channels for each position of a rectangle, row by row.
template <class T>
struct LaneBuffer {
  T* values;
  std::int64_t columns;  // of the rectangle in this phase
};

/// Reads `count` <= lanes positions of one vector of channels and turns them: vector i is channel i.
template <class T>
FASTDL_INLINE void load_turned(const T* values, std::int64_t count, Vec<T> (&block)[lanes<T>]) {
  if (count == lanes<T>) {
#pragma GCC unroll 16
    for (int i = 0; i < lanes<T>; ++i) block[i] = load(values + i * panel_width<T>);
  } else {
    for (int i = 0; i < lanes<T>; ++i) block[i] = i < count ? load(values + i * panel_width<T>) : Vec<T>{};
  }
  transpose(block);
}

/// `count` positions of `channels` <= lanes channels, to planes `pitch` apart.
template <class T>
void write_run(const T* values, std::int64_t count, int channels, std::int64_t pitch, T* to) {
  Vec<T> block[lanes<T>];
  for (std::int64_t j = 0; j < count; j += lanes<T>) {
    const int width = static_cast<int>(std::min<std::int64_t>(lanes<T>, count - j));
    load_turned(values + j * panel_width<T>, width, block);
    if (width == lanes<T> && channels == lanes<T>) {
#pragma GCC unroll 16
      for (int i = 0; i < lanes<T>; ++i) store(to + i * pitch + j, block[i]);
    } else {
      for (int i = 0; i < channels; ++i) store_up_to(to + i * pitch + j, block[i], width);
    }
  }
}

/// The same with two phases that take turns: `count` positions of `even`, and as many or one fewer of `odd`.
template <class T>
void write_two_phases(const T* even, const T* odd, std::int64_t count, std::int64_t odd_count, int channels,
                      std::int64_t pitch, T* to) {
  constexpr int n = lanes<T>;
  Vec<T> first[n], second[n];
  for (std::int64_t j = 0; j < count; j += n) {
    const std::int64_t a = std::min<std::int64_t>(n, count - j), b = std::min<std::int64_t>(n, odd_count - j);
    load_turned(even + j * panel_width<T>, a, first);
    load_turned(odd + j * panel_width<T>, b, second);
    const int low = static_cast<int>(std::min<std::int64_t>(n, a + b)), high = static_cast<int>(a + b) - low;
    if (high == n && channels == n) {
#pragma GCC unroll 16
      for (int i = 0; i < n; ++i) {
        const Two<Vec<T>> both = interleave(first[i], second[i]);
        store(to + i * pitch + 2 * j, both.first), store(to + i * pitch + 2 * j + n, both.second);
      }
      continue;
    }
    for (int i = 0; i < channels; ++i) {
      T* row = to + i * pitch + 2 * j;
      store_up_to(row, interleave(first[i], second[i]).first, low);
      if (high) store_up_to(row + n, interleave(first[i], second[i]).second, high);
    }
  }
}

/// Whatever the strides: one value at a time.
template <class T>
void write_scattered(const T* values, std::int64_t count, int channels, const RectangleTarget<T>& to, T* at) {
  for (std::int64_t j = 0; j < count; ++j)
    for (int i = 0; i < channels; ++i) at[j * to.column + i * to.channel] = values[j * panel_width<T> + i];
}

/// Positions whose channels lie side by side.
template <class T>
void write_pixels(const T* values, std::int64_t count, int channels, const RectangleTarget<T>& to, T* at) {
  for (std::int64_t j = 0; j < count; ++j)
    store_up_to(at + j * to.column, load(values + j * panel_width<T>), channels);
}

/// Activates and writes one vector of `channels` <= lanes channels of a rectangle; `target` is the first
/// one's plane of image 0.
template <class T>
void write_lanes(const Gather& gather, const Rectangle& at, const LaneBuffer<T>* buffers, int channels,
                 T* target) {
  for (int phase = 0; gather.activation.kind != ActivationKind::none && phase < gather.phases; ++phase)
    activate_vectors(gather.activation, at.rows * buffers[phase].columns, panel_width<T>,
                     buffers[phase].values);
  const bool planes = gather.target.pixel == 1;
  if (planes && gather.phases == 2 && gather.w[0].target_step == 2 && gather.w[0].target_begin == 0) {
    const RectangleTarget<T> to(gather, 0, at, target);
    for (std::int64_t p = 0; p < at.rows; ++p)
      write_two_phases(buffers[0].values + p * buffers[0].columns * panel_width<T>,
                       buffers[1].values + p * buffers[1].columns * panel_width<T>, buffers[0].columns,
                       buffers[1].columns, channels, to.channel, to.at + p * to.row);
    return;
  }
  for (int phase = 0; phase < gather.phases; ++phase) {
    const RectangleTarget<T> to(gather, phase, at, target);
    const std::int64_t columns = buffers[phase].columns;
    const bool whole_rows = to.row == columns * to.column;  // rows follow each other without a gap
    const std::int64_t runs = whole_rows ? 1 : at.rows, length = whole_rows ? at.rows * columns : columns;
    for (std::int64_t p = 0; p < runs; ++p) {
      const T* values = buffers[phase].values + p * length * panel_width<T>;
      T* begin = to.at + p * to.row;
      if (to.channel == 1)
        write_pixels(values, length, channels, to, begin);
      else if (to.column == 1)
        write_run(values, length, channels, to.channel, begin);
      else
        write_scattered(values, length, channels, to, begin);
    }
  }
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
