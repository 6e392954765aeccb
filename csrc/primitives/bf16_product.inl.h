// Products of bfloat16 matrices by AVX512_BF16: C = A B, summed in float32 over pairs of neighbours along the
// depth. Both operands are packed into pairs: A once, or block by block into the second-level cache where few
// panels meet it, rows of a register tile side by side; B panel by panel into the first-level cache, its
// columns the lanes. How the work is cut, and so the order of every sum, follows from the sizes alone.
#pragma once

#include "core/allocator.h"
#include "core/simd_bf16.h"
#include "core/thread_pool.h"
#include "primitives/lane_tile.inl.h"

#if FASTDL_SIMD_AVX512

namespace fastdl::FASTDL_ISA {
namespace {

inline constexpr int pair_rows = 14, pair_columns = 2 * lanes<float>;

/// Pairs of a block of the depth: a panel of B and a tile of A share the first-level cache.
inline constexpr std::int64_t pair_depth = 192;

FASTDL_INLINE std::uint32_t mask_of_first(std::int64_t n) {
  return n >= 32 ? ~0u : (1u << n) - 1u;
}

// ---- packing

/// Lines whose depth lies side by side: to[j * pitch + i] = pair j of line i, with i < `count` <= lanes and
/// zeros behind the `elements` of each line. Writes nothing else.
inline void turn_pairs(const BFloat16* from, std::int64_t line_stride, int count, std::int64_t elements,
                       std::int64_t pitch, std::uint32_t* to) {
  constexpr int n = lanes<float>;
  Vec<float> block[n];
  for (std::int64_t k = 0; k < elements; k += 2 * n) {
    const std::uint32_t mask = mask_of_first(elements - k);
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i)
      block[i] = bit_cast<Vec<float>>(
          load_words(from + std::min(i, count - 1) * line_stride + k, i < count ? mask : 0));
    transpose(block);
    const int pairs = static_cast<int>(std::min<std::int64_t>(n, (elements - k + 1) / 2));
#pragma GCC unroll 16
    for (int j = 0; j < n; ++j)
      if (j < pairs) store_pairs(to + (k / 2 + j) * pitch, bit_cast<PairVec>(block[j]), count);
  }
}

/// Lines side by side: to[j * pitch + i] = elements 2j and 2j + 1 along the depth of line i, i < `count`
/// <= 32.
inline void interleave_lines(const BFloat16* from, std::int64_t depth_stride, int count,
                             std::int64_t elements, std::int64_t pitch, std::uint32_t* to) {
  constexpr int n = lanes<float>;
  const std::uint32_t mask = mask_of_first(count);
  for (std::int64_t k = 0; k < elements; k += 2, from += 2 * depth_stride, to += pitch) {
    const WordVec even = load_words(from, mask);
    const WordVec odd = load_words(from + depth_stride, k + 1 < elements ? mask : 0);
    store_pairs(to, low_pairs(even, odd), std::min(n, count));
    if (count > n) store_pairs(to + n, high_pairs(even, odd), count - n);
  }
}

/// An operand as lines (A's rows, B's columns) of `depth` elements; one of the strides is 1.
struct PairLines {
  const BFloat16* elements;
  std::int64_t line_stride, depth_stride, depth;

  std::int64_t pairs() const { return (depth + 1) / 2; }

