// Random words for arrays, by vectors.
#pragma once

#include "core/simd.h"
#include "primitives/philox.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// Elements that get their words together.
constexpr std::int64_t random_group = 64;

/// The words of elements [64 group, 64 group + 64): element j of the group has word j / 16 of the counter
/// 16 group + j % 16. So vectors of up to 16 words come out in order, at every ISA level. `offset` is the
/// upper half of the counters.
FASTDL_INLINE void random_words(std::uint64_t seed, std::uint64_t offset, std::int64_t group,
                                std::uint32_t (&words)[random_group]) {
  using V = UintVec<double>;
  constexpr int counters = 2 * lanes<double>;  // in one pass: the even ones in one vector, the odd in another
  const auto multiply = [](V word, std::uint32_t m) { return multiply_low_halves(word, V{} + m); };
  const V upper = V{} + offset;
  for (int c = 0; c < 16; c += counters) {
    const V first = bit_cast<V>(lane_index<double>()) * 2 + static_cast<std::uint64_t>(16 * group + c);
    V even[4] = {first, first >> 32, upper, upper >> 32};
    V odd[4] = {first + 1, first >> 32, upper, upper >> 32};
    V key0 = V{} + seed, key1 = V{} + (seed >> 32);
    for (int r = 0; r < Philox4x32::rounds; ++r) {
      Philox4x32::round(even, key0, key1, multiply);
      Philox4x32::round(odd, key0, key1, multiply);
      key0 += Philox4x32::growth[0];
      key1 += Philox4x32::growth[1];
    }
#pragma GCC unroll 4
    for (int w = 0; w < 4; ++w) {
      const V both = (even[w] & 0xFFFFFFFFu) | (odd[w] << 32);
      store(reinterpret_cast<double*>(words + 16 * w + c), bit_cast<Vec<double>>(both));
    }
  }
}

/// lanes<T> words, each in a lane of T's width.
template <class T>
FASTDL_INLINE UintVec<T> load_words(const std::uint32_t* words) {
  typedef std::uint32_t Words __attribute__((vector_size(4 * lanes<T>), aligned(4), may_alias));
  return __builtin_convertvector(*reinterpret_cast<const Words*>(words), UintVec<T>);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
