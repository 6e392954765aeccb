"""The affine map of a fully connected layer as its defining sum."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def forward(input, weight, bias=None) -> Array:
    """y[..., o] = sum_i x[..., i] w[o, i] + b[o]."""
    y = np.einsum("...i,oi->...o", input, weight) if weight.ndim == 2 else np.einsum("...i,i", input, weight)
    return y if bias is None else y + bias


def backward(grad_output, input, weight, bias=None) -> dict[str, Array]:
    """dx = g w, dw[o, i] = sum g[..., o] x[..., i], db[o] = sum g[..., o]."""
    w = weight if weight.ndim == 2 else weight[None]
    g = np.asarray(grad_output) if weight.ndim == 2 else np.asarray(grad_output)[..., None]
    rows = g.reshape(-1, w.shape[0])
    return {
        "input": np.einsum("...o,oi->...i", g, w),
        "weight": np.einsum("ro,ri->oi", rows, input.reshape(len(rows), -1)).reshape(weight.shape),
        "bias": rows.sum(axis=0).reshape(weight.shape[:-1]),
    }