  /// Pairs [k, k + pairs) of lines [line, line + count), count <= 32: to[j * pitch + i].
  void pack(std::int64_t k, std::int64_t pairs, std::int64_t line, int count, std::int64_t pitch,
            std::uint32_t* to) const {
    const BFloat16* const from = elements + line * line_stride + 2 * k * depth_stride;
    const std::int64_t used = std::min(2 * pairs, depth - 2 * k);
    if (depth_stride != 1) return interleave_lines(from, depth_stride, count, used, pitch, to);
    for (int i = 0; i < count; i += lanes<float>)
      turn_pairs(from + i * line_stride, line_stride, std::min(lanes<float>, count - i), used, pitch, to + i);
  }
};

// ---- the register tile

/// Where a tile's sums go: rows `pitch` apart; added to what is there, or stored.
struct PairTarget {
  float* sums;
  std::int64_t pitch;
  bool accumulate;
};

/// Rows x Vectors sums of A (pairs, Rows) and a panel of B (pairs, pair_columns).
template <int Rows, int Vectors>
__attribute__((noinline)) FASTDL_BF16_DOT void multiply_pair_tile(std::int64_t pairs, const std::uint32_t* a,
                                                                  const std::uint32_t* b,
                                                                  const PairTarget& to) {
  Vec<float> sums[Rows][Vectors] = {};
  for (; pairs > 0; --pairs, a += Rows, b += pair_columns) {
    PairVec row[Vectors];
#pragma GCC unroll 2
    for (int j = 0; j < Vectors; ++j) row[j] = load_pairs(b + j * lanes<float>);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
      for (int j = 0; j < Vectors; ++j) sums[i][j] = dot_pairs(sums[i][j], a[i], row[j]);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < Vectors; ++j) {
      float* c = to.sums + i * to.pitch + j * lanes<float>;
      store(c, to.accumulate ? sums[i][j] + load(c) : sums[i][j]);
    }
  }
}

using PairTile = void (*)(std::int64_t, const std::uint32_t*, const std::uint32_t*, const PairTarget&);

template <std::size_t... I>
FASTDL_INLINE PairTile pair_tile(int rows, int vectors, std::index_sequence<I...>) {
  static constexpr PairTile tiles[][2] = {{multiply_pair_tile<I + 1, 1>, multiply_pair_tile<I + 1, 2>}...};
  return tiles[rows - 1][vectors - 1];
}

// ---- the whole product

/// The sizes of a product, and how it is cut.
struct PairPlan {
  std::int64_t rows, columns, pairs;
  EvenCut tiles, depth;        // of the rows, and of the pairs
  EvenCut row_cut, panel_cut;  // chunks, in tiles and in panels
  std::int64_t splits;         // of the depth: partial sums in chunks of their own

  std::int64_t chunks() const { return splits * row_cut.pieces * panel_cut.pieces; }
  /// Where A's pairs from depth block `block`, tile `tile` on lie: (pairs of the block, rows of the tile).
  std::int64_t a_offset(std::int64_t block, std::int64_t tile) const {
    return depth.begin(block) * rows + depth.size(block) * tiles.begin(tile);
  }
  /// Whether chunks pack their share of A themselves: little is packed twice then, and nothing leaves the
  /// cache.
  bool local() const { return panel_cut.pieces <= 2; }
  /// Of A packed at once.
  std::int64_t a_size() const { return local() ? 0 : rows * pairs; }
  std::int64_t panels() const { return ceil_div(columns, pair_columns); }
  std::int64_t first_block(std::int64_t split) const { return split * depth.pieces / splits; }
};

/// `may_split` the depth, where there are too few other chunks.
inline PairPlan plan_pairs(std::int64_t rows, std::int64_t columns, std::int64_t pairs, bool may_split) {
  constexpr std::int64_t wanted_chunks = 16, chunk_work = 1 << 18, most_rows = 36 * pair_rows,
                         chunk_sums = 1 << 16, partial_sums = 1 << 21, fewest_tiles = 4;
  PairPlan plan{rows, columns, pairs, {rows, pair_rows}, {pairs, pair_depth}, {0, 1}, {0, 1}, 1};
  if (rows == 0 || columns == 0) return plan;
  const std::int64_t work = rows * columns * std::max<std::int64_t>(1, pairs);
  const std::int64_t chunks = std::clamp<std::int64_t>(work / chunk_work, 1, wanted_chunks);
  plan.row_cut = {plan.tiles.pieces, most_rows / pair_rows};
  plan.panel_cut = {plan.panels(),
                    std::clamp<std::int64_t>(chunk_sums / (std::min(rows, most_rows) * pair_columns), 4, 16)};
  const auto missing = [&] {
    return ceil_div(chunks, plan.row_cut.pieces * plan.panel_cut.pieces * plan.splits);
  };
  if (may_split)
    plan.splits = std::clamp<std::int64_t>(std::min(missing(), partial_sums / (rows * columns)), 1,
                                           std::max<std::int64_t>(1, plan.depth.pieces));
  // More chunks by fewer panels first: every cut of the rows packs the panels again.
  plan.panel_cut.pieces = std::min(plan.panels(), plan.panel_cut.pieces * missing());
  plan.row_cut.pieces = std::clamp(plan.row_cut.pieces * missing(), plan.row_cut.pieces,
                                   std::max(plan.row_cut.pieces, plan.tiles.pieces / fewest_tiles));
  return plan;
}

