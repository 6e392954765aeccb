#pragma once

#include <cstdint>

#include "core/macros.h"

namespace fastdl {

/// Philox4x32-10, a counter-based generator of random bits: ten rounds make four random words of 32 bits from
/// the four of a counter, in place, under a key of two words that grow by `growth` from round to round.
/// J. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011.
///
/// A Word is an unsigned integer of 64 bits, or a vector of them, of which the lower half counts; the upper
/// half is arbitrary, before and after. multiply(word, m) is the 64-bit product of the lower halves.
struct Philox4x32 {
  static constexpr int rounds = 10;
  static constexpr std::uint32_t multipliers[2] = {0xD2511F53, 0xCD9E8D57};
  static constexpr std::uint32_t growth[2] = {0x9E3779B9, 0xBB67AE85};

  template <class Word, class Multiply>
  FASTDL_HOST_DEVICE static void round(Word (&x)[4], Word key0, Word key1, Multiply multiply) {
    const Word a = multiply(x[0], multipliers[0]), b = multiply(x[2], multipliers[1]);
    x[0] = (x[1] ^ key0) ^ (b >> 32);
    x[1] = b;
    x[2] = (x[3] ^ key1) ^ (a >> 32);
    x[3] = a;
  }
};

}  // namespace fastdl
