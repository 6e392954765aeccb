"""Lists of shapes: sizes round the vector widths and round the chunks."""

from __future__ import annotations

from tests.cases import step_case
from tests.cases.case import Case


def case(name: str, shapes: tuple) -> Case:
    return Case(name, {str(i): shape for i, shape in enumerate(shapes)})


ALL = [case("sizes", step_case.SIZES), case("mixed", step_case.MIXED), case("large", step_case.LARGE)]
EMPTY = [case("none", ()), case("empty", ((0, 4), (0,)))]
THREADED = [case("threaded", step_case.LARGE)]
BENCH = step_case.BENCH
