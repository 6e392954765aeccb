"""Shapes of lstm: every option, and sizes round the vector widths and tiles."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from tests.cases.case import Case


def _uniform(shape: tuple[int, ...], hidden: int) -> Callable[[np.random.Generator], np.ndarray]:
    bound = 1 / math.sqrt(hidden)
    return lambda rng: rng.uniform(-bound, bound, shape)


def weights(input_size: int, hidden: int, num_layers=1, bias=True, bidirectional=False) -> dict[str, tuple]:
    """The shapes of an LSTM's parameters, by PyTorch's names and in PyTorch's order."""
    shapes: dict[str, tuple] = {}
    for layer in range(num_layers):
        for suffix in ("", "_reverse") if bidirectional else ("",):
            features = input_size if layer == 0 else hidden * (2 if bidirectional else 1)
            shapes[f"weight_ih_l{layer}{suffix}"] = (4 * hidden, features)
            shapes[f"weight_hh_l{layer}{suffix}"] = (4 * hidden, hidden)
            if bias:
                shapes[f"bias_ih_l{layer}{suffix}"] = shapes[f"bias_hh_l{layer}{suffix}"] = (4 * hidden,)
    return shapes


def case(name: str, T: int, N: int, I: int, H: int, bias: bool = True, state: bool = True, **options) -> Case:
    """Weights in ±1 / sqrt(H), as a layer starts with: larger ones make a chaotic system, where errors grow."""
    num_layers, bidirectional = options.get("num_layers", 1), options.get("bidirectional", False)
    operands = {"input": (N, T, I) if options.get("batch_first") else (T, N, I)}
    if state:
        layers = num_layers * (2 if bidirectional else 1)
        operands["h_0"] = operands["c_0"] = (layers, N, H)
    shapes = weights(I, H, num_layers, bias, bidirectional)
    return Case(name, operands, options, {key: _uniform(shape, H) for key, shape in shapes.items()})


OPTIONS = [
    case("plain", 5, 4, 4, 6),
    case("no_bias", 5, 4, 4, 6, bias=False),
    case("no_state", 5, 4, 4, 6, state=False),
    case("batch_first", 5, 4, 3, 6, batch_first=True),
    case("bidirectional", 5, 4, 3, 6, bidirectional=True),
    case("bidirectional_no_state", 5, 4, 3, 6, state=False, bias=False, bidirectional=True),
    case("two_layers", 5, 4, 3, 6, num_layers=2),
    case("three_layers_bidirectional", 4, 5, 3, 7, num_layers=3, bidirectional=True),
    case("all_options", 4, 5, 3, 7, bias=False, num_layers=2, bidirectional=True, batch_first=True),
    case("one_step", 1, 19, 4, 6),
    case("one_step_bidirectional", 1, 19, 4, 6, bidirectional=True),
    case("one_step_no_state", 1, 19, 4, 6, state=False),
    # so few rows that the weights are not packed
    case("few", 3, 2, 4, 6, bidirectional=True),
    case("few_no_bias_no_state", 3, 2, 4, 6, bias=False, state=False, num_layers=2),
    case("few_in_one_step", 1, 3, 4, 6, bidirectional=True),
]

WIDTHS = [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65, 97]
SIZES = [
    *(case(f"hidden_{h}", 4, 5, 3, h) for h in WIDTHS),
    *(case(f"hidden_{h}_few", 3, 2, 3, h) for h in WIDTHS),
    *(case(f"hidden_{h}_bidirectional", 4, 5, 3, h, bidirectional=True) for h in (7, 17, 33)),
    case("hidden_300", 3, 6, 3, 300),  # deeper than a block of a step's product
    case("hidden_520", 18, 1, 5, 520),  # one row, too wide for packing to be repaid
    case("batch_150", 2, 150, 20, 40),  # more rows than are summed at a time
    *(case(f"input_{i}", 4, 5, i, 5) for i in WIDTHS),
    *(case(f"input_{i}_few", 3, 2, i, 5) for i in WIDTHS),
    *(case(f"batch_{n}", 3, n, 3, 9) for n in (1, 5, 6, 7, 8, 9, 13, 14, 15, 17, 29, 50)),
    *(case(f"steps_{t}", t, 2, 3, 5, bidirectional=True) for t in (1, 2, 8, 9, 17, 40)),
]

NETWORKS = [case("characters", 20, 16, 27, 64), case("sensor", 50, 1, 6, 32, num_layers=2)]

EMPTY = [
    case("empty_batch", 3, 0, 4, 6),
    case("empty_batch_bidirectional", 3, 0, 4, 6, bidirectional=True, num_layers=2),
]

ALL = OPTIONS + SIZES + NETWORKS

# More chunks of a step than the threads of the determinism test: in panels, and in rows.
THREADED = [
    case("threaded", 3, 33, 20, 130, bidirectional=True),
    case("threaded_rows", 2, 5000, 4, 16),
    case("threaded_one_row", 20, 1, 33, 530, bidirectional=True),
    case("threaded_few_rows", 9, 5, 33, 200),
]


def cell_case(name: str, N: int, I: int, H: int, bias: bool = True) -> Case:
    shapes = {"w_ih": (4 * H, I), "w_hh": (4 * H, H)}
    if bias:
        shapes |= {"b_ih": (4 * H,), "b_hh": (4 * H,)}
    others = {key: _uniform(shape, H) for key, shape in shapes.items()}
    return Case(name, {"input": (N, I), "h": (N, H), "c": (N, H)}, {}, others)


CELLS = [
    cell_case("cell", 3, 4, 6),
    cell_case("cell_no_bias", 3, 4, 6, bias=False),
    *(
        cell_case(f"cell_{n}_{i}_{h}", n, i, h)
        for n, i, h in ((1, 9, 17), (7, 33, 8), (15, 1, 1), (16, 3, 97), (17, 3, 97), (29, 65, 33))
    ),
]
EMPTY_CELLS = [cell_case("empty_cell", 0, 4, 6)]
THREADED_CELLS = [cell_case("threaded_cell", 65, 30, 130), cell_case("threaded_few", 2, 300, 400)]

# ---- for the bench

# The LSTM of DeepBench that fits a CPU (baidu-research/DeepBench, rnn_problems.h): hidden units, batch, steps.
DEEPBENCH = [
    *((512, n, 25) for n in (16, 32, 64, 128)),
    *((1024, n, 25) for n in (16, 32, 64)),
    *((2048, n, 25) for n in (16, 64)),
    *((1536, n, 50) for n in (8, 32)),
    *((256, n, 150) for n in (16, 32, 64)),
]
BENCH = [
    *(
        case(f"batch_1_hidden_{h}", t, 1, h, h)
        for h, t in ((128, 50), (256, 50), (512, 50), (1024, 25), (2048, 10))
    ),
    *(case(f"batch_{n}_hidden_128", 50, n, 128, 128) for n in (4, 16, 32, 64)),
    *(case(f"deepbench_batch_{n}_hidden_{h}", t, n, h, h) for h, n, t in DEEPBENCH),
    case("characters_2_layers", 50, 32, 96, 256, num_layers=2),
    case("bidirectional_2_layers", 50, 32, 128, 256, num_layers=2, bidirectional=True),
    case("sensor", 128, 16, 9, 32, num_layers=2),
]
QUICK = ("batch_1_hidden_512", "batch_32_hidden_128", "deepbench_batch_32_hidden_512")
