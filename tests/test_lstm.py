"""lstm and lstm_cell against their reference, on every device."""

from __future__ import annotations

import types

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import lstm as reference

from tests import suite, tolerances
from tests.cases import lstm as cases

OP = "lstm"


def lstm(input, h_0=None, c_0=None, num_layers=1, bidirectional=False, batch_first=False, **weights):
    """F.lstm with its lists of arrays spread out."""
    hx = None if h_0 is None else (h_0, c_0)
    has_biases = "bias_ih_l0" in weights
    return F.lstm(
        input, hx, [*weights.values()], has_biases, num_layers, 0.0, False, bidirectional, batch_first
    )


def cell(input, h, c, **weights):
    return F.lstm_cell(input, (h, c), **weights)


def _cell_reference_forward(bfloat16=False, **operands):
    """A single step of bfloat16 rounds its results alone."""
    return reference.cell_forward(**operands)[:2]


def _cell_reference_backward(grads, input, h, c, w_ih, w_hh, b_ih=None, b_hh=None, bfloat16=False):
    saved = reference.cell_forward(input, h, c, w_ih, w_hh, b_ih, b_hh)[2]
    names = ("input", "h", "c", "w_ih", "w_hh", "b_ih")
    found = dict(zip(names, reference.cell_backward(*grads, saved, w_ih, w_hh, bfloat16), strict=True))
    return found | {"b_hh": found["b_ih"]}


cell_reference = types.ModuleType("cell_reference")
cell_reference.forward = _cell_reference_forward
cell_reference.backward = _cell_reference_backward


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(lstm, reference, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.CELLS, ids=str)
def test_cell_reference(case, dtype, device):
    suite.check_reference(cell, cell_reference, case, dtype)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("case", cases.CELLS, ids=str)
