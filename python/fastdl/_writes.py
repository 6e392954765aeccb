"""Which memory was changed in place, when, and by whose history: what the tape holds against what it saved."""

from __future__ import annotations

import datetime
import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fastdl.tensor import Tensor

Array = Any  # a NumPy array, or an array of another library that acts like one


class _Entry:
    """The changes in place of one array that owns its memory."""

    __slots__ = ("count", "former", "holder", "last", "rebased", "reference")

    def __init__(self) -> None:
        self.count = 0
        self.last = 0
        self.rebased = -1  # when a change was last recorded
        self.holder: Any = None  # the Tensor whose history has that change
        self.former: tuple[int, Any] = (-1, None)  # `rebased` and `holder` before the holder changed
        self.reference: Any = None


class Writes:
    """When memory was last changed in place. Views share the entry of the array that owns their memory."""

    def __init__(self) -> None:
        self.now = 0
        self.recorded = 0  # entries with a recorded change, by which other Tensors may be out of date
        self._entries: dict[int, _Entry] = {}
        self._lock = threading.RLock()  # note() may meet _forget() in its own thread, as any allocation may

    def note(self, array: Array, holder: Tensor | None = None) -> None:
        """Counts an in-place change; a recorded one names the Tensor that has it in its history."""
        owner = _owner(array)
        key = id(owner)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry()
                entry.reference = weakref.ref(owner, lambda _: self._forget(key))
            self.now = entry.last = self.now + 1
            entry.count += 1
            if holder is not None:
                self.recorded += entry.rebased < 0
                if entry.holder is None or entry.holder() is not holder:
                    entry.former = entry.rebased, entry.holder
                entry.rebased = self.now
                entry.holder = weakref.ref(holder)

    def _forget(self, key: int) -> None:
        with self._lock:
            entry = self._entries.pop(key, None)
            if entry is not None and entry.rebased >= 0:
                self.recorded -= 1

    def count(self, array: Array) -> int:
        entry = self._entries.get(id(_owner(array)))
        return 0 if entry is None else entry.count

    def changed_since(self, array: Array, stamp: int) -> bool:
        entry = self._entries.get(id(_owner(array)))
        return entry is not None and entry.last > stamp

    def hand_over(self, view: Tensor, base: Tensor) -> None:
        """Lets `base`, which is about to record `view` as a part of it, follow on the changes made through it."""
        with self._lock:
            entry = self._entries.get(id(_owner(base.data)))
            if entry is None or entry.holder is None or entry.holder() is not view:
                return
            rebased, holder = entry.former
            if base._viewed_at >= rebased or (holder is not None and holder() is base):
                entry.holder = weakref.ref(base)
                view._viewed_at = self.now

    def check_history(self, tensor: Tensor) -> None:
        """Raises RuntimeError where another Tensor has a recorded change of the memory in its history."""
        entry = self._entries.get(id(_owner(tensor.data)))
        if (
            entry is None
            or entry.rebased < 0
            or tensor._viewed_at >= entry.rebased
            or entry.holder() is tensor
        ):
            return
        raise RuntimeError(
            "[autograd] a Tensor was used after a recorded operation changed its memory in place through "
            "another Tensor, of which it is a view or the base; use that Tensor from there on, and views of it"
        )


_Capsule = type(datetime.datetime_CAPI)  # what holds the memory of the pool's arrays


def _owner(array: Array) -> Array:
    while (base := getattr(array, "base", None)) is not None:
        if not isinstance(base, np.ndarray):
            if type(base) is _Capsule:
                break
            base = getattr(base, "base", None)  # as_strided puts an object of its own between the two
            if not isinstance(base, np.ndarray):
                break
        array = base
    return array


writes = Writes()


def shares_memory(array: Array, other: Array) -> bool:
    """Whether one is a view of the other, or both of a third."""
    return _owner(array) is _owner(other)


def is_view(array: Array, inputs: Sequence[Any]) -> bool:
    owner = _owner(array)
    return any(isinstance(other, np.ndarray) and _owner(other) is owner for other in inputs)
