"""pad against its reference and PyTorch, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import pad as reference

from tests import suite
from tests.cases import pad as cases

OP = "pad"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.pad, reference, case, dtype)


@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_integers_are_exact(case, dtype, device):
    suite.check_integers_are_exact(F.pad, reference, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.PARAMETERS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.pad, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, device):
    suite.check_threads(F.pad, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.pad, reference, case)


@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_agrees_with_torch(case):
    torch = pytest.importorskip("torch")
    x = case.arrays(np.float64, integers=True)["input"]
    theirs = torch.from_numpy(x).requires_grad_()
    want = torch.nn.functional.pad(theirs, **case.options)
    grad = np.random.default_rng(0).integers(-3, 4, tuple(want.shape)).astype(np.float64)
    want.backward(torch.from_numpy(grad))
    (got,), gradients = suite.run_op(F.pad, {"input": x}, case.options, grad)
    np.testing.assert_array_equal(got, want.detach().numpy())
    np.testing.assert_array_equal(gradients["input"], theirs.grad.numpy())


@pytest.mark.parametrize("value", [None, 2, float("inf"), float("nan"), np.float32(1.5)])
def test_value_is_filled_in(value, device):
    np.testing.assert_array_equal(
        F.pad(np.ones(2, np.float32), (1, 0), value=value), np.array([value or 0, 1, 1], np.float32)
    )


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, bool])
def test_other_dtypes(dtype, mode, device):
    x = (np.arange(24).reshape(2, 3, 4) % 5).astype(dtype)
    got = F.pad(x, (2, 1), mode=mode)
    assert got.dtype == x.dtype
    np.testing.assert_array_equal(got, reference.forward(x, (2, 1), mode))


def test_integer_values(device):
    assert F.pad(np.zeros(1, np.int64), (1, 0), value=2**62 + 1)[0] == 2**62 + 1
    assert F.pad(np.zeros(1, np.int32), (1, 0), value=-1.5)[0] == -1
    assert F.pad(np.zeros(1, bool), (1, 0), value=2)[0]


def test_not_a_number_is_copied_bit_by_bit(device):
    x = np.array([[0x7F800001, 0xFFC01234]], np.uint32).view(np.float32)
    np.testing.assert_array_equal(F.pad(x, (1, 1))[:, 1:-1].view(np.uint32), x.view(np.uint32))


def test_as_many_axes_as_there_can_be(device):
    x = np.arange(2.0**16).reshape((2,) * 16)
    assert F.pad(x, (-1, 0) * 16).item() == x[(1,) * 16]


def test_scalar_without_values(device):
    assert F.pad(np.float32(3).reshape(()), ()) == 3


X = np.zeros((2, 3, 8), np.float32)


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (ValueError, "pad: expected an even number of values", (X, (1,)), {}),
        (ValueError, "pad: expected at most two values for each of the 3 axes", (X, (1,) * 8), {}),
        (ValueError, "pad: expected at most two values for each of the 0 axes", (X[0, 0, 0], (1, 1)), {}),
        (ValueError, "no more to be taken away than an axis of 8 has", (X, (-4, -5)), {}),
        (ValueError, "no more to be taken away than an axis of 8 has", (X, (-9, 3)), {}),
        (ValueError, "values below the axis' extent, 8 here", (X, (8, 0)), {"mode": "reflect"}),
        (ValueError, "at least one of 8 elements", (X, (-4, -4)), {"mode": "reflect"}),
        (ValueError, "at least one of 8 elements", (X, (-4, -4)), {"mode": "replicate"}),
        (ValueError, "up to what an axis of 8 has left", (X, (9, 0)), {"mode": "circular"}),
        (ValueError, "up to what an axis of 8 has left", (X, (-2, 7)), {"mode": "circular"}),
        (ValueError, "fit into 63 bits", (X, (2**62, 2**62)), {}),
        (ValueError, "2, 4 or 6 values with mode 'reflect'", (X, ()), {"mode": "reflect"}),
        (ValueError, "input: expected 3 or 4 axes", (X[0], (1,) * 4), {"mode": "replicate"}),
        (ValueError, "input: expected 2 or 3 axes", (X[None], (1, 1)), {"mode": "circular"}),
        (ValueError, "no empty axis but the batch", (X[:, :0], (1, 1)), {"mode": "reflect"}),
        (ValueError, "mode: expected 'constant', 'reflect'", (X, (1, 1)), {"mode": "edge"}),
        (
            ValueError,
            "value: expected None with mode 'reflect'",
            (X, (1, 1)),
            {"mode": "reflect", "value": 1.0},
        ),
        (ValueError, "value: expected one that float32 can hold", (X, (1, 1)), {"value": 1e300}),
        (ValueError, "value: expected one that uint8 can hold", (X.astype(np.uint8), (1, 1)), {"value": -1}),
        (ValueError, "value: expected one that int64 can hold", (X.astype(int), (1, 1)), {"value": 2**63}),
        (TypeError, "value: expected a number or None, got str", (X, (1, 1)), {"value": "0"}),
        (TypeError, "pad: expected a sequence of ints", (X, (1.0, 1)), {}),
        (TypeError, "pad: expected a sequence of ints", (X, 1), {}),
        (TypeError, "input: expected float32", (X.astype(np.complex64), (1, 1)), {}),
    ],
)
def test_bad_input(error, message, arguments, options):
    with pytest.raises(error, match=message):
        F.pad(*arguments, **options)


def test_bad_gradient():
    with pytest.raises(
        ValueError, match=r"grad_output: expected \(2, 3, 10\) for input of shape \(2, 3, 8\)"
    ):
        F.pad_backward(X, X.shape, (1, 1))
    with pytest.raises(TypeError, match="grad_output: expected float32 or float64, got int64"):
        F.pad_backward(np.zeros((2, 3, 10), np.int64), X.shape, (1, 1))
    with pytest.raises(ValueError, match="input_size: expected at least 0"):
        F.pad_backward(X, (2, 3, -1), (1, 1))


KINDS = {"ReflectionPad": "reflect", "ReplicationPad": "replicate", "CircularPad": "circular"}


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_layers(axes):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5, 6)[: 2 + axes])
    sides = (1, 2, 3, 0, 2, 1)[: 2 * axes]
    for kind, mode in KINDS.items():
        layer = getattr(fastdl.nn, f"{kind}{axes}d")(sides)
        np.testing.assert_array_equal(layer(x), F.pad(x, sides, mode))
        assert repr(layer) == f"{kind}{axes}d({sides})"
    zero = getattr(fastdl.nn, f"ZeroPad{axes}d")(2)
    np.testing.assert_array_equal(zero(x), F.pad(x, (2,) * 2 * axes))
    assert repr(zero) == f"ZeroPad{axes}d({(2,) * 2 * axes})"
    constant = getattr(fastdl.nn, f"ConstantPad{axes}d")(sides, value=1.5)
    np.testing.assert_array_equal(constant(x), F.pad(x, sides, value=1.5))
    assert repr(constant) == f"ConstantPad{axes}d(padding={sides}, value=1.5)"


def test_bad_layers():
    with pytest.raises(ValueError, match=r"\[ZeroPad2d\] padding: expected an int or 4"):
        fastdl.nn.ZeroPad2d((1, 2))
    with pytest.raises(TypeError, match=r"\[ReflectionPad1d\] padding: expected an int or 2"):
        fastdl.nn.ReflectionPad1d(1.5)


@pytest.mark.parametrize(
    ("pad", "mode"),
    [
        ((1, 2), "constant"),
        ((1, 2, 0, 1), "constant"),
        ((1, -1, 2, 1, 0, 1), "constant"),
        ((0, 1, 1, 1, 1, -1, 2, 0), "constant"),
        ((1, 2, 1, 0), "reflect"),
        ((2, 1, 0, 1, 1, 2), "reflect"),
        ((1, -1, 3, 1), "replicate"),
        ((1, 2, 3, 0), "circular"),
    ],
)
def test_channels_last(pad, mode):
    x = np.random.default_rng(3).standard_normal((2, 3, 4, 5)).astype(np.float32)
    results = []
    for memory_format in (fastdl.contiguous_format, fastdl.channels_last):
        t = fastdl.tensor(x, requires_grad=True)
        y = fastdl.functional.pad(t.to(memory_format=memory_format), pad, mode)
        if mode != "circular":
            assert y.is_contiguous(memory_format=memory_format)
        weight = fastdl.arange(y.numel()).float().reshape(y.shape).to(memory_format=memory_format)
        (y * weight).sum().backward()
        results.append((y.data, t.grad.data))
    for found, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_refusals_tell_the_shape_that_was_given():
    x = fastdl.ones(2, 3, 4, 5).to(memory_format=fastdl.channels_last)
    with pytest.raises(
        ValueError, match=r"extent, 5 here, got \(5, 0, 1, 1\) for input of shape \(2, 3, 4, 5\)"
    ):
        fastdl.functional.pad(x, (5, 0, 1, 1), "reflect")
