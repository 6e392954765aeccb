"""matmul and what is built on it (mm, bmm, dot, einsum) against the reference, on every device."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl.reference import matmul as reference

from tests import suite, tolerances
from tests.cases import matmul as cases

OP = "matmul"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL + cases.POSITIVE_DOTS, ids=str)
def test_reference(case, dtype, device):
    suite.check_reference(fastdl.matmul, reference, case, dtype)


@pytest.mark.parametrize("case", cases.SHAPES, ids=str)
def test_finite_differences(case):
    suite.check_finite_differences(reference, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL + cases.DOTS, ids=str)
def test_integers_are_exact(case, dtype, device):
    suite.check_integers_are_exact(fastdl.matmul, reference, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", [*cases.SHAPES, *cases.SIZES[-5:]], ids=str)
def test_layouts(case, dtype, device):
    suite.check_layouts(fastdl.matmul, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, device):
    suite.check_threads(fastdl.matmul, case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(case, device):
    suite.check_empty(fastdl.matmul, reference, case)


@pytest.mark.parametrize("transposed", ["input", "other", "both"])
@pytest.mark.parametrize("shape", [(40, 30, 20), (1, 30, 20), (40, 30, 1)], ids=str)
def test_transposes_are_read_in_place(shape, transposed):
    """The only memory that a product of transposed operands takes is its result's and the packed rows'."""
    rows, depth, columns = shape
    rng = np.random.default_rng(0)
    x, y = rng.integers(-4, 5, (rows, depth)) * 1.0, rng.integers(-4, 5, (depth, columns)) * 1.0
    want = fastdl.matmul(x, y)
    fastdl.reset_peak_memory_stats()
    fastdl.matmul(x, y)
    plain = fastdl.memory_stats()["peak_allocated_bytes"]
    if transposed != "other":
        x = np.asfortranarray(x)
    if transposed != "input":
        y = np.asfortranarray(y)
    fastdl.reset_peak_memory_stats()
    np.testing.assert_array_equal(fastdl.matmul(x, y), want)
    assert fastdl.memory_stats()["peak_allocated_bytes"] == plain


def test_batch_that_does_not_fold(device):
    """Leading axes without a common stride are rows of one matrix all the same."""
    x = np.arange(4 * 3 * 5.0).reshape(4, 3, 5).transpose(1, 0, 2)
    y = np.arange(10.0).reshape(5, 2)
    np.testing.assert_array_equal(fastdl.matmul(x, y), reference.forward(x, y))


def test_not_finite(device):
    """A NaN or an infinity stays in its row, and padding of the tiles brings none of its own."""
    x, y = np.ones((7, 5), np.float32), np.ones((5, 9), np.float32)
    x[2, 3], y[1, 4] = np.inf, np.nan
    got = fastdl.matmul(x, y)
    want = np.full((7, 9), 5.0)
    want[2], want[:, 4] = np.inf, np.nan
    np.testing.assert_array_equal(got, want)


def test_integers():
    x, y = np.arange(6).reshape(2, 3), np.arange(12).reshape(3, 4)
    product = fastdl.tensor(x) @ fastdl.tensor(y)
    assert product.dtype == np.int64
    np.testing.assert_array_equal(product.numpy(), reference.forward(x, y))


def test_forms():
    rng = np.random.default_rng(0)
    x, y = (fastdl.tensor(rng.standard_normal((3, 4, 4))) for _ in range(2))
    for got, want in [
        (fastdl.bmm(x, y), x @ y),
        (fastdl.mm(x[0], y[0]), (x @ y)[0]),
        (x[0].mm(y[0]), (x @ y)[0]),
        (fastdl.dot(x[0, 0], y[0, :, 0]), (x @ y)[0, 0, 0]),
        (x.numpy() @ y, x @ y),
        (x @ y.numpy(), x @ y),
    ]:
        assert isinstance(got, fastdl.Tensor)
        tolerances.assert_accurate(got.numpy(), want.numpy(), want.numpy(), np.float64, "form")


X, Y = np.zeros((2, 3, 4), np.float32), np.zeros((2, 4, 5), np.float32)
ROW = X[0, 0]


@pytest.mark.parametrize(
    ("error", "message", "function", "arguments"),
    [
        (ValueError, r"other: expected 4 rows .*shape \(3, 4\), got \(3, 4\)", fastdl.matmul, (X[0], X[0])),
        (ValueError, r"other: expected 4 rows .* \(4,\), got \(3,\)", fastdl.matmul, (ROW, ROW[:3])),
        (ValueError, r"batch axes that broadcast with .*\(2, 3, 4\)", fastdl.matmul, (X, Y[[0, 0, 0]])),
        (ValueError, r"input: expected at least one axis, got \(\)", fastdl.matmul, (X[0, 0, 0].reshape(()), Y)),
        (ValueError, r"\[bmm\] input: expected \(B, N, M\), got \(3, 4\)", fastdl.bmm, (X[0], Y)),
        (ValueError, r"\[bmm\] mat2: expected 2 matrices, got \(1, 4, 5\)", fastdl.bmm, (X, Y[:1])),
        (ValueError, r"\[mm\] mat2: expected \(M, P\), got \(2, 4, 5\)", fastdl.mm, (X[0], Y)),
        (ValueError, r"\[dot\] tensor: expected \(M\), got \(4, 5\)", fastdl.dot, (X[0, 0], Y[0])),
        (TypeError, "other: expected float32", fastdl.matmul, (X, Y.astype(np.float64))),
        (TypeError, "input: expected float32 or float64, got bool", fastdl.matmul, (X.astype(bool), Y.astype(bool))),
        (TypeError, "input: expected float32 or float64, got int64", fastdl.matmul, (X.astype(np.int64), Y)),
        (TypeError, "byte-swapped", fastdl.matmul, (X.astype(">f4"), Y)),
    ],
)  # fmt: skip
def test_bad_input(error, message, function, arguments):
    with pytest.raises(error, match=message):
        function(*arguments)


def test_bad_gradient():
    with pytest.raises(ValueError, match=r"grad_output: expected \(2, 3, 5\), got \(2, 3, 4\)"):
        F.matmul_backward(X, X, Y)


def test_backward_on_arrays():
    case = cases.SHAPES[8]
    arrays = case.arrays(np.float64, integers=True)
    grad = np.ones((2, 3, 5, 6))
    want = reference.backward(grad, **arrays)
    by_input, nothing = F.matmul_backward(grad, **arrays, output_mask=(True, False))
    np.testing.assert_array_equal(by_input, want["input"])
    assert nothing is None
    np.testing.assert_array_equal(F.matmul_backward(grad, **arrays)[1], want["other"])


EINSUMS = [
    ("ij,jk->ik", (3, 4), (4, 5)),
    ("ij,jk", (3, 4), (4, 5)),
    ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)),
    ("bqhd,bkhd->bhqk", (2, 3, 4, 5), (2, 6, 4, 5)),
    ("...ij,...jk->...ik", (2, 1, 3, 4), (3, 4, 5)),
    ("i,j->ij", (3,), (4,)),
    ("i,i", (3,), (3,)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("ij->ji", (3, 4)),
    ("ij->", (3, 4)),
    ("ij,kl->l", (3, 4), (5, 6)),
    ("iij,jk->k", (3, 3, 4), (4, 5)),
    ("ij,ij->ij", (3, 4), (3, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    ("bn,anm,bm->ba", (2, 3), (4, 3, 5), (2, 5)),
]


@pytest.mark.parametrize("problem", EINSUMS, ids=lambda problem: f"{problem[0]}-{problem[1]}")
def test_einsum(problem):
    """Values against NumPy, and gradients against finite differences."""
    equation, *shapes = problem
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-4, 5, shape) * 1.0 for shape in shapes]
    np.testing.assert_array_equal(fastdl.einsum(equation, *arrays), np.einsum(equation, *arrays))
    tensors = [fastdl.tensor(array, requires_grad=True) for array in arrays]
    assert fastdl.autograd.gradcheck(lambda *operands: fastdl.einsum(equation, *operands), tensors)


def test_einsum_broadcasts_axes_of_extent_one():
    x, y = np.arange(3.0).reshape(3, 1), np.arange(20.0).reshape(4, 5)
    got = fastdl.einsum("ij,jk->ik", x, y)
    np.testing.assert_array_equal(got, np.einsum("ij,jk->ik", np.broadcast_to(x, (3, 4)), y))
    tensors = [fastdl.tensor(array, requires_grad=True) for array in (x, y)]
    assert fastdl.autograd.gradcheck(lambda *operands: fastdl.einsum("ij,jk->ik", *operands), tensors)


def test_einsum_over_nothing():
    np.testing.assert_array_equal(fastdl.einsum("ij,jk->ik", np.ones((3, 0)), np.ones((0, 5))), 0)


@pytest.mark.parametrize(
    ("message", "equation", "shapes"),
    [
        ("expected one extent for index j, got 4 and 5", "ij,jk->ik", [(3, 4), (5, 6)]),
        ("expected 2 operands, got 1", "ij,jk->ik", [(3, 4)]),
        ("expected 2 axes for 'ij', got 3", "ij->i", [(3, 4, 5)]),
    ],
)
def test_bad_einsum(message, equation, shapes):
    with pytest.raises(ValueError, match=message):
        fastdl.einsum(equation, *(np.ones(shape) for shape in shapes))


def test_einsum_of_one_operand_is_no_view():
    x = np.ones((3, 4))
    assert not np.shares_memory(fastdl.einsum("ij->ji", x), x)


@pytest.mark.parametrize("case", cases.SHAPES, ids=str)
def test_torch(case):
    torch = pytest.importorskip("torch")
    arrays = case.arrays(np.float64, integers=True)
    ours = {name: fastdl.tensor(array, requires_grad=True) for name, array in arrays.items()}
    theirs = {name: torch.tensor(array, requires_grad=True) for name, array in arrays.items()}
    got, want = fastdl.matmul(**ours), torch.matmul(**theirs)
    np.testing.assert_array_equal(got.detach().numpy(), want.detach().numpy())
    (got * got).sum().backward()
    (want * want).sum().backward()
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(ours[name].grad.numpy(), tensor.grad.numpy())
