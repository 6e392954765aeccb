"""Checks that every optimiser step's test file applies to its own cases."""

from __future__ import annotations

from typing import Any

import fastdl
import numpy as np
import pytest

from tests import suite, tolerances
from tests.cases.step_case import Lists, Step, StepCase

Array = np.ndarray


def call(step: Step, case: StepCase, lists: Lists) -> Lists:
    """The lists after one step on them."""
    before = {name: list(arrays) for name, arrays in lists.items()}
    step.function(**lists, **case.arguments(step))
    for name, arrays in before.items():
        assert all(a is b for a, b in zip(arrays, lists[name], strict=True))
    return lists


def run_reference(step: Step, case: StepCase, lists: Lists, dtype: Any) -> Lists:
    arguments = case.arguments(step)
    counts = arguments.pop(step.counted, None) if step.counted else None
    after: Lists = {name: [] for name in lists if name != "grads"}
    for i in range(len(case.shapes)):
        operands = [arrays[i].astype(dtype) if arrays else None for arrays in lists.values()]
        counted = {step.counted.removesuffix("s"): counts[i]} if counts else {}
        results = step.reference(*operands, **counted, **arguments)
        for name, result in zip(after, results, strict=True):
            if lists[name]:
                after[name].append(result)
    return after


def check_reference(step: Step, case: StepCase, dtype: Any) -> None:
    """Every array against the reference in a wider type, no further off than it is itself in `dtype`, twice."""
    lists = case.lists(step, dtype)
    exact = run_reference(step, case, lists, suite.EXACT[dtype])
    naive = run_reference(step, case, lists, dtype)
    gradients = [grad.copy() for grad in lists["grads"]]
    found = call(step, case, lists)
    for name in exact:
        for i, (out, want, plain) in enumerate(zip(found[name], exact[name], naive[name], strict=True)):
            assert out.dtype == dtype
            tolerances.assert_accurate(out, want, plain, dtype, f"{name}[{i}]")
    for grad, untouched in zip(found["grads"], gradients, strict=True):
        np.testing.assert_array_equal(grad, untouched)


def assert_same_bits(found: Lists, expected: Lists, what: str) -> None:
    for name, arrays in expected.items():
        for array, want in zip(found[name], arrays, strict=True):
            np.testing.assert_array_equal(array, want, err_msg=f"{what}: {name}")


def check_layouts(step: Step, case: StepCase, dtype: Any) -> None:
    """The same bits whatever the strides and the alignment, of all arrays or of those of one list."""
    want = call(step, case, case.lists(step, dtype))
    for layout, change in suite.LAYOUTS.items():
        for changed in (want.keys(), {"params"}, {"grads"}):
            lists = case.lists(step, dtype)
            for name in changed:
                lists[name] = [np.asarray(change(array)).reshape(array.shape) for array in lists[name]]
            assert_same_bits(call(step, case, lists), want, f"{layout} {sorted(changed)}")


def check_one_by_one(step: Step, case: StepCase, dtype: Any) -> None:
    """The same bits whether the parameters come in one list or each in its own."""
    want = call(step, case, case.lists(step, dtype))
    lists, arguments = case.lists(step, dtype), case.arguments(step)
    for i in range(len(case.shapes)):
        single = {name: arrays[i : i + 1] for name, arrays in lists.items()}
        if step.counted in arguments:
            step.function(**single, **{**arguments, step.counted: [arguments[step.counted][i]]})
        else:
            step.function(**single, **arguments)
    assert_same_bits(lists, want, "one by one")


def check_mixed_dtypes(step: Step, case: StepCase) -> None:
    """float32 and float64 parameters in one list."""
    wide, narrow = (call(step, case, case.lists(step, dtype)) for dtype in (np.float64, np.float32))

    def alternate(a: Lists, b: Lists) -> Lists:
        return {n: [(b if i % 2 else a)[n][i] for i in range(len(a[n]))] for n in a}

    mixed = alternate(case.lists(step, np.float64), case.lists(step, np.float32))
    assert_same_bits(call(step, case, mixed), alternate(wide, narrow), "mixed dtypes")


