"""SGD with momentum: a thousand small tensors to one of 25 million numbers."""

from bench.step import Optimizer

BENCH = Optimizer("sgd", "SGD", arrays=5, options={"momentum": 0.9})
