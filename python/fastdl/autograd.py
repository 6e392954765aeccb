"""Differentiation: gradient mode, `Op` for the library's operations, `Function` for people's own, `grad`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastdl import _tape
from fastdl._tape import BackwardPass, Op, anomaly, mode

if TYPE_CHECKING:
    from fastdl.tensor import Tensor

__all__ = [
    "Function",
    "Op",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradcheck",
    "inference_mode",
    "is_grad_enabled",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
]


def is_grad_enabled() -> bool:
    """Whether this thread records operations."""
    return mode.grad_enabled


class _GradMode:
    """A context manager and decorator that sets gradient mode in the current thread."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._previous: list[bool] = []

    def __enter__(self) -> None:
        self._previous.append(mode.grad_enabled)
        mode.grad_enabled = self._enabled

    def __exit__(self, *exc_info: object) -> None:
        mode.grad_enabled = self._previous.pop()

    def __call__(self, function: Callable) -> Callable:
        enabled = self._enabled

        @functools.wraps(function)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with _GradMode(enabled):
                return function(*args, **kwargs)

        return decorated


class _Switch(_GradMode):
    """A mode that decorates with or without parentheses."""

    def __new__(cls, function: Callable | None = None) -> Any:
        return object.__new__(cls) if function is None else cls()(function)


class no_grad(_Switch):
    """Records nothing inside the block or the decorated function."""

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(_Switch):
    """Records again inside a `no_grad` block."""

    def __init__(self) -> None:
        super().__init__(True)


class set_grad_enabled(_GradMode):
    """Sets gradient mode at once; as a context manager it is set back at the end of the block."""

    def __init__(self, enabled: bool) -> None:
        super().__init__(bool(enabled))
        self._before = mode.grad_enabled
        mode.grad_enabled = bool(enabled)

    def __enter__(self) -> None:
        self._previous.append(self._before)
        mode.grad_enabled = self._enabled

    def __call__(self, function: Callable) -> Callable:
        mode.grad_enabled = self._before
        return super().__call__(function)


class inference_mode(_GradMode):
    """`no_grad`; with mode=False `enable_grad`, as in PyTorch."""

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode)


class detect_anomaly:
    """Names the operation, and where it was called in the forward pass, when a backward makes a NaN."""

    def __init__(self, check_nan: bool = True) -> None:
        self._settings = (True, check_nan)

    def __enter__(self) -> None:
        self._previous = (anomaly.enabled, anomaly.check_nan)
        anomaly.enabled, anomaly.check_nan = self._settings

    def __exit__(self, *exc_info: object) -> None:
        anomaly.enabled, anomaly.check_nan = self._previous


class set_detect_anomaly(detect_anomaly):
    """`detect_anomaly` at once, or an end of it; as a context manager, until the end of the block."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._previous = (anomaly.enabled, anomaly.check_nan)
        self._settings = anomaly.enabled, anomaly.check_nan = bool(mode), check_nan

    def __enter__(self) -> None:
        pass


def _as_sequence(value: Any) -> Sequence[Any]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _root(output: Tensor, gradient: Any) -> tuple[Tensor, np.ndarray]:
    data = output.data
    if not output._requires_grad:
        raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
    _tape.writes.check_history(output)
    if gradient is None:
        if data.size != 1:
            raise RuntimeError(
                f"grad can be implicitly created only for scalar outputs, got an output of shape {data.shape}"
            )
        return output, np.ones(data.shape, data.dtype)
    array = gradient.data if isinstance(gradient, _tape.Tensor) else np.asarray(gradient)
    if array.shape != data.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output has a shape of {array.shape} and output has a shape of "
            f"{data.shape}."
        )
    return output, array.astype(data.dtype, copy=False)


def _roots(tensors: Any, gradients: Any) -> list[tuple[Tensor, np.ndarray]]:
    outputs = _as_sequence(tensors)
    given = (None,) * len(outputs) if gradients is None else _as_sequence(gradients)
    if len(given) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(given)} gradients")
    return [_root(output, gradient) for output, gradient in zip(outputs, given, strict=True)]


def _refuse_double_backward(create_graph: bool) -> None:
    if create_graph:
        raise RuntimeError("create_graph=True: gradients of gradients are not supported")


def backward(
    tensors: Any,
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Adds to `.grad` of the leaves the gradient of `tensors`, each weighed by its entry of `grad_tensors`.

    With `inputs`, only theirs. Raises RuntimeError for a non-scalar output without a gradient, and for a
    graph whose saved values an earlier backward has freed.
    """
    _refuse_double_backward(create_graph)
    if inputs is not None:
        chosen = list(_as_sequence(inputs))
        grads = grad(tensors, chosen, grad_tensors, retain_graph, allow_unused=True)
        for tensor, found in zip(chosen, grads, strict=True):
            if found is not None:
                tensor.grad = found if tensor.grad is None else _tape.Tensor(tensor.grad.data + found.data)
        return
    roots = _roots(tensors, grad_tensors)
    BackwardPass(bool(retain_graph), None).run(roots)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """The gradients of `outputs` with respect to `inputs`, one each; `.grad` is left alone.

    Raises RuntimeError where an input needs no gradient, or was not used and `allow_unused` is False.
    """
    _refuse_double_backward(create_graph)
    wanted = _as_sequence(inputs)
    for index, tensor in enumerate(wanted):
        if not tensor._requires_grad:
            raise RuntimeError(f"[grad] inputs: tensor {index} does not require grad")
    walk = BackwardPass(bool(retain_graph), wanted)
    walk.run(_roots(outputs, grad_outputs))
    assert walk.captures is not None
    results: list[Any] = []
    given: set[int] = set()
    for index, tensor in enumerate(wanted):
        array = walk.captures[tensor._edge or tensor]
        if array is None:
            if not allow_unused:
                raise RuntimeError(
                    f"[grad] inputs: tensor {index} appears to not have been used in the graph; "
                    "set allow_unused=True if this is the desired behavior"
                )
            results.append(None)
            continue
        if id(array) in given:
            array = array.copy()
        given.add(id(array))
        results.append(_tape.Tensor(array))
    return tuple(results)


