// The register tile of a product whose columns are the lanes: C (rows x columns) = A B, with B packed into
// panels of one or two vectors, depth-major, and A read where it lies, one broadcast at a time. So A needs no
// packing: a convolution's A is the image itself.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/simd.h"

namespace fastdl::FASTDL_ISA {
namespace {

// The register tile: rows x vectors accumulators leave room for one row of B and a broadcast of A in 32
// (AVX-512, NEON) or 16 vector registers.
inline constexpr int tile_vectors = 2;
#if FASTDL_VECTOR_BYTES == 64
inline constexpr int tile_rows = 14;
#elif FASTDL_VECTOR_BYTES == 32
inline constexpr int tile_rows = 6;
#elif defined(__aarch64__)
inline constexpr int tile_rows = 12;
#else
inline constexpr int tile_rows = 5;
#endif

/// Depth of a block: a panel's block stays in the first-level cache while many tiles meet it.
inline constexpr std::int64_t lane_depth = 256;

FASTDL_INLINE std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

/// The depth as a walk over A: step (o, t) reads A at o * outer_stride + inner[t].
struct DepthWalk {
  std::int64_t outer, outer_stride;
  const std::int64_t* inner;
  std::int64_t inner_count;
  std::int64_t depth() const { return outer * inner_count; }
};

/// Where a tile goes: rows `row_pitch` apart. It is added to what is there, or stored (plus `bias`, one value
/// a column, may be null).
template <class T>
struct TileTarget {
  T* c;
  std::int64_t row_pitch;
  const T* bias;
  bool accumulate;
};

/// Rows of a tile: A's rows side by side, or each at an offset of its own, which takes a register a row.
inline constexpr int run_rows = tile_rows;
inline constexpr int scattered_rows = tile_rows < 8 ? tile_rows : 8;

/// How far ahead rows that lie side by side are fetched.
inline constexpr std::int64_t rows_ahead = 2 * run_rows;

/// Columns of a panel of B.
template <class T>
inline constexpr int panel_width = tile_vectors * lanes<T>;

template <int Rows, int Vectors, class T>
FASTDL_INLINE void finish_tile(const Vec<T> (&sums)[Rows][Vectors], const TileTarget<T>& to) {
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < Vectors; ++j) {
      T* c = to.c + i * to.row_pitch + j * lanes<T>;
      Vec<T> sum = sums[i][j];
      if (to.accumulate)
        sum += load(c);
      else if (to.bias)
        sum += load(to.bias + j * lanes<T>);
      store(c, sum);
    }
  }
}

/// One tile; row i of A begins at a + (Scattered ? offsets[i] : i).
template <bool Scattered, int Rows, int Vectors, class T>
__attribute__((noinline)) void multiply_lanes(const DepthWalk& walk, const T* a, const std::int64_t* offsets,
                                              const T* b, const TileTarget<T>& to) {
  Vec<T> sums[Rows][Vectors] = {};
  std::int64_t row_offset[Rows];
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) row_offset[i] = Scattered ? offsets[i] : i;
  const std::int64_t* const inner_end = walk.inner + walk.inner_count;
  for (std::int64_t o = walk.outer; o > 0; --o, a += walk.outer_stride) {
    for (const std::int64_t* inner = walk.inner; inner != inner_end; ++inner, b += Vectors * lanes<T>) {
      const T* at = a + *inner;
      // Runs as short as a tile's are no stream to the processor's own prefetching, and all of a tile's at
      // once would take every slot for a miss: one a step, for the tile after the next.
      if constexpr (!Scattered) __builtin_prefetch(at + rows_ahead);
      Vec<T> row[Vectors];
#pragma GCC unroll 4
      for (int j = 0; j < Vectors; ++j) row[j] = load(b + j * lanes<T>);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i) {
        const T scalar = at[row_offset[i]];
#pragma GCC unroll 4
        for (int j = 0; j < Vectors; ++j) sums[i][j] += scalar * row[j];
      }
    }
  }
  finish_tile<Rows, Vectors, T>(sums, to);
}

template <class T>
using LaneTile = void (*)(const DepthWalk&, const T*, const std::int64_t*, const T*, const TileTarget<T>&);

template <bool Scattered, class T, std::size_t... I>
FASTDL_INLINE LaneTile<T> lane_tile(int rows, int vectors, std::index_sequence<I...>) {
  static constexpr LaneTile<T> tiles[][2] = {
      {multiply_lanes<Scattered, I + 1, 1, T>, multiply_lanes<Scattered, I + 1, 2, T>}...};
  return tiles[rows - 1][vectors - 1];
}

/// multiply_lanes for 1 <= rows <= run_rows (scattered_rows) and 1 or 2 vectors.
template <bool Scattered, class T>
FASTDL_INLINE LaneTile<T> lane_tile(int rows, int vectors) {
  return lane_tile<Scattered, T>(rows, vectors,
                                 std::make_index_sequence<Scattered ? scattered_rows : run_rows>{});
}

/// How `count` things are cut into the fewest pieces of at most `most`, as equal as can be: piece i is
/// [begin(i), begin(i + 1)).
struct EvenCut {
  std::int64_t count, pieces;
  EvenCut(std::int64_t all, std::int64_t most) : count(all), pieces(all > 0 ? ceil_div(all, most) : 0) {}
  std::int64_t begin(std::int64_t piece) const { return piece * count / pieces; }
  std::int64_t size(std::int64_t piece) const { return begin(piece + 1) - begin(piece); }
};

/// `count` elements of up to lanes rows, turned: to[j * pitch] is the vector of element j of all rows.
template <class T>
FASTDL_INLINE void turn_rows(const T* from, std::int64_t row_stride, int rows, int count, std::int64_t pitch,
                             T* to) {
  Vec<T> block[lanes<T>];
  if (rows == lanes<T> && count == lanes<T>) {
#pragma GCC unroll 16
    for (int i = 0; i < lanes<T>; ++i) block[i] = load(from + i * row_stride);
    transpose(block);
#pragma GCC unroll 16
    for (int j = 0; j < lanes<T>; ++j) store(to + j * pitch, block[j]);
    return;
  }
#pragma GCC unroll 16
  for (int i = 0; i < lanes<T>; ++i)
    block[i] = load_partial(from + std::min(i, rows - 1) * row_stride, i < rows ? count : 0);
  transpose(block);
#pragma GCC unroll 16
  for (int j = 0; j < lanes<T>; ++j)
    if (j < count) store(to + j * pitch, block[j]);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
