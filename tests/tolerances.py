"""The only tolerances of the tests: max|found − expected| / max|expected| that a comparison may reach."""

import numpy as np

EPS32 = float(np.finfo(np.float32).eps)
EPS64 = float(np.finfo(np.float64).eps)

# Learning rates are Python floats; up to 26 chained products of factors with a few roundings each.
LR_SCHEDULE = {"rtol": 500 * EPS64, "atol": 500 * EPS64}

# Norms are summed in float64 and rounded once to the gradients' dtype; PyTorch sums some fifty terms in it.
TOTAL_NORM = {np.float32: {"rtol": 16 * EPS32}, np.float64: {"rtol": 64 * EPS64}}

# Up to some thousand additions in float64 per partial sum, a few partial sums.
SQUARE_SUM = {"rtol": 1e3 * EPS64}

# A gradient times a factor, in float32; the 1e-6 that is added to the norm makes the factor smaller.
CLIPPED = {"rtol": 1e-5}

# Rows of an orthogonal float32 matrix times gain 2: products of up to 36 terms after a QR in float32.
ORTHOGONAL = {"rtol": 0, "atol": 100 * EPS32}

# exp, log, tanh, sigmoid and their kin on the CPU: the library's promise, in units in the last place.
ELEMENTARY_FUNCTION_ULP = 2

# Twelve steps with some ten roundings each, of parameters about 1 that change by about 1 in total.
OPTIMIZER_RUN = {
    np.float32: {"rtol": 64 * EPS32, "atol": 64 * EPS32},
    np.float64: {"rtol": 64 * EPS64, "atol": 64 * EPS64},
}

# A sum divided once, against the sum of up to a dozen quotients, in float64.
QUOTIENTS = {"rtol": 16 * EPS64, "atol": 64 * EPS64}


# Two sums in float64, in different orders, of up to 4200 products of the order of 1.
POOLED_SUMS = {"rtol": 1e4 * EPS64, "atol": 1e2 * EPS64}
# Normalised values of some twenty numbers, cubed, and their gradients, in float64: both sides round.
NORMALISED = {"rtol": 1000 * EPS64, "atol": 1000 * EPS64}

# Means of random numbers: beyond six standard errors lies one normally distributed value in 5·10⁸.
STANDARD_ERRORS = 6


# ---- ops against their references -----------------------------------------------------------------------------------

# The library's promise: max|out - exact| / max|exact| is at most twice that of the plain formula in the same
# dtype. The plain formula may be lucky where few terms are summed, and NumPy sums long rows pairwise, which is
# more than plain: a few units in the last place come on top.
NAIVE_FACTOR = 2
SPARE_ULPS = 8

# What float32 precision "high" allows convolutions: on their way through the transforms of Winograd's F(4 x 4, 3 x 3)
# numbers grow by an order of magnitude, and differences of them remain. Measured at every ISA level, for 16 to 1024
# channels: at most 2.6e-6 on N(0, 1), 3.7e-6 on Student's t with 3 degrees of freedom ("highest": 5e-7 and 9e-7).
HIGH_PRECISION = 5e-6

# Central differences in float64: the truncation error falls with the step's square, the rounding error grows with its
# inverse, and both meet near the cube root of epsilon.
DIFFERENCE_STEP = float(np.cbrt(EPS64))


# bfloat16 results are sums in float32, which keep the promise for float32, rounded once: to nearest a number of 8
# significant bits moves by at most 2⁻⁸ of itself.
STORED_ROUNDING = {"bfloat16": 2.0**-8}


def relative_error(out, exact):
    """max|out - exact| / max|exact|, NaNs counting as equal to NaNs; 0 for empty arrays."""
    out, exact = np.asarray(out, np.longdouble), np.asarray(exact, np.longdouble)
    assert out.shape == exact.shape
    if exact.size == 0:
        return 0.0
    np.testing.assert_array_equal(np.isfinite(out), np.isfinite(exact))
    finite = np.isfinite(exact)
    if not finite.any():
        return 0.0
    difference, scale = np.abs(out - exact)[finite].max(), np.abs(exact[finite]).max()
    return float(difference / scale) if scale else float(difference)


