"""The base of the optimisers: groups, state, state dicts in PyTorch's layout, and what it refuses."""

import copy

import fastdl
import numpy as np
import pytest
from fastdl import nn, optim
from fastdl.optim import Optimizer


class Descent(Optimizer):
    """param −= lr · grad, counting steps and summing gradients."""

    def __init__(self, params, lr=0.5, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    def _check_group(self, group):
        if not group["lr"] >= 0:
            raise ValueError(f"Invalid learning rate: {group['lr']}")

    def _update_group(self, group):
        for param in group["params"]:
            if param.grad is None:
                continue
            state = self.state[param]
            state["step"] = state.get("step", 0) + 1
            summed = state.setdefault("grad_sum", fastdl.tensor(np.zeros(param.shape, param.dtype)))
            summed.data += param.grad.data
            param.data -= group["lr"] * param.grad.data


def make_params(count=3):
    return [nn.Parameter(np.full((2, i + 1), 10.0, np.float32)) for i in range(count)]


def give_gradients(params, value=1.0):
    for param in params:
        param.grad = fastdl.tensor(np.full(param.shape, value, param.dtype))


def test_groups_take_defaults():
    a, b, c = make_params()
    optimizer = Descent([{"params": [a]}, {"params": b, "lr": 0.1}], weight_decay=0.2)
    optimizer.add_param_group({"params": iter([c]), "weight_decay": 0.0})
    settings = [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups]
    assert settings == [(0.5, 0.2), (0.1, 0.2), (0.5, 0.0)]
    assert [group["params"] for group in optimizer.param_groups] == [[a], [b], [c]]
    give_gradients([a, b, c])
    optimizer.step()
    assert [param.data[0, 0] for param in (a, b, c)] == [9.5, np.float32(9.9), 9.5]


def test_parameters_without_gradient_are_left():
    a, b, _ = make_params()
    optimizer = Descent([a, b])
    give_gradients([a])
    optimizer.step()
    assert (b.data == 10).all() and b not in optimizer.state


def test_step_records_nothing_and_is_seen_by_the_tape():
    (a,) = make_params(1)
    optimizer = Descent([a])
    loss = (a * a).sum()
    give_gradients([a])
    optimizer.step()
    assert a.is_leaf and a.requires_grad
    with pytest.raises(RuntimeError, match=r"modified|in-place|in place"):
        loss.backward()  # the product saved a, which the step has changed


def test_closure():
    (a,) = make_params(1)
    optimizer = Descent([a], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (a * a).sum()
        loss.backward()
        return loss

    with fastdl.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 200 and (a.data == 5).all()


def test_zero_grad():
    params = make_params()
    optimizer = Descent(params)
    give_gradients(params[:2])
    optimizer.zero_grad(set_to_none=False)
    assert (params[0].grad.data == 0).all() and params[2].grad is None
    optimizer.zero_grad()
    assert params[0].grad is None


def test_state_dict_layout():
    a, b, c = make_params()
    optimizer = Descent([{"params": [a, b]}, {"params": [c], "lr": 0.1}])
    give_gradients([a, c], 2.0)
    optimizer.step()
    state = optimizer.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2]]
    assert state["param_groups"][1] == {"lr": 0.1, "weight_decay": 0.0, "params": [2]}
    assert set(state["state"]) == {0, 2} and state["state"][2]["step"] == 1
    assert (state["state"][2]["grad_sum"].data == 2).all()


def test_load_state_dict():
    params = make_params()
    optimizer = Descent(params, lr=0.1)
    give_gradients(params)
    optimizer.step()
    saved = copy.deepcopy(optimizer.state_dict())
    fresh_params = [nn.Parameter(param.data.astype(np.float64)) for param in params]
    fresh = Descent(fresh_params, lr=3.0)
    fresh.load_state_dict(saved)
    assert fresh.param_groups[0]["lr"] == 0.1 and fresh.param_groups[0]["params"] == fresh_params
    summed = fresh.state[fresh_params[1]]["grad_sum"]
    assert summed.dtype == np.float64 and (summed.data == 1).all()
    give_gradients(fresh_params)
    fresh.step()
    assert (saved["state"][1]["grad_sum"].data == 1).all()  # loading copies
    assert fresh.state[fresh_params[1]]["step"] == 2


