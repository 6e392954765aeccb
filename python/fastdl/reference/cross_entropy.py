"""Cross entropy of a softmax, with label smoothing (C. Szegedy et al., arXiv:1512.00567)."""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _problem(input, target, weight, ignore_index, label_smoothing) -> tuple[Array, Array, Array]:
    """log p, the weighted targets w q, both (N, C, inner), and each row's share in the divisor of the mean."""
    N, C = input.shape[:2]
    inner = math.prod(input.shape[2:])
    x = input.reshape(N, C, inner)
    w = np.ones(C, x.dtype) if weight is None else weight
    if target.shape == input.shape:
        q = target.reshape(N, C, inner)
        rows = np.ones((N, x.shape[2]), x.dtype)
        counted = np.ones_like(rows)
    else:
        t = target.reshape(N, inner)
        counted = (t != ignore_index).astype(x.dtype)
        t = np.where(t == ignore_index, 0, t)
        q = np.moveaxis(np.eye(C, dtype=x.dtype)[t], -1, 1)
        rows = w[t] * counted
    q = (1 - label_smoothing) * q + label_smoothing / C
    return _log_softmax(x), q * w[:, None] * counted[:, None, :], rows


def forward(input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0) -> Array:
    """l = -sum_c w[c] q[c] log softmax(x)[c], then its mean (over the target weights), sum, or all of it."""
    log_p, wq, rows = _problem(input, target, weight, ignore_index, label_smoothing)
    loss = -(wq * log_p).sum(axis=1)
    if reduction == "none":
        return loss.reshape(input.shape[:1] + input.shape[2:])
    return loss.sum() / rows.sum() if reduction == "mean" else loss.sum()


def backward(
    grad_output, input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0
) -> dict[str, Array]:
    """dl/dx[c] = softmax(x)[c] sum_c' w[c'] q[c'] - w[c] q[c];  dl/dtarget[c] = -(1 - smoothing) w[c] log p[c]."""
    log_p, wq, rows = _problem(input, target, weight, ignore_index, label_smoothing)
    grad = np.asarray(grad_output)
    grad = grad.reshape(rows.shape) if reduction == "none" else np.broadcast_to(grad, rows.shape)
    if reduction == "mean":
        grad = grad / rows.sum()
    grad_x = (np.exp(log_p) * wq.sum(axis=1, keepdims=True) - wq) * grad[:, None, :]
    grads = {"input": grad_x.reshape(input.shape)}
    if target.shape == input.shape:
        w = 1 if weight is None else weight[:, None]
        grads["target"] = (-(1 - label_smoothing) * w * log_p * grad[:, None, :]).reshape(input.shape)
    return grads
