"""binary_cross_entropy_with_logits against its reference, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import binary_cross_entropy_with_logits as reference

from tests import suite
from tests.cases import binary_cross_entropy_with_logits as cases

OP = "binary_cross_entropy_with_logits"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.binary_cross_entropy_with_logits, reference, case, dtype)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.binary_cross_entropy_with_logits, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, isa):
    suite.check_threads(F.binary_cross_entropy_with_logits, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.binary_cross_entropy_with_logits, reference, case)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_torch(case):
    suite.check_torch(F.binary_cross_entropy_with_logits, "binary_cross_entropy_with_logits", case)


def test_mean_of_nothing_is_nan(device):
    assert np.isnan(F.binary_cross_entropy_with_logits(np.zeros((0, 3)), np.zeros((0, 3))))


@pytest.mark.parametrize("dtype", suite.FLOATS)
def test_large_logits(dtype, device):
    """Neither overflow nor lost digits: the loss of a sure and wrong answer is its logit."""
    x = np.array([1e4, -1e4, 1e4, -1e4, 3e38, -3e38], dtype)
    arrays = {"input": x, "target": np.array([1, 0, 0, 1, 0, 1], dtype)}
    (loss,), grads = suite.run_op(
        F.binary_cross_entropy_with_logits, arrays, {"reduction": "none"}, np.ones(6, dtype)
    )
    np.testing.assert_array_equal(loss, np.abs(x) * [0, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(grads["input"], [0, 0, 1, -1, 1, -1])
    np.testing.assert_array_equal(grads["target"], -x)


def test_gradient_of_sure_answers_keeps_its_digits(device):
    """sigmoid(-x) = exp(-x) to the last digits, which 1 - sigmoid(x) has not."""
    x = np.linspace(40, 80, 33, dtype=np.float32)
    arrays = {"input": x, "target": np.ones_like(x)}
    _, grads = suite.run_op(F.binary_cross_entropy_with_logits, arrays, {"reduction": "sum"}, np.float32(1))
    want = -np.exp(-x.astype(np.float64))
    ratio = grads["input"] / want
    assert suite.tolerances.relative_error(ratio, np.ones_like(want)) <= 8 * suite.tolerances.EPS32


def test_nan_and_infinities(device):
    x = np.array([np.nan, np.inf, -np.inf])
    for target, want in ((0.0, [np.nan, np.inf, np.nan]), (1.0, [np.nan, np.nan, np.inf])):
        loss = F.binary_cross_entropy_with_logits(x, np.full(3, target), reduction="none")
        np.testing.assert_array_equal(
            loss[[0, 1 if target == 0 else 2]], np.array(want)[[0, 1 if target == 0 else 2]]
        )


def test_is_binary_cross_entropy_of_the_sigmoid(device):
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((5, 4)), rng.uniform(size=(5, 4))
    found, want = F.binary_cross_entropy_with_logits(x, t), F.binary_cross_entropy(F.sigmoid(x), t)
    assert suite.tolerances.relative_error(found, want) <= suite.tolerances.TOLERANCES["same_formula_float64"]


X = np.full((4, 3), 0.5, np.float32)


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (ValueError, r"target: expected \(4, 3\) for input of shape \(4, 3\), got \(3,\)", (X, X[0]), {}),
        (ValueError, r"\] weight: expected a shape that broadcasts to \(4, 3\)", (X, X, X[:, 0]), {}),
        (ValueError, r"pos_weight: expected a shape that broadcasts to", (X, X), {"pos_weight": X[:, 0]}),
        (ValueError, r"pos_weight: expected a shape that broadcasts to", (X, X), {"pos_weight": X[None]}),
        (ValueError, "reduction: expected 'none', 'mean' or 'sum', got 'avg'", (X, X), {"reduction": "avg"}),
        (TypeError, "target: expected float32", (X, X.astype(np.float64)), {}),
        (TypeError, r"\] weight: expected float32", (X, X, np.ones(3)), {}),
        (TypeError, "pos_weight: expected float32", (X, X), {"pos_weight": np.ones(3)}),
        (TypeError, "input: expected float32 or float64", (X.astype(np.int64), X), {}),
    ],
)
def test_bad_input(error, message, arguments, options):
    with pytest.raises(error, match=message):
        F.binary_cross_entropy_with_logits(*arguments, **options)


def test_backward_on_arrays(device):
    case = cases.OPTIONS[4]
    arrays = case.arrays(np.float64)
    found = F.binary_cross_entropy_with_logits_backward(np.array(2.0), **arrays, **case.options)
    want = reference.backward(np.array(2.0), **arrays, **case.options)
    for grad, expected in zip(found, want.values(), strict=True):
        assert (
            suite.tolerances.relative_error(grad, expected)
            <= suite.tolerances.TOLERANCES["same_formula_float64"]
        )


def test_layer():
    layer = fastdl.nn.BCEWithLogitsLoss(pos_weight=fastdl.tensor([1.0, 2.0, 3.0]), reduction="sum")
    want = F.binary_cross_entropy_with_logits(X, X, pos_weight=layer.pos_weight.numpy(), reduction="sum")
    assert layer(fastdl.tensor(X), fastdl.tensor(X)).item() == want
    assert list(layer.state_dict()) == ["pos_weight"]
    assert repr(layer) == "BCEWithLogitsLoss()"
