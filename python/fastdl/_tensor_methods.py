"""The methods of Tensor that are functions of the library under the same name."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastdl._memory_format import MemoryFormat, preserve_format
from fastdl.functional import (
    activation,
    comparison,
    elementwise,
    indexing,
    linalg,
    rearrangement,
    reduction,
    shape,
    unary,
)
from fastdl.functional.matmul import bmm as _bmm
from fastdl.functional.matmul import dot as _dot
from fastdl.functional.matmul import matmul as _matmul
from fastdl.functional.matmul import mm as _mm
from fastdl.functional.softmax import log_softmax_along, softmax_along

_OPERANDS = (np.ndarray, np.generic, bool, int, float)


def _operator(function: Any) -> Any:
    """`function` as an operator, which leaves operands it does not know to the other side."""

    def method(self: Any, other: Any) -> Any:
        if not isinstance(other, TensorMethods) and not isinstance(other, _OPERANDS):
            return NotImplemented
        return function(self, other)

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = function.__doc__
    return method


def _in_place(function: Any) -> Any:
    """The in-place form of `function`. Raises RuntimeError on a leaf that requires grad."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            return self._change(lambda *given: function(*given, **kwargs), *args)
        return self._change(function, *args)

    method.__name__ = method.__qualname__ = function.__name__ + "_"
    method.__doc__ = function.__doc__
    return method