def test_load_state_dict_of_torch():
    torch = pytest.importorskip("torch")
    theirs = [torch.full((2, i + 1), 10.0, requires_grad=True) for i in range(3)]
    reference = torch.optim.Adam([{"params": theirs[:2]}, {"params": theirs[2:], "lr": 0.25}], amsgrad=True)
    for param in theirs:
        param.grad = torch.ones_like(param)
    for _ in range(2):
        reference.step()
    params = make_params()
    optimizer = Descent([{"params": params[:2]}, {"params": params[2:]}])
    optimizer.load_state_dict(reference.state_dict())
    assert optimizer.param_groups[1]["lr"] == 0.25 and optimizer.param_groups[1]["amsgrad"]
    state = optimizer.state[params[2]]
    assert state["step"] == 2 and type(state["step"]) is int
    for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"):
        np.testing.assert_array_equal(state[name].data, reference.state[theirs[2]][name].numpy())

    back = optimizer.state_dict()
    for values in back["state"].values():
        values.update(
            {k: torch.from_numpy(v.data) for k, v in values.items() if isinstance(v, fastdl.Tensor)}
        )
    again = torch.optim.Adam([{"params": theirs[:2]}, {"params": theirs[2:]}], amsgrad=True)
    again.load_state_dict(back)
    again.step()
    reference.step()
    assert torch.equal(again.state[theirs[2]]["exp_avg"], reference.state[theirs[2]]["exp_avg"])


@pytest.mark.parametrize(
    ("message", "change"),
    [
        ("different number of parameter groups", lambda s: s["param_groups"].append(s["param_groups"][0])),
        ("doesn't match the size", lambda s: s["param_groups"][0]["params"].pop()),
        (
            r"grad_sum: expected shape \(2, 2\), got \(3,\)",
            lambda s: s["state"][1].update(grad_sum=np.zeros(3)),
        ),
        ("state for 7, which is in none", lambda s: s["state"].update({7: {"step": 1}})),
        ("Invalid learning rate: -1", lambda s: s["param_groups"][0].update(lr=-1)),
    ],
)
def test_load_state_dict_refuses_and_changes_nothing(message, change):
    params = make_params()
    optimizer = Descent(params)
    give_gradients(params)
    optimizer.step()
    state = copy.deepcopy(optimizer.state_dict())
    state["param_groups"][0]["lr"] = 0.125
    change(state)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(state)
    assert optimizer.param_groups[0]["lr"] == 0.5
    assert (optimizer.state[params[0]]["grad_sum"].data == 1).all()


def shared_twice():
    a, b, _ = make_params()
    return [{"params": [a, b]}, {"params": [b]}]


@pytest.mark.parametrize(
    ("error", "message", "params"),
    [
        (ValueError, "empty parameter list", list),
        (ValueError, "empty parameter list", lambda: iter(())),
        (TypeError, "iterable of Tensors or dicts, got Parameter", lambda: make_params(1)[0]),
        (TypeError, "iterable of Tensors or dicts, got int", lambda: 3),
        (TypeError, "expected Tensors, got ndarray", lambda: [np.zeros(2)]),
        (TypeError, "got a set", lambda: [{"params": set(make_params())}]),
        (TypeError, "expected a dict, got Parameter", lambda: [{"params": make_params(1)}, *make_params(1)]),
        (ValueError, "non-leaf", lambda: [make_params(1)[0] * 2]),
        (ValueError, "more than one parameter group", shared_twice),
        (ValueError, "more than one parameter group", lambda: make_params(1) * 2),
        (ValueError, "Invalid learning rate: -1", lambda: [{"params": make_params(1), "lr": -1}]),
    ],
)
def test_bad_parameters(error, message, params):
    with pytest.raises(error, match=message):
        Descent(params())


def test_no_step():
    with pytest.raises(TypeError, match="defines neither step"):
        Optimizer(make_params(1), {}).step()


def test_repr():
    optimizer = Descent(make_params(1), lr=0.1)
    assert repr(optimizer) == "Descent (\nParameter Group 0\n    lr: 0.1\n    weight_decay: 0.0\n)"


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW"])
def test_keywords_of_torch(name):
    make = getattr(optim, name)
    weight = fastdl.ones(2, requires_grad=True)
    for keywords in ({"foreach": True}, {"foreach": None, "differentiable": False}):
        make([weight], lr=0.1, **keywords)
    with pytest.raises(ValueError, match=rf"\[{name}\] differentiable: expected False"):
        make([weight], lr=0.1, differentiable=True)
    if name != "RMSprop":
        make([weight], lr=0.1, fused=True)
    if name != "SGD":
        make([weight], lr=0.1, capturable=True)


def test_named_parameters():
    layer = nn.Linear(2, 3)
    optimizer = optim.Adam(layer.named_parameters())
    (group,) = optimizer.param_groups
    assert group["params"] == list(layer.parameters()) and group["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]
    layer(fastdl.ones(1, 2)).sum().backward()
    optimizer.step()
    other = optim.Adam(layer.parameters())
    other.load_state_dict(optimizer.state_dict())
    with pytest.raises(ValueError, match="expected a name for every parameter or for none"):
        optim.SGD([layer.weight, ("bias", layer.bias)])
    with pytest.raises(ValueError, match="expected groups with names or groups without"):
        optimizer.add_param_group({"params": [fastdl.ones(1, requires_grad=True)]})
