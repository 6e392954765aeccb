"""dropout against its reference, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl import _core
from fastdl.reference import _formula
from fastdl.reference import dropout as reference

from tests import suite, tolerances
from tests.cases import dropout as cases

OP = "dropout"
SEED = 0x0123_4567_89AB_CDEF

FORMULA = _formula.Formula(
    lambda input, p=0.5: reference.forward(input, SEED, 0, p),
    lambda grad_output, input, p=0.5: reference.backward(grad_output, input, SEED, 0, p),
)


def seeded(input, **options):
    """dropout's first draw after manual_seed(SEED)."""
    fastdl.manual_seed(SEED)
    return F.dropout(input, **options)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, (0, 0), [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        ([0xFFFFFFFF] * 4, (0xFFFFFFFF,) * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            (0xA4093822, 0x299F31D0),
            [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
        ),
    ],
)
def test_philox_known_answers(counter, key, words):
    """The vectors that its authors publish with Random123."""
    found = reference.philox4x32_10(np.array(counter, np.uint64)[:, None], key)
    np.testing.assert_array_equal(found[:, 0], words)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(seeded, FORMULA, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("size", [1, 64, 1000, 70001])
def test_mask_is_the_reference(size, dtype, device):
    """Bit by bit, and so the same at every ISA level; also where seed and offset fill 64 bits."""
    for seed, offset in [(0, 0), (SEED, 7), (2**64 - 1, 2**64 - 1), (1, 5 << 32)]:
        fastdl.set_rng_state(np.array([seed, offset], np.uint64))
        y = F.dropout(np.ones(size, dtype), 0.3)
        np.testing.assert_array_equal(y, reference.forward(np.ones(size, dtype), seed, offset, 0.3))


@pytest.mark.parametrize("case", cases.PROBABILITIES, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(FORMULA, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, device):
    suite.check_threads(seeded, case, dtype)


@pytest.mark.parametrize("layout", [name for name in suite.LAYOUTS if name != "fortran"])
def test_layouts(layout, device):
    x = np.random.default_rng(0).standard_normal((5, 33)).astype(np.float32)
    np.testing.assert_array_equal(seeded(suite.LAYOUTS[layout](x)), seeded(x))


def test_order_in_memory_is_kept(device):
    """Elements are counted as they lie in memory, in the gradient too, whatever order that comes in."""
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 3)).astype(np.float32)
    want = seeded(x).transpose(0, 3, 1, 2)
    tensor = fastdl.Tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    y = seeded(tensor)
    assert y.data.strides == tensor.data.strides
    np.testing.assert_array_equal(y.data, want)
    y.backward(fastdl.tensor(np.ones(y.shape, np.float32)))
    np.testing.assert_array_equal(tensor.grad.numpy() != 0, y.data != 0)


@pytest.mark.parametrize("p", [0.02, 0.5, 0.9])
def test_statistics(p, device):
    """The share that stays, between elements at any distance within a group of words and between calls."""
    n = 1 << 18
    fastdl.manual_seed(1)
    x = np.ones(n, np.float32)
    kept = [F.dropout(x, p) != 0 for _ in range(3)]
    pairs = [kept[0] & kept[1], kept[1] & kept[2]]
    pairs += [kept[0] & np.roll(kept[0], distance) for distance in (1, 2, 4, 8, 16, 32, 64, 128, 1024)]
    for sample, share in [*((k, 1 - p) for k in kept), *((pair, (1 - p) ** 2) for pair in pairs)]:
        # Neighbouring pairs share an element, which can add twice their covariance to the variance.
        variance = 3 * share * (1 - share) / n
        assert abs(sample.mean() - share) <= tolerances.STANDARD_ERRORS * np.sqrt(variance)
    assert F.dropout(x, p).max() == np.float32(1 / (1 - p))


def test_every_call_draws_anew_and_seeds_repeat():
    x = np.ones(100, np.float32)
    fastdl.manual_seed(3)
    first, second = F.dropout(x), F.dropout(x)
    fastdl.manual_seed(3)
    np.testing.assert_array_equal(F.dropout(x), first)
    fastdl.manual_seed(4)
    third = F.dropout(x)
    assert len({first.tobytes(), second.tobytes(), third.tobytes()}) == 3


@pytest.mark.parametrize("training", [True, False])
def test_nothing_to_do_returns_the_input(training):
    for input in (np.ones(3, np.float32), fastdl.ones(3), np.ones((0, 3)), np.ones(3, np.int64)):
        p = 0.5 if not training or input.shape[0] == 0 else 0.0
        state = fastdl.get_rng_state()
        assert F.dropout(input, p, training) is input
        assert F.dropout(input, p, training, inplace=True) is input
        np.testing.assert_array_equal(fastdl.get_rng_state(), state)


@pytest.mark.parametrize("dtype", suite.FLOATS)
def test_special_values(dtype, device):
    """Dropping multiplies by zero, as in PyTorch: of NaN and infinity NaN remains, and zeros keep their sign."""
    x = np.tile(np.array([np.nan, np.inf, -np.inf, -1.0, 0.0], dtype), 40)
    dropped = seeded(np.ones(x.size, dtype)) == 0
    y = seeded(x)
    with np.errstate(invalid="ignore"):
        want = x * np.where(dropped, dtype(0), dtype(2))
    np.testing.assert_array_equal(y, want)
    np.testing.assert_array_equal(np.signbit(y)[x == -1], True)
    np.testing.assert_array_equal(np.isnan(seeded(x, p=1.0)), ~np.isfinite(x))
    np.testing.assert_array_equal(seeded(x, p=1.0)[np.isfinite(x)], 0)


