#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <sstream>
#include <string>

namespace fastdl {

/// The extents of an array, outermost first. Fixed capacity: making one never allocates.
class Shape {
 public:
  static constexpr int max_dims = 16;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) {
    for (const std::int64_t extent : extents) push_back(extent);
  }

  int size() const { return size_; }
  std::int64_t operator[](int i) const { return extents_[i]; }
  std::int64_t& operator[](int i) { return extents_[i]; }
  const std::int64_t* begin() const { return extents_.data(); }
  const std::int64_t* end() const { return extents_.data() + size_; }

  /// Throws ValueError beyond max_dims.
  void push_back(std::int64_t extent);

  /// Product of the extents; throws ValueError where it does not fit into 63 bits.
  std::int64_t numel() const;

  bool operator==(const Shape& other) const;

 private:
  std::array<std::int64_t, max_dims> extents_{};
  int size_ = 0;
};

/// `shape` behind one more outermost extent.
Shape with_batch(std::int64_t batch, const Shape& shape);

/// `shape` without its outermost extent.
Shape without_batch(const Shape& shape);

/// Distances in elements between neighbours along each axis of a C-ordered array.
Shape contiguous_strides(const Shape& shape);

/// Whether the first `axes` axes are one axis with one stride, as reshape without a copy needs it.
bool has_common_stride(const Shape& shape, const Shape& strides, int axes);

/// Prints as Python prints a tuple: (8, 3, 32, 32), (5,), ().
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// The parts of an error message, joined.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace fastdl
