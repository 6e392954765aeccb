"""Reductions over axes, and cumulative sums."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from fastdl._alloc import empty_like, into
from fastdl.autograd import Op
from fastdl.functional._operands import (
    ValuesIndices,
    normalize_axes,
    normalize_axis,
    reduce_into,
    restore_axes,
    to_float,
)


def _floating(op: str, array: Any) -> np.ndarray:
    array = np.asarray(array)
    if array.dtype.kind not in "fV":
        raise TypeError(f"[{op}] input: expected a floating dtype, got {array.dtype}")
    return array


def _count(array: np.ndarray, axes: tuple[int, ...]) -> int:
    count = 1
    for axis in axes:
        count *= array.shape[axis]
    return count


def _spread(grad: np.ndarray, like: np.ndarray | tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(grad, like if isinstance(like, tuple) else like.shape)


def _cast(input: Any, dtype: Any) -> Any:
    from fastdl.functional.shape import cast

    return input if dtype is None else cast(input, np.dtype(dtype))


class Sum(Op):
    @staticmethod
    def forward(ctx: Any, input: Any, dim: Any, keepdim: bool, dtype: Any) -> np.ndarray:
        x = np.asarray(input)
        axes = normalize_axes("sum", dim, x.ndim)
        ctx.shape, ctx.dtype, ctx.axes, ctx.keepdim = x.shape, x.dtype, axes, keepdim
        if dtype is None:
            dtype = np.dtype(np.int64) if x.dtype.kind in "biu" else x.dtype
        return reduce_into(np.add, x, axes, keepdim, np.dtype(dtype))

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        spread = _spread(restore_axes(grad, ctx.axes, ctx.keepdim), ctx.shape)
        return spread.astype(ctx.dtype, copy=False), None, None, None


class Mean(Op):
    @staticmethod
    def forward(ctx: Any, input: Any, dim: Any, keepdim: bool) -> np.ndarray:
        x = _floating("mean", input)
        ctx.axes = normalize_axes("mean", dim, x.ndim)
        ctx.shape, ctx.keepdim, ctx.count = x.shape, keepdim, _count(x, ctx.axes)
        out = reduce_into(np.add, x, ctx.axes, keepdim)
        with np.errstate(invalid="ignore", divide="ignore"):
            out /= np.asarray(ctx.count, out.dtype)
        return out

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        scaled = into(np.divide, grad, np.asarray(builtins.max(ctx.count, 1), grad.dtype))
        return _spread(restore_axes(scaled, ctx.axes, ctx.keepdim), ctx.shape), None, None


class Var(Op):
    @staticmethod
    def forward(ctx: Any, input: Any, dim: Any, correction: float, keepdim: bool) -> np.ndarray:
        x = _floating("var", input)
        axes = normalize_axes("var", dim, x.ndim)
        ctx.axes, ctx.keepdim = axes, keepdim
        count = _count(x, axes)
        ctx.divisor = builtins.max(count - correction, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = reduce_into(np.add, x, axes, True) / np.asarray(count, x.dtype)
            centered = into(np.subtract, x, mean.astype(x.dtype, copy=False))
            ctx.save(centered)
            total = reduce_into(np.add, into(np.multiply, centered, centered), axes, keepdim)
            total /= np.asarray(ctx.divisor, x.dtype)
        return total

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        with np.errstate(invalid="ignore", divide="ignore"):
            scaled = into(np.multiply, grad, np.asarray(2 / np.float64(ctx.divisor), grad.dtype))
            return (
                into(np.multiply, ctx.saved[0], restore_axes(scaled, ctx.axes, ctx.keepdim)),
                None,
                None,
                None,
            )


class Std(Op):
    """The square root of Var; its gradient where nothing varies is zero, as PyTorch has it."""

    @staticmethod
    def forward(ctx: Any, input: Any, dim: Any, correction: float, keepdim: bool) -> np.ndarray:
        variance = Var.forward(ctx, input, dim, correction, keepdim)
        out = np.sqrt(variance, out=variance)
        ctx.save(*ctx.saved, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        centered, out = ctx.saved
        divisor = out * np.asarray(ctx.divisor, out.dtype)
        with np.errstate(invalid="ignore", divide="ignore"):
            scaled = np.where(out == 0, np.zeros((), grad.dtype), into(np.divide, grad, divisor))
        return into(np.multiply, centered, restore_axes(scaled, ctx.axes, ctx.keepdim)), None, None, None


class _Extreme(Op):
    """amax and amin: elements that tie share the gradient equally."""

    ufunc: Any
    nan_ties = False
    """Whether NaN counts as equal to NaN, and so gets the gradient of a result that is NaN."""

    @staticmethod
    def forward(ctx: Any, input: Any, dim: Any, keepdim: bool) -> np.ndarray:
        x = np.asarray(input)
        name = type(ctx).__name__.lower().removesuffix("all")
        ctx.axes, ctx.keepdim = normalize_axes(name, dim, x.ndim), keepdim
        if _count(x, ctx.axes) == 0:
            raise ValueError(f"[{name}] input: expected at least one element to reduce, got shape {x.shape}")
        out = reduce_into(ctx.ufunc, x, ctx.axes, keepdim)
        ctx.save(x, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        x, out = ctx.saved
        out = restore_axes(out, ctx.axes, ctx.keepdim)
        ties = x == out
        if ctx.nan_ties and np.isnan(out).any():
            ties |= np.isnan(x) & np.isnan(out)
        ties = ties.astype(grad.dtype)
        share = restore_axes(grad, ctx.axes, ctx.keepdim) / reduce_into(np.add, ties, ctx.axes, True)
        return into(np.multiply, ties, share), None, None


class Amax(_Extreme):
    ufunc = np.maximum


class Amin(_Extreme):
    ufunc = np.minimum


class MaxAll(Amax):
    nan_ties = True


class MinAll(Amin):
    nan_ties = True


class _ExtremeAt(Op):
    """The extreme along one axis and its index (the first of equals), which alone gets the gradient."""

    choose: Any

    @staticmethod
    def forward(ctx: Any, input: Any, dim: int, keepdim: bool) -> tuple[np.ndarray, np.ndarray]:
        x = np.asarray(input)
        name = "max" if ctx.choose is np.argmax else "min"
        axis = normalize_axis(name, dim, x.ndim)
        if x.ndim and x.shape[axis] == 0:
            raise ValueError(
                f"[{name}] input: expected at least one element along dim {dim}, got shape {x.shape}"
            )
        if x.ndim == 0:
            ctx.axis = None
            return x.copy(), np.zeros((), np.int64)
        index = np.asarray(np.expand_dims(ctx.choose(x, axis=axis), axis), dtype=np.int64)
        values = np.take_along_axis(x, index, axis)
        ctx.save(index)
        ctx.shape, ctx.axis, ctx.keepdim = x.shape, axis, keepdim
        return (values, index) if keepdim else (values.squeeze(axis), index.squeeze(axis))

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray, _: Any) -> Any:
        if ctx.axis is None or grad is None:
            return grad, None, None
        out = np.zeros(ctx.shape, grad.dtype)
        np.put_along_axis(out, ctx.saved[0], restore_axes(grad, (ctx.axis,), ctx.keepdim), ctx.axis)
        return out, None, None


class MaxAt(_ExtremeAt):
    choose = staticmethod(np.argmax)


class MinAt(_ExtremeAt):
    choose = staticmethod(np.argmin)


class Prod(Op):
    @staticmethod
    def forward(ctx: Any, input: Any, dim: Any, keepdim: bool, dtype: Any) -> np.ndarray:
        x = np.asarray(input)
        ctx.axes, ctx.keepdim = normalize_axes("prod", dim, x.ndim), keepdim
        if dtype is None:
            dtype = np.dtype(np.int64) if x.dtype.kind in "biu" else x.dtype
        ctx.save(x)
        return reduce_into(np.multiply, x, ctx.axes, keepdim, dtype)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        (x,) = ctx.saved
        # the product of the others, by products from both ends, is right where an element is zero
        moved = np.moveaxis(x, ctx.axes, range(x.ndim - len(ctx.axes), x.ndim))
        rows = moved.reshape(*moved.shape[: x.ndim - len(ctx.axes)], _count(x, ctx.axes))
        before, after = np.ones_like(rows), np.ones_like(rows)
        np.cumprod(rows[..., :-1], axis=-1, out=before[..., 1:])
        after[..., :-1] = np.cumprod(rows[..., :0:-1], axis=-1)[..., ::-1]
        others = (before * after).reshape(moved.shape)
        others = np.moveaxis(others, range(x.ndim - len(ctx.axes), x.ndim), ctx.axes)
        return others * restore_axes(grad, ctx.axes, ctx.keepdim), None, None, None


class Norm(Op):
    """The p-norm over axes; its gradient at zero is zero."""

    @staticmethod
    def forward(ctx: Any, input: Any, p: float, dim: Any, keepdim: bool) -> np.ndarray:
        x = _floating("norm", input)
        ctx.axes, ctx.keepdim, ctx.p = normalize_axes("norm", dim, x.ndim), keepdim, p
        if p == 2:
            out = np.sqrt(reduce_into(np.add, into(np.multiply, x, x), ctx.axes, keepdim))
        elif np.isinf(p):
            extreme = np.maximum if p > 0 else np.minimum
            out = reduce_into(extreme, into(np.absolute, x), ctx.axes, keepdim)
        elif p == 0:
            out = reduce_into(np.add, (x != 0).astype(x.dtype), ctx.axes, keepdim)
        elif p == 1:
            out = reduce_into(np.add, into(np.absolute, x), ctx.axes, keepdim)
        else:
            with np.errstate(divide="ignore", over="ignore"):
                powers = into(np.power, into(np.absolute, x), np.asarray(p, x.dtype))
                out = np.power(reduce_into(np.add, powers, ctx.axes, keepdim), np.asarray(1 / p, x.dtype))
        out = np.asarray(out)
        ctx.save(x, out)
        return out

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        x, out = ctx.saved
        p = ctx.p
        if p == 0:
            return None, None, None, None
        grad, out = restore_axes(grad, ctx.axes, ctx.keepdim), restore_axes(out, ctx.axes, ctx.keepdim)
        if p == 1:
            slope = np.sign(x)
        elif np.isinf(p):
            slope = np.sign(x) * (np.absolute(x) == out)
            slope /= np.maximum(np.absolute(slope).sum(axis=ctx.axes, keepdims=True), 1)
        else:
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = x / out if p == 2 else np.sign(x) * np.power(np.absolute(x) / out, p - 1)
            slope = np.where(out == 0, np.zeros((), x.dtype), ratio)
        return into(np.multiply, slope.astype(grad.dtype, copy=False), grad), None, None, None


class LogSumExp(Op):
    @staticmethod
    def forward(ctx: Any, input: Any, dim: Any, keepdim: bool) -> np.ndarray:
        x = to_float(input)
        axes = normalize_axes("logsumexp", dim, x.ndim)
        ctx.axes, ctx.keepdim = axes, keepdim
        top = np.maximum.reduce(x, axis=axes, keepdims=True, initial=-np.inf)
        top = np.where(np.isfinite(top), top, np.zeros((), x.dtype)).astype(x.dtype, copy=False)
        powers = into(np.exp, into(np.subtract, x, top))
        with np.errstate(divide="ignore"):
            out = np.log(reduce_into(np.add, powers, axes, True)) + top
        ctx.save(x, out)
        return np.asarray(out if keepdim else out.squeeze(axes))

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        x, out = ctx.saved
        shifted = into(np.subtract, x, np.where(np.isinf(out), np.zeros((), out.dtype), out))
        return into(np.multiply, into(np.exp, shifted), restore_axes(grad, ctx.axes, ctx.keepdim)), None, None


class Cumsum(Op):
    @staticmethod
    def forward(ctx: Any, input: Any, dim: int) -> np.ndarray:
        x = np.asarray(input)
        ctx.axis = normalize_axis("cumsum", dim, x.ndim)
        if x.ndim == 0:
            return x.copy()
        out = empty_like(x, np.int64 if x.dtype.kind in "biu" else None)
        return np.cumsum(x, axis=ctx.axis, out=out)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        if grad.ndim == 0:
            return grad, None
        back = (slice(None),) * ctx.axis + (slice(None, None, -1),)
        out = empty_like(grad)
        np.cumsum(grad[back], axis=ctx.axis, out=out[back])
        return out, None


class _Index(Op):
    choose: Any

    @staticmethod
    def forward(ctx: Any, input: Any, dim: Any, keepdim: bool) -> np.ndarray:
        x = np.asarray(input)
        if dim is not None:
            dim = normalize_axis("argmax", dim, x.ndim) if x.ndim else None
        if x.size == 0 and (dim is None or x.shape[dim] == 0):
            raise ValueError(
                f"[{ctx.choose.__name__}] input: expected at least one element, got shape {x.shape}"
            )
        out = np.asarray(ctx.choose(x, axis=dim), dtype=np.int64)
        if keepdim:
            out = out.reshape((1,) * x.ndim) if dim is None else np.expand_dims(out, dim)
        return out


class Argmax(_Index):
    choose = staticmethod(np.argmax)


class Argmin(_Index):
    choose = staticmethod(np.argmin)


class _Truth(Op):
    ufunc: Any

    @staticmethod
    def forward(ctx: Any, input: Any, dim: Any, keepdim: bool) -> np.ndarray:
        x = np.asarray(input)
        # an empty tuple is no axis here, and every axis in the other reductions
        axes = () if isinstance(dim, tuple | list) and not dim else normalize_axes("any", dim, x.ndim)
        return reduce_into(ctx.ufunc, x.astype(bool, copy=False), axes, keepdim)


class Any_(_Truth):
    ufunc = np.logical_or


class All(_Truth):
    ufunc = np.logical_and


def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The sum over `dim` (None: over everything); of integers, in int64."""
    return Sum.apply(input, dim, keepdim, dtype)


