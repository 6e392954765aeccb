"""The sum of squares, array by array."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def square_sum(arrays: Sequence[np.ndarray]) -> float:
    """In extended precision, so that an order of summation does not matter."""
    return float(sum((np.square(array.astype(np.longdouble)).sum() for array in arrays), np.longdouble(0)))
