"""`nn.Module`: registration, walking, modes, conversion, state and hooks, on layers written in plain Tensor
arithmetic.
"""

import copy
import gc
import pickle
import weakref

import fastdl
import numpy as np
import pytest
from fastdl import nn


class Affine(nn.Module):
    """x · scale + shift, counting its calls in a buffer."""

    def __init__(self, size, value=1.0):
        super().__init__()
        self.size = size
        self.scale = nn.Parameter(np.full(size, value, np.float32))
        self.shift = nn.Parameter(np.zeros(size, np.float32))
        self.register_buffer("calls", fastdl.tensor(np.zeros((), np.int64)))
        self.register_buffer("scratch", fastdl.tensor(np.zeros(2, np.float32)), persistent=False)

    def forward(self, x):
        self.calls.data[...] += 1
        return x * self.scale + self.shift

    def extra_repr(self):
        return f"size={self.size}"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Affine(3, 2.0)
        self.rest = nn.Sequential(Affine(3, 5.0), nn.Identity())
        self.register_parameter("absent", None)
        self.gain = nn.Parameter(np.array(3.0, np.float32))

    def forward(self, x):
        return self.rest(self.first(x)) * self.gain


STATE_KEYS = [
    "gain",
    "first.scale",
    "first.shift",
    "first.calls",
    "rest.0.scale",
    "rest.0.shift",
    "rest.0.calls",
]


def values(module):
    return {key: np.array(tensor) for key, tensor in module.state_dict().items()}


def test_forward_and_gradients():
    net = Net()
    x = np.array([1.0, 2.0, 3.0], np.float32)
    y = net(x)
    np.testing.assert_array_equal(y.data, x * 30)
    y.sum().backward()
    np.testing.assert_array_equal(net.first.scale.grad.data, x * 15)
    np.testing.assert_array_equal(net.gain.grad.data, (x * 10).sum())
    assert net.first.calls.item() == 1


def test_names_in_order():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == [
        "gain",
        "first.scale",
        "first.shift",
        "rest.0.scale",
        "rest.0.shift",
    ]
    assert [name for name, _ in net.named_parameters(recurse=False)] == ["gain"]
    assert [name for name, _ in net.named_parameters(prefix="net")][:2] == ["net.gain", "net.first.scale"]
    assert [name for name, _ in net.named_buffers()] == [
        "first.calls",
        "first.scratch",
        "rest.0.calls",
        "rest.0.scratch",
    ]
    assert [name for name, _ in net.named_modules()] == ["", "first", "rest", "rest.0", "rest.1"]
    assert [name for name, _ in net.named_children()] == ["first", "rest"]
    assert list(net.children()) == [net.first, net.rest]
    assert len(list(net.modules())) == 5
    assert len(list(net.parameters())) == 5
    assert len(list(net.buffers())) == 4


def test_shared_members_are_given_once():
    net = Net()
    net.again = net.first
    net.rest[0].scale = net.first.scale
    assert [name for name, _ in net.named_modules()].count("again") == 0
    assert len(list(net.parameters())) == 4
    assert len(list(net.named_parameters(remove_duplicate=False))) == 7
    assert "again.scale" in net.state_dict()


def test_assignment_registers_and_replaces():
    net = Net()
    with pytest.raises(TypeError, match="register_parameter"):
        net.gain = np.zeros(())
    with pytest.raises(TypeError, match="add_module"):
        net.first = 3
    with pytest.raises(TypeError, match="register_buffer"):
        net.first.calls = 3
    net.gain = None
    assert net.gain is None and "gain" not in net.state_dict()
    net.first = nn.Parameter(np.zeros(1, np.float32))  # another kind of member takes over the name
    assert "first" not in dict(net.named_children()) and "first" in dict(net.named_parameters())
    net.plain = [1, 2]
    assert net.plain == [1, 2]
    net.plain = nn.Identity()
    assert "plain" in dict(net.named_children()) and "plain" not in net.__dict__


def test_delattr():
    net = Net()
    del net.gain, net.rest
    del net.first.scratch
    assert not hasattr(net, "gain") and not hasattr(net, "rest") and not hasattr(net.first, "scratch")
    with pytest.raises(AttributeError):
        del net.gain


def test_dir_lists_members():
    assert {"gain", "first", "rest", "forward", "training"} <= set(dir(Net()))


def test_before_init():
    class Hasty(nn.Module):
        def __init__(self, member):
            self.member = member

    for member in (nn.Parameter(np.zeros(1, np.float32)), nn.Identity()):
        with pytest.raises(AttributeError, match=r"before Module.__init__\(\)"):
            Hasty(member)

    class HastyBuffer(nn.Module):
        def __init__(self):
            self.register_buffer("b", None)

    with pytest.raises(AttributeError, match=r"before Module.__init__\(\)"):
        HastyBuffer()


