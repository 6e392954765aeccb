"""Tensor: construction, dtypes, conversions, memory formats, random numbers."""

import copy
import pickle
import subprocess
import sys

import fastdl
import numpy as np
import pytest


def test_dtypes_of_data():
    assert fastdl.tensor([1.0, 2.0]).dtype == fastdl.float32
    assert fastdl.tensor(1.5).dtype == fastdl.float32
    assert fastdl.tensor([[1, 2], [3, 4]]).dtype == fastdl.int64
    assert fastdl.tensor([True]).dtype == fastdl.bool
    assert fastdl.tensor([]).dtype == fastdl.float32
    assert fastdl.tensor(np.ones(2)).dtype == fastdl.float64
    assert fastdl.tensor(np.ones(2, np.int32)).dtype == fastdl.int32
    assert fastdl.tensor([np.ones(2), np.ones(2)]).dtype == fastdl.float64
    assert fastdl.tensor([fastdl.tensor(1.0), fastdl.tensor(2.0)]).tolist() == [1.0, 2.0]
    assert fastdl.tensor([1, 2], dtype=fastdl.float64).dtype == np.float64
    with pytest.raises(TypeError, match=r"\[tensor\] data: expected numbers, got"):
        fastdl.tensor(["a"])


def test_what_shares_memory():
    array = np.zeros(3, np.float32)
    assert fastdl.tensor(array).data is not array
    for shared in (fastdl.from_numpy(array), fastdl.as_tensor(array), fastdl.Tensor(array)):
        array[0] += 1
        assert shared.data[0] == array[0] and shared.numpy() is array
    tensor = fastdl.as_tensor([1.0])
    assert fastdl.as_tensor(tensor) is tensor
    with pytest.raises(TypeError, match=r"expected np\.ndarray, got list"):
        fastdl.from_numpy([1.0])


def test_attributes():
    x = fastdl.zeros(2, 3, 4)
    assert x.shape == x.size() == (2, 3, 4) and x.size(-1) == 4 and len(x) == 2
    assert x.ndim == x.dim() == 3 and x.numel() == x.nelement() == 24 and x.element_size() == 4
    assert x.stride() == (12, 4, 1) and x.stride(0) == 12 and x.nbytes == 96
    assert str(x.device) == "cpu" and x.device == "cpu" and x.device.type == "cpu" and x.device.index is None
    assert x.is_floating_point() and x.is_leaf and not x.requires_grad
    assert hash(x) != hash(fastdl.zeros(2, 3, 4))


def test_data_takes_an_array_or_the_array_of_a_tensor():
    x = fastdl.nn.Parameter(fastdl.ones(2))
    zeros, array = fastdl.zeros(2), np.array([3.0, 4.0])
    x.data = zeros
    assert x.data is zeros.data and (x * 2).tolist() == [0, 0] and x.requires_grad and x.is_leaf
    x.data = array
    assert x.data is array and x.dtype == np.float64
    for error, wrong in (
        (TypeError, [1.0, 2.0]),
        (TypeError, None),
        (TypeError, np.float32(1)),
        (TypeError, np.array(["a"])),
        (RuntimeError, np.array([1, 2])),
    ):
        with pytest.raises(error, match="data"):
            x.data = wrong
        assert x.data is array


def test_requires_grad():
    x = fastdl.zeros(2, requires_grad=True)
    assert x.requires_grad
    x.requires_grad = False
    assert not x.requires_grad and x.requires_grad_() is x
    with pytest.raises(
        RuntimeError, match="only Tensors of floating point dtype can require gradients, got int64"
    ):
        fastdl.tensor([1], requires_grad=True)
    with pytest.raises(RuntimeError, match="you can only change requires_grad flags of leaf variables"):
        (x * 2).requires_grad_(False)
    y = (x * 2).detach_()
    assert y.is_leaf and not y.requires_grad


def test_conversions():
    x = fastdl.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]] and x[1, 0].item() == 3.0
    assert float(x[0, 1]) == 2.0 and int(x[1, 1]) == 4 and bool(x[0, 0])
    assert [row.tolist() for row in x] == x.tolist() and 4.0 in x and 5.0 not in x
    assert [1, 2, 3][fastdl.tensor(1)] == 2
    assert f"{x[0, 1]:.2f}" == "2.00"
    assert np.array_equal(np.asarray(x), x.data) and np.array(x, dtype=np.float64).dtype == np.float64
    assert np.exp(x).dtype == np.float32
    with pytest.raises(ValueError, match="a Tensor with 4 elements cannot be converted to Scalar"):
        x.item()
    with pytest.raises(RuntimeError, match="Boolean value of Tensor with 4 values is ambiguous"):
        bool(x)
    with pytest.raises(TypeError, match="only integer tensors of a single element"):
        range(fastdl.tensor(1.0))
    with pytest.raises(TypeError, match=r"len\(\) of a 0-d tensor"):
        len(fastdl.tensor(1.0))
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(fastdl.tensor(1.0))


