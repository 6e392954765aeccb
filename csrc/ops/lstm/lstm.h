#pragma once

#include "core/backend.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace fastdl {

/// One layer of an LSTM in one direction, over a whole sequence (S. Hochreiter and J. Schmidhuber, Neural
/// Computation 9(8), 1997; forget gate: F. Gers et al., Neural Computation 12(10), 2000):
///
///   (i, f, g, o) = (sigmoid, sigmoid, tanh, sigmoid)(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)
///   c_t = f c_{t-1} + i g
///   h_t = o tanh(c_t)
///
/// with t-1 standing for t+1, and the sequence walked from its end, where `reverse`. A cell is a sequence of
/// one step.
struct LstmParams {
  DType dtype;
  std::int64_t T;           ///< time steps, at least 1
  std::int64_t N;           ///< batch
  std::int64_t I;           ///< input features
  std::int64_t H;           ///< hidden units, at least 1
  std::int64_t directions;  ///< 1 or 2; a row of `output` holds the units of all directions
  bool reverse;
  bool keep_reserve = true;  ///< whether forward writes the reserve, for a backward pass to read
  bool rounded = false;      ///< inside a float32 pass on wider copies: h and the sums' gradients as bfloat16

  /// From row to row of `output` and of its gradient, in elements.
  std::int64_t output_stride() const { return directions * H; }
  /// (i, f, g, o) activated, then c_t: a row of the reserve.
  std::int64_t reserve_row() const { return 5 * H; }
  /// The reserve's: what a backward pass computes in.
  DType reserve_dtype() const { return dtype == DType::bfloat16 ? DType::float32 : dtype; }
};

/// What forward reads; backward reads it again. C-contiguous; nothing aliases an output.
struct LstmInputs {
  const void* input;      ///< (T, N, I)
  const void* h_0;        ///< (N, H); null for zeros
  const void* c_0;        ///< (N, H); null for zeros
  const void* weight_ih;  ///< (4 H, I), gates in the order i, f, g, o
  const void* weight_hh;  ///< (4 H, H), likewise
  const void* bias_ih;    ///< (4 H); null for none
  const void* bias_hh;    ///< (4 H); null for none
};

/// What forward writes, and backward reads where it says so. The caller owns all of it.
struct LstmOutputs {
  void* output;   ///< (T, N) rows of H, output_stride() apart; backward reads it
  void* h_n;      ///< (N, H), the last h that was computed; may be null
  void* c_n;      ///< (N, H), likewise
  void* reserve;  ///< (T, N, 5 H) of reserve_dtype(); backward reads it; null without keep_reserve
};

/// Gradients that come in; each may be null, for zeros.
struct LstmOutputGradients {
  const void* output;  ///< rows like those of output
  const void* h_n;     ///< (N, H)
  const void* c_n;     ///< (N, H)
};

/// Gradients that go out, shaped like what they belong to; each may be null. They alias nothing.
struct LstmInputGradients {
  void* input;
  void* h_0;
  void* c_0;
  void* weight_ih;
  void* weight_hh;
  void* bias_ih;
  void* bias_hh;
  /// Add to `input`: the other direction has been there, with the same workspace. Of two directions of
  /// bfloat16, the second writes `input`, and the sum is rounded once.
  bool accumulate_input;
};

struct LstmKernels {
  std::size_t (*forward_workspace_bytes)(const LstmParams&);
  Status (*forward)(const Launch&, const LstmParams&, const LstmInputs&, const LstmOutputs&);

  std::size_t (*backward_workspace_bytes)(const LstmParams&);
  Status (*backward)(const Launch&, const LstmParams&, const LstmOutputGradients&, const LstmInputs&,
                     const LstmOutputs&, const LstmInputGradients&);
};

/// The shape rule of a layer: input (T, N, I), `directions` 1 or 2; H is told by weight_hh. The result is
/// that of the forward direction. Throws ValueError or TypeError.
LstmParams lstm_params(const Shape& input, DType input_dtype, const Shape& weight_hh,
                       std::int64_t directions);

/// The shape rule of a cell: input (N, I).
LstmParams lstm_cell_params(const Shape& input, DType input_dtype, const Shape& weight_hh);

/// The operands of one direction. The biases may be null.
void check_lstm_weights(const char* op, const LstmParams& params, const Shape& weight_ih,
                        DType weight_ih_dtype, const Shape& weight_hh, DType weight_hh_dtype,
                        const Shape* bias_ih, DType bias_ih_dtype, const Shape* bias_hh, DType bias_hh_dtype);

}  // namespace fastdl
