"""linear against its reference, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import linear as reference

from tests import suite
from tests.cases import linear as cases

OP = "linear"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.linear, reference, case, dtype)


@pytest.mark.parametrize("case", cases.SHAPES, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_integers_are_exact(case, dtype, device):
    suite.check_integers_are_exact(F.linear, reference, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.SHAPES, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.linear, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, device):
    suite.check_threads(F.linear, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.linear, reference, case)


def test_no_input_features_leave_the_bias(device):
    bias = np.arange(3.0)
    y = F.linear(np.ones((2, 0)), np.ones((3, 0)), bias)
    np.testing.assert_array_equal(y, [bias, bias])
    y = F.linear(np.ones((1, 0)), np.ones((3, 0)), bias)
    np.testing.assert_array_equal(y, [bias])


def test_not_finite(device):
    """A NaN or an infinity stays in its row or column, and padding of the tiles brings none of its own."""
    x, w = np.ones((7, 5), np.float32), np.ones((9, 5), np.float32)
    x[2, 3], w[4, 1] = np.inf, np.nan
    want = np.full((7, 9), 5.0)
    want[2], want[:, 4] = np.inf, np.nan
    np.testing.assert_array_equal(F.linear(x, w), want)


X, W = np.zeros((2, 3, 4), np.float32), np.zeros((5, 4), np.float32)


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (
            ValueError,
            r"weight: expected \(out_features, 4\) or \(4,\) for input .*got \(5, 3\)",
            (X, W[:, :3]),
        ),
        (ValueError, r"weight: expected \(out_features, 4\)", (X, W[None])),
        (ValueError, r"weight: expected \(out_features, 4\)", (X, W[0, 0].reshape(()))),
        (ValueError, r"input: expected \(\*, in_features\), got \(\)", (X[0, 0, 0].reshape(()), W)),
        (ValueError, r"bias: expected \(5,\) for weight of shape \(5, 4\), got \(4,\)", (X, W, W[0])),
        (ValueError, r"bias: expected \(\) for weight of shape \(4,\), got \(1,\)", (X, W[0], W[0, :1])),
        (TypeError, "weight: expected float32", (X, W.astype(np.float64))),
        (TypeError, "bias: expected float32", (X, W, np.zeros(5))),
        (TypeError, "input: expected float32, float64 or bfloat16, got int64", (X.astype(np.int64), W)),
    ],
)
def test_bad_input(error, message, arguments):
    with pytest.raises(error, match=message):
        F.linear(*arguments)


def test_bad_gradient():
    with pytest.raises(ValueError, match=r"grad_output: expected \(2, 3, 5\), got \(2, 3, 4\)"):
        F.linear_backward(X, X, W)


def test_backward_on_arrays_gives_what_was_asked_for():
    grad = np.ones((2, 3, 5), np.float32)
    grads = F.linear_backward(grad, X, W, output_mask=(False, False, True))
    assert grads[0] is None and grads[1] is None
    np.testing.assert_array_equal(grads[2], np.full(5, 6))


def test_layer():
    layer = fastdl.nn.Linear(4, 5)
    x = fastdl.tensor(np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32))
    want = F.linear(x.numpy(), layer.weight.detach().numpy(), layer.bias.detach().numpy())
    np.testing.assert_array_equal(layer(x).detach().numpy(), want)
    assert repr(layer) == "Linear(in_features=4, out_features=5, bias=True)"
    assert repr(fastdl.nn.Linear(4, 5, bias=False)) == "Linear(in_features=4, out_features=5, bias=False)"
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert fastdl.nn.Linear(4, 5, dtype=fastdl.float64).weight.dtype == np.float64


def test_layer_initialisation():
    fastdl.manual_seed(0)
    layer = fastdl.nn.Linear(16, 2000)
    for parameter in (layer.weight, layer.bias):
        values = np.abs(parameter.detach().numpy())
        assert values.max() <= 0.25 and values.max() > 0.24


def test_layer_without_inputs():
    assert not fastdl.nn.Linear(0, 3).bias.detach().numpy().any()


@pytest.mark.parametrize("sizes", [(-1, 3), (3, -1)])
def test_layer_bad_sizes(sizes):
    with pytest.raises(ValueError, match="features: expected at least 0, got -1"):
        fastdl.nn.Linear(*sizes)


@pytest.mark.parametrize("case", [case for case in cases.SHAPES if case.operands["weight"][1:]], ids=str)
def test_torch(case):
    torch = pytest.importorskip("torch")
    arrays = case.arrays(np.float64, integers=True)
    ours = {name: fastdl.tensor(array, requires_grad=True) for name, array in arrays.items()}
    theirs = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    got, want = F.linear(**ours), torch.nn.functional.linear(**theirs)
    np.testing.assert_array_equal(got.detach().numpy(), want.detach().numpy())
    (got * got).sum().backward()
    (want * want).sum().backward()
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(ours[name].grad.numpy(), tensor.grad.numpy())
