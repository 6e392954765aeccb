"""bfloat16 in linear, conv2d and lstm: against their references, on every ISA level and with AVX512_BF16."""

import functools
import types

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl import _core, nn
from fastdl.reference import conv2d as conv2d_reference
from fastdl.reference import linear as linear_reference
from fastdl.reference import lstm as lstm_reference

from tests import suite, tolerances
from tests.cases import conv2d as conv2d_cases
from tests.cases import linear as linear_cases
from tests.cases import lstm as lstm_cases
from tests.test_lstm import cell, cell_reference, lstm

ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 takes the extra [bf16], ml_dtypes")
BF16 = ml_dtypes.bfloat16

PAIRS = "avx512_bf16"
WAYS = [*_core.supported_isas(), *([PAIRS] if _core.bf16_dot() else [])]


def rounded(reference: types.ModuleType) -> types.ModuleType:
    """A reference that rounds where a recurrent layer of bfloat16 does."""
    other = types.ModuleType("rounded")
    other.forward = functools.partial(reference.forward, bfloat16=True)
    other.backward = functools.partial(reference.backward, bfloat16=True)
    return other


OPS = {
    "linear": (F.linear, linear_reference),
    "conv2d": (F.conv2d, conv2d_reference),
    "lstm": (lstm, rounded(lstm_reference)),
    "lstm_cell": (cell, rounded(cell_reference)),
}

# Layers as networks have them: more than one block of the depth, of panels and of rows, halves of pairs left over.
LARGE = [
    ("linear", linear_cases.case("large", (70, 901), (530, 901))),
    ("linear", linear_cases.case("large_even", (560, 400), (66, 400))),
    ("linear", linear_cases.case("large_row", (1, 1501), (333, 1501))),
    ("conv2d", conv2d_cases.case("large", (2, 71, 15, 13), (45, 71, 3, 3), padding=(1, 1))),
    (
        "conv2d",
        conv2d_cases.case("large_stride", (3, 34, 33, 31), (40, 34, 3, 3), stride=(2, 2), padding=(1, 1)),
    ),
    ("conv2d", conv2d_cases.case("large_stride_3", (2, 33, 40, 41), (35, 33, 4, 5), stride=(3, 3))),
    ("conv2d", conv2d_cases.case("large_dilation", (2, 32, 40, 37), (33, 32, 3, 3), dilation=(2, 3))),
    ("conv2d", conv2d_cases.case("large_pointwise", (5, 130, 9, 7), (64, 130, 1, 1))),
    ("conv2d", conv2d_cases.case("large_pointwise_back", (3, 40, 28, 28), (200, 40, 1, 1))),
    ("conv2d", conv2d_cases.case("large_groups", (2, 64, 12, 13), (66, 32, 3, 3), groups=2, padding=(1, 1))),
    ("conv2d", conv2d_cases.case("large_image", (1, 33, 1, 1500), (34, 33, 1, 3), padding=(0, 1))),
]


def cases(group: str) -> list:
    found = [
        pytest.param(op, case, id=f"{op}-{case}")
        for op, module in (("linear", linear_cases), ("conv2d", conv2d_cases))
        for case in getattr(module, group, [])
    ]
    return found + (
        [pytest.param(op, case, id=f"{op}-{case}") for op, case in LARGE] if group == "ALL" else []
    )


def recurrent_cases(lstms: list, cells: list) -> list:
    found = [("lstm", case) for case in lstms] + [("lstm_cell", case) for case in cells]
    return [pytest.param(op, case, id=f"{op}-{case}") for op, case in found]


# Wide enough for products of pairs, with the input in every step's or for all of them before: many rows, few, and one;
# odd numbers of units and of features, more than one block of the depth, panels and groups of rows.
LARGE_LSTM = [
    lstm_cases.case("large", 3, 33, 71, 66, bidirectional=True),
    lstm_cases.case("large_few_rows", 40, 2, 65, 64, bias=False),
    lstm_cases.case("large_one_row", 70, 1, 64, 520),
    lstm_cases.case("large_odd", 5, 67, 301, 271, state=False),
    lstm_cases.case("large_odd_few_rows", 9, 3, 31, 67, bidirectional=True, num_layers=2),
]
RECURRENT = recurrent_cases(
    [*LARGE_LSTM, *lstm_cases.OPTIONS, *lstm_cases.SIZES[::3], lstm_cases.NETWORKS[0]], lstm_cases.CELLS
)


