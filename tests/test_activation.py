"""relu, leaky_relu, sigmoid and tanh against their references, on every device."""

from types import SimpleNamespace

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import activation as reference

from tests import suite, tolerances
from tests.cases import activation as cases

OP = "activation"
NAMES = ["relu", "leaky_relu", "sigmoid", "tanh"]
CALLS = [
    *((name, case) for name in NAMES for case in cases.ALL),
    *(("leaky_relu", case) for case in cases.SLOPES),
]
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-42, -1e-42, 1e30, -1e30, 100.0, -100.0]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize(("name", "case"), CALLS, ids=str)
def test_reference(name, case, dtype, device):
    suite.check_reference(getattr(F, name), getattr(reference, name), case, dtype)


@pytest.mark.parametrize(("name", "case"), CALLS, ids=str)
def test_finite_differences(name, case):
    suite.check_finite_differences(getattr(reference, name), case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize(
    ("name", "case"), [("relu", case) for case in cases.ALL] + [("leaky_relu", cases.SLOPES[0])], ids=str
)
def test_integers_are_exact(name, case, dtype, device):
    suite.check_integers_are_exact(getattr(F, name), getattr(reference, name), case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_layouts(name, case, dtype, device):
    suite.check_layouts(getattr(F, name), case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(name, case, dtype, device):
    suite.check_threads(getattr(F, name), case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(name, case, device):
    suite.check_empty(getattr(F, name), getattr(reference, name), case)


def test_order_in_memory_is_kept(name, device):
    """As in PyTorch: dense arrays keep their strides, others become dense with the axes in the same order."""
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 3)).astype(np.float32).transpose(0, 3, 1, 2)
    function = getattr(F, name)
    for view in (x, x.transpose(3, 1, 0, 2), x[:1]):
        tensor = fastdl.Tensor(view, requires_grad=True)
        y = function(tensor)
        assert y.data.strides == view.strides
        np.testing.assert_array_equal(y.data, function(np.ascontiguousarray(view)))
        y.backward(fastdl.tensor(np.ones(view.shape, np.float32)))
        assert tensor.grad.data.strides == view.strides
    assert function(x[:, ::2]).strides == np.empty((2, 4, 5, 2), np.float32).transpose(0, 3, 1, 2).strides


def test_gradient_in_another_order(name, device):
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((2, 3, 4, 5))
    backward = getattr(F, f"{name}_backward")
    want = backward(grad, x)
    for change in suite.LAYOUTS.values():
        np.testing.assert_array_equal(backward(change(grad), x), want)
    np.testing.assert_array_equal(
        backward(np.broadcast_to(grad[:1], x.shape), x)[1], backward(grad[:1], x[1:])[0]
    )


@pytest.mark.parametrize("layout", [None, *suite.LAYOUTS])
def test_in_place(name, layout, device):
    x = np.random.default_rng(0).standard_normal((5, 33)).astype(np.float32)
    want = getattr(F, name)(x)
    operand = suite.LAYOUTS[layout](x.copy()) if layout else x.copy()
    in_place = getattr(F, f"{name}_", None) or getattr(F.activation, f"{name}_")
    assert in_place(operand) is operand
    np.testing.assert_array_equal(operand, want)


@pytest.mark.parametrize("slope", [0.2, -0.2, 0.0])
def test_in_place_on_the_tape(slope, device):
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 7, 9))
    functions = [
        (lambda t, i: F.relu(t, inplace=i)),
        (lambda t, i: F.leaky_relu(t, slope, inplace=i)),
        (lambda t, i: t.sigmoid_() if i else t.sigmoid()),
        (lambda t, i: t.tanh_() if i else t.tanh()),
    ]
    for function in functions:
        gradients = []
        for in_place in (False, True):
            tensor = fastdl.tensor(x, requires_grad=True)
            hidden = tensor * 2
            memory = hidden.data
            y = function(hidden, in_place)
            assert (y is hidden) == in_place and (y.data is memory) == in_place
            y.backward(fastdl.tensor(grad))
            gradients.append(tensor.grad.numpy())
        np.testing.assert_array_equal(*gradients)


