#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/allocator.h"
#include "core/backend.h"
#include "core/dtype.h"
#include "core/gil.h"
#include "core/memory_format.h"
#include "core/shape.h"

namespace fastdl {

namespace py = pybind11;

/// A C-contiguous, aligned view of a Python array, and the reference that keeps it alive. Where the caller's
/// array is not contiguous, the view is of a copy of the same dtype.
class ArrayView {
 public:
  ArrayView() = default;
  ArrayView(py::object owner, void* data, DType dtype, const Shape& shape)
      : owner_(std::move(owner)), data_(data), dtype_(dtype), shape_(shape) {}

  explicit operator bool() const { return static_cast<bool>(owner_); }
  void* data() const { return data_; }
  const py::object& owner() const { return owner_; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  /// Null where the view stands for an argument that was not given.
  const Shape* shape_or_null() const { return *this ? &shape_ : nullptr; }

 private:
  py::object owner_;
  void* data_ = nullptr;
  DType dtype_ = DType::float32;
  Shape shape_;
};

/// An aligned view of an array whose elements fill one block of memory, with the axes in any order there: C
/// order, channels_last, transposed. Elementwise ops go through the block from end to end.
class DenseView : public ArrayView {
 public:
  DenseView(py::object owner, void* data, DType dtype, const Shape& shape, const Shape& strides)
      : ArrayView(std::move(owner), data, dtype, shape), strides_(strides) {}

  /// In bytes.
  const Shape& strides() const { return strides_; }

 private:
  Shape strides_;
};

/// An aligned view of a Python array with whatever strides it has: negative ones, and 0 where broadcast.
class StridedView : public ArrayView {
 public:
  StridedView(ArrayView view, const Shape& strides) : ArrayView(std::move(view)), strides_(strides) {}

  /// In elements.
  const Shape& strides() const { return strides_; }

  /// The same elements in C order, copied where they are not.
  StridedView contiguous() const;

 private:
  Shape strides_;
};

/// An aligned, dense view of an image operand in the memory format that its strides tell.
class ImageView : public ArrayView {
 public:
  ImageView(ArrayView view, MemoryFormat format) : ArrayView(std::move(view)), format_(format) {}

  MemoryFormat format() const { return format_; }

 private:
  MemoryFormat format_;
};

/// The object itself, or the NumPy array that an object with __array_interface__ or CPU DLPack is a view of.
/// TypeError for objects that are no arrays, and for masked ones; ValueError for arrays on another device.
py::array as_array(const char* op, const char* argument, py::handle object);

/// What most ops take, in the words of their errors.
inline constexpr const char* floating_dtypes = "float32 or float64";

/// The same for the ops that take bfloat16 too.
inline constexpr const char* floating_dtypes_or_bfloat16 = "float32, float64 or bfloat16";

/// TypeError for byte-swapped, object and other unknown dtypes, which says what is `expected`. bfloat16, that
/// of ml_dtypes, is known only where `with_bfloat16`.
DType known_dtype(const char* op, const char* argument, const py::dtype& dtype, const char* expected,
                  bool with_bfloat16 = false);

/// An operand to read, as as_array takes it. TypeError also for byte-swapped, object and other unknown
/// dtypes, which says what is `expected`.
ArrayView input_array(const char* op, const char* argument, py::handle object,
                      const char* expected = floating_dtypes);

/// The same for an operand that may be bfloat16.
ArrayView input_or_bfloat16_array(const char* op, const char* argument, py::handle object);

/// The same for an operand whose kernels take channels_last too: a copy only where the array is not dense in
/// the format that it has, or is to have.
ImageView image_array(const char* op, const char* argument, py::handle object);
ImageView image_array(const char* op, const char* argument, py::handle object, MemoryFormat format);

/// The same for an operand that may be bfloat16, which comes contiguous: its kernels take no other format.
ImageView image_or_bfloat16_array(const char* op, const char* argument, py::handle object,
                                  MemoryFormat format);

/// The format that image_array would tell.
MemoryFormat image_format(const char* op, const char* argument, py::handle object);

/// As PyTorch's convolutions: channels_last where one of two operands is.
MemoryFormat joint_format(const char* op, const char* argument, py::handle object, const char* other_argument,
                          py::handle other);

/// The strides of a forward's input, in any unit, where they are known.
using InputStrides = std::optional<std::vector<std::int64_t>>;

/// The format of an input's gradient: what the input's extents and strides tell, or else those of `argument`.
MemoryFormat gradient_format(const char* op, const char* argument, py::handle object,
                             const std::vector<std::int64_t>& extents, const InputStrides& strides);

/// input_array's, or an empty view for None.
ArrayView optional_array(const char* op, const char* argument, py::handle object);

/// input_or_bfloat16_array's, or an empty view for None.
ArrayView optional_or_bfloat16_array(const char* op, const char* argument, py::handle object);

/// An operand as input_array takes it, with its own strides. A copy only where it is misaligned.
StridedView strided_array(const char* op, const char* argument, py::handle object);

/// An operand of an elementwise op. Where its elements do not fill one block of memory, the view is of a copy
/// with the axes in the same order.
DenseView dense_array(const char* op, const char* argument, py::handle object);

/// An operand that must have the shape and dtype of `like`, and its order in memory: a copy where it has not.
DenseView dense_array_like(const char* op, const char* argument, py::handle object, const DenseView& like);

/// Integers of any width, as int64. TypeError for byte-swapped ones.
ArrayView index_array(const char* op, const char* argument, py::handle object,
                      MemoryFormat format = MemoryFormat::contiguous);

/// Integers as index_array, floating dtypes as input_array: targets that may be classes or probabilities.
ArrayView index_or_input_array(const char* op, const char* argument, py::handle object);

/// An operand of backward, whose shape and dtype follow from the forward's operands.
ArrayView gradient_array(const char* op, const char* argument, py::handle object, const Shape& expected,
                         DType dtype, MemoryFormat format = MemoryFormat::contiguous);

/// An operand to change in place: must be a writeable, aligned, C-contiguous NumPy array.
ArrayView inout_array(const char* op, const char* argument, py::handle object);

/// A new uninitialised array on the library's own memory.
py::array new_array(const Shape& shape, DType dtype, MemoryFormat format = MemoryFormat::contiguous);

/// The same where `wanted`, else None: for gradients that nobody asked for.
py::object new_array_if(bool wanted, const Shape& shape, DType dtype,
                        MemoryFormat format = MemoryFormat::contiguous);

/// A new uninitialised array with the shape, dtype and strides of `like`.
py::array new_array_like(const DenseView& like);

/// Where an elementwise op puts its result: into a new array laid out as its operand, or over the operand.
class ElementwiseResult {
 public:
  /// `view` is dense_array's of `operand`, and must outlive this. Over the operand: TypeError unless that is
  /// a NumPy array, ValueError where it is read-only or where its elements may share memory.
  ElementwiseResult(const char* op, const char* argument, py::handle operand, const DenseView& view,
                    bool in_place);