class FunctionContext:
    """What `forward` of a `Function` leaves for its `backward`; further attributes may be set freely."""

    def __init__(self) -> None:
        self.needs_input_grad: tuple[bool, ...] = ()
        self._materialize = True
        self._constant: tuple[Tensor, ...] = ()
        self._to_save: tuple[Any, ...] = ()
        self._saved: tuple[Any, ...] | None = None

    def save_for_backward(self, *tensors: Any) -> None:
        """Keeps Tensors (or None) for `saved_tensors`; in-place changes to them are caught."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, _tape.Tensor):
                raise TypeError(
                    f"[save_for_backward] tensors: expected Tensors or None, got {type(tensor).__name__}"
                )
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        if self._saved is None:
            return self._to_save
        return tuple(None if array is None else _tape.Tensor(array) for array in self._saved)

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (the default) or None for an output that no gradient reached."""
        self._materialize = bool(value)


class _Call(Op):
    """The node of one call of a `Function`."""

    view = True
    function: type[Function]
    context: FunctionContext

    @staticmethod
    def forward(ctx: Any, function: type[Function], args: Sequence[Any], *arrays: Any) -> Any:
        context = FunctionContext()
        context.needs_input_grad = tuple(ctx.needs_input_grad[2 : 2 + len(arrays)])
        with no_grad():
            if function.setup_context is Function.setup_context:
                outputs = function.forward(context, *args)
            else:
                outputs = function.forward(*args)
                function.setup_context(context, args, outputs)
        results = outputs if isinstance(outputs, tuple) else (outputs,)
        for result in results:
            if result is not None and not isinstance(result, _tape.Tensor):
                raise TypeError(
                    f"[{function.__name__}] forward: expected Tensors as results, got {type(result).__name__}"
                )
        ctx.function, ctx.context = function, context
        ctx.save(*(None if tensor is None else tensor.data for tensor in context._to_save))
        context._to_save = ()
        ctx.mark_non_differentiable(*(tensor.data for tensor in context._constant))
        context._constant = ()
        ctx.targets = [
            (array.shape, array.dtype) if needed else None
            for array, needed in zip(arrays, context.needs_input_grad, strict=True)
        ]
        ctx.result_metadata = [None if tensor is None else (tensor.shape, tensor.dtype) for tensor in results]
        raw = tuple(None if tensor is None else tensor.data for tensor in results)
        return raw if isinstance(outputs, tuple) else raw[0]

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        context, function = ctx.context, ctx.function
        given: list[Any] = []
        for gradient, metadata in zip(grads, ctx.result_metadata, strict=True):
            if gradient is None and metadata is not None and context._materialize:
                gradient = np.zeros(*metadata)
            given.append(None if gradient is None else _tape.Tensor(gradient))
        context._saved = ctx.saved
        try:
            with no_grad():
                results = function.backward(context, *given)
        finally:
            context._saved = None
        results = list(results) if isinstance(results, tuple) else [results]
        return (None, None, *_checked(function, results, ctx.targets))

    def name(self) -> str:  # type: ignore[override]
        return self.function.__name__ + "Backward"


