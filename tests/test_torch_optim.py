"""Optimisers on the arguments with which PyTorch tests its own: parameters and state after each of several steps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fastdl
import pytest

from tests import torch_samples as samples
from tests.torch_samples import one_thread  # noqa: F401

pytestmark = samples.PYTORCH_MAY_WARN

# Each must exist here; PyTorch's table (optim_db) has arguments for these.
NAMES = ["Adam", "AdamW", "RMSprop", "SGD"]

# Sizes of the parameters: a matrix, an odd vector, none and one without axes.
SHAPES = [(10, 5), (7,), (0, 3), ()]
STEPS = 5


def optimizer_info(name: str) -> Any:
    database = samples.require("common_optimizers").optim_db
    found = [info for info in database if info.optim_cls.__name__ == name]
    assert len(found) == 1, f"PyTorch's table has no {name}"
    return found[0]


def optimizer_inputs(name: str) -> Iterator[Any]:
    import torch

    torch.manual_seed(0)
    yield from optimizer_info(name).optim_inputs_func("cpu")


def check_steps(name: str, kwargs: Any, dtype: str) -> None:
    import torch

    kind = getattr(torch, dtype)
    theirs = [torch.nn.Parameter(torch.randn(shape, dtype=kind)) for shape in SHAPES]
    ours = [fastdl.nn.Parameter(fastdl.tensor(value.detach().numpy())) for value in theirs]
    expected = getattr(torch.optim, name)(theirs, **kwargs)
    found = getattr(fastdl.optim, name)(ours, **samples.Converter()(kwargs))
    for _ in range(STEPS):
        for one, other in zip(ours, theirs, strict=True):
            other.grad = torch.randn(other.shape, dtype=kind)
            one.grad = fastdl.tensor(other.grad.numpy())
        expected.step(), found.step()
        for at, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            samples.compare(one, other, f"parameter {at}")
    check_state(found.state_dict(), expected.state_dict())
    found.load_state_dict(expected.state_dict()), expected.load_state_dict(expected.state_dict())


def check_state(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found["state"].keys() == expected["state"].keys()
    for index, values in expected["state"].items():
        # what has no value yet is an entry of None there, and none here
        held = {key: value for key, value in values.items() if value is not None}
        assert found["state"][index].keys() == held.keys(), f"state {list(found['state'][index])}"
        for key, value in held.items():
            if key == "step":
                assert found["state"][index]["step"] == value
            else:
                samples.compare(found["state"][index][key], value, key)


@pytest.mark.parametrize("dtype", samples.FLOATS)
@pytest.mark.parametrize("name", NAMES)
def test_steps(name, dtype):
    report = samples.Report()
    for sample in optimizer_inputs(name):
        report.run(
            f"{name}({samples.describe(sample.kwargs)})",
            lambda kwargs=sample.kwargs: check_steps(name, kwargs, dtype),
        )
    report.finish()


def converted_params(params: Any) -> Any:
    """Parameters, groups and named parameters of torch as ours; one parameter where none are given."""
    import torch

    convert = samples.Converter()
    if params is None:
        params = [torch.nn.Parameter(torch.randn(1))]
    return convert(params)


@pytest.mark.parametrize("name", NAMES)
def test_error_inputs(name):
    import torch

    report = samples.Report()
    for refused in optimizer_info(name).optim_error_inputs_func("cpu", torch.float32):
        sample = refused.optimizer_error_input
        assert refused.error_on.name == "CONSTRUCTION_ERROR"
        if "foreach" in sample.kwargs:  # refusals of torch's foreach path, which fastdl has not
            continue
        params, kwargs = converted_params(sample.params), samples.Converter()(sample.kwargs)
        report.run(
            f"{name}: {sample.desc}",
            lambda params=params, kwargs=kwargs: samples.check_refused(
                lambda: getattr(fastdl.optim, name)(params, **kwargs)
            ),
        )
    report.finish()
