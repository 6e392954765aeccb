"""tanh, sigmoid, relu, softmax and log_softmax of the Tensor methods, in plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl._alloc import into
from fastdl.autograd import Op
from fastdl.functional._operands import normalize_axis, reduce_into, to_float


class Tanh(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray) -> np.ndarray:
        y = into(np.tanh, to_float(input))
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> np.ndarray:
        slope = into(np.multiply, ctx.saved[0], ctx.saved[0])
        np.subtract(1, slope, out=slope)
        return into(np.multiply, grad, slope)


class Sigmoid(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray) -> np.ndarray:
        x = to_float(input)
        # through exp(-|x|), which cannot overflow
        small = into(np.exp, into(np.negative, into(np.absolute, x)))
        total = small + 1
        y = into(np.divide, np.where(x >= 0, np.ones((), x.dtype), small), total)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> np.ndarray:
        (y,) = ctx.saved
        return into(np.multiply, into(np.multiply, grad, y), into(np.subtract, np.ones((), y.dtype), y))


class Relu(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray) -> np.ndarray:
        x = np.asarray(input)
        y = into(np.maximum, x, np.zeros((), x.dtype))
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> np.ndarray:
        return into(np.multiply, grad, (ctx.saved[0] > 0).astype(grad.dtype))


class Softmax(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, dim: int) -> np.ndarray:
        x = to_float(input)
        ctx.axes = (normalize_axis("softmax", dim, x.ndim),) if x.ndim else ()
        if x.size == 0:
            y = x.copy()
        else:
            y = into(np.exp, into(np.subtract, x, reduce_into(np.maximum, x, ctx.axes, True)))
            y /= reduce_into(np.add, y, ctx.axes, True)
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        (y,) = ctx.saved
        weighed = into(np.multiply, grad, y)
        return into(
            np.subtract, weighed, into(np.multiply, y, reduce_into(np.add, weighed, ctx.axes, True))
        ), None


class LogSoftmax(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, dim: int) -> np.ndarray:
        x = to_float(input)
        ctx.axes = (normalize_axis("log_softmax", dim, x.ndim),) if x.ndim else ()
        if x.size == 0:
            y = x.copy()
        else:
            y = into(np.subtract, x, reduce_into(np.maximum, x, ctx.axes, True))
            y -= np.log(reduce_into(np.add, into(np.exp, y), ctx.axes, True))
        ctx.save(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        total = reduce_into(np.add, grad, ctx.axes, True)
        return into(np.subtract, grad, into(np.multiply, into(np.exp, ctx.saved[0]), total)), None


def tanh(input: Any) -> Any:
    """The hyperbolic tangent."""
    return Tanh.apply(input)


def sigmoid(input: Any) -> Any:
    """``1 / (1 + exp(-input))``."""
    return Sigmoid.apply(input)


def relu(input: Any) -> Any:
    """`input` where it is positive, else zero."""
    return Relu.apply(input)


def softmax(input: Any, dim: int) -> Any:
    """``exp(input)`` divided by its sum over `dim`."""
    return Softmax.apply(input, dim)


def log_softmax(input: Any, dim: int) -> Any:
    """The logarithm of `softmax`, without overflow or cancellation."""
    return LogSoftmax.apply(input, dim)
