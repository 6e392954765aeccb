"""RMSprop: biases, the weights of convolutions, a language model."""

from bench import optimizers
from tests.cases.rmsprop import BENCH as CASES
from tests.cases.rmsprop import STEP

NAME = "rmsprop"

__all__ = ["CASES", "NAME", "contenders"]


def contenders(case):
    return optimizers.contenders("RMSprop", STEP, case)
