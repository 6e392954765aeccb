"""max_pool2d against its reference and PyTorch, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import max_pool2d as reference

from tests import suite
from tests.cases import max_pool2d as cases

OP = "max_pool2d"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.max_pool2d, reference, case, dtype)


@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_integers_are_exact(case, dtype, device):
    suite.check_integers_are_exact(F.max_pool2d, reference, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.max_pool2d, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, device):
    suite.check_threads(F.max_pool2d, case, dtype)


@pytest.mark.parametrize("case", cases.STREAMED, ids=str)
def test_streamed(case, isa):
    suite.check_image_by_image(F.max_pool2d, case)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.max_pool2d, reference, case)


def with_nans(case, dtype):
    """Small integers, so that maxima tie, and a NaN now and then."""
    x = case.arrays(dtype, integers=True)["input"]
    x[np.random.default_rng(1).random(x.shape) < 0.05] = np.nan
    return x


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_indices(case, dtype, device):
    x = with_nans(case, dtype)
    y, indices = F.max_pool2d(x, **case.options, return_indices=True)
    assert indices.dtype == np.int64
    np.testing.assert_array_equal(indices, reference.indices(x, **case.options))
    np.testing.assert_array_equal(y, reference.forward(x, **case.options))
    np.testing.assert_array_equal(y, F.max_pool2d(x, **case.options))


@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_agrees_with_torch(case):
    torch = pytest.importorskip("torch")
    x = with_nans(case, np.float64)
    theirs = torch.from_numpy(x).requires_grad_()
    want, where = torch.nn.functional.max_pool2d(theirs, **case.options, return_indices=True)
    ours = fastdl.tensor(x, requires_grad=True)
    got, indices = F.max_pool2d(ours, **case.options, return_indices=True)
    np.testing.assert_array_equal(got.detach().numpy(), want.detach().numpy())
    np.testing.assert_array_equal(indices.numpy(), where.numpy())
    if want.numel():
        grad = np.random.default_rng(0).integers(-3, 4, tuple(want.shape)).astype(np.float64)
        want.backward(torch.from_numpy(grad))
        got.backward(fastdl.tensor(grad))
        np.testing.assert_array_equal(ours.grad.numpy(), theirs.grad.numpy())


def test_minus_infinity_has_an_index_too(device):
    x = np.full((1, 5, 40), -np.inf, np.float32)
    y, indices = F.max_pool2d(x, (3, 9), 1, (1, 4), return_indices=True)
    assert (y == -np.inf).all()
    np.testing.assert_array_equal(indices, reference.indices(x, (3, 9), 1, (1, 4)))


def test_with_indices(device):
    x = np.random.default_rng(0).standard_normal((2, 4, 6))
    for got, want in zip(
        F.max_pool2d_with_indices(x, 2), F.max_pool2d(x, 2, return_indices=True), strict=True
    ):
        np.testing.assert_array_equal(got, want)


def test_window_that_misses_the_image(device):
    """Dilation by 2 round an image one pixel wide: every tap lies beside it."""
    (y,), grads = suite.run_op(
        F.max_pool2d,
        cases.MISSING.arrays(np.float32),
        cases.MISSING.options,
        np.ones((1, 2, 3, 1), np.float32),
    )
    _, indices = F.max_pool2d(np.zeros((1, 2, 3, 1)), **cases.MISSING.options, return_indices=True)
    assert (y == -np.inf).all() and (indices == -1).all() and not grads["input"].any()


X = np.zeros((2, 3, 8, 8), np.float32)


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (ValueError, r"input: expected \(N, C, H, W\) or \(C, H, W\), got \(8, 8\)", (X[0, 0], 2), {}),
        (ValueError, "input: expected no empty axis but the batch", (X[:, :0], 2), {}),
        (ValueError, "input: expected no empty axis but the batch", (X[:, :, :0], 2), {}),
        (ValueError, "input: expected no empty axis but the batch", (X[0, :0], 2), {}),
        (ValueError, "kernel_size: expected values of at least 1", (X, 0), {"stride": 1}),
        (ValueError, "kernel_size: expected one no larger than the padded input", (X, (9, 2)), {}),
        (ValueError, "no larger than the padded input", (X, 3), {"dilation": 4}),
        (ValueError, "kernel_size: expected values of at most", (X, 2**40), {}),
        (ValueError, "kernel_size: expected an int or a pair", (X, (2, 2, 2)), {}),
        (ValueError, "stride: expected values of at least 1", (X, 2), {"stride": 0}),
        (ValueError, "dilation: expected values of at least 1", (X, 2), {"dilation": 0}),
        (ValueError, "padding: expected values of at least 0", (X, 2), {"padding": -1}),
        (
            ValueError,
            r"padding: expected at most half of kernel_size \(3, 3\), got \(2, 0\)",
            (X, 3),
            {"padding": (2, 0)},
        ),
        (TypeError, "kernel_size: expected an int or a pair", (X, 2.0), {}),
        (TypeError, "stride: expected an int or a pair", (X, 2), {"stride": "2"}),
        (TypeError, "input: expected float32 or float64, got int64", (X.astype(np.int64), 2), {}),
    ],
)
def test_bad_input(error, message, arguments, options):
    with pytest.raises(error, match=message):
        F.max_pool2d(*arguments, **options)


@pytest.mark.parametrize("stride", [None, (), []])
def test_stride_that_is_not_given(stride):
    assert F.max_pool2d(X, 3, stride).shape == (2, 3, 2, 2)


def test_bad_gradient():
    grad, indices = np.zeros((2, 3, 4, 4), np.float32), np.zeros((2, 3, 4, 4), np.int64)
    with pytest.raises(ValueError, match=r"grad_output: expected \(2, 3, 4, 4\) for input of shape"):
        F.max_pool2d_backward(grad[:1], indices, X.shape, 2)
    with pytest.raises(ValueError, match=r"indices: expected \(2, 3, 4, 4\) for input of shape"):
        F.max_pool2d_backward(grad, indices[:1], X.shape, 2)
    with pytest.raises(TypeError, match="indices: expected integers, got float32"):
        F.max_pool2d_backward(grad, grad, X.shape, 2)
    for index in (64, -2):
        indices[1, 0, 1, 1], indices[1, 2, 0, 0] = index, 99
        with pytest.raises(
            ValueError, match=rf"indices: expected indices in \[0, 64\), got {index} at flat position 53"
        ):
            F.max_pool2d_backward(grad, indices, X.shape, 2)


def test_layer():
    layer = fastdl.nn.MaxPool2d(
        (2, 3), stride=1, padding=(0, 1), dilation=2, ceil_mode=True, return_indices=True
    )
    assert repr(layer) == (
        "MaxPool2d(kernel_size=(2, 3), stride=1, padding=(0, 1), dilation=2, ceil_mode=True)"
    )
    x = np.random.default_rng(0).standard_normal((2, 3, 8, 9))
    for got, want in zip(layer(x), F.max_pool2d(x, (2, 3), 1, (0, 1), 2, True, True), strict=True):
        np.testing.assert_array_equal(got, want)
    assert repr(fastdl.nn.MaxPool2d(2)) == (
        "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"
    )
