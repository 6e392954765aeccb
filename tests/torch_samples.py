"""PyTorch's own sample inputs (torch.testing._internal), turned into ours; results and gradients held against its."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from typing import Any

import fastdl
import numpy as np
import pytest

from tests import tolerances

# What an input that PyTorch refuses may raise here.
REFUSALS = (ValueError, TypeError, RuntimeError, IndexError)
NO_SUCH_SIGNATURE = re.compile(
    r"unexpected keyword|positional arguments?|multiple values for|incompatible function arguments"
)

PYTORCH_MAY_WARN = pytest.mark.filterwarnings("ignore::UserWarning")

FLOATS = ["float32", "float64"]
DTYPES = [*FLOATS, "int64", "bool"]
NUMPY_HAS = [*DTYPES, "float16", "uint8", "int8", "int16", "int32"]


class Unsupported(Exception):
    """The sample holds something that fastdl does not have; says what."""


def names(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


def require(module: str) -> Any:
    """A module of PyTorch's sample databases; the test is skipped where it cannot be imported."""
    pytest.importorskip("torch", reason="PyTorch is not installed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ImportWarning
            )  # PyTorch's tests would like hypothesis; samples do not
            return importlib.import_module(f"torch.testing._internal.{module}")
    except ImportError as error:
        pytest.skip(f"PyTorch's sample databases cannot be imported: {error}")


@pytest.fixture(autouse=True)
def one_thread():
    """For the test modules that import it: what the samples hold is too small to share out."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# ---- torch -> fastdl -------------------------------------------------------------------------------------------------


class Converter:
    """Turns torch arguments into ours; `leaves` collects the Tensors of both that want gradients.

    The arrays share the torch Tensors' memory, and with it their strides, unless `copy` is for what an op changes.
    """

    def __init__(self, copy: bool = False) -> None:
        import torch

        self._torch = torch
        self._copy = copy
        self._made: dict[int, fastdl.Tensor] = {}
        self.leaves: list[tuple[Any, fastdl.Tensor]] = []

    def __call__(self, value: Any) -> Any:
        torch = self._torch
        if isinstance(value, torch.Tensor):
            if id(value) not in self._made:
                self._made[id(value)] = self._tensor(value)
            return self._made[id(value)]
        if isinstance(value, torch.dtype):
            return self._dtype(value)
        if isinstance(value, torch.memory_format):
            return self._memory_format(value)
        if isinstance(value, torch.Size):
            return tuple(value)
        if isinstance(value, torch.device):
            return self._device(value.type)
        if isinstance(value, torch.layout):
            raise Unsupported("layouts")
        if isinstance(value, complex):
            raise Unsupported("complex numbers")
        if isinstance(value, list | tuple):
            return type(value)(self(item) for item in value)
        if isinstance(value, dict):
            return {key: self(item) for key, item in value.items()}
        return value

    def _tensor(self, value: Any) -> fastdl.Tensor:
        if value.layout != self._torch.strided:
            raise Unsupported("sparse tensors")
        self._dtype(value.dtype)
        self._device(value.device.type)
        if value.ndim > 32:
            raise Unsupported("more axes than NumPy's 32")
        array = value.detach().numpy()
        tensor = fastdl.Tensor(array.copy() if self._copy else array, requires_grad=value.requires_grad)
        if value.requires_grad:
            self.leaves.append((value, tensor))
        return tensor

    def _dtype(self, dtype: Any) -> np.dtype:
        name = str(dtype).removeprefix("torch.")
        if name not in NUMPY_HAS:
            raise Unsupported(f"dtype {name}")
        return np.dtype(name)

    def _device(self, kind: str) -> str:
        if kind != "cpu":
            raise Unsupported(f"device {kind}")
        return kind

    def _memory_format(self, value: Any) -> Any:
        formats = {
            self._torch.channels_last: fastdl.channels_last,
            self._torch.contiguous_format: fastdl.contiguous_format,
            self._torch.preserve_format: fastdl.preserve_format,
        }
        if value not in formats:
            raise Unsupported(f"memory format {value}")
        return formats[value]


def describe(value: Any) -> str:
    """An argument in short: Tensors by shape and dtype."""
    if hasattr(value, "requires_grad") and hasattr(value, "shape"):
        kind = str(value.dtype).removeprefix("torch.")
        return f"{kind}{list(value.shape)}"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(map(describe, value)) + ")"
    if isinstance(value, dict):
        return ", ".join(f"{key}={describe(item)}" for key, item in value.items())
    return repr(value)


# ---- comparison ------------------------------------------------------------------------------------------------------


def flatten(outputs: Any) -> list[Any]:
    """Tensors and plain values of an answer, in order."""
    if isinstance(outputs, list | tuple):
        return [item for output in outputs for item in flatten(output)]
    if isinstance(outputs, dict):
        return flatten(list(outputs.values()))
    return [outputs]


def compare(found: Any, expected: Any, what: str, values: bool = True) -> None:
    """One output or gradient of ours beside PyTorch's: shape, dtype and, where `values`, what is in it."""
    import torch

    if not isinstance(expected, torch.Tensor):
        assert found == expected, f"{what}: {found!r}, expected {expected!r}"
        return
    assert isinstance(found, fastdl.Tensor), f"{what}: {type(found).__name__}, expected a Tensor"
    array, wanted = found.detach().numpy(), expected.detach().resolve_conj().numpy()
    assert array.shape == wanted.shape, f"{what}: shape {array.shape}, expected {wanted.shape}"
    assert array.dtype == wanted.dtype, f"{what}: dtype {array.dtype}, expected {wanted.dtype}"
    if values:
        tolerances.assert_like_torch(array, wanted, what)


