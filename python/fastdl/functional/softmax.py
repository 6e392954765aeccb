"""Softmax and its logarithm."""

from __future__ import annotations

import warnings
from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import operand
from fastdl.functional._operands import normalize_axis
from fastdl.functional.shape import cast


class Softmax(Op):
    @staticmethod
    def forward(ctx: Any, input: Any, dim: int) -> Any:
        ctx.dim = normalize_axis("softmax", dim, input.ndim)
        y = _core.softmax_forward(input, ctx.dim)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        return _core.softmax_backward(grad_output, ctx.saved[0], ctx.dim), None


class LogSoftmax(Op):
    @staticmethod
    def forward(ctx: Any, input: Any, dim: int) -> Any:
        ctx.dim = normalize_axis("log_softmax", dim, input.ndim)
        y = _core.log_softmax_forward(input, ctx.dim)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        return _core.log_softmax_backward(grad_output, ctx.saved[0], ctx.dim), None


def _implicit_dim(op: str, ndim: int, stacklevel: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {op} has been deprecated. "
        "Change the call to include dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if ndim in (0, 1, 3) else 1


def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """exp(input) divided by its sum over the axis `dim`.

    Args:
        input: any shape, float32 or float64. -inf gives 0 beside finite values; a row with NaN or inf, or of
            -inf alone, gives NaN.
        dim: an axis; None is PyTorch's older default, axis 0 of arrays with 0, 1 or 3 axes, else 1.
        dtype: what to cast `input` to beforehand.

    Returns:
        An array shaped like `input`, in C order.

    Raises:
        IndexError: no such axis.
        TypeError: a dtype that is not float32 or float64.
    """
    input = operand("softmax", "input", input)
    if dim is None:
        dim = _implicit_dim("softmax", input.ndim, _stacklevel)
    return Softmax.apply(input if dtype is None else cast(input, dtype), dim)


def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    """The logarithm of `softmax`, whose arguments these are, without overflow or cancellation."""
    input = operand("log_softmax", "input", input)
    if dim is None:
        dim = _implicit_dim("log_softmax", input.ndim, _stacklevel)
    return LogSoftmax.apply(input if dtype is None else cast(input, dtype), dim)


def softmax_backward(grad_output: Any, output: Any, dim: int) -> Any:
    """The gradient of softmax, from its output, on arrays."""
    output = operand("softmax", "output", output)
    return _core.softmax_backward(grad_output, output, normalize_axis("softmax", dim, output.ndim))


def log_softmax_backward(grad_output: Any, output: Any, dim: int) -> Any:
    """The gradient of log_softmax, from its output, on arrays."""
    output = operand("log_softmax", "output", output)
    return _core.log_softmax_backward(grad_output, output, normalize_axis("log_softmax", dim, output.ndim))


def softmax_along(input: Any, dim: int, dtype: Any = None) -> Any:
    """`functional.softmax` over an axis that must be named; as ``torch.softmax`` and ``Tensor.softmax``."""
    return softmax(input, dim, dtype=dtype)


def log_softmax_along(input: Any, dim: int, dtype: Any = None) -> Any:
    """`functional.log_softmax` over an axis that must be named; as ``torch.log_softmax``."""
    return log_softmax(input, dim, dtype=dtype)
