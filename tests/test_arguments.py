"""Arguments of the wrong kind: each call raises an error that names the op and the argument."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest

X = np.ones((2, 4, 8, 8), np.float32)
ROWS = np.ones((3, 4), np.float32)
CLASSES = np.zeros(3, np.int64)
GRADIENT = np.ones((), np.float32)
WEIGHTS = [np.ones(shape, np.float32) for shape in ((8, 4), (8, 2), (8,), (8,))]


def lstm(input=X[0, :, :, :4], hx=None, params=WEIGHTS, **changed):
    options = {
        "has_biases": True,
        "num_layers": 1,
        "dropout": 0.0,
        "train": False,
        "bidirectional": False,
        "batch_first": False,
    }
    return F.lstm(input, hx, params, **{**options, **changed})


def adam_step(**changed):
    arrays = {name: [np.ones(3)] for name in ("params", "grads", "exp_avgs", "exp_avg_sqs")}
    options = {"max_exp_avg_sqs": [], "steps": [1], "lr": 0.1, "beta1": 0.9, "beta2": 0.9, "eps": 1e-8}
    return F.adam_step(**{**arrays, **options, **changed})


def sgd_step(**changed):
    return F.sgd_step([ROWS.copy()], [ROWS], **{"momentum_buffers": [], "lr": 0.1, **changed})


NO_ARRAYS = [
    ("dropout", "input", lambda bad: F.dropout(bad)),
    ("dropout2d", "input", lambda bad: F.dropout2d(bad)),
    ("matmul", "input", lambda bad: F.matmul(bad, ROWS.T)),
    ("matmul", "other", lambda bad: F.matmul(ROWS, bad)),
    ("softmax", "input", lambda bad: F.softmax(bad, 1)),
    ("log_softmax", "input", lambda bad: F.log_softmax(bad)),
    ("softmax", "output", lambda bad: F.softmax_backward(ROWS, bad, 1)),
    ("conv2d", "weight", lambda bad: F.conv2d(X, bad)),
    ("conv2d", "weight", lambda bad: F.conv2d(X, bad, padding="same")),
    ("lstm", "input", lambda bad: lstm(bad)),
    ("lstm", "params", lambda bad: lstm(params=None)),
    (r"lstm", r"params\[1\]", lambda bad: lstm(params=[WEIGHTS[0], bad, *WEIGHTS[2:]])),
    ("lstm", "h_0", lambda bad: lstm(hx=(bad or 0, None))),
    ("mse_loss", "weight", lambda bad: F.mse_loss(ROWS, ROWS, weight=bad or 0)),
    ("bmm", "mat2", lambda bad: fastdl.bmm(X[0], bad)),
]


@pytest.mark.parametrize("bad", [[[1.0, 2.0]], None], ids=["list", "None"])
@pytest.mark.parametrize(("op", "argument", "call"), NO_ARRAYS)
def test_not_an_array(op, argument, call, bad):
    with pytest.raises(TypeError, match=rf"^\[{op}\] {argument}: expected an? (array|list of arrays), got "):
        call(bad)


INTEGERS = [
    ("groups", lambda bad: F.conv2d(X, X[:, :, :3, :3], groups=bad)),
    ("groups", lambda bad: F.conv_transpose2d(X, X[:, :, :3, :3], groups=bad)),
    ("dilation", lambda bad: F.conv2d(X, X[:, :, :3, :3], dilation=bad)),
    ("stride", lambda bad: F.conv2d(X, X[:, :, :3, :3], stride=(1, bad))),
    ("kernel_size", lambda bad: F.max_pool2d(X, bad)),
    ("divisor_override", lambda bad: F.avg_pool2d(X, 2, divisor_override=bad)),
    ("output_size", lambda bad: F.adaptive_avg_pool2d(X, (bad, None))),
    ("pad", lambda bad: F.pad(X, (1, bad))),
    ("ignore_index", lambda bad: F.cross_entropy(ROWS, CLASSES, ignore_index=bad)),
    ("ignore_index", lambda bad: F.nll_loss(ROWS, CLASSES, ignore_index=bad)),
    ("padding_idx", lambda bad: F.embedding(CLASSES, ROWS, padding_idx=bad)),
    ("dim", lambda bad: F.softmax(ROWS, bad)),
    ("dim", lambda bad: fastdl.sum(ROWS, (0, bad))),
    ("num_layers", lambda bad: lstm(num_layers=bad)),
    ("steps", lambda bad: adam_step(steps=[bad])),
    ("threads", lambda bad: fastdl.set_num_threads(bad)),
]


@pytest.mark.parametrize(("argument", "call"), INTEGERS)
def test_not_an_integer(argument, call):
    for bad in ("a", 1.5):
        with pytest.raises(TypeError, match=rf"^\[\w+\] {argument}: expected an? .*\bint.*, got {bad!r}"):
            call(bad)
    for bad in (2**63, 2**70, -(2**70)):
        with pytest.raises(ValueError, match=rf"^\[\w+\] {argument}: expected .* of 64 bits, got {bad}"):
            call(bad)


FLAGS = [
    ("ceil_mode", lambda bad: F.max_pool2d(X, 2, ceil_mode=bad)),
    ("return_indices", lambda bad: F.max_pool2d(X, 2, return_indices=bad)),
    ("return_indices", lambda bad: F.adaptive_max_pool2d(X, 2, return_indices=bad)),
    ("ceil_mode", lambda bad: F.avg_pool2d(X, 2, ceil_mode=bad)),
    ("count_include_pad", lambda bad: F.avg_pool2d(X, 2, count_include_pad=bad)),
    ("training", lambda bad: F.batch_norm(ROWS, None, None, training=bad)),
    ("scale_grad_by_freq", lambda bad: F.embedding(CLASSES, ROWS, scale_grad_by_freq=bad)),
    ("bidirectional", lambda bad: lstm(bidirectional=bad)),
    ("amsgrad", lambda bad: adam_step(amsgrad=bad)),
    (r"first_steps\[0\]", lambda bad: sgd_step(momentum=0.5, first_steps=[bad])),
]


@pytest.mark.parametrize(("argument", "call"), FLAGS)
def test_not_a_flag(argument, call):
    for bad in ("yes", 1, None):
        with pytest.raises(TypeError, match=rf"^\[\w+\] {argument}: expected a bool, got {bad!r}"):
            call(bad)


def test_flags_of_numpy():
    assert F.max_pool2d(X[..., :3], 2, ceil_mode=np.bool_(True)).shape == (2, 4, 4, 2)


NUMBERS = [
    ("label_smoothing", lambda bad: F.cross_entropy(ROWS, CLASSES, label_smoothing=bad)),
    ("negative_slope", lambda bad: F.leaky_relu(X, bad)),
    ("eps", lambda bad: F.batch_norm(ROWS, None, None, training=True, eps=bad)),
    ("p", lambda bad: F.dropout(X, bad)),
    ("dropout", lambda bad: lstm(dropout=bad)),
    ("lr", lambda bad: adam_step(lr=bad)),
    ("lr", lambda bad: sgd_step(lr=bad)),
]


@pytest.mark.parametrize(("argument", "call"), NUMBERS)
def test_not_a_number(argument, call):
    for bad in ("a", None, ROWS):
        with pytest.raises(TypeError, match=rf"^\[\w+\] {argument}: expected a number, got "):
            call(bad)


REDUCTIONS = [
    lambda bad: F.cross_entropy(ROWS, CLASSES, reduction=bad),
    lambda bad: F.cross_entropy_backward(GRADIENT, ROWS, CLASSES, reduction=bad),
    lambda bad: F.nll_loss(ROWS, CLASSES, reduction=bad),
    lambda bad: F.nll_loss_backward(GRADIENT, ROWS, CLASSES, reduction=bad),
    lambda bad: F.mse_loss(ROWS, ROWS, reduction=bad),
    lambda bad: F.mse_loss_backward(GRADIENT, ROWS, ROWS, bad),
    lambda bad: F.binary_cross_entropy(ROWS, ROWS, reduction=bad),
    lambda bad: F.binary_cross_entropy_backward(GRADIENT, ROWS, ROWS, reduction=bad),
    lambda bad: F.binary_cross_entropy_with_logits(ROWS, ROWS, reduction=bad),
    lambda bad: F.binary_cross_entropy_with_logits_backward(GRADIENT, ROWS, ROWS, reduction=bad),
]


@pytest.mark.parametrize("bad", [None, 1, "average"])
@pytest.mark.parametrize("call", REDUCTIONS)
def test_unknown_reductions(call, bad):
    with pytest.raises(ValueError, match=r"^\[\w+\] reduction: expected 'none', 'mean' or 'sum', got"):
        call(bad)


def test_dropout_of_one_layer_is_checked():
    with pytest.raises(ValueError, match=r"\[lstm\] dropout: expected a value in \[0, 1\], got 7.0"):
        lstm(dropout=7.0)


def test_more_threads_than_an_int_counts():
    with pytest.raises(ValueError, match=r"\[set_num_threads\] threads: expected at most 2147483647"):
        fastdl.set_num_threads(2**40)


@pytest.mark.parametrize("dtype", [np.float16, np.int8])
def test_dtypes_that_only_some_ops_take(dtype):
    x = X.astype(dtype)
    with pytest.raises(
        TypeError, match=rf"input: expected float32, float64 or bfloat16, got {np.dtype(dtype)}"
    ):
        F.conv2d(x, x)
    with pytest.raises(TypeError, match="input: expected float32, float64, int64, int32, uint8 or bool"):
        F.pad(x, (1, 1))


@pytest.mark.parametrize("step_size", [0, -1, 0.5])
def test_step_size_of_a_schedule(step_size):
    optimizer = fastdl.optim.SGD([fastdl.nn.Parameter(ROWS)], lr=0.1)
    with pytest.raises(ValueError, match=r"\[StepLR\] step_size: expected an int of at least 1"):
        fastdl.optim.lr_scheduler.StepLR(optimizer, step_size)
