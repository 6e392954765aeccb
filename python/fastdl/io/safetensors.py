"""Named tensors in a safetensors file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastdl._interop import as_host_array
from fastdl.io.atomic import replacing

if TYPE_CHECKING:
    from fastdl.nn.module import IncompatibleKeys, Module

PathLike = str | os.PathLike[str]

# The types that both safetensors and NumPy (bfloat16: ml_dtypes) have.
_DTYPES = frozenset(
    [
        "bool",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float16",
        "float32",
        "float64",
        "bfloat16",
    ]
)


def save_file(tensors: Mapping[str, Any], path: PathLike, metadata: Mapping[str, str] | None = None) -> None:
    """Write Tensors or arrays under their names; a crash in the middle leaves the old file.

    Any strides and sizes; arrays that share memory are each written in full. `TypeError` names the key of
    what cannot be stored.
    """
    from safetensors.numpy import save_file as write

    arrays = {_checked_key(key): _storable(key, value) for key, value in tensors.items()}
    for key, value in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"[save_file] metadata[{key!r}]: expected a str, got {type(value).__name__}")
    with replacing(path) as temporary:
        write(arrays, temporary, metadata=dict(metadata) if metadata else None)


def _checked_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"[save_file] tensors: expected names of type str, got {key!r}")
    if key == "__metadata__":
        raise ValueError(f"[save_file] tensors: expected names other than the format's own, got {key!r}")
    return key


def _storable(key: str, value: Any) -> NDArray[Any]:
    try:
        array = as_host_array(value)
    except TypeError as error:
        raise TypeError(f"[save_file] tensors[{key!r}]: {error}") from None
    if array.dtype.name not in _DTYPES:
        raise TypeError(
            f"[save_file] tensors[{key!r}]: expected a dtype that safetensors stores, got {array.dtype}"
        )
    # Not ascontiguousarray, which gives a scalar an axis.
    return np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")


def load_file(path: PathLike) -> dict[str, NDArray[Any]]:
    """The arrays of a safetensors file by name.

    `ValueError` when it is damaged or not one, and for a dtype that NumPy lacks: bfloat16 without ml_dtypes, float8.
    """
    return read(path)[0]


def load_metadata(path: PathLike) -> dict[str, str]:
    """The text entries of a safetensors file's header."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="np") as file:
            return dict(file.metadata() or {})
    except SafetensorError as error:
        raise _damaged(path, error) from error


def read(path: PathLike) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Arrays and metadata of one and the same file, also while another process replaces it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="np") as file:
            return {key: _tensor(file, key) for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except SafetensorError as error:
        raise _damaged(path, error) from error


def _tensor(file: Any, key: str) -> NDArray[Any]:
    stored = file.get_slice(key).get_dtype()
    hint = ""
    if stored == "BF16":
        try:
            import ml_dtypes  # noqa: F401  # whose import makes it known to NumPy
        except ImportError:
            hint = "; `pip install fastdl[bf16]` adds it"
    try:
        return file.get_tensor(key)
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"[load_file] tensors[{key!r}]: expected a dtype that NumPy has, got {stored}{hint}"
        ) from error


def _damaged(path: PathLike, error: Exception) -> ValueError:
    return ValueError(
        f"[load_file] path: expected a whole safetensors file, got {os.fspath(path)!r} ({error})"
    )


def save_model(model: Module, path: PathLike, metadata: Mapping[str, str] | None = None) -> None:
    """Write `model.state_dict()`."""
    save_file(model.state_dict(), path, metadata)


def load_model(model: Module, path: PathLike, strict: bool = True) -> IncompatibleKeys:
    """Read what `save_model`, or any other library, wrote; see `Module.load_state_dict`."""
    return model.load_state_dict(load_file(path), strict=strict)
