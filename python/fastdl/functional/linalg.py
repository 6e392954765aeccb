"""Products of matrices and tensors, triangles."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl._alloc import zeros
from fastdl.autograd import Op
from fastdl.functional._matmul_glue import multiply
from fastdl.functional._operands import sum_to


def _swap(array: np.ndarray) -> np.ndarray:
    return array.swapaxes(-1, -2)


class Matmul(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, other: np.ndarray) -> np.ndarray:
        x, y = np.asarray(input), np.asarray(other)
        if x.ndim == 0 or y.ndim == 0:
            raise ValueError(f"[matmul] expected at least one axis, got shapes {x.shape} and {y.shape}")
        if x.dtype != y.dtype:
            raise TypeError(f"[matmul] other: expected {x.dtype} as input has, got {y.dtype}")
        rows = x[None] if x.ndim == 1 else x
        columns = y[:, None] if y.ndim == 1 else y
        if rows.shape[-1] != columns.shape[-2]:
            raise ValueError(
                f"[matmul] other: expected {x.shape[-1]} rows for shape {x.shape}, got shape {y.shape}"
            )
        left, right = ctx.needs_input_grad
        ctx.save(rows if right else None, columns if left else None)
        ctx.shapes = x.shape, y.shape
        out = multiply(rows, columns)
        if x.ndim == 1:
            out = out[..., 0, :]
        return out[..., 0] if y.ndim == 1 else out

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        rows, columns = ctx.saved
        x_shape, y_shape = ctx.shapes
        if len(y_shape) == 1:
            grad = grad[..., None]
        if len(x_shape) == 1:
            grad = grad[..., None, :]
        by_x = by_y = None
        if columns is not None:
            padded = x_shape if len(x_shape) > 1 else (1, *x_shape)
            by_x = sum_to(multiply(grad, _swap(columns)), (padded, None)).reshape(x_shape)
        if rows is not None:
            padded = y_shape if len(y_shape) > 1 else (*y_shape, 1)
            by_y = sum_to(multiply(_swap(rows), grad), (padded, None)).reshape(y_shape)
        return by_x, by_y


class _Triangle(Op):
    choose: Any

    @staticmethod
    def forward(ctx: Any, input: np.ndarray, diagonal: int) -> np.ndarray:
        x = np.asarray(input)
        if x.ndim < 2:
            raise ValueError(f"[{ctx.choose.__name__}] input: expected at least 2 axes, got shape {x.shape}")
        ctx.diagonal = diagonal
        return ctx.choose(x, diagonal)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        return ctx.choose(grad, ctx.diagonal), None


class Tril(_Triangle):
    choose = staticmethod(np.tril)


class Triu(_Triangle):
    choose = staticmethod(np.triu)


class Einsum(Op):
    """Every index of an operand is in the output or in another operand, or is summed over alone."""

    @staticmethod
    def forward(ctx: Any, equation: str, *arrays: np.ndarray) -> np.ndarray:
        arrays = tuple(np.asarray(array) for array in arrays)
        terms, result = _parsed(equation, [array.ndim for array in arrays])
        ctx.terms, ctx.result = terms, result
        extents: dict[str, int] = {}
        for term, array in zip(terms, arrays, strict=True):
            for letter, extent in zip(term, array.shape, strict=True):
                if extents.get(letter, 1) not in (1, extent) and extent != 1:
                    raise ValueError(
                        f"[einsum] {equation}: expected one extent for index {letter}, "
                        f"got {extents[letter]} and {extent}"
                    )
                extents[letter] = max(extents.get(letter, 1), extent) if extent else 0
        ctx.extents = extents
        ctx.save(*arrays)
        return np.asarray(_einsum(terms, result, arrays))

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        arrays = ctx.saved
        found: list[Any] = [None]
        for position, (term, array) in enumerate(zip(ctx.terms, arrays, strict=True)):
            if not ctx.needs_input_grad[position + 1]:
                found.append(None)
                continue
            others = [ctx.terms[at] for at in range(len(arrays)) if at != position]
            factors = [arrays[at] for at in range(len(arrays)) if at != position]
            found.append(_einsum_gradient(ctx, term, array, grad, others, factors))
        return tuple(found)


def _einsum(terms: list[str], result: str, arrays: Any) -> np.ndarray:
    return np.einsum(f"{','.join(terms)}->{result}", *arrays, optimize=len(arrays) > 1)


def _einsum_gradient(
    ctx: Any, term: str, array: np.ndarray, grad: np.ndarray, others: list[str], factors: list[np.ndarray]
) -> np.ndarray:
    distinct = "".join(dict.fromkeys(term))
    present = set(ctx.result).union(*others)
    shared = "".join(letter for letter in distinct if letter in present)
    partial = _einsum([ctx.result, *others], shared, [grad, *factors])
    for at, letter in enumerate(distinct):
        if letter not in present:
            partial = np.expand_dims(partial, at)
    partial = np.broadcast_to(
        partial,
        [max(extent, 1 if letter not in present else extent) if letter in present else ctx.extents[letter]
         for letter, extent in zip(distinct, partial.shape, strict=True)],
    )  # fmt: skip
    if distinct == term:
        return sum_to(np.array(partial), (array.shape, None))
    # a repeated index reads a diagonal: its gradient goes back to that diagonal
    out = zeros([array.shape[term.index(letter)] for letter in term], grad.dtype)
    np.einsum(f"{term}->{distinct}", out)[...] = partial
    return out


def _parsed(equation: str, ndims: list[int]) -> tuple[list[str], str]:
    """The subscripts of each operand and of the result, with ellipses written out."""
    compact = equation.replace(" ", "")
    left, arrow, right = compact.partition("->")
    terms = left.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"[einsum] {equation}: expected {len(terms)} operands, got {len(ndims)}")
    used = set(compact)
    spare = [
        letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if letter not in used
    ]
    widths = [
        ndim - len(term.replace("...", "")) if "..." in term else 0
        for term, ndim in zip(terms, ndims, strict=True)
    ]
    widest = max(widths, default=0)
    letters = "".join(spare[:widest])
    written = []
    for term, ndim, width in zip(terms, ndims, widths, strict=True):
        full = term.replace("...", letters[widest - width :] if width else "")
        if len(full) != ndim or width < 0:
            raise ValueError(f"[einsum] {equation}: expected {len(full)} axes for '{term}', got {ndim}")
        written.append(full)
    if not arrow:
        names = sorted(set("".join(written)) - set(letters))
        return written, letters + "".join(name for name in names if "".join(written).count(name) == 1)
    return written, right.replace("...", letters)


def matmul(input: Any, other: Any) -> Any:
    """The matrix product over the last two axes, the others broadcast; one axis stands for a vector."""
    return Matmul.apply(input, other)


def bmm(input: Any, mat2: Any) -> Any:
    """The products of matrices (B, N, M) and (B, M, P), one by one."""
    if len(input.shape) != 3 or len(mat2.shape) != 3 or input.shape[0] != mat2.shape[0]:
        raise ValueError(
            f"[bmm] expected shapes (B, N, M) and (B, M, P), got {tuple(input.shape)} and {tuple(mat2.shape)}"
        )
    return Matmul.apply(input, mat2)


def mm(input: Any, mat2: Any) -> Any:
    """The product of two matrices."""
    if len(input.shape) != 2 or len(mat2.shape) != 2:
        raise ValueError(
            f"[mm] expected shapes (N, M) and (M, P), got {tuple(input.shape)} and {tuple(mat2.shape)}"
        )
    return Matmul.apply(input, mat2)


def dot(input: Any, other: Any) -> Any:
    """The inner product of two vectors."""
    if len(input.shape) != 1 or len(other.shape) != 1:
        raise ValueError(
            f"[dot] expected two vectors, got shapes {tuple(input.shape)} and {tuple(other.shape)}"
        )
    return Matmul.apply(input, other)


def outer(input: Any, vec2: Any) -> Any:
    """The outer product of two vectors."""
    if len(input.shape) != 1 or len(vec2.shape) != 1:
        raise ValueError(
            f"[outer] expected two vectors, got shapes {tuple(input.shape)} and {tuple(vec2.shape)}"
        )
    return input[:, None] * vec2[None]


def tril(input: Any, diagonal: int = 0) -> Any:
    """The lower triangles of matrices, zero above `diagonal`."""
    return Tril.apply(input, diagonal)


def triu(input: Any, diagonal: int = 0) -> Any:
    """The upper triangles of matrices, zero below `diagonal`."""
    return Triu.apply(input, diagonal)


def einsum(equation: str, *operands: Any) -> Any:
    """Einstein's summation: products of elements, summed over the indices that ``->`` leaves out."""
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    return Einsum.apply(equation, *operands)


__all__ = [
    "bmm", "dot", "einsum", "matmul", "mm", "outer", "tril", "triu",
]  # fmt: skip
