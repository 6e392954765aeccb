#include <pybind11/stl.h>

#include <vector>

#include "backends/backends.h"
#include "core/array_bridge.h"
#include "core/check.h"
#include "core/error.h"
#include "ops/lstm/lstm.h"

namespace fastdl::lstm_bindings {
namespace {

struct Weights {
  ArrayView ih, hh, bias_ih, bias_hh;
};

/// The operands of one layer, of one direction or of two; or of a cell.
struct Operands {
  const char* op;
  ArrayView input, h_0, c_0;
  std::vector<Weights> weights;
  LstmParams params;

  Operands(bool cell, py::handle input_object, py::handle h_0_object, py::handle c_0_object,
           const py::tuple& arrays, bool has_biases, std::size_t directions)
      : op(cell ? "lstm_cell" : "lstm"),
        input(input_or_bfloat16_array(op, "input", input_object)),
        h_0(optional_or_bfloat16_array(op, "h_0", h_0_object)),
        c_0(optional_or_bfloat16_array(op, "c_0", c_0_object)) {
    const std::size_t each = has_biases ? 4 : 2;
    if (arrays.size() != directions * each)
      throw ValueError(concat("[", op, "] params: expected ", directions * each,
                              " arrays for each layer, got ", arrays.size()));
    for (std::size_t d = 0; d < directions; ++d)
      weights.push_back(
          {input_or_bfloat16_array(op, "weight_ih", arrays[d * each]),
           input_or_bfloat16_array(op, "weight_hh", arrays[d * each + 1]),
           has_biases ? optional_or_bfloat16_array(op, "bias_ih", arrays[d * each + 2]) : ArrayView(),
           has_biases ? optional_or_bfloat16_array(op, "bias_hh", arrays[d * each + 3]) : ArrayView()});
    const Shape& weight_hh = weights.front().hh.shape();
    params =
        cell ? lstm_cell_params(input.shape(), input.dtype(), weight_hh)
             : lstm_params(input.shape(), input.dtype(), weight_hh, static_cast<std::int64_t>(directions));
    for (const Weights& w : weights)
      check_lstm_weights(op, params, w.ih.shape(), w.ih.dtype(), w.hh.shape(), w.hh.dtype(),
                         w.bias_ih.shape_or_null(), w.bias_ih.dtype(), w.bias_hh.shape_or_null(),
                         w.bias_hh.dtype());
    for (const auto& [name, view] : {std::pair{"h_0", &h_0}, std::pair{"c_0", &c_0}}) {
      if (!*view) continue;
      check_same_dtype(op, name, view->dtype(), params.dtype);
      check_shape(op, name, view->shape(), state(), "input", input.shape());
    }
  }

  bool cell() const { return input.shape().size() == 2; }
  Shape state() const {
    return cell() ? Shape{params.N, params.H} : Shape{params.directions, params.N, params.H};
  }
  Shape output() const { return Shape{params.T, params.N, params.output_stride()}; }
  Shape reserve() const { return Shape{params.directions, params.T, params.N, params.reserve_row()}; }

  LstmParams direction(std::int64_t d) const {
    LstmParams one = params;
    one.reverse = d == 1;
    return one;
  }
  /// Direction `d`'s part of an array that has the directions outermost, `elements` for each.
  template <class Pointer>
  Pointer part(Pointer array, std::int64_t d, std::int64_t elements) const {
    return part(array, d, elements, params.dtype);
  }
  template <class Pointer>
  Pointer part(Pointer array, std::int64_t d, std::int64_t elements, DType dtype) const {
    using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const char, char>;
    return array == nullptr
               ? nullptr
               : static_cast<Byte*>(array) + d * elements * static_cast<std::int64_t>(item_size(dtype));
  }
  std::int64_t state_size() const { return params.N * params.H; }

