"""Shapes of matmul: the rules of vectors and batches, and sizes round vectors, register tiles and blocks."""

from __future__ import annotations

import numpy as np

from tests.cases.case import Case


def case(name: str, input: tuple, other: tuple) -> Case:
    return Case(name, {"input": input, "other": other})


def positive_dot(width: int) -> Case:
    def terms(rng: np.random.Generator) -> np.ndarray:
        return rng.random(width) + 0.5

    return Case(f"dot_{width}", {}, {}, {"input": terms, "other": terms})


SHAPES = [
    case("matrices", (5, 7), (7, 6)),
    case("dot", (9,), (9,)),
    case("vector_matrix", (9,), (9, 4)),
    case("matrix_vector", (4, 9), (9,)),
    case("batched_matrix_vector", (2, 3, 4, 9), (9,)),
    case("vector_batched_matrix", (9,), (2, 3, 9, 4)),
    case("batch", (3, 5, 7), (3, 7, 6)),
    case("batch_of_vectors", (3, 1, 7), (3, 7, 1)),
    case("batch_matrix", (2, 3, 5, 7), (7, 6)),
    case("matrix_batch", (5, 7), (2, 3, 7, 6)),
    case("broadcast", (2, 1, 5, 7), (3, 7, 6)),
    case("broadcast_both", (2, 1, 5, 7), (1, 3, 7, 6)),
    case("batch_of_one", (2, 5, 7), (1, 1, 7, 6)),
    case("outer", (5, 1), (1, 6)),
]
WIDTHS = [1, 2, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 31, 32, 33, 65, 97]
SIZES = [
    *(case(f"columns_{w}", (7, 5), (5, w)) for w in WIDTHS),
    *(case(f"rows_{w}", (w, 5), (5, 7)) for w in WIDTHS),
    *(case(f"depth_{w}", (6, w), (w, 9)) for w in WIDTHS),
    case("deep", (7, 523), (523, 18)),
    case("deep_vector", (17, 1100), (1100,)),
    case("deep_row", (1, 1100), (1100, 17)),
    case("wide", (3, 11), (11, 300)),
    case("several_blocks", (150, 70), (70, 260)),
]
EMPTY = [
    case("no_rows", (0, 7), (7, 6)),
    case("no_matrices", (0, 5, 7), (0, 7, 6)),
    case("no_matrices_one_factor", (0, 5, 7), (7, 6)),
    case("no_depth", (5, 0), (0, 6)),
    case("no_depth_batch", (3, 5, 0), (3, 0, 6)),
    case("no_depth_vectors", (0,), (0,)),
    case("no_depth_matrix_vector", (5, 0), (0,)),
]

ALL = SHAPES + SIZES

# Inner products of any signs for the exact test; of positive terms where the error is measured against the
# result, which cancellation makes as small as it likes.
DOTS = [case(f"dot_{w}", (w,), (w,)) for w in [*WIDTHS, 1100]]
POSITIVE_DOTS = [positive_dot(w) for w in [*WIDTHS, 1100]]

# More chunks of work than the threads of the determinism test.
THREADED = [
    case("threaded", (260, 130), (130, 520)),
    case("threaded_batch", (40, 33, 65), (40, 65, 34)),
    case("threaded_vector", (700, 600), (600,)),
]
BENCH = [
    case("square", (1024, 1024), (1024, 1024)),
    case("attention_scores", (96, 256, 64), (96, 64, 256)),
    case("small_matrices", (4096, 8, 8), (4096, 8, 8)),
    case("matrix_vector", (4096, 4096), (4096,)),
    case("sequence_times_weight", (32, 128, 512), (512, 2048)),
]
