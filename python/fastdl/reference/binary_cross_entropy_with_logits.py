"""Binary cross entropy of a sigmoid, as `torch.nn.BCEWithLogitsLoss` documents it."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _sigmoid(x: Array) -> Array:
    return np.where(x < 0, np.exp(-np.abs(x)), 1) / (1 + np.exp(-np.abs(x)))


def forward(input, target, weight=None, reduction="mean", pos_weight=None) -> Array:
    """l = -w (p t log sigmoid(x) + (1 - t) log(1 - sigmoid(x))), then its mean, sum, or all of it."""
    w = 1 if weight is None else weight
    p = 1 if pos_weight is None else pos_weight
    loss = w * (p * target * _softplus(-input) + (1 - target) * _softplus(input))
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def backward(grad_output, input, target, weight=None, reduction="mean", pos_weight=None) -> dict[str, Array]:
    """dl/dx = w ((1 - t) sigmoid(x) - p t sigmoid(-x));  dl/dt = w (p softplus(-x) - softplus(x))."""
    p = 1 if pos_weight is None else pos_weight
    divisor = input.size if reduction == "mean" else 1
    grad = grad_output * (1 if weight is None else weight) / divisor
    return {
        "input": grad * ((1 - target) * _sigmoid(input) - p * target * _sigmoid(-input)),
        "target": grad * (p * _softplus(-input) - _softplus(input)),
    }