@pytest.fixture(params=WAYS)
def way(request):
    """An ISA level without AVX512_BF16, or the one with it."""
    level, before = request.param, _core.active_isa()
    fastdl.force_isa("avx512" if level == PAIRS else level)
    had_pairs = _core.set_bf16_dot(level == PAIRS)
    yield level
    _core.set_bf16_dot(had_pairs)
    fastdl.force_isa(before)


@pytest.mark.parametrize(("op", "case"), cases("ALL"))
def test_reference(op, case, way):
    suite.check_reference(*OPS[op], case, BF16)


@pytest.mark.parametrize(("op", "case"), RECURRENT)
def test_recurrent_reference(op, case, way):
    suite.check_reference(*OPS[op], case, BF16, tolerances.assert_rounded_steps)


@pytest.mark.parametrize(("op", "case"), cases("ALL"))
def test_integers_are_exact(op, case, way):
    suite.check_integers_are_exact(*OPS[op], case, BF16)


@pytest.mark.parametrize(
    ("op", "case"),
    cases("SHAPES")
    + cases("PARAMETERS")
    + [pytest.param(*pair) for pair in LARGE[::3]]
    + recurrent_cases(lstm_cases.OPTIONS, lstm_cases.CELLS[::3]),
)
def test_layouts(op, case, way):
    suite.check_layouts(OPS[op][0], case, BF16)


@pytest.mark.parametrize(
    ("op", "case"),
    cases("THREADED")
    + recurrent_cases([LARGE_LSTM[0], *LARGE_LSTM[2:4], *lstm_cases.THREADED], lstm_cases.THREADED_CELLS),
)
def test_threads(op, case, way):
    suite.check_threads(OPS[op][0], case, BF16)


@pytest.mark.parametrize(
    ("op", "case"), cases("EMPTY") + recurrent_cases(lstm_cases.EMPTY, lstm_cases.EMPTY_CELLS)
)
def test_empty(op, case, way):
    suite.check_empty(*OPS[op], case, BF16)


def test_no_input_features_leave_the_bias(way):
    bias = np.arange(3.0).astype(BF16)
    y = F.linear(np.ones((2, 0), BF16), np.ones((3, 0), BF16), bias)
    np.testing.assert_array_equal(y, [bias, bias])


def test_rounding_is_to_nearest_even(way):
    """Products of two numbers of 8 bits are exact in float32, so that one rounding is all there is."""
    x = np.random.default_rng(0).standard_normal((700, 1)).astype(BF16)
    w = np.random.default_rng(1).standard_normal((70, 1)).astype(BF16)
    exact = x.astype(np.float32) * w.astype(np.float32).T
    np.testing.assert_array_equal(F.linear(x, w), exact.astype(BF16))
    # A bias half way between two neighbours of 1, and of the next number.
    ties = F.linear(np.array([[1.0, 1.0], [1.0078125, 1.0]], BF16), np.array([[1.0, 2.0**-8]], BF16))
    np.testing.assert_array_equal(ties.astype(np.float64), [[1.0], [1.015625]])


def test_not_finite(way):
    """A NaN or an infinity stays in its row or column; what is too large becomes infinite."""
    x, w = np.ones((37, 33), BF16), np.ones((41, 33), BF16)
    x[2, 3], w[4, 1], x[7] = np.inf, np.nan, 3e38
    want = np.full((37, 41), 33.0)
    want[2], want[7], want[:, 4] = np.inf, np.inf, np.nan
    np.testing.assert_array_equal(F.linear(x, w).astype(np.float64), want)


def test_infinity_stays_in_its_windows(way):
    """Winograd's tiles, of which the conv2d's docstring speaks, take 16 channels and more."""
    x, w = np.ones((2, 9, 7, 7), BF16), np.ones((8, 9, 3, 3), BF16)
    x[1, 4, 3, 6] = np.inf
    y = F.conv2d(x, w, padding=1).astype(np.float64)
    want = np.zeros((2, 7, 7), bool)
    want[1, 2:5, 5:7] = True
    np.testing.assert_array_equal(np.isinf(y), np.broadcast_to(want[:, None], y.shape))
    assert not np.isnan(y).any()


