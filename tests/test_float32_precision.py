"""float32 precision "high": the setting, and the 3 x 3 convolutions that run differently under it."""

import itertools
import threading

import fastdl
import fastdl.functional as F
import numpy as np
import pytest
from fastdl import _core
from fastdl.reference import conv2d as conv2d_reference
from fastdl.reference import conv_transpose2d as conv_transpose2d_reference

from tests import suite, tolerances
from tests.cases.conv2d import case
from tests.cases.conv_transpose2d import case as transposed

FLOAT32 = np.dtype(np.float32)

# Tiles of 4 x 4 whose last row or column is partly outside; few tiles, many, kernels that do not fit the cache and
# depths of more than one block; groups, paddings, images narrower than a tile, many images in a tile group.
CASES = [
    case("odd_sizes", (4, 32, 29, 31), (32, 32, 3, 3), padding=(1, 1)),
    case("rows_and_channels_that_fill_no_vector", (2, 37, 41, 18), (33, 37, 3, 3), padding=(1, 2)),
    case("groups", (2, 72, 26, 37), (70, 36, 3, 3), groups=2),
    case("wide", (2, 16, 9, 530), (32, 16, 3, 3), padding=(1, 0), bias=False),
    case("narrow", (4, 120, 35, 5), (128, 120, 3, 3), padding=(2, 1)),
    case("images_together", (40, 64, 8, 8), (64, 64, 3, 3), padding=(1, 1)),
    case("large_kernel", (3, 196, 16, 15), (258, 196, 3, 3), padding=(1, 1)),
]
THREADED = [CASES[0], case("threaded_large_kernel", (2, 264, 16, 15), (272, 264, 3, 3), padding=(1, 1))]
TRANSPOSED = [transposed("transposed", (3, 32, 29, 31), (32, 40, 3, 3), padding=(1, 1))]


@pytest.fixture(autouse=True)
def restored():
    yield
    fastdl.set_float32_precision("highest")


def ran(case, dtype=FLOAT32):
    options = {"stride": (1, 1), "padding": (0, 0), "groups": 1, **case.options}
    x, weight = case.operands["input"], case.operands["weight"]
    pads = options["padding"]
    if case in TRANSPOSED:
        rest = options["stride"], pads, (0, 0), options["groups"], (1, 1)
        return _core.conv_transpose2d_variants(x, weight, dtype, *rest)
    return _core.conv2d_variants(x, weight, dtype, options["stride"], pads, pads, (1, 1), options["groups"])


def function_of(case):
    if case in TRANSPOSED:
        return F.conv_transpose2d, conv_transpose2d_reference
    return F.conv2d, conv2d_reference


def test_setting():
    assert fastdl.get_float32_precision() == "highest"
    for word in ("high", "highest"):
        fastdl.set_float32_precision(word)
        assert fastdl.get_float32_precision() == word
        assert f"float32 precision: {word}" in fastdl.show_config().splitlines()


@pytest.mark.parametrize("word", ["medium", "High", "", "high "])
def test_other_words(word):
    fastdl.set_float32_precision("high")
    with pytest.raises(ValueError, match=f"precision: expected 'highest' or 'high', got '{word}'"):
        fastdl.set_float32_precision(word)
    with pytest.raises(TypeError, match="precision: expected a str, got int"):
        fastdl.set_float32_precision(1)
    assert fastdl.get_float32_precision() == "high"


