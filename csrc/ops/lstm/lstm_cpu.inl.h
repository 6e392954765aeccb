#include <algorithm>

#include "core/simd_math.h"
#include "ops/lstm/lstm.h"
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

/// Whether there are too few rows in the whole sequence to repay packing the weights.
FASTDL_INLINE bool lstm_few_rows(const LstmParams& p) {
  return p.T * p.N <= 16;
}

template <class T>
struct LstmForwardScratch {
  LstmForwardMatrix<T> recurrent;  // packed unless there are few rows
  T* bias;
  char* gemm;

  LstmForwardScratch(const LstmParams& p, LstmScratch& scratch) {
    const std::int64_t panels = ceil_div(p.H, lanes<T>);
    recurrent = {p.H, panels,
                 scratch.take<T>(lstm_few_rows(p) ? 0 : LstmForwardMatrix<T>::size(p.H, panels))};
    bias = scratch.take<T>(4 * p.H);
    gemm = scratch.take<char>(gemm_workspace_bytes<T>(p.T * p.N, p.I));
  }
};

template <class T>
struct LstmBackwardScratch {
  LstmBackwardMatrix<T> recurrent;  // packed where there is more than one step
  T* grad_sums;                     // (T, N, 4 H), gradients of the gates before activation
  T* grad_cell;                     // (N, H)
  char* gemm;

  LstmBackwardScratch(const LstmParams& p, LstmScratch& scratch) {
    const std::int64_t panels = ceil_div(p.H, LstmBackwardMatrix<T>::width), rows = p.T * p.N;
    recurrent = {4 * p.H, panels,
                 scratch.take<T>(p.T > 1 ? LstmBackwardMatrix<T>::size(4 * p.H, panels) : 0)};
    grad_sums = scratch.take<T>(rows * 4 * p.H);
    grad_cell = scratch.take<T>(p.N * p.H);
    gemm = scratch.take<char>(
        std::max(gemm_workspace_bytes<T>(4 * p.H, rows), gemm_workspace_bytes<T>(rows, 4 * p.H)));
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

/// The four gates' share of the inputs and biases for the whole sequence, into the reserve.
template <class T>
void project_lstm_input(const LstmParams& p, const LstmInputs& in, const LstmForwardScratch<T>& scratch,
                        T* reserve) {
  const std::int64_t rows = p.T * p.N, sums = 4 * p.H;
  const auto* input = static_cast<const T*>(in.input);
  const auto* weight = static_cast<const T*>(in.weight_ih);
  const auto* first = static_cast<const T*>(in.bias_ih);
  const auto* second = static_cast<const T*>(in.bias_hh);
  for (std::int64_t j = 0; j < sums; ++j)
    scratch.bias[j] = (first ? first[j] : T(0)) + (second ? second[j] : T(0));
  if (lstm_few_rows(p)) {
    for (std::int64_t row = 0; row < rows; ++row)
      std::copy_n(scratch.bias, sums, reserve + row * p.reserve_row());
    add_dot_products(rows, sums, p.I, input, p.I, weight, reserve, p.reserve_row());
  } else {
    gemm<T>(rows, sums, p.I, {input, p.I, 1}, {weight, 1, p.I}, first || second ? scratch.bias : nullptr,
            false, reserve, p.reserve_row(), scratch.gemm);
  }
}

template <class T>
void lstm_forward_step(const LstmParams& p, std::int64_t s, const LstmInputs& in, const LstmOutputs& out,
                       const LstmForwardMatrix<T>& recurrent) {
  const std::int64_t H = p.H, row = lstm_first_row(p, s);
  const LstmState<T> hidden = hidden_before<T>(p, s, in.h_0, out.output);
  const LstmState<T> cell = cell_before<T>(p, s, in.c_0, out.reserve);
  T* output = static_cast<T*>(out.output) + row * p.output_stride();
  T* reserve = static_cast<T*>(out.reserve) + row * p.reserve_row();
  const bool few = lstm_few_rows(p);
  if (few && hidden.rows)
    add_dot_products(p.N, 4 * H, H, hidden.rows, hidden.stride, static_cast<const T*>(in.weight_hh), reserve,
                     p.reserve_row());
  recurrent_step(p.N, few ? nullptr : hidden.rows, hidden.stride, recurrent,
                 [&](std::int64_t n, std::int64_t panel, const T* sums) {
                   const std::int64_t unit = panel * lanes<T>;
                   const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, H - unit));
                   T* to = reserve + n * p.reserve_row() + unit;
                   const auto sum = [&](int gate) {
                     return load_up_to(to + gate * H, count) + load(sums + gate * lanes<T>);
                   };
                   const LstmGates<Vec<T>> gates{sigmoid(sum(0)), sigmoid(sum(1)), tanh(sum(2)),
                                                 sigmoid(sum(3))};
                   const Vec<T> c = lstm_cell_state(gates, cell.at(n, unit, count));
                   store_up_to(to, gates.i, count);
                   store_up_to(to + H, gates.f, count);
                   store_up_to(to + 2 * H, gates.g, count);
                   store_up_to(to + 3 * H, gates.o, count);
                   store_up_to(to + 4 * H, c, count);
                   store_up_to(output + n * p.output_stride() + unit, Vec<T>(gates.o * tanh(c)), count);
                 });
}

