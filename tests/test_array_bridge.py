"""Arrays of other libraries as operands: those whose memory the CPU can read, and those that are refused."""

import fastdl
import fastdl.functional as F
import numpy as np
import pytest

VALUES = np.array([[1.0, 2.0, 3.0]], np.float32)


class DLPackArray:
    """Speaks DLPack alone, from a device of any type."""

    def __init__(self, device=1):
        self.device = device

    def __dlpack__(self, **options):
        return VALUES.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device, 0


class CuPyArray(DLPackArray):
    """Shaped like cupy.ndarray, whose __array__ raises."""

    def __init__(self):
        super().__init__(2)
        self.shape, self.ndim = (1, 3), 2

    @property
    def __cuda_array_interface__(self):
        return {"shape": (1, 3), "typestr": "<f4", "data": (16, False), "version": 3}

    def __array__(self, *args, **options):
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")


class Unreadable(DLPackArray):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def __dlpack__(self, **options):
        raise self.error


@pytest.mark.parametrize("kind", [1, 3, 11, 13])
def test_dlpack_memory_that_the_cpu_reads(kind):
    if kind != 1:
        pytest.importorskip("numpy", "2.1", reason="older ones ask the memory itself, not the object")
    np.testing.assert_array_equal(F.softmax(DLPackArray(kind), 1), F.softmax(VALUES, 1))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (CuPyArray(), "got a CuPyArray on a CUDA device, for which this build has no backend"),
        (DLPackArray(2), "got a DLPackArray on a CUDA device"),
        (DLPackArray(10), "got a DLPackArray on a device of DLPack type 10"),
    ],
)
def test_other_devices_are_refused(array, message):
    for call in (lambda: F.softmax(array, 1), lambda: F.linear(VALUES, array), lambda: F.relu(array)):
        with pytest.raises(
            ValueError, match=rf"^\[\w+\] (input|weight): expected an array on the CPU, {message}"
        ):
            call()


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (BufferError("no export"), ValueError),
        (RuntimeError("no dtype"), TypeError),
        (KeyError("x"), KeyError),
    ],
)
def test_refused_exports(raised, error):
    with pytest.raises(error) as caught:
        F.linear(VALUES, Unreadable(raised))
    if error is not KeyError:
        assert str(caught.value) == (
            "[linear] weight: expected an array that NumPy can read, got a Unreadable of which DLPack says: "
            f"{raised}"
        )


def test_tensors_of_torch():
    torch = pytest.importorskip("torch")
    values = torch.from_numpy(VALUES)
    np.testing.assert_array_equal(F.softmax(values, 1), F.softmax(VALUES, 1))
    with pytest.raises(ValueError, match=r"\[softmax\] input: expected an array that NumPy can read"):
        F.softmax(values.clone().requires_grad_(), 1)
    with pytest.raises(TypeError, match=r"\[softmax\] input: expected an array that NumPy can read"):
        F.softmax(values.bfloat16(), 1)


class InterfaceArray:
    """Speaks __array_interface__ alone."""

    def __init__(self, array):
        self.array, self.__array_interface__ = array, array.__array_interface__


@pytest.mark.parametrize(
    "wrapped", [InterfaceArray, lambda array: DLPackOf(array)], ids=["interface", "dlpack"]
)
def test_objects_without_a_shape(wrapped):
    x, y = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(fastdl.mm(wrapped(x), wrapped(y)), x @ y)
    np.testing.assert_array_equal(fastdl.bmm(wrapped(x[None]), wrapped(y[None]))[0], x @ y)
    np.testing.assert_array_equal(fastdl.dot(wrapped(x[0]), wrapped(x[1])), x[0] @ x[1])
    np.testing.assert_array_equal(fastdl.tensor(wrapped(x)).data, x)


class DLPackOf(DLPackArray):
    def __init__(self, array):
        super().__init__()
        self.array = array

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)


@pytest.mark.parametrize("dtype", [">i8", ">i4", ">u2"])
def test_byte_swapped_integers_are_refused(dtype):
    index = np.array([0, 1]).astype(dtype)
    x = np.ones((2, 3), np.float32)
    for call in (
        lambda: F.embedding(index, x),
        lambda: F.cross_entropy(x, index),
        lambda: F.nll_loss(x, index),
    ):
        with pytest.raises(TypeError, match=r"(input|target): expected native byte order, got byte-swapped"):
            call()


def test_masked_arrays_are_refused():
    masked = np.ma.masked_array(np.ones((2, 2), np.float32), mask=[[True, False], [False, False]])
    for call in (
        lambda: F.linear(masked, masked),
        lambda: F.relu(masked),
        lambda: F.relu_(masked),
        lambda: fastdl.add(masked, masked),
        lambda: fastdl.exp(masked),
        lambda: fastdl.tensor(masked),
        lambda: fastdl.as_tensor(masked),
        lambda: fastdl.Tensor(masked),
        lambda: F.embedding(np.ma.masked_array([0, 1]), VALUES),
    ):
        with pytest.raises(TypeError, match="expected an array without a mask, got MaskedArray"):
            call()
    np.testing.assert_array_equal(F.relu(VALUES.view(np.recarray)), VALUES)


def test_elements_that_share_memory_are_not_changed_in_place():
    memory = np.arange(-4.0, 5.0, dtype=np.float32)
    view = np.lib.stride_tricks.as_strided
    before = memory.copy()
    for shared in (
        view(memory, (3, 3), (4, 4)),
        view(memory, (3,), (0,)),
        view(memory, (2, 2), (8, 8)),
        view(memory[8:], (3, 3), (-4, -8)),
    ):
        for call in (
            lambda x: F.relu_(x),
            lambda x: F.leaky_relu_(x),
            lambda x: F.dropout(x, 0.5, inplace=True),
            lambda x: F.sgd_step([x], [np.ones_like(x)], [], lr=0.1),
        ):
            with pytest.raises(ValueError, match="expected elements that share no memory to change in place"):
                call(shared)
    np.testing.assert_array_equal(memory, before)
    apart = [memory.reshape(3, 3).T, memory[::-2], view(memory, (2, 3), (4, 8))[:, :2], memory[:0]]
    for array in [*apart, view(memory, (3, 1), (8, 0))]:
        F.relu_(array)
    with pytest.raises(ValueError, match="more than 16 dimensions"):
        F.relu_(view(memory, (1,) * 17, (0,) * 17))
