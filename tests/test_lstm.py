"""lstm and lstm_cell against their reference, on every device."""

from __future__ import annotations

import types
import warnings

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


def _cell_reference_backward(grads, input, h, c, w_ih, w_hh, b_ih=None, b_hh=None):
    saved = reference.cell_forward(input, h, c, w_ih, w_hh, b_ih, b_hh)[2]
    names = ("input", "h", "c", "w_ih", "w_hh", "b_ih")
    found = dict(zip(names, reference.cell_backward(*grads, saved, w_ih, w_hh), strict=True))
    return found | {"b_hh": found["b_ih"]}


cell_reference = types.ModuleType("cell_reference")
cell_reference.forward = lambda **operands: reference.cell_forward(**operands)[:2]
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
            "input: expected float32 or float64, got int64",
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


# ---- layers


def test_layer_repr():
    assert repr(fastdl.nn.LSTM(10, 20)) == "LSTM(10, 20)"
    full = fastdl.nn.LSTM(10, 20, num_layers=2, bias=False, batch_first=True, dropout=0.5, bidirectional=True)
    assert repr(full) == (
        "LSTM(10, 20, num_layers=2, bias=False, batch_first=True, dropout=0.5, bidirectional=True)"
    )
    assert repr(fastdl.nn.LSTMCell(3, 4)) == "LSTMCell(3, 4)"
    assert repr(fastdl.nn.LSTMCell(3, 4, bias=False)) == "LSTMCell(3, 4, bias=False)"


@pytest.mark.parametrize("bias", [True, False])
def test_layer_parameters(bias):
    layer = fastdl.nn.LSTM(4, 6, num_layers=2, bias=bias, bidirectional=True)
    want = cases.weights(4, 6, 2, bias, True)
    assert {name: parameter.shape for name, parameter in layer.named_parameters()} == want
    assert list(layer.state_dict()) == list(want)
    bound = 1 / np.sqrt(6)
    for parameter in layer.parameters():
        values = parameter.detach().numpy()
        assert np.abs(values).max() <= bound and np.ptp(values) > bound
    weights = [weight for own in layer.all_weights for weight in own]
    assert all(a is b for a, b in zip(weights, layer.parameters(), strict=True))
    layer.flatten_parameters()


def test_cell_parameters():
    layer = fastdl.nn.LSTMCell(4, 6)
    assert {name: parameter.shape for name, parameter in layer.named_parameters()} == {
        "weight_ih": (24, 4),
        "weight_hh": (24, 6),
        "bias_ih": (24,),
        "bias_hh": (24,),
    }
    assert fastdl.nn.LSTMCell(4, 6, bias=False).bias_ih is None
    assert fastdl.nn.LSTMCell(4, 6, dtype=np.float64).weight_hh.dtype == np.float64


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("state", [False, True])
def test_unbatched_sequence(batch_first, state, device):
    layer = fastdl.nn.LSTM(4, 6, num_layers=2, bidirectional=True, batch_first=batch_first)
    rng = np.random.default_rng(0)
    x = fastdl.tensor(rng.standard_normal((5, 4)).astype(np.float32))
    hx = tuple(fastdl.tensor(rng.standard_normal((4, 6)).astype(np.float32)) for _ in range(2))
    axis = 0 if batch_first else 1
    output, final = layer(x, hx if state else None)
    batch, batch_final = layer(x.unsqueeze(axis), tuple(s.unsqueeze(1) for s in hx) if state else None)
    assert output.shape == (5, 12) and final[0].shape == (4, 6)
    np.testing.assert_array_equal(output.detach().numpy(), batch.squeeze(axis).detach().numpy())
    for one, many in zip(final, batch_final, strict=True):
        np.testing.assert_array_equal(one.detach().numpy(), many.squeeze(1).detach().numpy())


def test_unbatched_cell(device):
    layer = fastdl.nn.LSTMCell(4, 6)
    rng = np.random.default_rng(0)
    x, h, c = (fastdl.tensor(rng.standard_normal(n).astype(np.float32)) for n in (4, 6, 6))
    one, many = layer(x, (h, c)), layer(x[None], (h[None], c[None]))
    for a, b in zip(one, many, strict=True):
        np.testing.assert_array_equal(a.detach().numpy(), b[0].detach().numpy())
    zeros = fastdl.zeros(6)
    np.testing.assert_array_equal(layer(x)[0].detach().numpy(), layer(x, (zeros, zeros))[0].detach().numpy())


