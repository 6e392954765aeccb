"""Functions and Tensor methods on the sample inputs with which PyTorch tests its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import fastdl
import fastdl.nn.functional as F
import pytest

from tests import torch_samples as samples
from tests.torch_samples import one_thread  # noqa: F401

pytestmark = samples.PYTORCH_MAY_WARN

# Names as PyTorch's table (op_db) has them; each must exist here.
LAYERS = samples.names("""
    log_softmax nn.functional.adaptive_avg_pool2d nn.functional.adaptive_max_pool2d nn.functional.avg_pool2d
    nn.functional.batch_norm nn.functional.binary_cross_entropy nn.functional.binary_cross_entropy_with_logits
    nn.functional.conv2d nn.functional.conv_transpose2d nn.functional.cross_entropy nn.functional.dropout
    nn.functional.dropout2d nn.functional.embedding nn.functional.leaky_relu nn.functional.linear
    nn.functional.max_pool2d nn.functional.mse_loss nn.functional.nll_loss nn.functional.pad nn.functional.relu
    sigmoid softmax tanh
""")

GLUE = samples.names("""
    T __getitem__ __radd__ __rand__ __rmatmul__ __rmod__ __rmul__ __ror__ __rpow__ __rsub__ __rxor__ abs add all
    allclose amax amin any arange argmax argmin argsort atan bitwise_and bitwise_not bitwise_or bitwise_xor bmm bool
    broadcast_to cat ceil chunk clamp clone contiguous cos cumsum div dot double einsum empty empty_like eq equal exp
    expand expand_as expm1 eye flatten flip float floor floor_divide full full_like gather ge gt index_select int
    isfinite isinf isnan item le linspace log log1p log2 logical_and logical_not logical_or logsumexp long lt mT
    masked_fill masked_select matmul max maximum mean min minimum mm movedim mul narrow ne neg nonzero norm ones
    ones_like outer permute pow prod rand_like randint randn randn_like reciprocal remainder repeat
    repeat_interleave reshape reshape_as roll round rsqrt scatter_add select sign sin sort split sqrt square
    squeeze stack std sub sum t take_along_dim tan tile to topk transpose tril triu true_divide trunc unbind
    unflatten unsqueeze var view view_as where zero_ zeros zeros_like
""")

# What is drawn at random or left unwritten: shapes and dtypes are compared, values are not.
WITHOUT_VALUES = samples.names("empty empty_like rand_like randint randn randn_like")

# The running mean and variance, which these update.
CHANGED = {"nn.functional.batch_norm": (1, 2)}

# The table crosses every argument with every other in thousands of samples; one in so many (coprime to the sizes of
# the product) still meets every value of every argument.
ONE_IN = {"nn.functional.max_pool2d": 13}

# PyTorch's table calls these with the arguments in another order.
REORDERED = {
    "einsum": lambda operands, equation: fastdl.einsum(equation, operands),
    "zero_": lambda input: input.clone().zero_(),
    "nn.functional.embedding": lambda weight, input, **options: F.embedding(input, weight, **options),
    "where": lambda input, condition, other: fastdl.where(condition, input, other),
}


def _equals_may_move(args: Any, kwargs: Any) -> bool:
    """Integers and booleans have equals, of which PyTorch says the order only where the sort is stable."""
    return not kwargs.get("stable") and not args[0].is_floating_point()


def _two_per_channel(args: Any, kwargs: Any) -> bool:
    return kwargs.get("training") and args[0].ndim > 1 and args[0].numel() == 2 * args[0].shape[1]


# name in PyTorch's table (None: all), a condition on the arguments, reason
EXCLUSIONS: list[tuple[str | None, Callable[[Any, Any], Any], str]] = [
    (None, lambda args, kwargs: "out" in kwargs, "no out= argument"),
    ("argsort", _equals_may_move, "the order of equals is open"),
    ("sort", _equals_may_move, "the order of equals is open"),
    ("topk", _equals_may_move, "the order of equals is open"),
    ("norm", lambda args, kwargs: "nuc" in args, "a nuclear norm takes a singular value decomposition"),
    ("nn.functional.batch_norm", _two_per_channel, "two values become -1 and 1: all gradients cancel"),
    ("nn.functional.embedding", lambda args, kwargs: "max_norm" in kwargs, "max_norm changes its argument"),
    ("nn.functional.embedding", lambda args, kwargs: kwargs.get("sparse"), "no sparse gradients"),
]


# What fastdl does not have and single samples hold; these are left out, and others would fail.
UNSUPPORTED = {
    "amax": ["more axes than NumPy's 32"],
    "amin": ["more axes than NumPy's 32"],
    "masked_fill": ["complex numbers", "dtype complex64"],
    "nn.functional.conv2d": ["dtype complex128"],
}


def operations(name: str) -> list[Any]:
    found = [op for op in samples.require("common_methods_invocations").op_db if op.name == name]
    assert found, f"PyTorch's table has no {name}"
    return found


def function_named(name: str) -> Callable:
    """Our function of that name, or the Tensor method or property where there is no function."""
    if name in REORDERED:
        return REORDERED[name]
    short = name.removeprefix("nn.functional.")
    function = getattr(F if short != name else fastdl, short, None)
    return function if callable(function) else method_named(short)


def method_named(name: str) -> Callable:
    method = getattr(fastdl.Tensor, name, None)
    assert method is not None, f"fastdl has no {name}"

    def call(input: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(input, fastdl.Tensor):
            raise TypeError(f"expected a Tensor, got {type(input).__name__}")
        return method.fget(input) if isinstance(method, property) else method(input, *args, **kwargs)

    return call


def on_a_copy(method: Callable) -> Callable:
    """An in-place method as a function, for operands that want gradients may not be changed."""
    return lambda input, *args, **kwargs: method(input.clone(), *args, **kwargs)


def variants(op: Any, name: str) -> Iterator[tuple[str, Callable, Callable]]:
    """What to call and what to hold it against: the function, the method, the method in place."""
    yield "", function_named(name), op
    if name in WITHOUT_VALUES or name in REORDERED or name.startswith("__"):
        return
    short = name.rpartition(".")[2]
    if op.method_variant is not None and op.method_variant.__name__ == short:
        yield "method ", method_named(short), op.method_variant
    in_place = getattr(op.inplace_variant, "__name__", None)
    if in_place == short + "_" and hasattr(fastdl.Tensor, in_place):
        yield "in place ", on_a_copy(method_named(in_place)), on_a_copy(op.inplace_variant)


def has_values(name: str, args: Any, kwargs: Any) -> bool:
    """Whether PyTorch's values can be told; else shapes and dtypes are compared."""
    if name.startswith("nn.functional.dropout"):
        return kwargs.get("p", args[1] if len(args) > 1 else 0.5) in (0, 1) or not kwargs.get(
            "training", True
        )
    return name not in WITHOUT_VALUES


