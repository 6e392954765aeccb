"""The compiled module: validation, outputs, and the kernels behind them. Arguments are positional."""

from collections.abc import Sequence
from typing import Any

from numpy import ndarray

Pair = Sequence[int]

def active_isa() -> str: ...
def adam_step(
    params: Any,
    grads: Any,
    exp_avgs: Any,
    exp_avg_sqs: Any,
    max_exp_avg_sqs: Any,
    steps: Sequence[int],
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    amsgrad: bool,
    maximize: bool,
    decoupled_weight_decay: bool,
    /,
) -> None: ...
def adaptive_avg_pool2d_backward(
    grad: Any, extents: Sequence[int], strides: Sequence[int] | None, output_size: Sequence[int | None], /
) -> ndarray: ...
def adaptive_avg_pool2d_forward(x: Any, output_size: Sequence[int | None], /) -> ndarray: ...
def adaptive_max_pool2d_backward(
    grad: Any,
    indices: Any,
    extents: Sequence[int],
    strides: Sequence[int] | None,
    output_size: Sequence[int | None],
    /,
) -> ndarray: ...
def adaptive_max_pool2d_forward(
    x: Any, output_size: Sequence[int | None], needs_indices: bool, needs_taps: bool, /
) -> tuple[Any, ...]: ...
def adaptive_max_pool2d_taps_backward(
    grad: Any,
    taps: Any,
    extents: Sequence[int],
    strides: Sequence[int] | None,
    output_size: Sequence[int | None],
    /,
) -> ndarray: ...
def arithmetic(operation: int, output: Any, x: Any, y: Any = None) -> bool: ...
def as_array(op: str, argument: str, object: Any, /) -> ndarray: ...
def avg_pool2d_backward(
    grad: Any,
    extents: Sequence[int],
    strides: Sequence[int] | None,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    /,
) -> ndarray: ...
def avg_pool2d_forward(
    x: Any,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None,
    /,
) -> ndarray: ...
def batch_norm_activated_forward(
    activation: int,
    negative_slope: float,
    x: Any,
    mean: Any,
    var: Any,
    weight: Any,
    bias: Any,
    training: bool,
    momentum: float,
    eps: float,
    /,
) -> tuple[Any, ...]: ...
def batch_norm_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    mean: Any,
    invstd: Any,
    training: bool,
    eps: float,
    needs_input: bool,
    needs_weight: bool,
    needs_bias: bool,
    /,
) -> tuple[Any, ...]: ...
def batch_norm_forward(
    x: Any, mean: Any, var: Any, weight: Any, bias: Any, training: bool, momentum: float, eps: float, /
) -> tuple[Any, ...]: ...
def built_isas() -> list[str]: ...
def conv2d_activated_forward(
    activation: int,
    negative_slope: float,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Pair,
    padding_before: Pair,
    padding_after: Pair,
    dilation: Pair,
    groups: int,
    /,
) -> ndarray: ...
def conv2d_backward(
    grad: Any,
    x: Any,
    weight: Any,
    stride: Pair,
    padding_before: Pair,
    padding_after: Pair,
    dilation: Pair,
    groups: int,
    needs_input: bool,
    needs_weight: bool,
    needs_bias: bool,
    /,
) -> tuple[Any, ...]: ...
def conv2d_forward(
    x: Any,
    weight: Any,
    bias: Any,
    stride: Pair,
    padding_before: Pair,
    padding_after: Pair,
    dilation: Pair,
    groups: int,
    /,
) -> ndarray: ...
def conv2d_variants(
    input: Sequence[int],
    weight: Sequence[int],
    dtype: Any,
    stride: Pair,
    padding_before: Pair,
    padding_after: Pair,
    dilation: Pair,
    groups: int,
    /,
) -> dict[str, str]: ...
def conv_transpose2d_activated_forward(
    activation: int,
    negative_slope: float,
    x: Any,
    weight: Any,
    bias: Any,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    groups: int,
    dilation: Pair,
    /,
) -> ndarray: ...
def conv_transpose2d_backward(
    grad: Any,
    x: Any,
    weight: Any,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    groups: int,
    dilation: Pair,
    needs_input: bool,
    needs_weight: bool,
    needs_bias: bool,
    /,
) -> tuple[Any, ...]: ...
def conv_transpose2d_forward(
    x: Any,
    weight: Any,
    bias: Any,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    groups: int,
    dilation: Pair,
    /,
) -> ndarray: ...
def conv_transpose2d_variants(
    input: Sequence[int],
    weight: Sequence[int],
    dtype: Any,
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    groups: int,
    dilation: Pair,
    /,
) -> dict[str, str]: ...
def cpu_model() -> str: ...
def cross_entropy_backward(
    grad_loss: Any,
    input: Any,
    target: Any,
    weight: Any,
    row_statistics: Any,
    total_weight: Any,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
    needs_input: bool,
    needs_target: bool,
    /,
) -> tuple[Any, ...]: ...
def cross_entropy_forward(
    input: Any,
    target: Any,
    weight: Any,
    reduction: str,
    ignore_index: int,
    label_smoothing: float,
    wants_gradient: bool,
    /,
) -> tuple[Any, ...]: ...
def dropout_forward(input: Any, p: float, seed: int, offset: int, in_place: bool, /) -> ndarray: ...
def embedding_backward(
    grad: Any, indices: Any, weight: Any, padding_idx: int | None, scale_grad_by_freq: bool, /
) -> ndarray: ...
def embedding_forward(indices: Any, weight: Any, padding_idx: int | None, /) -> ndarray: ...
def empty(shape: Sequence[int], dtype: Any) -> ndarray: ...
def empty_cache() -> None: ...
def force_isa(name: str) -> None: ...
def get_float32_precision() -> str: ...
def get_num_threads() -> int: ...
def leaky_relu_backward(grad_output: Any, saved: Any, negative_slope: float = 0.0, /) -> ndarray: ...
def leaky_relu_forward(input: Any, in_place: bool, negative_slope: float = 0.0, /) -> ndarray: ...
def linear_activated_forward(
    activation: int, negative_slope: float, x: Any, weight: Any, bias: Any, /
) -> ndarray: ...
def linear_backward(
    grad: Any, x: Any, weight: Any, needs_input: bool, needs_weight: bool, needs_bias: bool, /
) -> tuple[Any, ...]: ...
def linear_forward(x: Any, weight: Any, bias: Any, /) -> ndarray: ...
def log_softmax_backward(grad_output: Any, output: Any, dim: int, /) -> ndarray: ...
def log_softmax_forward(input: Any, dim: int, /) -> ndarray: ...
def lstm_backward(
    grad_output: Any,
    grad_h_n: Any,
    grad_c_n: Any,
    input: Any,
    h_0: Any,
    c_0: Any,
    weights: tuple[Any, ...],
    has_biases: bool,
    bidirectional: bool,
    output: Any,
    reserve: Any,
    needs: Sequence[bool],
    /,
) -> tuple[Any, ...]: ...
def lstm_cell_backward(
    grad_h: Any,
    grad_c: Any,
    input: Any,
    h_0: Any,
    c_0: Any,
    weights: tuple[Any, ...],
    reserve: Any,
    needs: Sequence[bool],
    /,
) -> tuple[Any, ...]: ...
def lstm_cell_forward(
    input: Any, h_0: Any, c_0: Any, weights: tuple[Any, ...], keep_reserve: bool, /
) -> tuple[Any, ...]: ...
def lstm_forward(
    input: Any,
    h_0: Any,
    c_0: Any,
    weights: tuple[Any, ...],
    has_biases: bool,
    bidirectional: bool,
    keep_reserve: bool,
    /,
) -> tuple[Any, ...]: ...
def matmul_forward(input: Any, other: Any, /) -> ndarray: ...
def max_pool2d_backward(
    grad: Any,
    indices: Any,
    extents: Sequence[int],
    strides: Sequence[int] | None,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
    /,
) -> ndarray: ...
def max_pool2d_forward(
    x: Any,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
    needs_indices: bool,
    needs_taps: bool,
    /,
) -> tuple[Any, ...]: ...
def measure_copy_bandwidth(bytes: int) -> float: ...
def measure_fma_peak() -> float: ...
def measure_read_bandwidth(bytes: int) -> float: ...
def max_pool2d_taps_backward(
    grad: Any,
    taps: Any,
    extents: Sequence[int],
    strides: Sequence[int] | None,
    kernel_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
    /,
) -> ndarray: ...
def memory_stats() -> dict[str, int]: ...
def op_names() -> list[str]: ...
def pad_backward(grad: Any, input_size: Sequence[int], pad: Sequence[int], mode: str, /) -> ndarray: ...
def pad_forward(x: Any, pad: Sequence[int], mode: str, value: Any, /) -> ndarray: ...
def relu_backward(grad_output: Any, saved: Any, negative_slope: float = 0.0, /) -> ndarray: ...
def relu_forward(input: Any, in_place: bool, negative_slope: float = 0.0, /) -> ndarray: ...
def reset_peak_memory_stats() -> None: ...
def rmsprop_step(
    params: Any,
    grads: Any,
    square_avgs: Any,
    grad_avgs: Any,
    momentum_buffers: Any,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
    maximize: bool,
    /,
) -> None: ...
def set_bf16_dot(wanted: bool) -> bool: ...
def set_float32_precision(precision: str) -> None: ...
def set_num_threads(threads: int) -> None: ...
def take_most_chunks() -> int: ...
def sgd_step(
    params: Any,
    grads: Any,
    momentum_buffers: Any,
    first_steps: Sequence[bool],
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    /,
) -> None: ...
def sigmoid_backward(grad_output: Any, saved: Any, negative_slope: float = 0.0, /) -> ndarray: ...
def sigmoid_forward(input: Any, in_place: bool, negative_slope: float = 0.0, /) -> ndarray: ...
def softmax_backward(grad_output: Any, output: Any, dim: int, /) -> ndarray: ...
def softmax_forward(input: Any, dim: int, /) -> ndarray: ...
def square_sum(arrays: Any, /) -> float: ...
def supported_isas() -> list[str]: ...
def tanh_backward(grad_output: Any, saved: Any, negative_slope: float = 0.0, /) -> ndarray: ...
def tanh_forward(input: Any, in_place: bool, negative_slope: float = 0.0, /) -> ndarray: ...
def use_host_backend(library_path: str) -> None: ...
def bf16_dot() -> bool: ...
def binary_cross_entropy_backward(
    grad_loss: Any,
    input: Any,
    target: Any,
    weight: Any,
    reduction: str,
    needs_input: bool,
    needs_target: bool,
    /,
) -> tuple[Any, ...]: ...
def binary_cross_entropy_forward(input: Any, target: Any, weight: Any, reduction: str, /) -> ndarray: ...
def binary_cross_entropy_with_logits_backward(
    grad_loss: Any,
    input: Any,
    target: Any,
    weight: Any,
    pos_weight: Any,
    reduction: str,
    needs_input: bool,
    needs_target: bool,
    /,
) -> tuple[Any, ...]: ...
def binary_cross_entropy_with_logits_forward(
    input: Any, target: Any, weight: Any, pos_weight: Any, reduction: str, /
) -> ndarray: ...
def mse_loss_backward(
    grad_loss: Any, input: Any, target: Any, reduction: str, needs_input: bool, needs_target: bool, /
) -> tuple[Any, ...]: ...
def mse_loss_forward(input: Any, target: Any, reduction: str, /) -> ndarray: ...
def nll_loss_backward(
    grad_loss: Any,
    input: Any,
    target: Any,
    weight: Any,
    total_weight: Any,
    ignore_index: int,
    reduction: str,
    /,
) -> ndarray: ...
def nll_loss_forward(
    input: Any, target: Any, weight: Any, ignore_index: int, reduction: str, /
) -> tuple[Any, ...]: ...
