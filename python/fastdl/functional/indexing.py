"""Reading and writing by index: basic and advanced indexing, gather, scatter, sort, topk."""

from __future__ import annotations

from types import EllipsisType
from typing import Any, NamedTuple

import numpy as np

from fastdl import _tape
from fastdl._alloc import copy_like, zeros
from fastdl.autograd import Op
from fastdl.functional._operands import ValuesIndices, normalize_axis, sum_to
from fastdl.functional.shape import expand, flatten


class Index(NamedTuple):
    """An index in two steps, as PyTorch takes it: integers, slices, None and ... give a view; arrays pick from that.

    NumPy takes them at once, and counts an integer beside arrays as one of them, which moves axes.
    """

    basic: tuple[Any, ...]
    arrays: tuple[Any, ...] = ()

    def of(self, array: np.ndarray) -> np.ndarray:
        """What the index names: a view where it has no arrays."""
        part = array[self.basic]
        return np.asarray(part[self.arrays] if self.arrays else part)

    def put(self, array: np.ndarray, value: Any) -> None:
        """Writes `value`, which broadcasts, to what the index names."""
        if self.arrays:
            array[self.basic][self.arrays] = value
        else:
            array[self.basic] = value

    def spread(self, array: np.ndarray, value: np.ndarray) -> None:
        """`put` into an array of zeros, adding up in order what falls on one element."""
        if any(isinstance(part, np.ndarray) and part.dtype != np.bool_ for part in self.arrays):
            np.add.at(array[self.basic], self.arrays, value)
        else:
            self.put(array, value)

    def held(self) -> list[np.ndarray]:
        """The arrays, which a change in place would make another index of."""
        return [part for part in self.arrays if isinstance(part, np.ndarray)]


def as_index(index: Any, ndim: int) -> Index:
    """The index of an array of `ndim` axes from what stands between brackets, Tensors and lists included.

    Its basic part has an Ellipsis, with which a single element is an array without axes and not a scalar.
    """
    parts = tuple([_index_part(part) for part in (index if isinstance(index, tuple) else (index,))])
    kinds = [type(part) for part in parts]
    if np.ndarray not in kinds:
        return Index(parts if EllipsisType in kinds else (*parts, ...))
    basic: list[Any] = []
    arrays: list[Any] = []
    rest = ndim - sum(_axes_taken(part) for part in parts)
    if rest < 0:
        raise IndexError(f"[index] expected at most {ndim} axes, got an index of {ndim - rest}")
    for part in parts:
        if isinstance(part, np.ndarray):
            # a boolean without axes is an index into a new axis
            basic += [slice(None)] * _axes_taken(part) if part.ndim else [None]
            arrays.append(part if part.ndim else part.reshape(1))
        elif part is Ellipsis:
            basic += [slice(None)] * rest
            arrays += [slice(None)] * rest
        else:
            basic.append(part)
            if not isinstance(part, int):
                arrays.append(slice(None))
    return Index((*basic, ...), tuple(arrays))


def _axes_taken(part: Any) -> int:
    if isinstance(part, np.ndarray):
        return part.ndim if part.dtype == np.bool_ else 1
    return 0 if part is None or part is Ellipsis else 1


def _index_part(part: Any) -> Any:
    if part is None or part is Ellipsis or isinstance(part, slice):
        return part
    if isinstance(part, int | np.integer) and not isinstance(part, bool):
        return int(part)
    array = part.data if isinstance(part, _tape.Tensor) else part
    if not isinstance(array, np.ndarray):
        array = np.asarray(array, dtype=np.int64 if isinstance(array, list) and not array else None)
    if array.dtype.kind not in "iub":
        raise IndexError(
            f"[index] expected integers, slices, bool or integer tensors, got {_kind(part, array)}"
        )
    return int(array) if array.ndim == 0 and array.dtype != np.bool_ else array


def _kind(part: Any, array: np.ndarray) -> str:
    return type(part).__name__ if array.dtype.hasobject else f"dtype {array.dtype}"


