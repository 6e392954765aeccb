"""Gradient clipping, and parameters as one vector."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastdl._alloc import over
from fastdl._interop import write_
from fastdl.functional.shape import cat
from fastdl.functional.square_sum import square_sum
from fastdl.tensor import Tensor

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def _norm(array: NDArray[Any], norm_type: float) -> float:
    """Accumulated in float64: the squares of float32 gradients may overflow float32."""
    if array.size == 0:
        return 0.0
    if norm_type == math.inf:
        return float(max(array.max(), -array.min()))
    flat = array.reshape(-1)
    powers = np.abs(flat).astype(np.float64)
    if norm_type == 0:
        return float(np.count_nonzero(powers))
    return float(np.sum(powers**norm_type)) ** (1.0 / norm_type)


def get_total_norm(
    tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """The norm of the norms of all tensors, as if they were one vector; a float32 or float64 scalar.

    `RuntimeError` with `error_if_nonfinite` when it is inf or NaN.
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    norm_type = float(norm_type)
    arrays = [tensor.data for tensor in tensors]
    if norm_type == 2 and all(array.dtype in _FLOATS for array in arrays):
        total = math.sqrt(square_sum(arrays))
    else:
        norms = np.array([_norm(array, norm_type) for array in arrays], np.float64)
        total = _norm(norms, norm_type) if norm_type else float(norms.sum())
    if error_if_nonfinite and not math.isfinite(total):
        raise RuntimeError(
            f"[get_total_norm] tensors: expected a finite norm of order {norm_type}, got {total} "
            "(error_if_nonfinite=False clips all the same)"
        )
    return Tensor(np.array(total, np.result_type(np.float32, *{array.dtype for array in arrays})))


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [param.grad for param in parameters if param.grad is not None]


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor | float
) -> None:
    """Scale all gradients in place by max_norm / (total_norm + 1e-6) where that is less than 1."""
    total = float(total_norm.item() if isinstance(total_norm, Tensor) else total_norm)
    factor = float(max_norm) / (total + 1e-6)
    if factor >= 1.0:
        return
    with np.errstate(invalid="ignore"):  # inf times 0, where the norm is inf
        for grad in _gradients(parameters):
            array = grad.data
            over(np.multiply, array, array, np.asarray(factor, array.dtype))
            grad._bump_version()


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients in place so that their total norm is at most `max_norm` (Pascanu et al. 2013).

    Returns the total norm before clipping. `norm_type` may be `math.inf`. `foreach` chooses among PyTorch's
    implementations, and changes nothing here.
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total_norm = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total_norm)
    return total_norm


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Clip every element of the gradients in place to [-clip_value, clip_value]; `foreach` changes nothing."""
    clip_value = float(clip_value)
    for grad in _gradients(parameters):
        np.clip(grad.data, -clip_value, clip_value, out=grad.data)
        grad._bump_version()


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, flattened, in one Tensor; differentiable."""
    return cat([param.reshape(-1) for param in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy consecutive pieces of `vec` into the parameters."""
    parameters = list(parameters)
    if not isinstance(vec, Tensor):
        raise TypeError(f"[vector_to_parameters] vec: expected a Tensor, got {type(vec).__name__}")
    wanted = sum(math.prod(param.shape) for param in parameters)
    if tuple(vec.shape) != (wanted,):
        raise ValueError(f"[vector_to_parameters] vec: expected shape ({wanted},), got {tuple(vec.shape)}")
    values = vec.data
    start = 0
    for param in parameters:
        stop = start + math.prod(param.shape)
        write_(param, values[start:stop].reshape(param.shape))
        start = stop
