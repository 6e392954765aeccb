"""Forward hooks of a `Module`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from fastdl.tensor import RemovableHandle

if TYPE_CHECKING:
    from fastdl.nn.module import Module


class _Hook(NamedTuple):
    call: Callable[..., Any]
    with_kwargs: bool


_Hooks = dict[int, Any]  # by the key of its handle; called in the order of the dict


class ForwardHooks:
    """The hooks around one module's `forward`."""

    def __init__(self) -> None:
        self._before: _Hooks = {}
        self._after: _Hooks = {}

    def add_pre(self, hook: Callable[..., Any], *, prepend: bool, with_kwargs: bool) -> RemovableHandle:
        return RemovableHandle(self._before, _Hook(hook, with_kwargs), prepend)

    def add(self, hook: Callable[..., Any], *, prepend: bool, with_kwargs: bool) -> RemovableHandle:
        return RemovableHandle(self._after, _Hook(hook, with_kwargs), prepend)

    def call(self, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # Copies: a hook may remove itself.
        for hook in list(self._before.values()):
            args, kwargs = _call_before(hook, module, args, kwargs)
        output = module.forward(*args, **kwargs)
        for hook in list(self._after.values()):
            inputs = (args, kwargs) if hook.with_kwargs else (args,)
            replaced = hook.call(module, *inputs, output)
            if replaced is not None:
                output = replaced
        return output


def _call_before(
    hook: _Hook, module: Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if not hook.with_kwargs:
        replaced = hook.call(module, args)
        if replaced is None:
            return args, kwargs
        return replaced if isinstance(replaced, tuple) else (replaced,), kwargs
    replaced = hook.call(module, args, kwargs)
    if replaced is None:
        return args, kwargs
    if not (isinstance(replaced, tuple) and len(replaced) == 2):
        raise RuntimeError(
            "[register_forward_pre_hook] hook: expected None or (args, kwargs) as its result, "
            f"got {replaced!r}"
        )
    return replaced
