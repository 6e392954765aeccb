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

  LstmBackwardDesign(const LstmParams& p, bool pairs)
      : in_place(!pairs && p.N <= 4 && p.T <= 4), fused(!pairs && !in_place && lstm_fuses_input(p)) {}
};

template <class T, class S>
struct LstmBackwardScratch {
  using Types = LstmTypes<T, S>;
  using Matrix = LstmBackwardMatrix<typename Types::Factor>;

  T* grad_input;  // (T, N, I), the sum of two directions of bfloat16: first, where the other finds it
  Matrix hidden;  // weight_hh; in place: its last panel alone
  Matrix input;   // weight_ih, where it is fused
  S* grad_sums;   // (T, N) rows of 4 H, grad_stride apart: the gradients before activation
  std::int64_t grad_stride;  // no power of two, which would put a tile's rows into one set of a cache
  T* grad_cell;              // (N, H)
  T* first_cells;            // (N, H), c_0 of bfloat16
  S* hidden_before;          // pairs: (T, N, H), h before each step

  LstmBackwardScratch(const LstmParams& p, LstmScratch& scratch) {
    const LstmBackwardDesign design(p, Types::pairs);
    const std::int64_t depth = 4 * p.H / Types::in_factor, rows = p.T * p.N;
    grad_input = scratch.take<T>(Types::pairs && p.directions == 2 ? rows * p.I : 0);
    hidden = {depth, ceil_div(p.H, Matrix::width), nullptr};
    input = {depth, design.fused ? ceil_div(p.I, Matrix::width) : 0, nullptr};
    using Factor = typename Types::Factor;
    hidden.elements = scratch.take<Factor>(Matrix::size(depth, design.in_place ? 1 : hidden.panels));
    input.elements = scratch.take<Factor>(Matrix::size(depth, input.panels));
    grad_stride = ceil_div(4 * p.H, line<S>) * line<S> + line<S>;
    grad_sums = scratch.take<S>(rows * grad_stride);
    grad_cell = scratch.take<T>(p.N * p.H);
    first_cells = scratch.take<T>(Types::pairs ? p.N * p.H : 0);
    hidden_before = scratch.take<S>(Types::pairs ? rows * p.H : 0);
  }
};

template <class T, class S = T>
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
        design(params, Types::pairs),
        scratch(params, memory_),
        fused_input(design.fused && to.input),
        plan(plan_step(p.N, scratch.hidden.panels + (fused_input ? scratch.input.panels : 0),
                       scratch.hidden.depth * Matrix::width, step_rows<lstm_grad_vectors>)) {}

  void run() {
    if (grads.c_n)
      convert<T>(static_cast<const S*>(grads.c_n), p.N * p.H, scratch.grad_cell);
    else
      std::fill_n(scratch.grad_cell, p.N * p.H, T(0));
    if (Types::pairs && in.c_0) convert<T>(static_cast<const S*>(in.c_0), p.N * p.H, scratch.first_cells);
    const bool packs = p.T > 1 || ends();
    parallel_steps(packs + p.T + ends(), plan.chunks(), [&](std::int64_t step, std::int64_t chunk) {
      if (step < packs)
        pack(chunk);
      else
        run_step(p.T - 1 - (step - packs), chunk);
    });
    if (to.c_0) convert<T>(scratch.grad_cell, p.N * p.H, static_cast<S*>(to.c_0));
    sum_biases();
    if constexpr (Types::pairs)
      multiply_pairs_of_all_steps();
    else
      multiply_all_steps();
  }

 private:
  using Types = LstmTypes<T, S>;
  using Factor = typename Types::Factor;
  using Matrix = LstmBackwardMatrix<Factor>;

  void multiply_all_steps() {
    if (to.weight_hh) multiply_weight_hh(static_cast<T*>(to.weight_hh));
    if (to.weight_ih)
      gemm<T>(sums(), p.I, p.T * p.N, {scratch.grad_sums, 1, stride()},
              {static_cast<const T*>(in.input), p.I, 1}, nullptr, false, static_cast<T*>(to.weight_ih), p.I);
    if (to.input && !fused_input)
      gemm<T>(p.T * p.N, p.I, sums(), {scratch.grad_sums, stride(), 1},
              {static_cast<const T*>(in.weight_ih), p.I, 1}, nullptr, to.accumulate_input,
              static_cast<T*>(to.input), p.I);
  }

  void multiply_pairs_of_all_steps() {
#if FASTDL_SIMD_AVX512
    const std::int64_t rows = p.T * p.N;
    const PairLines of_units{scratch.grad_sums, 1, stride(), rows};
    if (to.weight_hh) {
      gather_hidden_before();
      multiply_pair_lines(sums(), p.H, of_units, {scratch.hidden_before, 1, p.H, rows},
                          [&](const PairSums& made) { store_pair_sums(made, p.H, to.weight_hh); });
    }
    if (to.weight_ih)
      multiply_pair_lines(sums(), p.I, of_units, {static_cast<const S*>(in.input), 1, p.I, rows},
                          [&](const PairSums& made) { store_pair_sums(made, p.I, to.weight_ih); });
    if (!to.input) return;
    multiply_pair_lines(rows, p.I, {scratch.grad_sums, stride(), 1, sums()},
                        {static_cast<const S*>(in.weight_ih), 1, p.I, sums()}, [&](const PairSums& made) {
                          if (p.directions == 1 || to.accumulate_input)
                            store_pair_sums(made, p.I, to.input, to.accumulate_input);
                          else
                            keep_pair_sums(made);
                        });
#endif
  }