  void* data() const { return data_; }

  /// The result, once the kernel has run; copies it to an operand that is no block of memory.
  py::array finish() const;

 private:
  const DenseView& view_;
  py::array array_;
  void* data_;
};

/// Where an output's elements are; null for None.
inline void* data(const py::object& array) {
  return array.is_none() ? nullptr : py::detail::array_proxy(array.ptr())->data;
}

/// Throws the Python exception for a kernel that failed; bad_index speaks of `argument` and [0, extent).
void check_status(const Status& status, const Backend& backend, const char* op, const char* argument = "",
                  std::int64_t extent = 0);

/// Throws ValueError where the backend has no such kernel.
void check_kernel(bool present, const Backend& backend, const char* op);

/// Throws TypeError for bfloat16 on a backend other than the CPU's.
void check_kernel_dtype(DType dtype, const Backend& backend, const char* op);

/// Releases the GIL, gives `run` a workspace of `workspace_bytes` (null for none), and answers what it
/// answers.
template <class Run>
Status run_kernel(std::size_t workspace_bytes, Run&& run) {
  const GilRelease released;
  Launch launch;
  if (workspace_bytes == 0) return run(launch);
  const Workspace workspace(workspace_bytes);
  launch.workspace = workspace.data();
  return run(launch);
}

}  // namespace fastdl

namespace pybind11::detail {

/// Pairs come as tuples of two ints, which pybind11's caster for any sequence of anything is slow to read.
template <>
struct type_caster<std::array<std::int64_t, 2>> {
  using Pair = std::array<std::int64_t, 2>;
  PYBIND11_TYPE_CASTER(Pair, const_name("tuple[int, int]"));

  bool load(handle source, bool) {
    if (!PyTuple_Check(source.ptr()) || PyTuple_GET_SIZE(source.ptr()) != 2) return false;
    for (int i = 0; i < 2; ++i) {
      PyObject* const item = PyTuple_GET_ITEM(source.ptr(), i);
      int overflow = 0;
      if (!PyLong_Check(item)) return false;
      value[static_cast<std::size_t>(i)] = PyLong_AsLongLongAndOverflow(item, &overflow);
      if (overflow != 0) return false;
    }
    return true;
  }
};

}  // namespace pybind11::detail
