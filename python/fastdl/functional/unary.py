"""Mathematical functions of one array, element by element; integers are taken as float32."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from fastdl._alloc import copy_like, into
from fastdl.autograd import Op
from fastdl.functional._operands import silent, to_float
from fastdl.functional.elementwise import pow


class _Unary(Op):
    """`slope(grad, saved)` is the gradient times the derivative, told from the input or the output."""

    function: Any
    fresh = True
    from_output = False

    @staticmethod
    @silent
    def forward(ctx: Any, input: np.ndarray) -> np.ndarray:
        x = to_float(input)
        y = into(ctx.function, x)
        ctx.save(y if ctx.from_output else x)
        return y

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> np.ndarray:
        return ctx.slope(grad, ctx.saved[0])

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        raise TypeError("[autograd] slope: expected a static method in the subclass, got none")


class Exp(_Unary):
    function = np.exp
    from_output = True

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        return into(np.multiply, grad, saved)


class Expm1(_Unary):
    function = np.expm1
    from_output = True

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        return into(np.add, into(np.multiply, grad, saved), grad)


class Log(_Unary):
    function = np.log

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        return into(np.divide, grad, saved)


class Log1p(_Unary):
    function = np.log1p

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        shifted = copy_like(saved, saved)
        shifted += 1
        return into(np.divide, grad, shifted)


class Log2(_Unary):
    function = np.log2

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        out = into(np.divide, grad, saved)
        out *= 1 / np.log(2.0)
        return out


class Sqrt(_Unary):
    function = np.sqrt
    from_output = True

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        out = into(np.divide, grad, saved)
        out *= 0.5
        return out


class Rsqrt(_Unary):
    from_output = True

    @staticmethod
    def function(x: np.ndarray, out: Any = None) -> np.ndarray:
        root = np.sqrt(x, out=out)
        return np.reciprocal(root, out=out)

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        out = into(np.multiply, into(np.multiply, saved, saved), saved)
        out *= -0.5
        return into(np.multiply, grad, out)


class Reciprocal(_Unary):
    function = np.reciprocal
    from_output = True

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        out = into(np.multiply, grad, into(np.multiply, saved, saved))
        return np.negative(out, out=out)


class Sin(_Unary):
    function = np.sin

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        return into(np.multiply, grad, into(np.cos, saved))


class Cos(_Unary):
    function = np.cos

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        out = into(np.multiply, grad, into(np.sin, saved))
        return np.negative(out, out=out)


class Tan(_Unary):
    function = np.tan
    from_output = True

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        out = into(np.multiply, saved, saved)
        out += 1
        return into(np.multiply, grad, out)


class Arctan(_Unary):
    function = np.arctan

    @staticmethod
    def slope(grad: np.ndarray, saved: np.ndarray) -> np.ndarray:
        out = into(np.multiply, saved, saved)
        out += 1
        return into(np.divide, grad, out)


class Neg(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray) -> np.ndarray:
        return into(np.negative, np.asarray(input))

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> np.ndarray:
        return into(np.negative, grad)


class Abs(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray) -> np.ndarray:
        input = np.asarray(input)
        ctx.save(input)
        return into(np.absolute, input)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> np.ndarray:
        return into(np.multiply, grad, into(np.sign, ctx.saved[0]))


class _Flat(Op):
    """A step function: its gradient is zero wherever it has one. Of integers it is what it was."""

    function: Any

    @staticmethod
    def forward(ctx: Any, input: np.ndarray) -> np.ndarray:
        x = np.asarray(input)
        return into(ctx.function, x) if x.dtype.kind in "fV" else x.copy()

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> np.ndarray:
        return np.zeros_like(grad)


class Sign(_Flat):
    function = np.sign

    @staticmethod
    def forward(ctx: Any, input: np.ndarray) -> np.ndarray:
        x = np.asarray(input)
        return x.copy() if x.dtype.kind == "b" else into(np.sign, x)


class Floor(_Flat):
    function = np.floor


class Ceil(_Flat):
    function = np.ceil


class Round(Op):
    """To the nearest, halves to even; its gradient is zero wherever it has one."""

    @staticmethod
    def forward(ctx: Any, input: np.ndarray, decimals: int) -> np.ndarray:
        x = np.asarray(input)
        if x.dtype.kind in "iu" and decimals == 0:
            return x.copy()
        if x.dtype.kind not in "fV":
            raise TypeError(f"[round] input: expected a floating dtype, got {x.dtype}")
        if decimals == 0:
            return into(np.rint, x)
        scale = x.dtype.type(10.0 ** builtins.abs(decimals))
        if decimals > 0:
            return np.asarray(np.rint(x * scale) / scale)
        return np.asarray(np.rint(x / scale) * scale)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        return np.zeros_like(grad), None


class Trunc(_Flat):
    function = np.trunc


def exp(input: Any) -> Any:
    """e to the power of `input`."""
    return Exp.apply(input)


def expm1(input: Any) -> Any:
    """``exp(input) - 1``, precise near zero."""
    return Expm1.apply(input)


def log(input: Any) -> Any:
    """The natural logarithm."""
    return Log.apply(input)


def log1p(input: Any) -> Any:
    """``log(1 + input)``, precise near zero."""
    return Log1p.apply(input)


def log2(input: Any) -> Any:
    """The logarithm to base 2."""
    return Log2.apply(input)


def sqrt(input: Any) -> Any:
    """The square root."""
    return Sqrt.apply(input)


def rsqrt(input: Any) -> Any:
    """One over the square root."""
    return Rsqrt.apply(input)


def reciprocal(input: Any) -> Any:
    """One over `input`."""
    return Reciprocal.apply(input)


def sin(input: Any) -> Any:
    """The sine."""
    return Sin.apply(input)


def cos(input: Any) -> Any:
    """The cosine."""
    return Cos.apply(input)


def tan(input: Any) -> Any:
    """The tangent."""
    return Tan.apply(input)


def atan(input: Any) -> Any:
    """The inverse tangent."""
    return Arctan.apply(input)


def neg(input: Any) -> Any:
    """``-input``."""
    return Neg.apply(input)


def abs(input: Any) -> Any:
    """The absolute value; its gradient at zero is zero."""
    return Abs.apply(input)


def sign(input: Any) -> Any:
    """-1, 0 or 1."""
    return Sign.apply(input)


def floor(input: Any) -> Any:
    """`input` rounded down."""
    return Floor.apply(input)


def ceil(input: Any) -> Any:
    """`input` rounded up."""
    return Ceil.apply(input)


def round(input: Any, *, decimals: int = 0) -> Any:
    """`input` rounded to so many decimals (negative: tens, hundreds...), halves to even."""
    return Round.apply(input, decimals)


def trunc(input: Any) -> Any:
    """`input` rounded towards zero."""
    return Trunc.apply(input)


def square(input: Any) -> Any:
    """`input` times itself."""
    return pow(input, 2)


__all__ = [
    "abs", "atan", "ceil", "cos", "exp", "expm1", "floor", "log", "log1p", "log2", "neg",
    "reciprocal", "round", "rsqrt", "sign", "sin", "sqrt", "square", "tan", "trunc",
]  # fmt: skip
