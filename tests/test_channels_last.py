"""Ops that take channels_last images: they give back what they get for contiguous ones, in the format that PyTorch
gives, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import batch_norm as batch_norm_reference

from tests import tolerances

POOLING = [
    ("max_pool2d", {"kernel_size": 2}),
    ("max_pool2d", {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("max_pool2d", {"kernel_size": 3, "stride": 1, "padding": 1, "dilation": 2, "ceil_mode": True}),
    ("max_pool2d", {"kernel_size": (6, 7), "stride": 1, "padding": (3, 3)}),
    ("avg_pool2d", {"kernel_size": 2}),
    ("avg_pool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    ("avg_pool2d", {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True}),
    ("adaptive_avg_pool2d", {"output_size": 1}),
    ("adaptive_avg_pool2d", {"output_size": (3, 4)}),
    ("adaptive_max_pool2d", {"output_size": 1}),
    ("adaptive_max_pool2d", {"output_size": (3, 4)}),
]
CONVOLUTIONS = [
    ("conv2d", (17, 0, 3, 3), {"padding": 1}),  # 0: as many channels as the image has
    ("conv2d", (40, 0, 1, 1), {}),
    ("conv2d", (6, 0, 3, 2), {"stride": (2, 1), "padding": 2, "dilation": (1, 2)}),
    ("conv_transpose2d", (0, 18, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ("conv_transpose2d", (0, 5, 2, 4), {"padding": 1}),
    ("conv2d", (0, 1, 3, 3), {"padding": 1, "groups": 0}),
    ("conv2d", (0, 1, 5, 3), {"stride": 2, "padding": 2, "groups": 0}),
    ("conv2d", (0, 1, 3, 7), {"dilation": (1, 2), "padding": (3, 6), "groups": 0}),
    ("conv_transpose2d", (0, 1, 3, 4), {"stride": 2, "padding": 1, "groups": 0}),
]
# Channels round the vector widths and over a chunk's; formats that the extents leave open; more chunks than threads.
SHAPES = [
    (2, 3, 7, 9),
    (2, 1, 6, 8),
    (1, 17, 8, 12),
    (3, 64, 7, 7),
    (2, 33, 5, 40),
    (1, 300, 9, 9),
    (4, 16, 70, 66),
]
ONE_PIXEL = [(2, 5, 1, 1), (2, 1, 1, 1), (1, 1, 1, 1)]


def channels_last(array):
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def some_channels(array):
    """In the order of channels_last, but not dense."""
    wide = np.repeat(channels_last(array).transpose(0, 2, 3, 1), 2, axis=3)
    return wide[..., : array.shape[1]].transpose(0, 3, 1, 2)


LAYOUTS = {"contiguous": np.ascontiguousarray, "channels_last": channels_last, "some_channels": some_channels}


def image(shape, dtype=np.float32, seed=0):
    """Small integers: sums are exact, and maxima tie."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)


def element_strides(array):
    return tuple(stride // array.itemsize for stride in array.strides)


def run(op, options, x, grad_layout):
    """Outputs and the gradient of the input, as arrays."""
    leaf = fastdl.from_numpy(x).requires_grad_()
    y = op(leaf, **options)
    grad = grad_layout(image(y.shape, x.dtype, seed=1))
    y.backward(fastdl.from_numpy(grad))
    return y.detach().numpy(), leaf.grad.numpy()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "options"), POOLING, ids=str)
def test_pooling(name, options, shape, dtype, device):
    op, x = getattr(F, name), image(shape, dtype)
    want, want_grad = run(op, options, x, np.ascontiguousarray)
    for grad_layout in (np.ascontiguousarray, channels_last):
        y, grad = run(op, options, channels_last(x), grad_layout)
        # sums of small integers are exact, sums of quotients are not
        bound = tolerances.TOLERANCES[f"same_formula_{np.dtype(dtype).name}"] if "avg" in name else 0
        assert tolerances.relative_error(y, want) <= bound
        assert tolerances.relative_error(grad, want_grad) <= bound
        assert fastdl.from_numpy(y).is_contiguous(memory_format=fastdl.channels_last)
        assert fastdl.from_numpy(grad).is_contiguous(memory_format=fastdl.channels_last)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "kernel", "options"), CONVOLUTIONS, ids=str)
def test_convolution(name, kernel, options, shape, dtype, isa):
    """Sums of small integers are exact in either format."""
    kernel = tuple(extent or shape[1] for extent in kernel)
    options = {key: value or shape[1] for key, value in options.items()}
    results = []
    for layout in (np.ascontiguousarray, channels_last):
        weight = fastdl.from_numpy(image(kernel, dtype, seed=2)).requires_grad_()
        bias = fastdl.from_numpy(
            image((kernel[0] if name == "conv2d" else kernel[1] * options.get("groups", 1),), dtype, seed=3)
        ).requires_grad_()
        x = fastdl.from_numpy(layout(image(shape, dtype))).requires_grad_()
        y = getattr(F, name)(x, weight, bias, **options)
        y.backward(fastdl.from_numpy(layout(image(y.shape, dtype, seed=1))))
        results.append([y.detach().numpy(), x.grad.numpy(), weight.grad.numpy(), bias.grad.numpy()])
        if layout is channels_last and shape[1] > 1:
            assert y.is_contiguous(memory_format=fastdl.channels_last)
            assert x.grad.is_contiguous(memory_format=fastdl.channels_last)
    for found, want in zip(*results, strict=True):
        np.testing.assert_array_equal(found, want)


