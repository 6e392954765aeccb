"""Dropout of elements and of channels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from fastdl import _core, random
from fastdl._alloc import empty_ordered
from fastdl.autograd import Op
from fastdl.functional._arguments import operand, probability
from fastdl.functional.elementwise import mul


class Dropout(Op):
    @staticmethod
    def forward(ctx: Any, input: Any, in_place: bool, p: float) -> Any:
        ctx.p, ctx.seed = p, random.next_seed()
        seed, offset = ctx.seed
        y = _core.dropout_forward(input, p, seed, offset, in_place)
        ctx.strides = y.strides
        return y

    @staticmethod
    def backward(ctx: Any, grad_output: Any) -> Any:
        if grad_output.strides != ctx.strides:  # elements are counted in the order in memory that forward met
            ordered = empty_ordered(grad_output.shape, ctx.strides, grad_output.dtype)
            np.copyto(ordered, grad_output)
            grad_output = ordered
        seed, offset = ctx.seed
        return _core.dropout_forward(grad_output, ctx.p, seed, offset, False), None, None


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """Multiplies every element by 0 with probability p, else by 1 / (1 - p); outside training, by 1.

    The random numbers come from `fastdl.random`'s generator: the same after the same `manual_seed`, whatever the
    number of threads. They are dealt out in the order of the elements in memory.

    Args:
        input: any shape, float32 or float64.
        p: in [0, 1].
        training: False returns `input` itself.
        inplace: write the result over `input`, and return that.

    Raises:
        ValueError: p outside [0, 1], inplace on a read-only array.
        TypeError: a dtype that is not float32 or float64.

    Source: N. Srivastava et al., Dropout, JMLR 15 (2014).
    """
    p, input = probability("dropout", "p", p), operand("dropout", "input", input)
    if not training or p == 0 or 0 in input.shape:
        return input
    if inplace and hasattr(input, "_overwrite"):
        return input._overwrite(Dropout, True, p)
    return Dropout.apply(input, inplace, p)


def dropout_backward(grad_output: Any, seed: tuple[int, int], p: float = 0.5) -> Any:
    """The gradient of dropout on arrays; `seed` is what `fastdl.random.next_seed` gave to the forward pass.

    grad_output must lie in memory as the input of dropout did.
    """
    return _core.dropout_forward(grad_output, probability("dropout", "p", p), *seed, False)


def dropout2d(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    """`dropout` of whole channels of (N, C, H, W).

    Other arrays (N, C, ...) work with a warning, as in PyTorch; with fewer than two axes they raise ValueError.
    """
    p, input = probability("dropout2d", "p", p), operand("dropout2d", "input", input)
    if input.ndim not in (3, 4):
        warnings.warn(
            f"dropout2d: a {input.ndim}-D input is deprecated; for channels of (N, C, H, W), or use dropout",
            stacklevel=2,
        )
    elif input.ndim == 3:
        warnings.warn("dropout2d: a 3-D input is taken for (N, C, L), not for (C, H, W)", stacklevel=2)
    if not training or p == 0 or 0 in input.shape:
        return input
    if input.ndim < 2:
        raise ValueError(f"[dropout2d] input: expected (N, C, H, W), got {tuple(input.shape)}")
    factors = np.ones((*input.shape[:2], *(1,) * (input.ndim - 2)), input.dtype)
    _core.dropout_forward(factors, p, *random.next_seed(), True)
    if not inplace:
        return mul(input, factors)
    return np.multiply(input, factors, out=input) if isinstance(input, np.ndarray) else input.mul_(factors)
