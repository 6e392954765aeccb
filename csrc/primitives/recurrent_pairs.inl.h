// The step products of recurrent.inl.h on pairs of bfloat16, by AVX512_BF16: both sides hold two neighbours
// along the depth in an element of 32 bits.
#pragma once

#include "core/simd_bf16.h"
#include "primitives/bf16_product.inl.h"
#include "primitives/recurrent.inl.h"

#if FASTDL_SIMD_AVX512

namespace fastdl::FASTDL_ISA {
namespace {

/// multiply_rows of recurrent.inl.h; `depth` counts pairs.
template <int Rows, int Vectors>
__attribute__((noinline)) FASTDL_BF16_DOT void multiply_rows(std::int64_t depth, const std::uint32_t* a,
                                                             std::int64_t a_stride,
                                                             StepPanel<std::uint32_t> panel, bool accumulate,
                                                             const std::uint32_t* ahead, float* sums) {
  constexpr int sets = std::max(1, 8 / (Rows * Vectors)), n = lanes<float>, width = Vectors * n;
  Vec<float> partial[sets][Rows][Vectors] = {};
  std::int64_t k = 0;
  for (; k + sets <= depth; k += sets) {
#pragma GCC unroll 8
    for (int set = 0; set < sets; ++set) {
      const std::uint32_t* row = panel.elements + (k + set) * panel.row_stride;
      __builtin_prefetch(ahead + (k + set) * line<std::uint32_t>, 0, 2);
      PairVec vectors[Vectors];
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j) vectors[j] = load_pairs(row + j * n);
#pragma GCC unroll 16
      for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
        for (int j = 0; j < Vectors; ++j)
          partial[set][i][j] = dot_pairs(partial[set][i][j], a[i * a_stride + k + set], vectors[j]);
    }
  }
  for (; k < depth; ++k)
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < Vectors; ++j)
        partial[0][i][j] = dot_pairs(partial[0][i][j], a[i * a_stride + k],
                                     load_pairs(panel.elements + k * panel.row_stride + j * n));
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < Vectors; ++j) {
      Vec<float> sum = partial[0][i][j];
#pragma GCC unroll 8
      for (int set = 1; set < sets; ++set) sum += partial[set][i][j];
      float* const to = sums + i * width + j * n;
      store(to, accumulate ? Vec<float>(load(to) + sum) : sum);
    }
}

/// pack_step_columns of recurrent.inl.h, of a matrix of `depth` rows: its columns, or vector `v` of those
/// that a panel of StepMatrix<std::uint32_t, ...> holds, as lines.
inline void pack_step_pairs(const PairLines& lines, std::int64_t line, int count, std::int64_t width,
                            std::uint32_t* to) {
  constexpr std::int64_t block = 64;  // pairs at a time: what is written stays in the first-level cache
  for (std::int64_t k = 0; k < lines.pairs(); k += block) {
    const std::int64_t pairs = std::min(block, lines.pairs() - k);
    std::uint32_t* const at = to + k * width;
    if (count < lanes<float>)
      for (std::int64_t i = 0; i < pairs; ++i) store_pairs(at + i * width, PairVec{}, lanes<float>);
    if (count > 0) lines.pack(k, pairs, line, count, width, at);
  }
}

/// C (rows x columns) = A B: write(sums) takes what became of a panel, as of multiply_pairs.
template <class Write>
void multiply_pair_lines(std::int64_t rows, std::int64_t columns, const PairLines& a, const PairLines& b,
                         const Write& write) {
  const PairPlan plan = plan_pairs(rows, columns, a.pairs(), false);
  const Workspace packed(static_cast<std::size_t>(plan.a_size()) * sizeof(std::uint32_t));
  const auto pack_with = [](const PairLines& lines) {
    return [&lines](std::int64_t k, std::int64_t pairs, std::int64_t line, int count, std::int64_t pitch,
                    std::uint32_t* to) { lines.pack(k, pairs, line, count, pitch, to); };
  };
  multiply_pairs(plan, pack_with(a), pack_with(b), write, static_cast<std::uint32_t*>(packed.data()));
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA

#endif  // FASTDL_SIMD_AVX512
