"""rmsprop_step against its reference, on every ISA level."""

import fastdl.functional as F
import numpy as np
import pytest

from tests import step_suite, suite
from tests.cases import rmsprop as cases
from tests.cases.step_case import StepCase

OP = "rmsprop"
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


@pytest.mark.parametrize("argument", ["lr", "alpha", "eps", "weight_decay", "momentum"])
def test_bad_numbers(argument):
    case = StepCase("bad", PAIR, {"momentum": 0.9})
    step_suite.check_bad_numbers(cases.STEP, case, argument, (-1e-9, float("nan"), float("inf")))


def test_variance_of_equal_gradients_is_not_negative(device):
    """The mean of equal squares and the square of the equal mean differ by rounding, in either direction."""
    x, g = np.zeros(1000, np.float32), np.linspace(0.1, 3, 1000, dtype=np.float32)
    square, mean = np.zeros_like(x), np.zeros_like(x)
    for _ in range(400):
        F.rmsprop_step([x], [g], [square], [mean], [], lr=1e-3, alpha=0.9, eps=1e-2, centered=True)
    assert np.isfinite(x).all()
    assert (x < 0).all()


def test_nan_stays(device):
    x, g = np.zeros(2), np.array([np.nan, 1.0])
    F.rmsprop_step([x], [g], [x + 1], [x + 0], [], lr=1.0, alpha=0.5, eps=1.0, centered=True)
    assert np.isnan(x).tolist() == [True, False]
