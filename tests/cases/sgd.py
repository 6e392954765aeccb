"""Steps of gradient descent: every option, sizes round the vector widths and round the chunks."""

import fastdl.functional as F
from fastdl.reference.sgd import sgd_step

from tests.cases import step_case
from tests.cases.step_case import Step, StepCase

STEP = Step(F.sgd_step, sgd_step, {"lr": 0.1}, {"momentum_buffers": "momentum"}, (), counted="first_steps")
COUNTS = (False, True, False)

OPTIONS = [
    *step_case.cases({"plain": {}, "weight_decay": {"weight_decay": 0.1, "maximize": True}}, ()),
    *step_case.cases(
        {
            "momentum": {"momentum": 0.9},
            "dampening": {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1},
            "nesterov": {"momentum": 0.9, "nesterov": True, "maximize": True},
        },
        COUNTS,
    ),
]
SIZES = [StepCase("sizes", step_case.SIZES, {"momentum": 0.9, "weight_decay": 0.1}, COUNTS)]
ALL = OPTIONS + SIZES
THREADED = [StepCase("threaded", step_case.LARGE, {"momentum": 0.9, "nesterov": True}, COUNTS)]
