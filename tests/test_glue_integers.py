"""The glue where PyTorch's rules are its own: integers, booleans, Python numbers, arrays without axes or elements."""

import fastdl
import numpy as np
import pytest
from fastdl import nn

from tests.gradients import check_gradients


def values(result):
    return result.numpy().tolist()


def test_division_rounds_as_asked():
    x, y = fastdl.tensor([7, -7, 6]), fastdl.tensor([2, 2, -4])
    assert values(fastdl.div(x, y, rounding_mode="trunc")) == [3, -3, -1]
    assert values(fastdl.div(x, y, rounding_mode="floor")) == [3, -4, -2]
    assert fastdl.div(x, y, rounding_mode="floor").dtype == fastdl.int64
    check_gradients(
        lambda a, b: fastdl.div(a, b, rounding_mode="trunc"), [np.array([7.3, -7.3]), np.array([2.0, 2.0])]
    )


@pytest.mark.parametrize("name", ["remainder", "floor_divide", "trunc", "floor"])
def test_division_of_integers_by_zero_is_refused(name):
    x, y = fastdl.tensor([1, 2]), fastdl.tensor([1, 0])
    with pytest.raises(ValueError, match="other: expected non-zero integers"):
        fastdl.div(x, y, rounding_mode=name) if name in ("trunc", "floor") else getattr(fastdl, name)(x, y)


def test_integer_powers():
    assert values(fastdl.tensor([2, 1, -1, -1, 3]) ** fastdl.tensor([-1, -2, -2, -3, 2])) == [0, 1, 1, -1, 9]
    with pytest.raises(ValueError, match="exponent: expected a non-negative number for integers"):
        fastdl.pow(fastdl.tensor([2]), -1)


def test_integers_and_booleans_stay_what_they_are():
    whole, truth = fastdl.tensor([3, -2]), fastdl.tensor([True, False])
    for function in (fastdl.round, fastdl.floor, fastdl.ceil, fastdl.trunc):
        assert values(function(whole)) == [3, -2] and function(whole).dtype == fastdl.int64
    assert values(fastdl.sign(truth)) == [True, False]
    assert fastdl.square(truth).dtype == fastdl.int64
    assert fastdl.clamp(whole, 0.5, 2.5).dtype == fastdl.float32


def test_round_to_decimals():
    x = fastdl.tensor([12.344, -15.0], dtype=fastdl.float64)
    np.testing.assert_array_equal(fastdl.round(x, decimals=2).numpy(), [12.34, -15.0])
    np.testing.assert_array_equal(fastdl.round(x, decimals=-1).numpy(), [10.0, -20.0])


def test_ranges_of_integers_are_cut_before_they_are_counted():
    assert values(fastdl.arange(0.0, 5.9, 1.5, dtype=fastdl.int64)) == [0, 1, 2, 3, 4]
    assert values(fastdl.linspace(0, 10, 4, dtype=fastdl.int64)) == [0, 3, 6, 10]
    assert values(fastdl.linspace(2, 5, 1)) == [2.0]


def test_numbers_stand_for_one_element():
    x, at = fastdl.tensor(5.0, dtype=fastdl.float64), fastdl.tensor([0, 0])
    assert values(fastdl.gather(x, 0, at)) == [5.0, 5.0]
    assert values(fastdl.scatter_add(x, 0, at, fastdl.tensor([1.0, 2.0], dtype=fastdl.float64))) == 8.0
    assert fastdl.index_select(x, 0, fastdl.tensor([0])).shape == ()
    index = np.array([0, 0])
    check_gradients(lambda a: fastdl.gather(a, 0, index), [np.array(2.0)])
    check_gradients(lambda a, b: fastdl.scatter_add(a, 0, index, b), [np.array(2.0), np.array([1.0, 3.0])])
    check_gradients(lambda a: fastdl.index_select(a, 0, index[:1]), [np.array(2.0)])


def test_take_along_dim_broadcasts_and_counts_from_the_end():
    x = np.arange(6.0).reshape(2, 3)
    index = np.array([[-1, 0]])
    np.testing.assert_array_equal(fastdl.take_along_dim(x, index, 1), [[2, 0], [5, 3]])
    np.testing.assert_array_equal(fastdl.take_along_dim(x, np.array([5, 0])), [5, 0])
    check_gradients(lambda a: fastdl.take_along_dim(a, index, 1), [x])


def test_cat_passes_over_empty_vectors():
    check_gradients(lambda a, b: fastdl.cat([a, b, a], 1), [np.ones((2, 3)), np.ones(0)])


@pytest.mark.parametrize(("p", "expected"), [(0, 2), (-1, 0), (float("-inf"), 0), (-np.inf, 0)])
def test_norms_of_no_or_negative_power(p, expected):
    assert fastdl.norm(fastdl.tensor([0.0, 1.0, -2.0]), p).item() == expected