def check_answer(
    found: Any, expected: Any, leaves: list[tuple[Any, fastdl.Tensor]], values: bool = True
) -> None:
    """Outputs, and the gradients of `leaves` for the same random gradients of the outputs."""
    import torch

    found, expected = flatten(found), flatten(expected)
    assert len(found) == len(expected), f"{len(found)} outputs, expected {len(expected)}"
    for i, (one, other) in enumerate(zip(found, expected, strict=True)):
        compare(one, other, f"output {i}", values)
    wanted = [isinstance(other, torch.Tensor) and other.requires_grad for other in expected]
    has = [isinstance(one, fastdl.Tensor) and one.requires_grad for one in found]
    assert has == wanted, f"requires_grad of the outputs: {has}, expected {wanted}"
    if not any(wanted) or not values:
        return
    pairs = [(one, other) for one, other, want in zip(found, expected, wanted, strict=True) if want]
    grads = [torch.randn(other.shape, dtype=other.dtype) for _, other in pairs]
    wanted_grads = torch.autograd.grad(
        [other for _, other in pairs], [leaf for leaf, _ in leaves], grads, allow_unused=True
    )
    for _, leaf in leaves:
        leaf.grad = None
    fastdl.autograd.backward([one for one, _ in pairs], [fastdl.tensor(g.numpy()) for g in grads])
    for i, (wanted_grad, (_, leaf)) in enumerate(zip(wanted_grads, leaves, strict=True)):
        if wanted_grad is None:
            assert leaf.grad is None, f"gradient {i}: given, expected none"
        else:
            assert leaf.grad is not None, f"gradient {i}: none, expected one"
            compare(leaf.grad, wanted_grad, f"gradient {i}")


class Report:
    """Collects what failed, so that one test tells of all its samples."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.checked = 0

    def run(self, what: str, check: Callable[[], None]) -> None:
        self.checked += 1
        try:
            check()
        except Exception as error:  # every sample has its turn; finish() raises
            message = str(error).strip().splitlines() or [""]
            self.failures.append(f"{what}: {type(error).__name__}: {' '.join(message[:4])[:300]}")

    def finish(self) -> None:
        assert self.checked, "no sample was checked"
        shown = "\n".join(self.failures[:20])
        assert not self.failures, f"{len(self.failures)} of {self.checked} samples failed:\n{shown}"


def check_refused(call: Callable[[], Any]) -> None:
    """An input that PyTorch refuses raises here too, and not because the function takes no such arguments."""
    try:
        call()
    except REFUSALS as error:
        if isinstance(error, TypeError) and NO_SUCH_SIGNATURE.search(str(error)):
            raise AssertionError(f"not checked: {error}") from error
        return
    raise AssertionError("accepted")
