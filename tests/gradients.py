"""Gradients by finite differences in float64, for comparison with what the tape says."""

import fastdl
import numpy as np

from tests.tolerances import TOLERANCES, relative_error

STEP = 1e-5


def leaf(*values, dtype=np.float64):
    return fastdl.tensor(list(values), dtype=dtype, requires_grad=True)


def draw(*shape, low=-2.0, high=2.0, seed=0):
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape)


def assert_close(found, expected, tolerance):
    error = relative_error(found, expected)
    assert error <= TOLERANCES[tolerance], (
        f"error {error:.3g} > {TOLERANCES[tolerance]:.3g}\n{found}\n{expected}"
    )


def _outputs(result):
    results = result if isinstance(result, tuple) else (result,)
    return [tensor for tensor in results if tensor.data.dtype.kind == "f"]


def check_gradients(fn, arrays, tolerance="finite_difference"):
    """Compares the gradients of `fn`'s outputs, weighed at random, with central differences.

    Every float64 input is varied. `fn` gets one Tensor per array and returns one or a tuple of them, of which
    those of integers are left out.
    """
    arrays = [np.asarray(array) for array in arrays]
    differentiable = [array.dtype == np.float64 for array in arrays]
    tensors = [
        fastdl.Tensor(array, requires_grad=wanted)
        for array, wanted in zip(arrays, differentiable, strict=True)
    ]
    outputs = _outputs(fn(*tensors))
    random = np.random.default_rng(7)
    weights = [random.uniform(0.5, 1.5, output.shape) for output in outputs]
    fastdl.autograd.backward(outputs, [fastdl.Tensor(weight) for weight in weights])

    def loss():
        with fastdl.no_grad():
            results = _outputs(fn(*[fastdl.Tensor(array) for array in arrays]))
        return sum(
            float((result.data * weight).sum()) for result, weight in zip(results, weights, strict=True)
        )

    for position, (array, wanted) in enumerate(zip(arrays, differentiable, strict=True)):
        if not wanted:
            continue
        numeric = np.zeros(array.shape)
        for index in np.ndindex(array.shape):
            held = array[index]
            array[index] = held + STEP
            above = loss()
            array[index] = held - STEP
            below = loss()
            array[index] = held
            numeric[index] = (above - below) / (2 * STEP)
        found = tensors[position].grad
        assert found is not None, f"no gradient for input {position}"
        assert found.dtype == np.float64
        assert_close(found.data, numeric, tolerance)
