"""Containers of modules and parameters, and the layers that only change the shape."""

from collections import OrderedDict

import fastdl
import numpy as np
import pytest
from fastdl import nn


class Add(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(np.float32(value))

    def forward(self, x):
        return x + self.value

    def extra_repr(self):
        return f"value={self.value.item():g}"


class Times(Add):
    def forward(self, x):
        return x * self.value


def held(modules):
    return [module.value.item() for module in modules]


def test_sequential_applies_in_order():
    net = nn.Sequential(Add(1), Times(3), Add(-2))
    assert net(np.float32(4)).item() == 13
    named = nn.Sequential(OrderedDict([("add", Add(1)), ("times", Times(3))]))
    assert named(np.float32(4)).item() == 15 and named.times is named[1]
    assert list(named.state_dict()) == ["add.value", "times.value"]


def test_sequential_like_a_list():
    net = nn.Sequential(*map(Add, range(5)))
    assert len(net) == 5 and held(net) == [0, 1, 2, 3, 4]
    assert held([net[1], net[-1]]) == [1, 4]
    part = net[1:4:2]
    assert isinstance(part, nn.Sequential) and held(part) == [1, 3] and part[0] is net[1]
    assert list(part._modules) == ["1", "3"]  # the names stay, as in PyTorch
    net[1] = Add(10)
    del net[0]
    del net[2:]
    assert held(net) == [10, 2] and list(net._modules) == ["0", "1"]
    assert net.append(Add(5)) is net and net.extend([Add(6)]) is net
    net.insert(0, Add(7)).insert(-1, Add(8))
    assert held(net) == [7, 10, 2, 5, 8, 6]
    assert held([net.pop(), net.pop(0)]) == [6, 7] and held(net) == [10, 2, 5, 8]
    assert held(net + nn.Sequential(Add(1))) == [10, 2, 5, 8, 1]
    assert net[0] in net and Add(10) not in net


def test_module_list():
    modules = nn.ModuleList(Add(i) for i in range(3))
    modules += [Times(9)]
    assert held(modules) == [0, 1, 2, 9] and isinstance(modules, nn.ModuleList)
    assert held(modules[1:]) == [1, 2, 9] and isinstance(modules[1:], nn.ModuleList)
    assert list(modules.state_dict()) == [f"{i}.value" for i in range(4)]
    assert held(modules + nn.ModuleList([Add(4)])) == [0, 1, 2, 9, 4]
    modules.insert(1, Add(5))
    assert held(modules) == [0, 5, 1, 2, 9]


def test_module_dict():
    modules = nn.ModuleDict({"a": Add(1), "b": Add(2)})
    modules["c"] = Times(3)
    modules.update([("a", Add(7))])
    assert list(modules) == list(modules.keys()) == ["a", "b", "c"]
    assert held(modules.values()) == [7, 2, 3]
    assert "b" in modules and len(modules) == 3
    assert modules.pop("b").value.item() == 2
    del modules["c"]
    assert [key for key, _ in modules.items()] == ["a"]
    modules.clear()
    assert len(modules) == 0
    with pytest.raises(KeyError):
        modules["keys"] = Add(1)


def test_parameter_list():
    params = nn.ParameterList([np.ones(2, np.float32), fastdl.tensor([3.0])])
    params.append(nn.Parameter(np.zeros((2, 3), np.float32)))
    params += [np.zeros(1, np.float32)]
    params[0] = np.full(2, 4, np.float32)
    assert len(params) == 4 and all(isinstance(param, nn.Parameter) for param in params)
    assert list(params.state_dict()) == ["0", "1", "2", "3"]
    assert params[-2].shape == (2, 3) and params[0].data[0] == 4
    assert isinstance(params[1:], nn.ParameterList) and params[1:][0] is params[1]
    assert repr(params[2:]) == (
        "ParameterList(\n"
        "  (0): Parameter containing: [float32 of size 2x3]\n"
        "  (1): Parameter containing: [float32 of size 1]\n"
        ")"
    )


def test_parameter_dict():
    params = nn.ParameterDict({"w": np.ones(2, np.float32)})
    params["b"] = nn.Parameter(np.zeros(1, np.float32))
    params.update({"c": np.zeros(3, np.float32)})
    assert list(params.state_dict()) == list(params) == list(params.keys()) == ["w", "b", "c"]
    assert all(isinstance(param, nn.Parameter) for param in params.values())
    assert params.pop("b").shape == (1,)
    del params["c"]
    assert "w" in params and len(params) == 1 and [key for key, _ in params.items()] == ["w"]


@pytest.mark.parametrize(
    ("error", "act"),
    [
        (TypeError, lambda: nn.Sequential(abs)),
        (TypeError, lambda: nn.ModuleList([1])),
        (TypeError, lambda: nn.ModuleList().extend(3)),
        (TypeError, lambda: nn.ModuleList([Add(1)]).insert(0, "x")),
        (IndexError, lambda: nn.ModuleList([Add(1)])[1]),
        (IndexError, lambda: nn.ModuleList().pop()),
        (IndexError, lambda: nn.Sequential(Add(1)).insert(3, Add(1))),
        (IndexError, lambda: nn.ParameterList()[0]),
        (TypeError, lambda: nn.ParameterList(fastdl.tensor([1.0]))),
        (TypeError, lambda: nn.ModuleList()(1)),
        (KeyError, lambda: nn.ModuleDict()["a"]),
        (ValueError, lambda: nn.Flatten(2, 1)(np.zeros((2, 3, 4)))),
        (ValueError, lambda: nn.Flatten(3)(np.zeros((2, 3, 4)))),
        (ValueError, lambda: nn.Unflatten(1, (2, 2))(np.zeros((2, 3)))),
        (ValueError, lambda: nn.Unflatten(1, (-1, 2))(np.zeros((2, 3)))),
        (ValueError, lambda: nn.Unflatten(1, (-1, -1))(np.zeros((2, 4)))),
        (TypeError, lambda: nn.Unflatten(1, 4)),
        (TypeError, lambda: nn.Unflatten("dim", (4,))),
    ],
)
def test_bad_input(error, act):
    with pytest.raises(error):
        act()


def test_failed_insert_leaves_the_list():
    modules = nn.ModuleList([Add(1)])
    with pytest.raises(TypeError):
        modules.insert(0, "x")
    assert held(modules) == [1]


def test_repr_folds_equal_members():
    modules = nn.ModuleList([Add(1), Add(1), nn.Sequential(Times(2)), nn.Sequential(Times(2)), Add(3)])
    assert repr(modules) == (
        "ModuleList(\n"
        "  (0-1): 2 x Add(value=1)\n"
        "  (2-3): 2 x Sequential(\n"
        "    (0): Times(value=2)\n"
        "  )\n"
        "  (4): Add(value=3)\n"
        ")"
    )
    assert repr(nn.ModuleList()) == "ModuleList()"


def test_flatten():
    x = np.arange(24.0).reshape(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Flatten(0)(x).shape == (24,)
    assert nn.Flatten(0, 1)(fastdl.tensor(x)).shape == (6, 4)
    assert nn.Flatten()(np.zeros((0, 3, 4))).shape == (0, 12)
    assert nn.Flatten(0)(np.zeros(())).shape == (1,)
    assert repr(nn.Flatten()) == "Flatten(start_dim=1, end_dim=-1)"


def test_unflatten():
    x = np.arange(24.0).reshape(2, 12)
    np.testing.assert_array_equal(nn.Unflatten(1, (3, 4))(x), x.reshape(2, 3, 4))
    assert nn.Unflatten(-1, (2, -1, 3))(fastdl.tensor(x)).shape == (2, 2, 2, 3)
    assert repr(nn.Unflatten(1, (3, 4))) == "Unflatten(dim=1, unflattened_size=(3, 4))"


def test_identity_takes_anything():
    assert nn.Identity(54, unused=True)(7) == 7
