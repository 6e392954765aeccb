"""Sequential runs a layer and the activation behind it as one, wherever nobody can tell."""

import copy
import sys

import fastdl
import numpy as np
import pytest
from fastdl import _core, nn

LAYERS = {
    "Linear": (lambda: nn.Linear(8, 6), (5, 8)),
    "Conv2d": (lambda: nn.Conv2d(3, 5, 3), (2, 3, 6, 7)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(3, 5, 3), (2, 3, 6, 7)),
    "BatchNorm1d": (lambda: nn.BatchNorm1d(8), (5, 8)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), (2, 3, 6, 7)),
    "BatchNorm3d": (lambda: nn.BatchNorm3d(3), (2, 3, 4, 3, 2)),
}
ACTIVATIONS = {
    "ReLU": nn.ReLU,
    "ReLU_in_place": lambda: nn.ReLU(inplace=True),
    "LeakyReLU_in_place": lambda: nn.LeakyReLU(0.2, inplace=True),
    "Sigmoid": nn.Sigmoid,
    "Tanh": nn.Tanh,
}


@pytest.fixture
def calls(monkeypatch):
    """The activations' own kernels that ran."""
    names = []

    def spy(name, function):
        def call(*args):
            names.append(name)
            return function(*args)

        monkeypatch.setattr(_core, f"{name}_forward", call)

    for name in ("relu", "leaky_relu", "sigmoid", "tanh"):
        spy(name, getattr(_core, f"{name}_forward"))
    return names


def draw(*shape):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def one_by_one(net, x):
    for module in net:
        x = module(x)
    return x


def run(function, net, x):
    """The output and all gradients of a run, on copies, and the buffers that it leaves."""
    net = copy.deepcopy(net)
    x = fastdl.tensor(x, requires_grad=True)
    y = function(net, x)
    (y * y).sum().backward()
    leaves = [x, *net.parameters()]
    return [y.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves), *(b.numpy() for b in net.buffers())]


def assert_as_one_by_one(net, x):
    for got, want in zip(run(type(net).__call__, net, x), run(one_by_one, net, x), strict=True):
        assert got.strides == want.strides
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("layer", LAYERS)
def test_fuses(layer, activation, calls):
    make, shape = LAYERS[layer]
    net = nn.Sequential(make(), ACTIVATIONS[activation]())
    assert_as_one_by_one(net, draw(*shape))
    assert len(calls) == 1  # one by one
    net(draw(*shape))
    net.eval()(fastdl.tensor(draw(*shape)))
    with fastdl.no_grad():
        net(fastdl.tensor(draw(*shape)))
    assert len(calls) == 1


def test_each_pair_of_a_network(calls):
    net = nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.ConvTranspose2d(4, 3, 2), nn.LeakyReLU(), nn.Conv2d(3, 4, 1), nn.LeakyReLU(inplace=True)),
        *(nn.Flatten(), nn.Linear(100, 6), nn.Sigmoid(), nn.Tanh(), nn.Linear(6, 2), nn.Tanh()),
    )
    assert_as_one_by_one(net, draw(3, 2, 8, 8))
    assert calls == ["tanh", "relu", "leaky_relu", "leaky_relu", "sigmoid", "tanh", "tanh"]


def linear_and(activation):
    return nn.Sequential(nn.Linear(8, 6), activation)


class Scaled(nn.Linear):
    def forward(self, input):
        return 3 * super().forward(input)


class Negated(nn.ReLU):
    def forward(self, input):
        return -super().forward(input)


NOT_FUSED = {
    "subclass_of_layer": lambda: nn.Sequential(Scaled(8, 6), nn.ReLU()),
    "subclass_of_activation": lambda: linear_and(Negated()),
    "negative_slope": lambda: linear_and(nn.LeakyReLU(-0.5)),
    "negative_slope_in_place": lambda: linear_and(nn.LeakyReLU(-0.5, inplace=True)),
    "slope_is_no_number": lambda: linear_and(nn.LeakyReLU(np.nan)),
    "has_its_own": lambda: nn.Sequential(nn.Linear(8, 6, activation="tanh"), nn.ReLU()),
    "other_layer_between": lambda: nn.Sequential(nn.Linear(8, 6), nn.Identity(), nn.ReLU()),
    "activation_first": lambda: nn.Sequential(nn.ReLU(), nn.Linear(8, 6)),
    "nested": lambda: nn.Sequential(nn.Sequential(nn.Linear(8, 6)), nn.ReLU()),
}


