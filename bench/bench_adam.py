"""Adam: a thousand small tensors to one of 25 million numbers."""

from bench.step import Optimizer

BENCH = Optimizer("adam", "Adam", arrays=7)
