"""The tape: what is recorded, what backward does with it, and what it refuses."""

import contextlib
import threading

import fastdl
import numpy as np
import pytest
from fastdl import _tape
from fastdl.autograd import Function, Op, grad, gradcheck

from tests.gradients import assert_close, leaf

# ---- recording


def test_arrays_record_nothing_and_stay_arrays():
    result = fastdl.exp(np.zeros(3))
    assert type(result) is np.ndarray
    constant = fastdl.exp(fastdl.zeros(3))
    assert isinstance(constant, fastdl.Tensor) and constant.grad_fn is None and not constant.requires_grad


def test_results_know_how_they_were_made():
    x = leaf(1.0, 2.0)
    y = x * 2
    assert x.is_leaf and x.grad_fn is None
    assert not y.is_leaf and y.requires_grad and y.grad_fn.name() == "MulBackward"
    assert y.grad_fn.next_functions == (x, None)
    assert not (x > 1).requires_grad and not x.argmax().requires_grad


def test_grad_modes():
    x = leaf(1.0)
    with fastdl.no_grad():
        assert not fastdl.is_grad_enabled() and not (x * 2).requires_grad
        with fastdl.enable_grad():
            assert (x * 2).requires_grad
        assert not fastdl.is_grad_enabled()
    assert fastdl.is_grad_enabled()

    @fastdl.no_grad()
    def double(t):
        return t * 2

    assert not double(x).requires_grad and double.__name__ == "double"
    with pytest.raises(KeyError), fastdl.no_grad():
        raise KeyError
    assert fastdl.is_grad_enabled()
    with fastdl.set_grad_enabled(False):
        assert not fastdl.is_grad_enabled()
    fastdl.set_grad_enabled(False)
    assert not fastdl.is_grad_enabled()
    fastdl.set_grad_enabled(True)


def test_inference_mode():
    x = leaf(1.0)
    with fastdl.inference_mode():
        assert not (x * 2).requires_grad
        with fastdl.inference_mode(False):
            assert (x * 2).requires_grad
        with fastdl.inference_mode(mode=True):
            assert not fastdl.is_grad_enabled()
    assert not fastdl.inference_mode()(lambda: x * 2)().requires_grad


