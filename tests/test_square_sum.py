"""square_sum against its reference, on every ISA level."""

import fastdl
import numpy as np
import pytest
from fastdl.functional.square_sum import square_sum
from fastdl.reference import square_sum as reference

from tests import suite, tolerances
from tests.cases import square_sum as cases

OP = "square_sum"


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL + cases.EMPTY, ids=str)
def test_reference(case, dtype, device):
    arrays = list(case.arrays(dtype).values())
    want = reference.square_sum(arrays)
    np.testing.assert_allclose(square_sum(arrays), want, **tolerances.SQUARE_SUM)


@pytest.mark.parametrize("dtype", suite.FLOATS)
@pytest.mark.parametrize("case", cases.ALL, ids=str)
def test_integers_are_exact(case, dtype, device):
    arrays = list(case.arrays(dtype, integers=True).values())
    assert square_sum(arrays) == reference.square_sum(arrays)


@pytest.mark.parametrize("layout", suite.LAYOUTS)
def test_layouts(layout, device):
    arrays = list(cases.ALL[1].arrays(np.float32, integers=True).values())
    assert square_sum([suite.LAYOUTS[layout](array) for array in arrays]) == square_sum(arrays)


def test_mixed_dtypes(device):
    arrays = list(cases.ALL[2].arrays(np.float32, integers=True).values())
    mixed = [array.astype(suite.FLOATS[i % 2]) for i, array in enumerate(arrays)]
    assert square_sum(mixed) == square_sum(arrays)


@pytest.mark.parametrize("case", cases.THREADED, ids=str)
def test_threads(case, isa):
    arrays = list(case.arrays(np.float32).values())
    before = fastdl.get_num_threads()
    found = set()
    try:
        for threads in suite.THREADS:
            fastdl.set_num_threads(threads)
            found.add(square_sum(arrays))
    finally:
        fastdl.set_num_threads(before)
    assert len(found) == 1


def test_beyond_float32(device):
    assert square_sum([np.array([3e30, 4e30], np.float32)]) > 2e61
    assert square_sum([np.full(100, 1e-30, np.float32)]) > 0
    assert square_sum([np.array([np.inf, 1], np.float32)]) == np.inf
    assert np.isnan(square_sum([np.array([np.nan, np.inf], np.float32)]))


def test_bad_input():
    x = np.ones(3, np.float32)
    with pytest.raises(TypeError, match=r"\[square_sum\] arrays: expected a list of arrays, got ndarray"):
        square_sum(x)
    with pytest.raises(
        TypeError, match=r"\[square_sum\] arrays\[1\]: expected float32 or float64, got int64"
    ):
        square_sum([x, np.arange(3)])
