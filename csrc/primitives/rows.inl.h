// The rows (n, i) of an (N, C, inner) array, in blocks that fit into the first cache: what softmax,
// log_softmax and cross_entropy share. Vectors run along the classes of a contiguous row, or across
// neighbouring rows where the classes lie apart or are few.
#pragma once

#include <algorithm>
#include <limits>

#include "core/simd_math.h"
#include "primitives/vector_loop.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// What a tile of rows takes: two of them fit into a first-level cache of 48 KiB with room for the rest.
template <class T>
constexpr std::int64_t tile_elements = 16384 / static_cast<std::int64_t>(sizeof(T));

/// The most rows of a block, a multiple of every vector's lanes.
constexpr int max_block_rows = 256;

template <class T>
FASTDL_INLINE void copy_elements(const T* from, std::int64_t count, T* to) {
  for_each_vector<T>(0, count,
                     [&](auto vector, std::int64_t i) { vector.store(to + i, vector.load(from + i)); });
}

/// How the rows of an (N, C, inner) array are taken apart: a matter of its shape alone.
template <class T>
struct RowBlocks {
  std::int64_t classes, inner;
  /// contiguous: one row after another, vectors along the classes. The others work across the rows of a
  /// block: transposed into a tile, copied to a tile, or where they lie.
  enum Kind { contiguous, transposed, copied, in_place } kind;
  int rows;  ///< of a block, at most

  RowBlocks(std::int64_t row_classes, std::int64_t row_inner) : classes(row_classes), inner(row_inner) {
    const std::int64_t fitting = tile_elements<T> / std::max<std::int64_t>(classes, 1);
    if (inner == 1 && classes > lanes<T>)
      kind = contiguous, rows = static_cast<int>(std::clamp<std::int64_t>(fitting, 1, max_block_rows));
    else if (fitting >= lanes<T>)
      kind = inner == 1 ? transposed : copied,
      rows = static_cast<int>(std::min<std::int64_t>(fitting / lanes<T> * lanes<T>, max_block_rows));
    else
      kind = in_place, rows = 8 * lanes<T>;
  }

  std::int64_t rows_per_chunk() const {
    constexpr std::int64_t elements_per_chunk = 8192;
    const std::int64_t wanted = elements_per_chunk / std::max<std::int64_t>(classes, 1) / rows;
    return std::max<std::int64_t>(wanted, 1) * rows;
  }

  /// body(row, offset, count) for the blocks of the rows [begin, end): class c of row + j, j < count, lies at
  /// offset + c inner + j, or at offset + c + j classes with inner == 1.
  template <class Body>
  FASTDL_INLINE void each(std::int64_t begin, std::int64_t end, const Body& body) const {
    for (std::int64_t row = begin; row < end;) {
      const std::int64_t i = inner == 1 ? 0 : row % inner;
      const std::int64_t limit = inner == 1 ? end - row : std::min(inner - i, end - row);
      const int count = static_cast<int>(std::min<std::int64_t>(limit, rows));
      body(row, (row - i) * classes + i, count);
      row += count;
    }
  }

  /// Elements of a tile: class c of the block's row j lies at c step() + j.
  std::int64_t tile_size() const { return kind == transposed || kind == copied ? classes * rows : 0; }
  std::int64_t step() const { return kind == in_place ? inner : rows; }

  /// A block across whose rows to work: x itself, or its copy in the tile.
  const T* load_block(const T* x, int count, T* tile) const {
    if (kind == in_place) return x;
    if (kind == copied) {
      for (std::int64_t c = 0; c < classes; ++c) copy_elements(x + c * inner, count, tile + c * rows);
    } else {
      for (std::int64_t c = 0; c < classes; ++c)
        for (int j = 0; j < count; ++j) tile[c * rows + j] = x[j * classes + c];
    }
    return tile;
  }

  /// The way back.
  void store_block(const T* tile, int count, T* y) const {
    if (kind == copied) {
      for (std::int64_t c = 0; c < classes; ++c) copy_elements(tile + c * rows, count, y + c * inner);
    } else if (kind == transposed) {
      for (std::int64_t c = 0; c < classes; ++c)
        for (int j = 0; j < count; ++j) y[j * classes + c] = tile[c * rows + j];
    }
  }
};

/// The maximum of a contiguous row. A NaN may be passed over.
template <class T>
FASTDL_INLINE T row_maximum(const T* x, std::int64_t classes) {
  constexpr T lowest = -std::numeric_limits<T>::infinity();
  Vec<T> top[4] = {broadcast<T>(lowest), broadcast<T>(lowest), broadcast<T>(lowest), broadcast<T>(lowest)};
  std::int64_t c = 0;
  for (; c + 4 * lanes<T> <= classes; c += 4 * lanes<T>)
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) top[k] = max(top[k], load(x + c + k * lanes<T>));
  for_each_vector<T>(c, classes,
                     [&](auto vector, std::int64_t i) { top[0] = max(top[0], vector.load(x + i, lowest)); });
  return reduce_max(max(max(top[0], top[1]), max(top[2], top[3])));
}

/// The maxima of `count` neighbouring rows, whose classes are `step` apart.
template <class T>
FASTDL_INLINE void row_maxima(const T* x, std::int64_t step, std::int64_t classes, int count, T* maximum) {
  for_each_vector<T>(0, count, [&](auto vector, std::int64_t j) {
    Vec<T> top = vector.load(x + j);
    for (std::int64_t c = 1; c < classes; ++c) top = max(top, vector.load(x + c * step + j));
    vector.store(maximum + j, top);
  });
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
