"""What ops must do at the least: direct-algorithm operations and compulsory bytes, by mode."""

from __future__ import annotations

import math
from collections.abc import Callable

from bench.op import FORWARD, Work, floats
from tests.cases.case import Case, Shape


def passes(forward: Work, backward: Work) -> Callable[[str], Work]:
    """A mode's work: forward, or the sum of the two passes, between which nothing stays in a cache."""

    def work(mode: str) -> Work:
        if mode == FORWARD:
            return forward
        return Work(
            {**forward.flops, **backward.flops},
            forward.bytes + backward.bytes,
            forward.reads + backward.reads,
            max(forward.read_set, backward.read_set),
        )

    return work


def product(case: Case, flops: float, output: Shape) -> Callable[[str], Work]:
    """An op that multiplies `input` with weights: each of its gradients takes the operations of forward again."""
    operands = [*case.operands.values()]
    gradients = {"grad_input": flops, "grad_weight": flops}
    forward = Work({"forward": flops}, floats(*operands, output))
    return passes(forward, Work(gradients, floats(output, *operands, *operands)))


def convolution(case: Case, mode: str) -> Work:
    N, _, H, W = case.operands["input"]
    K, C, R, S = case.operands["weight"]
    (u, v), (a, b) = case.options.get("stride", (1, 1)), case.options.get("padding", (0, 0))
    d, e = case.options.get("dilation", (1, 1))
    P, Q = (H + 2 * a - d * (R - 1) - 1) // u + 1, (W + 2 * b - e * (S - 1) - 1) // v + 1
    return product(case, 2.0 * N * K * P * Q * C * R * S, (N, K, P, Q))(mode)


def transposed_convolution(case: Case, mode: str) -> Work:
    N, C, H, W = case.operands["input"]
    _, K, R, S = case.operands["weight"]  # K of a group
    (u, v), (a, b) = case.options.get("stride", (1, 1)), case.options.get("padding", (0, 0))
    (d, e), (extra_p, extra_q) = (
        case.options.get("dilation", (1, 1)),
        case.options.get("output_padding", (0, 0)),
    )
    P = (H - 1) * u - 2 * a + d * (R - 1) + extra_p + 1
    Q = (W - 1) * v - 2 * b + e * (S - 1) + extra_q + 1
    channels = K * case.options.get("groups", 1)
    return product(case, 2.0 * N * C * H * W * K * R * S, (N, channels, P, Q))(mode)


def moved(inputs: float, outputs: float, saved: float = 0) -> Callable[[str], Work]:
    """An op that is limited by memory: backward reads the output's gradient and `saved` bytes, and writes the
    input's gradient."""
    return passes(Work({}, inputs + outputs), Work({}, outputs + saved + inputs))


def elementwise(case: Case, mode: str) -> Work:
    """As many results as elements of `input`; the gradient follows from the output or the input."""
    size = floats(case.operands["input"])
    return moved(size, size, size)(mode)


def pooling(case: Case, mode: str, output: tuple[int, int]) -> Work:
    shape = case.operands["input"]
    return moved(floats(shape), floats((*shape[:-2], *output)))(mode)


def window(case: Case) -> tuple[int, int]:
    """The output of pooling windows, all of whose parameters are ints."""
    size, (height, width) = case.options["kernel_size"], case.operands["input"][-2:]
    stride, padding = case.options.get("stride", size), case.options.get("padding", 0)
    return (height + 2 * padding - size) // stride + 1, (width + 2 * padding - size) // stride + 1


def loss(operands: float, gradient: float) -> Callable[[str], Work]:
    """A mean, whose gradient could be written while the operands are read: they are counted once."""
    return passes(Work({}, operands), Work({}, gradient))


def steps(shapes: tuple[Shape, ...], arrays: int) -> Work:
    """An optimiser's step that reads or writes so many arrays of each parameter's size."""
    return Work({}, arrays * 4.0 * sum(math.prod(shape) for shape in shapes))