class GetItem(Op):
    view = True

    @staticmethod
    def forward(ctx: Any, input: np.ndarray, index: Index) -> np.ndarray:
        ctx.shape, ctx.index = input.shape, index
        ctx.save(*index.held())
        return index.of(input)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        out = zeros(ctx.shape, grad.dtype)
        ctx.index.spread(out, grad)
        return out, None


class SetItem(Op):
    """`input` with `value` at an index; for in-place assignment that is recorded."""

    @staticmethod
    def forward(ctx: Any, input: np.ndarray, index: Index, value: Any) -> np.ndarray:
        out = copy_like(input, input)
        value = np.asarray(value)
        ctx.index, ctx.target = index, (value.shape, value.dtype)
        ctx.save(*index.held())
        index.put(out, value)
        return out

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        left, _, right = ctx.needs_input_grad
        by_input = by_value = None
        if left:
            by_input = copy_like(grad, grad)
            ctx.index.put(by_input, 0)
        if right:
            shape, dtype = ctx.target
            picked = ctx.index.of(grad)
            # assignment lets a value have more axes, of extent 1, in front
            by_value = sum_to(picked, (shape[max(len(shape) - picked.ndim, 0) :], dtype)).reshape(shape)
        return by_input, None, by_value


def _along(index: np.ndarray, axis: int) -> tuple[np.ndarray, ...]:
    """An index that picks ``[.., index[i, j, k], ..]`` along one axis, within the extents of `index`."""
    grid: list[np.ndarray] = list(np.ogrid[tuple(slice(extent) for extent in index.shape)])
    grid[axis] = index
    return tuple(grid)


def _checked_index(op: str, input: np.ndarray, dim: int, index: np.ndarray) -> tuple[np.ndarray, int]:
    axis = normalize_axis(op, dim, input.ndim)
    if index.dtype.kind not in "iu":
        raise TypeError(f"[{op}] index: expected integers, got {index.dtype}")
    if index.ndim != input.ndim:
        raise ValueError(f"[{op}] index: expected {input.ndim} axes, got shape {index.shape}")
    for at, (extent, held) in enumerate(zip(index.shape, input.shape, strict=True)):
        if at != axis and extent > held:
            raise ValueError(f"[{op}] index: expected extents within shape {input.shape}, got {index.shape}")
    if index.size and (index.min() < 0 or index.max() >= input.shape[axis]):
        raise IndexError(
            f"[{op}] index: expected values in [0, {input.shape[axis]}), got {index.min()} to {index.max()}"
        )
    return index, axis


class Gather(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, dim: int, index: Any) -> np.ndarray:
        # a number stands for one element, as an operand and as an index
        x, index = np.asarray(input), np.asarray(index)
        ctx.shape, ctx.picked = x.shape, index.shape
        if index.size == 0:
            ctx.save(None)
            return np.empty(index.shape, x.dtype)
        x, index = np.atleast_1d(x), np.atleast_1d(index)
        index, ctx.axis = _checked_index("gather", x, dim, index)
        ctx.save(index)
        return x[_along(index, ctx.axis)].reshape(ctx.picked)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        (index,) = ctx.saved
        out = zeros(ctx.shape or (1,), grad.dtype)
        if index is not None:
            np.add.at(out, _along(index, ctx.axis), grad.reshape(index.shape))
        return out.reshape(ctx.shape), None, None


