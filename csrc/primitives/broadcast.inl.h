// A stretch of an array that is broadcast, as plain memory.
#pragma once

#include <algorithm>

#include "primitives/broadcast.h"

namespace fastdl::FASTDL_ISA {
namespace {

/// The elements [begin, end), end - begin <= capacity, of `values` (null: not given) read as `map` says:
/// where they lie if they are contiguous, otherwise copied.
template <class T, std::int64_t capacity>
class BroadcastBlock {
 public:
  BroadcastBlock(const Broadcast& map, const T* values, std::int64_t begin, std::int64_t end)
      : begin_(begin) {
    if (values == nullptr) return;
    if (map.axes == 1 && map.strides[0] == 1) {
      elements_ = values + begin;
    } else {
      copy(map, values, begin, end);
      elements_ = copy_;
    }
  }

  bool given() const { return elements_ != nullptr; }

  /// What a vector of for_each_vector has at i.
  template <class Vector>
  FASTDL_INLINE auto load(Vector vector, std::int64_t i) const {
    return vector.load(elements_ + (i - begin_));
  }

 private:
  void copy(const Broadcast& map, const T* values, std::int64_t begin, std::int64_t end) {
    const int inner = map.axes - 1;
    const std::int64_t row = inner < 0 ? 1 : map.extents[inner], step = inner < 0 ? 0 : map.strides[inner];
    std::int64_t index[Shape::max_dims], rest = begin / row, in_row = begin % row, offset = 0;
    for (int axis = inner - 1; axis >= 0; --axis) {
      index[axis] = rest % map.extents[axis];
      rest /= map.extents[axis];
      offset += index[axis] * map.strides[axis];
    }
    for (T* to = copy_; begin < end; in_row = 0) {
      const std::int64_t count = std::min(row - in_row, end - begin);
      for (std::int64_t i = 0; i < count; ++i) to[i] = values[offset + (in_row + i) * step];
      to += count;
      begin += count;
      for (int axis = inner - 1; axis >= 0; --axis) {
        offset += map.strides[axis];
        if (++index[axis] < map.extents[axis]) break;
        offset -= map.extents[axis] * map.strides[axis];
        index[axis] = 0;
      }
    }
  }

  T copy_[capacity];
  const T* elements_ = nullptr;
  std::int64_t begin_;
};

}  // namespace
}  // namespace fastdl::FASTDL_ISA
