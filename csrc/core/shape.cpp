#include "core/shape.h"

#include <algorithm>

#include "core/dtype.h"
#include "core/error.h"

namespace fastdl {

void Shape::push_back(std::int64_t extent) {
  if (size_ == max_dims)
    throw ValueError(concat("arrays of more than ", max_dims, " dimensions are not supported"));
  extents_[size_++] = extent;
}

std::int64_t Shape::numel() const {
  if (std::find(begin(), end(), 0) != end()) return 0;
  std::int64_t product = 1;
  for (const std::int64_t extent : *this) {
    if (__builtin_mul_overflow(product, extent, &product))
      throw ValueError(concat("an array of shape ", *this, " has more elements than fit into 63 bits"));
  }
  return product;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

Shape with_batch(std::int64_t batch, const Shape& shape) {
  Shape batched{batch};
  for (const std::int64_t extent : shape) batched.push_back(extent);
  return batched;
}

Shape without_batch(const Shape& shape) {
  Shape inner;
  for (int i = 1; i < shape.size(); ++i) inner.push_back(shape[i]);
  return inner;
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = shape;
  std::int64_t step = 1;
  for (int i = shape.size() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

bool has_common_stride(const Shape& shape, const Shape& strides, int axes) {
  std::int64_t expected = 0;
  bool innermost = true;
  for (int i = axes - 1; i >= 0; --i) {
    if (shape[i] == 1) continue;
    if (!innermost && strides[i] != expected) return false;
    innermost = false;
    expected = strides[i] * shape[i];
  }
  return true;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '(';
  for (int i = 0; i < shape.size(); ++i) out << (i ? ", " : "") << shape[i];
  return out << (shape.size() == 1 ? ",)" : ")");
}

const char* name(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::int64:
      return "int64";
    case DType::boolean:
      return "bool";
    case DType::uint8:
      return "uint8";
    case DType::int32:
      return "int32";
    case DType::bfloat16:
      return "bfloat16";
  }
  return "unknown";
}

}  // namespace fastdl