@pytest.mark.parametrize("case", CASES + TRANSPOSED, ids=str)
def test_accuracy(case, isa):
    fastdl.set_float32_precision("high")
    assert {"forward": "winograd4x4", "grad_input": "winograd4x4"}.items() <= ran(case).items()
    op, reference = function_of(case)
    arrays = case.arrays(np.float32)
    options = case.options
    grads = suite.draw_gradients([op(**arrays, **options)], case, np.float32)
    (out,), found = suite.run_op(op, arrays, options, grads)
    some = sorted({0, len(out) // 2, len(out) - 1})  # images do not meet, and the reference is slow
    arrays["input"] = arrays["input"][some]
    (exact,), exact_grads = suite.run_reference(reference, arrays, options, (grads[0][some],), np.float64)
    assert tolerances.relative_error(out[some], exact) <= tolerances.HIGH_PRECISION
    assert tolerances.relative_error(found["input"][some], exact_grads["input"]) <= tolerances.HIGH_PRECISION


@pytest.mark.parametrize("word", ["highest", "high"])
def test_more_images_than_a_round_takes(word, isa):
    """Each image as it is alone: a large kernel's tiles are transformed some images at a time."""
    fastdl.set_float32_precision(word)
    rng = np.random.default_rng(0)
    x, weight = (rng.standard_normal(shape, np.float32) for shape in ((17, 256, 16, 16), (256, 256, 3, 3)))
    out = F.conv2d(x, weight, padding=1)
    for i in range(len(x)):
        alone = F.conv2d(x[i : i + 1], weight, padding=1)
        assert tolerances.relative_error(out[i : i + 1], alone) <= tolerances.HIGH_PRECISION


@pytest.mark.parametrize("case", THREADED + TRANSPOSED, ids=str)
def test_threads(case, isa):
    fastdl.set_float32_precision("high")
    suite.check_threads(function_of(case)[0], case, np.float32)


@pytest.mark.parametrize("case", CASES[:3], ids=str)
def test_layouts(case, isa):
    fastdl.set_float32_precision("high")
    suite.check_layouts(F.conv2d, case, np.float32)


def results(case, dtype):
    op, _ = function_of(case)
    arrays = case.arrays(dtype)
    (out,) = suite.run_op(op, arrays, case.options)[0]
    outputs, grads = suite.run_op(op, arrays, case.options, suite.draw_gradients([out], case, dtype))
    return [*outputs, *(grads[name] for name in sorted(grads))]


@pytest.mark.parametrize("case", CASES[:1] + TRANSPOSED, ids=str)
def test_what_it_leaves_alone(case, isa):
    """float64, the weights' gradient, and other kernels: the same bits."""
    small = suite.Case("other_kernel", {"input": (2, 32, 29, 31), "weight": (32, 32, 5, 5)}, {})
    highest = results(case, np.float32)
    before = [results(case, np.float64), results(case, np.float32)[-1:], results(small, np.float32)]
    fastdl.set_float32_precision("high")
    assert "winograd4x4" not in ran(case, np.dtype(np.float64)).values()
    after = [results(case, np.float64), results(case, np.float32)[-1:], results(small, np.float32)]
    for a, b in zip(itertools.chain(*before), itertools.chain(*after), strict=True):
        np.testing.assert_array_equal(a, b)
    changed = [(a != b).any() for a, b in zip(highest, results(case, np.float32), strict=True)]
    assert changed == [True, False, True, False]  # the output, and the gradients of bias, input and weight


def test_an_infinity_spreads_over_its_tile(isa):
    fastdl.set_float32_precision("high")
    arrays = CASES[0].arrays(np.float32)
    want = F.conv2d(**arrays, **CASES[0].options)
    arrays["input"][1, 5, 9, 10] = np.inf
    out = F.conv2d(**arrays, **CASES[0].options)
    changed = ~np.isfinite(out)
    assert changed[1, :, 8:11, 9:12].all()
    inside = np.zeros_like(changed)
    inside[1, :, 8:12, 8:12] = True  # the tile that outputs 8 … 10, 9 … 11 lie in
    assert not (changed & ~inside).any()
    np.testing.assert_array_equal(out[~inside], want[~inside])


def test_a_change_during_calls(isa):
    """A call keeps one setting, for its workspace too: poisoned memory aborts where a kernel writes past its end."""
    case = CASES[6]
    arrays = case.arrays(np.float32)
    possible = []
    for word in ("highest", "high"):
        fastdl.set_float32_precision(word)
        possible.append(F.conv2d(**arrays, **case.options))
    done = threading.Event()

    def change():
        while not done.is_set():
            for word in ("highest", "high"):
                fastdl.set_float32_precision(word)

    other = threading.Thread(target=change)
    other.start()
    try:
        for _ in range(30):
            out = F.conv2d(**arrays, **case.options)
            assert any((out == one).all() for one in possible)
    finally:
        done.set()
        other.join()


def test_variants_of_each_pass():
    arguments = (1, 1), (1, 1), (1, 1), (1, 1), 1
    narrow = _core.conv2d_variants((8, 3, 64, 64), (64, 3, 7, 7), FLOAT32, *arguments)
    assert narrow.keys() == {"forward", "grad_input", "grad_weight"}
    assert set(narrow.values()) <= {"channel lanes", "pixel lanes", "rows as lanes", "positions as lanes"}
    square = _core.conv2d_variants((8, 64, 56, 56), (64, 64, 3, 3), FLOAT32, *arguments)
    assert square["forward"] == square["grad_input"] == "winograd2x2"
    depthwise = _core.conv2d_variants(
        (8, 64, 56, 56), (64, 1, 3, 3), FLOAT32, (2, 2), (1, 1), (1, 1), (1, 1), 64
    )
    assert set(depthwise.values()) == {"depthwise"}
    with pytest.raises(ValueError, match=r"weight: expected \(K, 64, R, S\)"):
        _core.conv2d_variants((8, 64, 56, 56), (64, 63, 3, 3), FLOAT32, *arguments)
    with pytest.raises(ValueError, match="input: expected"):
        _core.conv2d_variants((8, 64, -56, 56), (64, 64, 3, 3), FLOAT32, *arguments)
    with pytest.raises(TypeError, match="expected float32, float64 or bfloat16"):
        _core.conv2d_variants((8, 64, 56, 56), (64, 64, 3, 3), np.dtype(np.int64), *arguments)
    strided = _core.conv_transpose2d_variants(
        (8, 64, 7, 7), (64, 32, 4, 4), FLOAT32, (2, 2), (1, 1), (0, 0), 1, (1, 1)
    )
    assert strided["forward"] == "channel lanes"