def test_dropout_between_layers():
    """With probability one the second layer sees zeros; in evaluation, and behind the last layer, nothing drops."""
    layer = fastdl.nn.LSTM(4, 6, num_layers=2, dropout=1.0)
    x = fastdl.tensor(np.random.default_rng(0).standard_normal((5, 3, 4)).astype(np.float32))
    dropped, (h_n, _) = layer(x)
    second = fastdl.nn.LSTM(6, 6)
    second.load_state_dict(
        {name.replace("l1", "l0"): p for name, p in layer.state_dict().items() if "l1" in name}
    )
    np.testing.assert_array_equal(
        dropped.detach().numpy(), second(fastdl.zeros((5, 3, 6)))[0].detach().numpy()
    )
    layer.eval()
    output, (h_eval, _) = layer(x)
    assert (output.detach().numpy() != dropped.detach().numpy()).any()
    np.testing.assert_array_equal(h_eval[0].detach().numpy(), h_n[0].detach().numpy())


def test_dropout_with_one_layer_warns():
    with pytest.warns(UserWarning, match=r"dropout=0\.5 does nothing with num_layers=1"):
        fastdl.nn.LSTM(4, 6, dropout=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fastdl.nn.LSTM(4, 6, num_layers=2, dropout=0.5)


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, "hidden_size: expected at least 1, got 0", {"hidden_size": 0}),
        (ValueError, "input_size: expected at least 1, got -1", {"input_size": -1}),
        (ValueError, "num_layers: expected at least 1, got 0", {"num_layers": 0}),
        (ValueError, "dropout: expected a number in", {"dropout": 1.5}),
        (ValueError, "dropout: expected a number in", {"dropout": True}),
        (ValueError, "dropout: expected a number in", {"dropout": "half"}),
        (ValueError, "proj_size: expected 0", {"proj_size": 2}),
        (TypeError, "bias: expected bool, got int", {"bias": 1}),
        (TypeError, "batch_first: expected bool, got str", {"batch_first": "False"}),
        (TypeError, "input_size: expected int, got float", {"input_size": 3.0}),
        (TypeError, "hidden_size: expected int, got float", {"hidden_size": 5.0}),
    ],
)
def test_bad_layer(error, message, arguments):
    with pytest.raises(error, match=message):
        fastdl.nn.LSTM(**{"input_size": 3, "hidden_size": 5, **arguments})


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, r"input: expected 2 or 3 axes, got shape \(4,\)", (_zeros(4),)),
        (
            ValueError,
            r"input: expected 4 features in its last axis, got shape \(5, 3, 5\)",
            (_zeros(5, 3, 5),),
        ),
        (ValueError, "at least one step", (_zeros(0, 3, 4),)),
        (ValueError, r"h_0: expected \(1, 3, 6\)", (_zeros(5, 3, 4), (_zeros(1, 6), _zeros(1, 3, 6)))),
        (ValueError, r"c_0: expected \(1, 3, 6\)", (_zeros(5, 3, 4), (_zeros(1, 3, 6), _zeros(1, 2, 6)))),
        (ValueError, r"h_0: expected \(1, 6\)", (_zeros(5, 4), (_zeros(1, 1, 6), _zeros(1, 1, 6)))),
        (ValueError, "hx: expected a pair", (_zeros(5, 3, 4), _zeros(1, 3, 6))),
        (TypeError, "input: expected a Tensor or an array, got tuple", ((_zeros(9, 4), [3, 3, 3]),)),
        (TypeError, "weight_ih: expected float64", (_zeros(5, 3, 4, dtype=np.float64),)),
    ],
)
def test_bad_layer_input(error, message, arguments):
    with pytest.raises(error, match=message):
        fastdl.nn.LSTM(4, 6)(*arguments)


@pytest.mark.parametrize(
    ("error", "message", "arguments"),
    [
        (ValueError, r"input: expected 1 or 2 axes, got shape \(1, 3, 4\)", (X[None],)),
        (ValueError, r"hx\[1\]: expected 1 or 2 axes", (X, (H, H[:, None]))),
        (ValueError, r"weight_ih: expected \(24, 5\)", (_zeros(3, 5), (H, H))),
        (ValueError, r"h_0: expected \(3, 6\)", (X, (_zeros(3, 7), H))),
        (ValueError, r"h_0: expected \(3, 6\)", (X, (_zeros(5, 6), _zeros(5, 6)))),
        (ValueError, "hx: expected a pair", (X, H)),
    ],
)
def test_bad_cell_layer_input(error, message, arguments):
    with pytest.raises(error, match=message):
        fastdl.nn.LSTMCell(4, 6)(*arguments)


# ---- PyTorch


