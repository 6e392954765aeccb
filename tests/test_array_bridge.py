"""Arrays of other libraries as operands: those whose memory the CPU can read, and those that are refused."""

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