def test_in_place_changes_are_caught():
    x = fastdl.tensor([1.0, -2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        F.relu_(x)
    squared = x * x
    root = squared.sqrt()
    F.relu(root, inplace=True)  # which sqrt has kept for its own backward
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        root.sum().backward()
    y = F.relu(x * 1, inplace=True)
    y += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_special_values_as_torch(name, device):
    torch = pytest.importorskip("torch")
    for dtype in suite.FLOATS:
        x = np.tile(np.array(SPECIAL, dtype), 3)
        grad = np.linspace(-2, 2, x.size).astype(dtype)
        operand = torch.from_numpy(x.copy()).requires_grad_()
        want = getattr(torch.nn.functional, name)(operand)
        want.backward(torch.from_numpy(grad))
        (found,), grads = suite.run_op(getattr(F, name), {"input": x}, {}, grad)
        values, gradient = want.detach().numpy(), operand.grad.numpy()
        if name in ("relu", "leaky_relu"):  # not even the sign of a zero may differ
            np.testing.assert_array_equal(found, values)
            np.testing.assert_array_equal(np.signbit(found), np.signbit(values))
            np.testing.assert_array_equal(grads["input"], gradient)
        else:
            tolerances.assert_accurate(found, values, values, dtype, "values")
            tolerances.assert_accurate(grads["input"], gradient, gradient, dtype, "gradient")


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint8])
def test_integers(dtype):
    x = np.array([0, 1, 2, 3], dtype) - dtype(2 if np.dtype(dtype).kind == "i" else 0)
    y = F.relu(fastdl.tensor(x))
    assert y.dtype == dtype
    np.testing.assert_array_equal(y.numpy(), np.maximum(x, 0))
    for function in (F.sigmoid, F.tanh):
        np.testing.assert_array_equal(function(x), function(x.astype(np.float32)))
        assert function(x).dtype == np.float32
    changed = x.copy()
    assert F.relu_(changed) is changed
    np.testing.assert_array_equal(changed, np.maximum(x, 0))


READ_ONLY = np.zeros(3, np.float32)
READ_ONLY.flags.writeable = False
FOREIGN = SimpleNamespace(__array_interface__=np.zeros(3).__array_interface__)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (
            TypeError,
            r"\[relu\] input: expected float32 or float64, got bool",
            lambda: F.relu(np.array([True])),
        ),
        (TypeError, r"\[relu\] input: expected an array, got list", lambda: F.relu([1.0])),
        (TypeError, r"\[leaky_relu\] input: .* got int64", lambda: F.leaky_relu(np.arange(3))),
        (TypeError, r"\[tanh\] input: .* got int64", lambda: fastdl.tensor([1, 2]).tanh_()),
        (TypeError, r"\[sigmoid\] input: .*float16", lambda: F.sigmoid(np.ones(3, np.float16))),
        (
            TypeError,
            r"\[relu\] input: expected a NumPy array to change",
            lambda: F.relu_(FOREIGN),
        ),
        (ValueError, r"\[relu\] input: expected a writeable array", lambda: F.relu(READ_ONLY, inplace=True)),
        (
            ValueError,
            r"\[tanh\] grad_output: expected \(3,\), got \(2,\)",
            lambda: F.tanh_backward(READ_ONLY[:2], READ_ONLY),
        ),
        (
            TypeError,
            r"\[tanh\] grad_output: expected float32",
            lambda: F.tanh_backward(np.zeros(3), READ_ONLY),
        ),
    ],
)
def test_bad_input(error, message, call):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(
    ("layer", "text", "function"),
    [
        (fastdl.nn.ReLU(), "ReLU()", F.relu),
        (fastdl.nn.ReLU(inplace=True), "ReLU(inplace=True)", F.relu),
        (fastdl.nn.LeakyReLU(), "LeakyReLU(negative_slope=0.01)", F.leaky_relu),
        (
            fastdl.nn.LeakyReLU(0.2, True),
            "LeakyReLU(negative_slope=0.2, inplace=True)",
            lambda x: F.leaky_relu(x, 0.2),
        ),
        (fastdl.nn.Sigmoid(), "Sigmoid()", F.sigmoid),
        (fastdl.nn.Tanh(), "Tanh()", F.tanh),
    ],
)
def test_layers(layer, text, function):
    assert repr(layer) == text
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    want = function(x)
    np.testing.assert_array_equal(layer(fastdl.tensor(x)).numpy(), want)