template <class T>
void lstm_forward_sequence(void* workspace, const LstmParams& p, const LstmInputs& in,
                           const LstmOutputs& out) {
  LstmScratch memory{static_cast<char*>(workspace)};
  const LstmForwardScratch<T> scratch(p, memory);
  project_lstm_input(p, in, scratch, static_cast<T*>(out.reserve));
  if (!lstm_few_rows(p) && (p.T > 1 || in.h_0)) {
    const auto* weight = static_cast<const T*>(in.weight_hh);
    pack_step_matrix(scratch.recurrent, 1, p.H, [&](std::int64_t panel, int gate) {
      const std::int64_t unit = panel * lanes<T>;
      return StepColumns<T>{weight + (gate * p.H + unit) * p.H,
                            static_cast<int>(std::min<std::int64_t>(lanes<T>, p.H - unit))};
    });
  }
  for (std::int64_t s = 0; s < p.T; ++s) lstm_forward_step(p, s, in, out, scratch.recurrent);
  copy_lstm_state(p, hidden_before<T>(p, p.T, in.h_0, out.output), out.h_n);
  copy_lstm_state(p, cell_before<T>(p, p.T, in.c_0, out.reserve), out.c_n);
}

/// One step back: the gradients of the sums of step `s`, from what the output, the next step and, at the
/// end, h_n give for h. `grad_cell` goes from c_t to c_{t-1}.
template <class T>
void lstm_backward_step(const LstmParams& p, std::int64_t s, const LstmOutputGradients& grads,
                        const LstmInputs& in, const LstmOutputs& out, const LstmBackwardScratch<T>& scratch) {
  const std::int64_t H = p.H, row = lstm_first_row(p, s);
  const bool last = s == p.T - 1;
  const LstmState<T> cell = cell_before<T>(p, s, in.c_0, out.reserve);
  const LstmState<T> grad_output{
      grads.output ? static_cast<const T*>(grads.output) + row * p.output_stride() : nullptr,
      p.output_stride()};
  const LstmState<T> grad_h_n{last ? static_cast<const T*>(grads.h_n) : nullptr, H};
  const T* reserve = static_cast<const T*>(out.reserve) + row * p.reserve_row();
  const T* next = last ? nullptr : scratch.grad_sums + lstm_first_row(p, s + 1) * 4 * H;
  const auto unit_gradients = [&](std::int64_t n, std::int64_t unit, int count, Vec<T> grad_hidden) {
    const T* saved = reserve + n * p.reserve_row() + unit;
    const auto load_saved = [&](int part) { return load_up_to(saved + part * H, count); };
    const LstmGates<Vec<T>> gates{load_saved(0), load_saved(1), load_saved(2), load_saved(3)};
    T* carried = scratch.grad_cell + n * H + unit;
    Vec<T> grad_cell = load_up_to(carried, count);
    const LstmGates<Vec<T>> sums =
        lstm_gate_gradients(gates, cell.at(n, unit, count), tanh(load_saved(4)), grad_hidden, grad_cell);
    store_up_to(carried, grad_cell, count);
    T* to = scratch.grad_sums + (row + n) * 4 * H + unit;
    store_up_to(to, sums.i, count);
    store_up_to(to + H, sums.f, count);
    store_up_to(to + 2 * H, sums.g, count);
    store_up_to(to + 3 * H, sums.o, count);
  };
  recurrent_step(p.N, next, 4 * H, scratch.recurrent, [&](std::int64_t n, std::int64_t panel, const T* sums) {
    for (int v = 0; v < lstm_grad_vectors; ++v) {
      const std::int64_t unit = (panel * lstm_grad_vectors + v) * lanes<T>;
      if (unit >= H) break;
      const int count = static_cast<int>(std::min<std::int64_t>(lanes<T>, H - unit));
      unit_gradients(
          n, unit, count,
          load(sums + v * lanes<T>) + grad_output.at(n, unit, count) + grad_h_n.at(n, unit, count));
    }
  });
}

