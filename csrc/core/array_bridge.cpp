#include "core/array_bridge.h"

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
  npy_double = 12
};

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

py::array as_array(const char* op, const char* argument, py::handle object) {
  if (py::isinstance<py::array>(object)) return py::reinterpret_borrow<py::array>(object);
  if (py::hasattr(object, "__cuda_array_interface__") && !py::hasattr(object, "__array__"))
    throw ValueError(concat("[", op, "] ", argument, ": expected an array on the CPU, got a ",
                            type_name(object), " on a CUDA device, for which this build has no backend"));
  if (py::hasattr(object, "__array_interface__")) return numpy("asarray")(object);
  if (py::hasattr(object, "__dlpack__")) return numpy("from_dlpack")(object);
  refuse(op, argument, "an array", type_name(object));
}

DType dtype_of(const char* op, const char* argument, const py::array& array) {
  const py::dtype dtype = array.dtype();
  if (dtype.byteorder() == '>')
    refuse(op, argument, "native byte order", "byte-swapped " + std::string(py::str(dtype)));
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
  refuse(op, argument, "float32, float64, int64, int32, uint8 or bool", std::string(py::str(dtype)));
}

Shape shape_of(const py::array& array) {
  Shape shape;
  for (py::ssize_t i = 0; i < array.ndim(); ++i) shape.push_back(array.shape(i));
  return shape;
}

bool dense(const py::array& array) {
  constexpr int wanted = int{py::array::c_style} | int{py::detail::npy_api::NPY_ARRAY_ALIGNED_};
  return (array.flags() & wanted) == wanted;
}

ArrayView view_of(py::array array, DType dtype) {
  const Shape shape = shape_of(array);
  if (!dense(array)) {
    py::array copy = new_array(shape, dtype);
    numpy("copyto")(copy, array);
    array = std::move(copy);
  }
  void* elements = const_cast<void*>(array.data());
  return ArrayView(std::move(array), elements, dtype, shape);
}

}  // namespace

ArrayView input_array(const char* op, const char* argument, py::handle object) {
  py::array array = as_array(op, argument, object);
  const DType dtype = dtype_of(op, argument, array);
  return view_of(std::move(array), dtype);
}

ArrayView optional_array(const char* op, const char* argument, py::handle object) {
  return object.is_none() ? ArrayView() : input_array(op, argument, object);
}

ArrayView index_array(const char* op, const char* argument, py::handle object) {
  py::array array = as_array(op, argument, object);
  const char kind = array.dtype().kind();
  if (kind != 'i' && kind != 'u') refuse(op, argument, "integers", std::string(py::str(array.dtype())));
  if (array.dtype().itemsize() != 8 || array.dtype().byteorder() == '>')
    array = array.attr("astype")("int64");
  return view_of(std::move(array), DType::int64);
}

ArrayView index_or_input_array(const char* op, const char* argument, py::handle object) {
  const py::array array = as_array(op, argument, object);
  const char kind = array.dtype().kind();
  return kind == 'f' ? input_array(op, argument, array) : index_array(op, argument, array);
}

ArrayView gradient_array(const char* op, const char* argument, py::handle object, const Shape& expected,
                         DType dtype) {
  ArrayView view = input_array(op, argument, object);
  check_same_dtype(op, argument, view.dtype(), dtype);
  if (!(view.shape() == expected))
    throw ValueError(concat("[", op, "] ", argument, ": expected ", expected, ", got ", view.shape()));
  return view;
}

ArrayView inout_array(const char* op, const char* argument, py::handle object) {
  if (!py::isinstance<py::array>(object))
    refuse(op, argument, "a NumPy array to change in place", type_name(object));
  const auto array = py::reinterpret_borrow<py::array>(object);
  const DType dtype = dtype_of(op, argument, array);
  if (!array.writeable())
    throw ValueError(concat("[", op, "] ", argument, ": expected a writeable array, got a read-only one"));
  if (!dense(array))
    throw ValueError(
        concat("[", op, "] ", argument, ": expected a C-contiguous aligned array, got one that is not"));
  return view_of(array, dtype);
}

py::array new_array(const Shape& shape, DType dtype) {
  static constexpr const char* formats[] = {"f4", "f8", "i8", "?", "u1", "i4"};
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(shape.numel(), static_cast<std::int64_t>(item_size(dtype)), &bytes))
    throw OutOfMemory(concat("an array of shape ", shape, " does not fit into the address space"));
  void* memory = allocate(static_cast<std::size_t>(bytes));
  const py::capsule owner(memory, [](void* block) { deallocate(block); });
  return py::array(py::dtype(formats[static_cast<int>(dtype)]),
                   std::vector<py::ssize_t>(shape.begin(), shape.end()), memory, owner);
}

py::object new_array_if(bool wanted, const Shape& shape, DType dtype) {
  if (!wanted) return py::none();
  return new_array(shape, dtype);
}

void check_status(const Status& status, const Backend& backend, const char* op, const char* argument,
                  std::int64_t extent) {
  switch (status.code) {
    case Status::ok:
      return;
    case Status::bad_index:
      throw ValueError(concat("[", op, "] ", argument, ": expected indices in [0, ", extent, "), got ",
                              status.value, " at flat position ", status.position));
    case Status::launch_failed:
      throw std::runtime_error(concat("[", op, "] ", backend.last_error()));
  }
}

void check_kernel(bool present, const Backend& backend, const char* op) {
  if (!present)
    throw ValueError(concat("[", op, "] the ", backend.name, " backend has no kernel for this op"));
}

}  // namespace fastdl