def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The mean over `dim` (None: over everything)."""
    return Mean.apply(_cast(input, dtype), dim, keepdim)


def _correction(op: str, dim: Any, unbiased: bool | None, correction: float | None) -> tuple[Any, float]:
    """`dim` and how much less than the count to divide by; a bool in the place of dim is `unbiased`."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError(f"[{op}] unbiased, correction: expected one of them, got both")
    if unbiased is not None:
        correction = int(unbiased)
    return dim, 1 if correction is None else correction


def var(
    input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False,
    *, correction: float | None = None,
) -> Any:  # fmt: skip
    """The variance over `dim`: squared deviations by their count less `correction` (1; 0 where not `unbiased`)."""
    dim, less = _correction("var", dim, unbiased, correction)
    return Var.apply(input, dim, less, keepdim)


def std(
    input: Any, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False,
    *, correction: float | None = None,
) -> Any:  # fmt: skip
    """The square root of `var`; its gradient where nothing varies is zero."""
    dim, less = _correction("std", dim, unbiased, correction)
    return Std.apply(input, dim, less, keepdim)


def amax(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The greatest over `dim`; equals share the gradient."""
    return Amax.apply(input, dim, keepdim)


def amin(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The least over `dim`; equals share the gradient."""
    return Amin.apply(input, dim, keepdim)


def max(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The greatest of all; along an int `dim`, (values, indices); with an array, element by element."""
    if dim is None:
        return MaxAll.apply(input, None, keepdim)
    if not isinstance(dim, int | np.integer):
        from fastdl.functional.elementwise import maximum

        return maximum(input, dim)
    return ValuesIndices(*MaxAt.apply(input, dim, keepdim))


def min(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The least of all; along an int `dim`, (values, indices); with an array, element by element."""
    if dim is None:
        return MinAll.apply(input, None, keepdim)
    if not isinstance(dim, int | np.integer):
        from fastdl.functional.elementwise import minimum

        return minimum(input, dim)
    return ValuesIndices(*MinAt.apply(input, dim, keepdim))


def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The index of the first greatest element, in the flattened array or along `dim`."""
    return Argmax.apply(input, dim, keepdim)


def argmin(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The index of the first least element, in the flattened array or along `dim`."""
    return Argmin.apply(input, dim, keepdim)


def prod(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The product over `dim` (None: over everything); of integers, in int64."""
    return Prod.apply(_cast(input, dtype), dim, keepdim, dtype)


def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The `p`-norm of the elements over `dim`: any number, infinite ones too, or "fro" (2).

    0 counts what is not zero.
    """
    if isinstance(p, str) and p != "fro":
        raise ValueError(f"[norm] p: expected a number or 'fro', got {p!r}")
    return Norm.apply(_cast(input, dtype), 2.0 if p in ("fro", None) else float(p), dim, keepdim)


def logsumexp(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """``log(sum(exp(input)))`` over `dim`, without overflow."""
    return LogSumExp.apply(input, dim, keepdim)


def cumsum(input: Any, dim: int, *, dtype: Any = None) -> Any:
    """The running sum along `dim`; of integers, in int64."""
    return Cumsum.apply(_cast(input, dtype), dim)


def any(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Whether any element over `dim` is non-zero."""
    return Any_.apply(input, dim, keepdim)


def all(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """Whether all elements over `dim` are non-zero."""
    return All.apply(input, dim, keepdim)


__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "cumsum", "logsumexp", "max", "mean", "min",
    "norm", "prod", "std", "sum", "var",
]  # fmt: skip
