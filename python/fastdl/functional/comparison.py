"""Comparison, logic and bits, element by element: functions without a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl.autograd import Op
from fastdl.functional._operands import check_arrays, is_number, operands


class _Constant(Op):
    """An elementwise function without a gradient."""

    function: Any

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        return np.asarray(ctx.function(*(operands(*args) if len(args) > 1 else args)))


class Eq(_Constant):
    function = np.equal


class Ne(_Constant):
    function = np.not_equal


class Lt(_Constant):
    function = np.less


class Le(_Constant):
    function = np.less_equal


class Gt(_Constant):
    function = np.greater


class Ge(_Constant):
    function = np.greater_equal


class LogicalAnd(_Constant):
    function = np.logical_and


class LogicalOr(_Constant):
    function = np.logical_or


class LogicalNot(_Constant):
    function = np.logical_not


class BitwiseAnd(_Constant):
    function = np.bitwise_and


class BitwiseOr(_Constant):
    function = np.bitwise_or


class BitwiseXor(_Constant):
    function = np.bitwise_xor


class BitwiseNot(_Constant):
    function = np.bitwise_not


class IsNan(_Constant):
    function = np.isnan


class IsInf(_Constant):
    function = np.isinf


class IsFinite(_Constant):
    function = np.isfinite


def eq(input: Any, other: Any) -> Any:
    """Where the two are equal."""
    check_arrays("eq", input=input)
    return Eq.apply(input, other)


def ne(input: Any, other: Any) -> Any:
    """Where the two differ."""
    check_arrays("ne", input=input)
    return Ne.apply(input, other)


def lt(input: Any, other: Any) -> Any:
    """Where `input` is less."""
    check_arrays("lt", input=input)
    return Lt.apply(input, other)


def le(input: Any, other: Any) -> Any:
    """Where `input` is less or equal."""
    check_arrays("le", input=input)
    return Le.apply(input, other)


def gt(input: Any, other: Any) -> Any:
    """Where `input` is greater."""
    check_arrays("gt", input=input)
    return Gt.apply(input, other)


def ge(input: Any, other: Any) -> Any:
    """Where `input` is greater or equal."""
    check_arrays("ge", input=input)
    return Ge.apply(input, other)


def logical_and(input: Any, other: Any) -> Any:
    """Where both are non-zero."""
    check_arrays("logical_and", input=input, other=other)
    return LogicalAnd.apply(input, other)


def logical_or(input: Any, other: Any) -> Any:
    """Where either is non-zero."""
    check_arrays("logical_or", input=input, other=other)
    return LogicalOr.apply(input, other)


def logical_not(input: Any) -> Any:
    """Where `input` is zero."""
    return LogicalNot.apply(input)


def bitwise_and(input: Any, other: Any) -> Any:
    """``input & other`` of integers or booleans."""
    if is_number(other):
        check_arrays("bitwise_and", input=input)
    return BitwiseAnd.apply(input, other)


def bitwise_or(input: Any, other: Any) -> Any:
    """``input | other`` of integers or booleans."""
    if is_number(other):
        check_arrays("bitwise_or", input=input)
    return BitwiseOr.apply(input, other)


def bitwise_xor(input: Any, other: Any) -> Any:
    """``input ^ other`` of integers or booleans."""
    if is_number(other):
        check_arrays("bitwise_xor", input=input)
    return BitwiseXor.apply(input, other)


def bitwise_not(input: Any) -> Any:
    """``~input`` of integers or booleans."""
    return BitwiseNot.apply(input)


def isnan(input: Any) -> Any:
    """Where `input` is NaN."""
    return IsNan.apply(input)


def isinf(input: Any) -> Any:
    """Where `input` is infinite."""
    return IsInf.apply(input)


def isfinite(input: Any) -> Any:
    """Where `input` is neither infinite nor NaN."""
    return IsFinite.apply(input)


__all__ = [
    "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "eq", "ge", "gt", "isfinite",
    "isinf", "isnan", "le", "logical_and", "logical_not", "logical_or", "lt", "ne",
]  # fmt: skip
