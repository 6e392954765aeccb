"""People's own operations: `Function`, `Op`, and what they may return."""

import fastdl
import numpy as np
import pytest
from fastdl.autograd import Function, Op

from tests.gradients import check_gradients, leaf


class Scale(Function):
    @staticmethod
    def forward(ctx, x, factor):
        assert not fastdl.is_grad_enabled()
        ctx.factor = factor
        ctx.save_for_backward(x)
        return x * factor

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        assert isinstance(x, fastdl.Tensor) and ctx.needs_input_grad == (True, False)
        return gradient * ctx.factor, None


def test_function():
    check_gradients(lambda t: Scale.apply(t, 3.0), [np.array([1.0, 2.0])])
    y = Scale.apply(leaf(1.0), 2.0)
    assert y.grad_fn.name() == "ScaleBackward"
    assert not Scale.apply(fastdl.ones(1), 2.0).requires_grad


def test_function_without_a_tensor_among_its_arguments():
    class Make(Function):
        @staticmethod
        def forward(ctx, size):
            return fastdl.ones(size)

    assert isinstance(Make.apply(3), fastdl.Tensor)


def test_function_with_setup_context_and_several_outputs():
    class Both(Function):
        @staticmethod
        def forward(x, y):
            return x * y, x + y, (x > y)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)
            ctx.mark_non_differentiable(output[1])

        @staticmethod
        def backward(ctx, product, total, _):
            x, y = ctx.saved_tensors
            assert total.tolist() == [0.0, 0.0]
            return product * y, product * x

    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    product, total, greater = Both.apply(x, y)
    assert product.requires_grad and not total.requires_grad and not greater.requires_grad
    product.sum().backward()
    assert x.grad.tolist() == [3.0, 4.0] and y.grad.tolist() == [1.0, 2.0]


def test_function_without_materialized_gradients():
    seen = []

    class Pair(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, first, second):
            seen.append(first)
            return second * 2

    x = leaf(1.0)
    Pair.apply(x)[1].sum().backward()
    assert seen == [None] and x.grad.tolist() == [2.0]


def test_function_catches_changes_and_frees():
    x = leaf(1.0, 2.0)
    y = x * 1
    z = Scale.apply(y, 2.0)
    with fastdl.no_grad():
        y.add_(1)
    with pytest.raises(RuntimeError, match="saved by ScaleBackward"):
        z.sum().backward()
    w = Scale.apply(x, 2.0).sum()
    w.backward()
    with pytest.raises(RuntimeError, match="second time"):
        w.backward()


@pytest.mark.parametrize(
    "result, error, message",
    [
        (lambda g: (g, g), RuntimeError, r"returned an incorrect number of gradients \(expected 1, got 2\)"),
        (lambda g: g.sum(), RuntimeError, r"invalid gradient at index 0 - got \[\] but expected .*\[2\]"),
        (lambda g: g.data, TypeError, r"\[Wrong\] backward: expected Tensors or None, got ndarray"),
    ],
)
def test_function_with_a_wrong_backward(result, error, message):
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            return result(gradient)

    with pytest.raises(error, match=message):
        Wrong.apply(leaf(1.0, 2.0)).sum().backward()


def test_op_with_several_outputs():
    class Pair(Op):
        @staticmethod
        def forward(ctx, x):
            return x + 1, None, x * 2

        @staticmethod
        def backward(ctx, first, _, second):
            return (0 if first is None else first) + (0 if second is None else 2 * second)

    x = leaf(1.0, 2.0)
    _, nothing, second = Pair.apply(x)
    assert nothing is None
    second.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    check_gradients(lambda t: tuple(out for out in Pair.apply(t) if out is not None), [np.array([1.0, 2.0])])


def test_op_gets_zeros_where_it_asks_for_them():
    class Pair(Op):
        materialize_grads = True

        @staticmethod
        def forward(ctx, x):
            return x + 1, x * 2

        @staticmethod
        def backward(ctx, first, second):
            return first + 2 * second

    x = leaf(1.0)
    Pair.apply(x)[1].sum().backward()
    assert x.grad.tolist() == [2.0]


def test_function_results_are_guarded_and_cast():
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad.double()

    x = fastdl.tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable"):
        Same.apply(x).mul_(2)
    seen = []
    y = x * 1
    y.register_hook(lambda grad: seen.append(grad.dtype))
    Same.apply(y).backward()
    assert seen == [np.float32]