def test_no_axes_are_not_all_axes():
    x = fastdl.ones(1, 2)
    assert fastdl.squeeze(x, ()).shape == (1, 2)
    assert fastdl.any(x, ()).shape == (1, 2) and fastdl.sum(x, ()).shape == ()


def test_nonzero_by_axis():
    rows, columns = fastdl.nonzero(fastdl.tensor([[0, 1], [2, 0]]), as_tuple=True)
    assert values(rows) == [0, 1] and values(columns) == [1, 0]


def test_variance_takes_unbiased_in_any_place():
    x = fastdl.tensor([[1.0, 3.0], [2.0, 6.0]])
    assert values(fastdl.var(x, 1, False)) == [1.0, 4.0] == values(fastdl.var(x, 1, unbiased=False))
    assert fastdl.var(x, False).item() == fastdl.var(x, correction=0).item() == 3.5
    with pytest.raises(TypeError, match="unbiased, correction: expected one of them"):
        fastdl.var(x, 1, True, correction=0)


def test_to_takes_non_blocking_and_copy():
    x = fastdl.ones(2)
    assert x.to("cpu", fastdl.float32, True, False) is x and x.to("cpu", fastdl.float32, False, True) is not x
    with pytest.raises(TypeError, match=r"\[to\] expected a dtype, a device or a Tensor first"):
        x.to(True)


X = fastdl.ones(2, 3)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, "eq. input: expected an array, got the number 2", lambda: fastdl.eq(2, X)),
        (TypeError, "maximum. other: expected an array", lambda: fastdl.maximum(X, 2)),
        (TypeError, "logical_and. other: expected an array", lambda: fastdl.logical_and(X, True)),
        (TypeError, "bitwise_and. input: expected an array", lambda: fastdl.bitwise_and(2, 3)),
        (TypeError, "pow. input: expected an array", lambda: fastdl.pow(2, 3)),
        (TypeError, "remainder. input: expected an array", lambda: fastdl.remainder(2, 3)),
        (ValueError, "div. rounding_mode: expected", lambda: fastdl.div(X, X, rounding_mode="up")),
        (ValueError, "masked_fill. value: expected", lambda: fastdl.masked_fill(X, X > 0, fastdl.ones(1))),
        (ValueError, "arange. step: expected the sign", lambda: fastdl.arange(0, -3, 2)),
        (ValueError, "arange. start, end: expected finite", lambda: fastdl.arange(0, float("nan"))),
        (ValueError, "linspace. start: expected a number", lambda: fastdl.linspace(fastdl.ones(2), 3, 2)),
        (ValueError, "linspace. steps: expected", lambda: fastdl.linspace(0, 3, -1)),
        (ValueError, "eye. n, m: expected", lambda: fastdl.eye(-1)),
        (ValueError, "roll. shifts, dims: expected", lambda: fastdl.roll(X, (1, 2), 0)),
        (ValueError, "norm. p: expected a number or 'fro'", lambda: fastdl.norm(X, "nuc")),
        (
            ValueError,
            "output_size: expected 12, got 5",
            lambda: fastdl.repeat_interleave(X, 2, output_size=5),
        ),
        (ValueError, "randn. device: expected cpu", lambda: fastdl.randn(2, device="cuda")),
        (TypeError, "round. input: expected a floating", lambda: fastdl.round(fastdl.ones(2) > 0)),
        (TypeError, "manual_seed. seed: expected an integer, got 1.5", lambda: fastdl.manual_seed(1.5)),
        (TypeError, "manual_seed. seed: expected an integer", lambda: fastdl.Generator().manual_seed("1")),
        (TypeError, "empty. size: expected integers, got 1.5", lambda: fastdl.zeros(1.5)),
        (TypeError, "empty. size: expected integers, got None", lambda: fastdl.zeros(None)),
        (TypeError, "empty. size: expected integers, got .2, None.", lambda: fastdl.empty((2, None))),
        (TypeError, "empty. size: expected integers", lambda: nn.Linear(1.5, 2)),
        (TypeError, "empty. size: expected integers", lambda: nn.Embedding(1.5, 2)),
        (TypeError, "empty. size: expected integers", lambda: nn.BatchNorm2d(1.5)),
        (TypeError, "empty. size: expected integers", lambda: nn.LSTMCell(1.5, 2)),
        (TypeError, "einsum. equation: expected a str, got int", lambda: fastdl.einsum(3, X)),
        (TypeError, "einsum. operand 1: .*complex", lambda: fastdl.einsum("a,a", X, np.ones(3, "c8"))),
        (TypeError, "einsum. operand 0: .*object", lambda: fastdl.einsum("a->", np.array([1, None]))),
    ],
)
def test_refused(error, message, call):
    with pytest.raises(error, match=message):
        call()
