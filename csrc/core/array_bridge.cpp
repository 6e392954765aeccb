#include "core/array_bridge.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <string>

#include "core/check.h"
#include "core/error.h"

namespace fastdl {
namespace {

// The numbers of NumPy's built-in types (NPY_TYPES in its C API).
enum : int {
  npy_bool = 0,
  npy_uint8 = 2,
  npy_int = 5,
  npy_long = 7,
  npy_longlong = 9,
  npy_float = 11,
  npy_double = 12,
  npy_first_user_type = 256
};

/// The number that NumPy gave ml_dtypes.bfloat16, once an array of it was seen; read and written under the
/// GIL.
int bfloat16_number = -1;

/// Whether a dtype is ml_dtypes.bfloat16. Who has no array of it need not have the package.
bool is_bfloat16(const py::dtype& dtype) {
  if (dtype.num() < npy_first_user_type) return false;
  if (dtype.num() == bfloat16_number) return true;
  const py::object scalar = dtype.attr("type");
  const auto says = [&](const char* attribute, const char* text) {
    return std::string(py::str(scalar.attr(attribute))) == text;
  };
  if (!says("__name__", "bfloat16") || !says("__module__", "ml_dtypes")) return false;
  bfloat16_number = dtype.num();
  return true;
}

py::object numpy(const char* attribute) {
  return py::module_::import("numpy").attr(attribute);
}

std::string type_name(py::handle object) {
  return py::str(py::type::of(object).attr("__name__"));
}

[[noreturn]] void refuse(const char* op, const char* argument, const std::string& expected,
                         const std::string& actual) {
  throw TypeError(concat("[", op, "] ", argument, ": expected ", expected, ", got ", actual));
}

/// What holds an object's memory: device types of dlpack.h.
enum : int {
  dlpack_cpu = 1,
  dlpack_cuda = 2,
  dlpack_cuda_host = 3,
  dlpack_rocm_host = 11,
  dlpack_managed = 13
};

int device_type(py::handle object) {
  if (py::hasattr(object, "__cuda_array_interface__")) return dlpack_cuda;
  if (!py::hasattr(object, "__dlpack_device__")) return dlpack_cpu;
  return py::int_(py::object(py::sequence(object.attr("__dlpack_device__")())[0])).cast<int>();
}

/// ValueError unless the CPU can read the memory as its own.
void check_device(const char* op, const char* argument, py::handle object) {
  switch (const int type = device_type(object)) {
    case dlpack_cpu:
    case dlpack_cuda_host:
    case dlpack_rocm_host:
    case dlpack_managed:
      return;
    default:
      throw ValueError(
          concat("[", op, "] ", argument, ": expected an array on the CPU, got a ", type_name(object), " on ",
                 type == dlpack_cuda ? "a CUDA device" : concat("a device of DLPack type ", type),
                 ", for which this build has no backend"));
  }
}

/// ValueError for memory that its owner does not give away, TypeError for dtypes that NumPy has not.
py::array from_dlpack(const char* op, const char* argument, py::handle object) {
  try {
    return numpy("from_dlpack")(object);
  } catch (py::error_already_set& error) {
    const bool no_export = error.matches(PyExc_BufferError);
    if (!no_export && !error.matches(PyExc_RuntimeError) && !error.matches(PyExc_TypeError)) throw;
    const std::string message =
        concat("[", op, "] ", argument, ": expected an array that NumPy can read, got a ", type_name(object),
               " of which DLPack says: ", std::string(py::str(error.value())));
    if (no_export) throw ValueError(message);
    throw TypeError(message);
  }
}

Shape shape_of(const py::array& array) {
  Shape shape;
  for (py::ssize_t i = 0; i < array.ndim(); ++i) shape.push_back(array.shape(i));
  return shape;
}

Shape strides_of(const py::array& array) {
  Shape strides;
  for (py::ssize_t i = 0; i < array.ndim(); ++i) strides.push_back(array.strides(i));
  return strides;
}

/// TypeError for numpy.ma's arrays, whose mask no op looks at.
void check_unmasked(const char* op, const char* argument, py::handle array) {
  const bool plain = Py_TYPE(array.ptr()) == py::detail::npy_api::get().PyArray_Type_;
  if (!plain && py::hasattr(array, "mask") && py::hasattr(array, "fill_value"))
    refuse(op, argument, "an array without a mask", type_name(array));
}

/// ValueError where elements may share memory, so that each would be changed more than once. An axis must
/// step over all that the axes of smaller steps reach.
void check_no_overlap(const char* op, const char* argument, const py::array& array) {
  const Shape shape = shape_of(array), strides = strides_of(array);
  std::array<std::pair<std::int64_t, std::int64_t>, Shape::max_dims> axes;  // step and number of steps
  std::size_t count = 0;
  for (int i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return;
    if (shape[i] > 1) axes[count++] = {std::abs(strides[i]), shape[i] - 1};
  }
  std::sort(axes.begin(), axes.begin() + count);
  std::int64_t reach = array.itemsize();
  for (std::size_t i = 0; i < count; ++i) {
    if (axes[i].first < reach)
      throw ValueError(concat("[", op, "] ", argument,
                              ": expected elements that share no memory to change in place, got strides of ",
                              strides, " bytes for shape ", shape));
    reach += axes[i].first * axes[i].second;
  }
}

py::array writeable_array(const char* op, const char* argument, py::handle object) {
  if (!py::isinstance<py::array>(object))
    refuse(op, argument, "a NumPy array to change in place", type_name(object));
  auto array = py::reinterpret_borrow<py::array>(object);
  if (!array.writeable())
    throw ValueError(concat("[", op, "] ", argument, ": expected a writeable array, got a read-only one"));
  check_unmasked(op, argument, object);
  check_no_overlap(op, argument, array);
  return array;
}

void check_byte_order(const char* op, const char* argument, const py::dtype& dtype) {
  if (dtype.byteorder() == '>')
    refuse(op, argument, "native byte order", "byte-swapped " + std::string(py::str(dtype)));
}

DType dtype_of(const char* op, const char* argument, const py::array& array,
               const char* expected = floating_dtypes, bool with_bfloat16 = false) {
  return known_dtype(op, argument, array.dtype(), expected, with_bfloat16);
}

bool aligned(const py::array& array) {
  return (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0;
}

bool c_contiguous(const py::array& array) {
  return aligned(array) && (array.flags() & py::array::c_style) != 0;
}

/// The strides that make a block of `array`'s elements with the axes in the order that they have now.
/// Elements that are repeated (stride 0) leave no order: C order then.
Shape dense_strides(const py::array& array) {
  const int ndim = static_cast<int>(array.ndim());
  std::array<int, Shape::max_dims> order;  // of the axes, the outermost in memory first
  std::iota(order.begin(), order.end(), 0);
  bool repeated = false;
  for (int i = 0; i < ndim; ++i) repeated |= array.strides(i) == 0 && array.shape(i) > 1;
  if (!repeated)
    std::stable_sort(order.begin(), order.begin() + ndim,
                     [&](int a, int b) { return std::abs(array.strides(a)) > std::abs(array.strides(b)); });
  Shape strides = shape_of(array);
  std::int64_t stride = array.itemsize();
  for (int i = ndim - 1; i >= 0; --i) {
    strides[order[i]] = stride;
    stride *= std::max<std::int64_t>(array.shape(order[i]), 1);
  }
  return strides;
}

/// Whether the strides say the same: those of axes with a single element say nothing.
bool same_layout(const py::array& array, const Shape& strides) {
  for (int i = 0; i < strides.size(); ++i)
    if (array.shape(i) != 1 && array.strides(i) != strides[i]) return false;
  return true;
}

/// NumPy's number of a dtype.
int type_number(DType dtype) {
  static constexpr int numbers[] = {npy_float, npy_double, sizeof(long) == 8 ? npy_long : npy_longlong,
                                    npy_bool,  npy_uint8,  npy_int};
  return dtype == DType::bfloat16 ? bfloat16_number : numbers[static_cast<int>(dtype)];
}

/// Straight to NumPy's C API: pybind11's way there, over format strings and vectors, takes twice the time.
py::array new_array(const Shape& shape, const Shape* strides, DType dtype) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(shape.numel(), static_cast<std::int64_t>(item_size(dtype)), &bytes))
    throw OutOfMemory(concat("an array of shape ", shape, " does not fit into the address space"));
  std::unique_ptr<void, decltype(&deallocate)> memory(allocate(static_cast<std::size_t>(bytes)), &deallocate);
  py::capsule owner(memory.get(), [](void* block) { deallocate(block); });
  void* const elements = memory.release();
  py::ssize_t extents[Shape::max_dims], steps[Shape::max_dims];
  std::copy(shape.begin(), shape.end(), extents);
  if (strides != nullptr) std::copy(strides->begin(), strides->end(), steps);
  const auto& api = py::detail::npy_api::get();
  auto array = py::reinterpret_steal<py::object>(api.PyArray_NewFromDescr_(
      api.PyArray_Type_, api.PyArray_DescrFromType_(type_number(dtype)), shape.size(), extents,
      strides != nullptr ? steps : nullptr, elements, py::detail::npy_api::NPY_ARRAY_WRITEABLE_, nullptr));
  if (!array || api.PyArray_SetBaseObject_(array.ptr(), owner.release().ptr()) < 0)
    throw py::error_already_set();
  return py::reinterpret_steal<py::array>(array.release());
}

Shape byte_strides(const Shape& shape, DType dtype, MemoryFormat format) {
  Shape strides = format_strides(shape, format);
  for (int i = 0; i < strides.size(); ++i) strides[i] *= static_cast<std::int64_t>(item_size(dtype));
  return strides;
}

DenseView copied(const py::array& array, DType dtype, const Shape& strides) {
  const Shape shape = shape_of(array);
  py::array copy = new_array(shape, &strides, dtype);
  numpy("copyto")(copy, array);
  void* elements = copy.mutable_data();
  return DenseView(std::move(copy), elements, dtype, shape, strides);
}

ArrayView view_of(py::array array, DType dtype) {
  const Shape shape = shape_of(array);
  if (!c_contiguous(array)) {
    py::array copy = new_array(shape, nullptr, dtype);
    numpy("copyto")(copy, array);
    array = std::move(copy);
  }
  void* elements = const_cast<void*>(array.data());
  return ArrayView(std::move(array), elements, dtype, shape);
}

ArrayView view_of(py::array array, DType dtype, MemoryFormat format) {
  if (format == MemoryFormat::contiguous) return view_of(std::move(array), dtype);
  const Shape shape = shape_of(array), strides = byte_strides(shape, dtype, format);
  if (!aligned(array) || !same_layout(array, strides)) return copied(array, dtype, strides);
  void* elements = const_cast<void*>(array.data());
  return ArrayView(std::move(array), elements, dtype, shape);
}

MemoryFormat format_of(const py::array& array) {
  return array.ndim() == 4 ? suggested_format(shape_of(array), strides_of(array)) : MemoryFormat::contiguous;
}

StridedView in_c_order(ArrayView view) {
  const Shape strides = contiguous_strides(view.shape());
  return StridedView(std::move(view), strides);
}

}  // namespace

