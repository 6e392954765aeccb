"""Initialisers: moments, ranges and structure of the values, reproducibility, and dtype."""

import math

import fastdl
import numpy as np
import pytest
from fastdl import nn
from fastdl.nn import init

from tests import tolerances

SHAPE = (250, 40, 2, 2)
FAN_IN, FAN_OUT = 160, 1000


def filled(function, *args, shape=SHAPE, dtype=np.float32, seed=0, **kwargs):
    fastdl.manual_seed(seed)
    param = nn.Parameter(np.full(shape, np.nan, dtype))
    assert function(param, *args, **kwargs) is param
    assert param.dtype == dtype and param.requires_grad and param.is_leaf
    return param.data


def normal_moments(values, mean, std):
    """Within five standard errors of the mean and of the standard deviation."""
    n = values.size
    assert abs(values.mean(dtype=np.float64) - mean) < 5 * std / math.sqrt(n)
    assert abs(values.std(dtype=np.float64) - std) < 5 * std / math.sqrt(2 * n)


def uniform_range(values, bound):
    """Inside ±bound, reaching close to both ends, with the mean and deviation of a uniform distribution."""
    assert np.abs(values).max() <= bound
    assert values.min() < -0.99 * bound and values.max() > 0.99 * bound
    normal_moments(values, 0.0, bound / math.sqrt(3.0))


