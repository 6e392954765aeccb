"""Sums, differences, products and quotients, with broadcasting and PyTorch's type promotion."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl._alloc import into
from fastdl.autograd import Op
from fastdl.functional._operands import check_divisor, operands, silent, spec, sum_to, to_float


class Add(Op):
    @staticmethod
    def forward(ctx: Any, input: Any, other: Any) -> np.ndarray:
        ctx.targets = spec(input), spec(other)
        return into(np.add, *operands(input, other))

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        left, right = ctx.needs_input_grad
        return (
            sum_to(grad, ctx.targets[0]) if left else None,
            sum_to(grad, ctx.targets[1]) if right else None,
        )


class Sub(Op):
    @staticmethod
    def forward(ctx: Any, input: Any, other: Any) -> np.ndarray:
        ctx.targets = spec(input), spec(other)
        return into(np.subtract, *operands(input, other))

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        left, right = ctx.needs_input_grad
        return (
            sum_to(grad, ctx.targets[0]) if left else None,
            into(np.negative, sum_to(grad, ctx.targets[1])) if right else None,
        )


class Mul(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, other: Any) -> np.ndarray:
        ctx.targets = spec(input), spec(other)
        x, y = operands(input, other)
        left, right = ctx.needs_input_grad[:2]
        ctx.save(x if right else None, y if left else None)
        return into(np.multiply, x, y)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        x, y = ctx.saved
        return (
            None if y is None else sum_to(into(np.multiply, grad, y), ctx.targets[0]),
            None if x is None else sum_to(into(np.multiply, grad, x), ctx.targets[1]),
        )


class Div(Op):
    fresh = True

    @staticmethod
    @silent
    def forward(ctx: Any, input: Any, other: Any) -> np.ndarray:
        ctx.targets = spec(input), spec(other)
        if type(other) is int:  # the number itself, not what it is in an integer dtype
            other = float(other)
        elif type(input) is int:
            input = float(input)
        x, y = operands(input, other)
        x, y = to_float(x), to_float(y)
        ctx.save(x if ctx.needs_input_grad[1] else None, y)
        return into(np.divide, x, y)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        x, y = ctx.saved
        scaled = into(np.divide, grad, y)
        by_other = None
        if x is not None:
            slope = into(np.multiply, scaled, into(np.divide, x, y))
            by_other = into(np.negative, sum_to(slope, ctx.targets[1]))
        return sum_to(scaled, ctx.targets[0]) if ctx.needs_input_grad[0] else None, by_other


class RoundedDiv(Op):
    """The quotient rounded towards zero or down: a step function, whose gradient is zero."""

    @staticmethod
    @silent
    def forward(ctx: Any, input: Any, other: Any, mode: str) -> np.ndarray:
        ctx.targets = spec(input), spec(other)
        x, y = operands(input, other)
        check_divisor("div", y)
        if mode == "floor":
            return into(np.floor_divide, x, y)
        if x.dtype.kind in "fV":
            return into(np.trunc, into(np.divide, x, y))
        down = into(np.floor_divide, x, y)
        return np.asarray(down + ((down < 0) & (down * y != x)))

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        zero = np.zeros_like(grad)
        return sum_to(zero, ctx.targets[0]), sum_to(zero, ctx.targets[1]), None


def _scaled(other: Any, alpha: Any) -> Any:
    return other if alpha == 1 else mul(other, alpha)


def add(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """``input + alpha * other``."""
    return Add.apply(input, _scaled(other, alpha))


def sub(input: Any, other: Any, *, alpha: float = 1) -> Any:
    """``input - alpha * other``."""
    return Sub.apply(input, _scaled(other, alpha))


def mul(input: Any, other: Any) -> Any:
    """The product, element by element."""
    return Mul.apply(input, other)


def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """The quotient; of integers, in float32. `rounding_mode` 'trunc' rounds it towards zero, 'floor' down; that keeps
    the dtype and has a gradient of zero."""
    if rounding_mode is None:
        return Div.apply(input, other)
    if rounding_mode not in ("trunc", "floor"):
        raise ValueError(f"[div] rounding_mode: expected None, 'trunc' or 'floor', got {rounding_mode!r}")
    return RoundedDiv.apply(input, other, rounding_mode)


def reverse_sub(input: Any, other: Any) -> Any:
    """``other - input``."""
    return Sub.apply(other, input)


def reverse_div(input: Any, other: Any) -> Any:
    """``other / input``."""
    return Div.apply(other, input)


__all__ = ["add", "div", "mul", "reverse_div", "reverse_sub", "sub"]