@pytest.mark.parametrize(
    ("error", "act"),
    [
        (KeyError, lambda m: m.register_buffer("a.b", None)),
        (KeyError, lambda m: m.register_parameter("", None)),
        (KeyError, lambda m: m.register_parameter("training", None)),
        (KeyError, lambda m: m.add_module("gain", nn.Identity())),
        (KeyError, lambda m: m.register_module("forward", nn.Identity())),
        (TypeError, lambda m: m.register_parameter(3, None)),
        (TypeError, lambda m: m.register_parameter("p", fastdl.tensor([1.0]))),
        (TypeError, lambda m: m.register_buffer("b", np.zeros(2))),
        (TypeError, lambda m: m.add_module("m", "Identity")),
        (ValueError, lambda m: m.train("yes")),
        (AttributeError, lambda m: m.missing),
        (AttributeError, lambda m: m.get_submodule("rest.7")),
        (AttributeError, lambda m: m.get_parameter("rest.0.calls")),
        (AttributeError, lambda m: m.get_buffer("gain")),
        (TypeError, lambda m: m.to(np.int32)),
        (TypeError, lambda m: nn.Module()(1)),
        (TypeError, lambda m: m.load_state_dict([1])),
    ],
)
def test_bad_input(error, act):
    with pytest.raises(error):
        act(Net())


@pytest.mark.parametrize(
    "make",
    [
        lambda **device: nn.Linear(3, 4, **device),
        lambda **device: nn.Conv2d(3, 4, 3, **device),
        lambda **device: nn.ConvTranspose2d(3, 4, 3, **device),
        lambda **device: nn.Embedding(3, 4, **device),
        lambda **device: nn.BatchNorm2d(3, **device),
        lambda **device: nn.LSTM(3, 4, **device),
        lambda **device: nn.LSTMCell(3, 4, **device),
    ],
)
def test_layers_are_made_on_the_device_or_not_at_all(make):
    assert {str(parameter.device) for parameter in make(device="cpu").parameters()} == {"cpu"}
    for device in ("foo", "cuda", "cuda:0"):
        with pytest.raises(ValueError, match=rf"device: expected cpu, got {device}"):
            make(device=device)


def test_a_parameter_is_a_leaf():
    scale = nn.Parameter(np.ones(2, np.float32))
    assert scale.requires_grad and scale.is_leaf
    assert not nn.Parameter(scale, requires_grad=False).requires_grad
    source = fastdl.tensor([1.0, 2.0])
    assert np.shares_memory(nn.Parameter(source).data, source.data)
    assert repr(scale) == "Parameter containing:\n" + repr(fastdl.tensor([1.0, 1.0], requires_grad=True))


def test_get_by_path():
    net = Net()
    assert net.get_submodule("") is net
    assert net.get_submodule("rest.0") is net.rest[0]
    assert net.get_parameter("rest.0.scale") is net.rest[0].scale
    assert net.get_buffer("first.calls") is net.first.calls


def test_apply_goes_to_children_first():
    seen = []
    net = Net()
    assert net.apply(lambda module: seen.append(type(module).__name__)) is net
    assert seen == ["Affine", "Affine", "Identity", "Sequential", "Net"]


def test_modes():
    net = Net()
    assert net.training
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    net.rest.train()
    assert [module.training for module in net.modules()] == [False, False, True, True, True]
    net.requires_grad_(False)
    assert not any(param.requires_grad for param in net.parameters())