def test_tensors_that_require_grad_are_not_converted_by_accident():
    x = fastdl.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad"):
        x.numpy()
    with pytest.raises(RuntimeError, match="requires grad"):
        np.asarray(x)
    with pytest.raises(BufferError, match="require gradient"):
        x.__dlpack__()
    assert x.detach().numpy() is x.data and x.tolist() == [1.0, 1.0]


def test_dlpack_both_ways():
    x = fastdl.tensor([1.0, 2.0])
    array = np.from_dlpack(x)
    assert np.shares_memory(array, x.data) and x.__dlpack_device__() == (1, 0)
    y = fastdl.from_dlpack(np.arange(3.0))
    assert y.tolist() == [0.0, 1.0, 2.0]


def test_dlpack_refuses_negative_strides():
    x = fastdl.arange(4)[::-1]
    with pytest.raises(BufferError, match=r"negative strides, use tensor.clone\(\)"):
        x.__dlpack__()
    assert np.from_dlpack(x.clone()).tolist() == [3, 2, 1, 0]


def test_mixed_operands_give_tensors():
    x = fastdl.ones(2)
    array = np.full(2, 2.0, np.float32)
    for result in (array + x, x + array, array * x, array - x, array / x, array**x, array > x, array == x):
        assert isinstance(result, fastdl.Tensor)
    for result in (np.float32(2) * x, np.float64(2) * x, 2 * x, 2.0 - x, 1 / x, np.int64(3) + x):
        assert isinstance(result, fastdl.Tensor) and result.dtype == np.float32
    assert (array - x).tolist() == [1.0, 1.0] and (1 / (x * 4)).tolist() == [0.25, 0.25]
    array += x
    assert array.tolist() == [3.0, 3.0]
    assert (x == None) is False  # noqa: E711
    assert x != "a"


