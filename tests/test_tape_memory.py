"""What the tape holds on to: nothing longer than it must, and nothing that only the collector could free."""

import gc
import weakref

import fastdl
import numpy as np
import pytest
from fastdl.autograd import Function, Op


@pytest.fixture(autouse=True)
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Square(Op):
    @staticmethod
    def forward(ctx, x):
        ctx.save(x)
        return x * x

    @staticmethod
    def backward(ctx, grad):
        return 2 * grad * ctx.saved[0]


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        y = x * x * x
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, grad):
        x, _ = ctx.saved_tensors
        return grad * x * x * 3


def network(x, w):
    hidden = Square.apply(x @ w)
    hidden = Cube.apply(hidden) + hidden.exp()
    parts = hidden.split(2, 1)
    hidden = fastdl.cat([part.tanh() for part in parts], 1).reshape(-1)
    hidden.register_hook(lambda g: g * 1)
    hidden.retain_grad()
    hidden[:2] = hidden[2:4] * 2
    return hidden


@pytest.mark.parametrize("backward", [False, True])
def test_everything_is_freed_without_the_collector(backward):
    x = fastdl.Tensor(np.ones((2, 3)) * 0.1, requires_grad=True)
    w = fastdl.Tensor(np.ones((3, 4)) * 0.1, requires_grad=True)
    hidden = network(x, w)
    loss = hidden.sum()
    watched = [
        weakref.ref(thing)
        for thing in (x, w, hidden, hidden.data, hidden.grad_fn, loss, loss.grad_fn, x.data)
    ]
    if backward:
        loss.backward()
        watched += [weakref.ref(x.grad), weakref.ref(x.grad.data)]
    assert all(reference() is not None for reference in watched)
    del x, w, hidden, loss
    assert [reference() for reference in watched] == [None] * len(watched)


def test_a_step_leaves_nothing_for_the_collector():
    x = fastdl.Tensor(np.ones((2, 3)), requires_grad=True)
    w = fastdl.Tensor(np.ones((3, 4)) * 0.1, requires_grad=True)
    network(x, w).sum().backward()
    gc.collect()
    network(x, w).sum().backward()
    assert gc.collect() == 0


def test_intermediate_results_die_with_the_last_reference():
    x = fastdl.Tensor(np.ones(3), requires_grad=True)
    y = x + 1
    z = y + 1
    reference, array = weakref.ref(y), weakref.ref(y.data)
    del y
    assert reference() is None and array() is None  # addition saves nothing
    z.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0, 1.0]


def test_backward_frees_saved_arrays_though_the_loss_lives():
    x = fastdl.Tensor(np.ones(3), requires_grad=True)
    y = x + 1
    array = weakref.ref(y.data)
    loss = Square.apply(y).sum()
    del y
    assert array() is not None
    loss.backward(retain_graph=True)
    assert array() is not None
    loss.backward()
    assert array() is None


def test_backward_frees_as_it_goes():
    alive = []

    class Watch(Op):
        @staticmethod
        def forward(ctx, x):
            ctx.save(x.copy())
            alive.append(weakref.ref(ctx.saved[0]))
            return x + 1

        @staticmethod
        def backward(ctx, grad):
            alive.append(
                sum(reference() is not None for reference in alive if isinstance(reference, weakref.ref))
            )
            return grad

    x = fastdl.Tensor(np.ones(3), requires_grad=True)
    y = x
    for _ in range(4):
        y = Watch.apply(y)
    y.sum().backward()
    assert alive[4:] == [4, 3, 2, 1]


@pytest.mark.parametrize("promised", [False, True])
def test_the_gradient_of_a_leaf_is_copied_unless_the_op_gives_it_away(promised):
    made = []

    class Make(Op):
        fresh = promised

        @staticmethod
        def forward(ctx, x):
            return x + 1

        @staticmethod
        def backward(ctx, grad):
            made.append(np.full(3, 7.0))
            return made[-1]

    x = fastdl.Tensor(np.ones(3), requires_grad=True)
    Make.apply(x).backward(np.ones(3))
    assert np.shares_memory(x.grad.data, made[0]) is promised


DEPTH = 100_000


def test_a_deep_chain_is_differentiated_and_freed():
    x = fastdl.Tensor(np.ones(1), requires_grad=True)
    y = x
    for _ in range(DEPTH):
        y = y + 1
    first = weakref.ref(y.grad_fn)
    y.sum().backward()
    assert x.grad.tolist() == [1.0]
    del y
    assert first() is None


def test_a_deep_chain_is_freed_without_backward():
    x = fastdl.Tensor(np.ones(1), requires_grad=True)
    y = x + 1
    last = weakref.ref(y.grad_fn)
    for _ in range(DEPTH):
        y = Square.apply(y) * 0.5
    del y
    assert last() is None


def test_grad_of_a_deep_chain():
    x = fastdl.Tensor(np.ones(1), requires_grad=True)
    y = x
    for _ in range(DEPTH):
        y = y + 1
    assert fastdl.autograd.grad(y, x)[0].tolist() == [1.0]


def test_entries_of_changed_memory_go_with_the_memory():
    from fastdl._writes import writes

    before = len(writes._entries)
    x = fastdl.zeros(3)
    x.add_(1)
    assert len(writes._entries) == before + 1
    x[0] = 2
    assert len(writes._entries) == before + 1 and x._version == 2
    del x
    assert len(writes._entries) == before
