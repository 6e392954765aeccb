"""The NumPy glue: values against plain NumPy, gradients against finite differences."""

import builtins

import fastdl
import numpy as np
import pytest

from tests.gradients import assert_close, check_gradients, draw


def distinct(*shape):
    """Values at least 0.1 apart, so that a finite difference does not change their order."""
    size = int(np.prod(shape))
    return (np.random.default_rng(size).permutation(size) * 0.1 - size * 0.05 + 0.03).reshape(shape)


UNARY = {
    "exp": (fastdl.exp, np.exp, -2, 2),
    "expm1": (fastdl.expm1, np.expm1, -2, 2),
    "log": (fastdl.log, np.log, 0.5, 3),
    "log1p": (fastdl.log1p, np.log1p, -0.5, 3),
    "log2": (fastdl.log2, np.log2, 0.5, 3),
    "sqrt": (fastdl.sqrt, np.sqrt, 0.5, 3),
    "rsqrt": (fastdl.rsqrt, lambda x: 1 / np.sqrt(x), 0.5, 3),
    "reciprocal": (fastdl.reciprocal, lambda x: 1 / x, 0.5, 3),
    "sin": (fastdl.sin, np.sin, -3, 3),
    "cos": (fastdl.cos, np.cos, -3, 3),
    "tan": (fastdl.tan, np.tan, -1, 1),
    "atan": (fastdl.atan, np.arctan, -3, 3),
    "neg": (fastdl.neg, lambda x: -x, -3, 3),
    "abs": (fastdl.abs, np.abs, 0.1, 3),
    "square": (fastdl.square, lambda x: x**2, -3, 3),
    "tanh": (fastdl.tanh, np.tanh, -3, 3),
    "sigmoid": (fastdl.sigmoid, lambda x: 1 / (1 + np.exp(-x)), -3, 3),
    "relu": (fastdl.relu, lambda x: x * (x > 0), 0.1, 3),
    "clamp": (lambda x: fastdl.clamp(x, -1.5, 1.2), lambda x: np.clip(x, -1.5, 1.2), -3, 3),
    "pow_3": (lambda x: fastdl.pow(x, 3), lambda x: x**3, -2, 2),
    "pow_half": (lambda x: fastdl.pow(x, 0.5), lambda x: x**0.5, 0.5, 2),
    "reverse_pow": (
        lambda x: 2.0**x if isinstance(x, fastdl.Tensor) else np.power(2.0, x),
        lambda x: 2.0**x,
        -2,
        2,
    ),
}


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 3)])
def test_unary(name, shape):
    function, reference, low, high = UNARY[name]
    x = draw(*shape, low=low, high=high)
    result = function(fastdl.Tensor(x))
    assert isinstance(result, fastdl.Tensor) and result.dtype == np.float64
    assert_close(result.data, reference(x), "same_formula_float64")
    assert_close(function(x), reference(x), "same_formula_float64")
    assert not isinstance(function(x), fastdl.Tensor)
    single = x.astype(np.float32)
    assert function(fastdl.Tensor(single)).dtype == np.float32
    check_gradients(function, [x])


@pytest.mark.parametrize("name", ["exp", "clamp", "relu", "sqrt", "tanh"])
def test_unary_large_and_strided(name):
    function, reference, low, high = UNARY[name]
    base = draw(70, 110, low=low, high=high).astype(np.float32)
    for x in (base, base.T, base[::-2, ::3], base.reshape(1, 7, 10, 110).transpose(0, 3, 1, 2)):
        assert_close(function(fastdl.Tensor(x)).data, reference(x), "same_formula_float32")


def test_large_results_keep_the_order_of_axes():
    x = np.ones((2, 16, 16, 16), np.float32).transpose(0, 3, 1, 2)
    for result in (fastdl.exp(fastdl.Tensor(x)), fastdl.Tensor(x) + fastdl.Tensor(x), fastdl.Tensor(x) * 2):
        assert result.data.strides == x.strides


