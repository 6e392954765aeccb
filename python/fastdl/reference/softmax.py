"""Softmax and its logarithm over one axis, shifted by the maximum so that nothing overflows.

Source: P. Blanchard, D. Higham and N. Higham, Accurately computing the log-sum-exp and softmax functions, IMA
Journal of Numerical Analysis 41 (2021).
"""

from __future__ import annotations

import numpy as np

from fastdl.reference._formula import Formula

Array = np.ndarray


def _softmax(input: Array, dim: int) -> Array:
    if input.ndim == 0:
        return np.ones_like(input)
    e = np.exp(input - input.max(axis=dim, keepdims=True, initial=-np.inf))
    return e / e.sum(axis=dim, keepdims=True)


def _softmax_backward(grad_output: Array, input: Array, dim: int) -> dict[str, Array]:
    """dl/dx[c] = y[c] (g[c] - sum_c' g[c'] y[c'])."""
    if input.ndim == 0:
        return {"input": np.zeros_like(input)}
    y = _softmax(input, dim)
    return {"input": y * (grad_output - (grad_output * y).sum(axis=dim, keepdims=True))}


def _log_softmax(input: Array, dim: int) -> Array:
    if input.ndim == 0 or input.size == 0:
        return np.zeros_like(input)
    shifted = input - input.max(axis=dim, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.exp(shifted).sum(axis=dim, keepdims=True))


def _log_softmax_backward(grad_output: Array, input: Array, dim: int) -> dict[str, Array]:
    """dl/dx[c] = g[c] - y[c] sum_c' g[c']."""
    if input.ndim == 0:
        return {"input": np.zeros_like(input)}
    return {"input": grad_output - _softmax(input, dim) * grad_output.sum(axis=dim, keepdims=True)}


softmax = Formula(_softmax, _softmax_backward)
log_softmax = Formula(_log_softmax, _log_softmax_backward)
