"""nll_loss against its reference, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import nll_loss as reference

from tests import suite
from tests.cases import nll_loss as cases

OP = "nll_loss"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.nll_loss, reference, case, dtype)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.nll_loss, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, isa):
    suite.check_threads(F.nll_loss, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.nll_loss, reference, case)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_torch(case):
    suite.check_torch(F.nll_loss, "nll_loss", case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.EXACT, ids=str)
def test_integers_are_exact(case, dtype, device):
    suite.check_integers_are_exact(F.nll_loss, reference, case, dtype)


def test_unbatched(device):
    x = np.arange(5.0)
    assert F.nll_loss(x, np.array(2)) == -2
    assert F.nll_loss(x, np.array(2), reduction="none").shape == ()


def test_all_ignored(device):
    """The mean of nothing is NaN, and its gradient zero."""
    arrays = {"input": np.ones((2, 3)), "target": np.full(2, -100)}
    (loss,), grads = suite.run_op(F.nll_loss, arrays, {}, np.float64(1))
    assert np.isnan(loss)
    np.testing.assert_array_equal(grads["input"], 0)


def test_other_classes_do_not_matter(device):
    """Infinite log-probabilities of other classes reach neither loss nor gradient."""
    arrays = {"input": np.array([[-np.inf, -1.0], [-2.0, np.nan]]), "target": np.array([1, 0])}
    (loss,), grads = suite.run_op(F.nll_loss, arrays, {"reduction": "sum"}, np.float64(1))
    assert loss == 3
    np.testing.assert_array_equal(grads["input"], [[0, -1], [-1, 0]])


@pytest.mark.parametrize("narrow", [np.int32, np.uint8, np.int16])
def test_integers_of_any_width(narrow):
    x, target = np.random.default_rng(0).standard_normal((4, 3)), np.array([0, 1, 2, 1])
    assert F.nll_loss(x, target.astype(narrow)) == F.nll_loss(x, target)


X, T = np.zeros((4, 3), np.float32), np.zeros(4, np.int64)


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (ValueError, r"target: expected \(4,\) for input of shape \(4, 3\), got \(3,\)", (X, T[:3]), {}),
        (ValueError, r"target: expected \(\) for input of shape \(3,\)", (X[0], T), {}),
        (ValueError, r"weight: expected \(3,\)", (X, T, X[:, 0]), {}),
        (ValueError, "reduction: expected 'none', 'mean' or 'sum', got 'avg'", (X, T), {"reduction": "avg"}),
        (ValueError, r"input: expected \(C\), \(N, C\)", (X[0, 0].reshape(()), T), {}),
        (ValueError, r"target: expected indices in \[0, 0\)", (X[:, :0], T), {}),
        (TypeError, "target: expected integers", (X, T.astype(np.float32)), {}),
        (TypeError, "target: expected integers", (X, T.astype(bool)), {}),
        (TypeError, "weight: expected float32", (X, T, np.ones(3)), {}),
        (TypeError, "input: expected float32 or float64", (X.astype(np.int64), T), {}),
    ],
)
def test_bad_input(error, message, arguments, options):
    with pytest.raises(error, match=message):
        F.nll_loss(*arguments, **options)


@pytest.mark.parametrize("index", [-1, 3, 1 << 40])
def test_class_out_of_range(index, device):
    target = np.array([0, 1, index, 2])
    message = rf"target: expected indices in \[0, 3\), got {index} at flat position 2"
    with pytest.raises(ValueError, match=message):
        F.nll_loss(X, target)
    with pytest.raises(ValueError, match=message):
        fastdl._core.nll_loss_backward(np.float32(1), X, target, None, np.float32(4), -100, "mean")


def test_backward_on_arrays(device):
    case = cases.OPTIONS[1]
    arrays = case.arrays(np.float64)
    found = F.nll_loss_backward(np.array(2.0), **arrays, **case.options)
    want = reference.backward(np.array(2.0), **arrays, **case.options)["input"]
    np.testing.assert_array_equal(found, want)


def test_log_softmax_and_nll_are_cross_entropy(device):
    x, target = np.random.default_rng(0).standard_normal((6, 5)), np.array([0, 4, 2, 1, 1, 3])
    found = F.nll_loss(F.log_softmax(x, 1), target)
    assert suite.tolerances.relative_error(found, F.cross_entropy(x, target)) < suite.tolerances.EPS64 * 8


def test_layer():
    layer = fastdl.nn.NLLLoss(weight=fastdl.tensor([1.0, 2.0, 3.0]), ignore_index=1, reduction="sum")
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    target = np.array([0, 1, 2, 2])
    want = F.nll_loss(x, target, layer.weight.numpy(), ignore_index=1, reduction="sum")
    assert layer(fastdl.tensor(x), target).item() == want
    assert list(layer.state_dict()) == ["weight"]
    assert repr(layer) == "NLLLoss()"
    assert fastdl.nn.NLLLoss(reduce=False).reduction == "none"
