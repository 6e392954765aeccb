"""What the norm of gradients is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastdl import _core


def square_sum(arrays: Sequence[Any]) -> float:
    """The sum of the squares of all elements of a list of arrays, summed in float64.

    Args:
        arrays: float32 or float64, of any shapes and strides.

    Raises:
        TypeError: anything but a list or tuple of arrays, dtypes that are not floating.
    """
    return _core.square_sum(arrays)
