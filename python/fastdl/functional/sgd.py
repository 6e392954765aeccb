"""The step of stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core
from fastdl.functional._arguments import flag, flags, numbers


def sgd_step(
    params: Sequence[Any],
    grads: Sequence[Any],
    momentum_buffers: Sequence[Any],
    *,
    lr: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    first_steps: Sequence[bool] = (),
) -> None:
    """One step of gradient descent for a list of parameters at once; all but `grads` is changed in place.

    Args:
        params, grads: NumPy arrays; the i-th ones have one shape and one dtype, float32 or float64, and any strides.
        momentum_buffers: the same with momentum, empty without.
        first_steps: with momentum, for each parameter whether its buffer starts now, as the gradient.

    Raises:
        ValueError: lengths or shapes that differ, read-only arrays, arrays that share memory with one that is
            written, lr, momentum or weight_decay negative or not finite, nesterov without momentum or with
            dampening.
        TypeError: dtypes that differ or are not floating.

    Nothing is changed where one of these is raised.

    Source: I. Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013.
    """
    op = "sgd_step"
    if not (type(lr) is type(momentum) is type(dampening) is type(weight_decay) is float):
        lr, momentum, dampening, weight_decay = numbers(
            op, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay
        )
    if not (type(nesterov) is type(maximize) is bool):
        nesterov, maximize = flags(op, nesterov=nesterov, maximize=maximize)
    _core.sgd_step(
        params,
        grads,
        momentum_buffers,
        [
            first if type(first) is bool else flag(op, f"first_steps[{i}]", first)
            for i, first in enumerate(first_steps)
        ],
        lr,
        momentum,
        dampening,
        weight_decay,
        nesterov,
        maximize,
    )