@pytest.mark.parametrize("name", NOT_FUSED)
def test_does_not_fuse(name, calls):
    net = NOT_FUSED[name]()
    assert_as_one_by_one(net, draw(5, 8))
    assert len(calls) == 2


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
def test_hooks_are_called(register, position, calls):
    net = linear_and(nn.ReLU())
    seen = []
    getattr(net[position], register)(lambda module, args, *output: seen.append((module, *args, *output)))
    y = net(draw(5, 8))
    assert len(calls) == 1 and len(seen) == 1 and seen[0][0] is net[position]
    expected = {0: 8 if register.endswith("pre_hook") else 6, 1: 6}[position]
    assert seen[0][-1].shape == (5, expected)
    if register == "register_forward_hook" and position == 1:
        assert seen[0][-1] is y


def test_a_hook_on_the_layer_may_hook_the_activation():
    net, seen = linear_and(nn.ReLU()), []
    net[0].register_forward_pre_hook(
        lambda module, args: net[1].register_forward_hook(lambda *call: seen.append(call)) and None
    )
    net(draw(5, 8))
    assert len(seen) == 1


@pytest.mark.parametrize("position", [0, 1])
def test_a_forward_of_one_object_is_called(position):
    net = linear_and(nn.ReLU())
    net[position].forward = lambda input: input * 0 + 7
    assert (net(draw(5, 8)) == 7).all()


@pytest.mark.parametrize(
    "where",
    [
        "fastdl.nn.module.Module.__call__",
        "fastdl.nn.linear.Linear.forward",
        "fastdl.nn.activation.ReLU.forward",
        "fastdl.nn.linear.Linear.__call__",
    ],
)
def test_a_method_in_place_of_the_library_s_is_called(where, monkeypatch, calls):
    seen = []
    kind, _, method = where.rpartition(".")
    module, _, name = kind.rpartition(".")
    original = getattr(getattr(sys.modules[module], name), method)

    def replacement(self, *args):
        seen.append(self)
        return original(self, *args)

    monkeypatch.setattr(getattr(sys.modules[module], name), method, replacement)
    net = linear_and(nn.ReLU())
    net(draw(5, 8))
    assert seen and len(calls) == 1


@pytest.mark.parametrize(
    "where", ["fastdl.nn.linear.linear", "fastdl.functional.activation.relu"], ids=["layer", "activation"]
)
def test_a_function_in_place_of_the_library_s_is_called(where, monkeypatch):
    module, _, name = where.rpartition(".")
    original = getattr(sys.modules[module], name)
    seen = []

    def replacement(*args):  # with the arguments that it always had
        seen.append(args)
        return original(*args)

    monkeypatch.setattr(sys.modules[module], name, replacement)
    linear_and(nn.ReLU())(draw(5, 8))
    assert len(seen) == 1


def test_a_result_that_backward_does_not_need_may_change_in_place(calls):
    """LeakyReLU apart looks at its input."""
    net = linear_and(nn.LeakyReLU(0.5))
    y = net(fastdl.tensor(draw(5, 8)))
    y.add_(1)
    y.sum().backward()
    assert net[0].weight.grad is not None and calls == ["leaky_relu"]
    with fastdl.no_grad():
        net(fastdl.tensor(draw(5, 8)))
    net.append(nn.Linear(6, 3))
    net(fastdl.tensor(draw(5, 8)))
    assert calls == ["leaky_relu"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_result_that_backward_needs_may_not_change_in_place(activation):
    net = linear_and(ACTIVATIONS[activation]())
    y = net(fastdl.tensor(draw(5, 8)))
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_anomaly_mode_tells_the_activation_apart(calls):
    net = linear_and(nn.ReLU())
    with fastdl.autograd.detect_anomaly():
        y = net(fastdl.tensor(draw(5, 8)))
    assert calls == ["relu"] and y.grad_fn.name() == "ReluBackward"


def test_changes_of_the_container_count(calls):
    net = linear_and(nn.ReLU())
    net(draw(5, 8))
    net[1] = nn.Identity()
    assert net(draw(5, 8)).data.min() < 0
    net[1] = nn.Tanh()
    net.insert(1, nn.Linear(6, 6))
    net(draw(5, 8))
    assert calls == []
    net.insert(2, nn.ReLU())
    net(draw(5, 8))
    assert calls == ["tanh"]


def test_bfloat16_is_refused_as_by_the_activation():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    net = linear_and(nn.ReLU()).to(bfloat16)
    with pytest.raises(TypeError, match="expected float32 or float64, got bfloat16"):
        net(draw(5, 8).astype(bfloat16))
