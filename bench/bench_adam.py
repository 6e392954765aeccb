"""Adam: biases, the weights of convolutions, a language model."""

from bench import optimizers
from tests.cases.adam import BENCH as CASES
from tests.cases.adam import STEP

NAME = "adam"

__all__ = ["CASES", "NAME", "contenders"]


def contenders(case):
    return optimizers.contenders("Adam", STEP, case)
