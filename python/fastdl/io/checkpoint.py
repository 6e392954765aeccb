"""Everything that training goes on from, in one safetensors file: no pickle, so loading runs no code.

Arrays are stored as tensors; all else (numbers, strings, None, lists, tuples, dicts) as JSON in the header,
where `{"$tensor": name}` stands for an array and other `$` entries for what JSON lacks.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl.io.safetensors import PathLike, read, save_file
from fastdl.tensor import Tensor

if TYPE_CHECKING:
    from fastdl.nn.module import Module
    from fastdl.optim.lr_scheduler import LRScheduler
    from fastdl.optim.optimizer import Optimizer

_HEADER = "fastdl.checkpoint"
_PARTS = ("model", "optimizer", "scheduler")


def save_checkpoint(
    path: PathLike,
    *,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
    **extra: Any,
) -> None:
    """Write the states of what is given, and `extra` values (arrays, numbers, strings and nests of them).

    A crash in the middle leaves the old file. `TypeError` names what cannot be stored.
    """
    tree: dict[str, Any] = {"extra": extra}
    for part, owner in zip(_PARTS, (model, optimizer, scheduler), strict=True):
        if owner is not None:
            tree[part] = owner.state_dict()
    tensors: dict[str, Any] = {}
    header = json.dumps({key: _encode(key, value, tensors) for key, value in tree.items()})
    save_file(tensors, path, {_HEADER: header})


def load_checkpoint(
    path: PathLike,
    *,
    model: Module | None = None,
    optimizer: Optimizer | None = None,
    scheduler: LRScheduler | None = None,
) -> dict[str, Any]:
    """Load the states into the given objects and return the extra values.

    `KeyError` when the checkpoint lacks the state of an object that is given, and whatever their load_state_dict
    raises for a state that does not fit; then all of them are as they were.
    """
    tensors, metadata = read(path)
    if _HEADER not in metadata:
        raise ValueError(f"[load_checkpoint] path: expected a checkpoint of save_checkpoint, got {path!r}")
    tree = {key: _decode(value, tensors) for key, value in json.loads(metadata[_HEADER]).items()}
    owners = {
        part: owner
        for part, owner in zip(_PARTS, (model, optimizer, scheduler), strict=True)
        if owner is not None
    }
    for part in owners:
        if part not in tree:
            raise KeyError(f"[load_checkpoint] {part}: the checkpoint {path!r} holds none")
    _load_all(owners, tree)
    return tree["extra"]


def _load_all(owners: Mapping[str, Any], states: Mapping[str, Any]) -> None:
    """Loads every state or none.

    The model comes last, for it checks before it changes anything, so that no copy of it is needed. An optimiser
    puts new arrays in place of those that it has, which therefore need no copies either.
    """
    before = {}
    if "optimizer" in owners:
        before["optimizer"] = owners["optimizer"].state_dict()
    if "scheduler" in owners:
        before["scheduler"] = copy.deepcopy(owners["scheduler"].state_dict())
    try:
        for part in (*before, "model"):
            if part in owners:
                owners[part].load_state_dict(states[part])
    except BaseException:
        for part, state in before.items():
            owners[part].load_state_dict(state)
        raise


def _encode(name: str, value: Any, tensors: dict[str, Any]) -> Any:
    """`value` as JSON; arrays in it are put into `tensors` under dotted names."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (Tensor, np.ndarray)):
        while name in tensors:  # the dots of a key may look like those of a nest
            name += "'"
        tensors[name] = value
        return {"$tensor": name}
    if isinstance(value, np.generic) and isinstance(value.item(), (bool, int, float, str)):
        return value.item()
    if isinstance(value, (list, tuple)):
        items = [_encode(f"{name}.{position}", item, tensors) for position, item in enumerate(value)]
        return items if isinstance(value, list) else {"$tuple": items}
    if isinstance(value, Mapping):
        pairs = [(key, _encode(f"{name}.{key}", item, tensors)) for key, item in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key, _ in pairs):
            return dict(pairs)
        for key, _ in pairs:
            if not isinstance(key, (str, int)) or isinstance(key, bool):
                raise TypeError(f"[save_checkpoint] {name}: expected keys of type str or int, got {key!r}")
        return {"$items": pairs}
    raise TypeError(
        f"[save_checkpoint] {name}: expected arrays, numbers, strings, lists, tuples or dicts, "
        f"got {type(value).__name__}"
    )


def _decode(value: Any, tensors: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "$tensor" in value:
        return tensors[value["$tensor"]]
    if "$tuple" in value:
        return tuple(_decode(item, tensors) for item in value["$tuple"])
    if "$items" in value:
        return {key: _decode(item, tensors) for key, item in value["$items"]}
    return {key: _decode(item, tensors) for key, item in value.items()}
