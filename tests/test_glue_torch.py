"""The glue beside PyTorch: values, dtypes, gradients, memory formats."""

import fastdl
import numpy as np
import pytest

from tests.gradients import assert_close

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

CASES = {
    "add_alpha": lambda m, x, y: m.add(x, y, alpha=2),
    "sub_alpha": lambda m, x, y: m.sub(x, y, alpha=0.5),
    "mul": lambda m, x, y: x * y,
    "div": lambda m, x, y: x / y,
    "remainder": lambda m, x, y: x % y,
    "maximum": lambda m, x, y: m.maximum(x, y),
    "maximum_ties": lambda m, x, y: m.maximum(x, x * 1),
    "minimum": lambda m, x, y: m.minimum(x, y),
    "where": lambda m, x, y: m.where(x > y, x, y * 2),
    "clamp": lambda m, x, y: m.clamp(x, -0.5, 0.5),
    "clamp_tensor": lambda m, x, y: m.clamp(x, min=y),
    "exp": lambda m, x, y: m.exp(x),
    "pow": lambda m, x, y: m.pow(x.abs(), y),
    "rpow": lambda m, x, y: 2.0**x,
    "abs": lambda m, x, y: (x * (x > 0)).abs(),
    "tanh": lambda m, x, y: m.tanh(x),
    "sigmoid": lambda m, x, y: m.sigmoid(x * 20),
    "relu": lambda m, x, y: m.relu(x),
    "softmax": lambda m, x, y: m.softmax(x, 1),
    "log_softmax": lambda m, x, y: m.log_softmax(x, 0),
    "sum": lambda m, x, y: x.sum((0, 2), keepdim=True),
    "mean": lambda m, x, y: x.mean(-1),
    "var": lambda m, x, y: x.var(1),
    "var_uncorrected": lambda m, x, y: x.var((0, 1), correction=0),
    "std": lambda m, x, y: m.std(x, 0, keepdim=True),
    "std_constant": lambda m, x, y: (x * 0 + 2).std(1) + (x[:, :1] * 0).std((0, 1), correction=0),
    "amax": lambda m, x, y: m.relu(x).amax((0, 1)),
    "amin": lambda m, x, y: m.relu(x).amin(2),
    "max": lambda m, x, y: x.max(1).values,
    "min": lambda m, x, y: m.min(x, 2, keepdim=True)[0],
    "max_all": lambda m, x, y: x.max(),
    "prod": lambda m, x, y: x.prod(1),
    "norm": lambda m, x, y: x.norm(dim=1),
    "logsumexp": lambda m, x, y: m.logsumexp(x, (0, 2)),
    "cumsum": lambda m, x, y: m.cumsum(x, 1),
    "flip_roll": lambda m, x, y: m.roll(m.flip(x, [0]), 1, 2),
    "cat": lambda m, x, y: m.cat([x, y, x], 1),
    "stack": lambda m, x, y: m.stack([x, y], -1),
    "chunk": lambda m, x, y: m.cat(m.chunk(x, 3, 2)[::-1], 2),
    "split": lambda m, x, y: m.split(x, [1, 2], 1)[1],
    "repeat": lambda m, x, y: x.repeat(2, 1, 1, 2),
    "repeat_interleave": lambda m, x, y: m.repeat_interleave(x, 2, 1),
    "movedim": lambda m, x, y: m.movedim(x, 0, -1) * 2,
    "unflatten": lambda m, x, y: x.flatten(1).unflatten(1, (2, -1)),
    "index": lambda m, x, y: x[1:, ..., [0, 2, 2]],
    "index_none": lambda m, x, y: x[None, 0, :, None],
    "mask": lambda m, x, y: x[x > 0],
    "tril": lambda m, x, y: m.tril(x) + m.triu(x, 1),
    "sort": lambda m, x, y: m.sort(x, 1, descending=True)[0],
    "topk": lambda m, x, y: m.topk(x, 2, -1).values,
    "matmul": lambda m, x, y: m.matmul(x, y.mT),
    "matmul_vector": lambda m, x, y: x @ y[0, 0],
    "einsum": lambda m, x, y: m.einsum("abc,adc->abd", x, y),
    "in_place": lambda m, x, y: (x * 1).mul_(y).add_(2).exp_(),
    "outer": lambda m, x, y: m.outer(x[0, 0], y[0, 1]),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradients(name, dtype):
    function = CASES[name]
    random = np.random.default_rng(len(name))
    arrays = [random.uniform(-1, 1, (2, 3, 4)).astype(dtype) for _ in range(2)]
    arrays[0][0, 0, 0] = 0.0
    ours = [fastdl.tensor(array, requires_grad=True) for array in arrays]
    theirs = [torch.tensor(array, requires_grad=True) for array in arrays]
    found, expected = function(fastdl, *ours), function(torch, *theirs)
    tolerance = f"same_formula_{dtype}"
    assert str(expected.dtype) == f"torch.{found.dtype}"
    assert_close(found.data, expected.detach().numpy(), tolerance)
    weight = random.uniform(0.5, 1.5, found.shape).astype(dtype)
    found.backward(fastdl.tensor(weight))
    expected.backward(torch.tensor(weight))
    for one, other in zip(ours, theirs, strict=True):
        assert (one.grad is None) == (other.grad is None)
        if other.grad is not None:
            assert_close(one.grad.data, other.grad.numpy(), tolerance)


DTYPES = ["float32", "float64", "int64", "int32", "uint8", "bool"]


@pytest.mark.parametrize("left", DTYPES)
@pytest.mark.parametrize("right", [*DTYPES, 2, 2.5, True])
@pytest.mark.parametrize("axes", [(1, 1), (1, 0), (0, 1)])
def test_promotion(left, right, axes):
    def operands(module, make):
        x = make(np.ones((2,) * axes[0], left))
        y = make(np.ones((2,) * axes[1], right)) if isinstance(right, str) else right
        return [x * y, y * x, module.where(x > 0, x, y), x / y]

    for found, expected in zip(operands(fastdl, fastdl.tensor), operands(torch, torch.tensor), strict=True):
        assert f"torch.{found.dtype}" == str(expected.dtype)


SHAPES = [
    (2, 3, 4, 5), (2, 1, 4, 5), (2, 3, 1, 1), (1, 1, 1, 1), (2, 1, 1, 1), (1, 3, 4, 5), (2, 3, 1, 5),
    (2, 3, 4, 1), (1, 3, 1, 1), (2, 1, 1, 5), (1, 1, 4, 1), (0, 3, 4, 5), (2, 3, 4),
]  # fmt: skip
LAYOUTS = {
    "plain": lambda t: t,
    "channels_last": lambda t: t.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2),
    "transposed": lambda t: t.transpose(-1, -2),
    "sliced": lambda t: t[..., :1],
    "strided": lambda t: t.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)[:, :1],
    "first": lambda t: t[:1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_memory_formats(shape, layout):
    from fastdl._memory_format import channels_last, suggest_memory_format

    if len(shape) != 4 and layout in ("channels_last", "strided"):
        layout = "plain"
    expected = LAYOUTS[layout](torch.ones(shape))
    storage = np.zeros(1, np.float32)
    strides = [step * 4 for step in expected.stride()]
    ours = fastdl.Tensor(np.lib.stride_tricks.as_strided(storage, tuple(expected.shape), strides))
    assert ours.stride() == expected.stride()
    assert ours.is_contiguous() == expected.is_contiguous()
    found = ours.is_contiguous(memory_format=fastdl.channels_last)
    assert found == expected.is_contiguous(memory_format=torch.channels_last)
    told = torch._prims_common.suggest_memory_format(expected) == torch.channels_last
    assert (suggest_memory_format(ours.data) is channels_last) == told


@pytest.mark.parametrize("made", ["contiguous_format", "channels_last"])
@pytest.mark.parametrize("shape", [s for s in SHAPES if len(s) == 4 and 0 not in s])
def test_strides_of_what_is_converted_cloned_padded_and_joined(shape, made):
    x = fastdl.ones(shape).to(memory_format=getattr(fastdl, made))
    y = torch.ones(shape).to(memory_format=getattr(torch, made))
    assert x.stride() == y.stride()

    def told(module, t):
        for name in ("contiguous_format", "channels_last"):
            wanted = getattr(module, name)
            yield t.to(memory_format=wanted).stride()
            yield t.contiguous(memory_format=wanted).stride()
            yield t.clone(memory_format=wanted).stride()
            yield module.cat([t, t.clone(memory_format=wanted)], 1).stride()
        functional = fastdl.functional if module is fastdl else torch.nn.functional
        yield functional.pad(t, (1, 2)).stride()
        yield functional.pad(t, (1, 2, 3, 1, 1, 0, 0, 1)).stride()
        yield functional.pad(t, (1, 2, 3, 1), "replicate").stride()
        yield functional.pad(t, (1, 2, 3, 1, 1, 1), "replicate").stride()

    assert list(told(fastdl, x)) == list(told(torch, y))


def test_arrays_go_across():
    x = fastdl.tensor([1.0, 2.0])
    assert torch.from_dlpack(x).tolist() == [1.0, 2.0] and torch.tensor(np.asarray(x)).dtype == torch.float32
    assert fastdl.from_dlpack(torch.arange(3)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("bounds", [("low", None), (None, "high"), ("low", "high"), ("high", "low")])
def test_clamp_by_tensors(bounds):
    values = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    limits = {"low": np.array([0.0]), "high": np.array([1.0])}
    results = []
    for module in (fastdl, torch):
        x = module.tensor(values, requires_grad=True)
        low, high = (
            None if name is None else module.tensor(limits[name], requires_grad=True) for name in bounds
        )
        y = module.clamp(x, low, high)
        (y * module.tensor(values + 3)).sum().backward()
        results.append([np.asarray(t.detach()) for t in (y, x.grad)])
        results[-1] += [np.asarray(t.grad) for t in (low, high) if t is not None]
    for found, expected in zip(*results, strict=True):
        assert_close(found, expected, "same_formula_float64")


NUMBERS = {
    "compare": lambda x, n: [x == n, x != n, x < n, x >= n],
    "add": lambda x, n: [x + n, n - x, x * n, x / n],
    "divide": lambda x, n: [x // n, x % n, x.div(n, rounding_mode="trunc")],
    "bits": lambda x, n: [x & n, x | n, x ^ n],
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("number", [-1, -3, 300, 2**20 + 5, 2**40 + 7, 2**63 - 1])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_numbers_that_a_dtype_does_not_hold(dtype, number, name):
    values = np.array([0, 1, 2, 100, 127, 3, 255, 44]).astype(dtype)
    found = NUMBERS[name](fastdl.tensor(values), number)
    expected = NUMBERS[name](torch.tensor(values), number)
    for ours, theirs in zip(found, expected, strict=True):
        assert f"torch.{ours.dtype}" == str(theirs.dtype)
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_what_is_chosen_is_not_wrapped_as_in_torch():
    for module, error in ((fastdl, ValueError), (torch, RuntimeError)):
        x = module.tensor(np.array([0, 7, 255], "u1"))
        for call in (
            lambda x: x.clamp(max=300),
            lambda x, where=module.where: where(x > 3, x, 300),
            lambda x: x.masked_fill(x > 3, 300),
        ):
            with pytest.raises((error, OverflowError)):
                call(x)
    for call in (lambda x: x + 2**70, lambda x: x == -(2**64)):
        for module in (fastdl, torch):
            with pytest.raises(OverflowError):
                call(module.tensor([1, 2]))


def test_integers_meet_floating_numbers():
    for function in (
        lambda x: x.clamp(min=1.5),
        lambda x: x**2.0,
        lambda x: x**2,
        lambda x: x.max(np.int64(0))[0],
    ):
        found, expected = function(fastdl.tensor([1, 2, 3])), function(torch.tensor([1, 2, 3]))
        assert str(found.dtype) == str(expected.dtype).removeprefix("torch.")
        assert found.tolist() == expected.tolist()


INDICES = {
    "int, :, array": lambda m, k, b: (0, slice(None), k),
    ":, int, :, array": lambda m, k, b: (slice(None), 0, slice(None), k),
    "int, ..., array": lambda m, k, b: (0, ..., k),
    "..., int, array": lambda m, k, b: (..., 0, k),
    "int, :, list": lambda m, k, b: (0, slice(None), [0, 1]),
    "None, int, :, array": lambda m, k, b: (None, 0, slice(None), k),
    "int, None, :, array": lambda m, k, b: (0, None, slice(None), k),
    "tensor without axes, :, array": lambda m, k, b: (m.tensor(0), slice(None), k),
    "int, :, mask": lambda m, k, b: (0, slice(None), b[0, :4]),
    "int, :, :, array": lambda m, k, b: (0, slice(None), slice(None), k),
    "int, array, :, int": lambda m, k, b: (1, k, slice(None), 0),
    "int, array, :, array": lambda m, k, b: (1, k, slice(None), k),
    "array, int, :, array": lambda m, k, b: (k[1:] * 0, 0, slice(None), k[1:]),
    ":, array, int": lambda m, k, b: (slice(None), k, 0),
    ":, None, mask of two axes": lambda m, k, b: (slice(None), None, b[:3, :4]),
    "int, mask of two axes": lambda m, k, b: (0, b[:3, :4]),
    "mask, :, array": lambda m, k, b: (m.tensor([False, True]), slice(None), k[:1]),
    "True, :, array": lambda m, k, b: (True, slice(None), k % 2),
    "False": lambda m, k, b: False,
    "tensor without axes": lambda m, k, b: m.tensor(1),
    "slice, array, ...": lambda m, k, b: (slice(1, None), k, ...),
}


@pytest.mark.parametrize("name", INDICES)
def test_indices_of_several_kinds(name):
    values = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    mask = np.random.default_rng(1).random((4, 5)) > 0.4
    results = []
    for module in (fastdl, torch):
        index = INDICES[name](module, module.tensor(np.array([2, 0, 1])), module.tensor(mask))
        x = module.tensor(values, requires_grad=True)
        picked = x[index]
        given = module.tensor(np.arange(picked.numel(), dtype="f8").reshape(tuple(picked.shape)))
        given.requires_grad_()
        changed, plain = x * 1, x.detach() * 1
        changed[index] = given * 2
        plain[index] = given.detach()
        ((changed * changed).sum() + (picked * given).sum()).backward()
        results.append([picked.detach(), changed.detach(), plain, x.grad, given.grad])
    for found, expected in zip(*results, strict=True):
        assert found.shape == tuple(expected.shape)
        assert_close(np.asarray(found), np.asarray(expected), "same_formula_float64")


def test_an_index_without_axes_gives_a_view_as_in_torch():
    for module in (fastdl, torch):
        x = module.zeros(3, 2)
        x[module.tensor(1)].add_(1)
        x[1, module.tensor(0)].add_(1)
        assert x.tolist() == [[0, 0], [2, 1], [0, 0]]


@pytest.mark.parametrize("name", ["max", "min"])
def test_the_gradient_of_nan_goes_to_the_nan(name):
    grads = []
    for module in (fastdl, torch):
        x = module.tensor([1.0, np.nan, 3.0, np.nan], requires_grad=True)
        getattr(x, name)().backward()
        grads.append(x.grad.tolist())
    assert grads[0] == grads[1] == [0, 0.5, 0, 0.5]


def test_floor_division_refuses_backward_as_in_torch():
    for module in (fastdl, torch):
        x = module.tensor([3.0, 4.0], requires_grad=True)
        y = x // 2
        assert y.requires_grad and y.detach().tolist() == [1, 2]
        with pytest.raises(RuntimeError, match=r"derivative for .*floor_divide is not implemented"):
            y.sum().backward()
        assert not (module.tensor([3, 4]) // 2).requires_grad


SPELLINGS = {
    "dtypes": lambda m: [m.zeros(2, dtype=d) for d in (m.float, m.double, m.int, m.long, m.bool)],
    "device": lambda m: m.zeros(2, device=m.device("cpu")),
    "ravel": lambda m: [m.ravel(m.ones(2, 3).t()), m.ones(()).ravel()],
    "where": lambda m: list(m.where(m.tensor([[0, 2], [3, 0]]))),
    "new": lambda m: [
        t.new_zeros(2, 3, dtype=m.float32) + t.new_ones((2, 3))
        for t in (m.tensor([1], dtype=m.int64), m.ones(2, dtype=m.float64))
    ],
    "new_full": lambda m: m.ones(1, dtype=m.float64).new_full((2,), 3),
    "new_tensor": lambda m: m.ones(1, dtype=m.float64).new_tensor([1, 2]),
    "new_empty": lambda m: m.ones(1, dtype=m.int32).new_empty(0, 3),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_spellings(name):
    ours, theirs = SPELLINGS[name](fastdl), SPELLINGS[name](torch)
    ours, theirs = (value if isinstance(value, list) else [value] for value in (ours, theirs))
    for found, expected in zip(ours, theirs, strict=True):
        assert str(expected.dtype) == f"torch.{found.dtype}"
        np.testing.assert_array_equal(found.numpy(), expected.numpy())


def test_backward_with_inputs_and_modes_as_in_torch():
    for module in (fastdl, torch):
        x, y = module.ones(2, requires_grad=True), module.ones(2, requires_grad=True)
        (x * y).sum().backward(inputs=[x])
        assert x.grad.tolist() == [1, 1] and y.grad is None

        @module.no_grad
        def doubled(t):
            return t * 2

        @module.enable_grad
        def tripled(t):
            return t * 3

        assert not doubled(x).requires_grad and doubled.__name__ == "doubled"
        with module.no_grad():
            assert tripled(x).requires_grad
        with module.autograd.set_detect_anomaly(True), pytest.raises(RuntimeError, match="nan values"):
            (module.zeros(1, requires_grad=True) * float("nan")).sqrt().sum().backward()
        with module.autograd.set_detect_anomaly(False):
            (module.zeros(1, requires_grad=True) * float("nan")).sqrt().sum().backward()
