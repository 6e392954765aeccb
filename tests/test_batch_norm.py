"""batch_norm against its reference, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import batch_norm as reference

from tests import suite, tolerances
from tests.cases import batch_norm as cases

OP = "batch_norm"


def op(input, running_mean=None, running_var=None, **options):
    """The suite asks for the gradient of every floating operand; the statistics have none."""
    statistics = (s.detach() if isinstance(s, fastdl.Tensor) else s for s in (running_mean, running_var))
    return F.batch_norm(input, *statistics, **options)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(op, reference, case, dtype)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(op, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, device):
    suite.check_threads(op, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(op, reference, case)


@pytest.mark.parametrize("training", [True, False])
def test_nothing(training):
    nothing = np.empty(0)
    assert F.batch_norm(nothing, nothing, nothing, training=training).shape == (0,)


def test_two_values_are_exact(device):
    """Of -3 and 5 the mean is 1 and the deviation 4; eps is lost beside 16 in float32."""
    x = np.array([[-3, 5], [5, -3]], np.float32)
    np.testing.assert_array_equal(F.batch_norm(x, None, None, training=True, eps=1e-12), [[-1, 1], [1, -1]])


@pytest.mark.parametrize("shape", [(400, 3), (4, 3, 10, 10)], ids=str)
def test_far_from_zero(shape, device):
    """A mean of many deviations takes no digits from the variance, as the mean of squares would."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32) + np.float32(4096)
    exact = reference.forward(x.astype(np.float64), training=True)
    naive = reference.forward(x, training=True)
    tolerances.assert_accurate(F.batch_norm(x, None, None, training=True), exact, naive, np.float32, "output")


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5), (2, 3, 150, 70)], ids=str)
def test_running_statistics(shape, dtype, device):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    mean, variance = rng.standard_normal(3).astype(dtype), rng.random(3).astype(dtype)
    exact = reference.running_statistics(*(a.astype(np.float64) for a in (x, mean, variance)), 0.3)
    naive = reference.running_statistics(x, mean, variance, 0.3)
    F.batch_norm(x, mean, variance, training=True, momentum=0.3)
    for got, want, plain in zip((mean, variance), exact, naive, strict=True):
        assert got.dtype == dtype
        tolerances.assert_accurate(got, want, plain, dtype, "running statistics")


def test_running_statistics_stand_still(device):
    """... in evaluation, for an empty batch, and in a backward."""
    mean, variance = np.ones(2, np.float32), np.full(2, 3, np.float32)
    x = np.random.default_rng(0).standard_normal((4, 2)).astype(np.float32)
    F.batch_norm(x, mean, variance)
    F.batch_norm(x[:0], mean, variance, training=True)
    F.batch_norm_backward(x, x, mean, variance, training=True)
    np.testing.assert_array_equal(mean, 1)
    np.testing.assert_array_equal(variance, 3)


X, C, D = np.zeros((4, 3, 5), np.float32), np.ones(3, np.float32), np.ones(4, np.float32)
TRAINING = {"training": True}


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (ValueError, r"input: expected \(N, C\) or \(N, C, ...\), got \(4,\)", (X[:, 0, 0], C, C), {}),
        (ValueError, "running_mean: expected statistics where training is False", (X, None, None), {}),
        (ValueError, "expected both or neither", (X, C, None), {}),
        (ValueError, "expected both or neither", (X, None, C), TRAINING),
        (
            ValueError,
            r"running_mean: expected \(3,\) for input of shape \(4, 3, 5\), got \(4,\)",
            (X, D, C),
            {},
        ),
        (ValueError, r"running_var: expected \(3,\)", (X, C, D), TRAINING),
        (ValueError, r"weight: expected \(3,\)", (X, C, C, D), TRAINING),
        (ValueError, r"bias: expected \(3,\)", (X, C, C, C, D), TRAINING),
        (ValueError, "eps must be positive during training, but got 0", (X, C, C), {"eps": 0.0, **TRAINING}),
        (ValueError, "eps must be non-negative, but got -1", (X, C, C), {"eps": -1.0}),
        (ValueError, "eps must be", (X, C, C), {"eps": float("nan")}),
        (ValueError, r"more than 1 value per channel when training.*\(1, 3\)", (X[:1, :, 0], C, C), TRAINING),
        (ValueError, r"more than 1 value per channel", (X[:1, :, :1], C, C), TRAINING),
        (TypeError, "weight: expected float32", (X, C, C, np.ones(3)), {}),
        (TypeError, "running_var: expected float32", (X, C, np.ones(3)), TRAINING),
        (TypeError, "input: expected float32 or float64, got int64", (X.astype(np.int64), C, C), {}),
    ],
)
def test_bad_input(error, message, arguments, options):
    with pytest.raises(error, match=message):
        F.batch_norm(*arguments, **options)
    assert C.all() and (C == 1).all()


def test_statistics_that_cannot_be_changed():
    frozen = np.ones(3, np.float32)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="running_var: expected a writeable array"):
        F.batch_norm(X, np.ones(3, np.float32), frozen, training=True)
    assert F.batch_norm(X, frozen, frozen).shape == X.shape


def test_statistics_have_no_gradient():
    wants = fastdl.tensor(C, requires_grad=True)
    with pytest.raises(ValueError, match="running_mean, running_var: expected no requires_grad"):
        F.batch_norm(fastdl.tensor(X), wants, fastdl.tensor(C))


