"""The tape: recorded operations and the backward pass.

A Tensor refers to the node that made it; a node refers to its inputs' nodes and to leaf Tensors, never to its
own outputs. So there are no reference cycles, and a graph is freed with the last Tensor that needs it.
"""

from __future__ import annotations

import heapq
import itertools
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl._alloc import copy_like, into, over
from fastdl._writes import is_view as _is_view
from fastdl._writes import shares_memory as shares_memory
from fastdl._writes import writes as writes

if TYPE_CHECKING:
    from fastdl.tensor import Tensor
else:
    Tensor = None  # bound by fastdl.tensor, whose methods need this module first

Array = Any  # a NumPy array, or an array of another library that acts like one
Edge = Any  # None, a leaf Tensor, or (node, output index)


class _Mode(threading.local):
    grad_enabled = True


mode = _Mode()


class _Anomaly:
    enabled = False
    check_nan = True


anomaly = _Anomaly()
_new: Any = object.__new__
_NO_GRADIENTS = (False,) * 64
_sequence = itertools.count()


class Op:
    """Base of the library's differentiable operations; an instance is both the context and the tape's node.

    A subclass has two static methods. ``forward(ctx, *args)`` gets raw arrays where Tensors were given, and
    returns an array or a tuple of arrays (None allowed). ``backward(ctx, *grads)`` gets one raw array per
    output, None where no gradient arrived, and returns one raw array or None per argument of forward. What it
    returns may share memory with what it got; what it got must not be written to.
    """

    view = False
    """Whether an output may share memory with an input."""
    materialize_grads = False
    """Whether backward gets zeros in place of None."""
    fresh = False
    """Whether backward's results are new arrays, each referred to by nothing else: a leaf may keep them uncopied."""

    edges: Sequence[Edge] = ()
    needs_input_grad: Sequence[bool] = _NO_GRADIENTS
    """One for each argument of forward; where nothing is recorded, at least one for each."""
    saved: Any = ()
    sequence = -1
    stamp = 0
    outputs = 1
    trace: str | None = None
    hooks: dict[int, dict[int, Callable]] | None = None
    retained: dict[int, Any] | None = None
    _constant: tuple[Array, ...] = ()
    _metadata: Sequence[tuple[tuple[int, ...], Any] | None] = ()

    @staticmethod
    def forward(ctx: Any, *args: Any) -> Any:
        raise TypeError("[autograd] forward: expected a static method in the subclass of Op, got none")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise TypeError("[autograd] backward: expected a static method in the subclass of Op, got none")

    def save(self, *arrays: Array) -> None:
        """Keeps arrays for backward, where ``ctx.saved`` has them; backward frees them when it is done."""
        self.saved = arrays

    def mark_non_differentiable(self, *arrays: Array) -> None:
        """Declares outputs that get no gradient. Integer and boolean outputs never do."""
        self._constant = arrays

    @classmethod
    def name(cls) -> str:
        return cls.__name__ + "Backward"

    @property
    def next_functions(self) -> tuple[Any, ...]:
        """The nodes (or leaf Tensors) that the gradients go to, None for arguments that need none."""
        return tuple(edge[0] if type(edge) is tuple else edge for edge in self.edges)

    def __repr__(self) -> str:
        return f"<{self.name()}>"

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Runs forward; on Tensors, records it where gradient mode is on and an input requires a gradient."""
        for arg in args:
            if isinstance(arg, Tensor):
                break
        else:
            return cls.forward(cls(), *args)
        arrays = [*args]
        edges: list[Edge] = [None] * len(args)
        needs = [False] * len(args)
        recording = False
        for index, arg in enumerate(args):
            if isinstance(arg, Tensor):
                arrays[index] = arg._array
                if arg._requires_grad:
                    recording = needs[index] = True
                    edges[index] = arg._edge or arg
        if writes.recorded:
            for arg in args:
                if isinstance(arg, Tensor):
                    writes.check_history(arg)
        ctx = cls()
        if not recording or not mode.grad_enabled:
            return _wrap_constant(cls.forward(ctx, *arrays), arrays if cls.view else ())
        ctx.needs_input_grad = needs
        result = cls.forward(ctx, *arrays)
        # numbered after forward, in which older nodes of the same graph may be made
        ctx.sequence = next(_sequence)
        ctx.edges = edges
        ctx.stamp = writes.now
        if anomaly.enabled:
            ctx.trace = _forward_trace()
        if type(result) is tuple:
            return ctx._wrap_many(result, arrays)
        if cls.view or ctx._constant or type(result) is not np.ndarray or result.dtype.kind != "f":
            return ctx._wrap(result, 0, arrays)
        tensor = _new(Tensor)  # as _wrap, without its questions
        tensor._array = result
        tensor._requires_grad = True
        tensor._edge = (ctx, 0)
        return tensor

    def _wrap(self, array: Array, index: int, inputs: Sequence[Any]) -> Tensor:
        tensor = _new(Tensor)
        if type(array) is not np.ndarray and isinstance(array, np.generic):
            array = np.asarray(array)
        tensor._array = array
        if self.view and _is_view(array, inputs):
            tensor._viewed_at = self.stamp
        if array.dtype.kind in "fV" and not (
            self._constant and any(array is other for other in self._constant)
        ):
            tensor._requires_grad = True
            tensor._edge = (self, index)
        return tensor

    def _wrap_many(self, arrays: tuple[Array, ...], inputs: Sequence[Any]) -> tuple[Any, ...]:
        self.outputs = len(arrays)
        if self.materialize_grads:
            self._metadata = [None if array is None else (array.shape, array.dtype) for array in arrays]
        return tuple(
            None if array is None else self._wrap(array, index, inputs) for index, array in enumerate(arrays)
        )


def _wrap_constant(result: Any, inputs: Sequence[Any]) -> Any:
    if type(result) is tuple:
        return tuple(None if array is None else _wrap_constant(array, inputs) for array in result)
    tensor = _new(Tensor)
    tensor._array = np.asarray(result) if isinstance(result, np.generic) else result
    if inputs and _is_view(tensor._array, inputs):
        tensor._viewed_at = writes.now
    return tensor


def _check_saved(node: Op) -> None:
    for saved in node.saved:
        if isinstance(saved, np.ndarray) and writes.changed_since(saved, node.stamp):
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an inplace "
                f"operation: {saved.dtype} of shape {saved.shape}, saved by {node.name()}, is at version "
                f"{writes.count(saved)}"
            )


def _forward_trace() -> str:
    import traceback

    return "".join(traceback.format_list(traceback.extract_stack(sys._getframe(2))))


def _owned(array: Array, fresh: bool, like: Array) -> Array:
    """`array` itself where it is `fresh` and laid out as `like`, else a copy that is."""
    return array if fresh and array.strides == like.strides else copy_like(array, like)


class _Sum:
    """A gradient that the backward pass added up itself, so that it may add to it in place."""

    __slots__ = ("array",)

    def __init__(self, array: Array) -> None:
        self.array = array


# Backward passes in several threads may reach one leaf. Re-entrant, as an allocation may run any finaliser.
_adding = threading.RLock()


class BackwardPass:
    """One walk from the roots to the leaves, youngest node first, which is a topological order."""

    def __init__(self, retain_graph: bool, inputs: Sequence[Tensor] | None) -> None:
        self.retain_graph = retain_graph
        self.pending: dict[Op, list[Any]] = {}
        self.heap: list[tuple[int, Op]] = []
        self.hooked_leaves: dict[Tensor, Any] = {}
        self.captures: dict[Any, Any] | None = None
        self.needed: set[Op] | None = None
        if inputs is not None:
            self.captures = {tensor._edge or tensor: None for tensor in inputs}

    def run(self, roots: Sequence[tuple[Tensor, Array]]) -> None:
        if self.captures is not None:
            self.needed = _nodes_towards(self.captures, [tensor._edge for tensor, _ in roots])
        for tensor, grad in roots:
            self.deliver(tensor._edge or tensor, grad)
        del roots
        with np.errstate(all="ignore"):  # a NaN is for detect_anomaly to tell
            while self.heap:
                node = heapq.heappop(self.heap)[1]
                self.visit(node)
        for leaf in list(self.hooked_leaves):
            grad = _finished(self.hooked_leaves.pop(leaf))
            grad = run_hooks(leaf._hooks or {}, grad)
            self.keep(leaf, grad)

    def deliver(self, edge: Edge, grad: Array) -> None:
        if type(edge) is not tuple:
            if edge._hooks:
                self.hooked_leaves[edge] = _added(self.hooked_leaves.get(edge), grad)
            else:
                self.keep(edge, grad)
            return
        node, index = edge
        slots = self.pending.get(node)
        if slots is None:
            slots = self.pending[node] = [None] * node.outputs
            heapq.heappush(self.heap, (-node.sequence, node))
        slots[index] = _added(slots[index], grad)

    def keep(self, leaf: Tensor, grad: Array, fresh: bool = False) -> None:
        if grad.shape != leaf.data.shape:
            raise RuntimeError(
                f"[autograd] gradient: expected shape {leaf.data.shape} for a leaf Tensor, got {grad.shape}"
            )
        if self.captures is not None:
            if leaf in self.captures:
                held = self.captures[leaf]
                self.captures[leaf] = (
                    _owned(grad, fresh, leaf.data) if held is None else into(np.add, held, grad)
                )
            return
        with _adding:
            held = leaf._grad
            if held is None:
                leaf._grad = Tensor(_owned(grad, fresh, leaf.data))
            else:
                over(np.add, held._array, held._array, grad)
                writes.note(held.data)

    def visit(self, node: Op) -> None:
        grads = [_finished(slot) for slot in self.pending.pop(node)]
        if node.hooks or node.retained:
            _observe(node, grads)
        if self.captures is not None and self.needed is not None:
            for index, grad in enumerate(grads):
                if grad is not None and (node, index) in self.captures:
                    self.captures[(node, index)] = copy_like(grad, grad)
            if node not in self.needed:
                return
        if node.saved is None:
            raise RuntimeError(
                "Trying to backward through the graph a second time (or directly access saved tensors after "
                f"they have already been freed) at {node.name()}. Specify retain_graph=True if you need to "
                "backward through the graph a second time."
            )
        if node.stamp != writes.now:
            _check_saved(node)
        if node.materialize_grads and node._metadata:
            for index, metadata in enumerate(node._metadata):
                if grads[index] is None and metadata is not None:
                    grads[index] = np.zeros(*metadata)
        results = node.backward(node, *grads)
        del grads
        if not self.retain_graph and node.saved:
            node.saved = None
        results = list(results) if type(results) is tuple else [results]
        self.distribute(node, results)

    def distribute(self, node: Op, results: list[Array | None]) -> None:
        edges = node.edges
        if len(results) != len(edges):
            raise RuntimeError(
                f"function {node.name()} returned an incorrect number of gradients "
                f"(expected {len(edges)}, got {len(results)})"
            )
        for index, edge in enumerate(edges):
            if edge is None:
                continue
            grad = results[index]
            if grad is None:
                continue
            results[index] = None
            if isinstance(grad, np.generic):
                grad = np.asarray(grad)
            if anomaly.enabled and anomaly.check_nan and np.isnan(grad).any():
                raise_anomaly(node, index)
            if self.needed is not None and type(edge) is tuple and not self.wants(edge):
                continue
            if type(edge) is not tuple and not edge._hooks:
                self.keep(edge, grad, node.fresh)
            else:
                self.deliver(edge, grad)

    def wants(self, edge: Edge) -> bool:
        return edge in self.captures or edge[0] in self.needed  # type: ignore[operator]


def _added(held: Any, grad: Array) -> Any:
    if held is None:
        return grad
    if type(held) is _Sum:
        over(np.add, held.array, held.array, grad)
        return held
    return _Sum(into(np.add, held, grad))


def _finished(slot: Any) -> Array:
    return slot.array if type(slot) is _Sum else slot


def run_hooks(hooks: dict[int, Callable], grad: Array) -> Array:
    enabled, mode.grad_enabled = mode.grad_enabled, False
    try:
        for hook in list(hooks.values()):
            result = hook(Tensor(grad))
            if result is not None:
                grad = _replaced(grad, result)
    finally:
        mode.grad_enabled = enabled
    return grad


def _replaced(grad: Array, result: Any) -> Array:
    replaced = result.data if isinstance(result, Tensor) else result
    if not isinstance(replaced, np.ndarray):
        raise TypeError(f"[hook] gradient: expected a Tensor or None, got {type(result).__name__}")
    if (replaced.shape, replaced.dtype) != (grad.shape, grad.dtype):
        raise RuntimeError(
            f"[hook] gradient: expected {grad.dtype} of shape {grad.shape}, "
            f"got {replaced.dtype} of shape {replaced.shape}"
        )
    return replaced


def _observe(node: Op, grads: list[Array | None]) -> None:
    for index, grad in enumerate(grads):
        if grad is None:
            continue
        if node.hooks and index in node.hooks:
            grads[index] = grad = run_hooks(node.hooks[index], grad)
        if node.retained and index in node.retained:
            tensor = node.retained[index]()
            if tensor is not None:
                held = tensor._grad
                tensor._grad = Tensor(
                    copy_like(grad, grad) if held is None else into(np.add, held.data, grad)
                )


def _nodes_towards(targets: dict[Any, Any], roots: Sequence[Edge]) -> set[Op]:
    """The nodes that lie on a path from a root to a target and so have to run."""
    needed: set[Op] = set()
    seen: set[Op] = set()
    order: list[Op] = []
    stack = [edge[0] for edge in roots if type(edge) is tuple]
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            order.append(node)
            stack.extend(edge[0] for edge in node.edges if type(edge) is tuple)
    for node in sorted(order, key=lambda node: node.sequence):
        for edge in node.edges:
            if edge is not None and (edge in targets or (type(edge) is tuple and edge[0] in needed)):
                needed.add(node)
                break
    return needed


def raise_anomaly(node: Op, index: int) -> None:
    where = node.trace or "(recorded outside detect_anomaly(), so its forward call is not known)\n"
    raise RuntimeError(
        f"Function '{node.name()}' returned nan values in its {index}th output. "
        f"Forward call, most recent last:\n{where}"
    )
