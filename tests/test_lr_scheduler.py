"""Schedules against closed forms written here, and step by step against PyTorch where it is installed."""

import copy
import json
import math

import numpy as np
import pytest
from fastdl.nn.parameter import Parameter
from fastdl.optim import Optimizer, lr_scheduler

from tests import tolerances

EPOCHS = 25
BASES = (0.4, 0.02)


class Plain(Optimizer):
    """An optimiser whose step leaves the parameters alone."""

    def __init__(self, params, lr=1.0, momentum=0.9, betas=(0.9, 0.999)):
        super().__init__(params, {"lr": lr, "momentum": momentum, "betas": betas})

    def _update_group(self, group):
        pass


def make_optimizer(bases=BASES):
    return Plain([{"params": [Parameter(np.zeros(2, np.float32))], "lr": lr} for lr in bases])


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def run(optimizer, scheduler, epochs=EPOCHS):
    """The rates of every group at epochs 0 to `epochs`."""
    seen = [rates(optimizer)]
    for _ in range(epochs):
        optimizer.step()
        scheduler.step()
        seen.append(rates(optimizer))
    return np.array(seen)


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, **tolerances.LR_SCHEDULE)


def cosine(base, t, low=0.001, T=7):
    return low + (base - low) * (1 + math.cos(math.pi * t / T)) / 2


def restarts(base, t):
    length = 3
    while t >= length:
        t -= length
        length *= 2
    return cosine(base, t, 0.001, length)


def one_cycle(base, t):
    """The peak is the base rate; linear, 25 steps, 40 % of them up."""
    up, low = 0.4 * EPOCHS - 1, base / 25
    if t <= up:
        return low + (base - low) * t / up
    return base + (low / 1e4 - base) * (t - up) / (EPOCHS - 1 - up)