def test_bad_gradient():
    with pytest.raises(ValueError, match=r"grad_output: expected \(4, 3, 5\), got \(4, 3\)"):
        F.batch_norm_backward(X[:, :, 0], X, C, C)


def test_backward_on_arrays_gives_what_was_asked_for():
    grads = F.batch_norm_backward(X + 1, X, C, C, output_mask=(False, False, True))
    assert grads[0] is None and grads[1] is None
    np.testing.assert_array_equal(grads[2], 20)


def test_layer_used_twice_before_a_backward():
    """The second call changes the running statistics, which the first one's backward does not need."""
    layer = fastdl.nn.BatchNorm1d(3)
    x = fastdl.tensor(np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32), requires_grad=True)
    layer(layer(x)).sum().backward()
    layer.eval()
    y = layer(x)
    layer.train()
    layer(x)
    y.sum().backward()
    assert layer.num_batches_tracked.item() == 3


def test_a_change_of_the_statistics_is_noticed():
    """Where another operation saved them, its backward must not use the new values."""
    layer = fastdl.nn.BatchNorm1d(3)
    factor = fastdl.ones(3, requires_grad=True)
    product = factor * layer.running_mean
    layer(fastdl.tensor(X))
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        product.sum().backward()


def test_refused_batch_changes_nothing():
    layer = fastdl.nn.BatchNorm1d(3)
    for bad in (X[:1, :, 0], X[:, :2], X.astype(np.float64)):
        with pytest.raises((ValueError, TypeError)):
            layer(fastdl.tensor(bad))
    assert layer.num_batches_tracked.item() == 0
    assert not layer.running_mean.numpy().any()


def test_layer_repr_and_state():
    layer = fastdl.nn.BatchNorm2d(4, momentum=None)
    assert repr(layer) == (
        "BatchNorm2d(4, eps=1e-05, momentum=None, affine=True, bias=True, track_running_stats=True)"
    )
    assert list(layer.state_dict()) == [
        "weight", "bias", "running_mean", "running_var", "num_batches_tracked"
    ]  # fmt: skip
    assert layer.num_batches_tracked.dtype == np.int64
    assert list(fastdl.nn.BatchNorm2d(4, affine=False).state_dict()) == [
        "running_mean", "running_var", "num_batches_tracked"
    ]  # fmt: skip
    assert list(fastdl.nn.BatchNorm2d(4, track_running_stats=False, bias=False).state_dict()) == ["weight"]


@pytest.mark.parametrize(
    ("layer", "ndims"),
    [(fastdl.nn.BatchNorm1d, (2, 3)), (fastdl.nn.BatchNorm2d, (4,)), (fastdl.nn.BatchNorm3d, (5,))],
)
def test_layer_dimensions(layer, ndims):
    for ndim in range(1, 7):
        x = np.ones((2, 3, 2, 2, 2, 2)[:ndim], np.float32)
        if ndim in ndims:
            assert layer(3)(x).shape == x.shape
        else:
            with pytest.raises(ValueError, match=rf"input: expected .*\(got {ndim}D input\)"):
                layer(3)(x)


def test_layer_bad_size():
    with pytest.raises(ValueError, match="num_features: expected at least 0, got -1"):
        fastdl.nn.BatchNorm1d(-1)


OPTIONS = [
    {},
    {"momentum": 0.5},
    {"momentum": None},
    {"affine": False},
    {"track_running_stats": False},
    {"eps": 0.1},
    {"bias": False},
    {"momentum": 0.0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5)], ids=str)
def test_torch_layer(options, shape):
    """Three batches of training and one of evaluation, with PyTorch's state and PyTorch's results."""
    torch = pytest.importorskip("torch")
    try:
        theirs = torch.nn.BatchNorm1d(3, dtype=torch.float64, **options)
    except TypeError:
        pytest.skip("this PyTorch's layer has no argument bias")
    ours = fastdl.nn.BatchNorm1d(3, dtype=fastdl.float64, **options)
    rng = np.random.default_rng(0)
    for parameter in theirs.parameters():
        parameter.data.copy_(torch.tensor(rng.standard_normal(3)))
    ours.load_state_dict(theirs.state_dict())
    for training in (True, True, True, False):
        values = rng.standard_normal(shape)
        x, z = fastdl.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
        got, want = ours.train(training)(x), theirs.train(training)(z)
        (got * got * got).sum().backward()
        (want * want * want).sum().backward()
        pairs = [(got.detach(), want.detach()), (x.grad, z.grad)]
        pairs += [(ours.state_dict()[name], value) for name, value in theirs.state_dict().items()]
        pairs += [(ours.get_parameter(n).grad, p.grad) for n, p in theirs.named_parameters()]
        for mine, other in pairs:
            np.testing.assert_allclose(mine.numpy(), other.numpy(), **tolerances.NORMALISED)
    assert set(ours.state_dict()) == set(theirs.state_dict())


def test_torch_errors():
    torch = pytest.importorskip("torch")
    for shape, options in [((1, 3), {}), ((1, 3, 1), {}), ((4, 3), {"eps": 0.0}), ((2, 3, 4, 4), {})]:
        x = np.ones(shape, np.float32)
        with pytest.raises(ValueError):
            torch.nn.BatchNorm1d(3, **options)(torch.tensor(x))
        with pytest.raises(ValueError):
            fastdl.nn.BatchNorm1d(3, **options)(x)
