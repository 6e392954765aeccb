#include <algorithm>
#include <type_traits>

#include "core/simd_math.h"
#include "ops/lstm/lstm.h"
#include "ops/lstm/lstm_bf16.inl.h"
#include "ops/lstm/lstm_math.h"
#include "primitives/gemm.inl.h"
#include "primitives/recurrent.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

// A panel of the forward matrix holds the four gates of one vector of units, so that a step's product goes
// through the activations while it is in registers and cache; backward needs no such order.
inline constexpr int lstm_gates = 4;
inline constexpr int lstm_grad_vectors = 2;

template <class T>
using LstmForwardMatrix = StepMatrix<T, lstm_gates>;
template <class T>
using LstmBackwardMatrix = StepMatrix<T, lstm_grad_vectors>;

/// Scratch memory, handed out piece by piece; with a null base it only counts.
struct LstmScratch {
  char* base;
  std::size_t bytes = 0;

  template <class T>
  T* take(std::int64_t count) {
    T* piece = base ? reinterpret_cast<T*>(base + bytes) : nullptr;
    bytes += (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
    return piece;
  }
};

/// Step `s` of the walk as a time, and as the first row of the arrays over time.
FASTDL_INLINE std::int64_t lstm_first_row(const LstmParams& p, std::int64_t s) {
  return (p.reverse ? p.T - 1 - s : s) * p.N;
}

/// h or c of the step before: N rows, `stride` apart; null for zeros.
template <class T>
struct LstmState {
  const T* rows;
  std::int64_t stride;

  Vec<T> at(std::int64_t row, std::int64_t unit, int count) const {
    return rows ? load_up_to(rows + row * stride + unit, count) : Vec<T>{};
  }
};

template <class T>
LstmState<T> hidden_before(const LstmParams& p, std::int64_t s, const void* h_0, const void* output) {
  if (s == 0) return {static_cast<const T*>(h_0), p.H};
  return {static_cast<const T*>(output) + lstm_first_row(p, s - 1) * p.output_stride(), p.output_stride()};
}

template <class T>
LstmState<T> cell_before(const LstmParams& p, std::int64_t s, const void* c_0, const void* reserve) {
  if (s == 0) return {static_cast<const T*>(c_0), p.H};
  return {static_cast<const T*>(reserve) + lstm_first_row(p, s - 1) * p.reserve_row() + 4 * p.H,
          p.reserve_row()};
}

template <class T>
void copy_lstm_state(const LstmParams& p, const LstmState<T>& state, void* to) {
  for (std::int64_t n = 0; to && n < p.N; ++n)
    std::copy_n(state.rows + n * state.stride, p.H, static_cast<T*>(to) + n * p.H);
}

/// Whether a step's product takes the input in too, rather than a product of its own before: it saves writing
/// and reading the input's share, and costs reading weight_ih in every step.
FASTDL_INLINE bool lstm_fuses_input(const LstmParams& p) {
  const std::int64_t weight_bytes = 4 * p.H * (p.I + p.H) * static_cast<std::int64_t>(item_size(p.dtype));
  return weight_bytes < (std::int64_t{24} << 20) ? p.N >= 8 : p.N >= 48;
}

/// How the sums of a sequence are made, by shape alone.
struct LstmForwardDesign {
  bool dots;            // dot products with the weights as they lie: too few rows to repay packing
  bool dot_projection;  // likewise for the input's share, for which all steps' rows count
  bool fused;           // the input's share is part of a step's product

  explicit LstmForwardDesign(const LstmParams& p)
      : dots(p.T * p.N <= 16 || (p.N <= 2 && p.H >= 512)),
        dot_projection(p.T * p.N <= 16),
        fused(!dots && !p.bf16_input && lstm_fuses_input(p)) {}
};

template <class T>
struct LstmForwardScratch {
  LstmForwardMatrix<T> matrix;  // packed: weight_ih's part where it is fused, and weight_hh's
  T* bias;                      // (4 H)
  T* sums;                      // (T, N, 4 H): the input's share, where neither fused nor kept in the reserve
  T* cells;                     // (N, H), where there is no reserve

