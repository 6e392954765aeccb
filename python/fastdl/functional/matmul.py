"""Products of matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import operand
from fastdl.functional._operands import sum_to


class Matmul(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, other: Any) -> Any:
        by_input, by_other = ctx.needs_input_grad[:2]
        ctx.save(input if by_other else None, other if by_input else None)
        ctx.shapes = input.shape, other.shape
        return _product(input, other)

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        input, other = ctx.saved
        input_shape, other_shape = ctx.shapes
        return (
            None if other is None else _input_gradient(grad_output, input_shape, other),
            None if input is None else _other_gradient(grad_output, input, other_shape),
        )


def _product(input: Any, other: Any) -> Any:
    if isinstance(input, np.ndarray) and input.dtype.kind in "iu" and input.dtype == other.dtype:
        return np.asarray(np.matmul(input, other))
    return _core.matmul_forward(input, other)


def _with_both_axes(grad: np.ndarray, input_ndim: int, other_ndim: int) -> np.ndarray:
    """The gradient with the axes of extent 1 that vectors among the operands have left out."""
    if other_ndim == 1:
        grad = grad[..., None]
    return grad[..., None, :] if input_ndim == 1 else grad


def _input_gradient(grad: np.ndarray, shape: tuple[int, ...], other: np.ndarray) -> np.ndarray:
    grad = _with_both_axes(grad, len(shape), other.ndim)
    columns = other[:, None] if other.ndim == 1 else other
    matrix = shape if len(shape) > 1 else (1, *shape)
    return sum_to(_product(grad, columns.swapaxes(-1, -2)), (matrix, None)).reshape(shape)


def _other_gradient(grad: np.ndarray, input: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    grad = _with_both_axes(grad, input.ndim, len(shape))
    rows = input[None] if input.ndim == 1 else input
    matrix = shape if len(shape) > 1 else (*shape, 1)
    if len(matrix) == 2 and rows.ndim > 2:  # one product over all batches in place of a sum of products
        rows, grad = (array.reshape(math.prod(array.shape[:-1]), array.shape[-1]) for array in (rows, grad))
    return sum_to(_product(rows.swapaxes(-1, -2), grad), (matrix, None)).reshape(shape)


def matmul(input: Any, other: Any) -> Any:
    """The matrix product over the last two axes, the others broadcast.

    Args:
        input: (..., N, M), or (M) for a row that the result leaves out; float32, float64 or integers.
        other: (..., M, P), or (M) for a column that the result leaves out.

    Returns:
        (..., N, P).

    Raises:
        ValueError: extents that do not fit, an operand without axes.
        TypeError: dtypes that differ.
    """
    return Matmul.apply(operand("matmul", "input", input), operand("matmul", "other", other))


def matmul_backward(
    grad_output: Any, input: Any, other: Any, output_mask: Sequence[bool] = (True, True)
) -> tuple[Any, Any]:
    """The gradients of matmul with respect to input and other, on arrays; None where not asked for."""
    grad_output, input, other = (np.asarray(array) for array in (grad_output, input, other))
    expected = np.broadcast_shapes(input.shape[:-2], other.shape[:-2]) + input.shape[-2:-1]
    expected += other.shape[-1:] if other.ndim > 1 else ()
    if grad_output.shape != expected:
        raise ValueError(f"[matmul] grad_output: expected {expected}, got {grad_output.shape}")
    return (
        _input_gradient(grad_output, input.shape, other) if output_mask[0] else None,
        _other_gradient(grad_output, input, other.shape) if output_mask[1] else None,
    )


def _with_axes(op: str, name: str, value: Any, axes: str) -> Any:
    value = operand(op, name, value)
    if len(value.shape) != axes.count(",") + 1:
        raise ValueError(f"[{op}] {name}: expected {axes}, got {tuple(value.shape)}")
    return value


def bmm(input: Any, mat2: Any) -> Any:
    """The products of matrices (B, N, M) and (B, M, P), one by one."""
    input = _with_axes("bmm", "input", input, "(B, N, M)")
    mat2 = _with_axes("bmm", "mat2", mat2, "(B, M, P)")
    if input.shape[0] != mat2.shape[0]:
        raise ValueError(f"[bmm] mat2: expected {input.shape[0]} matrices, got {tuple(mat2.shape)}")
    return Matmul.apply(input, mat2)


def mm(input: Any, mat2: Any) -> Any:
    """The product of two matrices (N, M) and (M, P)."""
    return Matmul.apply(_with_axes("mm", "input", input, "(N, M)"), _with_axes("mm", "mat2", mat2, "(M, P)"))


def dot(input: Any, tensor: Any) -> Any:
    """The inner product of two vectors (M)."""
    return Matmul.apply(_with_axes("dot", "input", input, "(M)"), _with_axes("dot", "tensor", tensor, "(M)"))