def test_promotion():
    integers, single, double = fastdl.tensor([1, 2]), fastdl.ones(2), fastdl.ones(2, dtype=fastdl.float64)
    assert (integers + single).dtype == np.float32 and (single + double).dtype == np.float64
    assert (integers + 1).dtype == np.int64 and (integers + 1.5).dtype == np.float32
    assert (integers / integers).dtype == np.float32 and integers.exp().dtype == np.float32
    assert (single + fastdl.tensor(2.0, dtype=fastdl.float64)).dtype == np.float32
    assert (integers + fastdl.tensor(2.0)).dtype == np.float32
    assert (fastdl.tensor([True]) + fastdl.tensor([1])).dtype == np.int64
    assert (integers // 2).dtype == np.int64 and (integers % 2).tolist() == [1, 0]


def test_changes_in_place():
    x = fastdl.zeros(2, 2)
    array = x.data
    x.fill_(3)
    x += 1
    x *= fastdl.tensor([1.0, 2.0])
    x.sub_(1, alpha=2)
    x[0] = np.array([7.0, 8.0])
    x[1, 1] = 0
    assert x.data is array and x.tolist() == [[7.0, 8.0], [2.0, 0.0]] and x._version == 6
    assert x.zero_().tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert x.copy_(fastdl.tensor([1, 2])).tolist() == [[1.0, 2.0], [1.0, 2.0]]
    x[x > 1] = -1.0
    assert x.clamp_(min=0).tolist() == [[1.0, 0.0], [1.0, 0.0]]
    assert x.masked_fill_(x == 0, 5).tolist() == [[1.0, 5.0], [1.0, 5.0]]
    view = x[0]
    view[0] = 9
    assert x[0, 0].item() == 9 and x._version == view._version
    element = x[1, 1]
    element.add_(1)
    assert x[1, 1].item() == 6


def test_repr():
    assert repr(fastdl.tensor([1.0, 2.5])) == "tensor([1. , 2.5])"
    assert repr(fastdl.tensor([1, 2])) == "tensor([1, 2])"
    x = fastdl.ones(2, dtype=fastdl.float64, requires_grad=True)
    assert repr(x) == "tensor([1., 1.], dtype=float64, requires_grad=True)"
    assert repr(x * 2) == "tensor([2., 2.], dtype=float64, grad_fn=<MulBackward>)"
    assert repr(fastdl.zeros(0, 3)) == "tensor([], size=(0, 3))"
    assert f"{fastdl.tensor(1.5)}" == "tensor(1.5)"


def test_to():
    x = fastdl.tensor([1.7, -2.3])
    assert x.to(fastdl.float32) is x and x.to("cpu") is x and x.float() is x and x.cpu() is x
    assert x.to(np.float64).dtype == x.double().dtype == x.to(dtype="float64").dtype == np.float64
    assert x.to(fastdl.ones(1, dtype=fastdl.int64)).tolist() == [1, -2] and x.long().dtype == np.int64
    assert x.to(copy=True) is not x and x.type_as(x.double()).dtype == np.float64
    with pytest.raises(ValueError, match=r"\[to\] device: expected cpu, got cuda:0"):
        x.to("cuda:0")
    with pytest.raises(ValueError, match=r"\[tensor\] device: expected cpu, got cuda"):
        fastdl.tensor([1.0], device="cuda")


def test_memory_formats():
    x = fastdl.rand(2, 3, 4, 5)
    y = x.to(memory_format=fastdl.channels_last)
    assert x.is_contiguous() and not x.is_contiguous(memory_format=fastdl.channels_last)
    assert y.is_contiguous(memory_format=fastdl.channels_last) and not y.is_contiguous()
    assert y.stride() == (60, 1, 15, 3) and fastdl.equal(x, y)
    assert y.contiguous(memory_format=fastdl.channels_last) is y and y.contiguous().stride() == x.stride()
    assert y.clone().stride() == y.stride() and fastdl.zeros_like(y).stride() == y.stride()
    assert y.clone(memory_format=fastdl.contiguous_format).stride() == x.stride()
    assert fastdl.empty(2, 3, 4, 5, memory_format=fastdl.channels_last).stride() == y.stride()
    assert repr(fastdl.channels_last) == "fastdl.channels_last"
    with pytest.raises(
        ValueError, match=r"\[to\] memory_format: expected 4 axes for channels_last, got shape \(3,\)"
    ):
        fastdl.zeros(3).to(memory_format=fastdl.channels_last)


def test_factories():
    assert fastdl.zeros(2, 3).tolist() == [[0.0] * 3] * 2 and fastdl.ones((2,)).tolist() == [1.0, 1.0]
    assert fastdl.full((2,), 7).dtype == np.int64 and fastdl.full([2], 0.5).dtype == np.float32
    assert fastdl.arange(3).tolist() == [0, 1, 2] and fastdl.arange(1, 2, 0.25).tolist() == [
        1.0,
        1.25,
        1.5,
        1.75,
    ]
    assert fastdl.arange(0.5, 3).dtype == np.float32 and fastdl.linspace(0, 1, 5).tolist() == [
        0,
        0.25,
        0.5,
        0.75,
        1,
    ]
    assert fastdl.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    like = fastdl.ones_like(fastdl.tensor([1, 2]))
    assert like.tolist() == [1, 1] and like.dtype == np.int64
    assert fastdl.full_like(np.zeros(2), 3).tolist() == [3, 3] and fastdl.empty_like(like).shape == (2,)
    with pytest.raises(ValueError, match="expected non-negative extents, got"):
        fastdl.zeros(-1)
    with pytest.raises(ValueError, match="expected a non-zero number, got 0"):
        fastdl.arange(0, 1, 0)
    assert fastdl.is_tensor(like) and not fastdl.is_tensor(like.data)
    assert fastdl.allclose(like, like + 1e-9) and not fastdl.equal(like, like + 1)


def test_random_numbers_follow_the_seed():
    def drawn():
        return [
            fastdl.rand(3), fastdl.randn(2, 2), fastdl.randint(10, size=(5,)), fastdl.randperm(6),
            fastdl.zeros(3).uniform_(-1, 1), fastdl.zeros(3).normal_(5, 0.1),
            fastdl.randn_like(fastdl.zeros(3)),
        ]  # fmt: skip

    fastdl.manual_seed(4)
    first = drawn()
    state = fastdl.get_rng_state()
    more = fastdl.rand(4)
    fastdl.manual_seed(4)
    assert all(fastdl.equal(one, other) for one, other in zip(first, drawn(), strict=True))
    fastdl.set_rng_state(state)
    assert fastdl.equal(more, fastdl.rand(4))
    assert not fastdl.equal(fastdl.rand(4), fastdl.rand(4))
    assert sorted(first[3].tolist()) == list(range(6))
    assert first[2].dtype == np.int64 and first[2].min().item() >= 0 and first[2].max().item() < 10


def test_generators():
    one, other = fastdl.Generator(3), fastdl.Generator().manual_seed(3)
    assert fastdl.equal(fastdl.rand(5, generator=one), fastdl.rand(5, generator=other))
    assert one.next_seed() == (3, 1) == other.next_seed() and one.initial_seed() == 3
    restored = pickle.loads(pickle.dumps(one))
    assert restored.next_seed() == (3, 2)
    with pytest.raises(ValueError, match=r"\[manual_seed\] seed: expected an integer in"):
        fastdl.manual_seed(1 << 64)
    with pytest.raises(ValueError, match=r"\[set_state\] state: expected 2 uint64"):
        one.set_state(np.zeros(3))
    numbers = fastdl.randn(20000, generator=fastdl.Generator(1)).data
    assert abs(numbers.mean()) < 5 / np.sqrt(20000) and abs(numbers.std() - 1) < 5 / np.sqrt(40000)


def test_copies():
    x = fastdl.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    y = copy.deepcopy(x)
    assert y.requires_grad and y.data is not x.data and y.grad.tolist() == [2.0, 2.0] and y.grad is not x.grad
    z = pickle.loads(pickle.dumps(x))
    assert z.requires_grad and z.tolist() == [1.0, 1.0]
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(x * 2)
    with pytest.raises(RuntimeError, match="cannot pickle a Tensor that is not a leaf"):
        pickle.dumps(x * 2)


def test_import_is_cheap():
    code = (
        "import sys, numpy, numpy.random; before = set(sys.modules); import fastdl; "
        "heavy = {'inspect', 'traceback', 'typing_extensions', 'torch', 'scipy', 'logging'}; "
        "print(sorted((set(sys.modules) - before) & heavy))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
