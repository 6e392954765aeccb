"""Adam, AdamW, SGD and RMSprop: runs against the float64 references and PyTorch, state, and bad input."""

import math

import fastdl
import numpy as np
import pytest
from fastdl import nn, optim
from fastdl.reference.adam import adam_step
from fastdl.reference.rmsprop import rmsprop_step
from fastdl.reference.sgd import sgd_step

from tests import tolerances

STEPS = 12
SHAPES = [(37,), (), (5, 3, 2), (0, 4), (1000,)]

ADAM = [
    {},
    {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-4},
    {"weight_decay": 0.1, "maximize": True},
    {"amsgrad": True, "weight_decay": 0.05, "lr": 0.01},
    {"betas": (0.0, 0.0), "eps": 1e-3},
]
SGD = [
    {},
    {"lr": 0.1, "weight_decay": 0.1, "maximize": True},
    {"lr": 0.1, "momentum": 0.9},
    {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01},
    {"lr": 0.05, "momentum": 0.9, "nesterov": True},
]
RMSPROP = [
    {},
    {"alpha": 0.5, "eps": 1e-4, "weight_decay": 0.1, "maximize": True},
    {"momentum": 0.9, "eps": 1e-4},
    {"centered": True, "eps": 1e-4},
    {"centered": True, "momentum": 0.5, "eps": 1e-4},
]
RUNS = [
    *(("Adam", options) for options in ADAM),
    *(("AdamW", options) for options in ADAM),
    *(("SGD", options) for options in SGD),
    *(("RMSprop", options) for options in RMSPROP),
]


def reference_adam(optimizer, param, grad, state, step, options):
    settings = dict(options)
    beta1, beta2 = settings.pop("betas", (0.9, 0.999))
    settings = {"lr": 1e-3, "eps": 1e-8, "weight_decay": 1e-2 if optimizer == "AdamW" else 0.0} | settings
    state = state or (0.0, 0.0, 0.0)
    decoupled = optimizer == "AdamW"
    return adam_step(
        param, grad, *state, step, beta1=beta1, beta2=beta2, decoupled_weight_decay=decoupled, **settings
    )


def reference_sgd(optimizer, param, grad, state, step, options):
    return sgd_step(param, grad, *(state or (0.0,)), first_step=step == 1, **({"lr": 1e-3} | options))


def reference_rmsprop(optimizer, param, grad, state, step, options):
    settings = {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8} | options
    return rmsprop_step(param, grad, *(state or (0.0, 0.0, 0.0)), **settings)


REFERENCES = {
    "Adam": reference_adam,
    "AdamW": reference_adam,
    "SGD": reference_sgd,
    "RMSprop": reference_rmsprop,
}


def draw(dtype, shapes=SHAPES):
    """Initial values, and the gradients of every step, of changing size."""
    rng = np.random.default_rng(0)
    values = [np.array(rng.standard_normal(shape), dtype) for shape in shapes]
    grads = [
        [np.array(rng.standard_normal(shape) * rng.uniform(0.1, 3), dtype) for shape in shapes]
        for _ in range(STEPS)
    ]
    return values, grads


def make(name, values, options):
    params = [nn.Parameter(value.copy()) for value in values]
    return params, getattr(optim, name)(params, **options)


def run(params, optimizer, grads):
    for step_grads in grads:
        for param, grad in zip(params, step_grads, strict=True):
            param.grad = fastdl.tensor(grad)
        optimizer.step()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "options"), RUNS)
def test_against_reference(name, options, dtype):
    values, grads = draw(dtype)
    params, optimizer = make(name, values, options)
    arrays = [param.data for param in params]
    run(params, optimizer, grads)
    for index, (param, value) in enumerate(zip(params, values, strict=True)):
        expected, state = value.astype(np.float64), ()
        for step in range(STEPS):
            expected, *state = REFERENCES[name](name, expected, grads[step][index], state, step + 1, options)
        assert param.data is arrays[index] and param.dtype == dtype  # in place
        np.testing.assert_allclose(param.data, expected, **tolerances.OPTIMIZER_RUN[dtype])


@pytest.mark.parametrize(("name", "options"), RUNS)
def test_against_torch_and_state_goes_across(name, options):
    torch = pytest.importorskip("torch")
    values, grads = draw(np.float64)
    theirs = [torch.from_numpy(value.copy()).requires_grad_() for value in values]
    reference = getattr(torch.optim, name)(theirs, **options)

    def run_torch(grads):
        for step_grads in grads:
            for param, grad in zip(theirs, step_grads, strict=True):
                param.grad = torch.from_numpy(grad)
            reference.step()

    params, optimizer = make(name, values, options)
    run(params, optimizer, grads[:5])
    run_torch(grads[:5])
    # On from here with the other one's state.
    handed_over = reference.state_dict()
    ours = optimizer.state_dict()
    for state in ours["state"].values():
        state.update({k: torch.from_numpy(v.data) for k, v in state.items() if isinstance(v, fastdl.Tensor)})
    reference.load_state_dict(ours)
    optimizer.load_state_dict(handed_over)
    run(params, optimizer, grads[5:])
    run_torch(grads[5:])
    for param, other in zip(params, theirs, strict=True):
        np.testing.assert_allclose(param.data, other.detach().numpy(), **tolerances.OPTIMIZER_RUN[np.float64])
    assert {k for s in optimizer.state_dict()["state"].values() for k in s} == {
        k for s in reference.state_dict()["state"].values() for k in s
    }