@pytest.mark.parametrize("layout", [None, "fortran", "spread"])
def test_in_place(layout, device):
    x = np.random.default_rng(0).standard_normal((5, 33))
    if layout:
        x = suite.LAYOUTS[layout](x)
    want = seeded(x)
    tensor = fastdl.tensor(np.zeros_like(x), requires_grad=True)
    hidden = tensor + fastdl.Tensor(x)
    memory = hidden.data
    y = seeded(hidden, inplace=True)
    assert y is hidden and y.data is memory
    y.backward(fastdl.tensor(np.ones(x.shape)))
    if hidden.data.strides == want.strides:
        np.testing.assert_array_equal(y.data, want)
    np.testing.assert_array_equal(tensor.grad.numpy(), np.where(y.data == 0, 0, 2))
    assert seeded(x, inplace=True) is x
    np.testing.assert_array_equal(x, want)


def test_gradient_is_the_same_again(device):
    """A second backward through a retained graph, and the array-level one, draw the same words."""
    x, grad = np.random.default_rng(0).standard_normal((2, 7, 19))
    fastdl.manual_seed(SEED)
    seed = fastdl.random.next_seed()
    tensor = fastdl.tensor(x, requires_grad=True)
    y = seeded(tensor, p=0.2)
    y.backward(fastdl.tensor(grad), retain_graph=True)
    first = tensor.grad.numpy().copy()
    y.backward(fastdl.tensor(grad))
    np.testing.assert_array_equal(tensor.grad.numpy(), 2 * first)
    np.testing.assert_array_equal(F.dropout_backward(grad, seed, 0.2), first)


@pytest.mark.parametrize("shape", [(3, 50, 4, 5), (3, 50, 7)])
@pytest.mark.parametrize("inplace", [False, True])
def test_dropout2d(shape, inplace, recwarn):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    tensor = fastdl.tensor(np.zeros(shape, np.float32), requires_grad=True)
    fastdl.manual_seed(SEED)
    hidden = tensor + fastdl.tensor(x)
    y = F.dropout2d(hidden, 0.4, inplace=inplace)
    assert (y is hidden) == inplace
    factors = reference.forward(np.ones(150, np.float32), SEED, 0, 0.4)
    factors = factors.reshape(3, 50, *(1,) * (len(shape) - 2))
    np.testing.assert_array_equal(y.data, x * factors)
    y.sum().backward()
    np.testing.assert_array_equal(tensor.grad.numpy(), np.broadcast_to(factors, shape))
    fastdl.manual_seed(SEED)
    found = F.dropout2d(x, 0.4, inplace=inplace)
    assert (found is x) == inplace
    np.testing.assert_array_equal(found, y.data)
    assert F.dropout2d(x, 0.4, training=False) is x
    assert bool(recwarn.list) == (len(shape) == 3)


X = np.zeros((2, 3, 4, 5), np.float32)
READ_ONLY = np.zeros(3, np.float32)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize("p", [-0.1, 1.5, float("nan"), float("inf")])
@pytest.mark.parametrize("training", [True, False])
def test_bad_probability(p, training):
    for function, op in (
        (lambda p: F.dropout(X, p, training), "dropout"),
        (lambda p: F.dropout2d(X, p, training), "dropout2d"),
        (fastdl.nn.Dropout, "Dropout"),
        (fastdl.nn.Dropout2d, "Dropout2d"),
        (lambda p: F.dropout_backward(X, (0, 0), p), "dropout"),
        (lambda p: _core.dropout_forward(X, p, 0, 0, False), "dropout"),
    ):
        with pytest.raises(ValueError, match=rf"\[{op}\] p: expected a value in \[0, 1\], got {p}"):
            function(p)


@pytest.mark.parametrize(
    ("error", "message", "call"),
    [
        (TypeError, r"\[dropout\] input: .*got int64", lambda: F.dropout(np.arange(3))),
        (ValueError, r"\[dropout\] input: expected a writeable", lambda: F.dropout(READ_ONLY, inplace=True)),
        (RuntimeError, "leaf", lambda: F.dropout(fastdl.ones(3, requires_grad=True), inplace=True)),
        (TypeError, r"\[dropout\] input: .*got int64", lambda: F.dropout2d(X.astype(np.int64))),
    ],
)
def test_bad_input(error, message, call):
    with pytest.raises(error, match=message):
        call()


def test_dropout2d_without_channels():
    with (
        pytest.warns(UserWarning, match="1-D input"),
        pytest.raises(ValueError, match=r"\[dropout2d\] input: expected \(N, C, H, W\), got \(3,\)"),
    ):
        F.dropout2d(np.zeros(3))


def test_layers():
    x = fastdl.ones(4, 6, 2, 2)
    for layer, text in (
        (fastdl.nn.Dropout(), "Dropout(p=0.5, inplace=False)"),
        (fastdl.nn.Dropout2d(0.25, inplace=True), "Dropout2d(p=0.25, inplace=True)"),
    ):
        assert repr(layer) == text
        assert layer.eval()(x) is x
        fastdl.manual_seed(SEED)
        y = layer.train()(x.clone())
        fastdl.manual_seed(SEED)
        function = F.dropout2d if "2d" in text else F.dropout
        np.testing.assert_array_equal(y.numpy(), function(x, layer.p).numpy())
        assert 0 < (y.numpy() == 0).mean() < 1