def test_forms_of_the_arguments(way):
    arrays = conv2d_cases.PARAMETERS[0].arrays(BF16)
    x, rest = arrays.pop("input"), arrays
    np.testing.assert_array_equal(F.conv2d(x[0], **rest), F.conv2d(x, **rest)[0])
    grad = np.ones((2, 5), BF16)
    grads = F.linear_backward(grad, np.ones((2, 4), BF16), np.ones((5, 4), BF16), (False, False, True))
    assert grads[0] is None and grads[1] is None and grads[2].dtype == BF16
    np.testing.assert_array_equal(grads[2], np.full(5, 2))


X, W, B = np.zeros((2, 8, 6, 6), BF16), np.zeros((3, 8, 3, 3), BF16), np.zeros(3, BF16)


@pytest.mark.parametrize("wide", [np.float32, np.float64])
def test_dtypes_do_not_mix(wide):
    for op, x, w, y in (
        ("conv2d", X, W, np.zeros((2, 3, 4, 4), BF16)),
        ("linear", X[0, 0], W[0, 0, :, :1].repeat(6, 1), np.zeros((6, 3), BF16)),
    ):
        call, back = getattr(F, op), getattr(F, f"{op}_backward")
        name = np.dtype(wide).name
        with pytest.raises(TypeError, match=rf"\[{op}\] weight: expected bfloat16 as .*, got {name}"):
            call(x, w.astype(wide))
        with pytest.raises(TypeError, match=rf"\[{op}\] weight: expected {name} as .*, got bfloat16"):
            call(x.astype(wide), w)
        with pytest.raises(TypeError, match=rf"\[{op}\] bias: expected bfloat16 as .*, got {name}"):
            call(x, w, B.astype(wide))
        with pytest.raises(TypeError, match=rf"\[{op}\] grad_output: expected bfloat16 as .*, got {name}"):
            back(y.astype(wide), x, w)
        with pytest.raises(TypeError, match=rf"\[{op}\] grad_output: expected .*, got bfloat16"):
            back(y, x.astype(wide), w.astype(wide))


def lstm_arguments(dtype, **changes) -> list:
    shapes = {"input": (5, 3, 4), "h_0": (1, 3, 6), "c_0": (1, 3, 6), **lstm_cases.weights(4, 6)}
    arrays = {name: np.zeros(shape, changes.get(name, dtype)) for name, shape in shapes.items()}
    x, h_0, c_0, *params = arrays.values()
    return [x, (h_0, c_0), params, True, 1, 0.0, False, False, False]


@pytest.mark.parametrize("wide", [np.float32, np.float64])
def test_lstm_dtypes_do_not_mix(wide):
    name = np.dtype(wide).name
    for other in ("h_0", "c_0", "weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        at = f"{other}_l0" if "_0" not in other else other
        with pytest.raises(TypeError, match=rf"\[lstm\] {other}: expected bfloat16 as .*, got {name}"):
            F.lstm(*lstm_arguments(BF16, **{at: wide}))
        with pytest.raises(TypeError, match=rf"\[lstm\] {other}: expected {name} as .*, got bfloat16"):
            F.lstm(*lstm_arguments(wide, **{at: BF16}))


@pytest.mark.parametrize("dtype", [np.float16, np.int64, ml_dtypes.float8_e4m3fn, ml_dtypes.int4])
def test_other_dtypes_are_refused(dtype):
    for call in (
        lambda: F.conv2d(X.astype(dtype), W),
        lambda: F.linear(X.astype(dtype), W[0, 0]),
        lambda: F.lstm(*lstm_arguments(BF16, input=dtype)),
    ):
        with pytest.raises(TypeError, match="input: expected float32, float64 or bfloat16, got"):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.conv_transpose2d(X, W.transpose(1, 0, 2, 3)),
        lambda: F.max_pool2d(X, 2),
        lambda: F.relu(X),
        lambda: F.softmax(X, 1),
        lambda: F.pad(X, (1, 1)),
        lambda: F.embedding(np.array([0, 1]), X[0, 0]),
        lambda: F.mse_loss(X, X),
        lambda: F.sgd_step([X], [X], [], lr=0.1),
    ],
)
def test_other_ops_refuse_it(call):
    with pytest.raises(TypeError, match=r"expected .*, got bfloat16"):
        call()


def test_simt_kernels_refuse_it(simt_backend):
    _core.use_host_backend(simt_backend)
    try:
        for call in (lambda: F.conv2d(X, W), lambda: F.conv2d_backward(np.zeros((2, 3, 4, 4), BF16), X, W)):
            with pytest.raises(TypeError, match="the simt backend has no kernel for bfloat16"):
                call()
    finally:
        _core.use_host_backend("")