class ScatterAdd(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, dim: int, index: Any, src: np.ndarray) -> np.ndarray:
        x, index, src = np.asarray(input), np.asarray(index), np.asarray(src)
        ctx.src_shape = src.shape
        if index.size == 0:
            ctx.save(None)
            return copy_like(x, x)
        shape = x.shape
        x, index, src = np.atleast_1d(x), np.atleast_1d(index), np.atleast_1d(src)
        index, axis = _checked_index("scatter_add", x, dim, index)
        if src.ndim != index.ndim or any(a > b for a, b in zip(index.shape, src.shape, strict=True)):
            raise ValueError(
                f"[scatter_add] src: expected a shape of at least {index.shape}, got {src.shape}"
            )
        if src.dtype != x.dtype:
            raise TypeError(f"[scatter_add] src: expected {x.dtype}, got {src.dtype}")
        ctx.save(index)
        ctx.axis = axis
        out = copy_like(x, x)
        np.add.at(out, _along(index, axis), src[tuple(slice(extent) for extent in index.shape)])
        return out.reshape(shape)

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        (index,) = ctx.saved
        by_src = None
        if ctx.needs_input_grad[3]:
            by_src = np.zeros(ctx.src_shape or (1,), grad.dtype)
            if index is not None:
                taken = np.atleast_1d(grad)[_along(index, ctx.axis)]
                by_src[tuple(slice(extent) for extent in index.shape)] = taken
            by_src = by_src.reshape(ctx.src_shape)
        return grad, None, None, by_src


class IndexSelect(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, dim: int, index: Any) -> np.ndarray:
        x, index = np.asarray(input), np.asarray(index)
        ctx.shape = shape = x.shape
        if x.ndim == 0 and index.size != 1:
            raise ValueError(f"[index_select] index: expected one value for no axes, got {index.size}")
        x = np.atleast_1d(x)
        axis = normalize_axis("index_select", dim, x.ndim)
        if index.dtype.kind not in "iu":
            raise TypeError(f"[index_select] index: expected integers, got {index.dtype}")
        if index.ndim > 1:
            raise ValueError(f"[index_select] index: expected one axis, got shape {index.shape}")
        index = index.reshape(-1)
        if index.size and (index.min() < 0 or index.max() >= x.shape[axis]):
            raise IndexError(
                f"[index_select] index: expected values in [0, {x.shape[axis]}), "
                f"got {index.min()} to {index.max()}"
            )
        ctx.save(index)
        ctx.axis = axis
        taken = np.take(x, index, axis)
        return taken if shape else taken.reshape(())

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        out = zeros(ctx.shape or (1,), grad.dtype)
        moved = np.moveaxis(np.atleast_1d(grad), ctx.axis, 0)
        np.add.at(np.moveaxis(out, ctx.axis, 0), ctx.saved[0], moved)
        return out.reshape(ctx.shape), None, None


class MaskedSelect(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, mask: Any) -> np.ndarray:
        x, mask = np.asarray(input), np.asarray(mask)
        if mask.dtype != np.bool_:
            raise TypeError(f"[masked_select] mask: expected bool, got {mask.dtype}")
        ctx.shape = x.shape
        shape = np.broadcast_shapes(x.shape, mask.shape)
        mask = np.broadcast_to(mask, shape)
        ctx.save(mask)
        return np.broadcast_to(x, shape)[mask]

    @staticmethod
    def backward(ctx: Any, grad: np.ndarray) -> Any:
        (mask,) = ctx.saved
        out = np.zeros(mask.shape, grad.dtype)
        out[mask] = grad
        return sum_to(out, (ctx.shape, None)), None


class Sort(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray, dim: int, descending: bool, count: int | None) -> Any:
        x = np.asarray(input)
        axis = normalize_axis("sort", dim, x.ndim)
        if x.ndim == 0:
            ctx.axis = None
            return x.copy(), np.zeros((), np.int64)
        if descending:
            # stable: equal elements keep their order, so the reversed array is sorted and read backwards
            back = np.flip(np.argsort(np.flip(x, axis), axis=axis, kind="stable"), axis)
            order = x.shape[axis] - 1 - back
        else:
            order = np.argsort(x, axis=axis, kind="stable")
        if count is not None:
            order = order[(slice(None),) * axis + (slice(count),)]
        order = np.ascontiguousarray(order, dtype=np.int64)
        ctx.save(order)
        ctx.shape, ctx.axis = x.shape, axis
        return np.take_along_axis(x, order, axis), order

    @staticmethod
    def backward(ctx: Any, grad: Any, _: Any) -> Any:
        if ctx.axis is None or grad is None:
            return grad, None, None, None
        out = zeros(ctx.shape, grad.dtype)
        np.put_along_axis(out, ctx.saved[0], grad, ctx.axis)
        return out, None, None, None


