"""An activation that an op applies to its own results while it writes them."""

from __future__ import annotations

from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import number

Fused = tuple[int, float]
"""The kind, as `_core` numbers them, and the slope of leaky_relu."""

_KINDS = {"relu": 1, "leaky_relu": 2, "sigmoid": 3, "tanh": 4}
_BACKWARD: dict[int, Any] = {
    1: _core.relu_backward,
    2: _core.leaky_relu_backward,
    3: _core.sigmoid_backward,
    4: _core.tanh_backward,
}


def fused(op: str, activation: str, negative_slope: float) -> Fused:
    """The arguments `activation`, where it is not None, and `negative_slope` of an op or a layer.

    A negative slope is refused: the output must tell the sign of the input, for nothing else is kept for backward.
    """
    kind = _KINDS.get(activation) if isinstance(activation, str) else None
    if kind is None:
        expected = ", ".join(map(repr, _KINDS))
        raise ValueError(f"[{op}] activation: expected None or one of {expected}, got {activation!r}")
    slope = number(op, "negative_slope", negative_slope)
    if activation == "leaky_relu" and not slope >= 0:
        raise ValueError(f"[{op}] negative_slope: expected at least 0, got {negative_slope!r}")
    return kind, slope


def before_activation(fused: Fused, grad_output: Any, output: Any) -> Any:
    """The gradient with respect to what the activation was applied to, from the activated output."""
    kind, slope = fused
    return _BACKWARD[kind](grad_output, output, slope)


def activated_op(name: str, forward: Any, backward: Any) -> type[Op]:
    """The op of `input, weight, bias, options, fused` that `forward(*fused, input, weight, bias, *options)` runs, and
    `backward(grad, input, weight, *options, *needs_input_grad)` from the gradient before the activation."""

    class Activated(Op):
        fresh = True

        @staticmethod
        def forward(
            ctx: Any, input: Any, weight: Any, bias: Any, options: tuple[Any, ...], fused: Fused
        ) -> Any:
            y = forward(*fused, input, weight, bias, *options)
            ctx.saved = (input, weight, y)
            ctx.options = options, fused
            return y

        @staticmethod
        def backward(ctx: Any, grad_output: Any) -> Any:
            (input, weight, y), (options, fused) = ctx.saved, ctx.options
            grad = before_activation(fused, grad_output, y)
            return *backward(grad, input, weight, *options, *ctx.needs_input_grad[:3]), None, None

    Activated.__name__ = Activated.__qualname__ = name
    return Activated
