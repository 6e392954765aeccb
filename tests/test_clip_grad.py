"""Gradient norms, clipping, and parameters as one vector."""

import math

import fastdl
import numpy as np
import pytest
from fastdl import nn
from fastdl.nn import utils

from tests import tolerances

SHAPES = [(4, 3), (), (7,), (0, 2), (2, 3, 5)]


def parameters(dtype=np.float32, scale=1.0):
    """Parameters with gradients, and one that has none."""
    rng = np.random.default_rng(0)
    params = [nn.Parameter(rng.standard_normal(shape).astype(dtype)) for shape in SHAPES]
    for param in params:
        param.grad = fastdl.tensor((scale * rng.standard_normal(param.shape)).astype(dtype))
    return [*params, nn.Parameter(np.ones(3, dtype))]


def gradients(params):
    return [param.grad.data.copy() for param in params if param.grad is not None]


def norm_of(arrays, order):
    flat = np.concatenate([array.reshape(-1) for array in arrays]).astype(np.float64)
    return np.linalg.norm(flat, order)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", [1, 2.0, 3.5, math.inf, 0])
def test_total_norm(order, dtype):
    arrays = gradients(parameters(dtype))
    total = utils.get_total_norm([fastdl.tensor(array) for array in arrays], order)
    assert total.dtype == dtype and total.shape == ()
    np.testing.assert_allclose(total.item(), norm_of(arrays, order), **tolerances.TOTAL_NORM[dtype])


def test_total_norm_of_integers_is_exact():
    assert utils.get_total_norm([fastdl.tensor([3.0, 0.0]), fastdl.tensor([[4.0]])]).item() == 5
    assert utils.get_total_norm(fastdl.tensor([-3.0, 2.0]), math.inf).item() == 3
    assert utils.get_total_norm([]).item() == 0


def test_squares_beyond_float32():
    assert utils.get_total_norm(fastdl.tensor(np.array([3e30, 4e30], np.float32))).item() == np.float32(5e30)


@pytest.mark.parametrize("order", [1, 2, math.inf])
def test_clip_norm_scales_all_alike(order):
    params = parameters()
    before = gradients(params)
    held = [param.grad for param in params]
    total = norm_of(before, order)
    returned = utils.clip_grad_norm_(params, 0.5, order)
    np.testing.assert_allclose(returned.item(), total, **tolerances.TOTAL_NORM[np.float32])
    for after, array in zip(gradients(params), before, strict=True):
        np.testing.assert_allclose(after, array * (0.5 / total), **tolerances.CLIPPED)
    assert all(param.grad is grad for param, grad in zip(params, held, strict=True))


def test_clip_norm_leaves_small_gradients():
    params = parameters()
    before = gradients(params)
    utils.clip_grad_norm_(iter(params), 1e3)
    for after, array in zip(gradients(params), before, strict=True):
        np.testing.assert_array_equal(after, array)


def test_clip_norm_takes_one_tensor():
    param = parameters()[0]
    utils.clip_grad_norm_(param, 1.0)
    np.testing.assert_allclose(np.linalg.norm(param.grad.data), 1.0, **tolerances.CLIPPED)


@pytest.mark.parametrize("bad", [math.inf, math.nan])
@pytest.mark.parametrize("order", [2, 1, math.inf])
def test_nonfinite(order, bad):
    params = parameters()
    params[2].grad.data[3] = bad
    before = gradients(params)
    with pytest.raises(RuntimeError, match="finite"):
        utils.clip_grad_norm_(params, 1.0, order, error_if_nonfinite=True)
    for after, array in zip(gradients(params), before, strict=True):
        np.testing.assert_array_equal(after, array)
    total = utils.clip_grad_norm_(params, 1.0, order).item()
    assert total == bad or (math.isnan(total) and math.isnan(bad))


def test_clip_value():
    params = parameters()
    before = gradients(params)
    utils.clip_grad_value_(params, 0.25)
    for after, array in zip(gradients(params), before, strict=True):
        np.testing.assert_array_equal(after, np.maximum(np.minimum(array, 0.25), -0.25))


def test_vector_and_back():
    params = parameters()
    vector = utils.parameters_to_vector(params)
    np.testing.assert_array_equal(vector.data, np.concatenate([param.data.reshape(-1) for param in params]))
    vector.sum().backward()
    np.testing.assert_array_equal(params[-1].grad.data, np.ones(3))
    doubled = vector.detach() * 2
    expected = [param.data * 2 for param in params]
    utils.vector_to_parameters(doubled, params)
    for param, array in zip(params, expected, strict=True):
        np.testing.assert_array_equal(param.data, array)
    with pytest.raises(ValueError, match=r"expected shape \(53,\), got \(52,\)"):
        utils.vector_to_parameters(doubled[1:], params)
    with pytest.raises(TypeError, match="expected a Tensor"):
        utils.vector_to_parameters([1.0], params)


@pytest.mark.parametrize("order", [1.0, 2.0, 2.5, math.inf])
def test_as_torch(order):
    torch = pytest.importorskip("torch")
    params = [
        param for param in parameters() if 0 not in param.shape
    ]  # of no elements torch takes no inf norm
    theirs = []
    for array in gradients(params):
        theirs.append(torch.zeros(array.shape, requires_grad=True))
        theirs[-1].grad = torch.from_numpy(array)
    total = torch.nn.utils.clip_grad_norm_(theirs, 0.7, order)
    ours = utils.clip_grad_norm_(params, 0.7, order)
    np.testing.assert_allclose(ours.item(), total.item(), **tolerances.TOTAL_NORM[np.float32])
    for after, other in zip(gradients(params), theirs, strict=True):
        np.testing.assert_allclose(after, other.grad.numpy(), **tolerances.CLIPPED)


def test_foreach_changes_nothing():
    parameter = fastdl.ones(4, requires_grad=True)
    parameter.sum().backward()
    assert nn.utils.clip_grad_norm_([parameter], 1.0, foreach=True).item() == 2
    nn.utils.clip_grad_value_([parameter], 0.25, foreach=False)
    assert parameter.grad.tolist() == [0.25] * 4
