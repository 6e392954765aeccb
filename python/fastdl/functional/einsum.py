"""Einstein's summation."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from fastdl._alloc import zeros
from fastdl.autograd import Op
from fastdl.functional._operands import sum_to
from fastdl.functional.matmul import matmul


class Einsum(Op):
    """Every index of an operand is in the output or in another operand, or is summed over alone."""

    @staticmethod
    def forward(ctx: Any, equation: str, *arrays: np.ndarray) -> np.ndarray:
        if not isinstance(equation, str):
            raise TypeError(f"[einsum] equation: expected a str, got {type(equation).__name__}")
        arrays = tuple(np.asarray(array) for array in arrays)
        for position, array in enumerate(arrays):
            if array.dtype.kind not in "biufV":
                raise TypeError(f"[einsum] operand {position}: expected numbers, got {array.dtype}")
        terms, result = _parsed(equation, [array.ndim for array in arrays])
        ctx.terms, ctx.result = terms, result
        ctx.extents = _extents(equation, terms, arrays)
        ctx.save(*arrays)
        return _einsum(terms, result, arrays, ctx.extents)

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
            found.append(_gradient(ctx, term, array, grad, others, factors))
        return tuple(found)


def _extents(equation: str, terms: list[str], arrays: Any) -> dict[str, int]:
    extents: dict[str, int] = {}
    for term, array in zip(terms, arrays, strict=True):
        for letter, extent in zip(term, array.shape, strict=True):
            if extents.get(letter, 1) not in (1, extent) and extent != 1:
                raise ValueError(
                    f"[einsum] {equation}: expected one extent for index {letter}, "
                    f"got {extents[letter]} and {extent}"
                )
            if extents.get(letter, 1) == 1:
                extents[letter] = extent
    return extents


def _einsum(terms: list[str], result: str, arrays: Any, extents: dict[str, int]) -> np.ndarray:
    """Contracts the operands from left to right, each pair by a matrix product."""
    if arrays[0].dtype.kind not in "f":
        return np.asarray(np.einsum(f"{','.join(terms)}->{result}", *arrays))
    left, array = _plain(terms[0], arrays[0], extents)
    for position in range(1, len(arrays)):
        right, other = _plain(terms[position], arrays[position], extents)
        wanted = set(result).union(*terms[position + 1 :])
        left, array = _contract(left, array, right, other, wanted)
    left, array = _summed(left, array, set(result))
    array = array.transpose([left.index(letter) for letter in result])
    return array.copy() if len(arrays) == 1 else array


def _plain(term: str, array: np.ndarray, extents: dict[str, int]) -> tuple[str, np.ndarray]:
    """The operand with each index once, a diagonal for repeated ones, and without axes that are broadcast."""
    kept = tuple(
        0 if extent == 1 and extents[letter] != 1 else slice(None)
        for letter, extent in zip(term, array.shape, strict=True)
    )
    term = "".join(letter for letter, index in zip(term, kept, strict=True) if index != 0)
    distinct = "".join(dict.fromkeys(term))
    array = array[kept]
    return distinct, array if distinct == term else np.einsum(f"{term}->{distinct}", array)


def _summed(term: str, array: np.ndarray, wanted: set[str]) -> tuple[str, np.ndarray]:
    """Adds up over the indices that nobody wants."""
    axes = tuple(axis for axis, letter in enumerate(term) if letter not in wanted)
    if axes:
        array = np.asarray(array.sum(axis=axes, dtype=array.dtype))
    return "".join(letter for letter in term if letter in wanted), array


def _contract(
    left: str, a: np.ndarray, right: str, b: np.ndarray, wanted: set[str]
) -> tuple[str, np.ndarray]:
    left, a = _summed(left, a, wanted | set(right))
    right, b = _summed(right, b, wanted | set(left))
    batch = [letter for letter in left if letter in right and letter in wanted]
    inner = [letter for letter in left if letter in right and letter not in wanted]
    rows = [letter for letter in left if letter not in right]
    columns = [letter for letter in right if letter not in left]
    product = matmul(_grouped(left, a, batch, rows, inner), _grouped(right, b, batch, inner, columns))
    extents = dict(zip(left + right, a.shape + b.shape, strict=True))
    letters = batch + rows + columns
    return "".join(letters), product.reshape([extents[letter] for letter in letters])


def _grouped(term: str, array: np.ndarray, *groups: list[str]) -> np.ndarray:
    """The array with one axis for each group of its indices."""
    axes = [[term.index(letter) for letter in group] for group in groups]
    shape = [math.prod(array.shape[axis] for axis in group) for group in axes]
    return array.transpose([axis for group in axes for axis in group]).reshape(shape)


def _gradient(
    ctx: Any, term: str, array: np.ndarray, grad: np.ndarray, others: list[str], factors: list[np.ndarray]
) -> np.ndarray:
    distinct = "".join(dict.fromkeys(term))
    present = set(ctx.result)
    for other, factor in zip(others, factors, strict=True):
        present |= {letter for letter, n in zip(other, factor.shape, strict=True) if n == ctx.extents[letter]}
    shared = "".join(letter for letter in distinct if letter in present)
    partial = _einsum([ctx.result, *others], shared, [grad, *factors], ctx.extents)
    for at, letter in enumerate(distinct):
        if letter not in present:
            partial = np.expand_dims(partial, at)
    partial = np.broadcast_to(partial, [ctx.extents[letter] for letter in distinct])
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
    spare = [letter for letter in string.ascii_letters if letter not in used]
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
    if bad := set("".join(written) + right.replace("...", "")) - set(string.ascii_letters):
        raise ValueError(f"[einsum] {equation}: expected letters as indices, got {sorted(bad)}")
    if not arrow:
        names = sorted(set("".join(written)) - set(letters))
        return written, letters + "".join(name for name in names if "".join(written).count(name) == 1)
    result = right.replace("...", letters)
    if len(set(result)) < len(result) or not set(result) <= set("".join(written)):
        raise ValueError(
            f"[einsum] {equation}: expected each index of the result once and in an operand, got '{right}'"
        )
    return written, result


def einsum(equation: str, *operands: Any) -> Any:
    """Einstein's summation: products of elements, summed over the indices that ``->`` leaves out."""
    if len(operands) == 1 and isinstance(operands[0], list | tuple):
        operands = tuple(operands[0])
    return Einsum.apply(equation, *operands)
