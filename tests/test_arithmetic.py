"""add, sub, mul and div on arrays that are large enough for the library's threads, on every device."""

import itertools

import fastdl
import numpy as np
import pytest
from fastdl import _core
from fastdl.functional import arithmetic as F
from fastdl.reference import arithmetic as reference

from tests import suite
from tests.cases import arithmetic as cases

OP = "arithmetic"
NAMES = ["add", "sub", "mul", "div"]
UFUNCS = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide}
NUMBERS = {"copy": 0, "negate": 1, "add": 2, "sub": 3, "mul": 4, "div": 5}
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-42, -1e-42, 1e30, -1e30, 1.0]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(name, case, dtype, device):
    suite.check_reference(getattr(F, name), getattr(reference, name), case, dtype)


@pytest.mark.parametrize("case", cases.ALL[:2] + cases.BROADCAST, ids=str)
def test_finite_differences(name, case):
    suite.check_finite_differences(getattr(reference, name), case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_the_bits_are_numpys(name, case, dtype, device):
    arrays = case.arrays(dtype)
    np.testing.assert_array_equal(getattr(F, name)(**arrays), UFUNCS[name](*arrays.values()))


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.SIZES, ids=str)
def test_layouts(name, case, dtype, device):
    suite.check_layouts(getattr(F, name), case, dtype)


@pytest.mark.parametrize("layout", suite.LAYOUTS)
@pytest.mark.parametrize("case", cases.BROADCAST, ids=str)
def test_layouts_of_broadcast_operands(name, case, layout, device):
    """The gradients of these are sums, which NumPy adds up in an order that depends on the layout."""
    arrays = case.arrays(np.float32)
    changed = [suite.LAYOUTS[layout](array) for array in arrays.values()]
    np.testing.assert_array_equal(getattr(F, name)(*changed), getattr(F, name)(**arrays))


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(name, case, dtype, isa):
    suite.check_threads(getattr(F, name), case, dtype)


@pytest.mark.parametrize("case", cases.EMPTY, ids=str)
def test_empty(name, case, device):
    suite.check_empty(getattr(F, name), getattr(reference, name), case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
def test_special_values(name, dtype, device):
    pairs = np.array(list(itertools.product(SPECIAL, SPECIAL)) * 64, dtype)
    x, y = np.ascontiguousarray(pairs.T)
    with np.errstate(all="ignore"):
        want = UFUNCS[name](x, y)
    found = getattr(F, name)(x, y)
    np.testing.assert_array_equal(found, want)
    np.testing.assert_array_equal(np.signbit(found[~np.isnan(want)]), np.signbit(want[~np.isnan(want)]))


def test_channels_last_is_kept(device):
    x = fastdl.ones((2, 32, 9, 16)).to(memory_format=fastdl.channels_last)
    y = fastdl.ones((1, 32, 1, 1))
    assert (x + y).is_contiguous(memory_format=fastdl.channels_last)
    np.testing.assert_array_equal((x + y).numpy(), 2)


def run(name, output, *operands):
    return _core.arithmetic(NUMBERS[name], output, *operands)


@pytest.mark.parametrize("order", ["C", "F"])
def test_copy_and_negate(order, isa):
    x = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    out = np.empty((3, 4, 5), np.float32, order)
    assert run("copy", out, x.copy(order))
    np.testing.assert_array_equal(out, x)
    assert run("negate", out, out)
    np.testing.assert_array_equal(out, -x)


def test_what_is_left_to_numpy(isa):
    """False, and nothing written."""
    x, out = np.ones(64, np.float32), np.full(64, 7, np.float32)
    read_only = out.copy()
    read_only.flags.writeable = False
    misaligned = np.zeros(65 * 4, np.uint8)[1:257].view(np.float32)
    for output, operands in [
        (out, (x.astype(np.float64), x)),
        (out, (x, x.astype(np.int32))),
        (out, (x.astype(">f4"), x)),
        (out, (x, misaligned)),
        (out, (x, [1.0] * 64)),
        (out, (x, np.ones(32, np.float32))),
        (out, (x, np.ones((2, 64), np.float32))),
        (out, (x, np.ones(128, np.float32)[::2])),
        (out[::2], (x[:32], x[:32])),
        (out[:32], (x[:32], out[1:33])),
        (out[:32], (out[31::-1], x[:32])),
        (read_only, (x, x)),
        (out[:0], (x[:0], x[:0])),
    ]:
        assert not run("add", output, *operands)
    np.testing.assert_array_equal(out, 7)


@pytest.mark.parametrize("shape", [(5000,), (3, 5000)])
def test_in_place(name, shape, device):
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, *shape)).astype(np.float32) + 3
    for other in (y, np.float32(1.5), y[..., :1]):
        tensor = fastdl.tensor(x.copy())
        memory, version = tensor.data, tensor._version
        operand = fastdl.tensor(np.asarray(other)) if np.ndim(other) else float(other)
        assert getattr(tensor, name + "_")(operand) is tensor
        assert tensor.data is memory and tensor._version == version + 1
        np.testing.assert_array_equal(memory, UFUNCS[name](x, other))


def test_in_place_with_its_own_reverse():
    """Operands that overlap the output are read before they are written."""
    x = np.arange(8192, dtype=np.float32)
    tensor = fastdl.tensor(x.copy())
    tensor += fastdl.tensor(tensor.data[::-1])
    np.testing.assert_array_equal(tensor.numpy(), x + x[::-1])
    tensor = fastdl.Tensor(x.copy())
    tensor += fastdl.Tensor(tensor.data[::-1])
    np.testing.assert_array_equal(tensor.numpy(), 8191)


def test_leaves_have_gradients_of_their_own(isa):
    x = fastdl.tensor(np.ones(8192, np.float32), requires_grad=True)
    y = fastdl.tensor(np.ones(8192, np.float32), requires_grad=True)
    seed = np.full(8192, 2, np.float32)
    (x + y).backward(fastdl.Tensor(seed))
    (x * y).backward(fastdl.Tensor(seed))
    np.testing.assert_array_equal(seed, 2)
    assert not np.shares_memory(x.grad.data, y.grad.data)
    np.testing.assert_array_equal(x.grad.numpy(), 4)