def _run_torch(layer, inputs, grads):
    torch = pytest.importorskip("torch")
    tensors = [torch.tensor(array, requires_grad=True) for array in inputs]
    hx = tuple(tensors[1:]) if len(tensors) > 1 else None
    output, (h_n, c_n) = layer(tensors[0], hx)
    torch.autograd.backward((output, h_n, c_n), [torch.tensor(g) for g in grads])
    found = [tensor.grad for tensor in (*tensors, *layer.parameters())]
    return [value.detach().numpy() for value in (output, h_n, c_n, *found)]


def _run_fastdl(layer, inputs, grads):
    tensors = [fastdl.tensor(array, requires_grad=True) for array in inputs]
    hx = tuple(tensors[1:]) if len(tensors) > 1 else None
    output, (h_n, c_n) = layer(tensors[0], hx)
    fastdl.autograd.backward((output, h_n, c_n), [fastdl.tensor(g) for g in grads])
    found = [tensor.grad for tensor in (*tensors, *layer.parameters())]
    return [value.detach().numpy() for value in (output, h_n, c_n, *found)]


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("form", ["batched", "batched_no_state", "unbatched", "unbatched_no_state"])
def test_layer_against_torch(num_layers, bidirectional, batch_first, bias, form):
    torch = pytest.importorskip("torch")
    options = {
        "num_layers": num_layers,
        "bidirectional": bidirectional,
        "batch_first": batch_first,
        "bias": bias,
    }
    theirs, ours = torch.nn.LSTM(4, 6, **options), fastdl.nn.LSTM(4, 6, **options)
    assert repr(ours) == repr(theirs)
    ours.load_state_dict(theirs.state_dict())
    rng = np.random.default_rng(num_layers)
    unbatched = form.startswith("unbatched")
    layers = num_layers * (2 if bidirectional else 1)
    shapes = [(5, 4) if unbatched else (5, 3, 4)]
    if not form.endswith("no_state"):
        shapes += [(layers, 6) if unbatched else (layers, 5 if batch_first else 3, 6)] * 2
    inputs = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    with torch.no_grad():
        output, states = theirs(*(torch.tensor(inputs[0]),))
    grads = [rng.standard_normal(tuple(value.shape)).astype(np.float32) for value in (output, *states)]
    naive = _run_torch(theirs, inputs, grads)
    found = _run_fastdl(ours, inputs, grads)
    exact = _run_torch(
        theirs.double(), [a.astype(np.float64) for a in inputs], [g.astype(np.float64) for g in grads]
    )
    for index, (out, want, plain) in enumerate(zip(found, exact, naive, strict=True)):
        assert out.shape == want.shape
        tolerances.assert_accurate(out, want, plain, np.float32, f"value {index}")


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("unbatched", [False, True])
def test_cell_against_torch(bias, unbatched):
    torch = pytest.importorskip("torch")
    theirs, ours = torch.nn.LSTMCell(4, 6, bias=bias), fastdl.nn.LSTMCell(4, 6, bias=bias)
    assert repr(ours) == repr(theirs)
    ours.load_state_dict(theirs.state_dict())
    rng = np.random.default_rng(0)
    shapes = [(4,), (6,), (6,)] if unbatched else [(3, 4), (3, 6), (3, 6)]
    inputs = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    for state in (True, False):
        hx = tuple(torch.tensor(a) for a in inputs[1:]) if state else None
        naive = theirs(torch.tensor(inputs[0]), hx)
        hx = tuple(torch.tensor(a).double() for a in inputs[1:]) if state else None
        exact = theirs.double()(torch.tensor(inputs[0]).double(), hx)
        theirs.float()
        found = ours(fastdl.tensor(inputs[0]), tuple(map(fastdl.tensor, inputs[1:])) if state else None)
        for out, want, plain in zip(found, exact, naive, strict=True):
            tolerances.assert_accurate(
                out.detach().numpy(), want.detach().numpy(), plain.detach().numpy(), np.float32, "cell"
            )


def test_state_dict_to_torch_and_back():
    torch = pytest.importorskip("torch")
    theirs, ours = (nn.LSTM(4, 6, num_layers=2, bidirectional=True) for nn in (torch.nn, fastdl.nn))
    assert list(ours.state_dict()) == list(theirs.state_dict())
    before = {name: value.numpy().copy() for name, value in ours.state_dict().items()}
    theirs.load_state_dict({name: torch.tensor(value) for name, value in before.items()})
    fresh = fastdl.nn.LSTM(4, 6, num_layers=2, bidirectional=True)
    fresh.load_state_dict(theirs.state_dict())
    for name, value in fresh.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[name])
