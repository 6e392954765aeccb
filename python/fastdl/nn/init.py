"""Initial values of parameters, in place, drawn from the generator that `fastdl.manual_seed` seeds.

Every function returns the Tensor that it filled. `generator` takes the place of the default one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastdl import random
from fastdl._interop import write_
from fastdl.random import Generator, default_generator
from fastdl.tensor import Tensor

T = TypeVar("T", bound=Tensor)

_GAINS: dict[str, float] = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "conv_transpose1d": 1.0,
    "conv_transpose2d": 1.0,
    "conv_transpose3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5.0 / 3.0,
    "relu": math.sqrt(2.0),
    "selu": 0.75,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor that keeps the variance of a layer's output under `nonlinearity`.

    `param` is the negative slope of `leaky_relu` (0.01).
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"[calculate_gain] param: expected a negative slope, got {param!r}")
        return math.sqrt(2.0 / (1.0 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(
            f"[calculate_gain] nonlinearity: expected one of {[*_GAINS, 'leaky_relu']}, got {nonlinearity!r}"
        )
    return _GAINS[nonlinearity]


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """Connections into and out of one unit of a weight (out, in, *kernel)."""
    shape = tuple(tensor.shape)
    if len(shape) < 2:
        raise ValueError(f"[init] tensor: expected at least 2 axes to tell the fans, got shape {shape}")
    receptive_field = math.prod(shape[2:])
    return shape[1] * receptive_field, shape[0] * receptive_field


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"[init] mode: expected 'fan_in' or 'fan_out', got {mode!r}")
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return fan_in if mode == "fan_in" else fan_out


def _draw_dtype(tensor: Tensor) -> Any:
    """float64 for float64, else float32: NumPy draws no narrower floats."""
    return np.float64 if tensor.dtype == np.float64 else np.float32


def _normal(tensor: Tensor, mean: float, std: float, generator: Generator | None) -> NDArray[Any]:
    if not std >= 0:
        raise ValueError(f"[normal_] std: expected a number ≥ 0, got {std}")
    return random.normal(tensor.shape, mean, std, _draw_dtype(tensor), generator)


def uniform_(tensor: T, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> T:
    """Fill from the uniform distribution on [a, b)."""
    if not a <= b:
        raise ValueError(f"[uniform_] a, b: expected a ≤ b, got {a} and {b}")
    return write_(tensor, random.uniform(tensor.shape, a, b, _draw_dtype(tensor), generator))


def normal_(tensor: T, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> T:
    """Fill from the normal distribution."""
    return write_(tensor, _normal(tensor, mean, std, generator))


def trunc_normal_(
    tensor: T,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> T:
    """Fill from the normal distribution cut off outside of [a, b], which are values, not multiples of std."""
    if not std > 0:
        raise ValueError(f"[trunc_normal_] std: expected a number > 0, got {std}")
    if not a < b:
        raise ValueError(f"[trunc_normal_] a, b: expected a < b, got {a} and {b}")
    count = math.prod(tensor.shape)
    low, high = (a - mean) / std, (b - mean) / std
    draws = (generator or default_generator).draw()
    values = _standard_truncated(count, low, high, draws, _draw_dtype(tensor))
    values *= std
    values += mean
    # Rounding of the two steps above may step over a bound.
    return write_(tensor, np.clip(values, a, b, out=values).reshape(tuple(tensor.shape)))


def _standard_truncated(
    count: int, low: float, high: float, source: np.random.Generator, dtype: Any
) -> NDArray[Any]:
    """Rejection sampling: of normal draws where [low, high] is likely, else of uniform ones."""
    mode = min(max(0.0, low), high)
    # Beyond these bounds the density is e⁻⁴⁰ of the one at the mode: less than float32 draws resolve.
    reach = math.sqrt(mode * mode + 80.0)
    near, far = max(low, -reach), min(high, reach)
    likely = 0.5 * (math.erf(high / math.sqrt(2.0)) - math.erf(low / math.sqrt(2.0))) > 0.25
    values = np.empty(count, dtype)
    filled = 0
    while filled < count:
        wanted = count - filled
        if likely:
            draws = source.standard_normal(wanted, dtype=dtype)
            draws = draws[(draws >= low) & (draws <= high)]
        else:
            draws = source.random(wanted, dtype=dtype)
            draws *= far - near
            draws += near
            accept = np.exp((mode * mode - draws * draws) / 2)
            draws = draws[source.random(wanted, dtype=dtype) < accept]
        values[filled : filled + len(draws)] = draws
        filled += len(draws)
    return values


def constant_(tensor: T, val: float) -> T:
    """Fill with `val`."""
    return write_(tensor, val)


def ones_(tensor: T) -> T:
    return constant_(tensor, 1.0)


def zeros_(tensor: T) -> T:
    return constant_(tensor, 0.0)


def eye_(tensor: T) -> T:
    """Fill a matrix with the identity, as far as it goes."""
    if len(tensor.shape) != 2:
        raise ValueError(f"[eye_] tensor: expected 2 axes, got shape {tuple(tensor.shape)}")
    return write_(tensor, np.eye(*tensor.shape, dtype=tensor.dtype))


def dirac_(tensor: T, groups: int = 1) -> T:
    """Fill a convolution's weight (K, C, *kernel) such that each group passes its first channels through."""
    shape = tuple(tensor.shape)
    if not 3 <= len(shape) <= 5:
        raise ValueError(f"[dirac_] tensor: expected 3, 4 or 5 axes, got shape {shape}")
    if groups < 1 or shape[0] % groups:
        raise ValueError(
            f"[dirac_] groups: expected a divisor of the {shape[0]} output channels, got {groups}"
        )
    values = np.zeros(shape, tensor.dtype)
    per_group = shape[0] // groups
    passed = np.arange(min(per_group, shape[1]))
    centre = tuple(size // 2 for size in shape[2:])
    for group in range(groups):
        at: tuple[Any, ...] = (group * per_group + passed, passed, *centre)
        values[at] = 1
    return write_(tensor, values)


def xavier_uniform_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """Uniform on ±gain √(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 16)."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    bound = gain * math.sqrt(6.0 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """Normal with the standard deviation gain √(2 / (fan_in + fan_out)) (Glorot and Bengio 2010, eq. 12)."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator)


def _kaiming(fill: Callable[[float], T], tensor: T, a: float, mode: str, nonlinearity: str) -> T:
    if 0 in tensor.shape:
        return tensor
    return fill(calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)))


