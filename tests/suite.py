"""Checks that every op's test file applies to its own cases."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

import fastdl
import numpy as np
import pytest
from fastdl import _core

from tests import tolerances
from tests.cases.case import Case

Array = np.ndarray
FLOATS = [np.float32, np.float64]
EXACT = {np.float32: np.float64, np.float64: np.longdouble}


def is_floating(array: Array) -> bool:
    return array.dtype.kind in "fV"  # bfloat16 of ml_dtypes has kind V


def exact_type(dtype: Any) -> Any:
    """What a reference for `dtype` computes in; for bfloat16 float64."""
    return EXACT.get(dtype, np.float64)


def naive_type(dtype: Any) -> Any:
    """What the plain formula sums in: `dtype`, or float32 for bfloat16."""
    return dtype if dtype in EXACT else np.float32


def as_tuple(outputs: Any) -> tuple[Any, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def differentiable(arrays: dict[str, Array]) -> list[str]:
    return [name for name, array in arrays.items() if is_floating(array)]


def record(op: Callable, arrays: dict[str, Array], options: Any) -> tuple[dict[str, Any], tuple]:
    """The operands as Tensors on those very arrays, the floating ones as leaves of the tape; and the outputs."""
    tensors = {name: fastdl.Tensor(array, requires_grad=is_floating(array)) for name, array in arrays.items()}
    return tensors, as_tuple(op(**tensors, **options))


def differentiate(tensors: dict[str, Any], outputs: tuple, grads: Any) -> dict[str, Array]:
    """The gradients of the leaves for `grads` of the outputs, which backward gets uncopied."""
    pairs = [(out, g) for out, g in zip(outputs, as_tuple(grads), strict=True) if out.requires_grad]
    fastdl.autograd.backward([out for out, _ in pairs], [fastdl.Tensor(g) for _, g in pairs])
    return {name: t.grad.numpy() for name, t in tensors.items() if t.grad is not None}


def run_op(
    op: Callable, arrays: dict[str, Array], options: Any, grads: Any = None
) -> tuple[tuple, dict[str, Array]]:
    """Outputs of `op` through the tape, and the gradients of its floating operands for `grads` of the outputs."""
    tensors, outputs = record(op, arrays, options)
    found = {} if grads is None else differentiate(tensors, outputs, grads)
    return tuple(out.detach().numpy() for out in outputs), found


def draw_gradients(
    outputs: Iterable[Array], case: Case, dtype: Any, integers: bool = False
) -> tuple[Array, ...]:
    rng = np.random.default_rng(case.generator().integers(1 << 32))
    draw = (lambda shape: rng.integers(-3, 4, shape)) if integers else rng.standard_normal
    return tuple(np.asarray(draw(np.shape(out))).astype(dtype) for out in outputs)


def one_or_all(values: tuple[Array, ...]) -> Any:
    return values[0] if len(values) == 1 else values


def run_reference(reference: ModuleType, arrays: dict[str, Array], options: Any, grads: tuple, dtype: Any):
    cast = {name: a.astype(dtype) if is_floating(a) else a for name, a in arrays.items()}
    outputs = as_tuple(reference.forward(**cast, **options))
    grads = tuple(g.astype(dtype) for g in grads)
    return outputs, reference.backward(one_or_all(grads), **cast, **options)


def check_reference(
    op: Callable,
    reference: ModuleType,
    case: Case,
    dtype: Any,
    check: Callable = tolerances.assert_accurate,
) -> None:
    """Values and gradients against the reference in a wider type: twice its own error in `dtype` at most."""
    arrays = case.arrays(dtype)
    with np.errstate(all="ignore"):
        shapes = as_tuple(reference.forward(**case.arrays(naive_type(dtype)), **case.options))
        grads = draw_gradients(shapes, case, dtype)
        exact, exact_grads = run_reference(reference, arrays, case.options, grads, exact_type(dtype))
        naive, naive_grads = run_reference(reference, arrays, case.options, grads, naive_type(dtype))
    outputs, found = run_op(op, arrays, case.options, grads)
    assert len(outputs) == len(exact)
    for i, (out, want, plain) in enumerate(zip(outputs, exact, naive, strict=True)):
        assert out.dtype == dtype and out.shape == np.shape(want)
        check(out, want, plain, dtype, f"output {i}")
    assert found.keys() == exact_grads.keys() & set(differentiable(arrays))
    for name, grad in found.items():
        assert grad.dtype == dtype and grad.shape == arrays[name].shape
        check(grad, exact_grads[name], naive_grads[name], dtype, f"gradient of {name}")


def check_finite_differences(reference: ModuleType, case: Case, samples: int = 12) -> None:
    """The reference's backward against central differences of its forward: the oracle's own test."""
    arrays = case.arrays(np.float64)
    outputs = as_tuple(reference.forward(**arrays, **case.options))
    grads = draw_gradients(outputs, case, np.float64)
    analytic = reference.backward(one_or_all(grads), **arrays, **case.options)

    def objective(**changed: Array) -> float:
        outs = as_tuple(reference.forward(**{**arrays, **changed}, **case.options))
        return float(sum(np.vdot(g, out) for g, out in zip(grads, outs, strict=True)))

    rng = case.generator()
    step = tolerances.DIFFERENCE_STEP
    for name in analytic.keys() & arrays.keys():
        array, gradient = arrays[name], analytic[name]
        for flat in rng.choice(array.size, min(samples, array.size), replace=False):
            up, down = array.copy(), array.copy()
            up.flat[flat] += step
            down.flat[flat] -= step
            numeric = (objective(**{name: up}) - objective(**{name: down})) / (2 * step)
            assert abs(numeric - gradient.flat[flat]) <= tolerances.difference_bound(gradient), (name, flat)


def check_integers_are_exact(op: Callable, reference: ModuleType, case: Case, dtype: Any) -> None:
    """Sums of small integers have no rounding error: any difference is a wrong index. In bfloat16 the result has one,
    to nearest even."""
    arrays = case.arrays(dtype, integers=True)
    shapes = as_tuple(reference.forward(**case.arrays(naive_type(dtype)), **case.options))
    grads = draw_gradients(shapes, case, dtype, integers=True)
    exact, exact_grads = run_reference(reference, arrays, case.options, grads, np.float64)
    outputs, found = run_op(op, arrays, case.options, grads)
    for out, want in zip(outputs, exact, strict=True):
        np.testing.assert_array_equal(out, want.astype(dtype))
    for name, grad in found.items():
        np.testing.assert_array_equal(grad, exact_grads[name].astype(dtype), err_msg=name)


def _misaligned(array: Array) -> Array:
    buffer = np.empty(array.nbytes + 1, np.uint8)
    copy = buffer[1:].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _spread(array: Array) -> Array:
    """The same values, every second element of a larger array."""
    wide = np.empty((*array.shape[:-1], 2 * array.shape[-1]), array.dtype) if array.ndim else array.copy()
    view = wide[..., ::2] if array.ndim else wide
    view[...] = array
    return view


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "fortran": lambda a: a.copy(order="F"),
    "spread": _spread,
    "negative": lambda a: np.flip(np.flip(a).copy()),
    "misaligned": _misaligned,
}


def check_layouts(op: Callable, case: Case, dtype: Any) -> None:
    """The same bits whatever the strides and alignment of the operands and of the outputs' gradients."""
    arrays = case.arrays(dtype)
    grads = draw_gradients(as_tuple(op(**arrays, **case.options)), case, dtype)
    want, want_grads = run_op(op, arrays, case.options, grads)
    for layout, change in LAYOUTS.items():
        changed = {name: change(array) for name, array in arrays.items()}
        got, got_grads = run_op(op, changed, case.options, tuple(change(grad) for grad in grads))
        for i, (out, expected) in enumerate(zip(got, want, strict=True)):
            np.testing.assert_array_equal(out, expected, err_msg=f"{layout}: output {i}")
        assert got_grads.keys() == want_grads.keys()
        for name, expected in want_grads.items():
            np.testing.assert_array_equal(got_grads[name], expected, err_msg=f"{layout}: gradient of {name}")


