"""conv2d against its reference, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import conv2d as reference

from tests import suite
from tests.cases import conv2d as cases

OP = "conv2d"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.conv2d, reference, case, dtype)


@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_integers_are_exact(case, dtype, device):
    suite.check_integers_are_exact(F.conv2d, reference, case, dtype)


@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_layouts(case, device):
    suite.check_layouts(F.conv2d, case, np.float32)


@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, isa):
    suite.check_threads(F.conv2d, case, np.float32)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.conv2d, reference, case)


def test_unbatched(device):
    arrays = cases.PARAMETERS[0].arrays(np.float32)
    x, rest = arrays.pop("input"), arrays
    np.testing.assert_array_equal(F.conv2d(x[0], **rest), F.conv2d(x, **rest)[0])


@pytest.mark.parametrize(
    ("padding", "pads"), [("valid", [(0, 0)] * 4), ("same", [(0, 0), (0, 0), (1, 2), (0, 1)])]
)
def test_named_padding(padding, pads, device):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 8, 9)), rng.standard_normal((4, 3, 4, 2))
    np.testing.assert_array_equal(F.conv2d(x, w, padding=padding), F.conv2d(np.pad(x, pads), w))


X, W = np.zeros((2, 4, 8, 8), np.float32), np.zeros((6, 4, 3, 3), np.float32)


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (ValueError, r"weight: expected \(K, 4, R, S\) for input of shape \(2, 4, 8, 8\)", (X, W[:, :3]), {}),
        (ValueError, r"input: expected \(N, C, H, W\)", (X[0, 0], W), {}),
        (ValueError, r"bias: expected \(6,\)", (X, W, np.zeros(5, np.float32)), {}),
        (ValueError, "groups: expected a divisor of the 4 input channels, got 3", (X, W), {"groups": 3}),
        (ValueError, "output channels that groups=4 divides", (X, W[:, :1]), {"groups": 4}),
        (ValueError, "groups: expected at least 1", (X, W), {"groups": 0}),
        (ValueError, "stride: expected values of at least 1", (X, W), {"stride": 0}),
        (ValueError, "dilation: expected values of at least 1", (X, W), {"dilation": (1, -1)}),
        (ValueError, "padding: expected values of at least 0", (X, W), {"padding": -1}),
        (ValueError, "'same' takes stride 1", (X, W), {"padding": "same", "stride": 2}),
        (ValueError, "expected ints, 'same' or 'valid'", (X, W), {"padding": "full"}),
        (ValueError, "stride: expected an int or a pair", (X, W), {"stride": (1, 1, 1)}),
        (ValueError, "no larger than the padded input", (X[:, :, :2], W), {}),
        (TypeError, "stride: expected an int or a pair", (X, W), {"stride": 1.5}),
        (TypeError, "weight: expected float32", (X, W.astype(np.float64)), {}),
        (TypeError, "input: expected float32 or float64, got int64", (X.astype(np.int64), W), {}),
        (TypeError, "byte-swapped", (X.astype(">f4"), W), {}),
        (TypeError, "input: expected", (X.astype(object), W), {}),
        (TypeError, "input: expected an array, got list", (X.tolist(), W), {}),
    ],
)
def test_bad_input(error, message, arguments, options):
    with pytest.raises(error, match=message):
        F.conv2d(*arguments, **options)


def test_bad_gradient():
    with pytest.raises(ValueError, match=r"grad_output: expected \(2, 6, 6, 6\), got \(2, 6, 6, 5\)"):
        F.conv2d_backward(np.zeros((2, 6, 6, 5), np.float32), X, W)


def test_backward_on_arrays_gives_what_was_asked_for():
    grads = F.conv2d_backward(np.ones((2, 6, 6, 6), np.float32), X, W, output_mask=(False, True, False))
    assert grads[0] is None and grads[2] is None and grads[1].shape == W.shape


def test_layer_repr_and_parameters():
    layer = fastdl.nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False, padding_mode="reflect")
    assert repr(layer) == (
        "Conv2d(4, 6, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False, padding_mode=reflect)"
    )
    assert layer.weight.shape == (6, 4, 3, 3) and layer.bias is None