def test_zero_grad():
    net = Net()
    net(np.ones(3, np.float32)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all((param.grad.data == 0).all() for param in net.parameters())
    net.zero_grad()
    assert all(param.grad is None for param in net.parameters())


def test_conversion_keeps_parameters_and_integers():
    net = Net()
    net(np.ones(3, np.float32)).sum().backward()
    before = dict(net.named_parameters())
    assert net.double() is net
    for name, param in net.named_parameters():
        assert param is before[name] and param.requires_grad and param.is_leaf
        assert param.dtype == param.grad.dtype == np.float64
    assert net.first.calls.dtype == np.int64 and net.first.scratch.dtype == np.float64
    assert net.float().gain.dtype == np.float32


@pytest.mark.parametrize(
    ("args", "options"),
    [
        ((np.float64,), {}),
        (("float64",), {}),
        (("cpu", fastdl.float64), {}),
        ((fastdl.tensor(np.zeros(1)),), {}),
        ((), {"dtype": np.float64, "device": "cpu"}),
        ((fastdl.tensor(0.0).device, np.float64), {}),
    ],
)
def test_to(args, options):
    net = Net().to(*args, **options)
    assert net.gain.dtype == np.float64 and net.first.calls.dtype == np.int64


def test_to_memory_format_is_for_four_axes():
    net = nn.Module()
    net.weight = nn.Parameter(np.zeros((2, 3, 4, 5), np.float32))
    net.bias = nn.Parameter(np.zeros(2, np.float32))
    weight = net.weight
    net.to(memory_format=fastdl.channels_last)
    assert net.weight is weight and weight.is_contiguous(memory_format=fastdl.channels_last)
    assert weight.shape == (2, 3, 4, 5) and weight.data.strides == (240, 4, 60, 12)


def test_functional_under_both_names():
    import fastdl.nn.functional as F

    assert all(getattr(F, name) is getattr(fastdl.functional, name) for name in fastdl.functional.__all__)
    assert "conv2d" in F.__all__


def test_state_dict_shares_memory():
    net = Net()
    state = net.state_dict()
    assert list(state) == STATE_KEYS
    assert not any(tensor.requires_grad for tensor in state.values())
    assert all(np.shares_memory(state[key].data, member.data) for key, member in net.named_parameters())
    state["gain"].data[...] = 7
    assert net.gain.item() == 7
    assert net.state_dict(keep_vars=True)["gain"] is net.gain
    assert next(iter(net.first.state_dict(prefix="x."))) == "x.scale"


def test_load_state_dict_copies():
    source, target = Net(), Net()
    for number, tensor in enumerate(source.state_dict().values()):
        tensor.data[...] = number
    before = dict(target.named_parameters())
    result = target.load_state_dict(source.state_dict())
    assert result == ([], []) and repr(result) == "<All keys matched successfully>"
    for key, expected in values(source).items():
        np.testing.assert_array_equal(values(target)[key], expected)
    assert all(param is before[name] for name, param in target.named_parameters())
    assert not np.shares_memory(target.gain.data, source.gain.data)


def test_load_state_dict_converts():
    net = Net()
    state = {key: value.astype(np.float64) for key, value in values(net).items() if "calls" not in key}
    state["gain"] = np.array([4.0])  # one element for a scalar
    result = net.load_state_dict(state, strict=False)
    assert result.missing_keys == ["first.calls", "rest.0.calls"]
    assert net.gain.dtype == np.float32 and net.gain.item() == 4


def test_load_state_dict_lists_all_problems_and_changes_nothing():
    net = Net()
    before = values(net)
    state = {key: value + 1 for key, value in before.items()}
    state["surplus"] = np.zeros(2)
    del state["first.shift"]
    state["first.scale"] = np.zeros((3, 1), np.float32)
    state["first.calls"] = np.array(0.5)
    state["rest.0.scale"] = "text"
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    message = str(caught.value)
    for part in (
        "loading state_dict for Net",
        "missing key(s) in state_dict: 'first.shift'",
        "unexpected key(s) in state_dict: 'surplus'",
        "size mismatch for first.scale: expected (3,), got (3, 1)",
        "dtype mismatch for first.calls: expected int64, got float64",
        "rest.0.scale: expected a Tensor or an array, got str",
    ):
        assert part in message
    with pytest.raises(RuntimeError) as caught:  # shapes count without strict too
        net.load_state_dict(state, strict=False)
    assert "size mismatch" in str(caught.value) and "surplus" not in str(caught.value)
    for key, expected in before.items():
        np.testing.assert_array_equal(values(net)[key], expected)


def test_state_dict_goes_to_torch_and_back():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.BatchNorm1d(3)

    class Norm(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(np.arange(3, dtype=np.float32))
            self.bias = nn.Parameter(np.arange(3, dtype=np.float32) + 3)
            self.register_buffer("running_mean", fastdl.tensor(np.arange(3, dtype=np.float32) + 6))
            self.register_buffer("running_var", fastdl.tensor(np.arange(3, dtype=np.float32) + 9))
            self.register_buffer("num_batches_tracked", fastdl.tensor(np.array(5, np.int64)))

    ours = Norm()
    theirs.load_state_dict({key: torch.from_numpy(np.array(t)) for key, t in ours.state_dict().items()})
    fresh = Norm()
    for tensor in fresh.state_dict().values():
        tensor.data[...] = 0
    fresh.load_state_dict(
        dict(theirs.named_parameters()) | dict(theirs.named_buffers())
    )  # these require grad
    for key, expected in values(ours).items():
        np.testing.assert_array_equal(values(fresh)[key], expected)
    fresh.load_state_dict(
        {key: t.bfloat16() if t.is_floating_point() else t for key, t in theirs.state_dict().items()}
    )
    np.testing.assert_array_equal(fresh.bias.data, ours.bias.data)


def test_hooks():
    net, seen = Net(), []
    x = np.ones(3, np.float32)

    def double_input(module, args):
        seen.append("pre")
        return args[0] * 2

    first = net.register_forward_pre_hook(double_input)
    after = net.register_forward_hook(lambda module, args, output: output + 1)
    np.testing.assert_array_equal(net(x).data, x * 61)
    first.remove()
    first.remove()
    np.testing.assert_array_equal(net(x).data, x * 31)
    after.remove()
    np.testing.assert_array_equal(net(x).data, x * 30)
    assert seen == ["pre"]


def test_a_handle_removes_its_own_hook_alone():
    x, called = fastdl.ones(2, requires_grad=True), []
    layer = nn.Identity()
    for register in (
        lambda name: x.register_hook(lambda gradient: called.append(name)),
        lambda name: layer.register_forward_hook(lambda *_: called.append(name)),
        lambda name: layer.register_forward_pre_hook(lambda *_: called.append(name)),
    ):
        called.clear()
        first = register("first")
        first.remove()
        second = register("second")
        first.remove()
        layer(x).sum().backward()
        assert called == ["second"]
        second.remove()
        with register("within"):
            layer(x).sum().backward()
        layer(x).sum().backward()
        assert called == ["second", "within"]


def test_hooks_with_kwargs_and_order():
    seen = []
    identity = nn.Identity()
    identity.register_forward_hook(lambda m, args, out: seen.append("second"))
    identity.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True)
    identity.register_forward_hook(lambda m, args, out: seen.append("first"), prepend=True)
    identity.register_forward_pre_hook(lambda m, args, kwargs: ((), {"input": 3}), with_kwargs=True)
    assert identity(2) == 3
    assert seen == ["first", "second", {"input": 3}]
    identity.register_forward_pre_hook(lambda m, args, kwargs: 5, with_kwargs=True)
    with pytest.raises(RuntimeError, match=r"\(args, kwargs\)"):
        identity(2)


def test_repr():
    assert repr(Net()) == (
        "Net(\n"
        "  (first): Affine(size=3)\n"
        "  (rest): Sequential(\n"
        "    (0): Affine(size=3)\n"
        "    (1): Identity()\n"
        "  )\n"
        ")"
    )
    assert repr(nn.Module()) == "Module()"


def test_deepcopy_and_pickle():
    net = Net()
    net.gain.requires_grad_(False)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert list(other.state_dict()) == STATE_KEYS
        assert isinstance(other.first.scale, nn.Parameter)
        assert not other.gain.requires_grad and other.first.scale.requires_grad
        assert not np.shares_memory(other.gain.data, net.gain.data)
        np.testing.assert_array_equal(other(np.ones(3, np.float32)).data, np.full(3, 30, np.float32))


def test_freed_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        net = Net()
        net.register_forward_hook(lambda module, args, output: None)
        net(np.ones(3, np.float32)).sum().backward()
        gone = weakref.ref(net.first.scale)
        del net
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.Conv2d(4, 4, 3, padding="valid"),
        lambda nn: nn.Conv2d(4, 4, 3, padding="same", groups=2),
        lambda nn: nn.Conv2d(4, 4, (3, 5), 2, (1, 2), 2, 1, False, "reflect"),
        lambda nn: nn.ConvTranspose2d(4, 4, 3, 2, 1, 1),
    ],
)
def test_repr_as_in_torch(make):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    assert repr(make(nn)) == repr(make(torch.nn))


def test_torch_loads_a_state_dict_by_dlpack():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    ours = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    theirs = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
    theirs.load_state_dict({name: torch.from_dlpack(value) for name, value in ours.state_dict().items()})
    for name, value in theirs.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), ours.state_dict()[name].data)


def test_load_state_dict_assigns():
    net = Net().cpu()
    net.first.scale.requires_grad_(False)
    state = {name: np.asarray(value.data.astype(value.dtype)) for name, value in net.state_dict().items()}
    state["first.scale"] = state["first.scale"].astype(np.float64)
    net.load_state_dict(state, assign=True)
    for name, value in net.state_dict().items():
        assert value.data is state[name] and value.dtype == state[name].dtype
    assert isinstance(net.first.scale, nn.Parameter) and not net.first.scale.requires_grad
    with pytest.raises(RuntimeError, match=r"size mismatch for first\.scale"):
        net.load_state_dict({**state, "first.scale": np.zeros((9, 9))}, assign=True)
