"""Batch normalisation (S. Ioffe and C. Szegedy, arXiv:1502.03167, algorithm 1)."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def _over_channels(x: Array) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes that a channel's values lie along, and the shape that broadcasts a value for each channel."""
    return (0, *range(2, x.ndim)), (1, -1, *(1,) * (x.ndim - 2))


def _statistics(input, running_mean, running_var, training) -> tuple[Array, Array]:
    if not training:
        return running_mean, running_var
    if input.size == 0:
        return np.zeros(input.shape[1], input.dtype), np.ones(input.shape[1], input.dtype)
    axes, shape = _over_channels(input)
    mean = input.mean(axis=axes)
    return mean, ((input - mean.reshape(shape)) ** 2).mean(axis=axes)


def _normalised(input, mean, variance, eps) -> Array:
    _, shape = _over_channels(input)
    return (input - mean.reshape(shape)) / np.sqrt(variance + eps).reshape(shape)


def forward(
    input, running_mean=None, running_var=None, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
) -> Array:
    """y = (x - mean) / sqrt(variance + eps) weight + bias."""
    _, shape = _over_channels(input)
    y = _normalised(input, *_statistics(input, running_mean, running_var, training), eps)
    if weight is not None:
        y = y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def running_statistics(input, running_mean, running_var, momentum) -> tuple[Array, Array]:
    """What the running statistics become, with the unbiased variance."""
    axes, _ = _over_channels(input)
    mean, variance = input.mean(axis=axes), input.var(axis=axes, ddof=1)
    keep = 1 - momentum
    return keep * running_mean + momentum * mean, keep * running_var + momentum * variance


def backward(
    grad_output,
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    training=False,
    momentum=0.1,
    eps=1e-5,
) -> dict[str, Array]:
    """dx = (g - mean(g) - xhat mean(g xhat)) weight / sqrt(variance + eps); the means only where training."""
    axes, shape = _over_channels(input)
    mean, variance = _statistics(input, running_mean, running_var, training)
    xhat = _normalised(input, mean, variance, eps)
    g = grad_output
    grads = {"weight": (g * xhat).sum(axis=axes), "bias": g.sum(axis=axes)}
    if training and input.size > 0:
        g = g - g.mean(axis=axes, keepdims=True) - xhat * (g * xhat).mean(axis=axes, keepdims=True)
    scale = 1 / np.sqrt(variance + eps) * (1 if weight is None else weight)
    return {"input": g * scale.reshape(shape), **grads}
