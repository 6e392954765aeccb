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


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.LARGE_KERNELS, ids=str)
def test_large_kernel(case, dtype, isa):
    """Not on the emulation, for which half a million weights are too many."""
    suite.check_reference(F.conv2d, reference, case, dtype)
    suite.check_integers_are_exact(F.conv2d, reference, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.conv2d, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED + cases.LARGE_KERNELS[1:], ids=str)
def test_threads(case, dtype, isa):
    suite.check_threads(F.conv2d, case, dtype)


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


def test_same_padding_of_a_kernel_as_large_as_the_image(device):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 3, 2, 4)), rng.standard_normal((5, 3, 2, 4))
    np.testing.assert_array_equal(
        F.conv2d(x, w, padding="same"), F.conv2d(np.pad(x, [(0, 0), (0, 0), (0, 1), (1, 2)]), w)
    )


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
        (ValueError, "stride: expected values of at most 2147483647", (X, W), {"stride": (1, 2**63 - 1)}),
        (ValueError, "dilation: expected values of at most 2147483647", (X, W), {"dilation": 2**62}),
        (ValueError, "padding: expected values of at most 2147483647", (X, W), {"padding": (2**62, 0)}),
        (ValueError, "weight: expected values of at most", (X, np.zeros((0, 4, 1, 2**40), np.float32)), {}),
        (TypeError, "stride: expected an int or a pair", (X, W), {"stride": 1.5}),
        (TypeError, "weight: expected float32", (X, W.astype(np.float64)), {}),
        (TypeError, "input: expected float32, float64 or bfloat16, got int64", (X.astype(np.int64), W), {}),
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


@pytest.mark.parametrize("option", ["stride", "padding", "dilation"])
def test_backward_refuses_what_overflows(option):
    with pytest.raises(ValueError, match=f"{option}: expected values of at most"):
        F.conv2d_backward(np.zeros((2, 6, 1, 1), np.float32), X, W, **{option: 2**63 - 1})


def test_backward_on_arrays_gives_what_was_asked_for():
    grads = F.conv2d_backward(np.ones((2, 6, 6, 6), np.float32), X, W, output_mask=(False, True, False))
    assert grads[0] is None and grads[2] is None and grads[1].shape == W.shape


@pytest.mark.parametrize("padding", [1, (2, 0), "same", "valid"])
@pytest.mark.parametrize("mode", fastdl.nn.Conv2d.padding_modes)
def test_padding_modes(mode, padding):
    layer = fastdl.nn.Conv2d(3, 4, (4, 3), padding=padding, padding_mode=mode)
    x = fastdl.tensor(X[:, :3] + np.arange(64, dtype=np.float32).reshape(8, 8))
    before, after = {"same": ((1, 1), (2, 1)), "valid": ((0, 0), (0, 0))}.get(padding, (padding, padding))
    before, after = np.broadcast_to(before, 2), np.broadcast_to(after, 2)
    sides = (before[1], after[1], before[0], after[0])
    padded = F.pad(x, sides, "constant" if mode == "zeros" else mode)
    want = F.conv2d(padded, layer.weight, layer.bias)
    np.testing.assert_array_equal(layer(x).detach().numpy(), want.detach().numpy())


@pytest.mark.parametrize("padding", [1, (2, 0), "same", "valid"])
@pytest.mark.parametrize("mode", fastdl.nn.Conv2d.padding_modes)
def test_padding_modes_agree_with_torch(mode, padding):
    torch = pytest.importorskip("torch")
    options = {"padding": padding, "padding_mode": mode, "dtype": np.float64}
    layer = fastdl.nn.Conv2d(3, 4, (5, 3), **options)
    theirs = torch.nn.Conv2d(3, 4, (5, 3), **{**options, "dtype": torch.float64})
    rng = np.random.default_rng(0)
    with torch.no_grad():  # integers, so that both are exact
        for mine, other in zip(layer.parameters(), theirs.parameters(), strict=True):
            mine.data[...] = rng.integers(-3, 4, mine.shape)
            other.copy_(torch.from_numpy(mine.data))
    x = rng.integers(-3, 4, (2, 3, 8, 9)).astype(np.float64)
    ours, other = fastdl.tensor(x, requires_grad=True), torch.from_numpy(x).requires_grad_()
    out, want = layer(ours), theirs(other)
    np.testing.assert_array_equal(out.detach().numpy(), want.detach().numpy())
    out.sum().backward()
    want.sum().backward()
    np.testing.assert_array_equal(ours.grad.numpy(), other.grad.numpy())
    np.testing.assert_array_equal(layer.weight.grad.numpy(), theirs.weight.grad.numpy())


def test_layer_repr_and_parameters():
    layer = fastdl.nn.Conv2d(4, 6, 3, stride=2, padding=1, bias=False, padding_mode="reflect")
    assert repr(layer) == (
        "Conv2d(4, 6, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False, padding_mode=reflect)"
    )
    assert layer.weight.shape == (6, 4, 3, 3) and layer.bias is None
