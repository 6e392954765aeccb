"""Negative log likelihood of classes, as `torch.nn.NLLLoss` documents it."""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray


def _weights(input, target, weight, ignore_index) -> Array:
    """(N, C, inner): w[c] where c is the row's target and counts, 0 elsewhere."""
    N, C = input.shape[:2]
    inner = math.prod(input.shape[2:])
    w = np.ones(C, input.dtype) if weight is None else weight
    classes = np.arange(C)[:, None]
    chosen = (target.reshape(N, 1, inner) == classes) & (target.reshape(N, 1, inner) != ignore_index)
    return chosen * w[:, None]


def forward(input, target, weight=None, ignore_index=-100, reduction="mean") -> Array:
    """l = -w[t] x[t], then its mean (over the w[t]), sum, or all of it."""
    w = _weights(input, target, weight, ignore_index)
    loss = -(w * input.reshape(w.shape)).sum(axis=1)
    if reduction == "none":
        return loss.reshape(target.shape)
    return loss.sum() / w.sum() if reduction == "mean" else loss.sum()


def backward(
    grad_output, input, target, weight=None, ignore_index=-100, reduction="mean"
) -> dict[str, Array]:
    """dl/dx[c] = -w[c] where c is the target."""
    w = _weights(input, target, weight, ignore_index)
    grad = np.asarray(grad_output)
    grad = grad.reshape(w.shape[0], 1, w.shape[2]) if reduction == "none" else grad
    divisor = w.sum() if reduction == "mean" else 1
    return {"input": (-w * grad / divisor).reshape(input.shape)}
