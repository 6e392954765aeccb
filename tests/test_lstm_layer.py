"""The layers LSTM and LSTMCell: arguments, parameters, unbatched inputs, dropout; beside PyTorch."""

from __future__ import annotations

import warnings

import fastdl
import numpy as np
import pytest

from tests import tolerances
from tests.cases import lstm as cases

OP = "lstm"


def _zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


X, H = _zeros(3, 4), _zeros(3, 6)


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