/// Packs A. pack(k, pairs, row, rows, pitch, to) as PairLines::pack has it.
template <class Pack>
void pack_rows(const PairPlan& plan, const Pack& pack, std::uint32_t* packed) {
  constexpr std::int64_t together = 8;  // tiles of a chunk
  const std::int64_t parts = ceil_div(plan.tiles.pieces, together);
  parallel_for(plan.depth.pieces * parts, [&](std::int64_t chunk) {
    const std::int64_t block = chunk / parts, first = chunk % parts * together;
    for (std::int64_t tile = first; tile < std::min(plan.tiles.pieces, first + together); ++tile)
      pack(plan.depth.begin(block), plan.depth.size(block), plan.tiles.begin(tile),
           static_cast<int>(plan.tiles.size(tile)), plan.tiles.size(tile),
           packed + plan.a_offset(block, tile));
  });
}

/// Sums of a chunk that are to be written: rows `row`, … and columns `column`, …, as (rows, pitch).
struct PairSums {
  std::int64_t split, row, rows, column;
  int columns;
  const float* values;
  std::int64_t pitch;
};

/// A chunk of multiply_pairs: its tiles, its panels, its blocks of the depth, and its memory.
struct PairChunk {
  std::int64_t split, tile, tile_end, panel, panel_end, block, block_end;

  PairChunk(const PairPlan& plan, std::int64_t chunk) {
    split = chunk % plan.splits, chunk /= plan.splits;
    const std::int64_t r = chunk % plan.row_cut.pieces, p = chunk / plan.row_cut.pieces;
    tile = plan.row_cut.begin(r), tile_end = plan.row_cut.begin(r + 1);
    panel = plan.panel_cut.begin(p), panel_end = plan.panel_cut.begin(p + 1);
    block = plan.first_block(split), block_end = plan.first_block(split + 1);
  }
};

struct PairMemory {
  std::int64_t rows, pitch;  // of the largest chunk's sums
  std::uint32_t *panel, *a;  // a packed panel of B, and a block of A
  float* sums;
  std::size_t bytes;

  PairMemory(const PairPlan& plan, void* memory) {
    rows = std::min(plan.rows, ceil_div(plan.row_cut.count, plan.row_cut.pieces) * pair_rows);
    pitch = ceil_div(plan.panel_cut.count, plan.panel_cut.pieces) * pair_columns;
    const std::int64_t depth = std::min(plan.pairs, pair_depth), a_size = plan.local() ? rows * depth : 0;
    panel = static_cast<std::uint32_t*>(memory);
    sums = reinterpret_cast<float*>(panel + depth * pair_columns);
    a = reinterpret_cast<std::uint32_t*>(sums + rows * pitch);
    bytes = static_cast<std::size_t>(depth * pair_columns + rows * pitch + a_size) * 4;
  }
};