@pytest.mark.parametrize("name", ["sign", "floor", "ceil", "round", "trunc"])
def test_steps_have_zero_gradient(name):
    x = draw(4, 3) + 0.01
    function = getattr(fastdl, name)
    reference = {"round": np.rint}.get(name) or getattr(np, name)
    assert np.array_equal(function(x), reference(x))
    tensor = fastdl.Tensor(x, requires_grad=True)
    function(tensor).sum().backward()
    assert np.array_equal(tensor.grad.data, np.zeros((4, 3)))


BINARY = {
    "add": (lambda x, y: x + y, -2),
    "sub": (lambda x, y: x - y, -2),
    "mul": (lambda x, y: x * y, -2),
    "div": (lambda x, y: x / y, 0.5),
    "pow": (lambda x, y: x**y, 0.5),
    "remainder": (lambda x, y: x % y, 0.7),
}


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize(
    "left, right",
    [
        ((2, 3), (2, 3)),
        ((2, 3), (3,)),
        ((3,), (2, 1)),
        ((2, 1, 3), (4, 1)),
        ((), (2,)),
        ((2, 3), ()),
        ((0, 3), (3,)),
    ],
)
def test_binary(name, left, right):
    function, low = BINARY[name]
    x, y = draw(*left, low=low), draw(*right, low=low, seed=1)
    expected = function(x, y)
    for a, b in ((fastdl.Tensor(x), fastdl.Tensor(y)), (fastdl.Tensor(x), y), (x, fastdl.Tensor(y))):
        result = function(a, b)
        assert isinstance(result, fastdl.Tensor)
        assert_close(result.data, expected, "same_formula_float64")
    found = getattr(fastdl, name)(x, y)
    assert not isinstance(found, fastdl.Tensor)
    assert_close(found, expected, "same_formula_float64")
    check_gradients(function, [x, y])


@pytest.mark.parametrize("name", BINARY)
def test_python_numbers_do_not_promote(name):
    function, _ = BINARY[name]
    x = draw(3, low=0.5).astype(np.float32)
    for result, expected in (
        (function(fastdl.Tensor(x), 1.5), function(x, np.float32(1.5))),
        (function(1.5, fastdl.Tensor(x)), function(np.float32(1.5), x)),
        (function(fastdl.Tensor(x), 2), function(x, np.float32(2))),
        (function(fastdl.Tensor(x), np.float64(1.5)), function(x, np.float32(1.5))),
    ):
        assert result.dtype == np.float32
        assert_close(result.data, expected, "same_formula_float32")


def test_maximum_and_minimum_share_ties():
    x, y = distinct(3, 4), distinct(4)[::-1].copy() + 0.02
    check_gradients(fastdl.maximum, [x, y])
    check_gradients(fastdl.minimum, [x, y])
    a = fastdl.tensor([1.0, 2.0], requires_grad=True)
    b = fastdl.tensor([1.0, 3.0], requires_grad=True)
    fastdl.maximum(a, b).sum().backward()
    assert a.grad.tolist() == [0.5, 0.0] and b.grad.tolist() == [0.5, 1.0]


def test_where_masked_fill_and_clamp_by_tensors():
    x, y = draw(2, 3), draw(3, seed=1)
    condition = draw(2, 3, seed=2) > 0
    assert np.array_equal(fastdl.where(condition, x, y), np.where(condition, x, y))
    check_gradients(lambda a, b: fastdl.where(condition, a, b), [x, y])
    filled = np.where(condition, -9.0, x)
    assert np.array_equal(fastdl.Tensor(x).masked_fill(condition, -9.0).data, filled)
    check_gradients(lambda a: a.masked_fill(fastdl.Tensor(condition), -9.0), [x])
    check_gradients(lambda a, low: fastdl.clamp(a, min=low), [distinct(2, 3), distinct(3) + 0.02])
    with pytest.raises(TypeError, match=r"\[where\] condition: expected bool, got int64"):
        fastdl.where(np.array([1]), x, y)


COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge"]


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons(name):
    x, y = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 2.0])
    reference = dict(
        zip(
            COMPARISONS, ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"), strict=True
        )
    )
    expected = getattr(np, reference[name])(x, y)
    result = getattr(fastdl.Tensor(x, requires_grad=True), name)(y)
    assert np.array_equal(result.data, expected) and not result.requires_grad
    dunder = getattr(fastdl.Tensor(x), f"__{name}__")
    assert np.array_equal(dunder(2).data, expected)