def test_cell_finite_differences(case):
    suite.check_finite_differences(cell_reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(lstm, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.CELLS, ids=str)
def test_cell_layouts(case, dtype, device):
    suite.check_layouts(cell, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, device):
    suite.check_threads(lstm, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED_CELLS, ids=str)
def test_cell_threads(case, dtype, device):
    suite.check_threads(cell, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(lstm, reference, case)


@pytest.mark.parametrize("case", cases.EMPTY_CELLS, ids=str)
def test_empty_cell(case, device):
    suite.check_empty(cell, cell_reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize(
    ("T", "N", "I", "H"),
    [(4, 3, 5, 7), (6, 7, 9, 33), (3, 15, 17, 8), (2, 1, 1, 1), (3, 29, 64, 65), (2, 7, 3, 300)],
)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_saturated_gates_count(T, N, I, H, bidirectional, dtype, device):
    """With sums of at least 1024 in absolute value every gate is exactly 0, 1 or -1, and the cells are integers.

    The forget gate stays open, and the cells start too far from zero for tanh(c) to be anything but ±1: any
    difference is a wrong index.
    """
    rng = np.random.default_rng(T * N + H)
    options = {"bidirectional": bidirectional}
    arrays = {"input": rng.integers(-3, 4, (T, N, I))}
    directions = 2 if bidirectional else 1
    arrays["h_0"] = rng.integers(-3, 4, (directions, N, H))
    arrays["c_0"] = rng.choice([-64, 64], (directions, N, H))
    for name, shape in cases.weights(I, H, bidirectional=bidirectional).items():
        # even weights and an odd bias: no sum is zero
        drawn = 2048 * rng.integers(-2, 3, shape)
        if name.startswith("bias_ih"):
            drawn += 1024
            drawn[H : 2 * H] = 1 << 23
        arrays[name] = drawn
    arrays = {name: array.astype(dtype) for name, array in arrays.items()}
    with np.errstate(over="ignore"):
        exact = reference.forward(**{name: a.astype(np.float64) for name, a in arrays.items()}, **options)
    assert (np.abs(exact[2]) >= 64 - T).all()
    for out, want in zip(lstm(**arrays, **options), exact, strict=True):
        np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("case", [*cases.OPTIONS, *cases.THREADED], ids=str)
def test_without_gradients(case, device):
    """The same bits whether or not something is kept for a backward pass."""
    arrays = case.arrays(np.float32)
    kept = lstm(**{name: fastdl.tensor(a, requires_grad=True) for name, a in arrays.items()}, **case.options)
    for a, b in zip(lstm(**arrays, **case.options), kept, strict=True):
        np.testing.assert_array_equal(a, b.detach().numpy())


def test_large_sums_stay_finite(device):
    arrays = cases.OPTIONS[0].arrays(np.float32)
    arrays["input"] *= np.float32(1e30)
    outputs, grads = suite.run_op(lstm, arrays, {}, tuple(np.ones_like(out) for out in lstm(**arrays)))
    for values in (*outputs, *grads.values()):
        assert np.isfinite(values).all()


def test_nan_stays_in_its_sequence(device):
    arrays = cases.OPTIONS[0].arrays(np.float32)
    clean = lstm(**arrays)[0]
    arrays["input"][2, 1] = np.nan
    output = lstm(**arrays)[0]
    np.testing.assert_array_equal(output[:2], clean[:2])
    np.testing.assert_array_equal(output[:, [0, 2, 3]], clean[:, [0, 2, 3]])
    assert np.isnan(output[2:, 1]).all()


def test_only_some_outputs_have_gradients(device):
    """None for a gradient that did not arrive counts as zeros."""
    case = cases.OPTIONS[4]
    arrays = case.arrays(np.float64)
    outputs = lstm(**arrays, **case.options)
    rng = np.random.default_rng(0)
    for chosen in range(3):
        grads = [np.zeros_like(out) for out in outputs]
        grads[chosen] = rng.standard_normal(outputs[chosen].shape)
        want = reference.backward(grads, **arrays, **case.options)
        tensors = {name: fastdl.tensor(array, requires_grad=True) for name, array in arrays.items()}
        lstm(**tensors, **case.options)[chosen].backward(fastdl.tensor(grads[chosen]))
        for name, tensor in tensors.items():
            tolerances.assert_accurate(tensor.grad.numpy(), want[name], want[name], np.float64, name)


def test_only_some_inputs_want_gradients(device):
    case = cases.OPTIONS[4]
    arrays = case.arrays(np.float32)
    grads = tuple(np.ones_like(out) for out in lstm(**arrays, **case.options))
    _, every = suite.run_op(lstm, arrays, case.options, grads)
    for name, array in arrays.items():
        one = {**arrays, name: fastdl.tensor(array, requires_grad=True)}
        fastdl.autograd.backward(lstm(**one, **case.options), [fastdl.tensor(g) for g in grads])
        np.testing.assert_array_equal(one[name].grad.numpy(), every[name])


def test_backward_twice_gives_the_same(device):
    arrays = cases.OPTIONS[0].arrays(np.float32)
    tensors = {name: fastdl.tensor(array, requires_grad=True) for name, array in arrays.items()}
    total = lstm(**tensors)[0].sum()
    total.backward(retain_graph=True)
    first = {name: tensor.grad.numpy().copy() for name, tensor in tensors.items()}
    total.backward()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor.grad.numpy(), 2 * first[name])


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_backward_on_arrays(case, device):
    arrays = case.arrays(np.float32)
    outputs = lstm(**arrays, **case.options)
    grads = suite.draw_gradients(outputs, case, np.float32)
    _, want = suite.run_op(lstm, arrays, case.options, grads)
    names = [name for name in arrays if name not in ("input", "h_0", "c_0")]
    hx = (arrays["h_0"], arrays["c_0"]) if "h_0" in arrays else None
    options = {"num_layers": 1, "bidirectional": False, "batch_first": False, **case.options}
    grad_input, state, weights = F.lstm_backward(
        *grads, arrays["input"], hx, [arrays[name] for name in names], "bias_ih_l0" in arrays, **options
    )
    found = {"input": grad_input, **dict(zip(names, weights, strict=True))}
    if hx is not None:
        found |= {"h_0": state[0], "c_0": state[1]}
    assert found.keys() == want.keys()
    for name, grad in found.items():
        np.testing.assert_array_equal(grad, want[name], err_msg=name)


def test_cell_backward_on_arrays(device):
    case = cases.CELLS[0]
    arrays = case.arrays(np.float32)
    grads = suite.draw_gradients(cell(**arrays), case, np.float32)
    _, want = suite.run_op(cell, arrays, {}, grads)
    x, h, c, *weights = arrays.values()
    grad_input, state, *rest = F.lstm_cell_backward(*grads, x, (h, c), *weights)
    for got, name in zip((grad_input, *state, *rest), arrays, strict=True):
        np.testing.assert_array_equal(got, want[name], err_msg=name)


def test_a_cell_is_a_sequence_of_one_step(device):
    arrays = cases.CELLS[0].arrays(np.float32)
    x, h, c, *weights = arrays.values()
    output, h_n, c_n = F.lstm(x[None], (h[None], c[None]), weights, True, 1, 0.0, False, False, False)
    h_1, c_1 = F.lstm_cell(x, (h, c), *weights)
    np.testing.assert_array_equal(h_1, h_n[0])
    np.testing.assert_array_equal(h_1, output[0])
    np.testing.assert_array_equal(c_1, c_n[0])


# ---- bad input


def _arguments(**changes):
    """The arguments of a two-layer bidirectional F.lstm, and changes to them."""
    shapes = cases.weights(4, 6, 2, True, True)
    params = [np.zeros(shape, np.float32) for shape in shapes.values()]
    state = np.zeros((4, 3, 6), np.float32)
    arguments = {
        "input": np.zeros((5, 3, 4), np.float32),
        "hx": (state, state),
        "params": params,
        "has_biases": True,
        "num_layers": 2,
        "dropout": 0.0,
        "train": False,
        "bidirectional": True,
        "batch_first": False,
    }
    if "param" in changes:
        index, array = changes.pop("param")
        params[index] = array
    return arguments | changes


def _zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


STATE = _zeros(4, 3, 6)


@pytest.mark.parametrize(
    ("error", "message", "changes"),
    [
        (ValueError, r"input: expected \(T, N, I\), got \(5, 4\)", {"input": _zeros(5, 4)}),
        (
            ValueError,
            r"input: expected \(N, T, I\), got \(5, 4\)",
            {"input": _zeros(5, 4), "batch_first": True},
        ),
        (ValueError, r"at least one step, got \(0, 3, 4\)", {"input": _zeros(0, 3, 4)}),
        (ValueError, r"weight_ih: expected \(24, 5\) for 5 input", {"input": _zeros(5, 3, 5)}),
        (ValueError, r"h_0: expected \(4, 3, 6\), got \(2, 3, 6\)", {"hx": (STATE[:2], STATE)}),
        (ValueError, r"c_0: expected \(4, 3, 6\), got \(4, 3, 5\)", {"hx": (STATE, STATE[..., :5])}),
        (ValueError, r"h_0: expected \(4, 5, 6\), got \(4, 3, 6\)", {"batch_first": True}),
        (ValueError, r"hx: expected a pair \(h_0, c_0\) or None, got ndarray", {"hx": STATE}),
        (
            ValueError,
            "params: expected 12 arrays for num_layers=3",
            {"num_layers": 3, "bidirectional": False},
        ),
        (ValueError, "params: expected 8 arrays", {"has_biases": False}),
        (ValueError, "num_layers: expected at least 1, got 0", {"num_layers": 0}),
        (ValueError, r"weight_hh: expected \(4 H, H\)", {"param": (1, _zeros(24, 7)), "hx": None}),
        (ValueError, r"weight_hh: expected \(24, 6\), got \(20, 5\)", {"param": (5, _zeros(20, 5))}),
        (ValueError, r"weight_ih: expected \(24, 12\)", {"param": (8, _zeros(24, 6))}),
        (ValueError, r"bias_ih: expected \(24,\)", {"param": (2, _zeros(6))}),
        (ValueError, r"bias_hh: expected \(24,\)", {"param": (7, _zeros(24, 1))}),
        (
            TypeError,
            "input: expected float32, float64 or bfloat16, got int64",
            {"input": _zeros(5, 3, 4, dtype=np.int64)},
        ),
        (TypeError, "weight_ih: expected float64", {"input": _zeros(5, 3, 4, dtype=np.float64)}),
        (TypeError, "h_0: expected float32", {"hx": (STATE.astype(np.float64), STATE)}),
        (TypeError, "c_0: expected float32", {"hx": (STATE, STATE.astype(np.float64))}),
        (TypeError, "bias_hh: expected float32", {"param": (3, _zeros(24, dtype=np.float64))}),
    ],
)
def test_bad_input(error, message, changes):
    with pytest.raises(error, match=message):
        F.lstm(**_arguments(**changes))


X, H, W_IH, W_HH = _zeros(3, 4), _zeros(3, 6), _zeros(24, 4), _zeros(24, 6)


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, r"lstm_cell\] input: expected \(N, I\), got \(4,\)", (X[0], (H, H), W_IH, W_HH)),
        (ValueError, r"h_0: expected \(3, 6\) for input of shape \(3, 4\)", (X, (H[:2], H), W_IH, W_HH)),
        (ValueError, r"c_0: expected \(3, 6\)", (X, (H, H[:, :5]), W_IH, W_HH)),
        (ValueError, r"weight_ih: expected \(24, 4\)", (X, (H, H), W_IH[:, :3], W_HH)),
        (ValueError, r"weight_hh: expected \(4 H, H\)", (X, (H, H), W_IH, W_HH[:20])),
        (ValueError, r"bias_hh: expected \(24,\)", (X, (H, H), W_IH, W_HH, None, _zeros(6))),
        (TypeError, "weight_hh: expected float32", (X, (H, H), W_IH, W_HH.astype(np.float64))),
        (TypeError, "input: expected an array, got list", (X.tolist(), (H, H), W_IH, W_HH)),
    ],
)
def test_bad_cell_input(error, message, arguments):
    with pytest.raises(error, match=message):
        F.lstm_cell(*arguments)


def test_bad_gradient():
    x, state = _zeros(5, 3, 4), _zeros(1, 3, 6)
    with pytest.raises(ValueError, match=r"grad_output: expected \(5, 3, 6\), got \(5, 3, 5\)"):
        F.lstm_backward(
            *(_zeros(5, 3, 5), None, None, x, (state, state), [W_IH, W_HH], False, 1, False, False)
        )
    with pytest.raises(ValueError, match=r"grad_c: expected \(3, 6\), got \(6,\)"):
        F.lstm_cell_backward(None, H[0], X, (H, H), W_IH, W_HH)