THREADS = (1, 2, 3, 5)


@contextlib.contextmanager
def more_chunks_than_threads(what: str) -> Iterator[None]:
    """Fails where the work inside is cut into so few chunks that it is the same for all of THREADS."""
    _core.take_most_chunks()
    yield
    chunks = _core.take_most_chunks()
    assert chunks > max(THREADS), f"{what}: {chunks} chunks show nothing with {max(THREADS)} threads"


def check_threads(op: Callable, case: Case, dtype: Any) -> None:
    """The same bits for any number of threads, forward and backward."""
    arrays = case.arrays(dtype)
    before = fastdl.get_num_threads()
    results = []
    try:
        for threads in THREADS:
            fastdl.set_num_threads(threads)
            with more_chunks_than_threads("forward"):
                tensors, outputs = record(op, arrays, case.options)
            values = [out.detach().numpy() for out in outputs]
            with more_chunks_than_threads("backward"):
                found = differentiate(tensors, outputs, draw_gradients(values, case, dtype))
            results.append([*values, *(found[name] for name in sorted(found))])
    finally:
        fastdl.set_num_threads(before)
    for first, other in itertools.product(results[:1], results[1:]):
        for a, b in zip(first, other, strict=True):
            np.testing.assert_array_equal(a, b)


def check_image_by_image(op: Callable, case: Case, dtype: Any = np.float32) -> None:
    """A batch of images has the bits of each alone, forward and backward: for what only large arrays take."""
    arrays = case.arrays(dtype)
    tensors, outputs = record(op, arrays, case.options)
    values = [out.detach().numpy() for out in outputs]
    grads = draw_gradients(values, case, dtype)
    results = [*values, *differentiate(tensors, outputs, grads).values()]
    for i in range(len(arrays["input"])):
        image = {name: a[i : i + 1] for name, a in arrays.items()}
        alone, found = run_op(op, image, case.options, tuple(g[i : i + 1] for g in grads))
        for whole, part in zip(results, [*alone, *found.values()], strict=True):
            np.testing.assert_array_equal(whole[i : i + 1], part)


