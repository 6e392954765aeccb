"""binary_cross_entropy against its reference, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import binary_cross_entropy as reference

from tests import suite
from tests.cases import binary_cross_entropy as cases

OP = "binary_cross_entropy"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.binary_cross_entropy, reference, case, dtype)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.binary_cross_entropy, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, isa):
    suite.check_threads(F.binary_cross_entropy, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.binary_cross_entropy, reference, case)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_torch(case):
    suite.check_torch(F.binary_cross_entropy, "binary_cross_entropy", case)


def test_mean_of_nothing_is_nan(device):
    assert np.isnan(F.binary_cross_entropy(np.zeros((0, 3)), np.zeros((0, 3))))


@pytest.mark.parametrize("dtype", suite.FLOATS)
def test_certain_probabilities(dtype, device):
    """Logarithms end at -100, the divisor of the gradient at 1e-12; that of the target has no end."""
    arrays = {
        "input": np.array([0, 1, 0, 1, 0, 1], dtype),
        "target": np.array([0, 1, 1, 0, 0.25, 0.25], dtype),
    }
    (loss,), grads = suite.run_op(F.binary_cross_entropy, arrays, {"reduction": "none"}, np.ones(6, dtype))
    np.testing.assert_array_equal(loss, [0, 0, 100, 100, 25, 75])
    steep = arrays["input"] - arrays["target"]
    np.testing.assert_array_equal(grads["input"], steep / dtype(1e-12))
    np.testing.assert_array_equal(grads["target"], [np.inf, -np.inf] * 3)


@pytest.mark.parametrize("name", ["input", "target"])
@pytest.mark.parametrize("bad", [-1e-6, 1.5, np.nan, np.inf])
@pytest.mark.parametrize("position", [0, 5, 1030, 20001])
def test_outside_the_unit_interval(name, bad, position, device):
    arrays = {"input": np.full(20002, 0.5, np.float32), "target": np.full(20002, 0.5, np.float32)}
    arrays[name][position] = bad
    arrays[name][20001] = 2 if position == 5 else arrays[name][20001]
    for reduction in cases.REDUCTIONS:
        with pytest.raises(
            ValueError, match=rf"{name}: expected values in \[0, 1\], got .* at flat position {position}"
        ):
            F.binary_cross_entropy(**arrays, reduction=reduction)


def test_ends_of_the_interval_are_inside(device):
    for n in (1, 5, 8, 17):
        assert F.binary_cross_entropy(np.ones(n), np.ones(n)) == 0


X = np.full((4, 3), 0.5, np.float32)


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (ValueError, r"target: expected \(4, 3\) for input of shape \(4, 3\), got \(3,\)", (X, X[0]), {}),
        (ValueError, r"weight: expected a shape that broadcasts to \(4, 3\)", (X, X, X[:, 0]), {}),
        (ValueError, r"weight: expected a shape that broadcasts", (X, X, X[None].repeat(2, 0)), {}),
        (ValueError, r"weight: expected a shape that broadcasts", (X[:, :1], X[:, :1], X), {}),
        (ValueError, "reduction: expected 'none', 'mean' or 'sum', got 'avg'", (X, X), {"reduction": "avg"}),
        (TypeError, "target: expected float32", (X, X.astype(np.float64)), {}),
        (TypeError, "target: expected float32", (X, X.astype(np.int64)), {}),
        (TypeError, "weight: expected float32", (X, X, np.ones(3)), {}),
        (TypeError, "input: expected float32 or float64", (X.astype(np.int64), X), {}),
    ],
)
def test_bad_input(error, message, arguments, options):
    with pytest.raises(error, match=message):
        F.binary_cross_entropy(*arguments, **options)


def test_backward_on_arrays(device):
    case = cases.OPTIONS[4]
    arrays = case.arrays(np.float64)
    found = F.binary_cross_entropy_backward(np.array(2.0), **arrays, **case.options)
    want = reference.backward(np.array(2.0), **arrays, **case.options)
    for grad, expected in zip(found, want.values(), strict=True):
        assert (
            suite.tolerances.relative_error(grad, expected)
            <= suite.tolerances.TOLERANCES["same_formula_float64"]
        )


def test_layer():
    layer = fastdl.nn.BCELoss(weight=fastdl.tensor([1.0, 2.0, 3.0]), reduction="sum")
    want = F.binary_cross_entropy(X, X, layer.weight.numpy(), reduction="sum")
    assert layer(fastdl.tensor(X), fastdl.tensor(X)).item() == want
    assert list(layer.state_dict()) == ["weight"]
    assert repr(layer) == "BCELoss()"