def sample_inputs(op: Any, dtype: str) -> Iterator[Any]:
    """With gradients wanted; and without, which some ops have more samples for, but for their first operand."""
    import torch

    kind = getattr(torch, dtype)
    differentiable = op.supports_autograd and kind.is_floating_point
    for requires_grad in (True, False) if differentiable else (False,):
        torch.manual_seed(0)
        made = op.sample_inputs("cpu", kind, requires_grad=requires_grad, set_seed=False)
        for sample in itertools.islice(made, 0, None, ONE_IN.get(op.name, 1)):
            if differentiable and not requires_grad and isinstance(sample.input, torch.Tensor):
                if not sample.input.is_floating_point():
                    continue
                sample.input.requires_grad_()
            yield sample


def converted(name: str, sample: Any) -> tuple[Any, Any, samples.Converter] | None:
    """Our arguments for a sample; None where it is excluded or holds what UNSUPPORTED lists."""
    args = (sample.input, *sample.args)
    if any(op in (None, name) and met(args, sample.kwargs) for op, met, _ in EXCLUSIONS):
        return None
    convert = samples.Converter(copy=name in CHANGED)
    try:
        return convert(args), convert(sample.kwargs), convert
    except samples.Unsupported as error:
        assert str(error) in UNSUPPORTED.get(name, ()), f"{name}: {error}"
        return None


def check_sample(report: samples.Report, op: Any, name: str, sample: Any) -> None:
    made = converted(name, sample)
    if made is None:
        return
    mine, options, convert = made
    args = (sample.input, *sample.args)
    values = has_values(name, args, sample.kwargs)
    given = f"({samples.describe(args)}, {samples.describe(sample.kwargs)})"
    for variant, function, theirs in variants(op, name):
        try:
            expected = theirs(*args, **sample.kwargs)
        except RuntimeError:  # in place, where the result would have another shape or dtype
            assert variant == "in place ", f"{name}{given}"
            report.run(
                f"{variant}{name}{given}",
                lambda function=function: samples.check_refused(lambda: function(*mine, **options)),
            )
            continue
        report.run(
            f"{variant}{name}{given}",
            lambda function=function, expected=expected: samples.check_answer(
                function(*mine, **options), expected, convert.leaves, values
            ),
        )
    for at in CHANGED.get(name, ()):
        report.run(f"{name}{given}", lambda at=at: samples.compare(mine[at], args[at], f"argument {at}"))


def run_samples(name: str, report: samples.Report) -> None:
    import torch

    for op in operations(name):
        for dtype in samples.FLOATS if name in LAYERS else samples.DTYPES:
            if getattr(torch, dtype) in op.dtypes:
                for sample in sample_inputs(op, dtype):
                    check_sample(report, op, name, sample)


def run_error_inputs(name: str, report: samples.Report) -> None:
    function = function_named(name)
    for op in operations(name):
        for refused in op.error_inputs("cpu") if op.error_inputs_func else ():
            made = converted(name, refused.sample_input)
            if made is None:
                continue
            mine, options, _ = made
            report.run(
                f"{name}({samples.describe(mine)}, {samples.describe(options)}) [{refused.error_regex}]",
                lambda mine=mine, options=options: samples.check_refused(lambda: function(*mine, **options)),
            )


@pytest.mark.parametrize("name", LAYERS + GLUE)
def test_samples(name):
    report = samples.Report()
    run_samples(name, report)
    report.finish()


@pytest.mark.parametrize("name", LAYERS + GLUE)
def test_error_inputs(name):
    report = samples.Report()
    run_error_inputs(name, report)
    if report.checked:  # PyTorch has none for many
        report.finish()


@pytest.mark.parametrize(
    ("name", "condition"), [(name, condition) for name, condition, _ in EXCLUSIONS if name]
)
def test_exclusions_are_of_use(name, condition):
    import torch

    found = [
        sample
        for op in operations(name)
        for dtype in samples.DTYPES
        if getattr(torch, dtype) in op.dtypes
        for sample in sample_inputs(op, dtype)
        if condition((sample.input, *sample.args), sample.kwargs)
    ]
    assert found
