"""mse_loss against its reference, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import mse_loss as reference

from tests import suite
from tests.cases import mse_loss as cases

OP = "mse_loss"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.mse_loss, reference, case, dtype)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.mse_loss, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, isa):
    suite.check_threads(F.mse_loss, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.mse_loss, reference, case)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_torch(case):
    suite.check_torch(F.mse_loss, "mse_loss", case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", [c for c in cases.ALL if c.options.get("reduction") == "none"], ids=str)
def test_integers_are_exact(case, dtype, device):
    suite.check_integers_are_exact(F.mse_loss, reference, case, dtype)


def test_mean_of_nothing_is_nan(device):
    assert np.isnan(F.mse_loss(np.zeros((0, 3)), np.zeros((0, 3))))


BROADCAST = [((4, 3), (3,)), ((4, 1), (1, 3)), ((4,), (4, 1)), ((), (2, 2)), ((2, 3), (1, 2, 3))]


@pytest.mark.parametrize("reduction", cases.REDUCTIONS)
@pytest.mark.parametrize(("shape", "target_shape"), BROADCAST)
def test_shapes_that_differ_are_broadcast_with_a_warning(shape, target_shape, reduction, device):
    rng = np.random.default_rng(0)
    arrays = {"input": rng.standard_normal(shape), "target": rng.standard_normal(target_shape)}
    with pytest.warns(UserWarning, match="is broadcast with input of shape"):
        (loss,), grads = suite.run_op(F.mse_loss, arrays, {"reduction": reduction})
    expanded = dict(zip(arrays, np.broadcast_arrays(*arrays.values()), strict=True))
    (want,), _ = suite.run_op(F.mse_loss, expanded, {"reduction": reduction})
    np.testing.assert_array_equal(loss, want)
    g = np.asarray(rng.standard_normal(loss.shape))
    with pytest.warns(UserWarning):
        _, grads = suite.run_op(F.mse_loss, arrays, {"reduction": reduction}, g)
    for name, grad in reference.backward(g, **expanded, reduction=reduction).items():
        lead = grad.ndim - arrays[name].ndim
        axes = tuple(a for a in range(grad.ndim) if a < lead or arrays[name].shape[a - lead] != grad.shape[a])
        summed = grad.sum(axis=axes).reshape(arrays[name].shape)
        assert suite.tolerances.relative_error(grads[name], summed) < suite.tolerances.EPS64 * 16


@pytest.mark.parametrize("reduction", cases.REDUCTIONS)
def test_weight_against_torch(reduction, device):
    """Which is differentiable too, and whose sum divides the mean."""
    torch = pytest.importorskip("torch")
    if "weight" not in torch.nn.functional.mse_loss.__code__.co_varnames:
        pytest.skip("this PyTorch has no weight argument")
    rng = np.random.default_rng(0)
    arrays = {name: rng.standard_normal((4, 3)) for name in ("input", "target", "weight")}
    theirs = {name: torch.from_numpy(a).requires_grad_() for name, a in arrays.items()}
    want = torch.nn.functional.mse_loss(**theirs, reduction=reduction)
    g = np.asarray(rng.standard_normal(want.shape))
    want.backward(torch.from_numpy(g))
    (loss,), grads = suite.run_op(F.mse_loss, arrays, {"reduction": reduction}, g)
    bound = suite.tolerances.TOLERANCES["same_formula_float64"]
    assert suite.tolerances.relative_error(loss, want.detach().numpy()) <= bound
    for name, tensor in theirs.items():
        assert suite.tolerances.relative_error(grads[name], tensor.grad.numpy()) <= bound, name


X = np.zeros((4, 3), np.float32)


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (ValueError, r"target: expected a shape that broadcasts with \(4, 3\), got \(4,\)", (X, X[:, 0]), {}),
        (ValueError, "reduction: expected 'none', 'mean' or 'sum', got 'avg'", (X, X), {"reduction": "avg"}),
        (ValueError, "reduction: expected 'none'", (X, X), {"reduction": "avg", "weight": X}),
        (ValueError, r"weight: expected \(4, 3\), the shape of input, got \(3,\)", (X, X), {"weight": X[0]}),
        (TypeError, "weight: expected float32", (X, X), {"weight": X.astype(np.float64)}),
        (TypeError, "target: expected float32", (X, X.astype(np.float64)), {}),
        (TypeError, "input: expected float32 or float64", (X.astype(np.int64), X), {}),
        (TypeError, "target: expected an array, got list", (X, [1.0]), {}),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_bad_input(error, message, arguments, options):
    with pytest.raises(error, match=message):
        F.mse_loss(*arguments, **options)


def test_backward_on_arrays(device):
    arrays = cases.OPTIONS[1].arrays(np.float64)
    found = F.mse_loss_backward(np.array(2.0), **arrays)
    for grad, want in zip(found, reference.backward(np.array(2.0), **arrays).values(), strict=True):
        assert (
            suite.tolerances.relative_error(grad, want) <= suite.tolerances.TOLERANCES["same_formula_float64"]
        )


def test_layer():
    layer = fastdl.nn.MSELoss(reduction="sum")
    assert layer(fastdl.tensor([1.0, 4.0]), fastdl.tensor([2.0, 2.0])).item() == 5
    assert repr(layer) == "MSELoss()"
    assert fastdl.nn.MSELoss(size_average=False).reduction == "sum"