REDUCTIONS = {
    "sum": np.sum,
    "mean": np.mean,
    "amax": np.max,
    "amin": np.min,
    "prod": np.prod,
    "logsumexp": lambda x, axis, keepdims: np.log(np.sum(np.exp(x), axis=axis, keepdims=keepdims)),
    "norm": lambda x, axis, keepdims: np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims)),
    "var": lambda x, axis, keepdims: np.var(x, axis=axis, keepdims=keepdims, ddof=1),
    "std": lambda x, axis, keepdims: np.std(x, axis=axis, keepdims=keepdims, ddof=1),
}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dim", [None, 0, -1, (0, 2), (1,)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_reductions(name, dim, keepdim):
    x = distinct(3, 2, 4)
    function = getattr(fastdl, name)
    expected = REDUCTIONS[name](x, axis=dim, keepdims=keepdim)
    found = function(fastdl.Tensor(x), dim=dim, keepdim=keepdim)
    assert found.shape == expected.shape
    assert_close(found.data, expected, "same_formula_float64")
    assert_close(
        function(x.transpose(2, 0, 1)).item(),
        REDUCTIONS[name](x, axis=None, keepdims=False),
        "same_formula_float64",
    )
    check_gradients(lambda t: function(t, dim=dim, keepdim=keepdim), [x])


def test_reductions_of_ties_zeros_and_extremes():
    x = fastdl.tensor([[2.0, 2.0, 1.0]], requires_grad=True)
    x.amax().backward()
    assert x.grad.tolist() == [[0.5, 0.5, 0.0]]
    check_gradients(lambda t: t.prod(1), [np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 3.0]])])
    zero = fastdl.zeros(3, requires_grad=True)
    zero.norm().backward()
    assert zero.grad.tolist() == [0.0, 0.0, 0.0]
    huge = fastdl.tensor([1000.0, 1000.0], dtype=np.float64)
    assert_close(huge.logsumexp(0).item(), 1000.0 + np.log(2.0), "same_formula_float64")
    infinite = fastdl.tensor([-np.inf, -np.inf], requires_grad=True)
    assert infinite.logsumexp(0).item() == -np.inf


@pytest.mark.parametrize("p", [1, 2, 3, float("inf"), 0.5])
def test_norms(p):
    x = distinct(3, 4)
    expected = np.abs(x).max(1) if p == float("inf") else (np.abs(x) ** p).sum(1) ** (1 / p)
    assert_close(fastdl.norm(x, p, 1), expected, "same_formula_float64")
    check_gradients(lambda t: t.norm(p, 1), [x])


def test_max_and_min_along_an_axis():
    x = distinct(3, 4)
    for name, reference in (("max", np.argmax), ("min", np.argmin)):
        for dim in (0, -1):
            values, indices = getattr(fastdl.Tensor(x), name)(dim)
            assert np.array_equal(indices.data, reference(x, dim)) and indices.dtype == np.int64
            assert np.array_equal(values.data, getattr(np, name)(x, dim))
            check_gradients(lambda t, name=name, dim=dim: getattr(t, name)(dim, keepdim=True), [x])
    assert fastdl.Tensor(x).argmax().item() == np.argmax(x)
    assert np.array_equal(fastdl.argmin(x, 0, keepdim=True), np.argmin(x, 0, keepdims=True))
    with pytest.raises(ValueError, match=r"\[max\] input: expected at least one element"):
        fastdl.zeros(2, 0).max(1)


def test_any_all_and_sums_of_integers():
    x = np.array([[True, False], [True, True]])
    assert fastdl.any(x, 0).tolist() == [True, True] and fastdl.all(x, 1).tolist() == [False, True]
    assert fastdl.Tensor(x).sum().dtype == np.int64
    assert fastdl.tensor([1, 2], dtype=np.int32).sum().dtype == np.int64
    with pytest.raises(TypeError, match=r"\[mean\] input: expected a floating dtype, got int64"):
        fastdl.tensor([1, 2]).mean()
    assert np.isnan(fastdl.zeros(0).mean().item())
    assert fastdl.zeros(0, 3).sum(0).tolist() == [0, 0, 0]


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_cumsum(dim):
    x = draw(3, 4)
    assert_close(fastdl.cumsum(x, dim), np.cumsum(x, dim), "same_formula_float64")
    check_gradients(lambda t: t.cumsum(dim), [x])


