"""Rows of a table, looked up by index."""

from __future__ import annotations

from typing import Any

from fastdl import _core
from fastdl.autograd import Op
from fastdl.functional._arguments import flag, integer


class Embedding(Op):
    fresh = True

    @staticmethod
    def forward(ctx: Any, input: Any, weight: Any, padding_idx: int | None, scale_grad_by_freq: bool) -> Any:
        ctx.save(input, weight)
        ctx.options = padding_idx, scale_grad_by_freq
        return _core.embedding_forward(input, weight, padding_idx)

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        return None, _core.embedding_backward(grad_output, *ctx.saved, *ctx.options), None, None


def refuse_unsupported(op: str, max_norm: float | None, sparse: bool) -> None:
    """ValueError for the two of PyTorch's options that the library has not."""
    if max_norm is not None:
        raise ValueError(
            f"[{op}] max_norm: expected None, for renormalisation is unsupported, got {max_norm}"
        )
    if sparse:
        raise ValueError(f"[{op}] sparse: expected False, for sparse gradients are unsupported, got {sparse}")


def _options(padding_idx: Any, scale_grad_by_freq: Any) -> tuple[int | None, bool]:
    op = "embedding"
    if padding_idx is not None:
        padding_idx = integer(op, "padding_idx", padding_idx, "an int or None")
    return padding_idx, flag(op, "scale_grad_by_freq", scale_grad_by_freq)


def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Any:
    """The rows of `weight` that the indices `input` name.

    Args:
        input: (*), integers in [0, num_embeddings).
        weight: (num_embeddings, embedding_dim), float32 or float64.
        padding_idx: a row that gets no gradient; negative ones count from the end.
        scale_grad_by_freq: divides each row's gradient by how often its index occurs in `input`.
        max_norm, norm_type, sparse: unsupported; for PyTorch's signature.

    Returns:
        (*, embedding_dim).

    Raises:
        ValueError: an index or padding_idx out of range, a weight without two axes, max_norm or sparse given.
        TypeError: indices that are not integers, a weight that is not floating.
    """
    refuse_unsupported("embedding", max_norm, sparse)
    return Embedding.apply(input, weight, *_options(padding_idx, scale_grad_by_freq))


def embedding_backward(
    grad_output: Any,
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    scale_grad_by_freq: bool = False,
) -> Any:
    """The gradient of embedding with respect to `weight`, on arrays; grad_output is (*, embedding_dim)."""
    return _core.embedding_backward(grad_output, input, weight, *_options(padding_idx, scale_grad_by_freq))
