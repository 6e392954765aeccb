"""The four operations as NumPy has them, each with the gradients of both operands."""

from __future__ import annotations

import numpy as np

from fastdl.reference._formula import Formula

Array = np.ndarray


def _unbroadcast(gradient: Array, operand: Array) -> Array:
    """The sum over the axes along which `operand` was repeated."""
    axes = tuple(range(gradient.ndim - operand.ndim))
    summed = gradient.sum(axis=axes)
    for axis, extent in enumerate(operand.shape):
        if extent == 1:
            summed = summed.sum(axis=axis, keepdims=True)
    return np.asarray(summed)


def _gradients(input: Array, other: Array, by_input: Array, by_other: Array) -> dict[str, Array]:
    return {"input": _unbroadcast(by_input, input), "other": _unbroadcast(by_other, other)}


def _add_backward(grad_output: Array, input: Array, other: Array) -> dict[str, Array]:
    return _gradients(input, other, grad_output, grad_output)


def _sub_backward(grad_output: Array, input: Array, other: Array) -> dict[str, Array]:
    return _gradients(input, other, grad_output, -grad_output)


def _mul_backward(grad_output: Array, input: Array, other: Array) -> dict[str, Array]:
    return _gradients(input, other, grad_output * other, grad_output * input)


def _div_backward(grad_output: Array, input: Array, other: Array) -> dict[str, Array]:
    return _gradients(input, other, grad_output / other, -grad_output * input / other**2)


add = Formula(lambda input, other: input + other, _add_backward)
sub = Formula(lambda input, other: input - other, _sub_backward)
mul = Formula(lambda input, other: input * other, _mul_backward)
div = Formula(lambda input, other: input / other, _div_backward)