  LstmForwardScratch(const LstmParams& p, LstmScratch& scratch) {
    const LstmForwardDesign design(p);
    const std::int64_t panels = ceil_div(p.H, lanes<T>), depth = design.fused ? p.I + p.H : p.H;
    matrix = {depth, panels, scratch.take<T>(design.dots ? 0 : LstmForwardMatrix<T>::size(depth, panels))};
    bias = scratch.take<T>(4 * p.H);
    sums = scratch.take<T>(design.fused || p.keep_reserve ? 0 : p.T * p.N * 4 * p.H);
    cells = scratch.take<T>(p.keep_reserve ? 0 : p.N * p.H);
  }
};

template <class T>
class LstmForwardPass {
 public:
  LstmForwardPass(void* workspace, const LstmParams& params, const LstmInputs& inputs,
                  const LstmOutputs& outputs)
      : memory_{static_cast<char*>(workspace)},
        p(params),
        in(inputs),
        out(outputs),
        design(params),
        scratch(params, memory_),
        plan(plan_step(p.N, scratch.matrix.panels, scratch.matrix.depth * scratch.matrix.width,
                       design.dots ? dot_tile : static_cast<int>(step_rows<lstm_gates>))) {
    start_ = scratch.bias;
    start_stride_ = 0;
    if (!design.fused) {
      start_ = p.keep_reserve ? static_cast<T*>(out.reserve) : scratch.sums;
      start_stride_ = p.keep_reserve ? p.reserve_row() : 4 * p.H;
    }
  }

  void run() {
    add_biases();
    if (!design.fused && !design.dot_projection) project_by_gemm();
    const bool prepares = !design.dots || design.dot_projection;
    parallel_steps(p.T + prepares, plan.chunks(), [&](std::int64_t step, std::int64_t chunk) {
      if (step < prepares)
        prepare(chunk);
      else
        run_step(step - prepares, chunk);
    });
    copy_lstm_state(p, hidden_before<T>(p, p.T, in.h_0, out.output), out.h_n);
    copy_lstm_state(p, cell(p.T), out.c_n);
  }

 private:
  void add_biases() {
    const auto* first = static_cast<const T*>(in.bias_ih);
    const auto* second = static_cast<const T*>(in.bias_hh);
    for (std::int64_t j = 0; j < 4 * p.H; ++j)
      scratch.bias[j] = (first ? first[j] : T(0)) + (second ? second[j] : T(0));
  }

  void project_by_gemm() {
#if FASTDL_SIMD_AVX512
    if constexpr (std::is_same_v<T, float>)
      if (p.bf16_input) return project_lstm_input(p, in, scratch.bias, start_, start_stride_);
#endif
    gemm<T>(p.T * p.N, 4 * p.H, p.I, {static_cast<const T*>(in.input), p.I, 1},
            {static_cast<const T*>(in.weight_ih), 1, p.I}, in.bias_ih || in.bias_hh ? scratch.bias : nullptr,
            false, start_, start_stride_);
  }

  /// Once for every panel: packs it, or makes the input's share of its sums for the whole sequence.
  void prepare(std::int64_t chunk) {
    if (!plan.first_of_panels(chunk)) return;
    const StepRange panels = plan.panels_of(chunk);
    if (!design.dots) {
      for (std::int64_t panel = panels.begin; panel < panels.end; ++panel) pack(panel);
      return;
    }
    dot_step<lstm_gates, T>(
        panels, {0, p.T * p.N}, {static_cast<const T*>(in.input), p.I, p.I},
        static_cast<const T*>(in.weight_ih), p.H, [&](std::int64_t row, std::int64_t panel, const T* sums) {
          const auto [unit, count] = units_of(panel);
          T* to = start_ + row * start_stride_ + unit;
          const T* bias = scratch.bias + unit;
          for (int gate = 0; gate < lstm_gates; ++gate)
            store_up_to(to + gate * p.H,
                        Vec<T>(load(sums + gate * lanes<T>) + load_up_to(bias + gate * p.H, count)), count);
        });
  }

  void pack(std::int64_t panel) {
    const auto [unit, count] = units_of(panel);
    const std::int64_t before = scratch.matrix.depth - p.H;
    const auto part = [&](const void* weight, std::int64_t depth, std::int64_t offset) {
      constexpr std::int64_t block = 64;  // rows at a time: what is written stays in the first-level cache
      for (std::int64_t k = 0; k < depth; k += block)
        for (int gate = 0; gate < lstm_gates; ++gate)
          pack_step_columns(std::min(block, depth - k), count,
                            static_cast<const T*>(weight) + (gate * p.H + unit) * depth + k, 1, depth,
                            LstmForwardMatrix<T>::width,
                            scratch.matrix.at(panel, offset + k) + gate * lanes<T>);
    };
    if (design.fused) part(in.weight_ih, p.I, 0);
    if (p.T > 1 || in.h_0) part(in.weight_hh, p.H, before);
  }

