#include "ops/lstm/lstm.h"

#include "core/check.h"
#include "core/error.h"

namespace fastdl {
namespace {

/// H, from weight_hh (4 H, H).
std::int64_t hidden_size(const char* op, const Shape& weight_hh) {
  if (weight_hh.size() != 2 || weight_hh[1] < 1 || weight_hh[0] != 4 * weight_hh[1])
    throw ValueError(concat("[", op, "] weight_hh: expected (4 H, H) with H of at least 1, got ", weight_hh));
  return weight_hh[1];
}

}  // namespace

LstmParams lstm_params(const Shape& input, DType input_dtype, const Shape& weight_hh,
                       std::int64_t directions) {
  check_floating_or_bfloat16("lstm", "input", input_dtype);
  if (input.size() != 3) throw ValueError(concat("[lstm] input: expected (T, N, I), got ", input));
  if (input[0] < 1)
    throw ValueError(concat("[lstm] input: expected a sequence of at least one step, got ", input));
  return {input_dtype, input[0], input[1], input[2], hidden_size("lstm", weight_hh), directions, false};
}

LstmParams lstm_cell_params(const Shape& input, DType input_dtype, const Shape& weight_hh) {
  check_floating_or_bfloat16("lstm_cell", "input", input_dtype);
  if (input.size() != 2) throw ValueError(concat("[lstm_cell] input: expected (N, I), got ", input));
  return {input_dtype, 1, input[0], input[1], hidden_size("lstm_cell", weight_hh), 1, false};
}

void check_lstm_weights(const char* op, const LstmParams& params, const Shape& weight_ih,
                        DType weight_ih_dtype, const Shape& weight_hh, DType weight_hh_dtype,
                        const Shape* bias_ih, DType bias_ih_dtype, const Shape* bias_hh,
                        DType bias_hh_dtype) {
  const std::int64_t sums = 4 * params.H;
  check_same_dtype(op, "weight_ih", weight_ih_dtype, params.dtype);
  check_same_dtype(op, "weight_hh", weight_hh_dtype, params.dtype);
  if (!(weight_hh == Shape{sums, params.H}))
    throw ValueError(concat("[", op, "] weight_hh: expected ", Shape{sums, params.H}, ", got ", weight_hh));
  if (!(weight_ih == Shape{sums, params.I}))
    throw ValueError(concat("[", op, "] weight_ih: expected ", Shape{sums, params.I}, " for ", params.I,
                            " input features and weight_hh of shape ", weight_hh, ", got ", weight_ih));
  if (bias_ih != nullptr) {
    check_same_dtype(op, "bias_ih", bias_ih_dtype, params.dtype);
    check_shape(op, "bias_ih", *bias_ih, Shape{sums}, "weight_hh", weight_hh);
  }
  if (bias_hh != nullptr) {
    check_same_dtype(op, "bias_hh", bias_hh_dtype, params.dtype);
    check_shape(op, "bias_hh", *bias_hh, Shape{sums}, "weight_hh", weight_hh);
  }
}

}  // namespace fastdl
