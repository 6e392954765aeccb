"""sgd_step against its reference, on every ISA level."""

import fastdl.functional as F
import numpy as np
import pytest

from tests import step_suite, suite
from tests.cases import sgd as cases
from tests.cases.step_case import StepCase

OP = "sgd"
PAIR = ((5,), (5,))


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_reference(case, dtype, device):
    step_suite.check_reference(cases.STEP, case, dtype)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_layouts(case, dtype, device):
    step_suite.check_layouts(cases.STEP, case, dtype)


@pytest.mark.parametrize("case", cases.ALL + cases.THREADED, ids=str)
def test_one_by_one(case, device):
    step_suite.check_one_by_one(cases.STEP, case, np.float32)


@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_mixed_dtypes(case, device):
    step_suite.check_mixed_dtypes(cases.STEP, case)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, dtype, isa):
    step_suite.check_threads(cases.STEP, case, dtype)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_no_parameters(case, device):
    step_suite.check_no_parameters(cases.STEP, case)


@pytest.mark.parametrize("case", cases.OPTIONS, ids=str)
def test_bad_lists(case):
    step_suite.check_bad_lists(cases.STEP, StepCase(case.name, PAIR, case.options, case.counts))
    step_suite.check_unused_lists(cases.STEP, StepCase(case.name, PAIR, case.options, case.counts))


@pytest.mark.parametrize("argument", ["lr", "momentum", "weight_decay"])
def test_bad_numbers(argument):
    case = StepCase("bad", PAIR, {"momentum": 0.9}, (True,))
    step_suite.check_bad_numbers(cases.STEP, case, argument, (-1e-9, float("nan"), float("inf")))


def test_bad_dampening():
    case = StepCase("bad", PAIR, {"momentum": 0.9}, (True,))
    step_suite.check_bad_numbers(cases.STEP, case, "dampening", (float("nan"), float("inf")))


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9, "dampening": 0.1}])
def test_nesterov_wants_momentum_without_dampening(options):
    with pytest.raises(ValueError, match="nesterov: expected a momentum and no dampening"):
        F.sgd_step([], [], [], lr=0.1, nesterov=True, **options)


def test_first_steps_are_counted():
    x = np.ones(3)
    with pytest.raises(ValueError, match="first_steps: expected 1 of them, as params, got 0"):
        F.sgd_step([x], [x + 1], [x + 2], lr=0.1, momentum=0.5)


def test_integers_are_exact(device):
    x, g, buffer = np.array([8.0, -4.0]), np.array([2.0, 6.0]), np.array([4.0, 0.0])
    F.sgd_step([x], [g], [buffer], lr=0.5, momentum=0.5, first_steps=[False])
    np.testing.assert_array_equal(buffer, [4, 6])
    np.testing.assert_array_equal(x, [6, -7])


def test_first_step_ignores_the_buffer(device):
    x, g, buffer = np.ones(2), np.ones(2), np.full(2, np.nan)
    F.sgd_step([x], [g], [buffer], lr=0.5, momentum=0.5, dampening=0.5, first_steps=[True])
    np.testing.assert_array_equal(buffer, g)
    np.testing.assert_array_equal(x, [0.5, 0.5])


def test_zero_decay_leaves_infinite_parameters(device):
    x, g, buffer = np.array([np.inf, 1.0]), np.ones(2), np.zeros(2)
    F.sgd_step([x], [g], [buffer], lr=0.5, momentum=0.5, first_steps=[False])
    np.testing.assert_array_equal(x, [np.inf, 0.5])


def test_memory_is_told_by_the_callers_arrays():
    """A spread array is worked on in a copy, but it is its own memory that must not be shared."""
    wide = np.zeros(16, np.float32)
    gradient = np.ones(8, np.float32)
    F.sgd_step([wide[::2], wide[1::2]], [gradient, gradient], [], lr=1.0)
    np.testing.assert_array_equal(wide, np.full(16, -1, np.float32))
    reversed_halves = [wide[:8][::-1], wide[8:][::-1]]
    F.sgd_step(reversed_halves, [gradient, gradient], [], lr=1.0)
    np.testing.assert_array_equal(wide, np.full(16, -2, np.float32))
    for params, grads in (
        ([wide[::2], wide[::2]], [gradient, gradient]),
        ([wide[::2], wide[:8]], [gradient, gradient]),
        ([wide[::2], wide[14::-2]], [gradient, gradient]),
        ([wide[::2], wide[1::2]], [gradient, wide[8:]]),
    ):
        with pytest.raises(ValueError, match="expected memory of its own, got an array that overlaps"):
            F.sgd_step(params, grads, [], lr=1.0)
    np.testing.assert_array_equal(wide, np.full(16, -2, np.float32))