  void run_step(std::int64_t s, std::int64_t chunk) {
    const std::int64_t row = lstm_first_row(p, s);
    const LstmState<T> hidden = hidden_before<T>(p, s, in.h_0, out.output), cell = this->cell(s);
    const auto finish = [&](std::int64_t n, std::int64_t panel, const T* sums) {
      finish_units(row, n, panel, sums, cell);
    };
    const StepRange panels = plan.panels_of(chunk), rows = plan.rows_of(chunk);
    const auto panel_at = [&](std::int64_t panel) { return scratch.matrix.panel(panel); };
    const StepRows<T> from_hidden{hidden.rows, hidden.stride, p.H};
    if (design.dots) {
      dot_step<lstm_gates>(panels, rows, from_hidden, static_cast<const T*>(in.weight_hh), p.H, finish);
    } else if (design.fused) {
      const StepRows<T> from_input{static_cast<const T*>(in.input) + row * p.I, p.I, p.I};
      multiply_step<lstm_gates>(panels, rows, {from_input, from_hidden}, panel_at, finish);
    } else {
      multiply_step<lstm_gates>(panels, rows, {from_hidden}, panel_at, finish);
    }
  }

  /// The arithmetic of a vector of units of row n, from their products.
  void finish_units(std::int64_t row, std::int64_t n, std::int64_t panel, const T* sums,
                    const LstmState<T>& before) {
    const auto [unit, count] = units_of(panel);
    const T* start = start_ + (row + n) * start_stride_ + unit;
    const auto sum = [&](int gate) {
      return load_up_to(start + gate * p.H, count) + load(sums + gate * lanes<T>);
    };
    const LstmGates<Vec<T>> gates{sigmoid(sum(0)), sigmoid(sum(1)), tanh(sum(2)), sigmoid(sum(3))};
    const Vec<T> c = lstm_cell_state(gates, before.at(n, unit, count));
    store_up_to(static_cast<T*>(out.output) + (row + n) * p.output_stride() + unit, Vec<T>(gates.o * tanh(c)),
                count);
    if (!p.keep_reserve) {
      store_up_to(scratch.cells + n * p.H + unit, c, count);
      return;
    }
    T* to = static_cast<T*>(out.reserve) + (row + n) * p.reserve_row() + unit;
    store_up_to(to, gates.i, count);
    store_up_to(to + p.H, gates.f, count);
    store_up_to(to + 2 * p.H, gates.g, count);
    store_up_to(to + 3 * p.H, gates.o, count);
    store_up_to(to + 4 * p.H, c, count);
  }

  struct Units {
    std::int64_t first;
    int count;
  };
  Units units_of(std::int64_t panel) const {
    const std::int64_t first = panel * lanes<T>;
    return {first, static_cast<int>(std::min<std::int64_t>(lanes<T>, p.H - first))};
  }

  LstmState<T> cell(std::int64_t s) const {
    if (s == 0 || p.keep_reserve) return cell_before<T>(p, s, in.c_0, out.reserve);
    return {scratch.cells, p.H};
  }

  LstmScratch memory_;
  const LstmParams& p;
  const LstmInputs& in;
  const LstmOutputs& out;
  const LstmForwardDesign design;
  const LstmForwardScratch<T> scratch;
  const StepPlan plan;
  T* start_;  // what a step's sums start from: the biases, or the input's share with them
  std::int64_t start_stride_;
};

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

FASTDL_INLINE bool is_bf16(const LstmParams& params) {
  return params.dtype == DType::bfloat16;
}

std::size_t lstm_forward_workspace_bytes(const LstmParams& params) {
  if (is_bf16(params)) return lstm_bf16_forward_bytes(params);
  LstmScratch scratch{nullptr};
  with_type(params.dtype, [&]<class T>(T) { LstmForwardScratch<T>(params, scratch); });
  return scratch.bytes;
}

Status lstm_forward(const Launch& launch, const LstmParams& params, const LstmInputs& inputs,
                    const LstmOutputs& outputs) {
  if (is_bf16(params)) return lstm_bf16_forward(launch, params, inputs, outputs), Status{};
  with_type(params.dtype,
            [&]<class T>(T) { LstmForwardPass<T>(launch.workspace, params, inputs, outputs).run(); });
  return {};
}

std::size_t lstm_backward_workspace_bytes(const LstmParams& params) {
  if (is_bf16(params)) return lstm_bf16_backward_bytes(params);
  LstmScratch scratch{nullptr};
  with_type(params.dtype, [&]<class T>(T) { LstmBackwardScratch<T>(params, scratch); });
  return scratch.bytes;
}

Status lstm_backward(const Launch& launch, const LstmParams& params, const LstmOutputGradients& gradients,
                     const LstmInputs& inputs, const LstmOutputs& outputs, const LstmInputGradients& to) {
  if (is_bf16(params)) return lstm_bf16_backward(launch, params, gradients, inputs, outputs, to), Status{};
  with_type(params.dtype, [&]<class T>(T) {
    LstmBackwardPass<T>(launch.workspace, params, gradients, inputs, outputs, to).run();
  });
  return {};
}

}  // namespace

void fill_lstm(LstmKernels& kernels) {
  kernels = {lstm_forward_workspace_bytes, lstm_forward, lstm_backward_workspace_bytes, lstm_backward};
}

}  // namespace fastdl::FASTDL_ISA