def test_grad_mode_belongs_to_the_thread():
    seen = []
    with fastdl.no_grad():
        thread = threading.Thread(target=lambda: seen.append(fastdl.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


# ---- backward


def test_gradients_add_up():
    x = leaf(1.0, 2.0)
    (x * 3).sum().backward()
    (x * 4).sum().backward()
    assert x.grad.tolist() == [7.0, 7.0]
    x.grad = None
    (x + x + x).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_the_gradient_of_a_leaf_alone():
    x = fastdl.tensor(3.0, requires_grad=True)
    x.backward()
    assert x.grad.item() == 1.0


def test_a_diamond_is_walked_once():
    x = leaf(2.0)
    y = x * x
    z = y * 3 + y * y
    z.sum().backward()
    assert x.grad.tolist() == [2 * 2 * 3 + 4 * 8]


def test_backward_wants_a_gradient_for_more_than_one_element():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (x * 2).backward(fastdl.ones(3))
    (x * 2).backward(np.array([1.0, 10.0]))
    assert x.grad.tolist() == [2.0, 20.0]
    with pytest.raises(RuntimeError, match="does not require grad"):
        fastdl.zeros(1).backward()


def test_backward_frees_what_was_saved():
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [8.0]
    with pytest.raises(
        RuntimeError, match=r"Trying to backward through the graph a second time .* at MulBackward"
    ):
        y.backward()


def test_gradients_of_gradients_are_refused():
    x = leaf(2.0)
    with pytest.raises(RuntimeError, match="create_graph=True: gradients of gradients are not supported"):
        (x * x).sum().backward(create_graph=True)
    with pytest.raises(RuntimeError, match="not supported"):
        grad((x * x).sum(), x, create_graph=True)


def test_inputs_that_do_not_differ_do_not_share_gradients():
    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    given = np.array([1.0, 1.0])
    (x + y).backward(given)
    x.grad.zero_()
    assert y.grad.tolist() == [1.0, 1.0] and given.tolist() == [1.0, 1.0]

    z = leaf(1.0, 2.0)
    (z.reshape(2, 1) + y).sum().backward()
    z.grad.mul_(0)
    assert y.grad.tolist() == [3.0, 3.0]

    w = leaf(1.0)
    w.expand(3).sum().backward()
    w.grad.add_(1)
    assert w.grad.tolist() == [4.0]


def test_a_gradient_kept_by_a_hook_is_not_added_to():
    x = leaf(1.0, 2.0)
    kept = []
    y = x * 1
    y.register_hook(kept.append)
    (y + x).sum().backward()
    (x * 2).sum().backward()
    assert kept[0].tolist() == [1.0, 1.0] and x.grad.tolist() == [4.0, 4.0]


def test_gradients_have_the_layout_of_their_leaf():
    x = fastdl.Tensor(np.ones((2, 4, 4, 3)).transpose(0, 3, 1, 2), requires_grad=True)
    (x * np.ones((2, 3, 4, 4))).sum().backward()
    assert x.grad.data.strides == x.data.strides


def test_float32_and_float64_meet():
    x = fastdl.ones(2, requires_grad=True)
    y = leaf(1.0, 2.0)
    z = x * y
    assert z.dtype == np.float64
    z.sum().backward()
    assert x.grad.dtype == np.float32 and y.grad.dtype == np.float64


def test_two_backwards_give_the_same_bits():
    def run():
        random = np.random.default_rng(3)
        x = fastdl.Tensor(random.standard_normal((50, 60)).astype(np.float32), requires_grad=True)
        w = fastdl.Tensor(random.standard_normal((60, 60)).astype(np.float32), requires_grad=True)
        y = x
        for _ in range(5):
            y = (y @ w).tanh() + x
        y.sum().backward()
        return x.grad.data.tobytes(), w.grad.data.tobytes()

    assert run() == run()


# ---- grad


def test_grad_leaves_the_leaves_alone():
    x, y = leaf(2.0), leaf(3.0)
    z = x * y
    gx, gz = grad((z * z).sum(), [x, z])
    assert gx.tolist() == [2 * 6 * 3.0] and gz.tolist() == [12.0]
    assert x.grad is None and y.grad is None


def test_grad_of_unused_inputs():
    x, y = leaf(2.0), leaf(3.0)
    with pytest.raises(RuntimeError, match="tensor 1 appears to not have been used in the graph"):
        grad((x * 2).sum(), [x, y])
    found = grad((x * 2).sum(), [x, y], allow_unused=True)
    assert found[0].tolist() == [2.0] and found[1] is None
    with pytest.raises(RuntimeError, match="tensor 0 does not require grad"):
        grad((x * 2).sum(), [fastdl.zeros(1)])


def test_grad_runs_only_what_leads_to_the_inputs():
    class Trap(Op):
        @staticmethod
        def forward(ctx, x):
            return x + 1

        @staticmethod
        def backward(ctx, gradient):
            raise AssertionError("not on the way")

    x, y = leaf(2.0), leaf(3.0)
    assert grad((Trap.apply(y) * x).sum(), x)[0].tolist() == [4.0]


def test_backward_with_inputs():
    x, y = leaf(2.0), leaf(3.0)
    fastdl.autograd.backward((x * y).sum(), inputs=[x])
    assert x.grad.tolist() == [3.0] and y.grad is None


def test_several_outputs():
    x = leaf(2.0)
    assert grad([x * 2, x * 3], x, [fastdl.ones(1), fastdl.ones(1)])[0].tolist() == [5.0]


# ---- hooks


def test_hooks_see_and_replace_gradients():
    x = leaf(1.0, 2.0)
    seen = []
    handle = x.register_hook(lambda g: seen.append(g.tolist()))
    y = x * 2
    y.register_hook(lambda g: g * 10)
    (y.sum() + (x * 3).sum()).backward()
    assert x.grad.tolist() == [23.0, 23.0] and seen == [[23.0, 23.0]]
    handle.remove()
    (x * 1).sum().backward()
    assert len(seen) == 1
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        fastdl.zeros(1).register_hook(print)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(
        RuntimeError, match=r"\[hook\] gradient: expected float64 of shape \(2,\), got float64 of shape \(\)"
    ):
        (x * 1).sum().backward()


def test_retain_grad():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [4.0, 8.0]
    with pytest.raises(RuntimeError, match="can't retain_grad on Tensor that has requires_grad=False"):
        fastdl.zeros(1).retain_grad()


# ---- checks


def test_gradcheck():
    x, y = leaf(1.0, 2.0), leaf(0.5, 1.5)
    assert gradcheck(lambda a, b: ((a * b).exp(), a.argmax(), b.sin()), (x, y))

    class Wrong(Function):
        @staticmethod
        def forward(ctx, t):
            return t * 2

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    with pytest.raises(RuntimeError, match=r"\[gradcheck\] output 0: the gradient differs by up to 1"):
        gradcheck(Wrong.apply, (x,))
    assert not gradcheck(Wrong.apply, (x,), raise_exception=False)
    with pytest.raises(ValueError, match="expected float64, got float32"):
        gradcheck(Wrong.apply, (fastdl.ones(1, requires_grad=True),))
    assert x.tolist() == [1.0, 2.0]


def _make_nan(x):
    return (x * 0).sqrt()


def test_detect_anomaly_names_the_operation():
    x = leaf(1.0)
    with np.errstate(all="ignore"):
        with fastdl.autograd.detect_anomaly():
            y = _make_nan(x) * 0
            with pytest.raises(RuntimeError, match=r"(?s)Function 'SqrtBackward' returned nan.*_make_nan"):
                y.sum().backward()
        y = _make_nan(x) * 0
        y.sum().backward()
    assert np.isnan(x.grad.item())


def test_threads_reach_one_leaf(monkeypatch):
    """Two passes that would both find a leaf without a gradient: neither's is lost."""
    x = leaf(1.0, 2.0)
    meeting, owned = threading.Barrier(2), _tape._owned

    def meet(*args):
        with contextlib.suppress(threading.BrokenBarrierError):
            meeting.wait(0.1)
        return owned(*args)

    monkeypatch.setattr(_tape, "_owned", meet)
    threads = [threading.Thread(target=(x * factor).sum().backward) for factor in (3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert x.grad.tolist() == [7.0, 7.0]


def test_threads_differentiate_side_by_side():
    w = np.random.default_rng(0).standard_normal((20, 20))
    results = {}

    def work(key):
        x = fastdl.Tensor(np.full((4, 20), float(key)), requires_grad=True)
        for _ in range(20):
            x.grad = None
            ((x @ w).tanh() * x).sum().backward()
        results[key] = x.grad.data

    threads = [threading.Thread(target=work, args=(key,)) for key in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for key in range(4):
        alone = results[key]
        work(key)
        assert_close(alone, results[key], "same_formula_float64")


def test_what_grad_may_be():
    x = leaf(1.0, 2.0)
    for wrong, error in (
        (np.ones(2), TypeError),
        (fastdl.ones(2, dtype=np.float32), TypeError),
        (fastdl.ones(3, dtype=np.float64), ValueError),
    ):
        with pytest.raises(error, match=r"\[grad\] expected"):
            x.grad = wrong
    x.grad = fastdl.ones(2, dtype=np.float64)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    del x.grad
    assert x.grad is None


@pytest.mark.parametrize(
    ("result", "error"), [(2.0, TypeError), (fastdl.ones(1), RuntimeError), (np.ones(2), RuntimeError)]
)
def test_hooks_with_a_wrong_result(result, error):
    y = leaf(1.0) * 2
    y.register_hook(lambda grad: result)
    with pytest.raises(error, match=r"\[hook\] gradient: expected"):
        y.backward()
