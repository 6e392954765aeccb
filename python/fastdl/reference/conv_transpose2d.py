"""Transposed convolution as its defining scatter, tap by tap (V. Dumoulin and F. Visin, arXiv:1603.07285)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Array = np.ndarray
Pair = tuple[int, int]
Tap = tuple[int, int, slice, slice]


def _taps(size: Pair, kernel: Pair, stride: Pair, dilation: Pair) -> Iterator[Tap]:
    """For each tap (r, s): the rows and columns of the uncropped result that the input's pixels add to."""
    (P, Q), (R, S), (u, v), (d, e) = size, kernel, stride, dilation
    for r in range(R):
        for s in range(S):
            yield r, s, slice(r * d, r * d + (P - 1) * u + 1, u), slice(s * e, s * e + (Q - 1) * v + 1, v)


def _uncropped(size: Pair, kernel: Pair, stride: Pair, output_padding: Pair, dilation: Pair) -> list[int]:
    axes = zip(size, kernel, stride, output_padding, dilation, strict=True)
    return [(p - 1) * u + d * (r - 1) + o + 1 for p, r, u, o, d in axes]


def forward(
    input,
    weight,
    bias=None,
    stride=(1, 1),
    padding=(0, 0),
    output_padding=(0, 0),
    groups=1,
    dilation=(1, 1),
) -> Array:
    """y[n, k, p u - a + r d, q v - b + s e] += weight[c, k, r, s] x[n, c, p, q], y[n, k] beginning at bias[k]."""
    N, C, *size = input.shape
    _, K, *kernel = weight.shape  # K: output channels of one group
    H, W = _uncropped(size, kernel, stride, output_padding, dilation)
    x = input.reshape(N, groups, C // groups, *size)
    w = weight.reshape(groups, C // groups, K, *kernel)
    y = np.zeros((N, groups, K, H, W), input.dtype)
    for r, s, rows, columns in _taps(size, kernel, stride, dilation):
        for c in range(C // groups):
            y[..., rows, columns] += w[:, c, :, r, s, None, None] * x[:, :, c, None]
    a, b = padding
    y = y.reshape(N, groups * K, H, W)[:, :, a : H - a, b : W - b]
    return y if bias is None else y + bias[:, None, None]


def backward(
    grad_output,
    input,
    weight,
    bias=None,
    stride=(1, 1),
    padding=(0, 0),
    output_padding=(0, 0),
    groups=1,
    dilation=(1, 1),
) -> dict[str, Array]:
    """Each element of x and weight gathers the gradient from where forward scattered its products."""
    N, C, *size = input.shape
    _, K, *kernel = weight.shape
    a, b = padding
    grad_y = np.pad(grad_output, ((0, 0), (0, 0), (a, a), (b, b)))
    grad_y = grad_y.reshape(N, groups, K, *grad_y.shape[2:])
    x = input.reshape(N, groups, C // groups, *size)
    w = weight.reshape(groups, C // groups, K, *kernel)
    grad_x, grad_w = np.zeros_like(x), np.zeros_like(w)
    for r, s, rows, columns in _taps(size, kernel, stride, dilation):
        met = grad_y[..., rows, columns]
        for k in range(K):
            grad_x += w[:, :, k, r, s, None, None] * met[:, :, k, None]
        grad_w[..., r, s] = np.einsum("ngcpq,ngkpq->gck", x, met)
    return {
        "input": grad_x.reshape(input.shape),
        "weight": grad_w.reshape(weight.shape),
        "bias": grad_output.sum(axis=(0, 2, 3)),
    }
