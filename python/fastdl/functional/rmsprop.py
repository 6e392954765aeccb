"""The step of RMSprop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core
from fastdl.functional._arguments import flags, numbers


def rmsprop_step(
    params: Sequence[Any],
    grads: Sequence[Any],
    square_avgs: Sequence[Any],
    grad_avgs: Sequence[Any],
    momentum_buffers: Sequence[Any],
    *,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    centered: bool = False,
    maximize: bool = False,
) -> None:
    """One step of RMSprop for a list of parameters at once; all but `grads` is changed in place.

    Args:
        params, grads, square_avgs: NumPy arrays; the i-th ones have one shape and one dtype, float32 or float64, and
            any strides.
        grad_avgs: the same where centered, otherwise empty.
        momentum_buffers: the same with momentum, empty without.

    Raises:
        ValueError: lengths or shapes that differ, read-only arrays, arrays that share memory with one that is
            written, a number negative or not finite.
        TypeError: dtypes that differ or are not floating.

    Nothing is changed where one of these is raised.

    Source: T. Tieleman and G. Hinton, Neural Networks for Machine Learning, lecture 6.5, 2012; A. Graves,
    arXiv:1308.0850, eqs. 38-45 (centered).
    """
    op = "rmsprop_step"
    _core.rmsprop_step(
        params,
        grads,
        square_avgs,
        grad_avgs,
        momentum_buffers,
        *numbers(op, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum),
        *flags(op, centered=centered, maximize=maximize),
    )
