"""RMSprop: a thousand small tensors to one of 25 million numbers."""

from bench.step import Optimizer

BENCH = Optimizer("rmsprop", "RMSprop", arrays=5, fused=False)
