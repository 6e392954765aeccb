"""softmax and log_softmax against their references, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import softmax as reference

from tests import suite, tolerances
from tests.cases import softmax as cases

OP = "softmax"
INF = np.inf


@pytest.fixture(params=["softmax", "log_softmax"])
def name(request):
    return request.param


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(name, case, dtype, device):
    suite.check_reference(getattr(F, name), getattr(reference, name), case, dtype)


@pytest.mark.parametrize("case", cases.AXES, ids=str)
def test_finite_differences(name, case):
    suite.check_finite_differences(getattr(reference, name), case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.AXES, ids=str)
def test_layouts(name, case, dtype, device):
    suite.check_layouts(getattr(F, name), case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(name, case, dtype, device):
    suite.check_threads(getattr(F, name), case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(name, case, device):
    suite.check_empty(getattr(F, name), getattr(reference, name), case)


@pytest.mark.parametrize("rows", [1, 5, 40])
@pytest.mark.parametrize("classes", [2, 4, 64])
def test_equal_logits_are_exact(classes, rows, device):
    for value in (0.0, 1e4, -1e30):
        y = F.softmax(np.full((rows, classes), value, np.float32), 1)
        np.testing.assert_array_equal(y, 1 / classes)
        np.testing.assert_array_equal(F.softmax(np.full((classes, rows), value), 0), 1 / classes)


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("offset", [1e4, -1e4])
def test_large_logits_keep_their_digits(name, offset, dim, device):
    """Softmax does not change when all logits move by what float32 adds exactly."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    function = getattr(F, name)
    np.testing.assert_array_equal(function(x + np.float32(offset), dim), function(x, dim))


ROWS = {
    "spread": [1e4, -1e4, 0.0, 9999.0],
    "masked": [-INF, 1.0, -INF, 2.0],
    "masked_but_one": [-INF, -INF, 3.0, -INF],
    "all_masked": [-INF] * 4,
    "infinite": [INF, 1.0, -INF, 2.0],
    "nan_first": [np.nan, 1.0, 2.0, 3.0],
    "nan_last": [1.0, 2.0, 3.0, np.nan],
    "nan_masked": [-INF, np.nan, -INF, -INF],
}


@pytest.mark.parametrize("neighbours", [1, 2, 9, 100])
@pytest.mark.parametrize("row", ROWS)
def test_special_values_as_torch(name, row, neighbours, device):
    """A special row changes no other row, and is what PyTorch makes of it."""
    torch = pytest.importorskip("torch")
    for dtype in suite.FLOATS:
        x = np.random.default_rng(0).standard_normal((2, 19, neighbours)).astype(dtype)
        x[1, 3:7, 0] = ROWS[row]
        if "masked" in row:
            x[1, :3, 0] = x[1, 7:, 0] = -INF
        grad = np.random.default_rng(1).standard_normal(x.shape).astype(dtype)
        operand = torch.from_numpy(x.copy()).requires_grad_()
        want = getattr(torch.nn.functional, name)(operand, 1)
        want.backward(torch.from_numpy(grad))
        (found,), grads = suite.run_op(getattr(F, name), {"input": x}, {"dim": 1}, grad)
        for ours, theirs in ((found, want.detach().numpy()), (grads["input"], operand.grad.numpy())):
            np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
            infinite = np.isinf(theirs)
            np.testing.assert_array_equal(ours[infinite], theirs[infinite])
            ours, theirs = np.where(infinite, 0, ours), np.where(infinite, 0, theirs)
            tolerances.assert_accurate(ours, theirs, theirs, dtype, row)


@pytest.mark.parametrize("ndim", range(5))
def test_implicit_dim(name, ndim):
    """PyTorch's older default."""
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)[:ndim])
    function = getattr(F, name)
    with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name} has been deprecated"):
        found = function(x)
    np.testing.assert_array_equal(found, function(x, 0 if ndim in (0, 1, 3) else 1))
    with pytest.warns(UserWarning, match="Implicit dimension choice") as caught:
        layer = fastdl.nn.Softmax() if name == "softmax" else fastdl.nn.LogSoftmax()
        np.testing.assert_array_equal(layer(fastdl.tensor(x)).numpy(), found)
    assert caught[0].filename == __file__


def test_dtype(name):
    x = np.arange(6).reshape(2, 3)
    function = getattr(F, name)
    for dtype in suite.FLOATS:
        y = function(x, 1, dtype=dtype)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, function(x.astype(dtype), 1))
    tensor = fastdl.tensor(x.astype(np.float32), requires_grad=True)
    y = getattr(tensor, name)(1, np.float64)
    y.backward(fastdl.tensor(np.eye(2, 3)))
    assert y.dtype == np.float64 and tensor.grad.dtype == np.float32
    np.testing.assert_array_equal(getattr(fastdl, name)(x, 1, np.float64), function(x, 1, dtype=np.float64))


def test_backward_on_arrays(name, device):
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 3, 4, 5))
    _, grads = suite.run_op(getattr(F, name), {"input": x}, {"dim": -2}, grad)
    output = getattr(F, name)(x, -2)
    np.testing.assert_array_equal(getattr(F, f"{name}_backward")(grad, output, -2), grads["input"])


X = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (IndexError, r"\[softmax\] dim: expected a value in \[-2, 1\], got 2", lambda: F.softmax(X, 2)),
        (IndexError, r"\[log_softmax\] dim: .*got -3", lambda: F.log_softmax(X, -3)),
        (IndexError, r"\[softmax\] dim: .*\[-1, 0\], got 1", lambda: F.softmax(X[0, 0].reshape(()), 1)),
        (TypeError, r"\[softmax\] input: .*got int64", lambda: F.softmax(np.arange(3), 0)),
        (TypeError, r"\[log_softmax\] input: .*got int32", lambda: F.log_softmax(X, 0, dtype=np.int32)),
        (TypeError, r"\[softmax\] input: expected an array, got list", lambda: F.softmax([1.0, 2.0], 0)),
        (ValueError, r"grad_output: expected \(2, 3\), got \(3,\)", lambda: F.softmax_backward(X[0], X, 0)),
        (TypeError, "grad_output: expected float32", lambda: F.softmax_backward(np.zeros((2, 3)), X, 0)),
        (ValueError, r"\[Softmax2d\] input: .*got \(2, 3\)", lambda: fastdl.nn.Softmax2d()(X)),
    ],
)
def test_bad_input(error, message, call):
    with pytest.raises(error, match=message):
        call()


def test_layers():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    layers = [
        (fastdl.nn.Softmax(dim=2), "Softmax(dim=2)", F.softmax(x, 2)),
        (fastdl.nn.LogSoftmax(-1), "LogSoftmax(dim=-1)", F.log_softmax(x, 3)),
        (fastdl.nn.Softmax2d(), "Softmax2d()", F.softmax(x, 1)),
    ]
    for layer, text, want in layers:
        assert repr(layer) == text
        np.testing.assert_array_equal(layer(fastdl.tensor(x)).numpy(), want)
    np.testing.assert_array_equal(fastdl.nn.Softmax2d()(x[0]), F.softmax(x, 1)[0])
    assert repr(fastdl.nn.Softmax()) == "Softmax(dim=None)"
