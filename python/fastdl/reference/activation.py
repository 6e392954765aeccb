"""The activation functions as their formulas, each with its derivative."""

from __future__ import annotations

import numpy as np

from fastdl.reference._formula import Formula

Array = np.ndarray


def _relu(input: Array) -> Array:
    return np.where(input < 0, 0, input)


def _relu_backward(grad_output: Array, input: Array) -> dict[str, Array]:
    return {"input": np.where(input <= 0, 0, grad_output)}


def _leaky_relu(input: Array, negative_slope: float = 0.01) -> Array:
    return np.where(input > 0, input, input * negative_slope)


def _leaky_relu_backward(grad_output: Array, input: Array, negative_slope: float = 0.01) -> dict[str, Array]:
    return {"input": np.where(input > 0, grad_output, grad_output * negative_slope)}


def _sigmoid(input: Array) -> Array:
    e = np.exp(-np.abs(input))  # which cannot overflow
    return np.where(input >= 0, 1 / (1 + e), e / (1 + e))


def _sigmoid_backward(grad_output: Array, input: Array) -> dict[str, Array]:
    y = _sigmoid(input)
    return {"input": grad_output * y * (1 - y)}


def _tanh(input: Array) -> Array:
    return np.tanh(input)


def _tanh_backward(grad_output: Array, input: Array) -> dict[str, Array]:
    return {"input": grad_output * (1 - np.tanh(input) ** 2)}


relu = Formula(_relu, _relu_backward)
leaky_relu = Formula(_leaky_relu, _leaky_relu_backward)
sigmoid = Formula(_sigmoid, _sigmoid_backward)
tanh = Formula(_tanh, _tanh_backward)