SHAPES = {
    "reshape": (lambda t: t.reshape(4, -1), lambda x: x.reshape(4, -1)),
    "reshape_strided": (
        lambda t: t.permute(2, 0, 1).reshape(4, 6),
        lambda x: x.transpose(2, 0, 1).reshape(4, 6),
    ),
    "view": (lambda t: t.view(6, 4), lambda x: x.reshape(6, 4)),
    "flatten": (lambda t: t.flatten(1), lambda x: x.reshape(2, 12)),
    "unflatten": (lambda t: t.unflatten(2, (2, -1)), lambda x: x.reshape(2, 3, 2, 2)),
    "permute": (lambda t: t.permute(1, 2, 0), lambda x: x.transpose(1, 2, 0)),
    "transpose": (lambda t: t.transpose(0, -1), lambda x: x.swapaxes(0, 2)),
    "T": (lambda t: t.T, lambda x: x.T),
    "mT": (lambda t: t.mT, lambda x: x.swapaxes(1, 2)),
    "movedim": (lambda t: t.movedim((0, 1), (2, 0)), lambda x: np.moveaxis(x, (0, 1), (2, 0))),
    "unsqueeze": (lambda t: t.unsqueeze(-1).unsqueeze(0), lambda x: x[None, ..., None]),
    "squeeze": (lambda t: t.narrow(1, 1, 1).squeeze(1), lambda x: x[:, 1]),
    "squeeze_all": (lambda t: t[:1, :, :1].squeeze(), lambda x: x[0, :, 0]),
    "expand": (lambda t: t[:, :1].expand(5, -1, 3, -1), lambda x: np.broadcast_to(x[:, :1], (5, 2, 3, 4))),
    "flip": (lambda t: t.flip(0, 2), lambda x: x[::-1, :, ::-1]),
    "roll": (lambda t: t.roll((1, -2), (0, 2)), lambda x: np.roll(x, (1, -2), (0, 2))),
    "roll_flat": (lambda t: t.roll(5), lambda x: np.roll(x, 5)),
    "repeat": (lambda t: t.repeat(2, 1, 3, 1), lambda x: np.tile(x, (2, 1, 3, 1))),
    "tile": (lambda t: t.tile(2), lambda x: np.tile(x, 2)),
    "repeat_interleave": (lambda t: t.repeat_interleave(2, 1), lambda x: np.repeat(x, 2, 1)),
    "repeat_counts": (lambda t: t.repeat_interleave([1, 0, 2], 1), lambda x: np.repeat(x, [1, 0, 2], 1)),
    "select": (lambda t: t.select(1, -1), lambda x: x[:, -1]),
    "clone": (lambda t: t.clone(), lambda x: x),
    "contiguous": (lambda t: t.transpose(0, 1).contiguous(), lambda x: x.swapaxes(0, 1)),
    "channels_last": (
        lambda t: t.unsqueeze(0).contiguous(memory_format=fastdl.channels_last),
        lambda x: x[None],
    ),
    "unbind": (lambda t: t.unbind(1), lambda x: tuple(x[:, i] for i in range(3))),
    "unbind_some": (lambda t: t.unbind(1)[2], lambda x: x[:, 2]),
    "split": (lambda t: t.split(3, 2), lambda x: (x[..., :3], x[..., 3:])),
    "split_sections": (lambda t: t.split([1, 0, 2], 1), lambda x: (x[:, :1], x[:, 1:1], x[:, 1:])),
    "chunk": (lambda t: t.chunk(2, 1), lambda x: (x[:, :2], x[:, 2:])),
    "chunk_some": (lambda t: t.chunk(2, 1)[1], lambda x: x[:, 2:]),
    "tril": (lambda t: t.tril(1), lambda x: np.tril(x, 1)),
    "triu": (lambda t: t.triu(-1), lambda x: np.triu(x, -1)),
    "double_and_back": (lambda t: t.to(np.float64) * 1, lambda x: x),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name):
    function, reference = SHAPES[name]
    x = draw(2, 3, 4)
    found, expected = function(fastdl.Tensor(x)), reference(x)
    if not isinstance(expected, tuple):
        found, expected = (found,), (expected,)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape and np.array_equal(one.data, other)
    check_gradients(function, [x])


