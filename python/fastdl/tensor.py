"""Tensor: an array, its gradient, and its place on the tape."""

from __future__ import annotations

import itertools
import operator
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from fastdl import _tape
from fastdl._alloc import POOLED_BYTES, over
from fastdl._memory_format import MemoryFormat, contiguous_format, is_contiguous
from fastdl._tensor_methods import TensorMethods
from fastdl.autograd import backward, no_grad
from fastdl.functional import arithmetic
from fastdl.functional._operands import check_unmasked

_UFUNCS: dict[Callable[..., Any], Any] = {
    arithmetic.add: np.add,
    arithmetic.sub: np.subtract,
    arithmetic.mul: np.multiply,
    arithmetic.div: np.divide,
}


class Device:
    """Where a Tensor's memory is; prints as its name, and equals it."""

    __slots__ = ("index", "type")

    def __init__(self, name: str) -> None:
        self.type, _, number = name.partition(":")
        self.index = int(number) if number else None

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


CPU = Device("cpu")


_hook_keys = itertools.count()  # never one twice, so that a handle removes no hook but its own


class RemovableHandle:
    """Takes a hook away again: by `remove`, or at the end of a `with` block."""

    def __init__(self, hooks: dict[int, Any], hook: Any, prepend: bool = False) -> None:
        self._hooks = hooks
        self._key = next(_hook_keys)
        others = list(hooks.items()) if prepend else []
        if prepend:
            hooks.clear()
        hooks[self._key] = hook
        hooks.update(others)

    def remove(self) -> None:
        self._hooks.pop(self._key, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.remove()


class Tensor(TensorMethods):
    """An array with a gradient and a place on the tape; `Tensor(array)` shares the array's memory.

    `data` is the array itself; writing to it goes past the version counter (see `_bump_version`).
    """

    _array: np.ndarray
    __array_priority__ = 1000
    _grad: Tensor | None = None
    _requires_grad = False
    _edge: Any = None
    _hooks: dict[int, Callable] | None = None
    _viewed_at = -1  # for a view, when it was taken

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        check_unmasked("Tensor", "data", data)
        self.data = data if isinstance(data, Tensor) else np.asarray(data)
        if requires_grad:
            self.requires_grad_()

    # ---- what it is

    def _set_data(self, data: Any) -> None:
        array = data._array if isinstance(data, Tensor) else data
        check_unmasked("Tensor", "data", array)
        if not isinstance(array, np.ndarray):
            raise TypeError(f"[Tensor] data: expected an array or a Tensor, got {type(data).__name__}")
        if array.dtype.kind not in "fiubV":
            raise TypeError(f"[Tensor] data: expected numbers, got {array.dtype}")
        if self._requires_grad and array.dtype.kind not in "fV":
            raise RuntimeError(
                f"data set to a tensor that requires gradients must be floating point, got {array.dtype}"
            )
        self._array = array

    # a getter in C, and the attribute itself where every nanosecond counts
    data = property(
        operator.attrgetter("_array"), _set_data, doc="The array; assigning a Tensor takes its array."
    )

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape

    @property
    def dtype(self) -> np.dtype:
        return self._array.dtype

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def device(self) -> Device:
        return CPU

    @property
    def is_leaf(self) -> bool:
        return self._edge is None

    @property
    def grad_fn(self) -> _tape.Op | None:
        return None if self._edge is None else self._edge[0]

    @property
    def requires_grad(self) -> bool:
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Sets whether a leaf is to get a gradient; an integer dtype or a non-leaf raises RuntimeError."""
        if self._edge is not None:
            if requires_grad:
                return self
            raise RuntimeError("you can only change requires_grad flags of leaf variables.")
        if requires_grad and self._array.dtype.kind not in "fV":
            raise RuntimeError(
                f"only Tensors of floating point dtype can require gradients, got {self._array.dtype}"
            )
        self._requires_grad = bool(requires_grad)
        return self

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the extent of one axis."""
        return self._array.shape if dim is None else self._array.shape[dim]

    def dim(self) -> int:
        return self._array.ndim

    def numel(self) -> int:
        return self._array.size

    nelement = numel

    def element_size(self) -> int:
        """Bytes of one element."""
        return self._array.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self._array.nbytes

    @property
    def _version(self) -> int:
        """How often the memory was changed in place, through this Tensor or another that shares it."""
        return _tape.writes.count(self._array)

    def is_floating_point(self) -> bool:
        return self._array.dtype.kind in "fV"

    def stride(self, dim: int | None = None) -> Any:
        """Steps in elements along each axis, or along one."""
        itemsize = self._array.dtype.itemsize
        if dim is not None:
            return self._array.strides[dim] // itemsize
        return tuple(step // itemsize for step in self._array.strides)

    def is_contiguous(self, memory_format: MemoryFormat = contiguous_format) -> bool:
        return is_contiguous(self._array, memory_format)

    # ---- the tape

    @property
    def grad(self) -> Tensor | None:
        """The gradients that backward has added up, None before the first; of the Tensor's shape and dtype."""
        return self._grad

    @grad.setter
    def grad(self, grad: Tensor | None) -> None:
        if grad is not None:
            if not isinstance(grad, Tensor):
                raise TypeError(f"[grad] expected a Tensor or None, got {type(grad).__name__}")
            if grad.data.shape != self.data.shape:
                raise ValueError(f"[grad] expected shape {self.data.shape}, got {grad.data.shape}")
            if grad.data.dtype != self.data.dtype:
                raise TypeError(f"[grad] expected {self.data.dtype}, got {grad.data.dtype}")
        self._grad = grad

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Adds this Tensor's gradients to the `.grad` of the leaves it was computed from, or of `inputs` alone."""
        backward(self, gradient, retain_graph, create_graph, inputs)

    def detach(self) -> Tensor:
        """The same memory, off the tape."""
        result = Tensor(self.data)
        result._viewed_at = sys.maxsize  # it has no history that a recorded change could leave behind
        return result

    def detach_(self) -> Tensor:
        """Takes this Tensor off the tape."""
        if self._viewed_at >= 0 and self._edge is not None:
            raise RuntimeError("Can't detach views in-place. Use detach() instead.")
        self._edge = None
        self._requires_grad = False
        return self

    def register_hook(self, hook: Callable[[Tensor], Any]) -> RemovableHandle:
        """Calls `hook(gradient)` once per backward; what it returns, if anything, replaces the gradient."""
        if not self._requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self._edge is None:
            if self._hooks is None:
                self._hooks = {}
            hooks = self._hooks
        else:
            node, index = self._edge
            if node.hooks is None:
                node.hooks = {}
            hooks = node.hooks.setdefault(index, {})
        return RemovableHandle(hooks, hook)

    def retain_grad(self) -> None:
        """Makes backward leave a gradient in `.grad` of this non-leaf Tensor too."""
        if not self._requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self._edge is not None:
            node, index = self._edge
            if node.retained is None:
                node.retained = {}
            node.retained[index] = weakref.ref(self)

    def _bump_version(self) -> None:
        """Tells the tape that `data` was written to directly, as a fused optimiser step does."""
        _tape.writes.note(self.data)

    def _writes_recorded(self, *args: Any) -> bool:
        return _tape.mode.grad_enabled and (
            self._requires_grad or any(isinstance(arg, Tensor) and arg._requires_grad for arg in args)
        )

    def _views_a_leaf(self) -> bool:
        edge = self._edge
        while type(edge) is tuple and edge[0].view:
            edge = next(source for source in edge[0].edges if source is not None)
        return (
            edge is not self._edge and isinstance(edge, Tensor) and _tape.shares_memory(edge.data, self.data)
        )

    def _change(self, compute: Callable[..., Any], *args: Any) -> Tensor:
        """Puts ``compute(self, *args)`` in place of the values, and on the tape in place of the history."""
        if not self._writes_recorded(*args):
            if not self._calculated_in_place(compute, *args):
                with no_grad():
                    result = compute(self, *args)
                self._store(result)
            return self
        self._check_recorded_write()
        before = Tensor(self.data.copy(order="K"))
        before._requires_grad, before._edge = self._requires_grad, self._edge
        result = compute(before, *args)
        self._store(result, holder=self)
        self._rebase(result)
        return self

    def _calculated_in_place(self, compute: Callable[..., Any], *args: Any) -> bool:
        """`compute` written over the values in one pass, where they are many and it is a simple one of two arrays."""
        ufunc = _UFUNCS.get(compute)
        if ufunc is None or self._array.nbytes < POOLED_BYTES or len(args) != 1:
            return False
        other = args[0]._array if isinstance(args[0], Tensor) else args[0]
        if type(other) is float and self._array.dtype.kind == "f":
            other = np.asarray(other, self._array.dtype)
        if type(other) is not np.ndarray or other.dtype != self._array.dtype or self._array.dtype.kind != "f":
            return False
        if other.shape != self._array.shape and other.ndim > 0:
            return False
        self._check_no_overlap()
        over(ufunc, self._array, self._array, other)
        _tape.writes.note(self._array)
        return True

    def _check_no_overlap(self) -> None:
        strides = self.data.strides
        if self.data.size and any(
            step == 0 and extent > 1 for step, extent in zip(strides, self.data.shape, strict=True)
        ):
            raise RuntimeError(
                "unsupported operation: more than one element of the written-to tensor refers to a single "
                "memory location. Please clone() the tensor before performing the operation."
            )

    def _overwrite(self, op: type[_tape.Op], *args: Any) -> Tensor:
        """`_change` by an op whose forward writes its result over its first argument."""
        self._check_no_overlap()
        if not self._writes_recorded(*args):
            with no_grad():
                op.apply(self, *args)
            _tape.writes.note(self.data)
            return self
        self._check_recorded_write()
        before: Any = Tensor(self.data)
        before._requires_grad, before._edge = self._requires_grad, self._edge
        before._viewed_at = _tape.writes.now
        result = op.apply(before, *args)
        _tape.writes.note(self.data, self)
        if result._edge is not None:
            result._edge[0].stamp = _tape.writes.now  # what it saved of this memory is its own output
        self._rebase(result)
        return self

    def _check_recorded_write(self) -> None:
        if self._edge is None and self._requires_grad:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        _tape.writes.check_history(self)
        if self._views_a_leaf():
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place operation."
            )

    def _take_over(self, index: Any, value: Tensor) -> None:
        """For `x[index] *= y`, which changes the view `x[index]` and then assigns it to where it is."""
        if (
            _tape.writes.recorded
            and _tape.shares_memory(value.data, self.data)
            and _extents(index.of(self.data)) == _extents(value.data)
        ):
            _tape.writes.hand_over(value, self)

    def _rebase(self, result: Tensor) -> None:
        """Puts the history of `result` in place of this Tensor's own."""
        before = self._edge
        self._requires_grad, self._edge = result._requires_grad, result._edge
        if before is not None and before[0].retained and before[1] in before[0].retained:
            del before[0].retained[before[1]]
            self.retain_grad()

    def _store(self, result: Any, holder: Tensor | None = None, casting: Any = "same_kind") -> None:
        self._check_no_overlap()
        values = result.data if isinstance(result, Tensor) else np.asarray(result)
        if np.broadcast_shapes(values.shape, self.data.shape) != self.data.shape:
            raise ValueError(
                f"output with shape {self.data.shape} doesn't match the broadcast shape {values.shape}"
            )
        if not np.can_cast(values.dtype, self.data.dtype, casting):
            raise TypeError(f"result type {values.dtype} can't be cast to {self.data.dtype}")
        np.copyto(self.data, values, casting=casting)
        _tape.writes.note(self.data, holder)

    # ---- to and from the rest of Python

    def numpy(self) -> np.ndarray:
        """The array, sharing memory. Raises RuntimeError where the Tensor requires grad."""
        if self._requires_grad:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
            )
        return self.data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(
                    f"[Tensor] __array__: expected dtype {array.dtype} for copy=False, got {dtype}"
                )
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, **options: Any) -> Any:
        if self._requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        if any(step < 0 for step in self.data.strides):  # PyTorch ends the process on them
            raise BufferError("Can't export tensors with negative strides, use tensor.clone()")
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.data.__dlpack_device__()

    def item(self) -> Any:
        """The one element as a Python number. Raises ValueError where there is not exactly one."""
        array = self._array
        if array.size != 1:
            raise ValueError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
        return array.item()

    def tolist(self) -> Any:
        return self.data.tolist()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.data.dtype.kind not in "iu" or self.data.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def __bool__(self) -> bool:
        if self.data.size != 1:
            raise RuntimeError(f"Boolean value of Tensor with {self.data.size} values is ambiguous")
        return bool(self.data.item())

    def __len__(self) -> int:
        if self.data.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self.data.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self.data.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __contains__(self, element: Any) -> bool:
        return bool((self.data == (element.data if isinstance(element, Tensor) else element)).any())

    __hash__ = object.__hash__

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self.data.ndim == 0 and spec else repr(self)

    def __repr__(self) -> str:
        text = np.array2string(self.data, separator=", ", prefix="tensor(", threshold=1000, edgeitems=3)
        parts = [text]
        if self.data.dtype not in (np.float32, np.int64, np.bool_):
            parts.append(f"dtype={self.data.dtype}")
        if self.data.size == 0 and self.data.ndim != 1:
            parts.append(f"size={self.data.shape}")
        if self._edge is not None:
            parts.append(f"grad_fn={self._edge[0]!r}")
        elif self._requires_grad:
            parts.append("requires_grad=True")
        return f"tensor({', '.join(parts)})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self._edge is not None:
            raise RuntimeError(
                "Only Tensors created explicitly by the user support the deepcopy protocol, got one with "
                f"grad_fn={self._edge[0]!r}"
            )
        result = type(self).__new__(type(self))
        memo[id(self)] = result
        for name, value in self.__dict__.items():
            if name not in ("_array", "_grad", "_hooks", "_viewed_at"):
                result.__dict__[name] = value
        result._array = self.data.copy(order="K")
        if self._grad is not None:
            result._grad = self._grad.__deepcopy__(memo)
        return result

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self._edge is not None:
            raise RuntimeError("cannot pickle a Tensor that is not a leaf; call detach() first")
        return _rebuild, (type(self), self.data, self._requires_grad)


def _extents(array: np.ndarray) -> tuple[Any, ...]:
    return array.__array_interface__["data"][0], array.shape, array.strides


def _rebuild(kind: type[Tensor], data: np.ndarray, requires_grad: bool) -> Tensor:
    tensor = kind.__new__(kind)
    tensor._array = data
    tensor._requires_grad = requires_grad
    return tensor


_tape.Tensor = Tensor  # type: ignore[misc]