class TensorMethods:
    """Arithmetic, reductions, changes of shape and indexing."""

    _change: Any
    _writes_recorded: Any
    _check_no_overlap: Any
    _store: Any
    _take_over: Any
    _bump_version: Any
    data: Any

    __add__ = _operator(elementwise.add)
    __radd__ = __add__
    __sub__ = _operator(elementwise.sub)
    __rsub__ = _operator(elementwise.reverse_sub)
    __mul__ = _operator(elementwise.mul)
    __rmul__ = __mul__
    __truediv__ = _operator(elementwise.div)
    __rtruediv__ = _operator(elementwise.reverse_div)
    __floordiv__ = _operator(elementwise.floor_divide)
    __rfloordiv__ = _operator(elementwise.reverse_floor_divide)
    __mod__ = _operator(elementwise.remainder)
    __rmod__ = _operator(elementwise.reverse_remainder)
    __pow__ = _operator(elementwise.pow)
    __rpow__ = _operator(elementwise.reverse_pow)
    __matmul__ = _operator(_matmul)
    __and__ = _operator(comparison.bitwise_and)
    __rand__ = __and__
    __or__ = _operator(comparison.bitwise_or)
    __ror__ = __or__
    __xor__ = _operator(comparison.bitwise_xor)
    __rxor__ = __xor__
    __eq__ = _operator(comparison.eq)
    __ne__ = _operator(comparison.ne)
    __lt__ = _operator(comparison.lt)
    __le__ = _operator(comparison.le)
    __gt__ = _operator(comparison.gt)
    __ge__ = _operator(comparison.ge)
    __neg__ = unary.neg
    __abs__ = unary.abs
    __invert__ = comparison.bitwise_not
    __getitem__ = indexing.getitem

    def __rmatmul__(self, other: Any) -> Any:
        return _matmul(other, self)

    def __pos__(self) -> Any:
        return self

    def __setitem__(self, index: Any, value: Any) -> None:
        index = indexing.as_index(index, self.data.ndim)
        if not self._writes_recorded(value):
            self._check_no_overlap()
            index.put(self.data, value.data if isinstance(value, TensorMethods) else value)
            self._bump_version()
            return
        if isinstance(value, TensorMethods):
            self._take_over(index, value)
        self._change(lambda input, given: indexing.SetItem.apply(input, index, given), value)

    add = elementwise.add
    sub = subtract = elementwise.sub
    mul = multiply = elementwise.mul
    div = divide = true_divide = elementwise.div
    pow = elementwise.pow
    remainder = elementwise.remainder
    floor_divide = elementwise.floor_divide
    maximum = elementwise.maximum
    minimum = elementwise.minimum
    masked_fill = elementwise.masked_fill
    clamp = clip = elementwise.clamp
    eq = comparison.eq
    ne = comparison.ne
    lt = comparison.lt
    le = comparison.le
    gt = comparison.gt
    ge = comparison.ge
    logical_and = comparison.logical_and
    logical_or = comparison.logical_or
    logical_not = comparison.logical_not
    bitwise_and = comparison.bitwise_and
    bitwise_or = comparison.bitwise_or
    bitwise_xor = comparison.bitwise_xor
    bitwise_not = comparison.bitwise_not
    isnan = comparison.isnan
    isinf = comparison.isinf
    isfinite = comparison.isfinite

    add_ = __iadd__ = _in_place(elementwise.add)
    sub_ = __isub__ = _in_place(elementwise.sub)
    mul_ = __imul__ = _in_place(elementwise.mul)
    div_ = __itruediv__ = _in_place(elementwise.div)
    pow_ = __ipow__ = _in_place(elementwise.pow)
    __ifloordiv__ = _in_place(elementwise.floor_divide)
    __imod__ = _in_place(elementwise.remainder)
    __iand__ = _in_place(comparison.bitwise_and)
    __ior__ = _in_place(comparison.bitwise_or)
    __ixor__ = _in_place(comparison.bitwise_xor)
    clamp_ = _in_place(elementwise.clamp)
    masked_fill_ = _in_place(elementwise.masked_fill)
    exp_ = _in_place(unary.exp)
    sqrt_ = _in_place(unary.sqrt)
    neg_ = _in_place(unary.neg)
    relu_ = activation.relu_
    sigmoid_ = activation.sigmoid_
    tanh_ = activation.tanh_
    scatter_add_ = _in_place(indexing.scatter_add)

    def zero_(self) -> Any:
        """Fills with zeros."""
        return self.copy_(0)

    def fill_(self, value: Any) -> Any:
        """Fills with one value."""
        return self.copy_(value)

    def copy_(self, src: Any) -> Any:
        """Takes over the values of `src`, which broadcasts, and its history."""
        if self._writes_recorded(src):
            return self._change(elementwise.Replace.apply, src)
        self._store(src, casting="unsafe")
        return self

    def equal(self, other: Any) -> Any:
        """Whether shapes and all values are equal."""
        from fastdl import creation

        return creation.equal(self, other)

    def allclose(self, other: Any, rtol: Any = 1e-05, atol: Any = 1e-08, equal_nan: Any = False) -> Any:
        """Whether all values are within ``atol + rtol * |other|``."""
        from fastdl import creation

        return creation.allclose(self, other, rtol, atol, equal_nan)

    def new_empty(self, *size: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False) -> Any:
        """An uninitialised Tensor of this one's dtype."""
        from fastdl import creation

        return creation.empty(
            *size, dtype=dtype or self.data.dtype, device=device, requires_grad=requires_grad
        )

    def new_zeros(self, *size: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False) -> Any:
        """A Tensor of zeros, of this one's dtype."""
        from fastdl import creation

        return creation.zeros(
            *size, dtype=dtype or self.data.dtype, device=device, requires_grad=requires_grad
        )

    def new_ones(self, *size: Any, dtype: Any = None, device: Any = None, requires_grad: Any = False) -> Any:
        """A Tensor of ones, of this one's dtype."""
        from fastdl import creation

        return creation.ones(
            *size, dtype=dtype or self.data.dtype, device=device, requires_grad=requires_grad
        )

    def new_full(
        self, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: Any = False
    ) -> Any:
        """A Tensor of one value, of this one's dtype."""
        from fastdl import creation

        dtype = dtype or self.data.dtype
        return creation.full(size, fill_value, dtype=dtype, device=device, requires_grad=requires_grad)

    def new_tensor(
        self, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: Any = False
    ) -> Any:
        """A Tensor with a copy of `data`, of this one's dtype."""
        from fastdl import creation

        dtype = dtype or self.data.dtype
        return creation.tensor(data, dtype=dtype, device=device, requires_grad=requires_grad)

    def uniform_(self, low: float = 0.0, high: float = 1.0, generator: Any = None) -> Any:
        """Fills with numbers drawn evenly from [low, high)."""
        from fastdl import random

        return self.copy_(random.uniform(self.data.shape, low, high, self.data.dtype, generator))

    def normal_(self, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
        """Fills with normally distributed numbers."""
        from fastdl import random

        return self.copy_(random.normal(self.data.shape, mean, std, self.data.dtype, generator))

    exp = unary.exp
    expm1 = unary.expm1
    log = unary.log
    log1p = unary.log1p
    log2 = unary.log2
    sqrt = unary.sqrt
    rsqrt = unary.rsqrt
    reciprocal = unary.reciprocal
    sin = unary.sin
    cos = unary.cos
    tan = unary.tan
    atan = unary.atan
    neg = unary.neg
    abs = unary.abs
    sign = unary.sign
    floor = unary.floor
    ceil = unary.ceil
    round = unary.round
    trunc = unary.trunc
    square = unary.square
    tanh = activation.tanh
    sigmoid = activation.sigmoid
    relu = activation.relu
    softmax = softmax_along
    log_softmax = log_softmax_along

    sum = reduction.sum
    mean = reduction.mean
    var = reduction.var
    std = reduction.std
    amax = reduction.amax
    amin = reduction.amin
    max = reduction.max
    min = reduction.min
    argmax = reduction.argmax
    argmin = reduction.argmin
    prod = reduction.prod
    norm = reduction.norm
    logsumexp = reduction.logsumexp
    cumsum = reduction.cumsum
    any = reduction.any
    all = reduction.all

    reshape = shape.reshape
    reshape_as = shape.reshape_as
    view = shape.view
    view_as = shape.view_as
    flatten = shape.flatten
    ravel = shape.ravel
    unflatten = shape.unflatten
    permute = shape.permute
    transpose = swapaxes = shape.transpose
    t = shape.t
    movedim = moveaxis = shape.movedim
    squeeze = shape.squeeze
    unsqueeze = shape.unsqueeze
    expand = shape.expand
    expand_as = shape.expand_as
    broadcast_to = shape.broadcast_to
    flip = rearrangement.flip
    roll = rearrangement.roll
    repeat = rearrangement.repeat
    repeat_interleave = rearrangement.repeat_interleave
    tile = rearrangement.tile
    narrow = shape.narrow
    select = shape.select
    unbind = shape.unbind
    split = shape.split
    chunk = shape.chunk
    clone = shape.clone
    contiguous = shape.contiguous

    matmul = _matmul
    mm = _mm
    bmm = _bmm
    dot = _dot
    outer = linalg.outer
    tril = linalg.tril
    triu = linalg.triu

    gather = indexing.gather
    scatter_add = indexing.scatter_add
    index_select = indexing.index_select
    masked_select = indexing.masked_select
    take_along_dim = indexing.take_along_dim
    sort = indexing.sort
    argsort = indexing.argsort
    topk = indexing.topk
    nonzero = indexing.nonzero

    def where(self, condition: Any, other: Any) -> Any:
        """The elements where `condition` holds, else those of `other`."""
        return elementwise.where(condition, self, other)

    @property
    def T(self) -> Any:
        """All axes in reverse order."""
        return shape.permute(self, *range(self.data.ndim - 1, -1, -1))

    @property
    def mT(self) -> Any:
        """The last two axes exchanged."""
        return shape.transpose(self, -2, -1)

    def to(
        self, *args: Any, dtype: Any = None, device: Any = None, non_blocking: Any = False,
        copy: Any = False, memory_format: MemoryFormat = preserve_format,
    ) -> Any:  # fmt: skip
        """The Tensor in a dtype, on a device, in a memory format; itself where that changes nothing.

        Positional arguments may be a dtype, a device or a Tensor, which stands for both, and behind them
        `non_blocking`, which changes nothing on the CPU, and `copy`.
        """
        flags = [arg for arg in args if isinstance(arg, np.bool_ | bool)]
        if flags:
            if len(flags) > 2 or tuple(args[-len(flags) :]) != tuple(flags) or len(flags) == len(args):
                raise TypeError(f"[to] expected a dtype, a device or a Tensor first, got {args}")
            args, copy = args[: -len(flags)], flags[1] if len(flags) == 2 else copy
        for arg in args:
            if isinstance(arg, TensorMethods):
                dtype = arg.data.dtype
            elif str(arg).partition(":")[0] in ("cpu", "cuda"):
                device = arg
            else:
                dtype = arg
        if device is not None and str(device).partition(":")[0] != "cpu":
            raise ValueError(f"[to] device: expected cpu, got {device}")
        result: Any = self if dtype is None else shape.cast(self, np.dtype(dtype))
        if memory_format is not preserve_format:
            result = shape.to_format(result, memory_format)
        return shape.clone(self) if copy and result is self else result

    def type(self, dtype: Any) -> Any:
        return self.to(dtype)

    def type_as(self, other: Any) -> Any:
        return self.to(other.dtype)

    def cpu(self) -> Any:
        return self

    def float(self, memory_format: MemoryFormat = preserve_format) -> Any:
        return self.to(np.float32, memory_format=memory_format)

    def double(self, memory_format: MemoryFormat = preserve_format) -> Any:
        return self.to(np.float64, memory_format=memory_format)

    def long(self, memory_format: MemoryFormat = preserve_format) -> Any:
        return self.to(np.int64, memory_format=memory_format)

    def int(self, memory_format: MemoryFormat = preserve_format) -> Any:
        return self.to(np.int32, memory_format=memory_format)

    def bool(self, memory_format: MemoryFormat = preserve_format) -> Any:
        return self.to(np.bool_, memory_format=memory_format)
