// Loops over elements, a vector at a time. The last, partial vector runs through the same formula as the
// whole ones; where every product that is added is an explicit fma(), an element's bits do not depend on
// which of the two it was in.
#pragma once

#include "core/simd.h"

namespace fastdl::FASTDL_ISA {
namespace {

template <class T>
struct WholeVector {
  FASTDL_INLINE Vec<T> load(const T* p, T = 0) const { return FASTDL_ISA::load(p); }
  FASTDL_INLINE void store(T* p, Vec<T> v) const { FASTDL_ISA::store(p, v); }
  FASTDL_INLINE Vec<T> or_zero(Vec<T> v) const { return v; }
};

template <class T>
struct PartialVector {
  int count;

  /// The lanes beyond the end hold `fill`.
  FASTDL_INLINE Vec<T> load(const T* p, T fill = 0) const { return load_partial(p, count, fill); }
  FASTDL_INLINE void store(T* p, Vec<T> v) const { store_partial(p, v, count); }
  FASTDL_INLINE Vec<T> or_zero(Vec<T> v) const { return select(first_lanes<T>(count), v, Vec<T>{}); }
};

/// Calls body(vector, i) for i = begin, begin + lanes, ...; `vector` loads and stores what of [begin, end)
/// lies at i.
template <class T, class Body>
FASTDL_INLINE void for_each_vector(std::int64_t begin, std::int64_t end, const Body& body) {
  constexpr std::int64_t width = lanes<T>;
  for (; begin + width <= end; begin += width) body(WholeVector<T>{}, begin);
  if (begin < end) body(PartialVector<T>{static_cast<int>(end - begin)}, begin);
}

}  // namespace
}  // namespace fastdl::FASTDL_ISA
