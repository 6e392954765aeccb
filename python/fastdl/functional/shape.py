"""Changes of shape and layout: views where strides allow, copies where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastdl._alloc import empty, empty_like
from fastdl._memory_format import (
    MemoryFormat,
    channels_last,
    contiguous_format,
    copy_in,
    empty_in,
    is_contiguous,
    is_in,
    preserve_format,
    suggest_memory_format,
)
from fastdl.autograd import Op
from fastdl.functional._operands import normalize_axes, normalize_axis, result_type, sum_to

_RESHAPE_TAKES_COPY = np.lib.NumpyVersion(np.__version__) >= "2.1.0"


def _sizes(op: str, sizes: tuple[Any, ...]) -> tuple[int, ...]:
    if len(sizes) == 1 and (type(sizes[0]) is tuple or isinstance(sizes[0], Sequence)):
        sizes = tuple(sizes[0])
    try:
        return tuple([size if type(size) is int else int(size.__index__()) for size in sizes])
    except AttributeError:
        raise TypeError(f"[{op}] expected integers, got {sizes}") from None


def _copied(array: np.ndarray) -> np.ndarray:
    out = empty(array.shape, array.dtype)
    np.copyto(out, array)
    return out


def _viewed(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """A view of another shape, None where the strides do not allow it."""
    if array.flags.c_contiguous:
        return array.reshape(shape)
    try:
        if _RESHAPE_TAKES_COPY:
            return array.reshape(shape, copy=False)
        view = array.view()
        view.shape = shape
        return view
    except (AttributeError, ValueError):
        return None


def _inferred(op: str, shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    known = 1
    for extent in shape:
        known *= extent if extent >= 0 else 1
    if known == size and min(shape, default=0) >= 0:
        return shape
    unknown = [axis for axis, extent in enumerate(shape) if extent == -1]
    if len(unknown) == 1 and known > 0 and size % known == 0:
        return tuple(size // known if extent == -1 else extent for extent in shape)
    raise ValueError(f"[{op}] shape: expected {size} elements in all, got {shape}")


class Reshape(Op):
    view = True

    @staticmethod
    def forward(ctx: Any, input: np.ndarray, shape: tuple[int, ...], copy: bool) -> np.ndarray:
        input = np.asarray(input)
        shape = _inferred("reshape" if copy else "view", shape, input.size)
        ctx.shape = input.shape
        viewed = _viewed(input, shape)
        if viewed is not None:
            return viewed
        if not copy:
            raise ValueError(
                f"[view] shape: expected one that the strides allow, got {shape} for shape {input.shape} "
                f"with strides {tuple(step // input.itemsize for step in input.strides)}; use reshape"
            )
        return _copied(input).reshape(shape)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        viewed = _viewed(grad, ctx.shape)
        return (_copied(grad).reshape(ctx.shape) if viewed is None else viewed), None, None


class Permute(Op):
    view = True

    @staticmethod
    def forward(ctx: Any, input: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        ctx.axes = axes
        return np.asarray(input).transpose(axes)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        inverse = [0] * len(ctx.axes)
        for position, axis in enumerate(ctx.axes):
            inverse[axis] = position
        return grad.transpose(inverse), None


class Expand(Op):
    view = True

    @staticmethod
    def forward(ctx: Any, input: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
        x = np.asarray(input)
        lead = len(sizes) - x.ndim
        shape = list(sizes)
        for axis, extent in enumerate(sizes):
            held = x.shape[axis - lead] if axis >= lead else None
            if extent == -1 and held is not None:
                shape[axis] = held
            elif extent < 0 or (held is not None and held not in (1, extent)):
                raise ValueError(
                    f"[expand] sizes: expected sizes that shape {x.shape} can be expanded to, got {sizes}"
                )
        if lead < 0:
            raise ValueError(
                f"[expand] sizes: expected at least {x.ndim} sizes for shape {x.shape}, got {sizes}"
            )
        ctx.target = x.shape, None
        # writeable, as PyTorch's; np.broadcast_to would not be, and would warn
        strides = (0,) * lead + tuple(
            0 if held == 1 and extent != 1 else step
            for held, extent, step in zip(x.shape, shape[lead:], x.strides, strict=True)
        )
        return np.lib.stride_tricks.as_strided(x, shape, strides)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        return sum_to(grad, ctx.target), None


class Cat(Op):
    @staticmethod
    def forward(ctx: Any, dim: int, *tensors: Any) -> np.ndarray:
        arrays = [np.asarray(tensor) for tensor in tensors]
        if not arrays:
            raise ValueError("[cat] tensors: expected at least one, got none")
        dtype = result_type(*arrays)
        # PyTorch passes over arrays of shape (0,) wherever they stand
        held = [array for array in arrays if array.shape != (0,)]
        first = held[0] if held else arrays[0]
        axis = normalize_axis("cat", dim, first.ndim)
        if first.ndim == 0:
            raise ValueError("[cat] tensors: expected at least one axis, got a 0-d one")
        shape = list(first.shape)
        shape[axis] = 0
        for position, array in enumerate(arrays):
            if array.shape == (0,) and held:
                continue
            if array.ndim != first.ndim or any(
                a != b for at, (a, b) in enumerate(zip(first.shape, array.shape, strict=True)) if at != axis
            ):
                raise ValueError(
                    f"[cat] tensors: expected shapes that differ in dim {dim} only, got {first.shape} and "
                    f"{array.shape} at {position}"
                )
            shape[axis] += array.shape[axis]
        ctx.axis = axis
        ctx.extents = [None if array.shape == (0,) else array.shape[axis] for array in arrays]
        ctx.dtypes = [array.dtype for array in arrays]
        last = all(suggest_memory_format(array) is channels_last for array in arrays)
        out = empty_in(tuple(shape), dtype, channels_last if last else contiguous_format)
        return np.concatenate(held or arrays, axis=axis, out=out, casting="same_kind")

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        parts: list[Any] = [None]
        start = 0
        for extent, dtype, needed in zip(ctx.extents, ctx.dtypes, ctx.needs_input_grad[1:], strict=True):
            if extent is None:
                parts.append(np.zeros(0, dtype) if needed else None)
                continue
            index = (slice(None),) * ctx.axis + (slice(start, start + extent),)
            parts.append(grad[index].astype(dtype, copy=False) if needed else None)
            start += extent
        return tuple(parts)


class Split(Op):
    view = True

    @staticmethod
    def forward(ctx: Any, input: np.ndarray, sizes: tuple[int, ...], axis: int) -> tuple[np.ndarray, ...]:
        x = np.asarray(input)
        ctx.axis, ctx.shape, ctx.sizes = axis, x.shape, sizes
        parts = []
        start = 0
        for size in sizes:
            parts.append(x[(slice(None),) * axis + (slice(start, start + size),)])
            start += size
        return tuple(parts)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        known = next(grad for grad in grads if grad is not None)
        out = empty(ctx.shape, known.dtype)
        start = 0
        for size, grad in zip(ctx.sizes, grads, strict=True):
            out[(slice(None),) * ctx.axis + (slice(start, start + size),)] = 0 if grad is None else grad
            start += size
        return out, None, None


class Unbind(Op):
    view = True

    @staticmethod
    def forward(ctx: Any, input: np.ndarray, axis: int) -> tuple[np.ndarray, ...]:
        x = np.asarray(input)
        ctx.axis, ctx.shape = axis, x.shape
        return tuple(np.moveaxis(x, axis, 0)[at, ...] for at in range(x.shape[axis]))

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        known = next(grad for grad in grads if grad is not None)
        out = empty(ctx.shape, known.dtype)
        moved = np.moveaxis(out, ctx.axis, 0)
        for at, grad in enumerate(grads):
            moved[at] = 0 if grad is None else grad
        return out, None


class Clone(Op):
    """A copy, in a memory format."""

    @staticmethod
    def forward(ctx: Any, input: np.ndarray, memory_format: MemoryFormat) -> np.ndarray:
        x = np.asarray(input)
        if memory_format is preserve_format:
            out = empty_like(x)
            np.copyto(out, x)
            return out
        return copy_in(x, memory_format)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        return grad, None


class Cast(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, dtype: Any) -> np.ndarray:
        x = np.asarray(input)
        ctx.dtype = x.dtype
        out = empty_like(x, dtype)
        with np.errstate(invalid="ignore", over="ignore"):
            np.copyto(out, x, casting="unsafe")
        return out

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        return grad.astype(ctx.dtype), None


def reshape(input: Any, *shape: Any) -> Any:
    """`input` with another shape; one extent may be -1. A view where the strides allow it."""
    return Reshape.apply(input, _sizes("reshape", shape), True)


def view(input: Any, *shape: Any) -> Any:
    """As `reshape`, but raises ValueError where it would have to copy."""
    return Reshape.apply(input, _sizes("view", shape), False)


def view_as(input: Any, other: Any) -> Any:
    """`input` viewed with the shape of `other`."""
    return view(input, other.shape)


def reshape_as(input: Any, other: Any) -> Any:
    """`input` with the shape of `other`."""
    return reshape(input, other.shape)


def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """`input` with the axes from `start_dim` to `end_dim` joined into one."""
    shape = input.shape
    first = normalize_axis("flatten", start_dim, len(shape))
    last = normalize_axis("flatten", end_dim, len(shape))
    if first > last:
        raise ValueError(f"[flatten] start_dim: expected at most end_dim={end_dim}, got {start_dim}")
    joined = 1
    for extent in shape[first : last + 1]:
        joined *= extent
    return reshape(input, (*shape[:first], joined, *shape[last + 1 :]))


def ravel(input: Any) -> Any:
    """`input` with all axes joined into one."""
    return reshape(input, -1)


def unflatten(input: Any, dim: int, sizes: Any) -> Any:
    """`input` with one axis split into several; one of `sizes` may be -1."""
    axis = normalize_axis("unflatten", dim, len(input.shape))
    sizes = _inferred("unflatten", _sizes("unflatten", (sizes,)), input.shape[axis])
    return reshape(input, (*input.shape[:axis], *sizes, *input.shape[axis + 1 :]))


def permute(input: Any, *dims: Any) -> Any:
    """A view with the axes in another order."""
    given = _sizes("permute", dims)
    ndim = len(input.shape)
    axes = tuple(normalize_axis("permute", axis, ndim) for axis in given)
    if sorted(axes) != list(range(ndim)):
        raise ValueError(f"[permute] dims: expected each of {ndim} axes once, got {given}")
    return Permute.apply(input, axes)


def transpose(input: Any, dim0: int, dim1: int) -> Any:
    """A view with two axes exchanged."""
    ndim = len(input.shape)
    first, second = normalize_axis("transpose", dim0, ndim), normalize_axis("transpose", dim1, ndim)
    axes = list(range(ndim))
    if axes:
        axes[first], axes[second] = second, first
    return Permute.apply(input, tuple(axes))


def t(input: Any) -> Any:
    """A matrix transposed; fewer axes are left as they are."""
    if len(input.shape) > 2:
        raise ValueError(f"[t] input: expected at most 2 axes, got shape {tuple(input.shape)}")
    return transpose(input, 0, 1) if len(input.shape) == 2 else input


def movedim(input: Any, source: Any, destination: Any) -> Any:
    """A view with axes moved to other places."""
    ndim = len(input.shape)
    sources = (source,) if isinstance(source, int) else tuple(source)
    places = (destination,) if isinstance(destination, int) else tuple(destination)
    sources = tuple(normalize_axis("movedim", axis, ndim) for axis in sources)
    places = tuple(normalize_axis("movedim", axis, ndim) for axis in places)
    if len(sources) != len(places) or len(set(sources)) != len(sources) or len(set(places)) != len(places):
        raise ValueError(
            f"[movedim] expected as many distinct places as axes, got {source} and {destination}"
        )
    order = [axis for axis in range(ndim) if axis not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return Permute.apply(input, tuple(order))


def squeeze(input: Any, dim: Any = None) -> Any:
    """A view without the axes of extent 1, or without those of `dim` that have extent 1."""
    shape = input.shape
    axes = () if isinstance(dim, tuple | list) and not dim else normalize_axes("squeeze", dim, len(shape))
    return Reshape.apply(
        input, tuple(extent for axis, extent in enumerate(shape) if extent != 1 or axis not in axes), True
    )


def unsqueeze(input: Any, dim: int) -> Any:
    """A view with an axis of extent 1 put in at `dim`."""
    shape = tuple(input.shape)
    axis = normalize_axis("unsqueeze", dim, len(shape) + 1)
    return Reshape.apply(input, (*shape[:axis], 1, *shape[axis:]), True)


def expand(input: Any, *sizes: Any) -> Any:
    """A view with axes of extent 1 repeated without copying; -1 keeps an extent."""
    return Expand.apply(input, _sizes("expand", sizes))


def broadcast_to(input: Any, size: Any) -> Any:
    """As `expand`."""
    return Expand.apply(input, _sizes("broadcast_to", (size,)))


def expand_as(input: Any, other: Any) -> Any:
    """`input` expanded to the shape of `other`."""
    return Expand.apply(input, tuple(other.shape))


def narrow(input: Any, dim: int, start: int, length: int) -> Any:
    """A view of `length` elements along `dim` from `start` on."""
    axis = normalize_axis("narrow", dim, len(input.shape))
    extent = input.shape[axis]
    first = start + extent if start < 0 else start
    if not (0 <= first <= extent and 0 <= length <= extent - first):
        raise ValueError(
            f"[narrow] start, length: expected a range within {extent} elements, got {start}, {length}"
        )
    return input[(slice(None),) * axis + (slice(first, first + length),)]


def select(input: Any, dim: int, index: int) -> Any:
    """A view of one element along `dim`, without that axis."""
    axis = normalize_axis("select", dim, len(input.shape))
    return input[(slice(None),) * axis + (index,)]


def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views of all the elements along `dim`, without that axis."""
    if len(input.shape) == 0:
        raise ValueError("[unbind] input: expected at least one axis, got a 0-d tensor")
    return Unbind.apply(input, normalize_axis("unbind", dim, len(input.shape)))