#if FASTDL_SIMD_AVX512
  /// Rounded; `with_kept` adds what keep_pair_sums has kept.
  void store_pair_sums(const PairSums& made, std::int64_t columns, void* matrix, bool with_kept = false) {
    for (std::int64_t i = 0; i < made.rows; ++i)
      for (int v = 0; v < made.columns; v += lanes<float>) {
        const int count = std::min(lanes<float>, made.columns - v);
        const std::int64_t at = (made.row + i) * columns + made.column + v;
        Vec<float> sum = load(made.values + i * made.pitch + v);
        if (with_kept) sum += load_up_to(scratch.grad_input + at, count);
        store_up_to(static_cast<S*>(matrix) + at, sum, count);
      }
  }

  /// The first direction's share of the gradient of the input.
  void keep_pair_sums(const PairSums& made) {
    for (std::int64_t i = 0; i < made.rows; ++i)
      for (int v = 0; v < made.columns; v += lanes<float>)
        store_up_to(scratch.grad_input + (made.row + i) * p.I + made.column + v,
                    load(made.values + i * made.pitch + v), std::min(lanes<float>, made.columns - v));
  }
#endif

  /// h before each step, in the rows of the steps.
  void gather_hidden_before() {
    parallel_for(p.T, [&](std::int64_t s) {
      const LstmState<S> before = hidden_before<S>(p, s, in.h_0, out.output);
      S* const to_rows = scratch.hidden_before + lstm_first_row(p, s) * p.H;
      if (before.rows)
        copy_lstm_state<T>(p, before, to_rows);
      else
        std::fill_n(to_rows, p.N * p.H, S{});
    });
  }

  std::int64_t sums() const { return 4 * p.H; }
  std::int64_t stride() const { return scratch.grad_stride; }
  /// Whether the gradients of the first step's sums go through the matrix too.
  bool ends() const { return to.h_0 || fused_input; }
  bool lies_in_place(std::int64_t panel) const {
    return design.in_place && (panel + 1) * Matrix::width <= p.H;
  }
  const S* weight_hh() const { return static_cast<const S*>(in.weight_hh); }

  /// Panel `panel` of both matrices, those of weight_hh first.
  StepPanel<Factor> panel_at(std::int64_t panel) const {
    if constexpr (Types::pairs)
      return scratch.hidden.panel(panel);
    else
      return wide_panel_at(panel);
  }
  StepPanel<T> wide_panel_at(std::int64_t panel) const {
    if (panel >= scratch.hidden.panels) return scratch.input.panel(panel - scratch.hidden.panels);
    if (lies_in_place(panel)) return {weight_hh() + panel * Matrix::width, p.H};
    return scratch.hidden.panel(design.in_place ? 0 : panel);
  }

  void pack(std::int64_t chunk) {
    if (!plan.first_of_panels(chunk)) return;
    const StepRange panels = plan.panels_of(chunk);
    for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) {
      if constexpr (Types::pairs)
        pack_pairs(panel);
      else if (!lies_in_place(panel))
        pack_columns(panel);
    }
  }

  void pack_pairs(std::int64_t panel) {
#if FASTDL_SIMD_AVX512
    const PairLines lines{weight_hh(), 1, p.H, sums()};
    for (int v = 0; v < lstm_grad_vectors; ++v) {
      const std::int64_t column = std::min(p.H, panel * Matrix::width + v * lanes<T>);
      pack_step_pairs(lines, column, static_cast<int>(std::min<std::int64_t>(lanes<T>, p.H - column)),
                      Matrix::width, scratch.hidden.at(panel, 0) + v * lanes<T>);
    }
#endif
  }

  void pack_columns(std::int64_t panel) {
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

  /// One step back: the gradients of the sums of step `s`, from what the output, the next step and, at the
  /// end, h_n give for h; and the gradient of the next step's input. With s = -1 what the first step gives to
  /// h_0 and its input.
  void run_step(std::int64_t s, std::int64_t chunk) {
    const bool last = s == p.T - 1;
    const std::int64_t next = last ? 0 : lstm_first_row(p, s + 1);
    StepRange panels = plan.panels_of(chunk);
    if (s < 0 && !to.h_0) panels.begin = std::max(panels.begin, scratch.hidden.panels);
    if (last) panels.end = std::min(panels.end, scratch.hidden.panels);
    const auto* next_sums = reinterpret_cast<const Factor*>(scratch.grad_sums + next * stride());
    const StepRows<Factor> grad_sums{last ? nullptr : next_sums, stride() / Types::in_factor,
                                     scratch.hidden.depth};
    multiply_step<lstm_grad_vectors>(
        panels, plan.rows_of(chunk), {grad_sums}, [&](std::int64_t panel) { return panel_at(panel); },
        [&](std::int64_t n, std::int64_t panel, const T* products) {
          if (panel >= scratch.hidden.panels)
            store_columns(products, panel - scratch.hidden.panels, p.I, to.accumulate_input,
                          static_cast<S*>(to.input) + (next + n) * p.I);
          else if (s < 0)
            store_columns(products, panel, p.H, false, static_cast<S*>(to.h_0) + n * p.H);
          else
            unit_gradients(s, n, panel, products);
        });
  }

  void store_columns(const T* products, std::int64_t panel, std::int64_t columns, bool accumulate, S* row) {
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
    const LstmState<T> cell =
        cell_before<T>(p, s, Types::pairs && in.c_0 ? scratch.first_cells : in.c_0, out.reserve);
    const LstmState<S> grad_output{static_cast<const S*>(grads.output), p.output_stride()};
    const LstmState<S> grad_h_n{s == p.T - 1 ? static_cast<const S*>(grads.h_n) : nullptr, p.H};
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
      S* into = scratch.grad_sums + row * stride() + unit;
      store_up_to(into, lstm_stored<T>(p, grad.i), count);
      store_up_to(into + p.H, lstm_stored<T>(p, grad.f), count);
      store_up_to(into + 2 * p.H, lstm_stored<T>(p, grad.g), count);
      store_up_to(into + 3 * p.H, lstm_stored<T>(p, grad.o), count);
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
    auto* first = static_cast<S*>(to.bias_ih ? to.bias_ih : to.bias_hh);
    if (!first) return;
    sum_rows<T>(scratch.grad_sums, stride(), p.T * p.N, sums(), first);
    if (to.bias_ih && to.bias_hh) std::copy_n(first, sums(), static_cast<S*>(to.bias_hh));
  }

  LstmScratch memory_;
  const LstmParams& p;
  const LstmOutputGradients& grads;
  const LstmInputs& in;
  const LstmOutputs& out;
  const LstmInputGradients& to;
  const LstmBackwardDesign design;
  const LstmBackwardScratch<T, S> scratch;
  const bool fused_input;
  const StepPlan plan;
};

}  // namespace
}  // namespace fastdl::FASTDL_ISA