RANDOM = {
    "uniform": lambda t, **k: init.uniform_(t, -2, 3, **k),
    "normal": lambda t, **k: init.normal_(t, 1, 2, **k),
    "trunc_normal": lambda t, **k: init.trunc_normal_(t, **k),
    "xavier_uniform": init.xavier_uniform_,
    "xavier_normal": init.xavier_normal_,
    "kaiming_uniform": init.kaiming_uniform_,
    "kaiming_normal": init.kaiming_normal_,
    "orthogonal": init.orthogonal_,
    "sparse": lambda t, **k: init.sparse_(t, 0.5, **k),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", RANDOM)
def test_seeded(name, dtype):
    function, shape = RANDOM[name], (31, 17)
    first = filled(function, shape=shape, dtype=dtype, seed=3)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(filled(function, shape=shape, dtype=dtype, seed=3), first)
    assert (filled(function, shape=shape, dtype=dtype, seed=4) != first).any()
    own = [filled(function, shape=shape, dtype=dtype, generator=fastdl.Generator(9)) for _ in range(2)]
    np.testing.assert_array_equal(*own)


def test_uniform():
    values = filled(init.uniform_, -2.0, 3.0)
    uniform_range(values.astype(np.float64) - 0.5, 2.5)


def test_normal():
    normal_moments(filled(init.normal_, 3.0, 0.25), 3.0, 0.25)


def truncated_moments(low, high):
    """Mean and standard deviation of the standard normal distribution on [low, high], by quadrature."""
    x = np.linspace(low, high, 200_001)
    density = np.exp(-(x**2 - min(low**2, high**2)) / 2)
    mean = (x * density).sum() / density.sum()
    return mean, math.sqrt(((x - mean) ** 2 * density).sum() / density.sum())


@pytest.mark.parametrize(("low", "high"), [(-2, 2), (0.5, 0.75), (3, 5), (-90, -6), (-1, 30)])
def test_trunc_normal(low, high):
    values = filled(init.trunc_normal_, 1.0, 0.5, 1 + 0.5 * low, 1 + 0.5 * high)
    assert values.min() >= 1 + 0.5 * low and values.max() <= 1 + 0.5 * high
    mean, std = truncated_moments(max(low, -20), min(high, 20))
    n = values.size
    assert abs(values.mean(dtype=np.float64) - (1 + 0.5 * mean)) < 5 * 0.5 * std / math.sqrt(n)
    # The kurtosis of these is at most 9, an exponential's: the standard error is below √2 std/√n.
    assert abs(values.std(dtype=np.float64) - 0.5 * std) < 5 * 0.5 * std * math.sqrt(2 / n)


def test_constants():
    assert (filled(init.constant_, 0.25) == 0.25).all()
    assert (filled(init.ones_) == 1).all()
    assert (filled(init.zeros_) == 0).all()
    np.testing.assert_array_equal(filled(init.eye_, shape=(3, 5)), np.eye(3, 5))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kernel", [(3,), (3, 5), (2, 3, 3)])
def test_dirac_passes_channels_through(kernel, groups):
    weight = filled(init.dirac_, groups, shape=(6, 2, *kernel))
    assert weight.sum() == 2 * groups
    for group in range(groups):
        for channel in range(2):
            assert weight[(group * (6 // groups) + channel, channel, *(size // 2 for size in kernel))] == 1


def test_fans():
    fans = init._calculate_fan_in_and_fan_out(nn.Parameter(np.zeros(SHAPE, np.float32)))
    assert fans == (FAN_IN, FAN_OUT)


def test_xavier():
    uniform_range(filled(init.xavier_uniform_), math.sqrt(6 / (FAN_IN + FAN_OUT)))
    normal_moments(filled(init.xavier_normal_, 2.0), 0.0, 2 * math.sqrt(2 / (FAN_IN + FAN_OUT)))


def test_kaiming():
    uniform_range(
        filled(init.kaiming_uniform_, a=math.sqrt(5)), 1 / math.sqrt(FAN_IN)
    )  # conv's and linear's default
    uniform_range(filled(init.kaiming_uniform_, nonlinearity="relu"), math.sqrt(6 / FAN_IN))
    normal_moments(filled(init.kaiming_normal_, mode="fan_out"), 0.0, math.sqrt(2 / FAN_OUT))
    assert filled(init.kaiming_uniform_, shape=(0, 3)).shape == (0, 3)


def test_gain():
    assert (
        init.calculate_gain("linear") == init.calculate_gain("conv2d") == init.calculate_gain("sigmoid") == 1
    )
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("leaky_relu", 2) == math.sqrt(2 / 5)
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / (1 + 1e-4))


@pytest.mark.parametrize("shape", [(20, 30), (30, 20), (8, 4, 3, 3), (5, 5)])
def test_orthogonal(shape):
    matrix = filled(init.orthogonal_, 2.0, shape=shape).reshape(shape[0], -1).astype(np.float64)
    if matrix.shape[0] > matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(matrix @ matrix.T, 4 * np.eye(len(matrix)), **tolerances.ORTHOGONAL)


def test_orthogonal_has_no_preferred_sign():
    fastdl.manual_seed(0)
    diagonals = np.array(
        [init.orthogonal_(nn.Parameter(np.zeros((2, 2), np.float32))).data[0, 0] for _ in range(400)]
    )
    assert 140 < (diagonals > 0).sum() < 260  # six standard deviations of a fair coin


def test_sparse():
    values = filled(init.sparse_, 0.3, 2.0, shape=(10, 500))
    assert ((values == 0).sum(axis=0) == 3).all()
    normal_moments(values[values != 0], 0.0, 2.0)


def test_non_contiguous():
    base = np.zeros((6, 8), np.float32)
    view = nn.Parameter(base.T[::2])
    init.ones_(view)
    init.uniform_(view, 1, 2)
    assert (base[:, ::2] >= 1).all() and (base[:, 1::2] == 0).all()


def param(*shape):
    return nn.Parameter(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    ("message", "act"),
    [
        ("at least 2 axes", lambda: init.xavier_normal_(param(3))),
        ("at least 2 axes", lambda: init.orthogonal_(param(3))),
        ("2 axes", lambda: init.eye_(param(3))),
        ("2 axes", lambda: init.sparse_(param(3), 0.5)),
        ("3, 4 or 5 axes", lambda: init.dirac_(param(3, 3))),
        ("groups", lambda: init.dirac_(param(3, 3, 3), 2)),
        ("sparsity", lambda: init.sparse_(param(3, 3), 1.5)),
        ("mode", lambda: init.kaiming_uniform_(param(3, 3), mode="fan_avg")),
        ("nonlinearity", lambda: init.kaiming_uniform_(param(3, 3), nonlinearity="mish?")),
        ("negative slope", lambda: init.calculate_gain("leaky_relu", True)),
        ("std", lambda: init.normal_(param(3), 0, -1)),
        ("std", lambda: init.trunc_normal_(param(3), 0, 0)),
        ("a < b", lambda: init.trunc_normal_(param(3), 0, 1, 2, 2)),
        ("a ≤ b", lambda: init.uniform_(param(3), 1, 0)),
    ],
)
def test_bad_input(message, act):
    with pytest.raises(ValueError, match=message):
        act()


@pytest.mark.parametrize("name", ["linear", "conv2d", "sigmoid", "tanh", "relu", "selu", "leaky_relu"])
def test_gain_as_torch(name):
    torch = pytest.importorskip("torch")
    assert init.calculate_gain(name) == torch.nn.init.calculate_gain(name)
