"""cross_entropy against its reference, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import cross_entropy as reference

from tests import suite
from tests.cases import cross_entropy as cases

OP = "cross_entropy"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.cross_entropy, reference, case, dtype)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.cross_entropy, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, isa):
    suite.check_threads(F.cross_entropy, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.cross_entropy, reference, case)


def test_equal_logits_are_exact(device):
    """log C for any class: no rounding but the logarithm's and the loss is exactly representable for C = 1."""
    np.testing.assert_array_equal(
        F.cross_entropy(np.full((3, 1), 7.0), np.zeros(3, np.int64), reduction="none"), 0
    )


def test_unbatched(device):
    x = np.arange(5.0)
    assert F.cross_entropy(x, np.array(2)) == F.cross_entropy(x[None], np.array([2]))


def test_all_ignored_mean_is_nan(device):
    loss = F.cross_entropy(np.zeros((2, 3)), np.full(2, -100))
    assert np.isnan(loss)


@pytest.mark.parametrize("offset", [1e4, -1e4])
def test_large_logits_keep_their_digits(offset, device):
    """softmax does not change when all logits move by what float32 adds exactly."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    target = np.array([0, 1, 3])
    moved, plain = (
        suite.run_op(F.cross_entropy, {"input": z, "target": target}, {}, np.float32(1))
        for z in (x + np.float32(offset), x)
    )
    np.testing.assert_array_equal(moved[0], plain[0])
    np.testing.assert_array_equal(moved[1]["input"], plain[1]["input"])


@pytest.mark.parametrize("narrow", [np.int32, np.uint8, np.int16])
def test_integers_of_any_width(narrow):
    x, target = np.random.default_rng(0).standard_normal((4, 3)), np.array([0, 1, 2, 1])
    assert F.cross_entropy(x, target.astype(narrow)) == F.cross_entropy(x, target)


X, T = np.zeros((4, 3), np.float32), np.zeros(4, np.int64)


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (ValueError, r"target: expected \(4,\) for input of shape \(4, 3\), got \(3,\)", (X, T[:3]), {}),
        (ValueError, r"weight: expected \(3,\)", (X, T, X[:, 0]), {}),
        (ValueError, "reduction: expected 'none', 'mean' or 'sum', got 'avg'", (X, T), {"reduction": "avg"}),
        (ValueError, r"label_smoothing: expected a value in \[0, 1\]", (X, T), {"label_smoothing": 1.5}),
        (
            ValueError,
            r"label_smoothing: expected a value in \[0, 1\]",
            (X, T),
            {"label_smoothing": float("nan")},
        ),
        (ValueError, "at least one class", (X[:, :0], T), {}),
        (ValueError, r"input: expected \(C\), \(N, C\)", (X[0, 0].reshape(()), T), {}),
        (TypeError, "target: expected float32", (X, X.astype(np.float64)), {}),
        (TypeError, "weight: expected float32", (X, T, np.ones(3)), {}),
        (TypeError, "input: expected float32 or float64", (X.astype(np.int64), T), {}),
        (TypeError, "target: expected", (X, T.astype(bool)), {}),
    ],
)
def test_bad_input(error, message, arguments, options):
    with pytest.raises(error, match=message):
        F.cross_entropy(*arguments, **options)


@pytest.mark.parametrize("index", [-1, 3, 1 << 40])
def test_class_out_of_range(index):
    target = np.array([0, 1, index, 2])
    with pytest.raises(
        ValueError, match=rf"target: expected indices in \[0, 3\), got {index} at flat position 2"
    ):
        F.cross_entropy(X, target)


def test_layer():
    layer = fastdl.nn.CrossEntropyLoss(
        weight=fastdl.tensor([1.0, 2.0, 3.0]), label_smoothing=0.1, reduction="sum"
    )
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    want = F.cross_entropy(x, T, layer.weight.numpy(), label_smoothing=0.1, reduction="sum")
    assert layer(fastdl.tensor(x), T).item() == want
    assert list(layer.state_dict()) == ["weight"]
