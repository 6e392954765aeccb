"""Convolution as its defining sum, term by term (V. Dumoulin and F. Visin, arXiv:1603.07285)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Array = np.ndarray
Pair = tuple[int, int]


def _taps(x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Iterator[tuple]:
    """For each tap (r, s): the rows and columns of the padded image that it meets at the output positions."""
    (R, S), (u, v), (a, b), (d, e) = kernel, stride, padding, dilation
    P = (x.shape[2] + 2 * a - d * (R - 1) - 1) // u + 1
    Q = (x.shape[3] + 2 * b - e * (S - 1) - 1) // v + 1
    for r in range(R):
        for s in range(S):
            yield (r, s, slice(r * d, r * d + (P - 1) * u + 1, u), slice(s * e, s * e + (Q - 1) * v + 1, v))


def _padded(x: Array, padding: Pair) -> Array:
    a, b = padding
    return np.pad(x, ((0, 0), (0, 0), (a, a), (b, b)))


def forward(input, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1) -> Array:
    """y[n, k, p, q] = bias[k] + sum_crs weight[k, c, r, s] x[n, c, p u - a + r d, q v - b + s e]."""
    N, C = input.shape[:2]
    K, _, R, S = weight.shape
    padded = _padded(input, padding)
    w = weight.reshape(groups, K // groups, C // groups, R, S)
    y: Array = np.zeros((), weight.dtype)
    for r, s, rows, columns in _taps(input, (R, S), stride, padding, dilation):
        met = padded[:, :, rows, columns]
        x = met.reshape(N, groups, C // groups, *met.shape[2:])
        for c in range(C // groups):
            y = y + w[:, :, c, r, s, None, None] * x[:, :, None, c]
    y = y.reshape(N, K, *y.shape[3:])
    return y if bias is None else y + bias[:, None, None]


def backward(
    grad_output, input, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1
) -> dict[str, Array]:
    """The sums that the chain rule makes of forward's."""
    N, C, H, W = input.shape
    K, _, R, S = weight.shape
    padded = _padded(input, padding)
    grad_padded, grad_weight = np.zeros_like(padded), np.zeros_like(weight)
    grad_y = grad_output.reshape(N, groups, K // groups, *grad_output.shape[2:])
    w = weight.reshape(groups, K // groups, C // groups, R, S)
    for r, s, rows, columns in _taps(input, (R, S), stride, padding, dilation):
        met = padded[:, :, rows, columns]
        x = met.reshape(N, groups, C // groups, *met.shape[2:])
        for k in range(K // groups):
            grad_x = w[:, k, :, r, s, None, None] * grad_y[:, :, k, None]
            grad_padded[:, :, rows, columns] += grad_x.reshape(met.shape)
        grad_weight[:, :, r, s] = np.einsum("ngkpq,ngcpq->gkc", grad_y, x).reshape(K, C // groups)
    a, b = padding
    return {
        "input": grad_padded[:, :, a : a + H, b : b + W],
        "weight": grad_weight,
        "bias": grad_output.sum(axis=(0, 2, 3)),
    }
