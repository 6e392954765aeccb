"""`Optimizer`: parameter groups, state per parameter, and `step`."""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from fastdl._alloc import empty_like
from fastdl._interop import as_host_array, write_, zero_
from fastdl._tape import mode, writes
from fastdl.autograd import enable_grad
from fastdl.tensor import Tensor

ParamGroup = dict[str, Any]


class Optimizer:
    """Base of the optimisers, with the interface and the `state_dict` layout of `torch.optim.Optimizer`.

    A subclass passes its hyper-parameters as `defaults`, checks them in `_check_group` and applies
    one step to a group in `_update_group`. `state[param]` holds Tensors of the parameter's shape
    and plain numbers.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, (Tensor, str, bytes)) or not isinstance(params, Iterable):
            raise TypeError(
                f"[{type(self).__name__}] params: expected an iterable of Tensors or dicts, "
                f"got {type(params).__name__}"
            )
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[ParamGroup] = []
        self._was_stepped = False
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _check_group(self, group: ParamGroup) -> None:
        """Raise `ValueError` for a hyper-parameter that makes no sense."""

    def _update_group(self, group: ParamGroup) -> None:
        """Apply one step to those of the group's parameters that have a gradient."""
        raise TypeError(f"{type(self).__name__} defines neither step() nor _update_group()")

    def _states(self, params: Sequence[Tensor], names: Iterable[str], first: dict[str, Any]) -> list[dict]:
        """The parameters' states; for those that lack a named Tensor copies that have zeros for it.

        A parameter's first state begins as `first`. `_keep` makes the copies the states, once the step was not refused.
        """
        states = []
        for param in params:
            state = held = self.state.get(param) or first
            for name in names:
                if state.get(name) is None:
                    if state is held:
                        state = {**held}
                    state[name] = zeros_like(param)
            states.append({**first} if state is first else state)
        return states

    def _keep(self, params: Sequence[Tensor], states: Sequence[dict[str, Any]]) -> None:
        for param, state in zip(params, states, strict=True):
            held = self.state[param]
            if state is not held:
                held.update(state)
            if "step" in held:
                held["step"] += 1

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters from their gradients.

        `closure` computes the gradients again and returns the loss, which is then returned.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        enabled, mode.grad_enabled = mode.grad_enabled, False
        try:
            for group in self.param_groups:
                self._update_group(group)
                for param in group["params"]:
                    if param._grad is not None:
                        writes.note(param._array)
        finally:
            mode.grad_enabled = enabled
        self._was_stepped = True
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients, or with `set_to_none=False` fill them with zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    if set_to_none:
                        param.grad = None
                    else:
                        zero_(param.grad.detach_())

    def add_param_group(self, param_group: ParamGroup) -> None:
        """Add a dict with "params" and the hyper-parameters that differ from the defaults.

        "params" may hold pairs of a name and a Tensor, as `Module.named_parameters` gives them.
        """
        name = type(self).__name__
        if not isinstance(param_group, dict):
            raise TypeError(f"[{name}] param_group: expected a dict, got {type(param_group).__name__}")
        params = param_group["params"]
        if isinstance(params, (set, frozenset)):
            raise TypeError(
                f"[{name}] params: expected an ordered collection, got a set, whose order changes"
            )
        params, names = _unnamed(name, [params] if isinstance(params, Tensor) else list(params))
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(f"[{name}] params: expected Tensors, got {type(param).__name__}")
            if not param.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
        known = {id(param) for group in self.param_groups for param in group["params"]}
        identities = {id(param) for param in params}
        if len(identities) != len(params) or known & identities:
            raise ValueError("some parameters appear in more than one parameter group, or twice in one")
        group = {**copy.deepcopy(self.defaults), **param_group, "params": params}
        if names:
            group["param_names"] = names
        if any(("param_names" in other) != bool(names) for other in self.param_groups):
            raise ValueError(f"[{name}] params: expected groups with names or groups without, got both")
        self._check_group(group)
        self.param_groups.append(group)

    def state_dict(self) -> dict[str, Any]:
        """`{"state": {index: {...}}, "param_groups": [...]}` with indices in place of the parameters.

        The Tensors in it are those of the optimiser, not copies.
        """
        index = {id(p): i for i, p in enumerate(chain(*(g["params"] for g in self.param_groups)))}
        groups = [{**group, "params": [index[id(p)] for p in group["params"]]} for group in self.param_groups]
        for group in groups:
            group["params"] = group.pop("params")  # last, as in torch
        state = {index[id(param)]: dict(values) for param, values in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over hyper-parameters and copies of the state; state arrays get the dtype of their parameter.

        Values may be Tensors, arrays or tensors of another library. `ValueError` when the groups do not
        have the sizes of this optimiser's groups or a state array does not fit; then nothing has been
        changed.
        """
        saved_groups = state_dict["param_groups"]
        if len(saved_groups) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups: expected "
                f"{len(self.param_groups)}, got {len(saved_groups)}"
            )
        by_index: dict[Any, Tensor] = {}
        groups = []
        for number, (group, saved) in enumerate(zip(self.param_groups, saved_groups, strict=True)):
            if len(group["params"]) != len(saved["params"]):
                raise ValueError(
                    f"loaded state dict contains a parameter group that doesn't match the size of the "
                    f"optimizer's group {number}: expected {len(group['params'])}, got {len(saved['params'])}"
                )
            by_index.update(zip(saved["params"], group["params"], strict=True))
            settings = copy.deepcopy({key: value for key, value in saved.items() if key != "params"})
            names = {"param_names": group["param_names"]} if "param_names" in group else {}
            groups.append({**self.defaults, **names, **settings, "params": group["params"]})
            self._check_group(groups[-1])
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for index, values in state_dict["state"].items():
            if index not in by_index:
                raise ValueError(f"loaded state dict has state for {index!r}, which is in none of its groups")
            param = by_index[index]
            state[param] = {key: _restored(key, value, param) for key, value in values.items()}
        self.param_groups = groups
        self.state = state

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])


def _unnamed(optimizer: str, params: list[Any]) -> tuple[list[Any], list[str]]:
    """The parameters, and their names where all are pairs of both."""
    named = [isinstance(param, tuple) and len(param) == 2 and isinstance(param[0], str) for param in params]
    if not any(named):
        return params, []
    if not all(named):
        raise ValueError(f"[{optimizer}] params: expected a name for every parameter or for none")
    return [param for _, param in params], [name for name, _ in params]


def _restored(key: str, value: Any, param: Tensor) -> Any:
    """A saved piece of state as this house keeps it: counts as int, arrays as Tensors like the parameter."""
    if key == "step":
        return int(as_host_array(value))
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    array = as_host_array(value)
    if array.shape != tuple(param.shape):
        raise ValueError(f"[load_state_dict] {key}: expected shape {tuple(param.shape)}, got {array.shape}")
    restored = zeros_like(param)
    write_(restored, array)
    return restored


def zeros_like(param: Tensor) -> Tensor:
    """A piece of state: zeros with the shape, dtype and memory order of `param`."""
    return zero_(Tensor(empty_like(param.data)))


def arrays_of(states: list[dict[str, Any]], name: str) -> list[Any]:
    """The array called `name` of every state."""
    return [state[name].data for state in states]


def refuse_differentiable(optimizer: str, differentiable: bool) -> None:
    """`ValueError` for a step that is to be recorded."""
    if differentiable:
        raise ValueError(
            f"[{optimizer}] differentiable: expected False, for steps are not recorded, got True"
        )


def check_finite(name: str, value: Any) -> None:
    if not math.isfinite(value):
        raise ValueError(f"Invalid {name}: {value}")


def check_non_negative(name: str, value: Any) -> None:
    """`ValueError` unless `value` is finite and ≥ 0."""
    if not (value >= 0.0 and math.isfinite(value)):
        raise ValueError(f"Invalid {name}: {value}")


def check_below_one(name: str, value: Any) -> None:
    """`ValueError` unless `value` is in [0, 1)."""
    if not 0.0 <= value < 1.0:
        raise ValueError(f"Invalid {name}: {value}")
