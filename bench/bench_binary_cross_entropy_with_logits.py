"""binary_cross_entropy_with_logits: labels, masks, and classes with weights."""

from bench.op import Case, Op, Work
from bench.work import loss
from tests.cases import binary_cross_entropy_with_logits as cases


def _work(case: Case, mode: str) -> Work:
    """Input and target are drawn, so that only their arrays tell their sizes."""
    size = 4.0 * case.others["target"](case.generator()).size
    return loss(2 * size, size)(mode)


BENCH = Op("binary_cross_entropy_with_logits", "other", cases.BENCH, _work, gradients=("input",))
