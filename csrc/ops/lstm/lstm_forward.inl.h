// The forward pass of a layer in one direction.
#pragma once

#include <cstring>

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

  LstmForwardDesign(const LstmParams& p, bool pairs)
      : dots(!pairs && (p.T * p.N <= 16 || (p.N <= 2 && p.H >= 512))),
        dot_projection(!pairs && p.T * p.N <= 16),
        fused(!dots && lstm_fuses_input(p)) {}
};

template <class T, class S>
struct LstmForwardScratch {
  using Types = LstmTypes<T, S>;
  using Factor = typename Types::Factor;

  LstmForwardMatrix<Factor> matrix;  // packed: weight_ih's part where it is fused, and weight_hh's
  T* bias;                           // (4 H)
  T* sums;                   // (T, N, 4 H): the input's share, where neither fused nor kept in the reserve
  T* cells;                  // (N, H), where there is no reserve
  T* first_cells;            // (N, H), c_0 of bfloat16
  std::int64_t input_depth;  // of the matrix, weight_ih's part
  Factor* input;             // pairs: (T, N) rows of the input, where it is fused, input_stride apart
  Factor* hidden[2];         // pairs: h of the last step and of this one, by turns: N rows
  // no powers of two, which would put a tile's rows into one set of a cache
  std::int64_t input_stride, hidden_stride;

  LstmForwardScratch(const LstmParams& p, LstmScratch& scratch) {
    using Matrix = LstmForwardMatrix<Factor>;
    const LstmForwardDesign design(p, Types::pairs);
    const std::int64_t panels = ceil_div(p.H, lanes<T>);
    input_depth = design.fused ? ceil_div(p.I, Types::in_factor) : 0;
    const std::int64_t hidden_depth = ceil_div(p.H, Types::in_factor), depth = input_depth + hidden_depth;
    matrix = {depth, panels, scratch.take<Factor>(design.dots ? 0 : Matrix::size(depth, panels))};
    bias = scratch.take<T>(4 * p.H);
    sums = scratch.take<T>(design.fused || p.keep_reserve ? 0 : p.T * p.N * 4 * p.H);
    cells = scratch.take<T>(p.keep_reserve ? 0 : p.N * p.H);
    first_cells = scratch.take<T>(Types::pairs ? p.N * p.H : 0);
    const auto stride = [](std::int64_t row) {
      return ceil_div(row, line<Factor>) * line<Factor> + line<Factor>;
    };
    input_stride = stride(input_depth);
    hidden_stride = stride(hidden_depth);
    input = scratch.take<Factor>(Types::pairs && design.fused ? p.T * p.N * input_stride : 0);
    for (Factor*& rows : hidden) rows = scratch.take<Factor>(Types::pairs ? p.N * hidden_stride : 0);
  }
};