def getitem(input: Any, index: Any) -> Any:
    """``input[index]``: a view for integers, slices, None and ..., else a copy.

    Beside index arrays, those come first: ``x[0, :, index]`` is ``x[0][:, index]``, as in PyTorch.
    """
    return GetItem.apply(input, as_index(index, len(input.shape)))


def gather(input: Any, dim: int, index: Any) -> Any:
    """``out[i][j][k] = input[index[i][j][k]][j][k]`` for dim 0, and so on."""
    return Gather.apply(input, dim, index)


def scatter_add(input: Any, dim: int, index: Any, src: Any) -> Any:
    """``input`` with ``out[index[i][j][k]][j][k] += src[i][j][k]`` for dim 0, and so on; added in order."""
    return ScatterAdd.apply(input, dim, index, src)


def index_select(input: Any, dim: int, index: Any) -> Any:
    """The elements along `dim` that `index` (one axis of integers) names."""
    return IndexSelect.apply(input, dim, index)


def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """As `gather`, but `input` and `indices` broadcast in the other axes, and indices may count from the end.

    Without `dim` both are flattened.
    """
    if dim is None:
        return take_along_dim(flatten(input), flatten(indices), 0)
    index = np.asarray(getattr(indices, "data", indices) if not isinstance(indices, np.ndarray) else indices)
    shape = tuple(input.shape)
    axis = normalize_axis("take_along_dim", dim, len(shape))
    if index.ndim != len(shape):
        raise ValueError(f"[take_along_dim] indices: expected {len(shape)} axes, got shape {index.shape}")
    others = list(np.broadcast_shapes(*((*s[:axis], 1, *s[axis + 1 :]) for s in (shape, index.shape))))
    index = np.broadcast_to(index, (*others[:axis], index.shape[axis], *others[axis + 1 :]))
    index = np.where(index < 0, index + shape[axis], index) if index.dtype.kind == "i" else index
    return Gather.apply(expand(input, (*others[:axis], shape[axis], *others[axis + 1 :])), axis, index)


def masked_select(input: Any, mask: Any) -> Any:
    """The elements where `mask` holds, in one axis."""
    return MaskedSelect.apply(input, mask)


def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The pair (values, indices) sorted along `dim`; equal elements keep their order, `stable` or not."""
    return ValuesIndices(*Sort.apply(input, dim, descending, None))


def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The indices that sort along `dim`; equal elements keep their order, `stable` or not."""
    return Sort.apply(input, dim, descending, None)[1]


def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The pair (values, indices) of the `k` greatest (or least) along `dim`, in order."""
    axis = normalize_axis("topk", dim, len(input.shape))
    extent = input.shape[axis] if len(input.shape) else 1
    if not 0 <= k <= extent:
        raise ValueError(f"[topk] k: expected a number in [0, {extent}], got {k}")
    return ValuesIndices(*Sort.apply(input, dim, largest, k))


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """The indices of non-zero elements, one row each; or, `as_tuple`, an array of indices for each axis."""
    if as_tuple:
        rows = NonZero.apply(input if len(input.shape) else input.reshape(1))
        return tuple(rows[:, axis] for axis in range(rows.shape[1]))
    return NonZero.apply(input)


class NonZero(Op):
    @staticmethod
    def forward(ctx: Any, input: np.ndarray) -> np.ndarray:
        return np.argwhere(np.asarray(input)).astype(np.int64, copy=False)


__all__ = [
    "argsort", "gather", "getitem", "index_select", "masked_select", "nonzero", "scatter_add",
    "sort", "take_along_dim", "topk",
]  # fmt: skip
