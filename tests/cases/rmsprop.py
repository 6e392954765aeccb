"""Steps of RMSprop: every option, sizes round the vector widths and round the chunks."""

import fastdl.functional as F
from fastdl.reference.rmsprop import rmsprop_step

from tests.cases import step_case
from tests.cases.step_case import Step, StepCase

STEP = Step(
    F.rmsprop_step,
    rmsprop_step,
    {"lr": 1e-2, "alpha": 0.99, "eps": 1e-8},
    {"square_avgs": None, "grad_avgs": "centered", "momentum_buffers": "momentum"},
    ("square_avgs",),
)

OPTIONS = step_case.cases(
    {
        "plain": {},
        "alpha": {"alpha": 0.3, "eps": 1e-3},
        "weight_decay": {"weight_decay": 0.1, "maximize": True},
        "momentum": {"momentum": 0.9},
        "centered": {"centered": True},
        "centered_momentum": {"centered": True, "momentum": 0.5, "weight_decay": 0.1},
    },
    (),
)
SIZES = [StepCase("sizes", step_case.SIZES, {"centered": True, "momentum": 0.9})]
ALL = OPTIONS + SIZES
THREADED = [StepCase("threaded", step_case.LARGE, {"centered": True, "momentum": 0.9})]
