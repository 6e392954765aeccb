"""What `Module.load_state_dict` does: compare everything first, copy afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastdl._interop import as_host_array, write_
from fastdl.tensor import Tensor


class LoadPlan:
    """The pairs of a module's members and the values meant for them, and what is wrong with them."""

    def __init__(
        self, members: Mapping[str, Tensor], values: Mapping[str, Any], any_dtype: bool = False
    ) -> None:
        if not isinstance(values, Mapping):
            raise TypeError(f"[load_state_dict] state_dict: expected a mapping, got {type(values).__name__}")
        self.missing = [key for key in members if key not in values]
        self.unexpected = [key for key in values if key not in members]
        self._problems: list[str] = []
        self._any_dtype = any_dtype
        self._copies: dict[str, tuple[Tensor, Any]] = {}
        for key, member in members.items():
            if key in values:
                self._pair(key, member, values[key])

    def _pair(self, key: str, member: Tensor, value: Any) -> None:
        try:
            array = as_host_array(value)
        except TypeError as error:
            self._problems.append(f"{key}: {error}")
            return
        if member.shape == () and array.shape == (1,):  # scalars were stored so before PyTorch 0.4
            array = array.reshape(())
        if array.shape != tuple(member.shape):
            self._problems.append(
                f"size mismatch for {key}: expected {member.shape}, got {array.shape} in the state_dict"
            )
        elif not self._any_dtype and not np.can_cast(array.dtype, member.dtype, casting="same_kind"):
            self._problems.append(
                f"dtype mismatch for {key}: expected {member.dtype}, got {array.dtype} in the state_dict"
            )
        else:
            self._copies[key] = member, array

    def check(self, model: str, strict: bool) -> None:
        problems = list(self._problems)
        if strict and self.unexpected:
            problems.insert(0, f"unexpected key(s) in state_dict: {_listed(self.unexpected)}")
        if strict and self.missing:
            problems.insert(0, f"missing key(s) in state_dict: {_listed(self.missing)}")
        if problems:
            raise RuntimeError(f"Error(s) in loading state_dict for {model}:\n\t" + "\n\t".join(problems))

    def copy(self) -> None:
        for member, array in self._copies.values():
            write_(member, array)

    def values(self) -> dict[str, Any]:
        """The arrays by name."""
        return {key: array for key, (_, array) in self._copies.items()}


def _listed(keys: list[str]) -> str:
    return ", ".join(repr(key) for key in keys)
