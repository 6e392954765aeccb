"""Long short-term memory: one step, and whole sequences through one or more layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core, _tape
from fastdl.autograd import Op, enable_grad, grad
from fastdl.functional._arguments import flag, integer, operand, probability
from fastdl.functional._recurrent import check_state, layer_parameters, run_layers


class LSTMLayer(Op):
    """One layer over a whole sequence, in one direction or in both."""

    fresh = True

    @staticmethod
    def forward(
        ctx: Any, input: Any, h_0: Any, c_0: Any, has_biases: bool, bidirectional: bool, *weights: Any
    ) -> tuple[Any, ...]:
        ctx.options = has_biases, bidirectional
        output, h_n, c_n, reserve = _core.lstm_forward(
            input, h_0, c_0, weights, has_biases, bidirectional, True in ctx.needs_input_grad
        )
        ctx.save(output, reserve, input, h_0, c_0, *weights)
        return output, h_n, c_n

    @staticmethod
    def backward(ctx: Any, grad_output: Any, grad_h_n: Any, grad_c_n: Any) -> tuple[Any, ...]:
        output, reserve, input, h_0, c_0, *weights = ctx.saved
        needs = [need for at, need in enumerate(ctx.needs_input_grad) if at not in (3, 4)]
        grads = _core.lstm_backward(
            *(grad_output, grad_h_n, grad_c_n, input, h_0, c_0, tuple(weights)),
            *(*ctx.options, output, reserve, needs),
        )
        return *grads[:3], None, None, *grads[3:]


class LSTMCell(Op):
    """One step."""

    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, h_0: Any, c_0: Any, *weights: Any) -> tuple[Any, ...]:
        h, c, reserve = _core.lstm_cell_forward(input, h_0, c_0, weights, True in ctx.needs_input_grad)
        ctx.save(reserve, input, h_0, c_0, *weights)
        return h, c

    @staticmethod
    def backward(ctx: Any, grad_h: Any, grad_c: Any) -> tuple[Any, ...]:
        reserve, input, h_0, c_0, *weights = ctx.saved
        return _core.lstm_cell_backward(
            grad_h, grad_c, input, h_0, c_0, tuple(weights), reserve, ctx.needs_input_grad
        )


def _states(op: str, hx: Any) -> tuple[Any, Any]:
    if hx is None:
        return None, None
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        raise ValueError(f"[{op}] hx: expected a pair (h_0, c_0) or None, got {type(hx).__name__}")
    return hx[0], hx[1]


def lstm_cell(input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None) -> Any:
    """One step of an LSTM.

    Args:
        input: (N, I), float32, float64 or bfloat16.
        hx: (h, c) of the step before, each (N, H); None for zeros.
        w_ih: (4 H, I), and w_hh: (4 H, H), with the gates in the order input, forget, cell, output.
        b_ih, b_hh: (4 H) each, or None.

    Returns:
        (h, c), each (N, H): c = f c + i g and h = o tanh(c), where (i, f, g, o) are sigmoid, sigmoid, tanh and
        sigmoid of w_ih x + b_ih + w_hh h + b_hh.

    Raises:
        ValueError: shapes that do not fit together.
        TypeError: dtypes that differ or are not floating.

    Source: S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, Neural Computation 9(8), 1997; with the
    forget gate of F. Gers et al., Learning to Forget, Neural Computation 12(10), 2000.
    """
    return LSTMCell.apply(input, *_states("lstm_cell", hx), w_ih, w_hh, b_ih, b_hh)


def lstm(
    input: Any,
    hx: Any,
    params: Sequence[Any],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Any, Any, Any]:
    """An LSTM of one or more layers over whole sequences.

    Args:
        input: (T, N, I), or (N, T, I) with `batch_first`; float32, float64 or bfloat16.
        hx: (h_0, c_0), each (num_layers * D, N, H) with D = 2 where `bidirectional`, else 1; None for zeros.
        params: for each layer, and in it for each direction, weight_ih (4 H, I or D * H), weight_hh (4 H, H)
            and, with `has_biases`, bias_ih and bias_hh (4 H). See `lstm_cell`.
        dropout: the probability with which an output of a layer that is not the last is zeroed, if `train`.

    Returns:
        The last layer's output (T, N, D * H) or (N, T, D * H), and h_n and c_n, shaped like h_0 and c_0.

    bfloat16 is that of ml_dtypes. h is rounded to it in every step, to nearest even, and the next step reads what is
    returned; so are, in backward, the gradients of the sums before activation, which go into all products and into
    the biases' sums. Sums, gates, c from step to step and its gradient are float32, and results are rounded once.
    With AVX512_BF16, subnormal numbers count as zero in products. Dropout between layers does not take bfloat16.

    Raises:
        ValueError: shapes that do not fit together, a sequence without a step, the wrong number of params.
        TypeError: dtypes that differ or are not floating; bfloat16 with dropout between layers in training.

    Source: as for `lstm_cell`; both directions: M. Schuster and K. Paliwal, Bidirectional Recurrent Neural
    Networks, IEEE Transactions on Signal Processing 45(11), 1997.
    """
    op, input = "lstm", operand("lstm", "input", input)
    num_layers, dropout = integer(op, "num_layers", num_layers), probability(op, "dropout", dropout)
    has_biases, train = flag(op, "has_biases", has_biases), flag(op, "train", train)
    bidirectional, batch_first = (
        flag(op, "bidirectional", bidirectional),
        flag(op, "batch_first", batch_first),
    )
    layers = layer_parameters(op, params, has_biases, num_layers, bidirectional)
    h_0, c_0 = states = _states(op, hx)
    directions = 2 if bidirectional else 1
    if len(input.shape) != 3:
        raise ValueError(
            f"[lstm] input: expected {'(N, T, I)' if batch_first else '(T, N, I)'}, got {tuple(input.shape)}"
        )
    recurrent = layers[0][1].shape
    if len(recurrent) != 2:
        raise ValueError(f"[lstm] params[1]: expected (4 H, H), got {tuple(recurrent)}")
    batch, hidden_size = input.shape[0 if batch_first else 1], recurrent[1]
    for name, state in (("h_0", h_0), ("c_0", c_0)):
        if state is not None:
            check_state("lstm", name, state, (num_layers * directions, batch, hidden_size))

    def layer(x: Any, initial: tuple[Any, ...], own: tuple[Any, ...]) -> tuple[Any, ...]:
        return LSTMLayer.apply(x, *initial, has_biases, bidirectional, *own)

    output, h_n, c_n = run_layers(layer, input, states, layers, directions, dropout, train, batch_first)
    return output, h_n, c_n


def _gradients(op: str, function: Any, grads: dict[str, Any], operands: Sequence[Any]) -> list[Any]:
    """The gradients of `operands` (None stays None) where those of what function(*operands) returns are `grads`."""
    tensors = [None if array is None else _tape.Tensor(array, requires_grad=True) for array in operands]
    with enable_grad():
        outputs = function(*tensors)
    pairs = []
    for out, (name, array) in zip(outputs, grads.items(), strict=True):
        if array is not None:
            if tuple(array.shape) != out.shape:
                raise ValueError(f"[{op}] {name}: expected {out.shape}, got {tuple(array.shape)}")
            pairs.append((out, _tape.Tensor(array)))
    inputs = [tensor for tensor in tensors if tensor is not None]
    found = iter(grad([out for out, _ in pairs], inputs, [g for _, g in pairs], allow_unused=True))
    results = [None if tensor is None else next(found) for tensor in tensors]
    return [None if result is None else result.data for result in results]


def lstm_cell_backward(
    grad_h: Any, grad_c: Any, input: Any, hx: Any, w_ih: Any, w_hh: Any, b_ih: Any = None, b_hh: Any = None
) -> tuple[Any, Any, Any, Any, Any, Any]:
    """The gradients of lstm_cell, on arrays: input, (h, c), w_ih, w_hh, b_ih, b_hh; None for what was None.

    grad_h and grad_c are shaped like lstm_cell's results; one of them may be None.
    """

    def cell(x: Any, h: Any, c: Any, *weights: Any) -> Any:
        return LSTMCell.apply(x, h, c, *weights)

    operands = [input, *_states("lstm_cell", hx), w_ih, w_hh, b_ih, b_hh]
    grad_input, h, c, *weights = _gradients("lstm_cell", cell, {"grad_h": grad_h, "grad_c": grad_c}, operands)
    return grad_input, (h, c), weights[0], weights[1], weights[2], weights[3]


def lstm_backward(
    grad_output: Any,
    grad_h_n: Any,
    grad_c_n: Any,
    input: Any,
    hx: Any,
    params: Sequence[Any],
    has_biases: bool,
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Any, Any, list[Any]]:
    """The gradients of lstm without dropout, on arrays: input, (h_0, c_0), and those of `params` in their order.

    The gradients that come in are shaped like lstm's results; two of them may be None.
    """

    def network(x: Any, h_0: Any, c_0: Any, *weights: Any) -> Any:
        state = None if h_0 is None else (h_0, c_0)
        return lstm(x, state, weights, has_biases, num_layers, 0.0, False, bidirectional, batch_first)

    operands = [input, *_states("lstm", hx), *params]
    grads = {"grad_output": grad_output, "grad_h_n": grad_h_n, "grad_c_n": grad_c_n}
    grad_input, h_0, c_0, *weights = _gradients("lstm", network, grads, operands)
    return grad_input, (h_0, c_0), weights
