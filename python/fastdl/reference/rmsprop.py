"""RMSprop (Tieleman and Hinton 2012, lecture 6.5), centred as in Graves (2013), eqs. 38–45.

One step for one parameter, in the dtype of its arguments; nothing is changed in place.
"""

from __future__ import annotations

import numpy as np


def rmsprop_step(
    param,
    grad,
    square_avg,
    grad_avg,
    momentum_buffer,
    *,
    lr,
    alpha,
    eps,
    weight_decay=0.0,
    momentum=0.0,
    centered=False,
    maximize=False,
):
    """Returns (param, square_avg, grad_avg, momentum_buffer). eps is added after the root, as in PyTorch."""
    if maximize:
        grad = -grad
    grad = grad + weight_decay * param
    square_avg = alpha * square_avg + (1 - alpha) * grad**2
    variance = square_avg
    if centered:
        grad_avg = alpha * grad_avg + (1 - alpha) * grad
        variance = square_avg - grad_avg**2
    scaled = grad / (np.sqrt(variance) + eps)
    if momentum == 0:
        return param - lr * scaled, square_avg, grad_avg, momentum_buffer
    momentum_buffer = momentum * momentum_buffer + scaled
    return param - lr * momentum_buffer, square_avg, grad_avg, momentum_buffer
