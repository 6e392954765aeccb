"""Steps of Adam: every option, sizes round the vector widths and round the chunks."""

import fastdl.functional as F
from fastdl.reference.adam import adam_step

from tests.cases import step_case
from tests.cases.step_case import Step, StepCase

STEP = Step(
    F.adam_step,
    adam_step,
    {"lr": 1e-2, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    {"exp_avgs": None, "exp_avg_sqs": None, "max_exp_avg_sqs": "amsgrad"},
    ("exp_avg_sqs", "max_exp_avg_sqs"),
    "steps",
)
COUNTS = (1, 2, 10, 100000)

OPTIONS = step_case.cases(
    {
        "plain": {},
        "betas": {"beta1": 0.3, "beta2": 0.4, "eps": 1e-3},
        "no_memory": {"beta1": 0.0, "beta2": 0.0},
        "weight_decay": {"weight_decay": 0.1},
        "decoupled": {"weight_decay": 0.1, "decoupled_weight_decay": True},
        "maximize": {"maximize": True, "weight_decay": 0.1},
        "amsgrad": {"amsgrad": True},
        "amsgrad_decoupled": {"amsgrad": True, "weight_decay": 0.1, "decoupled_weight_decay": True},
    },
    COUNTS,
)
SIZES = [StepCase("sizes", step_case.SIZES, {"amsgrad": True, "weight_decay": 0.1}, COUNTS)]
ALL = OPTIONS + SIZES
THREADED = [StepCase("threaded", step_case.LARGE, {"weight_decay": 0.1}, COUNTS)]