@pytest.mark.parametrize("name", REFERENCES)
def test_parameters_join_and_rest(name):
    """A parameter counts the steps in which it had a gradient, and no others."""
    values, grads = draw(np.float64, [(9,), (9,)])
    params, optimizer = make(name, values, {})
    alone, optimizer_alone = make(name, values[1:], {})
    for step, (first, second) in enumerate(grads):
        params[0].grad = fastdl.tensor(first)
        params[1].grad = fastdl.tensor(second) if step % 3 else None
        optimizer.step()
        if step % 3:
            run(alone, optimizer_alone, [[second]])
    np.testing.assert_array_equal(params[1].data, alone[0].data)


@pytest.mark.parametrize("name", REFERENCES)
def test_groups_have_their_own_settings(name):
    values, grads = draw(np.float32, [(17,), (4, 2)])
    params = [nn.Parameter(value.copy()) for value in values]
    optimizer = getattr(optim, name)([{"params": params[0], "lr": 0.5}, {"params": [params[1]]}], lr=0.25)
    run(params, optimizer, grads[:3])
    for index, lr in enumerate((0.5, 0.25)):
        alone, optimizer_alone = make(name, values[index : index + 1], {"lr": lr})
        run(alone, optimizer_alone, [grad[index : index + 1] for grad in grads[:3]])
        np.testing.assert_array_equal(params[index].data, alone[0].data)


@pytest.mark.parametrize("name", REFERENCES)
def test_non_contiguous_parameters(name):
    values, grads = draw(np.float32, [(6, 8)])
    base = np.zeros((8, 12), np.float32)
    view = base.T[::2]
    view[...] = values[0]
    strided = nn.Parameter(view)
    assert np.shares_memory(strided.data, base)
    params, optimizer = make(name, values, {})
    run(params, optimizer, grads[:3])
    run([strided], getattr(optim, name)([strided]), grads[:3])
    np.testing.assert_array_equal(base.T[::2], params[0].data)
    assert (base.T[1::2] == 0).all()


def test_amsgrad_may_begin_later():
    values, grads = draw(np.float32, [(5,)])
    params, optimizer = make("Adam", values, {})
    run(params, optimizer, grads[:2])
    optimizer.param_groups[0]["amsgrad"] = True
    run(params, optimizer, grads[2:4])
    state = optimizer.state[params[0]]
    assert (state["max_exp_avg_sq"].data >= state["exp_avg_sq"].data).all() and state["step"] == 4


NUMBERS = {
    "Adam": ["lr", "eps", "weight_decay"],
    "AdamW": ["lr", "eps", "weight_decay"],
    "SGD": ["lr", "momentum", "weight_decay"],
    "RMSprop": ["lr", "alpha", "eps", "momentum", "weight_decay"],
}
BAD_NUMBERS = [
    *(
        (name, option, bad)
        for name in NUMBERS
        for option in NUMBERS[name]
        for bad in (-1.0, math.inf, math.nan)
    ),
    ("SGD", "dampening", math.nan),
]


@pytest.mark.parametrize(("name", "option", "value"), BAD_NUMBERS)
def test_bad_numbers(name, option, value):
    _, optimizer = make(name, [np.zeros(2, np.float32)], {})
    words = {"lr": "learning rate", "eps": "epsilon"}.get(option, option)
    with pytest.raises(ValueError, match=f"Invalid {words}.*: {value}"):
        make(name, [np.zeros(2, np.float32)], {option: value})
    with pytest.raises(ValueError, match=f"Invalid {words}.*: {value}"):
        optimizer.add_param_group({"params": nn.Parameter(np.zeros(2, np.float32)), option: value})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize("steps_before", [0, 2])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("Adam", {"amsgrad": True}),
        ("SGD", {"momentum": 0.9, "dampening": 0.5}),
        ("RMSprop", {"momentum": 0.9}),
    ],
)
def test_a_refused_step_leaves_no_trace(name, options, steps_before):
    values, grads = draw(np.float64)
    (params, optimizer), (other_params, other) = (make(name, values, options) for _ in range(2))
    run(params, optimizer, grads[:steps_before])
    run(other_params, other, grads[:steps_before])
    good, optimizer.param_groups[0]["lr"] = optimizer.param_groups[0]["lr"], math.nan
    with pytest.raises(ValueError, match="lr: expected a finite value"):
        run(params, optimizer, grads[steps_before:])
    assert len(optimizer.state) == len(other.state)
    optimizer.param_groups[0]["lr"] = good
    run(params, optimizer, grads[steps_before:])
    run(other_params, other, grads[steps_before:])
    for param, expected in zip(params, other_params, strict=True):
        np.testing.assert_array_equal(param.data, expected.data)


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize("betas", [(-0.1, 0.9), (0.9, 1.0), (math.nan, 0.9), (0.9, 1.5)])
def test_bad_betas(name, betas):
    index = 0 if betas[0] != 0.9 else 1
    with pytest.raises(ValueError, match=f"Invalid beta parameter at index {index}: {betas[index]}"):
        make(name, [np.zeros(2, np.float32)], {"betas": betas})


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "dampening": 0.1}])
def test_nesterov_wants_momentum_without_dampening(options):
    with pytest.raises(ValueError, match="Nesterov"):
        make("SGD", [np.zeros(2, np.float32)], {"nesterov": True, **options})