def kaiming_uniform_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> T:
    """Uniform with the deviation gain / √fan (He et al. 2015); `a` is the negative slope of leaky_relu."""

    def fill(std: float) -> T:
        bound = math.sqrt(3.0) * std
        return uniform_(tensor, -bound, bound, generator)

    return _kaiming(fill, tensor, a, mode, nonlinearity)


def kaiming_normal_(
    tensor: T,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> T:
    """Normal with the deviation gain / √fan (He et al. 2015); `a` is the negative slope of leaky_relu."""
    return _kaiming(lambda std: normal_(tensor, 0.0, std, generator), tensor, a, mode, nonlinearity)


def orthogonal_(tensor: T, gain: float = 1.0, generator: Generator | None = None) -> T:
    """A (semi-)orthogonal matrix of the axes (first, all others), uniformly distributed (Mezzadri 2007)."""
    shape = tuple(tensor.shape)
    if len(shape) < 2:
        raise ValueError(f"[orthogonal_] tensor: expected at least 2 axes, got shape {shape}")
    if 0 in shape:
        return tensor
    rows, columns = shape[0], math.prod(shape[1:])
    normal = random.normal((rows, columns), 0.0, 1.0, _draw_dtype(tensor), generator)
    q, r = np.linalg.qr(normal.T if rows < columns else normal)
    # The signs in r are LAPACK's choice; with them the distribution would not be uniform.
    q *= np.where(np.diagonal(r) < 0, -gain, gain).astype(q.dtype)
    return write_(tensor, (q.T if rows < columns else q).reshape(shape))


def sparse_(tensor: T, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> T:
    """Normal with mean 0, and in every column the fraction `sparsity` of the rows zero (Martens 2010)."""
    if len(tensor.shape) != 2:
        raise ValueError(f"[sparse_] tensor: expected 2 axes, got shape {tuple(tensor.shape)}")
    if not 0 <= sparsity <= 1:
        raise ValueError(f"[sparse_] sparsity: expected a fraction from 0 to 1, got {sparsity}")
    rows, columns = tensor.shape
    values = _normal(tensor, 0.0, std, generator)
    draws = (generator or default_generator).draw()
    for column in range(columns):
        values[draws.permutation(rows)[: math.ceil(sparsity * rows)], column] = 0
    return write_(tensor, values)
