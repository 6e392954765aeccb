"""Ops that apply an activation to their own results: the bits, and the gradients' bits, of the two apart."""

import copy
import functools
import pickle

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl import nn
from fastdl.reference import activation as formulas
from fastdl.reference import conv2d as conv2d_reference

from tests import suite, tolerances
from tests.cases import batch_norm, conv2d, conv_transpose2d, linear
from tests.gradients import check_gradients
from tests.test_channels_last import channels_last
from tests.test_float32_precision import CASES as HIGH_PRECISION

OP = "conv2d"  # whose CUDA kernels `device` runs too

SLOPES = {"leaky_relu": 0.125}
ACTIVATIONS = ("relu", "leaky_relu", "sigmoid", "tanh")
OPS = {"linear": linear, "conv2d": conv2d, "conv_transpose2d": conv_transpose2d, "batch_norm": batch_norm}
# All but the one whose backward takes seconds and no other kernel.
ALL = [(op, case) for op, module in OPS.items() for case in module.ALL if case.name != "stride_over_image"]
IMAGES = [(op, case) for op, case in ALL if len(case.operands["input"]) == 4]
THREADED = [(op, module.THREADED[0]) for op, module in OPS.items()]


def ids(pairs):
    return [f"{op}-{case}" for op, case in pairs]


def options_of(activation):
    return {"activation": activation, "negative_slope": SLOPES.get(activation, 0.01)}


def fused(op, activation):
    return functools.partial(getattr(F, op), **options_of(activation))


def apart(op, activation):
    slope = {"negative_slope": SLOPES[activation]} if activation in SLOPES else {}
    return lambda *args, **options: getattr(F, activation)(getattr(F, op)(*args, **options), **slope)


def assert_same_bits(got, want):
    """Zeros of one sign, and memory in one order; NaNs count as equal."""
    assert got.dtype == want.dtype and got.strides == want.strides
    np.testing.assert_array_equal(got, want)
    numbers = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got[numbers]), np.signbit(want[numbers]))


def check(op, arrays, options):
    statistics = {name: array for name, array in arrays.items() if name.startswith("running")}
    arrays = {name: array for name, array in arrays.items() if name not in statistics}
    options = {**options, **statistics}  # no gradients for these
    grads = np.asarray(getattr(F, op)(**arrays, **options))
    grads = np.random.default_rng(0).standard_normal(grads.shape).astype(grads.dtype)
    for activation in ACTIVATIONS:
        want, want_grads = suite.run_op(apart(op, activation), arrays, options, grads)
        got, got_grads = suite.run_op(fused(op, activation), arrays, options, grads)
        assert_same_bits(got[0], want[0])
        assert got_grads.keys() == want_grads.keys()
        for name, grad in want_grads.items():
            assert_same_bits(got_grads[name], grad)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize(("op", "case"), ALL, ids=ids(ALL))
def test_bits(op, case, dtype, isa):
    check(op, case.arrays(dtype), case.options)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize(("op", "case"), IMAGES, ids=ids(IMAGES))
def test_channels_last(op, case, dtype, isa):
    arrays = case.arrays(dtype)
    check(op, {**arrays, "input": channels_last(arrays["input"])}, case.options)


@pytest.mark.parametrize("case", [*HIGH_PRECISION, conv2d.LARGE_KERNELS[0]], ids=str)
@pytest.mark.parametrize("precision", ["high", "highest"])
def test_float32_precision(precision, case, isa):
    fastdl.set_float32_precision(precision)
    try:
        check("conv2d", case.arrays(np.float32), case.options)
    finally:
        fastdl.set_float32_precision("highest")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("op", "case"), THREADED, ids=ids(THREADED))
def test_threads(op, case, activation, isa):
    suite.check_threads(fused(op, activation), case, np.float32)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.0])
@pytest.mark.parametrize("op", OPS)
def test_not_finite(op, value, isa):
    for case in OPS[op].ALL[:3]:
        arrays = case.arrays(np.float32)
        arrays["input"][(0,) * arrays["input"].ndim] = value
        for operand in arrays:
            if value == 0:  # sums that are a zero with a sign
                arrays[operand] = np.full_like(arrays[operand], -0.0 if operand == "bias" else 0.0)
        check(op, arrays, case.options)


@pytest.mark.parametrize("op", OPS)
def test_empty(op, isa):
    for case in OPS[op].EMPTY:
        check(op, case.arrays(np.float32), case.options)


@pytest.mark.parametrize("op", ["conv2d", "conv_transpose2d"])
def test_unbatched(op, isa):
    arrays = OPS[op].PARAMETERS[0].arrays(np.float32)
    check(op, {**arrays, "input": arrays["input"][0]}, {})


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("op", OPS)
def test_finite_differences(op, activation):
    case = OPS[op].ALL[0]
    names, arrays = zip(*case.arrays(np.float64).items(), strict=True)
    function = fused(op, activation)
    check_gradients(
        lambda *tensors: function(**dict(zip(names, tensors, strict=True)), **case.options), arrays
    )


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_reference(activation, dtype, device):
    """What the bits are equal to may be as wrong; and the CUDA kernels have formulas of their own."""
    formula = getattr(formulas, activation).forward
    slope = {"negative_slope": SLOPES[activation]} if activation in SLOPES else {}
    for case in conv2d.PARAMETERS[:8]:
        arrays = case.arrays(dtype)
        y = F.conv2d(**arrays, **case.options, **options_of(activation))
        exact, naive = (
            formula(
                conv2d_reference.forward(
                    **{name: array.astype(as_type) for name, array in arrays.items()}, **case.options
                ),
                **slope,
            )
            for as_type in (suite.exact_type(dtype), dtype)
        )
        tolerances.assert_accurate(y, exact, naive, dtype, str(case))


