"""What a bench_<op>.py says of its op, and how a case of it becomes calls that can be timed.

    BENCH = Op("conv2d", "conv2d", cases.BENCH, convolution, quick=cases.QUICK)

is all that most ops write: the function of that name in `functional`, timed forward, and forward and backward.
"""

from __future__ import annotations

import importlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.library import LAYOUTS, Library
from tests.cases.case import Case

FORWARD, BOTH, STEP = "forward", "forward+backward", "step"
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Work:
    """The least that a call must do: floating-point operations of the direct algorithm, by part of the call, and
    the bytes of its operands and results, once. `reads` bytes more come from a set of `read_set` bytes that is
    met again and again: the weights of a recurrent layer."""

    flops: Mapping[str, float] = field(default_factory=dict)
    bytes: float = 0
    reads: float = 0
    read_set: float = 0


@dataclass(frozen=True)
class Prepared:
    """A case in one library: what is timed, by mode, and the arrays that must agree between libraries."""

    calls: Mapping[str, Callable[[], Any]]
    results: Callable[[], dict[str, np.ndarray]]


class Bench(ABC):
    """What race and worker ask of an op, an optimiser or a network; `cases` have names."""

    name: str
    group: str
    cases: Sequence[Any]
    quick: Sequence[str]
    """Names of the cases of --quick."""
    modes: Sequence[str]

    def case(self, name: str) -> Any:
        return next(case for case in self.cases if case.name == name)

    def layouts(self, case: Any) -> tuple[str, ...]:
        """Those in which PyTorch is timed."""
        return LAYOUTS[:1]

    @abstractmethod
    def describe(self, case: Any) -> str: ...

    @abstractmethod
    def work(self, case: Any, mode: str) -> Work:
        """Asked in fastdl's process, as are all that follow but prepare()."""

    def variant(self, case: Any) -> Mapping[str, str]:
        """The name of what runs, by part of the work (Work.flops); see bench/variants.py."""
        return {}

    @abstractmethod
    def prepare(self, library: Library, case: Any, layout: str = LAYOUTS[0]) -> Prepared: ...

    def smaller(self, case: Any) -> Any | None:
        """A case for the reference, which is slow; None where there is no reference."""
        return None

    def expected(self, case: Any) -> dict[str, np.ndarray]:
        """What Prepared.results() must be near, by the reference in float64; asked of what smaller() gives."""
        raise LookupError(f"{self.name} has no reference")


def plain_call(name: str) -> Callable[[Library], Callable]:
    return lambda library: getattr(library.F, name)


def floats(*shapes: Sequence[int]) -> float:
    """Bytes of float32 arrays."""
    return 4.0 * sum(math.prod(shape) for shape in shapes)


def cut_batch(case: Case) -> Case:
    """The first sample of `input`."""
    return cut(case, input=(1, *case.operands["input"][1:]))


def cut(case: Case, **shapes: tuple[int, ...]) -> Case:
    return Case(case.name, {**case.operands, **shapes}, case.options, case.others)


BLOCK = 1_048_573
"""A prime: numbers of a large operand repeat after so many, and never in the same place of a row or a channel."""


def _numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    size = math.prod(shape)
    drawn = rng.standard_normal(min(size, BLOCK), np.float32)
    return np.resize(drawn, size).reshape(shape)


def arrays_of(case: Case) -> dict[str, np.ndarray]:
    """float32 operands, the same in every process; quicker to make than Case.arrays for hundreds of megabytes."""
    rng = case.generator()
    made = {name: _numbers(rng, shape) for name, shape in case.operands.items()}
    for name, make in case.others.items():
        other = np.asarray(make(rng))
        made[name] = other.astype(np.float32) if other.dtype.kind == "f" else other
    return made


