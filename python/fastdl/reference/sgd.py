"""Stochastic gradient descent with momentum, Nesterov's in the form of Sutskever et al. (2013).

One step for one parameter, in the dtype of its arguments; nothing is changed in place.
"""

from __future__ import annotations


def sgd_step(
    param,
    grad,
    momentum_buffer,
    *,
    lr,
    momentum=0.0,
    dampening=0.0,
    weight_decay=0.0,
    nesterov=False,
    maximize=False,
    first_step=False,
):
    """Returns (param, momentum_buffer); in the first step the buffer becomes the gradient, undampened.

    The learning rate multiplies the buffer and is not part of it, as in `torch.optim.SGD`.
    """
    if maximize:
        grad = -grad
    grad = grad + weight_decay * param
    if momentum == 0:
        return param - lr * grad, momentum_buffer
    momentum_buffer = grad if first_step else momentum * momentum_buffer + (1 - dampening) * grad
    direction = grad + momentum * momentum_buffer if nesterov else momentum_buffer
    return param - lr * direction, momentum_buffer
