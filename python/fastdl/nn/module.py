"""`Module`, the base class of all layers and networks, with the interface of `torch.nn.Module`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fastdl._interop import zero_
from fastdl.nn._hooks import ForwardHooks
from fastdl.nn._state import LoadPlan
from fastdl.nn.parameter import Parameter
from fastdl.tensor import RemovableHandle, Tensor

M = TypeVar("M", bound="Module")


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict` did not find a partner for."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class Module:
    """A network or a part of one: parameters, buffers, submodules and a `forward`.

    Attributes that are `Parameter` or `Module` objects are registered on assignment; a buffer is
    registered with `register_buffer`. `__init__` of a subclass calls `super().__init__()` first.
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent_buffers: set[str]
    _forward_hooks: ForwardHooks | None

    def __init__(self) -> None:
        # Written past __setattr__, which needs them to be there.
        self.__dict__.update(
            training=True,
            _parameters={},
            _buffers={},
            _modules={},
            _non_persistent_buffers=set(),
            _forward_hooks=None,
        )

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{type(self).__name__} defines no forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._forward_hooks is None:
            return self.forward(*args, **kwargs) if kwargs else self.forward(*args)
        return self._forward_hooks.call(self, args, kwargs)

    # Registration ---

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under `name`; `None` keeps the name for a parameter that is absent."""
        self._check_name("parameter", name, self.__dict__.get("_parameters"))
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"[register_parameter] {name}: expected a Parameter or None, got {type(param).__name__}"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"[register_parameter] {name}: expected a leaf, got the result of a recorded operation"
                )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a Tensor that is part of the state but is not trained.

        A buffer with `persistent=False` moves and converts with the module, but is left out of
        `state_dict`.
        """
        self._check_name("buffer", name, self.__dict__.get("_buffers"))
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"[register_buffer] {name}: expected a Tensor or None, got {type(tensor).__name__}"
            )
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers.discard(name)
        else:
            self._non_persistent_buffers.add(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as `add_module`."""
        self.add_module(name, module)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule under `name`."""
        self._check_name("module", name, self.__dict__.get("_modules"))
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"[add_module] {name}: expected a Module or None, got {type(module).__name__}")
        self._modules[name] = module

    def _check_name(self, kind: str, name: str, registered: Mapping[str, Any] | None) -> None:
        if registered is None:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name: expected a str, got {type(name).__name__}")
        if "." in name or not name:
            raise KeyError(f'{kind} name: expected a non-empty str without ".", got {name!r}')
        if name not in registered and hasattr(self, name):
            raise KeyError(f"attribute {name!r} already exists")

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Parameter):
            self._forget(name, keep="_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._forget(name, keep="_modules")
            self.add_module(name, value)
        elif name in self.__dict__.get("_parameters", ()):
            self.register_parameter(name, value)
        elif name in self.__dict__.get("_modules", ()):
            self.add_module(name, value)
        elif name in self.__dict__.get("_buffers", ()):
            self.register_buffer(name, value, persistent=name not in self._non_persistent_buffers)
        else:
            super().__setattr__(name, value)

    def _forget(self, name: str, keep: str) -> None:
        for registry in ("_parameters", "_buffers", "_modules"):
            if registry != keep:
                self.__dict__.get(registry, {}).pop(name, None)
        self.__dict__.get("_non_persistent_buffers", set()).discard(name)
        self.__dict__.pop(name, None)

    def __getattr__(self, name: str) -> Any:
        members = self.__dict__
        if "_buffers" in members:  # __init__ has run
            if name in (parameters := members["_parameters"]):
                return parameters[name]
            if name in (modules := members["_modules"]):
                return modules[name]
            if name in (buffers := members["_buffers"]):
                return buffers[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _weight_and_bias(self) -> tuple[Any, Any]:
        """self.weight and self.bias, which `__getattr__` takes longer to find than a small kernel to run."""
        parameters = self._parameters
        try:
            return parameters["weight"], parameters["bias"]
        except KeyError:
            return self.weight, self.bias

    def _buffer(self, name: str) -> Any:
        """The attribute `name`, found as `_weight_and_bias` finds its two."""
        buffer = self._buffers.get(name)
        return getattr(self, name) if buffer is None else buffer

    def __delattr__(self, name: str) -> None:
        for registry in (self._parameters, self._buffers, self._modules):
            if name in registry:
                del registry[name]
                self._non_persistent_buffers.discard(name)
                return
        super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    # Walking the tree ---

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, depth first, each with its dotted name; each object once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, _join(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        return (module for _, module in self.named_children())

    def _named_members(
        self, registry: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = (
            self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
            if recurse
            else [(prefix, self)]
        )
        for module_name, module in modules:
            for name, member in module.__dict__[registry].items():
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield _join(module_name, name), member

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Parameters with their dotted names; a parameter that stands in two places is given once."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        return (param for _, param in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """Buffers, persistent or not, with their dotted names."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module with the dotted name `target`; the empty name is this module itself."""
        module = self
        for name in target.split(".") if target else ():
            if name not in module._modules:
                raise AttributeError(
                    f"[get_submodule] {target!r}: {type(module).__name__} has no submodule {name!r}"
                )
            child = module._modules[name]
            if child is None:
                raise AttributeError(f"[get_submodule] {target!r}: {name!r} is None")
            module = child
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with the dotted name `target`."""
        return self._get_member("_parameters", "parameter", target)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with the dotted name `target`."""
        return self._get_member("_buffers", "buffer", target)

    def _get_member(self, registry: str, kind: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        member = module.__dict__[registry].get(name)
        if member is None:
            raise AttributeError(f"[get_{kind}] {target!r}: {type(module).__name__} has no {kind} {name!r}")
        return member

    def apply(self: M, fn: Callable[[Module], Any]) -> M:
        """Call `fn` on every submodule, children first, then on this module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # Modes ---

    def train(self: M, mode: bool = True) -> M:
        """Set training mode (dropout drops, batch norm takes batch statistics) here and below."""
        if not isinstance(mode, bool):
            raise ValueError(f"[train] mode: expected a bool, got {mode!r}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: M) -> M:
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients, or with `set_to_none=False` fill them with zeros."""
        for param in self.parameters():
            if param.grad is not None:
                if set_to_none:
                    param.grad = None
                else:
                    zero_(param.grad.detach_())

    # Conversion ---

    def _apply(self: M, fn: Callable[[Tensor], Tensor]) -> M:
        """Replace the data of every parameter, gradient and buffer; Parameter objects keep their identity."""
        for module in self.children():
            module._apply(fn)
        for param in self._parameters.values():
            if param is not None:
                grad = param.grad
                param.data = fn(param.detach()).data
                if grad is not None:
                    param.grad = fn(grad.detach())
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self: M, *args: Any, dtype: Any = None, memory_format: Any = None, **options: Any) -> M:
        """Move or convert in place; arguments as of `Tensor.to`.

        A dtype applies to floating-point members, a memory format to those with four axes.
        """
        devices = []
        for arg in args:
            if isinstance(arg, Tensor):
                dtype = arg.dtype
                devices.append(str(arg.device))
            elif str(arg).partition(":")[0] in ("cpu", "cuda"):
                devices.append(str(arg))
            else:
                dtype = arg
        if dtype is not None:
            dtype = np.dtype(dtype)
            if dtype.kind not in "fV":  # bfloat16 of ml_dtypes has kind V
                raise TypeError(f"[to] dtype: expected a floating-point dtype, got {dtype}")

        def convert(tensor: Tensor) -> Tensor:
            wanted = dict(options)
            if dtype is not None and tensor.is_floating_point():
                wanted["dtype"] = dtype
            if memory_format is not None and tensor.ndim == 4:
                wanted["memory_format"] = memory_format
            return tensor.to(*devices, **wanted)

        return self._apply(convert)

    def cpu(self: M) -> M:
        return self.to("cpu")

    def float(self: M) -> M:
        return self.to(dtype=np.float32)

    def double(self: M) -> M:
        return self.to(dtype=np.float64)

    # State ---

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """Parameters and persistent buffers by dotted name, in order of registration.

        The values share memory with the module; they are detached unless `keep_vars`. PyTorch's modules load
        ``{name: torch.from_dlpack(value) for name, value in model.state_dict().items()}``.
        """
        state: dict[str, Tensor] = {}
        for name, param in self._parameters.items():
            if param is not None:
                state[prefix + name] = param if keep_vars else param.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers:
                state[prefix + name] = buffer if keep_vars else buffer.detach()
        for name, module in self._modules.items():
            if module is not None:
                state.update(module.state_dict(prefix=f"{prefix}{name}.", keep_vars=keep_vars))
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy values into the parameters and buffers of the same names, or with `assign` put them in their place.

        Values may be Tensors, arrays, or tensors of another library that speak `__array__`; they are
        converted to the dtype of the member that they go into. `RuntimeError` names every problem at once
        (missing and unexpected keys with `strict`, wrong shapes and types always), and then nothing has
        been changed. What is assigned keeps its memory and dtype; an optimiser does not know of it.
        """
        plan = LoadPlan(self.state_dict(keep_vars=True), state_dict, any_dtype=assign)
        plan.check(type(self).__name__, strict)
        if assign:
            for key, value in plan.values().items():
                self._assign(key, value)
        else:
            plan.copy()
        return IncompatibleKeys(plan.missing, plan.unexpected)

    def _assign(self, key: str, value: np.ndarray) -> None:
        path, _, name = key.rpartition(".")
        module = self.get_submodule(path)
        held = module._parameters.get(name)
        if held is None:
            module._buffers[name] = Tensor(value)
        else:
            module._parameters[name] = Parameter(value, requires_grad=held.requires_grad)

    # Hooks ---

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before `forward`; what it returns, if not `None`, replaces the args.

        With `with_kwargs` it is `hook(module, args, kwargs)` and returns `None` or `(args, kwargs)`.
        """
        return self._hooks().add_pre(hook, prepend=prepend, with_kwargs=with_kwargs)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after `forward`; a result that is not `None` is the new output.

        With `with_kwargs` it is `hook(module, args, kwargs, output)`.
        """
        return self._hooks().add(hook, prepend=prepend, with_kwargs=with_kwargs)

    def _hooks(self) -> ForwardHooks:
        if self._forward_hooks is None:
            self._forward_hooks = ForwardHooks()
        return self._forward_hooks

    # Representation ---

    def extra_repr(self) -> str:
        """What a layer shows between the parentheses of its `repr`."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr().split("\n") if self.extra_repr() else []
        children = [f"({name}): {indent(repr(module))}" for name, module in self._modules.items()]
        if not children and len(extra) <= 1:
            return f"{type(self).__name__}({''.join(extra)})"
        return type(self).__name__ + "(\n  " + "\n  ".join(extra + children) + "\n)"


def indent(text: str) -> str:
    """Indent all lines but the first by two blanks."""
    return text.replace("\n", "\n  ")


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
