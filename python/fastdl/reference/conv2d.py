"""Convolution as its defining sum (V. Dumoulin and F. Visin, arXiv:1603.07285)."""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def _windows(
    x: Array,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
):
    """For each tap (r, s): the padded image's slices that it meets, one per output position."""
    (R, S), (u, v), (a, b), (d, e) = kernel, stride, padding, dilation
    padded = np.pad(x, ((0, 0), (0, 0), (a, a), (b, b)))
    P = (padded.shape[2] - d * (R - 1) - 1) // u + 1
    Q = (padded.shape[3] - e * (S - 1) - 1) // v + 1
    for r in range(R):
        for s in range(S):
            rows = slice(r * d, r * d + (P - 1) * u + 1, u)
            columns = slice(s * e, s * e + (Q - 1) * v + 1, v)
            yield r, s, rows, columns, padded, (P, Q)


def forward(input, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1) -> Array:
    """y[n, k, p, q] = bias[k] + sum_crs weight[k, c, r, s] x[n, c, p u - a + r d, q v - b + s e]."""
    N, C = input.shape[:2]
    K, _, R, S = weight.shape
    y = 0
    for r, s, rows, columns, padded, (P, Q) in _windows(input, (R, S), stride, padding, dilation):
        x = padded[:, :, rows, columns].reshape(N, groups, C // groups, P, Q)
        w = weight[:, :, r, s].reshape(groups, K // groups, C // groups)
        y = y + np.einsum("ngcpq,gkc->ngkpq", x, w).reshape(N, K, P, Q)
    return y if bias is None else y + bias[:, None, None]


def backward(
    grad_output, input, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1
) -> dict[str, Array]:
    """The sums that the chain rule makes of forward's."""
    N, C, H, W = input.shape
    K, _, R, S = weight.shape
    grad_padded, grad_weight = None, np.zeros_like(weight)
    grad_y = grad_output.reshape(N, groups, K // groups, *grad_output.shape[2:])
    for r, s, rows, columns, padded, (P, Q) in _windows(input, (R, S), stride, padding, dilation):
        if grad_padded is None:
            grad_padded = np.zeros_like(padded)
        w = weight[:, :, r, s].reshape(groups, K // groups, C // groups)
        x = padded[:, :, rows, columns].reshape(N, groups, C // groups, P, Q)
        grad_padded[:, :, rows, columns] += np.einsum("ngkpq,gkc->ngcpq", grad_y, w).reshape(N, C, P, Q)
        grad_weight[:, :, r, s] = np.einsum("ngkpq,ngcpq->gkc", grad_y, x).reshape(K, C // groups)
    a, b = padding
    return {
        "input": grad_padded[:, :, a : a + H, b : b + W],
        "weight": grad_weight,
        "bias": grad_output.sum(axis=(0, 2, 3)),
    }