def check_empty(op: Callable, reference: ModuleType, case: Case, dtype: Any = np.float32) -> None:
    """Zero-size batches give the reference's shapes, and zero gradients for what the batch did not meet."""
    arrays = case.arrays(dtype)
    shapes = as_tuple(reference.forward(**case.arrays(np.float32), **case.options))
    outputs, found = run_op(op, arrays, case.options, draw_gradients(shapes, case, dtype))
    assert [out.shape for out in outputs] == [np.shape(want) for want in shapes]
    for name, grad in found.items():
        assert grad.shape == arrays[name].shape
        assert not grad.any(), name


def check_torch(op: Callable, name: str, case: Case) -> None:
    """Values and gradients against torch.nn.functional's function of that name, in float64."""
    torch = pytest.importorskip("torch")
    arrays = case.arrays(np.float64)
    theirs = {key: torch.from_numpy(np.array(array)) for key, array in arrays.items()}
    for key in differentiable(arrays):
        theirs[key].requires_grad_(not key.endswith("weight"))
    want = getattr(torch.nn.functional, name)(**theirs, **case.options)
    (grad,) = draw_gradients([want.detach().numpy()], case, np.float64)
    want.backward(torch.from_numpy(grad))
    (found,), grads = run_op(op, arrays, case.options, grad)
    bound = tolerances.TOLERANCES["same_formula_float64"]
    assert tolerances.relative_error(found, want.detach().numpy()) <= bound
    for key, tensor in theirs.items():
        if tensor.grad is not None:
            assert tolerances.relative_error(grads[key], tensor.grad.numpy()) <= bound, key
