// The forward pass of a layer in one direction.
#pragma once

#include <type_traits>

#include "ops/lstm/lstm_bf16.inl.h"
#include "ops/lstm/lstm_steps.inl.h"

namespace fastdl::FASTDL_ISA {
namespace {

// A panel of the matrix holds the four gates of one vector of units, so that a step's product goes through
// the activations while it is in registers and cache.
inline constexpr int lstm_gates = 4;

template <class T>
using LstmForwardMatrix = StepMatrix<T, lstm_gates>;

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

}  // namespace
}  // namespace fastdl::FASTDL_ISA
