"""adam_step against its reference, on every ISA level."""

import fastdl.functional as F
import numpy as np
import pytest

from tests import step_suite, suite
from tests.cases import adam as cases
from tests.cases.step_case import StepCase

OP = "adam"
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


@pytest.mark.parametrize("argument", ["lr", "eps", "weight_decay"])
def test_bad_numbers(argument):
    values = (-1e-9, float("nan"), float("inf"))
    step_suite.check_bad_numbers(cases.STEP, StepCase("bad", PAIR, {}, (1,)), argument, values)


@pytest.mark.parametrize("argument", ["beta1", "beta2"])
def test_bad_betas(argument):
    values = (-0.1, 1.0, float("nan"))
    step_suite.check_bad_numbers(cases.STEP, StepCase("bad", PAIR, {}, (1,)), argument, values)


def test_steps_count_from_one():
    x = np.ones(3)
    with pytest.raises(ValueError, match="steps: expected at least 1, got 0"):
        F.adam_step([x], [x + 1], [x + 2], [x + 3], [], [0], **cases.STEP.required)
    with pytest.raises(ValueError, match="steps: expected 1 of them, as params, got 2"):
        F.adam_step([x], [x + 1], [x + 2], [x + 3], [], [1, 1], **cases.STEP.required)


def test_zero_decay_leaves_infinite_parameters(device):
    """Nothing is multiplied by a weight decay of zero."""
    for decoupled in (False, True):
        x, g, m, v = np.array([np.inf, 1.0]), np.ones(2), np.zeros(2), np.zeros(2)
        F.adam_step([x], [g], [m], [v], [], [1], **cases.STEP.required, decoupled_weight_decay=decoupled)
        assert x[0] == np.inf
        assert np.isfinite([*m, *v]).all()


def test_maximum_keeps_nan(device):
    x, g, m, v, top = np.ones(2), np.array([np.nan, 1.0]), np.zeros(2), np.zeros(2), np.ones(2)
    F.adam_step([x], [g], [m], [v], [top], [1], **cases.STEP.required, amsgrad=True)
    assert np.isnan(top).tolist() == np.isnan(x).tolist() == [True, False]
