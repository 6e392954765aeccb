"""Values out of other libraries' arrays, without importing those libraries, and into a Tensor's memory."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastdl.tensor import Tensor

T = TypeVar("T", bound=Tensor)


def as_host_array(value: Any) -> NDArray[Any]:
    """The values of a Tensor, an array or a scalar as a NumPy array, without a copy where that is possible.

    Tensors that want a gradient are read too. A dtype that NumPy lacks (bfloat16) is widened to float32.
    `TypeError` for anything that is not an array.
    """
    if isinstance(value, Tensor):
        value = value.data
    if isinstance(value, np.ndarray):
        array = value
    elif isinstance(value, (bool, int, float, np.generic)):
        array = np.asarray(value)
    elif hasattr(value, "__cuda_array_interface__") and hasattr(value, "get"):  # CuPy
        array = value.get()
    elif hasattr(value, "detach") and hasattr(value, "cpu"):  # PyTorch
        array = _from_torch(value.detach().cpu())
    elif hasattr(value, "__array__"):
        array = np.asarray(value)
    elif hasattr(value, "__dlpack__"):
        array = np.from_dlpack(value)
    else:
        raise TypeError(f"expected a Tensor or an array, got {type(value).__name__}")
    if array.dtype.hasobject:
        raise TypeError(f"expected a Tensor or an array of numbers, got dtype {array.dtype}")
    return array


def _from_torch(tensor: Any) -> NDArray[Any]:
    try:
        return np.asarray(tensor)
    except TypeError:
        return np.asarray(tensor.float())


def write_(tensor: T, values: Any) -> T:
    """Put an array or a number into a Tensor's memory, unrecorded, and tell the tape of the change."""
    tensor.data[...] = values
    tensor._bump_version()
    return tensor


def zero_(tensor: T) -> T:
    """`write_` of zeros."""
    return write_(tensor, 0)