def cat(tensors: Any, dim: int = 0) -> Any:
    """The arrays joined along an axis that they have."""
    return Cat.apply(dim, *tensors)


def stack(tensors: Any, dim: int = 0) -> Any:
    """Arrays of one shape joined along a new axis."""
    tensors = list(tensors)
    if not tensors:
        raise ValueError("[stack] tensors: expected at least one, got none")
    shape = tuple(tensors[0].shape)
    for tensor in tensors:
        if tuple(tensor.shape) != shape:
            raise ValueError(f"[stack] tensors: expected equal shapes, got {shape} and {tuple(tensor.shape)}")
    return cat([unsqueeze(tensor, dim) for tensor in tensors], dim)


def split(input: Any, split_size_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views of pieces along `dim`: of one size (the last may be smaller), or of the sizes in a list."""
    axis = normalize_axis("split", dim, len(input.shape))
    extent = input.shape[axis]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size < 0 or (size == 0 and extent != 0):
            raise ValueError(f"[split] split_size: expected a positive number, got {size}")
        count = 1 if size == 0 else max(-(-extent // size), 1)
        sizes = tuple(min(size, extent - at * size) for at in range(count))
    else:
        sizes = tuple(int(size) for size in split_size_or_sections)
        if sum(sizes) != extent or min(sizes, default=0) < 0:
            raise ValueError(f"[split] sections: expected sizes that add up to {extent}, got {sizes}")
    return Split.apply(input, sizes, axis)


def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """Views of at most `chunks` pieces of equal size along `dim`, but for the last."""
    if chunks <= 0:
        raise ValueError(f"[chunk] chunks: expected a positive number, got {chunks}")
    extent = input.shape[normalize_axis("chunk", dim, len(input.shape))]
    if extent == 0:
        return split(input, [0] * chunks, dim)
    return split(input, -(-extent // chunks), dim)


def clone(input: Any, *, memory_format: MemoryFormat = preserve_format) -> Any:
    """A copy that gradients pass through."""
    return Clone.apply(input, memory_format)


def contiguous(input: Any, memory_format: MemoryFormat = contiguous_format) -> Any:
    """`input` itself where it is dense in the memory format, else a copy that is."""
    if memory_format is preserve_format or is_contiguous(_array_of(input), memory_format):
        return input
    return Clone.apply(input, memory_format)


def to_format(input: Any, memory_format: MemoryFormat) -> Any:
    """`input` itself where its strides tell the memory format, else a copy whose strides do.

    Strides of axes of extent 1 can fit two formats: `contiguous` takes them as they are, this does not.
    """
    if memory_format is preserve_format or is_in(_array_of(input), memory_format):
        return input
    return Clone.apply(input, memory_format)


def _array_of(input: Any) -> np.ndarray:
    return input if isinstance(input, np.ndarray) else input.data


def cast(input: Any, dtype: Any) -> Any:
    """`input` itself where it has the dtype, else a converted copy."""
    return input if input.dtype == dtype else Cast.apply(input, np.dtype(dtype))


__all__ = [
    "broadcast_to", "cast", "cat", "chunk", "clone", "contiguous", "expand", "expand_as", "flatten",
    "movedim", "narrow", "permute", "ravel", "reshape", "reshape_as", "select", "split", "squeeze", "stack",
    "t", "transpose", "unbind", "unflatten", "unsqueeze", "view", "view_as",
]  # fmt: skip
