"""Powers, remainders, extremes and selection, with broadcasting and PyTorch's type promotion."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl._alloc import copy_like, empty_like, into, out_for, zeros
from fastdl.autograd import Op
from fastdl.functional._operands import (
    check_arrays,
    check_divisor,
    exact_operands,
    is_number,
    operands,
    silent,
    spec,
    sum_to,
)
from fastdl.functional.arithmetic import Mul, add, div, mul, reverse_div, reverse_sub, sub


class Pow(Op):
    @staticmethod
    @silent
    def forward(ctx: Any, input: Any, exponent: Any) -> np.ndarray:
        ctx.targets = spec(input), spec(exponent)
        x, p = operands(input, exponent)
        power = _integer_power(x, p) if x.dtype.kind == "i" else into(np.power, x, p)
        ctx.save(x, p, power if ctx.needs_input_grad[1] else None)
        return power

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        x, p, power = ctx.saved
        left, right = ctx.needs_input_grad
        by_base = by_exponent = None
        if left:
            slope = into(np.power, x, into(np.subtract, p, np.ones_like(p)))
            slope = np.where(p == 0, np.zeros((), x.dtype), into(np.multiply, slope, p))
            by_base = sum_to(into(np.multiply, grad, slope), ctx.targets[0])
        if right:
            slope = into(np.multiply, power, into(np.log, x))
            slope = np.where((x == 0) & (p >= 0), np.zeros((), x.dtype), slope)
            by_exponent = sum_to(into(np.multiply, grad, slope), ctx.targets[1])
        return by_base, by_exponent


def _integer_power(x: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Negative powers are rounded towards zero: all but those of 1 and -1 are 0."""
    power = np.asarray(np.power(x, np.maximum(p, 0)))
    if (p < 0).any():
        inverse = np.where(x == 1, 1, np.where(x == -1, 1 - 2 * (p % 2), 0))
        power = np.where(p < 0, inverse, power).astype(x.dtype)
    return power


class Remainder(Op):
    @staticmethod
    @silent
    def forward(ctx: Any, input: Any, other: Any) -> np.ndarray:
        ctx.targets = spec(input), spec(other)
        x, y = operands(input, other)
        check_divisor("remainder", y)
        if ctx.needs_input_grad[1]:
            ctx.save(into(np.floor_divide, x, y))
        return into(np.remainder, x, y)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        left, right = ctx.needs_input_grad
        return (
            sum_to(grad, ctx.targets[0]) if left else None,
            into(np.negative, sum_to(into(np.multiply, grad, ctx.saved[0]), ctx.targets[1]))
            if right
            else None,
        )


class _Extremum(Op):
    """The greater or the lesser of two; where they are equal each gets half of the gradient."""

    choose: Any
    prefer: Any

    @staticmethod
    def forward(ctx: Any, input: Any, other: Any) -> np.ndarray:
        ctx.targets = spec(input), spec(other)
        x, y = operands(input, other)
        ctx.save(x, y)
        return into(ctx.choose, x, y)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        x, y = ctx.saved
        share = ctx.prefer(x, y).astype(grad.dtype)
        share[...] = np.where(x == y, np.asarray(0.5, grad.dtype), share)
        left = into(np.multiply, grad, share)
        right = into(np.subtract, grad, left)
        return sum_to(left, ctx.targets[0]), sum_to(right, ctx.targets[1])


class Maximum(_Extremum):
    choose = np.maximum
    prefer = staticmethod(lambda x, y: np.asarray(x > y))


class Minimum(_Extremum):
    choose = np.minimum
    prefer = staticmethod(lambda x, y: np.asarray(x < y))


class Where(Op):
    @staticmethod
    def forward(ctx: Any, condition: Any, input: Any, other: Any) -> np.ndarray:
        ctx.targets = spec(input), spec(other)
        x, y = exact_operands("where", input, other)
        condition = np.asarray(condition)
        if condition.dtype != np.bool_:
            raise TypeError(f"[where] condition: expected bool, got {condition.dtype}")
        ctx.save(condition)
        return _select(condition, x, y)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        (condition,) = ctx.saved
        zero = np.zeros((), grad.dtype)
        _, left, right = ctx.needs_input_grad
        return (
            None,
            sum_to(_select(condition, grad, zero), ctx.targets[0]) if left else None,
            sum_to(_select(condition, zero, grad), ctx.targets[1]) if right else None,
        )