DType known_dtype(const char* op, const char* argument, const py::dtype& dtype, const char* expected,
                  bool with_bfloat16) {
  check_byte_order(op, argument, dtype);
  if (with_bfloat16 && is_bfloat16(dtype)) return DType::bfloat16;
  switch (dtype.num()) {
    case npy_float:
      return DType::float32;
    case npy_double:
      return DType::float64;
    case npy_bool:
      return DType::boolean;
    case npy_uint8:
      return DType::uint8;
    case npy_int:
      return DType::int32;
    case npy_long:
    case npy_longlong:
      if (dtype.itemsize() == 8) return DType::int64;
  }
  refuse(op, argument, expected, std::string(py::str(dtype)));
}

py::array as_array(const char* op, const char* argument, py::handle object) {
  if (py::isinstance<py::array>(object)) {
    check_unmasked(op, argument, object);
    return py::reinterpret_borrow<py::array>(object);
  }
  check_device(op, argument, object);
  if (py::hasattr(object, "__array_interface__")) return numpy("asarray")(object);
  if (py::hasattr(object, "__dlpack__")) return from_dlpack(op, argument, object);
  refuse(op, argument, "an array", type_name(object));
}

StridedView StridedView::contiguous() const {
  return in_c_order(view_of(py::reinterpret_borrow<py::array>(owner()), dtype()));
}