/// grad_weight_hh = sum over time of the sums' gradients times h of the step before.
template <class T>
void lstm_backward_weight_hh(const LstmParams& p, const LstmInputs& in, const LstmOutputs& out,
                             const LstmBackwardScratch<T>& scratch, T* grad_weight) {
  const std::int64_t sums = 4 * p.H, steps = (p.T - 1) * p.N;
  const T* grad = scratch.grad_sums + (p.reverse ? 0 : p.N * sums);
  const T* before = static_cast<const T*>(out.output) + (p.reverse ? p.N * p.output_stride() : 0);
  gemm<T>(sums, p.H, steps, {grad, 1, sums}, {before, p.output_stride(), 1}, nullptr, false, grad_weight, p.H,
          scratch.gemm);
  if (in.h_0)
    gemm<T>(sums, p.H, p.N, {scratch.grad_sums + lstm_first_row(p, 0) * sums, 1, sums},
            {static_cast<const T*>(in.h_0), p.H, 1}, nullptr, true, grad_weight, p.H, scratch.gemm);
}

template <class T>
void lstm_backward_sequence(void* workspace, const LstmParams& p, const LstmOutputGradients& grads,
                            const LstmInputs& in, const LstmOutputs& out, const LstmInputGradients& to) {
  LstmScratch memory{static_cast<char*>(workspace)};
  const LstmBackwardScratch<T> scratch(p, memory);
  const std::int64_t rows = p.T * p.N, sums = 4 * p.H;
  if (p.T > 1) {
    const auto* weight = static_cast<const T*>(in.weight_hh);
    pack_step_matrix(scratch.recurrent, p.H, 1, [&](std::int64_t panel, int v) {
      const std::int64_t unit = (panel * lstm_grad_vectors + v) * lanes<T>;
      return StepColumns<T>{weight + std::min(unit, p.H),
                            static_cast<int>(std::clamp<std::int64_t>(p.H - unit, 0, lanes<T>))};
    });
  }
  if (grads.c_n)
    std::copy_n(static_cast<const T*>(grads.c_n), p.N * p.H, scratch.grad_cell);
  else
    std::fill_n(scratch.grad_cell, p.N * p.H, T(0));
  for (std::int64_t s = p.T - 1; s >= 0; --s) lstm_backward_step(p, s, grads, in, out, scratch);

  if (to.h_0)
    gemm<T>(p.N, p.H, sums, {scratch.grad_sums + lstm_first_row(p, 0) * sums, sums, 1},
            {static_cast<const T*>(in.weight_hh), p.H, 1}, nullptr, false, static_cast<T*>(to.h_0), p.H,
            scratch.gemm);
  if (to.c_0) std::copy_n(scratch.grad_cell, p.N * p.H, static_cast<T*>(to.c_0));
  if (to.weight_hh) lstm_backward_weight_hh(p, in, out, scratch, static_cast<T*>(to.weight_hh));
  if (to.weight_ih)
    gemm<T>(sums, p.I, rows, {scratch.grad_sums, 1, sums}, {static_cast<const T*>(in.input), p.I, 1}, nullptr,
            false, static_cast<T*>(to.weight_ih), p.I, scratch.gemm);
  for (void* bias : {to.bias_ih, to.bias_hh})
    if (bias) sum_rows<T>(scratch.grad_sums, rows, sums, static_cast<T*>(bias));
  if (to.input)
    gemm<T>(rows, p.I, sums, {scratch.grad_sums, sums, 1}, {static_cast<const T*>(in.weight_ih), p.I, 1},
            nullptr, to.accumulate_input, static_cast<T*>(to.input), p.I, scratch.gemm);
}

std::size_t lstm_forward_workspace_bytes(const LstmParams& params) {
  LstmScratch scratch{nullptr};
  with_type(params.dtype, [&]<class T>(T) { LstmForwardScratch<T>(params, scratch); });
  return scratch.bytes;
}

Status lstm_forward(const Launch& launch, const LstmParams& params, const LstmInputs& inputs,
                    const LstmOutputs& outputs) {
  with_type(params.dtype,
            [&]<class T>(T) { lstm_forward_sequence<T>(launch.workspace, params, inputs, outputs); });
  return {};
}

std::size_t lstm_backward_workspace_bytes(const LstmParams& params) {
  LstmScratch scratch{nullptr};
  with_type(params.dtype, [&]<class T>(T) { LstmBackwardScratch<T>(params, scratch); });
  return scratch.bytes;
}

Status lstm_backward(const Launch& launch, const LstmParams& params, const LstmOutputGradients& gradients,
                     const LstmInputs& inputs, const LstmOutputs& outputs, const LstmInputGradients& to) {
  with_type(params.dtype, [&]<class T>(T) {
    lstm_backward_sequence<T>(launch.workspace, params, gradients, inputs, outputs, to);
  });
  return {};
}

}  // namespace

void fill_lstm(LstmKernels& kernels) {
  kernels = {lstm_forward_workspace_bytes, lstm_forward, lstm_backward_workspace_bytes, lstm_backward};
}

}  // namespace fastdl::FASTDL_ISA