def _checked(function: type[Function], results: list[Any], targets: Sequence[Any]) -> list[Any]:
    count = len(targets)
    if len(results) < count or any(result is not None for result in results[count:]):
        raise RuntimeError(
            f"function {function.__name__}Backward returned an incorrect number of gradients "
            f"(expected {count}, got {len(results)})"
        )
    arrays: list[Any] = []
    for index, (result, target) in enumerate(zip(results, targets, strict=False)):
        if target is None or result is None:
            arrays.append(None)
            continue
        shape, dtype = target
        if not isinstance(result, _tape.Tensor):
            raise TypeError(
                f"[{function.__name__}] backward: expected Tensors or None, got {type(result).__name__}"
            )
        if result.shape != shape:
            raise RuntimeError(
                f"Function {function.__name__}Backward returned an invalid gradient at index {index} - "
                f"got {list(result.shape)} but expected shape compatible with {list(shape)}"
            )
        arrays.append(result.data.astype(dtype, copy=False))
    return arrays


def once_differentiable(function: Callable) -> Callable:
    """`function` itself, a backward of a `Function`: here none is differentiated again."""
    return function


class Function:
    """Base of people's own differentiable operations, as in PyTorch.

    Subclass it with static methods ``forward(ctx, *args)`` and ``backward(ctx, *grads)``, which get and
    return Tensors, and call ``apply``. Or leave `ctx` out of forward and add
    ``setup_context(ctx, inputs, output)``.
    """

    @staticmethod
    def forward(*args: Any) -> Any:
        raise RuntimeError("[Function] forward: expected a static method in the subclass, got none")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        raise RuntimeError("[Function] setup_context: expected a static method in the subclass, got none")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise RuntimeError("[Function] backward: expected a static method in the subclass, got none")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Calls forward on the arguments and records it."""
        result = _Call.apply(cls, args, *args)
        if any(isinstance(arg, _tape.Tensor) for arg in args):
            return result
        return tuple(map(_wrapped, result)) if isinstance(result, tuple) else _wrapped(result)


def _wrapped(array: Any) -> Any:
    return None if array is None else _tape.Tensor(array)


def gradcheck(
    fn: Callable[..., Any],
    inputs: Any,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Compares the gradients of `fn` with central differences, element by element, in float64.

    Raises RuntimeError (or returns False) where they differ, ValueError where an input that requires grad is
    not float64.
    """
    tensors = _as_sequence(inputs)
    checked = [t for t in tensors if isinstance(t, _tape.Tensor) and t._requires_grad]
    if not checked:
        raise ValueError("[gradcheck] inputs: expected at least one Tensor that requires grad, got none")
    for tensor in checked:
        if tensor.dtype != np.float64:
            raise ValueError(f"[gradcheck] inputs: expected float64, got {tensor.dtype}")
    for position, output in enumerate(_as_sequence(fn(*tensors))):
        if not isinstance(output, _tape.Tensor) or not output._requires_grad:
            continue
        for tensor in checked:
            numeric = _numeric_jacobian(fn, tensors, tensor, position, eps)
            analytic = _analytic_jacobian(output, tensor)
            if not np.allclose(analytic, numeric, rtol=rtol, atol=atol):
                if not raise_exception:
                    return False
                raise RuntimeError(
                    f"[gradcheck] output {position}: the gradient differs by up to "
                    f"{np.abs(analytic - numeric).max():g} from finite differences.\n"
                    f"numerical: {numeric}\nanalytical: {analytic}"
                )
    return True


def _analytic_jacobian(output: Tensor, tensor: Tensor) -> np.ndarray:
    jacobian = np.zeros((tensor.data.size, output.data.size))
    for column in range(output.data.size):
        seed = np.zeros(output.data.shape, output.data.dtype)
        seed.reshape(-1)[column] = 1
        (found,) = grad(output, tensor, seed, retain_graph=True, allow_unused=True)
        if found is not None:
            jacobian[:, column] = found.data.reshape(-1)
    return jacobian


def _numeric_jacobian(fn: Callable, tensors: Any, tensor: Tensor, position: int, eps: float) -> np.ndarray:
    def evaluate() -> np.ndarray:
        with no_grad():
            output = _as_sequence(fn(*tensors))[position]
        return output.data.reshape(-1).copy()

    original = tensor.data
    rows = []
    try:
        for index in np.ndindex(original.shape):
            values = []
            for step in (eps, -eps):
                moved = original.copy()
                moved[index] += step
                tensor.data = moved
                values.append(evaluate())
            rows.append((values[0] - values[1]) / (2 * eps))
    finally:
        tensor.data = original
    return np.array(rows)
