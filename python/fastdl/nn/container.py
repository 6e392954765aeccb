"""Modules that hold other modules or parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, TypeVar, overload

from fastdl.nn._fusion import ACTIVATIONS, LAYERS, fusion
from fastdl.nn.module import Module, indent
from fastdl.nn.parameter import Parameter
from fastdl.tensor import Tensor

L = TypeVar("L", bound="_Listed")
_END: Any = object()


def _position(index: int, length: int) -> int:
    """`index` counted from the front; `IndexError` outside of `[-length, length)`."""
    if not -length <= index < length:
        raise IndexError(f"index {index} is out of range for {length} elements")
    return index % length


class _Listed(Module):
    """Children under the names "0", "1", …: what `Sequential` and `ModuleList` share."""

    def _replace(self, modules: Iterable[Module]) -> None:
        modules = list(modules)
        for module in modules:
            if not isinstance(module, Module):
                raise TypeError(
                    f"[{type(self).__name__}] module: expected a Module, got {type(module).__name__}"
                )
        self._modules.clear()
        for position, module in enumerate(modules):
            self.add_module(str(position), module)

    def _key(self, index: int) -> str:
        return list(self._modules)[_position(index, len(self))]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())  # type: ignore[arg-type]

    def __contains__(self, module: object) -> bool:
        return any(module is child for child in self)

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(self._key(index), module)

    def append(self: L, module: Module) -> L:
        self.add_module(str(len(self)), module)
        return self

    def insert(self: L, index: int, module: Module) -> L:
        if not -len(self) <= index <= len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} elements")
        modules = list(self)
        modules.insert(index, module)
        self._replace(modules)
        return self

    def extend(self: L, modules: Iterable[Module]) -> L:
        if not isinstance(modules, Iterable):
            raise TypeError(
                f"[{type(self).__name__}.extend] modules: expected an iterable of Modules, "
                f"got {type(modules).__name__}"
            )
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, index: int = -1) -> Module:
        module = list(self)[_position(index, len(self))]
        del self[index]
        return module

    def __delitem__(self, index: int | slice) -> None:
        modules = list(self)
        del modules[index]
        self._replace(modules)


class Sequential(_Listed):
    """Modules applied one after another.

    Takes modules, or one mapping of names to modules. A `Linear`, `Conv2d`, `ConvTranspose2d` or batch normalisation
    with a `ReLU`, `LeakyReLU`, `Sigmoid` or `Tanh` behind it runs as one operation, to the same bits: the layer applies
    the activation while it writes its results (its argument `activation`), and the graph has one node for both. Where
    a hook or an overridden `forward` would see what passes between the two, or under `detect_anomaly`, each runs on
    its own.
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        super().__init__()
        named: Iterable[tuple[str, Any]]
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = modules[0].items()
        else:
            named = ((str(position), module) for position, module in enumerate(modules))
        for name, module in named:
            if not isinstance(module, Module):
                raise TypeError(f"[Sequential] module: expected a Module, got {type(module).__name__}")
            self.add_module(name, module)

    def forward(self, input: Any) -> Any:
        modules = iter(self)
        module = next(modules, _END)
        while module is not _END:
            behind = next(modules, _END)
            if type(behind) not in ACTIVATIONS or type(module) not in LAYERS:
                input, module = module(input), behind
                continue
            following = next(modules, _END)
            activation = fusion(module, behind, following)
            input = behind(module(input)) if activation is None else module._run(input, activation)
            module = following
        return input

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        """The module at `index`, or a `Sequential` of the same modules for a slice."""
        if isinstance(index, slice):
            return type(self)(dict(list(self._modules.items())[index]))  # type: ignore[arg-type]
        return self._modules[self._key(index)]  # type: ignore[return-value]

    def __add__(self, other: Sequential) -> Sequential:
        if not isinstance(other, Sequential):
            return NotImplemented
        return Sequential(*self, *other)


class ModuleList(_Listed):
    """A list of modules whose members are registered; it has no `forward`."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> ModuleList: ...
    def __getitem__(self, index: int | slice) -> Module:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._modules[self._key(index)]  # type: ignore[return-value]

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """Runs of equal members are written once: `(0-2): 3 x Linear(…)`."""
        if not len(self):
            return f"{type(self).__name__}()"
        lines = []
        first = 0
        for text, run in groupby(repr(module) for module in self):
            count = len(list(run))
            last = first + count - 1
            name = f"({first})" if count == 1 else f"({first}-{last})"
            times = "" if count == 1 else f"{count} x "
            lines.append(f"  {name}: {times}{indent(text)}")
            first += count
        return "\n".join([f"{type(self).__name__}(", *lines, ")"])


class ModuleDict(Module):
    """A dictionary of modules whose members are registered; it has no `forward`."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key: str) -> Module:
        return self._modules[key]  # type: ignore[return-value]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> Iterable[str]:
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        return self._modules.items()

    def clear(self) -> None:
        self._modules.clear()

    def pop(self, key: str) -> Module:
        return self._modules.pop(key)  # type: ignore[return-value]

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        for key, module in dict(modules).items():
            self[key] = module


def _parameter(value: Any) -> Parameter:
    if isinstance(value, Parameter):
        return value
    return Parameter(value)


def _described(name: str, param: Parameter | None) -> str:
    if param is None:
        return f"  ({name}): None"
    shape = "x".join(str(size) for size in param.shape)
    return f"  ({name}): Parameter containing: [{param.dtype} of size {shape}]"


class ParameterList(Module):
    """A list of parameters; Tensors and arrays put into it become Parameters."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        if values is not None:
            self.extend(values)

    @overload
    def __getitem__(self, index: int) -> Parameter: ...
    @overload
    def __getitem__(self, index: slice) -> ParameterList: ...
    def __getitem__(self, index: int | slice) -> Parameter | ParameterList:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return list(self)[_position(index, len(self))]

    def __setitem__(self, index: int, value: Any) -> None:
        self.register_parameter(str(_position(index, len(self))), _parameter(value))

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters.values())  # type: ignore[arg-type]

    def append(self, value: Any) -> ParameterList:
        self.register_parameter(str(len(self)), _parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        if isinstance(values, Tensor) or not isinstance(values, Iterable):
            raise TypeError(
                f"[ParameterList.extend] values: expected an iterable of Tensors, got {type(values).__name__}"
            )
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def __repr__(self) -> str:
        return _members_repr(self)


class ParameterDict(Module):
    """A dictionary of parameters; Tensors and arrays put into it become Parameters."""

    def __init__(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__()
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key: str) -> Parameter:
        return self._parameters[key]  # type: ignore[return-value]

    def __setitem__(self, key: str, value: Any) -> None:
        self.register_parameter(key, _parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._parameters[key]

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __contains__(self, key: object) -> bool:
        return key in self._parameters

    def keys(self) -> Iterable[str]:
        return self._parameters.keys()

    def values(self) -> Iterable[Any]:
        return self._parameters.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        return self._parameters.items()

    def clear(self) -> None:
        self._parameters.clear()

    def pop(self, key: str) -> Parameter:
        return self._parameters.pop(key)  # type: ignore[return-value]

    def update(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        for key, value in dict(parameters).items():
            self[key] = value

    def __repr__(self) -> str:
        return _members_repr(self)


def _members_repr(module: Module) -> str:
    lines = [_described(name, param) for name, param in module._parameters.items()]
    return "\n".join([f"{type(module).__name__}(", *lines, ")"]) if lines else f"{type(module).__name__}()"
