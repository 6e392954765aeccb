"""The tests' tolerances, each with where it comes from; no test names one of its own."""

import numpy as np

EPS32 = float(np.finfo(np.float32).eps)
EPS64 = float(np.finfo(np.float64).eps)

# Learning rates are Python floats; up to 26 chained products of factors with a few roundings each.
LR_SCHEDULE = {"rtol": 500 * EPS64, "atol": 500 * EPS64}

# Norms are summed in float64 and rounded once to the gradients' dtype; PyTorch sums some fifty terms in it.
TOTAL_NORM = {np.float32: {"rtol": 16 * EPS32}, np.float64: {"rtol": 64 * EPS64}}

# A gradient times a factor, in float32; the 1e-6 that is added to the norm makes the factor smaller.
CLIPPED = {"rtol": 1e-5}

# Rows of an orthogonal float32 matrix times gain 2: products of up to 36 terms after a QR in float32.
ORTHOGONAL = {"rtol": 0, "atol": 100 * EPS32}