  LstmInputs inputs(std::int64_t d) const {
    const Weights& w = weights[static_cast<std::size_t>(d)];
    return {input.data(),
            part(h_0.data(), d, state_size()),
            part(c_0.data(), d, state_size()),
            w.ih.data(),
            w.hh.data(),
            w.bias_ih.data(),
            w.bias_hh.data()};
  }
  LstmOutputs outputs(std::int64_t d, void* output, void* h_n, void* c_n, void* reserve_data) const {
    return {part(output, d, params.H), part(h_n, d, state_size()), part(c_n, d, state_size()),
            part(reserve_data, d, params.T * params.N * params.reserve_row(), params.reserve_dtype())};
  }
};

/// Runs `kernel` for each direction with one workspace.
template <class Kernel>
void run_directions(const Operands& operands, const BackendTable& backend,
                    std::size_t (*workspace_bytes)(const LstmParams&), const Kernel& kernel) {
  const Status status = run_kernel(workspace_bytes(operands.params), [&](const Launch& launch) {
    Status result;
    for (std::int64_t d = 0; d < operands.params.directions && result.code == Status::ok; ++d)
      result = kernel(launch, operands.direction(d), d);
    return result;
  });
  check_status(status, backend, operands.op);
}

void run_forward(const Operands& operands, void* output, void* h_n, void* c_n, void* reserve) {
  const BackendTable& backend = host_backend();
  check_kernel(backend.lstm.forward != nullptr, backend, operands.op);
  check_kernel_dtype(operands.params.dtype, backend, operands.op);
  run_directions(operands, backend, backend.lstm.forward_workspace_bytes,
                 [&](const Launch& launch, const LstmParams& params, std::int64_t d) {
                   return backend.lstm.forward(launch, params, operands.inputs(d),
                                               operands.outputs(d, output, h_n, c_n, reserve));
                 });
}

/// Gradients in the order of forward's arguments: input, h_0, c_0 and each of the weights; None where `needs`
/// is false.
py::tuple run_backward(const Operands& operands, const LstmOutputGradients& grads, void* output,
                       void* reserve, bool has_biases, const std::vector<bool>& needs) {
  const BackendTable& backend = host_backend();
  check_kernel(backend.lstm.backward != nullptr, backend, operands.op);
  check_kernel_dtype(operands.params.dtype, backend, operands.op);
  const LstmParams& p = operands.params;
  const std::size_t each = has_biases ? 4 : 2;
  py::list result;
  result.append(new_array_if(needs.at(0), operands.input.shape(), p.dtype));
  result.append(new_array_if(needs.at(1), operands.state(), p.dtype));
  result.append(new_array_if(needs.at(2), operands.state(), p.dtype));
  std::vector<LstmInputGradients> to;
  for (std::size_t d = 0; d < operands.weights.size(); ++d) {
    const std::size_t first = 3 + d * each;
    const auto at = static_cast<std::int64_t>(d);
    const py::object ih = new_array_if(needs.at(first), operands.weights[d].ih.shape(), p.dtype);
    const py::object hh = new_array_if(needs.at(first + 1), operands.weights[d].hh.shape(), p.dtype);
    const py::object bias_ih = new_array_if(has_biases && needs.at(first + 2), Shape{4 * p.H}, p.dtype);
    const py::object bias_hh = new_array_if(has_biases && needs.at(first + 3), Shape{4 * p.H}, p.dtype);
    result.append(ih);
    result.append(hh);
    if (has_biases) {
      result.append(bias_ih);
      result.append(bias_hh);
    }
    to.push_back({data(result[0]), operands.part(data(result[1]), at, operands.state_size()),
                  operands.part(data(result[2]), at, operands.state_size()), data(ih), data(hh),
                  data(bias_ih), data(bias_hh), d > 0});
  }
  run_directions(operands, backend, backend.lstm.backward_workspace_bytes,
                 [&](const Launch& launch, const LstmParams& params, std::int64_t d) {
                   const LstmOutputGradients part{operands.part(grads.output, d, p.H),
                                                  operands.part(grads.h_n, d, operands.state_size()),
                                                  operands.part(grads.c_n, d, operands.state_size())};
                   return backend.lstm.backward(launch, params, part, operands.inputs(d),
                                                operands.outputs(d, output, nullptr, nullptr, reserve),
                                                to[static_cast<std::size_t>(d)]);
                 });
  return py::tuple(result);
}

ArrayView optional_gradient(const char* op, const char* argument, py::handle object, const Shape& expected,
                            DType dtype) {
  return object.is_none() ? ArrayView() : gradient_array(op, argument, object, expected, dtype);
}

/// The last of the results, the reserve, is None unless it is wanted.
py::tuple forward(py::handle input, py::handle h_0, py::handle c_0, const py::tuple& weights, bool has_biases,
                  bool bidirectional, bool keep_reserve) {
  Operands operands(false, input, h_0, c_0, weights, has_biases, bidirectional ? 2 : 1);
  operands.params.keep_reserve = keep_reserve;
  const DType dtype = operands.params.dtype;
  py::array output = new_array(operands.output(), dtype);
  py::array h_n = new_array(operands.state(), dtype), c_n = new_array(operands.state(), dtype);
  const py::object reserve = new_array_if(keep_reserve, operands.reserve(), operands.params.reserve_dtype());
  run_forward(operands, data(output), data(h_n), data(c_n), data(reserve));
  return py::make_tuple(output, h_n, c_n, reserve);
}

py::tuple backward(py::handle grad_output, py::handle grad_h_n, py::handle grad_c_n, py::handle input,
                   py::handle h_0, py::handle c_0, const py::tuple& weights, bool has_biases,
                   bool bidirectional, py::handle output, py::handle reserve,
                   const std::vector<bool>& needs) {
  const Operands operands(false, input, h_0, c_0, weights, has_biases, bidirectional ? 2 : 1);
  const DType dtype = operands.params.dtype;
  const ArrayView grad = optional_gradient("lstm", "grad_output", grad_output, operands.output(), dtype);
  const ArrayView grad_h = optional_gradient("lstm", "grad_h_n", grad_h_n, operands.state(), dtype);
  const ArrayView grad_c = optional_gradient("lstm", "grad_c_n", grad_c_n, operands.state(), dtype);
  const ArrayView outputs = gradient_array("lstm", "output", output, operands.output(), dtype);
  const ArrayView saved =
      gradient_array("lstm", "reserve", reserve, operands.reserve(), operands.params.reserve_dtype());
  return run_backward(operands, {grad.data(), grad_h.data(), grad_c.data()}, outputs.data(), saved.data(),
                      has_biases, needs);
}

/// A cell's only step is its h.
py::tuple cell_forward(py::handle input, py::handle h_0, py::handle c_0, const py::tuple& weights,
                       bool keep_reserve) {
  Operands operands(true, input, h_0, c_0, weights, true, 1);
  operands.params.keep_reserve = keep_reserve;
  const DType dtype = operands.params.dtype;
  py::array h = new_array(operands.state(), dtype), c = new_array(operands.state(), dtype);
  const py::object reserve = new_array_if(keep_reserve, operands.reserve(), operands.params.reserve_dtype());
  run_forward(operands, data(h), nullptr, data(c), data(reserve));
  return py::make_tuple(h, c, reserve);
}

py::tuple cell_backward(py::handle grad_h, py::handle grad_c, py::handle input, py::handle h_0,
                        py::handle c_0, const py::tuple& weights, py::handle reserve,
                        const std::vector<bool>& needs) {
  const Operands operands(true, input, h_0, c_0, weights, true, 1);
  const DType dtype = operands.params.dtype;
  const ArrayView h = optional_gradient("lstm_cell", "grad_h", grad_h, operands.state(), dtype);
  const ArrayView c = optional_gradient("lstm_cell", "grad_c", grad_c, operands.state(), dtype);
  const ArrayView saved =
      gradient_array("lstm_cell", "reserve", reserve, operands.reserve(), operands.params.reserve_dtype());
  return run_backward(operands, {nullptr, h.data(), c.data()}, nullptr, saved.data(), true, needs);
}

}  // namespace
}  // namespace fastdl::lstm_bindings

namespace fastdl {
void bind_lstm(py::module_& module) {
  using namespace lstm_bindings;
  module.def("lstm_forward", &forward);
  module.def("lstm_backward", &backward);
  module.def("lstm_cell_forward", &cell_forward);
  module.def("lstm_cell_backward", &cell_backward);
}
}  // namespace fastdl
