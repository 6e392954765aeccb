// The backward pass of a layer in one direction.
#pragma once

#include "ops/lstm/lstm_steps.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

inline constexpr int lstm_grad_vectors = 2;

template <class T>
using LstmBackwardMatrix = StepMatrix<T, lstm_grad_vectors>;

/// How the gradients of the states are made, by shape alone.
struct LstmBackwardDesign {
  bool in_place;  // weight_hh as it lies, which is slow to read, where there are too few steps to repay
                  // packing
  bool fused;     // the gradient of the input comes out of a step's product

  explicit LstmBackwardDesign(const LstmParams& p)
      : in_place(p.N <= 4 && p.T <= 4), fused(!in_place && lstm_fuses_input(p)) {}
};

template <class T>
struct LstmBackwardScratch {
  LstmBackwardMatrix<T> hidden;  // weight_hh; in place: its last panel alone
  LstmBackwardMatrix<T> input;   // weight_ih, where it is fused
  T* grad_sums;                  // (T, N) rows of 4 H, grad_stride apart: the gradients before activation
  std::int64_t grad_stride;      // no power of two, which would put a tile's rows into one set of a cache
  T* grad_cell;                  // (N, H)

  LstmBackwardScratch(const LstmParams& p, LstmScratch& scratch) {
    using Matrix = LstmBackwardMatrix<T>;
    const LstmBackwardDesign design(p);
    const std::int64_t depth = 4 * p.H, rows = p.T * p.N;
    hidden = {depth, ceil_div(p.H, Matrix::width), nullptr};
    input = {depth, design.fused ? ceil_div(p.I, Matrix::width) : 0, nullptr};
    hidden.elements = scratch.take<T>(Matrix::size(depth, design.in_place ? 1 : hidden.panels));
    input.elements = scratch.take<T>(Matrix::size(depth, input.panels));
    grad_stride = (4 * p.H + lanes<T> - 1) / lanes<T> * lanes<T> + line<T>;
    grad_sums = scratch.take<T>(rows * grad_stride);
    grad_cell = scratch.take<T>(p.N * p.H);
  }
};

template <class T>
class LstmBackwardPass {
 public:
  LstmBackwardPass(void* workspace, const LstmParams& params, const LstmOutputGradients& gradients,
                   const LstmInputs& inputs, const LstmOutputs& outputs, const LstmInputGradients& results)
      : memory_{static_cast<char*>(workspace)},
        p(params),
        grads(gradients),
        in(inputs),
        out(outputs),
        to(results),
        design(params),
        scratch(params, memory_),
        fused_input(design.fused && to.input),
        plan(plan_step(p.N, scratch.hidden.panels + (fused_input ? scratch.input.panels : 0),
                       4 * p.H * Matrix::width, step_rows<lstm_grad_vectors>)) {}

  void run() {
    if (grads.c_n)
      std::copy_n(static_cast<const T*>(grads.c_n), p.N * p.H, scratch.grad_cell);
    else
      std::fill_n(scratch.grad_cell, p.N * p.H, T(0));
    const bool packs = p.T > 1 || ends();
    parallel_steps(packs + p.T + ends(), plan.chunks(), [&](std::int64_t step, std::int64_t chunk) {
      if (step < packs)
        pack(chunk);
      else
        run_step(p.T - 1 - (step - packs), chunk);
    });
    if (to.c_0) std::copy_n(scratch.grad_cell, p.N * p.H, static_cast<T*>(to.c_0));
    if (to.weight_hh) multiply_weight_hh(static_cast<T*>(to.weight_hh));
    if (to.weight_ih)
      gemm<T>(sums(), p.I, p.T * p.N, {scratch.grad_sums, 1, stride()},
              {static_cast<const T*>(in.input), p.I, 1}, nullptr, false, static_cast<T*>(to.weight_ih), p.I);
    sum_biases();
    if (to.input && !fused_input)
      gemm<T>(p.T * p.N, p.I, sums(), {scratch.grad_sums, stride(), 1},
              {static_cast<const T*>(in.weight_ih), p.I, 1}, nullptr, to.accumulate_input,
              static_cast<T*>(to.input), p.I);
  }

