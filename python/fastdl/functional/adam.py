"""The step of Adam and AdamW."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core
from fastdl.functional._arguments import flags, numbers, shape


def adam_step(
    params: Sequence[Any],
    grads: Sequence[Any],
    exp_avgs: Sequence[Any],
    exp_avg_sqs: Sequence[Any],
    max_exp_avg_sqs: Sequence[Any],
    steps: Sequence[int],
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float = 0.0,
    amsgrad: bool = False,
    maximize: bool = False,
    decoupled_weight_decay: bool = False,
) -> None:
    """One step of Adam for a list of parameters at once; all but `grads` is changed in place.

    Args:
        params, grads, exp_avgs, exp_avg_sqs: NumPy arrays; the i-th ones have one shape and one dtype, float32 or
            float64, and any strides.
        max_exp_avg_sqs: the same with amsgrad, empty without.
        steps: the number of this step for each parameter, from 1.
        decoupled_weight_decay: as AdamW; otherwise `weight_decay` is an L2 term of the loss.

    Raises:
        ValueError: lengths or shapes that differ, read-only arrays, arrays that share memory with one that is
            written, lr, eps or weight_decay negative or not finite, beta1 or beta2 outside [0, 1).
        TypeError: dtypes that differ or are not floating.

    Nothing is changed where one of these is raised.

    Source: D. Kingma and J. Ba, arXiv:1412.6980; S. Reddi et al., On the Convergence of Adam and Beyond (amsgrad);
    I. Loshchilov and F. Hutter, arXiv:1711.05101 (decoupled weight decay).
    """
    op = "adam_step"
    if not (type(lr) is type(beta1) is type(beta2) is type(eps) is type(weight_decay) is float):
        lr, beta1, beta2, eps, weight_decay = numbers(
            op, lr=lr, beta1=beta1, beta2=beta2, eps=eps, weight_decay=weight_decay
        )
    if not (type(amsgrad) is type(maximize) is type(decoupled_weight_decay) is bool):
        amsgrad, maximize, decoupled_weight_decay = flags(
            op, amsgrad=amsgrad, maximize=maximize, decoupled_weight_decay=decoupled_weight_decay
        )
    _core.adam_step(
        params,
        grads,
        exp_avgs,
        exp_avg_sqs,
        max_exp_avg_sqs,
        shape(op, "steps", steps),
        lr,
        beta1,
        beta2,
        eps,
        weight_decay,
        amsgrad,
        maximize,
        decoupled_weight_decay,
    )
