"""`Parameter`: a Tensor that a `Module` trains."""

from __future__ import annotations

from typing import Any

from fastdl.tensor import Tensor


class Parameter(Tensor):
    """A leaf Tensor that registers itself when it is assigned to an attribute of a `Module`.

    `data` is an array or a Tensor, whose memory it shares.
    """

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(data.data if isinstance(data, Tensor) else data, requires_grad=requires_grad)

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()
