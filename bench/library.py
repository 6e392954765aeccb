"""fastdl and PyTorch behind one small set of names, so that what is timed is written once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

LAYOUTS = ("contiguous", "channels_last")


class Library:
    """`F`, `nn` and `optim` as both libraries call them; `module` is the package itself."""

    def __init__(self, name: str, best: bool = False) -> None:
        self.name = name
        self.module = importlib.import_module(name)
        self.F = importlib.import_module(f"{name}.nn.functional")
        self.nn = importlib.import_module(f"{name}.nn")
        self.optim = importlib.import_module(f"{name}.optim")
        self.fused: Mapping[str, Any] = {"fused": True} if best else {}
        """What an optimiser is told beside its options."""

    def tensor(self, array: np.ndarray, requires_grad: bool = False, layout: str = "contiguous") -> Any:
        """A leaf; torch's shares the array's memory unless the layout differs."""
        make = self.module.from_numpy if self.name == "torch" else self.module.tensor
        tensor = make(array)
        if layout == "channels_last" and tensor.ndim == 4:
            tensor = tensor.contiguous(memory_format=self.module.channels_last)
        return tensor.requires_grad_(True) if requires_grad else tensor

    def empty_cache(self) -> None:
        """Gives idle memory back, for the next case to begin alike."""
        if self.name == "torch":
            import ctypes

            trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
            if trim is not None:
                trim(0)
        else:
            self.module.empty_cache()
