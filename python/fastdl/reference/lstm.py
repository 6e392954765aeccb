"""Long short-term memory (S. Hochreiter and J. Schmidhuber, Neural Computation 9(8), 1997) with the forget gate of
F. Gers, J. Schmidhuber and F. Cummins, Neural Computation 12(10), 2000, and its backpropagation through time
(P. Werbos, Proceedings of the IEEE 78(10), 1990).

Weights come by PyTorch's names: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, weight_ih_l0_reverse, ...

With `bfloat16`, numbers are rounded where a layer of bfloat16 rounds them: h from step to step, what one layer gives to
another, and in backward the gradients of the sums before activation. Results are not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _bfloat16(x: Array) -> Array:
    """The nearest number of 8 significant bits, ties to even."""
    fraction, exponent = np.frexp(x)
    return np.ldexp(np.rint(fraction * 256), exponent - 8)


def cell_forward(input, h, c, w_ih, w_hh, b_ih=None, b_hh=None) -> tuple[Array, Array, Any]:
    """c' = f c + i g, h' = o tanh(c'); and what cell_backward wants."""
    sums = input @ w_ih.T + h @ w_hh.T
    for bias in (b_ih, b_hh):
        sums = sums if bias is None else sums + bias
    i, f, g, o = np.split(sums, 4, axis=1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
    c_next = f * c + i * g
    return o * np.tanh(c_next), c_next, (input, h, c, i, f, g, o, np.tanh(c_next))


def cell_backward(
    grad_h, grad_c, saved, w_ih, w_hh, bfloat16=False
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """The chain rule of cell_forward: the gradients of input, h, c, w_ih, w_hh and of either bias."""
    input, h, c, i, f, g, o, tanh_c = saved
    grad_c = grad_c + grad_h * o * (1 - tanh_c**2)
    grad_sums = np.concatenate(
        [
            grad_c * g * i * (1 - i),
            grad_c * c * f * (1 - f),
            grad_c * i * (1 - g**2),
            grad_h * tanh_c * o * (1 - o),
        ],
        axis=1,
    )
    if bfloat16:
        grad_sums = _bfloat16(grad_sums)
    return (
        grad_sums @ w_ih,
        grad_sums @ w_hh,
        grad_c * f,
        grad_sums.T @ input,
        grad_sums.T @ h,
        grad_sums.sum(axis=0),
    )


def _weights(weights: dict[str, Array], layer: int, direction: int) -> tuple[Any, ...]:
    suffix = f"_l{layer}" + ("_reverse" if direction else "")
    return tuple(weights.get(name + suffix) for name in NAMES)


def _run(
    input, h_0, c_0, num_layers, bidirectional, bfloat16, weights
) -> tuple[Array, list[Array], list[Array], list]:
    """Time-major; also the saved steps of each layer and direction, in the order in which they were taken."""
    T, N = input.shape[:2]
    directions = 2 if bidirectional else 1
    stored = _bfloat16 if bfloat16 else np.asarray
    x, h_n, c_n, saved = input, [], [], []
    for layer in range(num_layers):
        x, outputs = (x if layer == 0 else stored(x)), []
        for direction in range(directions):
            own = _weights(weights, layer, direction)
            at = layer * directions + direction
            zeros = np.zeros((N, own[1].shape[1]), input.dtype)
            h, c = (zeros if state is None else state[at] for state in (h_0, c_0))
            output, steps = np.zeros((T, *h.shape), input.dtype), []
            for t in range(T)[:: -1 if direction else 1]:
                h, c, step = cell_forward(x[t], stored(h), c, *own)
                output[t] = h
                steps.append((t, step))
            outputs.append(output)
            saved.append(steps)
            h_n.append(h)
            c_n.append(c)
        x = np.concatenate(outputs, axis=2)
    return x, h_n, c_n, saved


def forward(
    input, h_0=None, c_0=None, num_layers=1, bidirectional=False, batch_first=False, bfloat16=False, **weights
) -> tuple[Array, Array, Array]:
    """The last layer's output, and the final h and c of every layer and direction."""
    x = np.swapaxes(input, 0, 1) if batch_first else input
    output, h_n, c_n, _ = _run(x, h_0, c_0, num_layers, bidirectional, bfloat16, weights)
    return np.swapaxes(output, 0, 1) if batch_first else output, np.stack(h_n), np.stack(c_n)


def backward(
    grads,
    input,
    h_0=None,
    c_0=None,
    num_layers=1,
    bidirectional=False,
    batch_first=False,
    bfloat16=False,
    **weights,
) -> dict[str, Array]:
    """Backpropagation through time, one step and one layer after another."""
    grad_output, grad_h_n, grad_c_n = grads
    x = np.swapaxes(input, 0, 1) if batch_first else input
    grad_output = np.swapaxes(grad_output, 0, 1) if batch_first else grad_output
    saved = _run(x, h_0, c_0, num_layers, bidirectional, bfloat16, weights)[3]
    stored, directions = _bfloat16 if bfloat16 else np.asarray, 2 if bidirectional else 1
    found = {name: np.zeros_like(weight) for name, weight in weights.items()}
    grad_h_0, grad_c_0 = np.zeros_like(grad_h_n), np.zeros_like(grad_c_n)
    for layer in reversed(range(num_layers)):
        grad_x: Any = None
        for direction, grad_y in enumerate(np.split(grad_output, directions, axis=2)):
            own = _weights(weights, layer, direction)
            at = layer * directions + direction
            grad_h, grad_c = grad_h_n[at], grad_c_n[at]
            if grad_x is None:
                grad_x = np.zeros((*grad_y.shape[:2], own[0].shape[1]), input.dtype)
            for t, step in reversed(saved[at]):
                grad_input, grad_h, grad_c, *parts = cell_backward(
                    grad_h + grad_y[t], grad_c, step, own[0], own[1], bfloat16
                )
                grad_x[t] += grad_input
                for name, part in zip(NAMES, (*parts, parts[2]), strict=True):
                    key = f"{name}_l{layer}" + ("_reverse" if direction else "")
                    if key in found:
                        found[key] += part
            grad_h_0[at], grad_c_0[at] = grad_h, grad_c
        grad_output = stored(grad_x) if layer > 0 else grad_x
    found["input"] = np.swapaxes(grad_output, 0, 1) if batch_first else grad_output
    if h_0 is not None:
        found["h_0"] = grad_h_0
    if c_0 is not None:
        found["c_0"] = grad_c_0
    return found
