"""SGD: biases, the weights of convolutions, a language model."""

from bench import optimizers
from tests.cases.sgd import BENCH as CASES
from tests.cases.sgd import STEP

NAME = "sgd"

__all__ = ["CASES", "NAME", "contenders"]


def contenders(case):
    return optimizers.contenders("SGD", STEP, case)