def test_convolution_with_a_channels_last_weight():
    x, weight = image((2, 3, 7, 9)), channels_last(image((8, 3, 3, 3), seed=1))
    y = F.conv2d(x, weight)
    assert fastdl.from_numpy(y).is_contiguous(memory_format=fastdl.channels_last)
    np.testing.assert_array_equal(y, F.conv2d(x, np.ascontiguousarray(weight)))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("name", "options"), [case for case in POOLING if "max" in case[0]], ids=str)
def test_indices(name, options, shape, device):
    op, x = getattr(F, name), image(shape)
    x[np.random.default_rng(2).random(shape) < 0.05] = np.nan
    want, want_indices = op(x, **options, return_indices=True)
    y, indices = op(channels_last(x), **options, return_indices=True)
    np.testing.assert_array_equal(y, want)
    np.testing.assert_array_equal(indices, want_indices)
    assert element_strides(indices) == element_strides(y)
    sizes = {"dilation", "ceil_mode", "stride", "padding", "kernel_size", "output_size"}
    backward = getattr(F, f"{name}_backward")
    grad = image(y.shape, seed=1)
    arguments = {key: value for key, value in options.items() if key in sizes}
    want_grad = backward(grad, want_indices, shape, **arguments)
    found = backward(channels_last(grad), indices, shape, **arguments)
    np.testing.assert_array_equal(found, want_grad)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_norm(shape, training, device):
    rng = np.random.default_rng(0)
    x, weight, bias = rng.standard_normal(shape), rng.standard_normal(shape[1]), rng.standard_normal(shape[1])
    options = {"training": training}
    if not training:
        options |= {"running_mean": rng.standard_normal(shape[1]), "running_var": rng.random(shape[1]) + 0.5}
    grad = rng.standard_normal(shape)

    def reference(dtype):
        arrays = {"input": x, "weight": weight, "bias": bias} | {
            key: value for key, value in options.items() if key != "training"
        }
        # in every dtype the same numbers
        arrays = {key: value.astype(np.float32).astype(dtype) for key, value in arrays.items()}
        y = batch_norm_reference.forward(**arrays, training=training)
        return y, batch_norm_reference.backward(
            grad.astype(np.float32).astype(dtype), **arrays, training=training
        )

    exact, exact_grads = reference(np.float64)
    naive, naive_grads = reference(np.float32)
    leaves = {key: fastdl.from_numpy(a.astype(np.float32)) for key, a in (("weight", weight), ("bias", bias))}
    leaves["input"] = fastdl.from_numpy(channels_last(x.astype(np.float32)))
    for leaf in leaves.values():
        leaf.requires_grad_()
    statistics = {
        key: options[key].astype(np.float32) if key in options else None
        for key in ("running_mean", "running_var")
    }
    y = F.batch_norm(**leaves, **statistics, training=training)
    y.backward(fastdl.from_numpy(np.ascontiguousarray(grad.astype(np.float32))))
    tolerances.assert_accurate(y.detach().numpy(), exact, naive, np.float32, "output")
    for key, leaf in leaves.items():
        found = leaf.grad.numpy()
        tolerances.assert_accurate(found, exact_grads[key], naive_grads[key], np.float32, key)
    assert y.is_contiguous(memory_format=fastdl.channels_last)
    assert leaves["input"].grad.is_contiguous(memory_format=fastdl.channels_last)


def test_threads(isa):
    x = channels_last(np.random.default_rng(0).standard_normal((3, 96, 40, 40)).astype(np.float32))
    before = fastdl.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 5):
            fastdl.set_num_threads(threads)
            found = [run(getattr(F, name), options, x, channels_last) for name, options in POOLING]
            found.append(
                run(
                    F.batch_norm,
                    {"running_mean": None, "running_var": None, "training": True},
                    x,
                    channels_last,
                )
            )
            results.append(found)
    finally:
        fastdl.set_num_threads(before)
    for other in results[1:]:
        for ours, theirs in zip(results[0], other, strict=True):
            for a, b in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES[:2] + ONE_PIXEL, ids=str)
@pytest.mark.parametrize(
    ("name", "options"),
    [case for case in POOLING if case[1].get("kernel_size") in (None, 3)]
    + [("batch_norm", {"running_mean": None, "running_var": None, "training": True})],
    ids=str,
)
def test_strides_are_those_of_torch(name, options, shape, layout):
    torch = pytest.importorskip("torch")
    x = LAYOUTS[layout](image(shape))
    if name == "batch_norm" and x.size == x.shape[1]:
        pytest.skip("one value per channel")
    theirs = torch.from_numpy(x).requires_grad_()
    try:
        want = getattr(torch.nn.functional, name)(theirs, **options)
    except RuntimeError:
        pytest.skip("the window does not fit")
    want.sum().backward()
    leaf = fastdl.from_numpy(x).requires_grad_()
    y = getattr(F, name)(leaf, **options)
    y.sum().backward()
    assert element_strides(y.detach().numpy()) == want.stride()
    if layout != "some_channels":  # PyTorch keeps the gradient of a leaf that is not dense in C order
        assert element_strides(leaf.grad.numpy()) == theirs.grad.stride()