 private:
  using Matrix = LstmBackwardMatrix<T>;

  std::int64_t sums() const { return 4 * p.H; }
  std::int64_t stride() const { return scratch.grad_stride; }
  /// Whether the gradients of the first step's sums go through the matrix too.
  bool ends() const { return to.h_0 || fused_input; }
  bool lies_in_place(std::int64_t panel) const {
    return design.in_place && (panel + 1) * Matrix::width <= p.H;
  }
  const T* weight_hh() const { return static_cast<const T*>(in.weight_hh); }

  /// Panel `panel` of both matrices, those of weight_hh first.
  StepPanel<T> panel_at(std::int64_t panel) const {
    if (panel >= scratch.hidden.panels) return scratch.input.panel(panel - scratch.hidden.panels);
    if (lies_in_place(panel)) return {weight_hh() + panel * Matrix::width, p.H};
    return scratch.hidden.panel(design.in_place ? 0 : panel);
  }

  void pack(std::int64_t chunk) {
    if (!plan.first_of_panels(chunk)) return;
    const StepRange panels = plan.panels_of(chunk);
    for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
      if (lies_in_place(panel)) continue;
      const bool of_hidden = panel < scratch.hidden.panels;
      const std::int64_t index = of_hidden ? panel : panel - scratch.hidden.panels;
      const std::int64_t columns = of_hidden ? p.H : p.I;
      const auto* weight = of_hidden ? weight_hh() : static_cast<const T*>(in.weight_ih);
      constexpr std::int64_t block = 64;  // rows at a time: what is written stays in the first-level cache
      for (std::int64_t k = 0; k < sums(); k += block)
        for (int v = 0; v < lstm_grad_vectors; ++v) {
          const std::int64_t column = std::min(columns, index * Matrix::width + v * lanes<T>);
          pack_step_columns(std::min(block, sums() - k),
                            static_cast<int>(std::min<std::int64_t>(lanes<T>, columns - column)),
                            weight + k * columns + column, columns, 1, Matrix::width,
                            const_cast<T*>(panel_at(panel).from_row(k).elements) + v * lanes<T>);
        }
    }
  }

  /// One step back: the gradients of the sums of step `s`, from what the output, the next step and, at the
  /// end, h_n give for h; and the gradient of the next step's input. With s = -1 what the first step gives to
  /// h_0 and its input.
  void run_step(std::int64_t s, std::int64_t chunk) {
    const bool last = s == p.T - 1;
    const std::int64_t next = last ? 0 : lstm_first_row(p, s + 1);
    StepRange panels = plan.panels_of(chunk);
    if (s < 0 && !to.h_0) panels.begin = std::max(panels.begin, scratch.hidden.panels);
    if (last) panels.end = std::min(panels.end, scratch.hidden.panels);
    const StepRows<T> grad_sums{last ? nullptr : scratch.grad_sums + next * stride(), stride(), sums()};
    multiply_step<lstm_grad_vectors>(
        panels, plan.rows_of(chunk), {grad_sums}, [&](std::int64_t panel) { return panel_at(panel); },
        [&](std::int64_t n, std::int64_t panel, const T* products) {
          if (panel >= scratch.hidden.panels)
            store_columns(products, panel - scratch.hidden.panels, p.I, to.accumulate_input,
                          static_cast<T*>(to.input) + (next + n) * p.I);
          else if (s < 0)
            store_columns(products, panel, p.H, false, static_cast<T*>(to.h_0) + n * p.H);
          else
            unit_gradients(s, n, panel, products);
        });
  }

  void store_columns(const T* products, std::int64_t panel, std::int64_t columns, bool accumulate, T* row) {
    for (int v = 0; v < lstm_grad_vectors; ++v) {
      const std::int64_t column = panel * Matrix::width + v * lanes<T>;
      if (column >= columns) break;
      const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, columns - column));
      const Vec<T> product = load(products + v * lanes<T>);
      store_up_to(row + column, accumulate ? Vec<T>(load_up_to(row + column, count) + product) : product,
                  count);
    }
  }

  /// `grad_cell` goes from c_t to c_{t-1}.
  void unit_gradients(std::int64_t s, std::int64_t n, std::int64_t panel, const T* products) {
    const std::int64_t row = lstm_first_row(p, s) + n;
    const LstmState<T> cell = cell_before<T>(p, s, in.c_0, out.reserve);
    const LstmState<T> grad_output{static_cast<const T*>(grads.output), p.output_stride()};
    const LstmState<T> grad_h_n{s == p.T - 1 ? static_cast<const T*>(grads.h_n) : nullptr, p.H};
    for (int v = 0; v < lstm_grad_vectors; ++v) {
      const std::int64_t unit = panel * Matrix::width + v * lanes<T>;
      if (unit >= p.H) break;
      const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, p.H - unit));
      const T* saved = static_cast<const T*>(out.reserve) + row * p.reserve_row() + unit;
      const auto load_saved = [&](int part) { return load_up_to(saved + part * p.H, count); };
      const LstmGates<Vec<T>> gates{load_saved(0), load_saved(1), load_saved(2), load_saved(3)};
      T* carried = scratch.grad_cell + n * p.H + unit;
      Vec<T> grad_cell = load_up_to(carried, count);
      const Vec<T> grad_hidden =
          load(products + v * lanes<T>) + grad_output.at(row, unit, count) + grad_h_n.at(n, unit, count);
      const LstmGates<Vec<T>> grad =
          lstm_gate_gradients(gates, cell.at(n, unit, count), tanh(load_saved(4)), grad_hidden, grad_cell);
      store_up_to(carried, grad_cell, count);
      T* into = scratch.grad_sums + row * stride() + unit;
      store_up_to(into, grad.i, count);
      store_up_to(into + p.H, grad.f, count);
      store_up_to(into + 2 * p.H, grad.g, count);
      store_up_to(into + 3 * p.H, grad.o, count);
    }
  }

  /// The sum over time of the sums' gradients times h of the step before.
  void multiply_weight_hh(T* grad_weight) {
    const std::int64_t steps = (p.T - 1) * p.N;
    const T* grad = scratch.grad_sums + (p.reverse ? 0 : p.N * stride());
    const T* before = static_cast<const T*>(out.output) + (p.reverse ? p.N * p.output_stride() : 0);
    gemm<T>(sums(), p.H, steps, {grad, 1, stride()}, {before, p.output_stride(), 1}, nullptr, false,
            grad_weight, p.H);
    if (in.h_0)
      gemm<T>(sums(), p.H, p.N, {scratch.grad_sums + lstm_first_row(p, 0) * stride(), 1, stride()},
              {static_cast<const T*>(in.h_0), p.H, 1}, nullptr, true, grad_weight, p.H);
  }

  void sum_biases() {
    auto* first = static_cast<T*>(to.bias_ih ? to.bias_ih : to.bias_hh);
    if (!first) return;
    sum_rows<T>(scratch.grad_sums, stride(), p.T * p.N, sums(), first);
    if (to.bias_ih && to.bias_hh) std::copy_n(first, sums(), static_cast<T*>(to.bias_hh));
  }

  LstmScratch memory_;
  const LstmParams& p;
  const LstmOutputGradients& grads;
  const LstmInputs& in;
  const LstmOutputs& out;
  const LstmInputGradients& to;
  const LstmBackwardDesign design;
  const LstmBackwardScratch<T> scratch;
  const bool fused_input;
  const StepPlan plan;
};

}  // namespace
}  // namespace fastdl::FASTDL_ISA