StridedView strided_array(const char* op, const char* argument, py::handle object) {
  py::array array = as_array(op, argument, object);
  const DType dtype = dtype_of(op, argument, array);
  Shape strides = strides_of(array);
  bool whole = aligned(array);
  for (int i = 0; i < strides.size(); ++i) {
    whole = whole && strides[i] % array.itemsize() == 0;
    strides[i] /= array.itemsize();
  }
  if (!whole) return in_c_order(view_of(std::move(array), dtype));
  void* elements = const_cast<void*>(array.data());
  const Shape shape = shape_of(array);
  return StridedView(ArrayView(std::move(array), elements, dtype, shape), strides);
}

ArrayView input_array(const char* op, const char* argument, py::handle object, const char* expected) {
  py::array array = as_array(op, argument, object);
  const DType dtype = dtype_of(op, argument, array, expected);
  return view_of(std::move(array), dtype);
}

ArrayView input_or_bfloat16_array(const char* op, const char* argument, py::handle object) {
  py::array array = as_array(op, argument, object);
  const DType dtype = dtype_of(op, argument, array, floating_dtypes_or_bfloat16, true);
  return view_of(std::move(array), dtype);
}

MemoryFormat image_format(const char* op, const char* argument, py::handle object) {
  return format_of(as_array(op, argument, object));
}