def _select(condition: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    shape = np.broadcast_shapes(condition.shape, x.shape, y.shape)
    like = x if x.shape == shape else y
    out = out_for(like) if like.shape == shape else None
    if out is None:
        return np.where(condition, x, y)
    np.copyto(out, y)
    np.copyto(out, x, where=condition)
    return out


class Replace(Op):
    """`values`, broadcast, in the shape and dtype of `input`, which gets a gradient of zeros."""

    @staticmethod
    def forward(ctx: Any, input: np.ndarray, values: Any) -> np.ndarray:
        ctx.shape, ctx.target = input.shape, spec(values)
        values = np.asarray(values)
        if np.broadcast_shapes(values.shape, input.shape) != input.shape:
            raise ValueError(
                f"[copy_] src: expected a shape that expands to {input.shape}, got {values.shape}"
            )
        out = empty_like(input)
        np.copyto(out, values, casting="unsafe")
        return out

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        left, right = ctx.needs_input_grad
        return zeros(ctx.shape, grad.dtype) if left else None, sum_to(grad, ctx.target) if right else None


class MaskedFill(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, mask: Any, value: Any) -> np.ndarray:
        mask = np.asarray(mask)
        if mask.dtype != np.bool_:
            raise TypeError(f"[masked_fill] mask: expected bool, got {mask.dtype}")
        if np.ndim(value):
            raise ValueError(
                f"[masked_fill] value: expected a number or no axes, got shape {np.shape(value)}"
            )
        ctx.save(mask)
        ctx.targets = spec(input), spec(value)
        if np.broadcast_shapes(input.shape, mask.shape) != input.shape:
            input = np.broadcast_to(input, np.broadcast_shapes(input.shape, mask.shape))
        out = copy_like(input, input)
        np.copyto(out, np.asarray(value, dtype=out.dtype), where=mask)
        return out

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        (mask,) = ctx.saved
        zero = np.zeros((), grad.dtype)
        left, _, right = ctx.needs_input_grad
        return (
            sum_to(_select(mask, zero, grad), ctx.targets[0]) if left else None,
            None,
            sum_to(_select(mask, grad, zero), ctx.targets[1]) if right else None,
        )


class Clamp(Op):
    """At a bound the gradient is the input's; where the bounds cross, the upper one counts."""

    @staticmethod
    def forward(ctx: Any, input: Any, low: Any, high: Any) -> np.ndarray:
        ctx.targets = spec(input), spec(low), spec(high)
        x, *bounds = exact_operands("clamp", input, *(bound for bound in (low, high) if bound is not None))
        lower = None if low is None else bounds[0]
        upper = None if high is None else bounds[-1]
        ctx.save(x, lower, upper)
        out = x if lower is None else into(np.maximum, x, lower)
        return out if upper is None else into(np.minimum, out, upper)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        x, lower, upper = ctx.saved
        inside: Any = np.True_ if lower is None else x >= lower
        by_low = by_high = None
        if ctx.needs_input_grad[1]:
            below = x < lower if upper is None else (x < lower) & (lower < upper)
            by_low = _masked(grad, below, ctx.targets[1])
        if ctx.needs_input_grad[2]:
            above = x > upper if lower is None else (x > upper) | (upper < lower)
            by_high = _masked(grad, above, ctx.targets[2])
        if upper is not None:
            inside = inside & (x <= upper)
        return _masked(grad, inside, ctx.targets[0]) if ctx.needs_input_grad[0] else None, by_low, by_high


def _masked(grad: np.ndarray, mask: np.ndarray, target: Any) -> np.ndarray:
    return sum_to(_select(mask, grad, np.zeros((), grad.dtype)), target)


def pow(input: Any, exponent: Any) -> Any:
    """`input` to the power of `exponent`, element by element.

    Raises ValueError for an array of integers with a negative number as `exponent`.
    """
    if is_number(exponent):
        check_arrays("pow", input=input)
        if exponent == 2 and input.dtype.kind in ("iuf" if isinstance(exponent, int) else "f"):
            return Mul.apply(input, input)
        if exponent < 0 and isinstance(exponent, int) and input.dtype.kind in "biu":
            raise ValueError(f"[pow] exponent: expected a non-negative number for integers, got {exponent}")
    return Pow.apply(input, exponent)


def remainder(input: Any, other: Any) -> Any:
    """What division leaves, with the sign of `other`. Raises ValueError for integers where `other` is zero."""
    if is_number(other):
        check_arrays("remainder", input=input)
    return Remainder.apply(input, other)


def maximum(input: Any, other: Any) -> Any:
    """The greater of two, element by element."""
    check_arrays("maximum", input=input, other=other)
    return Maximum.apply(input, other)


def minimum(input: Any, other: Any) -> Any:
    """The lesser of two, element by element."""
    check_arrays("minimum", input=input, other=other)
    return Minimum.apply(input, other)


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """`input` where `condition` (bool) holds, else `other`; of `condition` alone, ``nonzero(as_tuple=True)``."""
    if input is None and other is None:
        from fastdl.functional.indexing import nonzero

        return nonzero(condition, as_tuple=True)
    return Where.apply(condition, input, other)


def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """`input` with `value` where `mask` (bool) holds."""
    return MaskedFill.apply(input, mask, value)


def clamp(input: Any, min: Any = None, max: Any = None) -> Any:
    """`input` kept within [min, max]; a bound may be None, a number, or an array that broadcasts."""
    if min is None and max is None:
        raise ValueError("[clamp] min, max: expected at least one, got None for both")
    return Clamp.apply(input, min, max)


class FloorDivide(Op):
    @staticmethod
    @silent
    def forward(ctx: Any, input: Any, other: Any) -> np.ndarray:
        x, y = operands(input, other)
        check_divisor("floor_divide", y)
        return into(np.floor_divide, x, y)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        raise RuntimeError(
            "derivative for floor_divide is not implemented; div(..., rounding_mode='floor') has one, of zero"
        )


def floor_divide(input: Any, other: Any) -> Any:
    """The quotient rounded down. It has no derivative: backward raises RuntimeError, as in PyTorch."""
    return FloorDivide.apply(input, other)


def reverse_pow(input: Any, other: Any) -> Any:
    """``other ** input``."""
    return Pow.apply(other, input)


def reverse_remainder(input: Any, other: Any) -> Any:
    """``other % input``."""
    return Remainder.apply(other, input)


def reverse_floor_divide(input: Any, other: Any) -> Any:
    """``other // input``."""
    return FloorDivide.apply(other, input)


__all__ = [
    "add", "clamp", "div", "floor_divide", "masked_fill", "maximum", "minimum", "mul", "pow",
    "remainder", "reverse_div", "reverse_floor_divide", "reverse_pow", "reverse_remainder",
    "reverse_sub", "sub", "where",
]  # fmt: skip