def check_threads(step: Step, case: StepCase, dtype: Any) -> None:
    before = fastdl.get_num_threads()
    try:
        fastdl.set_num_threads(1)
        want = call(step, case, case.lists(step, dtype))
        for threads in suite.THREADS[1:]:
            fastdl.set_num_threads(threads)
            lists = case.lists(step, dtype)
            with suite.more_chunks_than_threads("step"):
                found = call(step, case, lists)
            assert_same_bits(found, want, f"{threads} threads")
    finally:
        fastdl.set_num_threads(before)


def check_no_parameters(step: Step, case: StepCase) -> None:
    """An empty list is a step of nothing."""
    arguments = case.arguments(step)
    if step.counted in arguments:
        arguments[step.counted] = []
    step.function(*([] for _ in case.lists(step, np.float32)), **arguments)


def check_bad_lists(step: Step, case: StepCase) -> None:
    """Every kind of unfit array, in the last place of each list, is refused before the first is changed."""
    names = [name for name, arrays in case.lists(step, np.float32).items() if arrays]
    for name in names:
        expected = f"{name}\\[{len(case.shapes) - 1}\\]"
        faults = [
            (ValueError, rf"{name}.*: expected {len(case.shapes)} of them", lambda arrays: arrays[:-1]),
            (TypeError, f"{name}: expected a list of arrays, got ndarray", np.concatenate),
        ]
        if name != "params":
            faults += [
                (ValueError, rf"{expected}: expected \(5,\)", lambda arrays: [*arrays[:-1], arrays[-1][:-1]]),
                (
                    TypeError,
                    f"{expected}: expected float32",
                    lambda arrays: [*arrays[:-1], arrays[-1].astype(float)],
                ),
            ]
        if name != "grads":
            faults += [
                (ValueError, f"{expected}: expected a writeable array", _with_read_only_last),
                (ValueError, "expected memory of its own", lambda arrays: [*arrays[:-1], arrays[0]]),
                (ValueError, "expected memory of its own", _spread_and_shared),
                (
                    TypeError,
                    f"{expected}: expected an array, got list",
                    lambda arrays: [*arrays[:-1], [1.0] * 5],
                ),
            ]
        for error, message, spoil in faults:
            lists = case.lists(step, np.float32)
            if name == "params" and error is ValueError and "of them" in message:
                message = "grads: expected 1 of them, as params, got 2"
            _check_refused(step, case, {**lists, name: spoil(lists[name])}, error, message)
    for bad in (np.int64, np.float16, ">f4"):
        lists = case.lists(step, np.float32)
        lists = {name: [array.astype(bad) for array in arrays] for name, arrays in lists.items()}
        _check_refused(step, case, lists, TypeError, r"params\[0\]: expected")


def check_unused_lists(step: Step, case: StepCase) -> None:
    """A state that the options do not use is refused, as a sign of a misunderstanding."""
    for name, option in step.states.items():
        if option and not case.options.get(option):
            lists = case.lists(step, np.float32)
            lists[name] = [array.copy() for array in lists["params"]]
            _check_refused(step, case, lists, ValueError, f"{name}: expected an empty list")


def check_bad_numbers(step: Step, case: StepCase, argument: str, values: Any) -> None:
    for value in values:
        lists = case.lists(step, np.float32)
        changed = StepCase(case.name, case.shapes, {**case.options, argument: value}, case.counts)
        _check_refused(step, changed, lists, ValueError, f"{argument}: expected .*, got ")


def _spread_and_shared(arrays: list[Array]) -> list[Array]:
    """The last and the first as parts of every second element of one array."""
    spread = np.zeros(2 * max(array.size for array in arrays), arrays[0].dtype)[::2]
    first, last = (spread[: array.size].reshape(array.shape) for array in (arrays[0], arrays[-1]))
    return [first, *arrays[1:-1], last]


def _with_read_only_last(arrays: list[Array]) -> list[Array]:
    arrays[-1].flags.writeable = False
    return arrays


def _check_refused(step: Step, case: StepCase, lists: Lists, error: Any, message: str) -> None:
    before = {name: [np.copy(array) for array in arrays] for name, arrays in lists.items()}
    with pytest.raises(error, match=message):
        step.function(**lists, **case.arguments(step))
    for name, arrays in before.items():
        for array, held in zip(lists[name], arrays, strict=True):
            np.testing.assert_array_equal(array, held)