@dataclass(frozen=True)
class Op(Bench):
    """One op of `functional`, and its formula in fastdl.reference."""

    name: str
    group: str
    cases: Sequence[Case]
    least_work: Callable[[Case, str], Work]
    quick: Sequence[str] = ()
    call: Callable[[Library], Callable] | None = None
    """The function that takes the operands and the options; that of the op's name if it is not given."""
    gradients: Sequence[str] | None = None
    """The operands with a gradient; Case.operands if they are not named."""
    reference: str | None = None
    """The formula in the reference's module, where that has several."""
    cut: Callable[[Case], Case] | None = None
    """A smaller case of the same kind, for the reference, which is slow."""
    channels_last: bool = False
    """Whether PyTorch is timed in that memory format too."""
    random: bool = False
    """Whether the results are random numbers, of which only the shapes are compared."""
    variants: Callable[[Case], Mapping[str, str]] | None = None
    modes: Sequence[str] = (FORWARD, BOTH)

    def work(self, case: Case, mode: str) -> Work:
        return self.least_work(case, mode)

    def variant(self, case: Case) -> Mapping[str, str]:
        return {} if self.variants is None else self.variants(case)

    def layouts(self, case: Case) -> tuple[str, ...]:
        images = any(len(shape) == 4 for shape in case.operands.values())
        return LAYOUTS if self.channels_last and images else LAYOUTS[:1]

    def describe(self, case: Case) -> str:
        operands = case.operands or {key: make(case.generator()).shape for key, make in case.others.items()}
        shapes = [f"{key} {'x'.join(map(str, shape))}" for key, shape in operands.items()]
        return ", ".join([*shapes, *(f"{key}={value}" for key, value in case.options.items())])

    def smaller(self, case: Case) -> Case | None:
        if self.random:
            return None
        return case if self.cut is None else self.cut(case)

    def differentiable(self, case: Case) -> Sequence[str]:
        return list(case.operands) if self.gradients is None else self.gradients

    def prepare(self, library: Library, case: Case, layout: str = LAYOUTS[0]) -> Prepared:
        function = (self.call or plain_call(self.name))(library)
        arrays, leaves = arrays_of(case), set(self.differentiable(case))
        recorded = {key: library.tensor(array, key in leaves, layout) for key, array in arrays.items()}
        plain = {key: tensor.detach() for key, tensor in recorded.items()}
        differentiable = [recorded[key] for key in recorded if key in leaves]
        options = case.options

        def forward() -> Any:
            return function(**plain, **options)

        shape = tuple(forward().shape)
        grad = None
        if shape:
            drawn = _numbers(np.random.default_rng(len(shape)), shape)
            grad = library.tensor(drawn, layout=layout)

        def both() -> Any:
            for leaf in differentiable:
                leaf.grad = None
            output = function(**recorded, **options)
            output.backward(grad)
            return output

        def results() -> dict[str, np.ndarray]:
            output = both()
            found = {"output": output.detach().numpy()}
            found |= {f"gradient of {key}": recorded[key].grad.numpy() for key in recorded if key in leaves}
            if self.random:
                return {key: np.array(array.shape) for key, array in found.items()}
            return found

        return Prepared({FORWARD: forward, BOTH: both}, results)

    def expected(self, case: Case) -> dict[str, np.ndarray]:
        reference = importlib.import_module(f"fastdl.reference.{self.name}")
        if self.reference is not None:
            reference = getattr(reference, self.reference)
        arrays = {
            key: array.astype(np.float64) if array.dtype.kind == "f" else array
            for key, array in arrays_of(case).items()
        }
        output = reference.forward(**arrays, **case.options)
        output = output[0] if isinstance(output, tuple) else output
        grad = np.float64(1)
        if output.shape:
            grad = _numbers(np.random.default_rng(output.ndim), output.shape).astype(np.float64)
        grads = self.reference_gradients(reference, grad, arrays, case)
        found = {"output": np.asarray(output)}
        return found | {f"gradient of {key}": grads[key] for key in self.differentiable(case)}

    def reference_gradients(self, reference: Any, grad: Any, arrays: Any, case: Case) -> Mapping[str, Any]:
        return reference.backward(grad, **arrays, **case.options)
