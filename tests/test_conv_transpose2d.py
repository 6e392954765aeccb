"""conv_transpose2d against its reference, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import conv_transpose2d as reference

from tests import suite
from tests.cases import conv_transpose2d as cases

OP = "conv_transpose2d"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.conv_transpose2d, reference, case, dtype)


@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_integers_are_exact(case, dtype, device):
    suite.check_integers_are_exact(F.conv_transpose2d, reference, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.conv_transpose2d, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, isa):
    suite.check_threads(F.conv_transpose2d, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.conv_transpose2d, reference, case)


def test_unbatched(device):
    arrays = cases.PARAMETERS[0].arrays(np.float32)
    x, rest = arrays.pop("input"), arrays
    np.testing.assert_array_equal(F.conv_transpose2d(x[0], **rest), F.conv_transpose2d(x, **rest)[0])


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"stride": (2, 3), "dilation": 2}])
def test_is_the_gradient_of_conv2d(options, device):
    """Small integers: both are exact."""
    rng = np.random.default_rng(0)
    x, w = (rng.integers(-4, 5, shape).astype(np.float32) for shape in ((2, 4, 9, 13), (6, 4, 3, 3)))
    grad_y = rng.integers(-4, 5, F.conv2d(x, w, **options).shape).astype(np.float32)
    grad_x = F.conv2d_backward(grad_y, x, w, **options)[0]
    y = F.conv_transpose2d(grad_y, w, **options)
    np.testing.assert_array_equal(y, grad_x[:, :, : y.shape[2], : y.shape[3]])


X, W = np.zeros((2, 4, 8, 8), np.float32), np.zeros((4, 6, 3, 3), np.float32)
WIDE, LONG = np.zeros((0, 6, 1, 2**40), np.float32), np.zeros((0, 4, 1, 2**40), np.float32)


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (ValueError, r"weight: expected \(4, K / groups, R, S\)", (X, W[:3]), {}),
        (ValueError, r"weight: expected \(4, K / groups, R, S\)", (X, W[0]), {}),
        (ValueError, r"weight: expected \(4, K / groups, R, S\)", (X, W[..., :0]), {}),
        (ValueError, r"input: expected \(N, C, H, W\)", (X[0, 0], W), {}),
        (ValueError, "input: expected a height and width of at least 1", (X[:, :, :0], W), {}),
        (ValueError, r"bias: expected \(6,\)", (X, W, np.zeros(4, np.float32)), {}),
        (ValueError, r"bias: expected \(12,\)", (X, W, np.zeros(6, np.float32)), {"groups": 2}),
        (ValueError, "groups: expected a divisor of the 4 input channels, got 3", (X, W), {"groups": 3}),
        (ValueError, "groups: expected at least 1", (X, W), {"groups": 0}),
        (ValueError, "stride: expected values of at least 1", (X, W), {"stride": (0, 1)}),
        (ValueError, "dilation: expected values of at least 1", (X, W), {"dilation": -1}),
        (ValueError, "padding: expected values of at least 0", (X, W), {"padding": -1}),
        (ValueError, "output_padding: expected values from 0", (X, W), {"output_padding": (0, -1)}),
        (ValueError, "below stride", (X, W), {"output_padding": 1}),
        (ValueError, "below stride", (X, W), {"stride": (3, 2), "output_padding": 2}),
        (ValueError, "padding: expected an output of at least 1 x 1", (X[..., :1], W), {"padding": (0, 2)}),
        (ValueError, "stride: expected values of at most 2147483647", (X, W), {"stride": 2**62}),
        (ValueError, "dilation: expected values of at most 2147483647", (X, W), {"dilation": (2**62, 1)}),
        (ValueError, "padding: expected values of at most 2147483647", (X, W), {"padding": 2**62}),
        (ValueError, "output_padding: expected values from 0", (X, W), {"output_padding": 2**62}),
        (ValueError, "weight: expected values of at most", (X[:, :0], WIDE), {}),
        (ValueError, "expected an output extent that fits into 63 bits", (LONG, W), {"stride": 2**31 - 1}),
        (ValueError, "stride: expected an int or a pair", (X, W), {"stride": (1, 1, 1)}),
        (TypeError, "padding: expected an int or a pair", (X, W), {"padding": "same"}),
        (TypeError, "weight: expected float32", (X, W.astype(np.float64)), {}),
        (TypeError, "bias: expected float32", (X, W, np.zeros(6)), {}),
        (TypeError, "input: expected float32 or float64, got int64", (X.astype(np.int64), W), {}),
        (TypeError, "input: expected an array, got list", (X.tolist(), W), {}),
    ],
)
def test_bad_input(error, message, arguments, options):
    with pytest.raises(error, match=message):
        F.conv_transpose2d(*arguments, **options)


def test_bad_gradient():
    with pytest.raises(ValueError, match=r"grad_output: expected \(2, 6, 10, 10\), got \(2, 6, 8, 8\)"):
        F.conv_transpose2d_backward(np.zeros((2, 6, 8, 8), np.float32), X, W)


@pytest.mark.parametrize("option", ["stride", "padding", "dilation"])
def test_backward_refuses_what_overflows(option):
    with pytest.raises(ValueError, match=f"{option}: expected values of at most"):
        F.conv_transpose2d_backward(np.zeros((2, 6, 1, 1), np.float32), X, W, **{option: 2**63 - 1})


def test_backward_on_arrays_gives_what_was_asked_for():
    grad_y = np.ones((2, 6, 10, 10), np.float32)
    grads = F.conv_transpose2d_backward(grad_y, X, W, output_mask=(False, False, True))
    assert grads[:2] == (None, None)
    np.testing.assert_array_equal(grads[2], np.full(6, 200, np.float32))


def test_layer_repr_and_parameters():
    layer = fastdl.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, dilation=2)
    assert repr(layer) == (
        "ConvTranspose2d(4, 6, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), dilation=(2, 2), "
        "output_padding=(1, 1), groups=2)"
    )
    assert layer.weight.shape == (4, 3, 3, 3) and layer.bias.shape == (6,)


@pytest.mark.parametrize("size", [(9, 9), [10, 9], (2, 6, 9, 10)])
def test_layer_takes_an_output_size(size):
    layer = fastdl.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1)
    assert layer(np.zeros((2, 4, 5, 5), np.float32), output_size=size).shape == (2, 6, *size[-2:])


@pytest.mark.parametrize("size", [(8, 9), (9, 11), (6, 9, 9)])
def test_layer_refuses_an_output_size(size):
    layer = fastdl.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1)
    with pytest.raises(ValueError, match="output_size: expected"):
        layer(np.zeros((2, 4, 5, 5), np.float32), output_size=size)


def test_layer_pads_with_zeros_only():
    with pytest.raises(ValueError, match="padding_mode: expected one of 'zeros'"):
        fastdl.nn.ConvTranspose2d(4, 6, 3, padding_mode="reflect")