@pytest.mark.parametrize("op", OPS)
def test_bad_arguments(op):
    case = OPS[op].ALL[0]
    call = functools.partial(getattr(F, op), **case.arrays(np.float32), **case.options)
    expected = r"activation: expected None or one of 'relu', 'leaky_relu', 'sigmoid', 'tanh', got"
    with pytest.raises(ValueError, match=rf"\[{op}\] {expected} 'gelu'"):
        call(activation="gelu")
    with pytest.raises(ValueError, match=rf"\[{op}\] {expected} \['relu'\]"):
        call(activation=["relu"])
    for slope in (-0.5, np.nan):
        with pytest.raises(ValueError, match=rf"\[{op}\] negative_slope: expected at least 0, got {slope}"):
            call(activation="leaky_relu", negative_slope=slope)
    with pytest.raises(TypeError, match=rf"\[{op}\] negative_slope: expected a number, got '1'"):
        call(activation="leaky_relu", negative_slope="1")
    with pytest.raises(TypeError, match="positional argument"):
        getattr(F, op)(*range(11))


@pytest.mark.parametrize("op", ["linear", "conv2d"])
def test_bfloat16_has_none(op):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    case = OPS[op].ALL[0]
    with pytest.raises(
        TypeError, match=rf"\[{op}\] input of an activation: expected float32 or float64, got bfloat16"
    ):
        getattr(F, op)(**case.arrays(bfloat16), **case.options, activation="relu")


# ---- layers

LAYERS = {
    "Linear": (functools.partial(nn.Linear, 8, 6), (5, 8)),
    "Conv2d": (functools.partial(nn.Conv2d, 3, 5, 3, padding=1), (2, 3, 6, 7)),
    "Conv2d_reflect": (
        functools.partial(nn.Conv2d, 3, 5, 3, padding=1, padding_mode="reflect"),
        (2, 3, 6, 7),
    ),
    "ConvTranspose2d": (functools.partial(nn.ConvTranspose2d, 3, 5, 3, 2), (2, 3, 6, 7)),
    "BatchNorm1d": (functools.partial(nn.BatchNorm1d, 8), (5, 8)),
    "BatchNorm2d": (functools.partial(nn.BatchNorm2d, 3), (2, 3, 6, 7)),
    "BatchNorm3d": (functools.partial(nn.BatchNorm3d, 3), (2, 3, 4, 3, 2)),
}
PLAIN = {
    "Linear": "Linear(in_features=8, out_features=6, bias=True",
    "Conv2d": "Conv2d(3, 5, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)",
    "ConvTranspose2d": "ConvTranspose2d(3, 5, kernel_size=(3, 3), stride=(2, 2)",
    "BatchNorm2d": "BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True",
}


def draw(shape):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, activation):
    make, shape = LAYERS[name]
    plain, layer = make(), make(**options_of(activation))
    assert list(plain.state_dict()) == list(layer.state_dict())
    layer.load_state_dict(plain.state_dict())
    slope = (SLOPES[activation],) if activation in SLOPES else ()
    for training in (True, False):
        plain.train(training), layer.train(training)
        want = getattr(F, activation)(plain(fastdl.tensor(draw(shape))), *slope)
        assert_same_bits(layer(fastdl.tensor(draw(shape))).detach().numpy(), want.detach().numpy())
    for one, other in zip(plain.buffers(), layer.buffers(), strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    if name in PLAIN:
        assert repr(plain) == PLAIN[name] + ")"
        slope = ", negative_slope=0.125" if activation == "leaky_relu" else ""
        assert repr(layer) == f"{PLAIN[name]}, activation={activation}{slope})"


@pytest.mark.parametrize("name", LAYERS)
def test_layer_bad_arguments(name):
    make, _ = LAYERS[name]
    kind = name.partition("_")[0]
    with pytest.raises(ValueError, match=rf"\[{kind}\] activation: expected None or one of .*, got 'swish'"):
        make(activation="swish")
    with pytest.raises(ValueError, match=rf"\[{kind}\] negative_slope: expected at least 0, got -1"):
        make(activation="leaky_relu", negative_slope=-1)


def test_output_size():
    layer = nn.ConvTranspose2d(2, 3, 3, stride=2, activation="relu")
    y = layer(draw((1, 2, 4, 4)), output_size=(10, 9))
    assert y.shape == (1, 3, 10, 9) and y.detach().numpy().min() == 0


def test_copies_keep_the_activation():
    layer = nn.Linear(4, 3, activation="tanh")
    x = draw((2, 4))
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(other(x).detach().numpy(), layer(x).detach().numpy())
    older = nn.Linear(4, 3)
    del older.__dict__["_activation"]  # as it was pickled before there were any
    assert older(x).shape == (2, 3)


def test_a_derived_layer_may_call_a_module_activation():
    class Block(nn.Linear):
        def __init__(self):
            super().__init__(4, 3)
            self.activation = nn.Tanh()

        def forward(self, input):
            return self.activation(super().forward(input))

    block = Block()
    assert np.abs(block(100 * draw((2, 4))).detach().numpy()).max() <= 1
    assert list(block._modules) == ["activation"]
