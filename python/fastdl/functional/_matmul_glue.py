"""The one place where the glue multiplies matrices."""

from __future__ import annotations

import numpy as np

from fastdl._alloc import empty


def multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The matrix product over the last two axes, the others broadcast; both have at least two axes."""
    shape = (*np.broadcast_shapes(left.shape[:-2], right.shape[:-2]), left.shape[-2], right.shape[-1])
    return np.matmul(left, right, out=empty(shape, left.dtype))
