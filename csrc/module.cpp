#include <pybind11/pybind11.h>

#include "core/error.h"

namespace py = pybind11;

namespace fastdl {

void bind_runtime(py::module_& module);
#define FASTDL_OP(stem, Type) void bind_##stem(py::module_& module);
#include "ops/ops.inc"
#undef FASTDL_OP

}  // namespace fastdl

PYBIND11_MODULE(_core, module) {
  py::register_local_exception_translator([](std::exception_ptr error) {
    try {
      if (error) std::rethrow_exception(error);
    } catch (const fastdl::ValueError& e) {
      py::set_error(PyExc_ValueError, e.what());
    } catch (const fastdl::TypeError& e) {
      py::set_error(PyExc_TypeError, e.what());
    } catch (const fastdl::OutOfMemory& e) {
      py::set_error(PyExc_MemoryError, e.what());
    }
  });
  fastdl::bind_runtime(module);
#define FASTDL_OP(stem, Type) fastdl::bind_##stem(module);
#include "ops/ops.inc"
#undef FASTDL_OP
}