MemoryFormat joint_format(const char* op, const char* argument, py::handle object, const char* other_argument,
                          py::handle other) {
  const MemoryFormat format = image_format(op, argument, object);
  return format == MemoryFormat::channels_last ? format : image_format(op, other_argument, other);
}

MemoryFormat gradient_format(const char* op, const char* argument, py::handle object,
                             const std::vector<std::int64_t>& extents, const InputStrides& strides) {
  if (!strides) return image_format(op, argument, object);
  if (extents.size() != 4 || strides->size() != 4) return MemoryFormat::contiguous;
  const auto shape_from = [](const std::vector<std::int64_t>& v) { return Shape{v[0], v[1], v[2], v[3]}; };
  return suggested_format(shape_from(extents), shape_from(*strides));
}

ImageView image_array(const char* op, const char* argument, py::handle object) {
  const py::array array = as_array(op, argument, object);
  return image_array(op, argument, array, format_of(array));
}

ImageView image_array(const char* op, const char* argument, py::handle object, MemoryFormat format) {
  py::array array = as_array(op, argument, object);
  const DType dtype = dtype_of(op, argument, array);
  if (array.ndim() != 4) format = MemoryFormat::contiguous;
  return ImageView(view_of(std::move(array), dtype, format), format);
}

ImageView image_or_bfloat16_array(const char* op, const char* argument, py::handle object,
                                  MemoryFormat format) {
  const py::array array = as_array(op, argument, object);
  if (format == MemoryFormat::contiguous || is_bfloat16(array.dtype()))
    return ImageView(input_or_bfloat16_array(op, argument, array), MemoryFormat::contiguous);
  return image_array(op, argument, array, format);
}

ArrayView optional_array(const char* op, const char* argument, py::handle object) {
  return object.is_none() ? ArrayView() : input_array(op, argument, object);
}

ArrayView optional_or_bfloat16_array(const char* op, const char* argument, py::handle object) {
  return object.is_none() ? ArrayView() : input_or_bfloat16_array(op, argument, object);
}

DenseView dense_array(const char* op, const char* argument, py::handle object) {
  py::array array = as_array(op, argument, object);
  const DType dtype = dtype_of(op, argument, array);
  const Shape shape = shape_of(array);
  if (!c_contiguous(array)) {
    const Shape strides = dense_strides(array);
    if (!aligned(array) || !same_layout(array, strides)) return copied(array, dtype, strides);
  }
  const Shape strides = strides_of(array);
  void* elements = const_cast<void*>(array.data());
  return DenseView(std::move(array), elements, dtype, shape, strides);
}

DenseView dense_array_like(const char* op, const char* argument, py::handle object, const DenseView& like) {
  py::array array = as_array(op, argument, object);
  const DType dtype = dtype_of(op, argument, array);
  check_same_dtype(op, argument, dtype, like.dtype());
  if (!(shape_of(array) == like.shape()))
    throw ValueError(concat("[", op, "] ", argument, ": expected ", like.shape(), ", got ", shape_of(array)));
  if (!aligned(array) || !same_layout(array, like.strides())) return copied(array, dtype, like.strides());
  void* elements = const_cast<void*>(array.data());
  return DenseView(std::move(array), elements, dtype, like.shape(), like.strides());
}

