"""adaptive_max_pool2d against its reference and PyTorch, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import adaptive_max_pool2d as reference

from tests import suite
from tests.cases import adaptive_max_pool2d as cases

OP = "adaptive_max_pool2d"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.adaptive_max_pool2d, reference, case, dtype)


@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_integers_are_exact(case, dtype, device):
    suite.check_integers_are_exact(F.adaptive_max_pool2d, reference, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.adaptive_max_pool2d, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, device):
    suite.check_threads(F.adaptive_max_pool2d, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.adaptive_max_pool2d, reference, case)


def with_nans(case, dtype):
    """Small integers, so that maxima tie, and a NaN now and then."""
    x = case.arrays(dtype, integers=True)["input"]
    x[np.random.default_rng(1).random(x.shape) < 0.05] = np.nan
    return x


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_indices(case, dtype, device):
    x = with_nans(case, dtype)
    y, indices = F.adaptive_max_pool2d(x, **case.options, return_indices=True)
    assert indices.dtype == np.int64
    np.testing.assert_array_equal(indices, reference.indices(x, **case.options))
    np.testing.assert_array_equal(y, reference.forward(x, **case.options))
    np.testing.assert_array_equal(y, F.adaptive_max_pool2d(x, **case.options))


@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_agrees_with_torch(case):
    torch = pytest.importorskip("torch")
    x = with_nans(case, np.float64)
    theirs = torch.from_numpy(x).requires_grad_()
    want, where = torch.nn.functional.adaptive_max_pool2d(theirs, **case.options, return_indices=True)
    ours = fastdl.tensor(x, requires_grad=True)
    got, indices = F.adaptive_max_pool2d(ours, **case.options, return_indices=True)
    np.testing.assert_array_equal(got.detach().numpy(), want.detach().numpy())
    np.testing.assert_array_equal(indices.numpy(), where.numpy())
    if want.numel():
        grad = np.random.default_rng(0).integers(-3, 4, tuple(want.shape)).astype(np.float64)
        want.backward(torch.from_numpy(grad))
        got.backward(fastdl.tensor(grad))
        np.testing.assert_array_equal(ours.grad.numpy(), theirs.grad.numpy())


def test_minus_infinity_has_an_index_too(device):
    x = np.full((1, 5, 40), -np.inf, np.float32)
    y, indices = F.adaptive_max_pool2d(x, (2, 3), return_indices=True)
    assert (y == -np.inf).all()
    np.testing.assert_array_equal(indices, reference.indices(x, (2, 3)))


def test_with_indices(device):
    x = np.random.default_rng(0).standard_normal((2, 4, 6))
    for got, want in zip(
        F.adaptive_max_pool2d_with_indices(x, 2),
        F.adaptive_max_pool2d(x, 2, return_indices=True),
        strict=True,
    ):
        np.testing.assert_array_equal(got, want)


X = np.zeros((2, 3, 8, 8), np.float32)


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, r"input: expected \(N, C, H, W\) or \(C, H, W\), got \(8, 8\)", (X[0, 0], 2)),
        (ValueError, "input: expected no empty axis but the batch", (X[:, :, :, :0], 2)),
        (ValueError, "input: expected no empty axis but the batch", (X[:, :0], 2)),
        (ValueError, "output_size: expected at least 0, got -1", (X, (2, -1))),
        (ValueError, "output_size: expected an int or a pair", (X, (1, 1, 1))),
        (ValueError, "output_size: expected an int or a pair", (X, (1,))),
        (TypeError, "output_size: expected an int or a pair", (X, None)),
        (TypeError, "output_size: expected an int or a pair", (X, (2.0, 1))),
        (TypeError, "input: expected float32 or float64, got int64", (X.astype(np.int64), 2)),
    ],
)
def test_bad_input(error, message, arguments):
    with pytest.raises(error, match=message):
        F.adaptive_max_pool2d(*arguments)


def test_bad_gradient():
    grad, indices = np.zeros((2, 3, 1, 1), np.float32), np.zeros((2, 3, 1, 1), np.int64)
    with pytest.raises(ValueError, match=r"grad_output: expected \(2, 3, 1, 1\) for input of shape"):
        F.adaptive_max_pool2d_backward(X, indices, X.shape, 1)
    indices[1] = 64
    with pytest.raises(
        ValueError, match=r"indices: expected indices in \[0, 64\), got 64 at flat position 3"
    ):
        F.adaptive_max_pool2d_backward(grad, indices, X.shape, 1)


@pytest.mark.parametrize("size", [1, (None, 3)])
def test_layer(size):
    layer = fastdl.nn.AdaptiveMaxPool2d(size, return_indices=True)
    assert repr(layer) == f"AdaptiveMaxPool2d(output_size={size})"
    x = np.random.default_rng(0).standard_normal((2, 3, 8, 9))
    for got, want in zip(layer(x), F.adaptive_max_pool2d(x, size, True), strict=True):
        np.testing.assert_array_equal(got, want)
