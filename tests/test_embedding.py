"""embedding against its reference, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import embedding as reference

from tests import suite, tolerances
from tests.cases import embedding as cases

OP = "embedding"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(F.embedding, reference, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize(
    "case", [case for case in cases.ALL if "scale_grad_by_freq" not in case.options], ids=str
)
def test_integers_are_exact(case, dtype, device):
    suite.check_integers_are_exact(F.embedding, reference, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(F.embedding, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, device):
    suite.check_threads(F.embedding, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(F.embedding, reference, case)


def test_empty_table_takes_no_indices(device):
    assert F.embedding(np.zeros(0, np.int64), np.zeros((0, 4))).shape == (0, 4)


def test_finite_differences():
    """Where every row gets its whole gradient, it is the derivative."""
    for case in cases.OPTIONS[:6]:
        suite.check_finite_differences(reference, case)


def test_repeated_index_adds_up_in_order(device):
    """1e8 + 1 - 1e8 is 0 in float32 from left to right, and 1 in any other order."""
    grad = np.array([[1e8], [1], [-1e8]], np.float32)
    got = F.embedding_backward(grad, np.zeros(3, np.int64), np.zeros((2, 1), np.float32))
    np.testing.assert_array_equal(got, [[0], [0]])


@pytest.mark.parametrize("narrow", [np.int32, np.uint8, np.int16])
def test_integers_of_any_width(narrow):
    weight, index = np.arange(12.0).reshape(4, 3), np.array([3, 0, 1])
    np.testing.assert_array_equal(F.embedding(index.astype(narrow), weight), F.embedding(index, weight))


@pytest.mark.parametrize("index", [-1, 4, 1 << 40])
def test_index_out_of_range(index, device):
    weight, indices = np.zeros((4, 3)), np.array([[0, 1], [index, 3]])
    message = rf"\[embedding\] input: expected indices in \[0, 4\), got {index} at flat position 2"
    with pytest.raises(ValueError, match=message):
        F.embedding(indices, weight)
    with pytest.raises(ValueError, match=message):
        F.embedding_backward(np.zeros((2, 2, 3)), indices, weight)


I, W = np.array([0, 1]), np.zeros((4, 3), np.float32)


@pytest.mark.parametrize(
    ("error", "message", "arguments", "options"),
    [
        (ValueError, r"weight: expected \(num_embeddings, embedding_dim\), got \(4,\)", (I, W[:, 0]), {}),
        (ValueError, r"padding_idx: expected a value in \[-4, 4\) .*got 4", (I, W), {"padding_idx": 4}),
        (ValueError, r"padding_idx: expected a value in \[-4, 4\) .*got -5", (I, W), {"padding_idx": -5}),
        (ValueError, "max_norm: .*unsupported, got 1.0", (I, W), {"max_norm": 1.0}),
        (ValueError, "sparse: .*unsupported, got True", (I, W), {"sparse": True}),
        (TypeError, "input: expected integers, got float64", (I * 1.0, W), {}),
        (TypeError, "input: expected integers, got bool", (I == 0, W), {}),
        (TypeError, "weight: expected float32 or float64, got int64", (I, W.astype(np.int64)), {}),
    ],
)
def test_bad_input(error, message, arguments, options):
    with pytest.raises(error, match=message):
        F.embedding(*arguments, **options)


def test_bad_gradient():
    with pytest.raises(ValueError, match=r"grad_output: expected \(2, 3\), got \(2, 4\)"):
        F.embedding_backward(np.zeros((2, 4), np.float32), I, W)


def test_layer():
    fastdl.manual_seed(0)
    layer = fastdl.nn.Embedding(1000, 8, padding_idx=-2)
    table = layer.weight.detach().numpy()
    assert not table[998].any() and table[997].all()
    assert abs(table.mean()) < 0.1 and abs(table.std() - 1) < 0.1
    np.testing.assert_array_equal(layer(np.array([[3, 998]])).detach().numpy(), table[[[3, 998]]])
    assert repr(layer) == "Embedding(1000, 8, padding_idx=998)"
    assert list(layer.state_dict()) == ["weight"]
    layer(np.array([3, 998])).sum().backward()
    np.testing.assert_array_equal(layer.weight.grad.numpy().sum(axis=1)[[3, 997, 998]], [8, 0, 0])


def test_layer_from_pretrained():
    table = fastdl.tensor(np.arange(12.0).reshape(4, 3))
    layer = fastdl.nn.Embedding.from_pretrained(table, padding_idx=1)
    assert not layer.weight.requires_grad
    assert np.shares_memory(layer.weight.numpy(), table.numpy())
    np.testing.assert_array_equal(layer(np.array([1])).numpy(), [[3, 4, 5]])
    assert fastdl.nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad


@pytest.mark.parametrize(
    ("message", "make"),
    [
        ("num_embeddings: expected at least 0, got -1", lambda: fastdl.nn.Embedding(-1, 3)),
        ("padding_idx: expected a value in", lambda: fastdl.nn.Embedding(4, 3, padding_idx=4)),
        ("max_norm: .*unsupported", lambda: fastdl.nn.Embedding(4, 3, max_norm=2.0)),
        ("sparse: .*unsupported", lambda: fastdl.nn.Embedding(4, 3, sparse=True)),
        (r"weight: expected \(4, 2\)", lambda: fastdl.nn.Embedding(4, 2, _weight=fastdl.zeros((4, 3)))),
        ("embeddings: expected", lambda: fastdl.nn.Embedding.from_pretrained(fastdl.zeros(3))),
    ],
)
def test_layer_bad_arguments(message, make):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_torch(case):
    torch = pytest.importorskip("torch")
    arrays = case.arrays(np.float64, integers=True)
    ours = fastdl.tensor(arrays["weight"], requires_grad=True)
    theirs = torch.tensor(arrays["weight"], requires_grad=True)
    got = F.embedding(arrays["input"], ours, **case.options)
    want = torch.nn.functional.embedding(torch.tensor(arrays["input"]), theirs, **case.options)
    np.testing.assert_array_equal(got.detach().numpy(), want.detach().numpy())
    (got * got).sum().backward()
    (want * want).sum().backward()
    grads = ours.grad.numpy(), theirs.grad.numpy()
    if "scale_grad_by_freq" in case.options:  # one division against a sum of quotients
        np.testing.assert_allclose(*grads, **tolerances.QUOTIENTS)
    else:
        np.testing.assert_array_equal(*grads)