ArrayView index_array(const char* op, const char* argument, py::handle object, MemoryFormat format) {
  py::array array = as_array(op, argument, object);
  const char kind = array.dtype().kind();
  if (kind != 'i' && kind != 'u') refuse(op, argument, "integers", std::string(py::str(array.dtype())));
  check_byte_order(op, argument, array.dtype());
  if (array.dtype().itemsize() != 8) array = array.attr("astype")("int64");
  if (array.ndim() != 4) format = MemoryFormat::contiguous;
  return view_of(std::move(array), DType::int64, format);
}

ArrayView index_or_input_array(const char* op, const char* argument, py::handle object) {
  const py::array array = as_array(op, argument, object);
  const char kind = array.dtype().kind();
  return kind == 'f' ? input_array(op, argument, array) : index_array(op, argument, array);
}

ArrayView gradient_array(const char* op, const char* argument, py::handle object, const Shape& expected,
                         DType dtype, MemoryFormat format) {
  py::array array = as_array(op, argument, object);
  const bool bfloat16 = dtype == DType::bfloat16;
  const DType found =
      dtype_of(op, argument, array, bfloat16 ? floating_dtypes_or_bfloat16 : floating_dtypes, bfloat16);
  check_same_dtype(op, argument, found, dtype);
  if (array.ndim() != 4) format = MemoryFormat::contiguous;
  ArrayView view = view_of(std::move(array), found, format);
  if (!(view.shape() == expected))
    throw ValueError(concat("[", op, "] ", argument, ": expected ", expected, ", got ", view.shape()));
  return view;
}

ArrayView inout_array(const char* op, const char* argument, py::handle object) {
  const py::array array = writeable_array(op, argument, object);
  const DType dtype = dtype_of(op, argument, array);
  if (!c_contiguous(array))
    throw ValueError(
        concat("[", op, "] ", argument, ": expected a C-contiguous aligned array, got one that is not"));
  return view_of(array, dtype);
}

py::array new_array(const Shape& shape, DType dtype, MemoryFormat format) {
  if (format == MemoryFormat::contiguous) return new_array(shape, nullptr, dtype);
  const Shape strides = byte_strides(shape, dtype, format);
  return new_array(shape, &strides, dtype);
}

py::array new_array_like(const DenseView& like) {
  return new_array(like.shape(), &like.strides(), like.dtype());
}

py::object new_array_if(bool wanted, const Shape& shape, DType dtype, MemoryFormat format) {
  if (!wanted) return py::none();
  return new_array(shape, dtype, format);
}

ElementwiseResult::ElementwiseResult(const char* op, const char* argument, py::handle operand,
                                     const DenseView& view, bool in_place)
    : view_(view),
      array_(in_place ? writeable_array(op, argument, operand) : new_array_like(view)),
      data_(in_place ? view.data() : array_.mutable_data()) {}

py::array ElementwiseResult::finish() const {
  if (array_.data() != data_) numpy("copyto")(array_, view_.owner());
  return array_;
}

void check_status(const Status& status, const Backend& backend, const char* op, const char* argument,
                  std::int64_t extent) {
  switch (status.code) {
    case Status::ok:
      return;
    case Status::bad_index:
      throw ValueError(concat("[", op, "] ", argument, ": expected indices in [0, ", extent, "), got ",
                              status.value, " at flat position ", status.position));
    case Status::bad_probability:
      throw ValueError(concat("[", op, "] ", argument, ": expected values in [0, 1], got ", status.number,
                              " at flat position ", status.position));
    case Status::launch_failed:
      throw std::runtime_error(concat("[", op, "] ", backend.last_error()));
  }
}

void check_kernel(bool present, const Backend& backend, const char* op) {
  if (!present)
    throw ValueError(concat("[", op, "] the ", backend.name, " backend has no kernel for this op"));
}

void check_kernel_dtype(DType dtype, const Backend& backend, const char* op) {
  if (dtype == DType::bfloat16 && std::string(backend.name) != "cpu")
    throw TypeError(concat("[", op, "] the ", backend.name, " backend has no kernel for bfloat16"));
}

}  // namespace fastdl
