"""Adam (Kingma and Ba 2015, algorithm 1), AMSGrad (Reddi et al. 2018) and AdamW (Loshchilov and Hutter 2019).

One step for one parameter, in the dtype of its arguments; nothing is changed in place.
"""

from __future__ import annotations

import numpy as np


def adam_step(
    param,
    grad,
    exp_avg,
    exp_avg_sq,
    max_exp_avg_sq,
    step,
    *,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay=0.0,
    amsgrad=False,
    maximize=False,
    decoupled_weight_decay=False,
):
    """The step with number `step` ≥ 1; returns (param, exp_avg, exp_avg_sq, max_exp_avg_sq).

    The denominator is √(v̂) + eps with the bias-corrected v̂, and under AMSGrad the maximum is taken before
    the correction, as in `torch.optim.Adam`.
    """
    if maximize:
        grad = -grad
    if decoupled_weight_decay:
        param = param - lr * weight_decay * param
    else:
        grad = grad + weight_decay * param
    exp_avg = beta1 * exp_avg + (1 - beta1) * grad
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * grad**2
    second_moment = exp_avg_sq
    if amsgrad:
        second_moment = max_exp_avg_sq = np.maximum(max_exp_avg_sq, exp_avg_sq)
    corrected_avg = exp_avg / (1 - beta1**step)
    corrected_sq = second_moment / (1 - beta2**step)
    return param - lr * corrected_avg / (np.sqrt(corrected_sq) + eps), exp_avg, exp_avg_sq, max_exp_avg_sq