def assert_accurate(out, exact, naive, dtype, what):
    """The promise above, for one output."""
    rounding = STORED_ROUNDING.get(np.dtype(dtype).name, 0.0)
    eps = EPS32 if rounding else float(np.finfo(dtype).eps)
    bound = NAIVE_FACTOR * relative_error(naive, exact) + SPARE_ULPS * eps + rounding
    error = relative_error(out, exact)
    assert error <= bound, f"{what}: relative error {error:.3g} is over {bound:.3g}"


# A recurrent layer of bfloat16 rounds h and the gradients of its sums in every step, and so does its reference. Where
# float32 has a number on the other side of the middle between two neighbours, it becomes the other one, off by the
# spacing, 2⁻⁷ of itself at most; what reads it sums H or more terms and is moved past a middle in its turn here and
# there. At the worst both sides round independently in the end: two such roundings differ by 1/√6 of the spacing in
# the root mean square, 0.8 · 2⁻⁸, and a sum of terms of either sign by as much of its own root mean square. Its largest
# elements are three times that and more, and so are the largest of the differences: 2⁻⁸ of them at most. The result's
# own rounding comes on top. (A layer that does not round h stays within the sum too, for which there is another test;
# one with two gates in each other's place is off by a hundred times as much.)
RECURRENT_ROUNDING = 2 * STORED_ROUNDING["bfloat16"]


def assert_rounded_steps(out, exact, naive, dtype, what):
    """For a recurrent layer of bfloat16, against its reference with the same roundings."""
    error = relative_error(out, exact)
    assert error <= RECURRENT_ROUNDING, f"{what}: relative error {error:.3g} is over {RECURRENT_ROUNDING:.3g}"


def assert_rounded_twice(out, exact):
    """What went through two layers that store bfloat16: the first one's error meets sums of some hundred terms, of
    which it changes the largest by no more than it had, and the second rounds once more."""
    error, bound = relative_error(out, exact), 2 * STORED_ROUNDING["bfloat16"]
    assert error <= bound, f"relative error {error:.3g} is over {bound:.3g}"


def difference_bound(gradient):
    """What a central difference of a smooth function of a few hundred terms may be off by."""
    return 1e3 * DIFFERENCE_STEP**2 * max(1.0, float(np.abs(gradient).max()))


# ---- the NumPy glue, by relative_error

TOLERANCES = {
    # Results that differ from NumPy's by the order of additions and a rounding per step, sizes up to a few
    # hundred: n · 2⁻⁵³ ≈ 5·10⁻¹⁴ and 2⁻²⁴ · √n ≈ 10⁻⁶.
    "same_formula_float64": 1e-13,
    "same_formula_float32": 2e-6,
    # Central differences in float64, step 10⁻⁵: truncation (10⁻⁵)² · |f'''| / 6 and cancellation
    # 2⁻⁵³ · |f| / 10⁻⁵ ≈ 10⁻¹¹ · |f| stay below 10⁻⁸ for |f|, |f'''| up to a few hundred.
    "finite_difference": 1e-7,
}


# ---- PyTorch's sample inputs

# Two implementations of one formula: a few hundred terms in another order, functions that each side rounds on its own,
# and gradients that are the difference of two products, where a digit or two is lost.
LIKE_TORCH = {"float32": 2e-5, "float64": 1e-13}


def assert_like_torch(found, expected, what):
    """NaN and infinities in the same places, integers equal, the rest within LIKE_TORCH of the largest."""
    if found.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected, err_msg=what)
        return
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected), err_msg=what)
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(found[~finite], expected[~finite], err_msg=what)
    error, bound = relative_error(found[finite], expected[finite]), LIKE_TORCH[found.dtype.name]
    assert error <= bound, f"{what}: relative error {error:.3g} is over {bound:.3g}"


# ---- the bench

# Only tells an op from another one before both are timed; accuracy is the ops' own tests' business. Two float32 sums of
# up to 2·10⁶ terms in different orders differ by some √n · 2⁻²⁴ ≈ 10⁻⁴ of the largest at most.
BENCH_AGREEMENT = 1e-4