# name: (our scheduler, the rate at epoch t of a group that began with base)
CLOSED = {
    "lambda": (
        lambda s, o: s.LambdaLR(o, [lambda t: 0.9**t, lambda t: 1 / (1 + t)]),
        lambda base, t: base * (0.9**t if base == BASES[0] else 1 / (1 + t)),
    ),
    "multiplicative": (lambda s, o: s.MultiplicativeLR(o, lambda t: 0.8), lambda base, t: base * 0.8**t),
    "step": (lambda s, o: s.StepLR(o, 4, 0.5), lambda base, t: base * 0.5 ** (t // 4)),
    "multi_step": (
        lambda s, o: s.MultiStepLR(o, [3, 9, 9], 0.1),
        lambda base, t: base * 0.1 ** ((t >= 3) + 2 * (t >= 9)),
    ),
    "constant": (lambda s, o: s.ConstantLR(o, 0.25, 6), lambda base, t: base * (0.25 if t < 6 else 1)),
    "linear": (
        lambda s, o: s.LinearLR(o, 0.1, 0.9, 8),
        lambda base, t: base * (0.1 + 0.8 * min(t, 8) / 8),
    ),
    "exponential": (lambda s, o: s.ExponentialLR(o, 0.7), lambda base, t: base * 0.7**t),
    "polynomial": (
        lambda s, o: s.PolynomialLR(o, 10, 2.0),
        lambda base, t: base * (1 - min(t, 10) / 10) ** 2,
    ),
    "cosine": (lambda s, o: s.CosineAnnealingLR(o, 7, 0.001), cosine),
    "warm_restarts": (lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.001), restarts),
    "one_cycle": (
        lambda s, o: s.OneCycleLR(o, list(BASES), EPOCHS, pct_start=0.4, anneal_strategy="linear"),
        one_cycle,
    ),
    "warm_up_then_cosine": (
        lambda s, o: s.SequentialLR(
            o, [s.LinearLR(o, 0.25, total_iters=4), s.CosineAnnealingLR(o, 7, 0.001)], milestones=[4]
        ),
        lambda base, t: base * (0.25 + 0.75 * t / 4) if t < 4 else cosine(base, t - 4),
    ),
    "chained": (
        lambda s, o: s.ChainedScheduler([s.ConstantLR(o, 0.5, 5), s.ExponentialLR(o, 0.9)]),
        lambda base, t: base * (0.5 if t < 5 else 1) * 0.9**t,
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_form(name):
    make, expected = CLOSED[name]
    optimizer = make_optimizer()
    epochs = EPOCHS - 1 if name == "one_cycle" else EPOCHS
    seen = run(optimizer, make(lr_scheduler, optimizer), epochs)
    close(seen, [[expected(base, t) for base in BASES] for t in range(epochs + 1)])


@pytest.mark.parametrize("name", CLOSED)
def test_state_dict_goes_on_where_it_was(name):
    make, expected = CLOSED[name]
    optimizer = make_optimizer()
    scheduler = make(lr_scheduler, optimizer)
    run(optimizer, scheduler, 6)
    fresh = make_optimizer()
    resumed = make(lr_scheduler, fresh)
    resumed.load_state_dict(copy.deepcopy(scheduler.state_dict()))
    fresh.load_state_dict(optimizer.state_dict())
    assert resumed.get_last_lr() == scheduler.get_last_lr()
    close(run(fresh, resumed, 10), [[expected(base, t) for base in BASES] for t in range(6, 17)])


TORCH_ONLY = {
    "one_cycle_three_phase": lambda s, o: s.OneCycleLR(o, 0.5, epochs=5, steps_per_epoch=6, three_phase=True),
    "one_cycle_cos": lambda s, o: s.OneCycleLR(o, [0.5, 0.1], EPOCHS + 1, final_div_factor=10.0),
    "polynomial_1": lambda s, o: s.PolynomialLR(o),
    "linear_default": lambda s, o: s.LinearLR(o),
    "constant_default": lambda s, o: s.ConstantLR(o),
    "cosine_1": lambda s, o: s.CosineAnnealingLR(o, 1),
    "warm_restarts_same": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4),
    "three_in_sequence": lambda s, o: s.SequentialLR(
        o, [s.StepLR(o, 2), s.CosineAnnealingWarmRestarts(o, 3), s.ExponentialLR(o, 0.5)], [5, 14]
    ),
    "two_on_one": lambda s, o: s.ChainedScheduler([s.CosineAnnealingLR(o, 9), s.StepLR(o, 3, 0.9)]),
}


@pytest.mark.parametrize("name", [*CLOSED, *TORCH_ONLY])
def test_as_torch(name):
    torch = pytest.importorskip("torch")
    make = TORCH_ONLY[name] if name in TORCH_ONLY else CLOSED[name][0]
    ours = make_optimizer()
    theirs = torch.optim.SGD(
        [{"params": [torch.zeros(2, requires_grad=True)], "lr": lr} for lr in BASES], momentum=0.9
    )
    theirs.defaults["betas"] = (0.9, 0.999)
    for group in theirs.param_groups:
        group["betas"] = (0.9, 0.999)
    epochs = EPOCHS - 1
    ours_seen = run(ours, make(lr_scheduler, ours), epochs)
    theirs_seen = run(theirs, make(torch.optim.lr_scheduler, theirs), epochs)
    close(ours_seen, theirs_seen)
    for group, expected in zip(ours.param_groups, theirs.param_groups, strict=True):
        close(group["betas"][0], expected["betas"][0])


LOSSES = [
    1.0,
    0.9,
    0.9,
    0.9,
    0.89999,
    0.9,
    0.5,
    0.6,
    0.6,
    0.6,
    0.6,
    0.6,
    0.6,
    0.7,
    0.4,
    0.4,
    0.4,
    0.4,
    0.4,
    0.4,
]
PLATEAU = [
    {"patience": 2},
    {"patience": 1, "cooldown": 2, "factor": 0.5},
    {"patience": 0, "mode": "max", "threshold_mode": "abs", "threshold": 0.05},
    {"patience": 1, "threshold_mode": "abs", "threshold": 0.01, "min_lr": [0.05, 0.001]},
]


@pytest.mark.parametrize("options", PLATEAU)
def test_plateau_as_torch(options):
    torch = pytest.importorskip("torch")
    ours = make_optimizer()
    theirs = torch.optim.SGD([{"params": [torch.zeros(2, requires_grad=True)], "lr": lr} for lr in BASES])
    scheduler = lr_scheduler.ReduceLROnPlateau(ours, **options)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    for loss in LOSSES:
        scheduler.step(loss)
        reference.step(loss)
        close(rates(ours), rates(theirs))
        assert scheduler.num_bad_epochs == reference.num_bad_epochs


def test_plateau_reduces_after_patience_and_rests_in_cooldown():
    optimizer = make_optimizer((1.0,))
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1, cooldown=2, min_lr=0.2)
    seen = []
    for _ in range(13):
        scheduler.step(1.0)
        seen.append(optimizer.param_groups[0]["lr"])
    # Bad epochs 1 and 2 reduce; then 2 of cooldown and 2 bad ones each time, down to min_lr.
    assert seen == [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.2, 0.2, 0.2]


def test_plateau_state_dict():
    optimizer = make_optimizer((1.0,))
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)
    for loss in (1.0, 2.0, 3.0):
        scheduler.step(loss)
    resumed = lr_scheduler.ReduceLROnPlateau(optimizer, patience=3)
    resumed.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    assert (resumed.best, resumed.num_bad_epochs) == (1.0, 2)


