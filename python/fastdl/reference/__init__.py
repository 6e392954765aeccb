"""The oracle of the tests: every op as its formula, in plain NumPy, never calling the op.

Each module has ``forward(...)`` and ``backward(grad_output, ...)`` with the op's argument names; backward returns
the gradients by argument name. They compute in the dtype that they are given, float64 for an oracle.
"""