template <class T, class S = T>
class LstmForwardPass {
 public:
  LstmForwardPass(void* workspace, const LstmParams& params, const LstmInputs& inputs,
                  const LstmOutputs& outputs)
      : memory_{static_cast<char*>(workspace)},
        p(params),
        in(inputs),
        out(outputs),
        design(params, Types::pairs),
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
    if constexpr (Types::pairs) prepare_states();
    const bool prepares = !design.dots || design.dot_projection;
    parallel_steps(p.T + prepares, plan.chunks(), [&](std::int64_t step, std::int64_t chunk) {
      if (step < prepares)
        prepare(chunk);
      else
        run_step(step - prepares, chunk);
    });
    copy_lstm_state<T>(p, hidden_before<S>(p, p.T, in.h_0, out.output), static_cast<S*>(out.h_n));
    copy_lstm_state<T>(p, cell(p.T), static_cast<S*>(out.c_n));
  }

 private:
  using Types = LstmTypes<T, S>;
  using Factor = typename Types::Factor;

  void add_biases() {
    const LstmState<S> first{static_cast<const S*>(in.bias_ih), 0};
    const LstmState<S> second{static_cast<const S*>(in.bias_hh), 0};
    for (std::int64_t j = 0; j < 4 * p.H; j += lanes<T>) {
      const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, 4 * p.H - j));
      store_up_to(scratch.bias + j, Vec<T>(first.at(0, j, count) + second.at(0, j, count)), count);
    }
  }

  /// The input's share of the sums, for the whole sequence.
  void project_by_gemm() {
    if constexpr (Types::pairs) return project_by_pairs();
    gemm<T>(p.T * p.N, 4 * p.H, p.I, {static_cast<const T*>(in.input), p.I, 1},
            {static_cast<const T*>(in.weight_ih), 1, p.I}, in.bias_ih || in.bias_hh ? scratch.bias : nullptr,
            false, start_, start_stride_);
  }

  void project_by_pairs() {
#if FASTDL_SIMD_AVX512
    const PairLines rows{static_cast<const BFloat16*>(in.input), p.I, 1, p.I};
    const PairLines columns{static_cast<const BFloat16*>(in.weight_ih), p.I, 1, p.I};
    multiply_pair_lines(p.T * p.N, 4 * p.H, rows, columns, [&](const PairSums& made) {
      for (int v = 0; v < made.columns; v += lanes<float>) {
        const int count = std::min(lanes<float>, made.columns - v);
        const Vec<float> bias = load_up_to(scratch.bias + made.column + v, count);
        for (std::int64_t i = 0; i < made.rows; ++i)
          store_up_to(start_ + (made.row + i) * start_stride_ + made.column + v,
                      Vec<float>(load(made.values + i * made.pitch + v) + bias), count);
      }
    });
#endif
  }

  /// c_0, h_0 and the input as the steps read them; zeros beside the last of an odd number.
  void prepare_states() {
    if (in.c_0) convert<T>(static_cast<const S*>(in.c_0), p.N * p.H, scratch.first_cells);
    for (Factor* rows : scratch.hidden) std::fill_n(rows, p.N * scratch.hidden_stride, Factor(0));
    for (std::int64_t n = 0; in.h_0 && n < p.N; ++n)
      std::memcpy(hidden_row(0, n), static_cast<const S*>(in.h_0) + n * p.H,
                  static_cast<std::size_t>(p.H) * sizeof(S));
    if (!design.fused) return;
    parallel_for(p.T, [&](std::int64_t t) {
      for (std::int64_t row = t * p.N; row < (t + 1) * p.N; ++row) {
        Factor* const pairs = scratch.input + row * scratch.input_stride;
        if (p.I > 0) pairs[scratch.input_depth - 1] = 0;
        if (p.I > 0)
          std::memcpy(pairs, static_cast<const S*>(in.input) + row * p.I,
                      static_cast<std::size_t>(p.I) * sizeof(S));
      }
    });
  }

  /// Pairs: where h before step `s` lies for the product.
  S* hidden_row(std::int64_t s, std::int64_t n) const {
    return reinterpret_cast<S*>(scratch.hidden[s & 1] + n * scratch.hidden_stride);
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
    if constexpr (Types::pairs) {
#if FASTDL_SIMD_AVX512
      const auto part = [&](const void* weight, std::int64_t depth, std::int64_t offset) {
        const PairLines lines{static_cast<const BFloat16*>(weight), depth, 1, depth};
        for (int gate = 0; gate < lstm_gates; ++gate)
          pack_step_pairs(lines, gate * p.H + unit, count, scratch.matrix.width,
                          scratch.matrix.at(panel, offset) + gate * lanes<T>);
      };
      if (design.fused) part(in.weight_ih, p.I, 0);
      if (p.T > 1 || in.h_0) part(in.weight_hh, p.H, scratch.input_depth);
#endif
      return;
    } else {
      pack_columns(panel, unit, count);
    }
  }

  void pack_columns(std::int64_t panel, std::int64_t unit, int count) {
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
    if (p.T > 1 || in.h_0) part(in.weight_hh, p.H, scratch.input_depth);
  }

  void run_step(std::int64_t s, std::int64_t chunk) {
    const std::int64_t row = lstm_first_row(p, s);
    const LstmState<T> cell = this->cell(s);
    const auto finish = [&](std::int64_t n, std::int64_t panel, const T* sums) {
      finish_units(s, n, panel, sums, cell);
    };
    const StepRange panels = plan.panels_of(chunk), rows = plan.rows_of(chunk);
    const auto panel_at = [&](std::int64_t panel) { return scratch.matrix.panel(panel); };
    if constexpr (Types::pairs) {
      const Factor* pairs = s > 0 || in.h_0 ? scratch.hidden[s & 1] : nullptr;
      const StepRows<Factor> from_hidden{pairs, scratch.hidden_stride,
                                         scratch.matrix.depth - scratch.input_depth};
      if (!design.fused) return multiply_step<lstm_gates>(panels, rows, {from_hidden}, panel_at, finish);
      const StepRows<Factor> from_input{scratch.input + row * scratch.input_stride, scratch.input_stride,
                                        scratch.input_depth};
      multiply_step<lstm_gates>(panels, rows, {from_input, from_hidden}, panel_at, finish);
    } else {
      const LstmState<T> hidden = hidden_before<T>(p, s, in.h_0, out.output);
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
  }

  /// The arithmetic of a vector of units of row n, from their products.
  void finish_units(std::int64_t s, std::int64_t n, std::int64_t panel, const T* sums,
                    const LstmState<T>& before) {
    const auto [unit, count] = units_of(panel);
    const std::int64_t row = lstm_first_row(p, s);
    const T* start = start_ + (row + n) * start_stride_ + unit;
    const auto sum = [&](int gate) {
      return load_up_to(start + gate * p.H, count) + load(sums + gate * lanes<T>);
    };
    const LstmGates<Vec<T>> gates{sigmoid(sum(0)), sigmoid(sum(1)), tanh(sum(2)), sigmoid(sum(3))};
    const Vec<T> c = lstm_cell_state(gates, before.at(n, unit, count));
    const Vec<T> h = lstm_stored<T>(p, gates.o * tanh(c));
    store_up_to(static_cast<S*>(out.output) + (row + n) * p.output_stride() + unit, h, count);
    if constexpr (Types::pairs) store_up_to(hidden_row(s + 1, n) + unit, h, count);
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
    if (s > 0 && !p.keep_reserve) return {scratch.cells, p.H};
    return cell_before<T>(p, s, Types::pairs && in.c_0 ? scratch.first_cells : in.c_0, out.reserve);
  }

  LstmScratch memory_;
  const LstmParams& p;
  const LstmInputs& in;
  const LstmOutputs& out;
  const LstmForwardDesign design;
  const LstmForwardScratch<T, S> scratch;
  const StepPlan plan;
  T* start_;  // what a step's sums start from: the biases, or the input's share with them
  std::int64_t start_stride_;
};

}  // namespace
}  // namespace fastdl::FASTDL_ISA