def test_rate_changed_by_hand_stays_changed():
    optimizer = make_optimizer((1.0,))
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    optimizer.param_groups[0]["lr"] = 8.0
    scheduler.step()
    assert rates(optimizer) == [4.0]


def test_resume_by_last_epoch():
    optimizer = make_optimizer((1.0,))
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(optimizer, 2, last_epoch=3)
    optimizer.param_groups[0]["initial_lr"] = 1.0
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, 7, 0.001, last_epoch=3)
    close(run(optimizer, scheduler, 5)[:, 0], [cosine(1.0, t) for t in range(4, 10)])


def test_warm_restarts_at_fractional_epochs():
    optimizer = make_optimizer((1.0,))
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 3, 2, 0.001)
    for epoch in (0.5, 2.75, 3.25, 8.5, 9.5, 30.125):
        scheduler.step(epoch)
        close(rates(optimizer)[0], restarts(1.0, epoch))
    with pytest.raises(ValueError, match=r"epoch: expected a number ≥ 0, got -1"):
        scheduler.step(-1)


def test_one_cycle_moves_momentum_the_other_way():
    optimizer = make_optimizer((1.0,))
    scheduler = lr_scheduler.OneCycleLR(optimizer, 1.0, 11, pct_start=0.5, anneal_strategy="linear")
    betas = [optimizer.param_groups[0]["betas"]]
    for _ in range(10):
        optimizer.step()
        scheduler.step()
        betas.append(optimizer.param_groups[0]["betas"])
    close([b for b, _ in betas[:5]], [0.95 - 0.1 * t / 4.5 for t in range(5)])
    close([b for b, _ in betas[5:]], [0.85 + 0.1 * (t - 4.5) / 5.5 for t in range(5, 11)])
    assert {b for _, b in betas} == {0.999}
    scheduler.step()
    with pytest.raises(ValueError, match="11 steps"):
        scheduler.step()


def test_step_before_the_optimizer_warns():
    optimizer = make_optimizer()
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    with pytest.warns(UserWarning, match=r"before optimizer\.step"):
        scheduler.step()


BAD = {
    "optimizer": (TypeError, "expected an Optimizer", lambda o: lr_scheduler.StepLR([], 2)),
    "lambdas": (ValueError, "expected 2 functions", lambda o: lr_scheduler.LambdaLR(o, [abs])),
    "constant": (ValueError, "factor", lambda o: lr_scheduler.ConstantLR(o, 1.5)),
    "linear_start": (ValueError, "start_factor", lambda o: lr_scheduler.LinearLR(o, 0.0)),
    "linear_end": (ValueError, "end_factor", lambda o: lr_scheduler.LinearLR(o, 0.5, 1.5)),
    "restarts": (ValueError, "T_0", lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 0)),
    "restarts_mult": (ValueError, "T_mult", lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2, 0.5)),
    "plateau_factor": (ValueError, "factor", lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1.0)),
    "plateau_mode": (ValueError, "mode", lambda o: lr_scheduler.ReduceLROnPlateau(o, "lowest")),
    "plateau_min_lr": (ValueError, "min_lr", lambda o: lr_scheduler.ReduceLROnPlateau(o, min_lr=[0.1])),
    "cycle_steps": (ValueError, "total_steps", lambda o: lr_scheduler.OneCycleLR(o, 0.1)),
    "cycle_zero": (
        ValueError,
        "epochs",
        lambda o: lr_scheduler.OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=2),
    ),
    "cycle_pct": (ValueError, "pct_start", lambda o: lr_scheduler.OneCycleLR(o, 0.1, 10, pct_start=1.5)),
    "cycle_anneal": (
        ValueError,
        "anneal_strategy",
        lambda o: lr_scheduler.OneCycleLR(o, 0.1, 10, anneal_strategy="sine"),
    ),
    "cycle_groups": (ValueError, "expected 2 values", lambda o: lr_scheduler.OneCycleLR(o, [0.1], 10)),
    "sequence_empty": (ValueError, "at least one", lambda o: lr_scheduler.SequentialLR(o, [], [])),
    "sequence_milestones": (
        ValueError,
        "milestones: expected 0",
        lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(o, 2)], [3]),
    ),
    "sequence_optimizer": (
        ValueError,
        "same optimizer",
        lambda o: lr_scheduler.SequentialLR(o, [lr_scheduler.StepLR(make_optimizer(), 2)], []),
    ),
    "chained_plateau": (
        ValueError,
        "metric",
        lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ReduceLROnPlateau(o)]),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name):
    error, message, make = BAD[name]
    with pytest.raises(error, match=message):
        make(make_optimizer())