def test_cat_and_stack():
    x, y, z = draw(2, 3), draw(1, 3), draw(0, 3)
    assert np.array_equal(fastdl.cat([x, y, z]), np.concatenate([x, y, z]))
    check_gradients(lambda a, b, c: fastdl.cat([a, b, c]), [x, y, z])
    check_gradients(lambda a, b: fastdl.cat((a, b), dim=-1), [x, draw(2, 2)])
    check_gradients(lambda a, b: fastdl.stack([a, b, a], 1), [x, draw(2, 3, seed=3)])
    assert np.array_equal(fastdl.stack([x, x], -1), np.stack([x, x], -1))
    assert isinstance(fastdl.cat([x, fastdl.Tensor(y)]), fastdl.Tensor)
    with pytest.raises(
        ValueError, match=r"\[cat\] tensors: expected shapes that differ in dim 0 only, got \(2, 3\)"
    ):
        fastdl.cat([x, draw(2, 4)])


INDICES = {
    "int": (1,),
    "negative": (-1,),
    "pair": ((1, 2),),
    "all_ints": ((1, 2, 3),),
    "slice": (slice(1, 3),),
    "steps": ((slice(None, None, 2), slice(None, None, -1)),),
    "none_and_ellipsis": ((None, ..., 1),),
    "list": ([0, 2, 0],),
    "array": (np.array([[0, 1], [2, 2]]),),
    "two_arrays": ((np.array([0, 2, 0]), slice(None), np.array([1, 1, 1])),),
    "mask": (draw(3, 4, 5) > 0,),
    "row_mask": (np.array([True, False, True]),),
    "tensor": (fastdl.Tensor(np.array([0, 0, 1])),),
}


@pytest.mark.parametrize("name", INDICES)
def test_indexing(name):
    (index,) = INDICES[name]
    plain = index.data if isinstance(index, fastdl.Tensor) else index
    x = draw(3, 4, 5)
    found = fastdl.Tensor(x)[index]
    assert found.shape == x[plain].shape and np.array_equal(found.data, x[plain])
    check_gradients(lambda t: t[index], [x])
    value = draw(*x[plain].shape, seed=4)
    changed = x.copy()
    changed[plain] = value
    target = fastdl.tensor(x)
    target[index] = fastdl.Tensor(value)
    assert np.array_equal(target.data, changed)


@pytest.mark.parametrize("name", ["int", "slice", "row_mask", "mask"])
def test_assignment_is_differentiable(name):
    (index,) = INDICES[name]
    x = draw(3, 4, 5)

    def assign(t, value):
        changed = t * 2
        changed[index] = value * 3
        return changed * t

    check_gradients(assign, [x, draw(*x[index].shape, seed=5)])
    check_gradients(assign, [x, draw(1, seed=5)])


def test_gather_and_scatter_add():
    x = draw(3, 4)
    index = np.array([[0, 2, 1], [1, 1, 0]])
    assert np.array_equal(fastdl.gather(x, 1, index), np.take_along_axis(x[:2], index, 1))
    check_gradients(lambda t: t.gather(1, fastdl.Tensor(index)), [x])
    check_gradients(lambda t: t.gather(0, fastdl.Tensor(index)), [x])
    expected = np.zeros((3, 4))
    source = draw(2, 3, seed=1)
    for i in range(2):
        for j in range(3):
            expected[index[i, j], j] += source[i, j]
    assert_close(fastdl.scatter_add(np.zeros((3, 4)), 0, index, source), expected, "same_formula_float64")
    check_gradients(lambda t, s: t.scatter_add(0, index, s), [x, draw(3, 5, seed=1)])
    with pytest.raises(IndexError, match=r"\[gather\] index: expected values in \[0, 4\), got 0 to 4"):
        fastdl.gather(x, 1, np.array([[0, 4]]))
    check_gradients(lambda t: t.index_select(1, np.array([3, 0, 3])), [x])
    check_gradients(lambda t: t.masked_select(x > 0), [x])
    assert np.array_equal(fastdl.nonzero(x > 0), np.argwhere(x > 0))


