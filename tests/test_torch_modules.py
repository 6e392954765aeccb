"""Layers on the arguments and inputs with which PyTorch tests its own: outputs, gradients, state and repr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import fastdl
import pytest

from tests import torch_samples as samples
from tests.torch_samples import one_thread  # noqa: F401

pytestmark = samples.PYTORCH_MAY_WARN

# Each must exist here; PyTorch's table (module_db) has samples for these.
NAMES = samples.names("""
    AdaptiveAvgPool2d AdaptiveMaxPool2d AvgPool2d BCELoss BCEWithLogitsLoss BatchNorm1d BatchNorm2d BatchNorm3d
    CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d Conv2d ConvTranspose2d
    CrossEntropyLoss Embedding LSTM LSTMCell LeakyReLU Linear LogSoftmax MSELoss MaxPool2d NLLLoss ReLU
    ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d Sigmoid
    Softmax Softmax2d Tanh ZeroPad1d ZeroPad2d ZeroPad3d
""")

# name in PyTorch's table, a condition on the constructor's arguments, reason
EXCLUSIONS: list[tuple[str, Callable[[Any, Any], Any], str]] = [
    ("LSTM", lambda args, kwargs: kwargs.get("proj_size"), "no projections"),
]


def module_info(name: str) -> Any:
    import torch

    database = samples.require("common_modules").module_db
    found = [info for info in database if info.module_cls is getattr(torch.nn, name)]
    assert len(found) == 1, f"PyTorch's table has no {name}"
    return found[0]


def module_inputs(name: str, make: Any, dtype: str) -> Iterator[tuple[bool, Any]]:
    """(training, sample) for training mode and evaluation."""
    import torch

    info = module_info(name)
    for training in (True, False):
        torch.manual_seed(0)
        for sample in make(info)(info, "cpu", getattr(torch, dtype), True, training):
            yield training, sample


def is_excluded(name: str, constructor: Any) -> bool:
    return any(one == name and met(constructor.args, constructor.kwargs) for one, met, _ in EXCLUSIONS)


def describe(name: str, training: bool, constructor: Any, forward: Any = None) -> str:
    text = f"{name}({samples.describe(constructor.args)}, {samples.describe(constructor.kwargs)})"
    if forward is not None:
        text += f"({samples.describe(forward.args)}, {samples.describe(forward.kwargs)})"
    return text + (" in training" if training else "")


def construct(name: str, constructor: Any, dtype: str) -> tuple[Any, Any]:
    """PyTorch's module and ours, with PyTorch's parameters."""
    import torch

    convert = samples.Converter()
    theirs = getattr(torch.nn, name)(*constructor.args, **constructor.kwargs).to(getattr(torch, dtype))
    ours = getattr(fastdl.nn, name)(*convert(constructor.args), **convert(constructor.kwargs)).to(dtype)
    assert repr(ours) == repr(theirs), f"repr {ours!r}, expected {theirs!r}"
    ours.load_state_dict({key: value.numpy() for key, value in theirs.state_dict().items()})
    return theirs, ours


def check_state(theirs: Any, ours: Any) -> None:
    """The same entries in the same order, and ours goes back into PyTorch's."""
    import torch

    expected, found = theirs.state_dict(), ours.state_dict()
    assert list(found) == list(expected), f"state {list(found)}, expected {list(expected)}"
    for key, value in expected.items():
        samples.compare(fastdl.as_tensor(found[key]), value, key)
    theirs.load_state_dict({key: torch.from_numpy(fastdl.as_tensor(found[key]).numpy()) for key in found})


def check_module(name: str, training: bool, sample: Any, dtype: str) -> None:
    theirs, ours = construct(name, sample.constructor_input, dtype)
    theirs.train(training), ours.train(training)
    if sample.forward_input is not None:
        args, kwargs = sample.forward_input.args, sample.forward_input.kwargs
        convert = samples.Converter()
        found = ours(*convert(args), **convert(kwargs))
        parameters = dict(ours.named_parameters())
        assert list(parameters) == [key for key, _ in theirs.named_parameters()]
        leaves = convert.leaves + [(value, parameters[key]) for key, value in theirs.named_parameters()]
        samples.check_answer(found, theirs(*args, **kwargs), leaves)
    check_state(theirs, ours)


def run_samples(name: str, report: samples.Report) -> None:
    for dtype in samples.FLOATS:
        for training, sample in module_inputs(name, lambda info: info.module_inputs_func, dtype):
            if not is_excluded(name, sample.constructor_input):
                report.run(
                    describe(name, training, sample.constructor_input, sample.forward_input),
                    lambda training=training, sample=sample, dtype=dtype: check_module(
                        name, training, sample, dtype
                    ),
                )


def check_refused(name: str, refused: Any) -> None:
    """PyTorch refuses the sample at construction or in the call, and so must the layer."""
    constructor, forward = (
        refused.module_error_input.constructor_input,
        refused.module_error_input.forward_input,
    )
    convert = samples.Converter()
    args, kwargs = convert(constructor.args), convert(constructor.kwargs)
    if refused.error_on.name == "CONSTRUCTION_ERROR":
        samples.check_refused(lambda: getattr(fastdl.nn, name)(*args, **kwargs))
        return
    layer = getattr(fastdl.nn, name)(*args, **kwargs)
    samples.check_refused(lambda: layer(*convert(forward.args), **convert(forward.kwargs)))


def run_error_inputs(name: str, report: samples.Report) -> None:
    if module_info(name).module_error_inputs_func is None:
        return
    for training, refused in module_inputs(name, lambda info: info.module_error_inputs_func, "float32"):
        sample = refused.module_error_input
        if not is_excluded(name, sample.constructor_input):
            report.run(
                describe(name, training, sample.constructor_input, sample.forward_input),
                lambda refused=refused: check_refused(name, refused),
            )


@pytest.mark.parametrize("name", NAMES)
def test_samples(name):
    report = samples.Report()
    run_samples(name, report)
    report.finish()


@pytest.mark.parametrize("name", NAMES)
def test_error_inputs(name):
    report = samples.Report()
    run_error_inputs(name, report)
    if report.checked:  # PyTorch has none for many
        report.finish()


@pytest.mark.parametrize(("name", "condition"), [(name, condition) for name, condition, _ in EXCLUSIONS])
def test_exclusions_are_of_use(name, condition):
    inputs = module_inputs(name, lambda info: info.module_inputs_func, "float32")
    assert any(
        condition(sample.constructor_input.args, sample.constructor_input.kwargs) for _, sample in inputs
    )
