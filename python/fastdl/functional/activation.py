"""relu, leaky_relu, sigmoid and tanh, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl import _core
from fastdl._alloc import copy_like, into
from fastdl.autograd import Op
from fastdl.functional._arguments import number
from fastdl.functional._operands import to_float


def _is_array_of(input: Any, kinds: str) -> bool:
    return isinstance(input, np.ndarray) and input.dtype.kind in kinds


class Relu(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, in_place: bool) -> Any:
        if _is_array_of(input, "iu"):
            return (
                np.maximum(input, 0, out=input) if in_place else into(np.maximum, input, input.dtype.type(0))
            )
        y = _core.relu_forward(input, in_place)
        ctx.saved = (y,)
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        return _core.relu_backward(grad_output, *ctx.saved), None


class LeakyRelu(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, in_place: bool, negative_slope: float) -> Any:
        ctx.negative_slope = negative_slope
        # The output has the input's signs, which is all that backward looks at, unless the slope is negative.
        saved = (
            copy_like(input, input) if in_place and negative_slope < 0 and ctx.needs_input_grad[0] else input
        )
        y = _core.leaky_relu_forward(input, in_place, negative_slope)
        ctx.save(saved)
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        return _core.leaky_relu_backward(grad_output, ctx.saved[0], ctx.negative_slope), None, None


class Sigmoid(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, in_place: bool) -> Any:
        y = _core.sigmoid_forward(_promoted(input, in_place), in_place)
        ctx.saved = (y,)
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        return _core.sigmoid_backward(grad_output, *ctx.saved), None


class Tanh(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, in_place: bool) -> Any:
        y = _core.tanh_forward(_promoted(input, in_place), in_place)
        ctx.saved = (y,)
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        return _core.tanh_backward(grad_output, *ctx.saved), None


def _promoted(input: Any, in_place: bool) -> Any:
    """Integers as float32, where the result does not have to fit into their memory."""
    return to_float(input) if not in_place and _is_array_of(input, "iub") else input


def _apply(op: type[Op], input: Any, in_place: bool, *options: Any) -> Any:
    if in_place and hasattr(input, "_overwrite"):
        return input._overwrite(op, True, *options)
    return op.apply(input, in_place, *options)


def relu(input: Any, inplace: bool = False) -> Any:
    """max(input, 0), element by element.

    Args:
        input: any shape; float32, float64 or integers. NaN stays NaN.
        inplace: write the result over `input`, and return that.

    Returns:
        An array like `input`, in the same order in memory.

    Raises:
        TypeError: other dtypes.
        ValueError: inplace on a read-only array.
    """
    return _apply(Relu, input, inplace) if inplace else Relu.apply(input, inplace)


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Any:
    """`input` where it is positive, elsewhere negative_slope times that; float32 or float64. See `relu`.

    Source: A. Maas et al., Rectifier Nonlinearities Improve Neural Network Acoustic Models, ICML 2013.
    """
    return _apply(LeakyRelu, input, inplace, number("leaky_relu", "negative_slope", negative_slope))


def sigmoid(input: Any) -> Any:
    """1 / (1 + exp(-input)), element by element, at most 2 ULP off; integers are taken as float32."""
    return _apply(Sigmoid, input, False)


def tanh(input: Any) -> Any:
    """The hyperbolic tangent, element by element, at most 2 ULP off; integers are taken as float32."""
    return _apply(Tanh, input, False)


def relu_(input: Any) -> Any:
    """`relu` in place."""
    return _apply(Relu, input, True)


def leaky_relu_(input: Any, negative_slope: float = 0.01) -> Any:
    """`leaky_relu` in place."""
    return _apply(LeakyRelu, input, True, number("leaky_relu", "negative_slope", negative_slope))


def sigmoid_(input: Any) -> Any:
    """`sigmoid` in place."""
    return _apply(Sigmoid, input, True)


def tanh_(input: Any) -> Any:
    """`tanh` in place."""
    return _apply(Tanh, input, True)


def relu_backward(grad_output: Any, output: Any) -> Any:
    """The gradient of relu, from its output, on arrays."""
    return _core.relu_backward(grad_output, output)


def leaky_relu_backward(grad_output: Any, input: Any, negative_slope: float = 0.01) -> Any:
    """The gradient of leaky_relu, from its input, on arrays."""
    return _core.leaky_relu_backward(
        grad_output, input, number("leaky_relu", "negative_slope", negative_slope)
    )


def sigmoid_backward(grad_output: Any, output: Any) -> Any:
    """The gradient of sigmoid, from its output, on arrays."""
    return _core.sigmoid_backward(grad_output, output)


def tanh_backward(grad_output: Any, output: Any) -> Any:
    """The gradient of tanh, from its output, on arrays."""
    return _core.tanh_backward(grad_output, output)