def test_sort_and_topk():
    x = distinct(3, 5)
    for dim in (0, -1):
        values, order = fastdl.sort(x, dim)
        assert np.array_equal(values, np.sort(x, dim)) and np.array_equal(order, np.argsort(x, dim))
        found = fastdl.topk(x, 2, dim)
        assert np.array_equal(found.values, np.flip(np.sort(x, dim), dim).take(range(2), dim))
        check_gradients(lambda t, dim=dim: t.sort(dim, descending=True), [x])
        check_gradients(lambda t, dim=dim: t.topk(2, dim, largest=False), [x])
    ties = np.array([1.0, 2.0, 1.0, 2.0])
    assert fastdl.argsort(ties, descending=True).tolist() == [1, 3, 0, 2]
    assert fastdl.argsort(ties).tolist() == [0, 2, 1, 3]
    with pytest.raises(ValueError, match=r"\[topk\] k: expected a number in \[0, 5\], got 6"):
        fastdl.topk(x, 6)


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("shape", [(2, 3), (1, 4), (3, 1)])
def test_softmax(dim, shape):
    x = draw(*shape)
    expected = np.exp(x) / np.exp(x).sum(dim, keepdims=True)
    assert_close(fastdl.softmax(x, dim), expected, "same_formula_float64")
    assert_close(np.exp(fastdl.log_softmax(x, dim)), expected, "same_formula_float64")
    check_gradients(lambda t: t.softmax(dim), [x])
    check_gradients(lambda t: t.log_softmax(dim), [x])


def test_arguments_of_no_meaning_are_refused():
    x = fastdl.zeros(2, 3)
    for call, error, message in (
        (lambda: x.sum(2), IndexError, r"\[sum\] dim: expected a value in \[-2, 1\], got 2"),
        (lambda: x.sum((0, 0)), ValueError, r"\[sum\] dim: expected distinct axes, got \(0, 0\)"),
        (lambda: x.reshape(4), ValueError, r"\[reshape\] shape: expected 6 elements in all, got \(4,\)"),
        (lambda: x.T.view(6), ValueError, r"\[view\] shape: expected one that the strides allow, got \(6,\)"),
        (lambda: x.expand(4, 3), ValueError, r"\[expand\] sizes: expected sizes that shape \(2, 3\)"),
        (
            lambda: x.permute(0, 0),
            ValueError,
            r"\[permute\] dims: expected each of 2 axes once, got \(0, 0\)",
        ),
        (
            lambda: x.split([1, 2], 1).__len__() and x.split([1, 3], 1),
            ValueError,
            r"add up to 3, got \(1, 3\)",
        ),
        (
            lambda: x.narrow(1, 2, 2),
            ValueError,
            r"\[narrow\] start, length: expected a range within 3 elements",
        ),
        (lambda: x.clamp(), ValueError, r"\[clamp\] min, max: expected at least one"),
        (lambda: x + "a", TypeError, "unsupported operand"),
        (lambda: fastdl.add(x, "a"), TypeError, r"expected an array or a number, got str"),
        (lambda: fastdl.einsum("ij,jk->ik", x, x), ValueError, "expected one extent for index j"),
    ):
        with pytest.raises(error, match=message):
            call()


def test_names_at_the_top_are_those_of_all():
    assert builtins.all(hasattr(fastdl, name) for name in fastdl.__all__)
    assert builtins.len(set(fastdl.__all__)) == builtins.len(fastdl.__all__)


def test_products_of_empty_batches():
    x = fastdl.zeros(0, 3, requires_grad=True)
    x.prod(1).sum().backward()
    assert x.grad.shape == (0, 3)
