"""Outer products and triangles of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl.autograd import Op


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
