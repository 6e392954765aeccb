"""Binary cross entropy of probabilities, as `torch.nn.BCELoss` documents it."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def forward(input, target, weight=None, reduction="mean") -> Array:
    """l = -w (t max(log x, -100) + (1 - t) max(log(1 - x), -100)), then its mean, sum, or all of it."""
    w = 1 if weight is None else weight
    log_x, log_rest = np.maximum(np.log(input), -100), np.maximum(np.log1p(-input), -100)
    loss = -w * (target * log_x + (1 - target) * log_rest)
    return loss if reduction == "none" else loss.mean() if reduction == "mean" else loss.sum()


def backward(grad_output, input, target, weight=None, reduction="mean") -> dict[str, Array]:
    """dl/dx = w (x - t) / (x (1 - x)), the divisor at least 1e-12;  dl/dt = w (log(1 - x) - log x)."""
    divisor = input.size if reduction == "mean" else 1
    grad = grad_output * (1 if weight is None else weight) / divisor
    return {
        "input": grad * (input - target) / np.maximum(input * (1 - input), 1e-12),
        "target": grad * (np.log1p(-input) - np.log(input)),
    }
