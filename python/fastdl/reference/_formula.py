"""For modules about more than one op."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Formula(NamedTuple):
    """What the module about a single op has as its functions."""

    forward: Callable[..., np.ndarray]
    backward: Callable[..., dict[str, np.ndarray]]
