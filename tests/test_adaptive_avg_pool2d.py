"""adaptive_avg_pool2d against its reference and PyTorch, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import adaptive_avg_pool2d as reference

from tests import suite, tolerances
from tests.cases import adaptive_avg_pool2d as cases

OP = "adaptive_avg_pool2d"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.adaptive_avg_pool2d, reference, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.EXACT, ids=str)
def test_integers_are_exact(case, dtype, device):
    suite.check_integers_are_exact(F.adaptive_avg_pool2d, reference, case, dtype)


@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.adaptive_avg_pool2d, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, device):
    suite.check_threads(F.adaptive_avg_pool2d, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.adaptive_avg_pool2d, reference, case)


@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_agrees_with_torch(case):
    torch = pytest.importorskip("torch")
    x = case.arrays(np.float64)["input"]
    theirs, ours = torch.from_numpy(x).requires_grad_(), fastdl.tensor(x, requires_grad=True)
    want, got = (
        torch.nn.functional.adaptive_avg_pool2d(theirs, **case.options),
        F.adaptive_avg_pool2d(ours, **case.options),
    )
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
    y = F.adaptive_avg_pool2d(x, (4, 7))
    np.testing.assert_array_equal(y, reference.forward(x, (4, 7)))


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
        F.adaptive_avg_pool2d(*arguments)


def test_bad_gradient():
    with pytest.raises(
        ValueError, match=r"grad_output: expected \(2, 3, 4, 1\) for input of shape \(2, 3, 8, 8\)"
    ):
        F.adaptive_avg_pool2d_backward(X, X.shape, (4, 1))


@pytest.mark.parametrize("size", [1, (None, 3)])
def test_layer(size):
    layer = fastdl.nn.AdaptiveAvgPool2d(size)
    assert repr(layer) == f"AdaptiveAvgPool2d(output_size={size})"
    x = np.random.default_rng(0).standard_normal((2, 3, 8, 9))
    np.testing.assert_array_equal(layer(x), F.adaptive_avg_pool2d(x, size))
