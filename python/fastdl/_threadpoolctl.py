"""Lets `threadpoolctl.threadpool_limits` limit the threads of this library, whichever of the two is imported first."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any


def register(threadpoolctl: ModuleType) -> None:
    """Adds a controller for `_core`, which exports the two functions that it calls."""
    if not hasattr(threadpoolctl, "register"):  # before version 3.2
        return

    class Controller(threadpoolctl.LibController):  # type: ignore[name-defined]
        user_api = "fastdl"
        internal_api = "fastdl"
        filename_prefixes = ("_core",)
        check_symbols = ("fastdl_get_num_threads", "fastdl_set_num_threads")

        def get_num_threads(self) -> int:
            return self.dynlib.fastdl_get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            self.dynlib.fastdl_set_num_threads(num_threads)

        def get_version(self) -> str:
            from fastdl import __version__

            return __version__

    threadpoolctl.register(Controller)


class _Finder:
    """Registers the controller when somebody imports threadpoolctl."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "threadpoolctl":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            register(module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def register_when_imported() -> None:
    """Registers now if threadpoolctl is loaded, or else once it is. Does not load it: that takes 20 ms."""
    if "threadpoolctl" in sys.modules:
        register(sys.modules["threadpoolctl"])
    else:
        sys.meta_path.insert(0, _Finder())