def test_layers(way):
    rng = np.random.default_rng(0)
    model = nn.Sequential(nn.Conv2d(16, 24, 3, padding=1), nn.Flatten(), nn.Linear(24 * 36, 5))
    same = nn.Sequential(nn.Conv2d(16, 24, 3, padding=1), nn.Flatten(), nn.Linear(24 * 36, 5)).double()
    model.to(dtype=BF16)
    for mine, other in zip(model.parameters(), same.parameters(), strict=True):
        other.data[...] = mine.data.astype(np.float64)
    x = rng.standard_normal((4, 16, 6, 6)).astype(BF16)
    ours, theirs = (
        fastdl.tensor(x, requires_grad=True),
        fastdl.tensor(x.astype(np.float64), requires_grad=True),
    )
    assert ours.dtype == BF16
    y, want = model(ours), same(theirs)
    grad = rng.standard_normal(want.shape).astype(BF16)
    y.backward(fastdl.tensor(grad))
    want.backward(fastdl.tensor(grad.astype(np.float64)))
    pairs = zip([ours, *model.parameters()], [theirs, *same.parameters()], strict=True)
    for found, exact in [(y.detach(), want.detach()), *((mine.grad, other.grad) for mine, other in pairs)]:
        assert found.dtype == BF16
        suite.tolerances.assert_rounded_twice(found.numpy(), exact.numpy())
    with pytest.raises(TypeError, match="weight: expected float32 as the other arguments, got bfloat16"):
        model(fastdl.tensor(x.astype(np.float32)))


@pytest.mark.parametrize(("N", "I", "H"), [(20, 33, 65), (3, 5, 7)])
def test_next_step_reads_the_h_that_is_returned(N, I, H, way):
    """With shut forget gates h is all that a step gives to the next one."""
    case = lstm_cases.case("steps", 6 if N > 16 else 3, N, I, H)
    x, h, c, *params = case.arrays(BF16).values()
    params[2][H : 2 * H] = -200
    options = True, 1, 0.0, False, False, False
    output = F.lstm(x, (h, c), params, *options)[0]
    for t in range(len(x)):
        step, h, c = F.lstm(x[t : t + 1], (h, c), params, *options)
        np.testing.assert_array_equal(step[0], output[t])
        np.testing.assert_array_equal(h[0], output[t])


@pytest.mark.parametrize("options", [{"num_layers": 2}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_lstm_layers(options, way):
    """Two layers: what the first one gives the second, and the other way round, is rounded in between."""
    rng = np.random.default_rng(0)
    model, same = nn.LSTM(40, 33, dtype=BF16, **options), nn.LSTM(40, 33, **options).double()
    for mine, other in zip(model.parameters(), same.parameters(), strict=True):
        assert mine.dtype == BF16
        other.data[...] = mine.data.astype(np.float64)
    x = rng.standard_normal((7, 5, 40)).astype(BF16)
    ours, theirs = (fastdl.tensor(x.astype(dtype), requires_grad=True) for dtype in (BF16, np.float64))
    (y, states), (want, want_states) = model(ours), same(theirs)
    grad = rng.standard_normal(want.shape).astype(BF16)
    y.backward(fastdl.tensor(grad))
    want.backward(fastdl.tensor(grad.astype(np.float64)))
    pairs = [(a.detach(), b.detach()) for a, b in zip((y, *states), (want, *want_states), strict=True)]
    leaves = zip([ours, *model.parameters()], [theirs, *same.parameters()], strict=True)
    for found, exact in [*pairs, *((mine.grad, other.grad) for mine, other in leaves)]:
        assert found.dtype == BF16
        suite.tolerances.assert_rounded_twice(found.numpy(), exact.numpy())


def test_layer_made_in_bfloat16(way):
    layer = nn.Linear(40, 30, dtype=BF16)
    assert layer.weight.dtype == layer.bias.dtype == BF16
    assert layer(fastdl.tensor(np.ones((3, 40), BF16))).dtype == BF16


def test_memory_of_the_pool():
    """Large results of NumPy glue live in the pool whatever their dtype."""
    assert _core.empty((300, 70), np.dtype(BF16)).dtype == BF16
    assert fastdl.tensor(np.ones((300, 70), np.float32)).to(BF16).dtype == BF16
