"""avg_pool2d against its reference and PyTorch, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import avg_pool2d as reference

from tests import suite, tolerances
from tests.cases import avg_pool2d as cases

OP = "avg_pool2d"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.avg_pool2d, reference, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.EXACT, ids=str)
def test_integers_are_exact(case, dtype, device):
    suite.check_integers_are_exact(F.avg_pool2d, reference, case, dtype)


@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.avg_pool2d, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, device):
    suite.check_threads(F.avg_pool2d, case, dtype)


@pytest.mark.parametrize("case", cases.STREAMED, ids=str)
def test_streamed(case, isa):
    suite.check_image_by_image(F.avg_pool2d, case)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.avg_pool2d, reference, case)


@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_agrees_with_torch(case):
    torch = pytest.importorskip("torch")
    x = case.arrays(np.float64)["input"]
    theirs, ours = torch.from_numpy(x).requires_grad_(), fastdl.tensor(x, requires_grad=True)
    want, got = torch.nn.functional.avg_pool2d(theirs, **case.options), F.avg_pool2d(ours, **case.options)
    np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), **tolerances.POOLED_SUMS)
    if want.numel():
        grad = np.random.default_rng(0).standard_normal(tuple(want.shape))
        want.backward(torch.from_numpy(grad))
        got.backward(fastdl.tensor(grad))
        np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), **tolerances.POOLED_SUMS)


@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_not_finite(special, device):
    """One such element makes its windows so, and no others."""
    x = np.ones((1, 9, 40), np.float32)
    x[0, 4, 21] = special
    y = F.avg_pool2d(x, 3, 2, 1)
    np.testing.assert_array_equal(y, reference.forward(x, 3, 2, 1))


X = np.zeros((2, 3, 8, 8), np.float32)


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (ValueError, r"input: expected \(N, C, H, W\) or \(C, H, W\), got \(8, 8\)", (X[0, 0], 2), {}),
        (ValueError, "input: expected no empty axis but the batch", (X[:, :0], 2), {}),
        (ValueError, "kernel_size: expected values of at least 1", (X, 0), {"stride": 1}),
        (ValueError, "kernel_size: expected one no larger than the padded input", (X, (9, 2)), {}),
        (ValueError, "stride: expected values of at least 1", (X, 2), {"stride": 0}),
        (ValueError, "stride: expected values of at most", (X, 2), {"stride": 2**62}),
        (ValueError, "padding: expected values of at least 0", (X, 2), {"padding": -1}),
        (ValueError, "padding: expected at most half of kernel_size", (X, 3), {"padding": 2}),
        (
            ValueError,
            "divisor_override: expected None or an int other than 0",
            (X, 2),
            {"divisor_override": 0},
        ),
        (TypeError, "divisor_override: expected an int or None, got 2.5", (X, 2), {"divisor_override": 2.5}),
        (TypeError, "kernel_size: expected an int or a pair", (X, None), {}),
        (TypeError, "input: expected float32 or float64, got int64", (X.astype(np.int64), 2), {}),
    ],
)
def test_bad_input(error, message, arguments, options):
    with pytest.raises(error, match=message):
        F.avg_pool2d(*arguments, **options)


def test_bad_gradient():
    with pytest.raises(
        ValueError, match=r"grad_output: expected \(2, 3, 4, 4\) for input of shape \(2, 3, 8, 8\)"
    ):
        F.avg_pool2d_backward(X, X.shape, 2)


def test_layer():
    layer = fastdl.nn.AvgPool2d(
        (2, 3), (1, 2), 1, ceil_mode=True, count_include_pad=False, divisor_override=3
    )
    assert repr(layer) == "AvgPool2d(kernel_size=(2, 3), stride=(1, 2), padding=1)"
    x = np.random.default_rng(0).standard_normal((2, 3, 8, 9))
    np.testing.assert_array_equal(layer(x), F.avg_pool2d(x, (2, 3), (1, 2), 1, True, False, 3))
    assert repr(fastdl.nn.AvgPool2d(2)) == "AvgPool2d(kernel_size=2, stride=2, padding=0)"