/// Adds one block of the depth to the sums of a chunk, panel by panel, and calls done(panel) behind each. `a`
/// is the block of A from the chunk's first tile on.
template <class PackB, class Done>
FASTDL_INLINE void multiply_block(const PairPlan& plan, const PairChunk& chunk, std::int64_t block,
                                  const std::uint32_t* a, const PairMemory& memory, const PackB& pack_b,
                                  const Done& done) {
  const std::int64_t pairs = plan.depth.size(block), row = plan.tiles.begin(chunk.tile);
  for (std::int64_t p = chunk.panel; p < chunk.panel_end; ++p) {
    const std::int64_t column = p * pair_columns;
    const int count = static_cast<int>(std::min<std::int64_t>(pair_columns, plan.columns - column));
    float* const sums = memory.sums + (p - chunk.panel) * pair_columns;
    pack_b(plan.depth.begin(block), pairs, column, count, pair_columns, memory.panel);
    for (std::int64_t t = chunk.tile; t < chunk.tile_end; ++t) {
      const auto tile = pair_tile(static_cast<int>(plan.tiles.size(t)), count > lanes<float> ? 2 : 1,
                                  std::make_index_sequence<pair_rows>{});
      const std::int64_t first = plan.tiles.begin(t) - row;
      tile(pairs, a + pairs * first, memory.panel,
           {sums + first * memory.pitch, memory.pitch, block > chunk.block});
    }
    done(p);
  }
}

/// C = A B. pack_a(k, pairs, row, rows, pitch, to) and pack_b(k, pairs, column, columns, pitch, to) pack as
/// PairLines::pack does; write(sums) takes what became of a panel. Depth 0 gives zeros. `packed`: a_size().
template <class PackA, class PackB, class Write>
void multiply_pairs(const PairPlan& plan, const PackA& pack_a, const PackB& pack_b, const Write& write,
                    std::uint32_t* packed) {
  if (plan.rows == 0 || plan.columns == 0) return;
  if (!plan.local()) pack_rows(plan, pack_a, packed);
  const std::size_t bytes = PairMemory(plan, nullptr).bytes;
  parallel_for(plan.chunks(), [&](std::int64_t number) {
    const PairChunk chunk(plan, number);
    const Workspace workspace(bytes);
    const PairMemory memory(plan, workspace.data());
    const std::int64_t row = plan.tiles.begin(chunk.tile), rows = plan.tiles.begin(chunk.tile_end) - row;
    const auto finish = [&](std::int64_t p) {
      const std::int64_t column = p * pair_columns;
      write(PairSums{chunk.split, row, rows, column,
                     static_cast<int>(std::min<std::int64_t>(pair_columns, plan.columns - column)),
                     memory.sums + (p - chunk.panel) * pair_columns, memory.pitch});
    };
    if (chunk.block == chunk.block_end) {
      std::fill_n(memory.sums, rows * memory.pitch, 0.0f);
      for (std::int64_t p = chunk.panel; p < chunk.panel_end; ++p) finish(p);
    }
    for (std::int64_t block = chunk.block; block < chunk.block_end; ++block) {
      const std::int64_t pairs = plan.depth.size(block);
      for (std::int64_t t = chunk.tile; plan.local() && t < chunk.tile_end; ++t)
        pack_a(plan.depth.begin(block), pairs, plan.tiles.begin(t), static_cast<int>(plan.tiles.size(t)),
               plan.tiles.size(t), memory.a + pairs * (plan.tiles.begin(t) - row));
      multiply_block(plan, chunk, block, plan.local() ? memory.a : packed + plan.a_offset(block, chunk.tile),
                     memory, pack_b, [&](std::int64_t p) {
                       if (block + 1 == chunk.block_end) finish(p);
                     });
    }
  });
}

/// Two vectors of sums, rounded. The second is read only where `columns` reaches it.
FASTDL_INLINE WordVec rounded_sums(const float* values, int columns, float bias) {
  const Vec<float> low = load(values) + bias;
  return rounded_words(low, columns > lanes<float> ? load(values + lanes<float>) + bias : Vec<float>{});
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA

#endif  // FASTDL_SIMD_AVX512
