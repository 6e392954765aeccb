"""The tape: what is recorded, what backward does with it, and what it refuses."""

import contextlib
import threading

import fastdl
import numpy as np
import pytest
from fastdl import _tape, _writes
from fastdl.autograd import Function, Op, grad, gradcheck

from tests.gradients import assert_close, check_gradients


def leaf(*values, dtype=np.float64):
    return fastdl.tensor(list(values), dtype=dtype, requires_grad=True)


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


# ---- changes in place


def test_a_saved_value_may_not_change():
    x = leaf(1.0, 2.0)
    y = x * 1
    z = y.exp()
    z.add_(1)
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation: .*saved by ExpBackward"):
        z.sum().backward()

    constant = fastdl.ones(2, dtype=np.float64)
    product = x * constant
    constant[0] = 5
    with pytest.raises(RuntimeError, match="saved by MulBackward"):
        product.sum().backward()


def test_a_saved_value_may_not_change_through_a_view():
    x = leaf(1.0, 2.0)
    constant = fastdl.ones(2, dtype=np.float64)
    for change in (
        lambda: constant[:1].add_(1),
        lambda: constant.detach().mul_(2),
        lambda: constant.reshape(2, 1).zero_(),
    ):
        product = x * constant
        change()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            product.sum().backward()


def test_what_was_not_saved_may_change():
    x = leaf(1.0, 2.0)
    constant = fastdl.ones(2, dtype=np.float64)
    total = x + constant
    constant.add_(1)
    other = fastdl.ones(2)
    other.add_(1)
    total.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_a_change_of_data_can_be_told():
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    before = x._version
    x.data += 1
    x._bump_version()
    assert x._version == before + 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_leaves_that_want_gradients_do_not_change_in_place():
    x = leaf(1.0, 2.0)
    for change in (
        lambda: x.add_(1),
        lambda: x.zero_(),
        lambda: x.__setitem__(0, 1.0),
        lambda: x.copy_(x * 2),
    ):
        with pytest.raises(
            RuntimeError, match="a leaf Variable that requires grad is being used in an in-place"
        ):
            change()
    with fastdl.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 3.0]


def test_recorded_changes_in_place():
    def run(t, u):
        y = t * 1
        y.mul_(u)
        y += 1
        y -= t
        y[0] = u[1] * 2
        y.exp_()
        y /= u
        return y * t

    random = np.random.default_rng(0)
    check_gradients(run, [random.uniform(0.5, 1, 3), random.uniform(0.5, 1, 3)])

    plain = fastdl.zeros(3, dtype=np.float64)
    x = leaf(1.0, 2.0, 3.0)
    plain.add_(x)
    plain[1] = x[0]
    assert plain.requires_grad and not plain.is_leaf
    plain.sum().backward()
    assert x.grad.tolist() == [2.0, 0.0, 1.0]


def test_recorded_changes_keep_the_memory():
    x = leaf(1.0, 2.0)
    y = x * 1
    array = y.data
    y.mul_(3)
    assert y.data is array and array.tolist() == [3.0, 6.0]


def test_views_and_recorded_changes():
    x = leaf(1.0, 2.0)
    y = x * 1
    view, detached = y[:1], y.detach()
    unused = y.reshape(2, 1)
    y.mul_(2)
    for use in (lambda: view * 1, lambda: unused.backward(unused.data), lambda: view.add_(1)):
        with pytest.raises(
            RuntimeError, match="a Tensor was used after a recorded operation changed its memory"
        ):
            use()
    assert (detached * 1).tolist() == [2.0, 4.0]
    (y[:1] * 1).sum().backward()
    assert x.grad.tolist() == [2.0, 0.0]


def test_a_view_may_change_but_its_base_is_lost():
    x = leaf(1.0, 2.0)
    base = x * 1
    view = base[:1]
    view.mul_(3)
    view += 1
    (view * view[:1]).sum().backward()
    assert x.grad.tolist() == [2 * 4 * 3.0, 0.0]
    with pytest.raises(RuntimeError, match="of which it is a view or the base"):
        base * 1
    copied = base.data.copy()
    assert copied.tolist() == [4.0, 2.0]
    with pytest.raises(
        RuntimeError, match="a view of a leaf Variable that requires grad is being used in an in-place"
    ):
        x[:1].mul_(2)


def test_copies_by_view_operations_are_not_views():
    x = leaf(1.0, 2.0, 3.0, 4.0)
    y = x * 1
    picked = y[[0, 1]]
    flat = y.reshape(2, 2).T.reshape(-1)
    picked.mul_(2)
    flat.mul_(3)
    (picked.sum() + flat.sum() + y.sum()).backward()
    assert x.grad.tolist() == [6.0, 6.0, 4.0, 4.0]


def test_in_place_results_must_fit():
    x = fastdl.tensor([1, 2])
    with pytest.raises(TypeError, match="result type float32 can't be cast to int64"):
        x.add_(1.5)
    with pytest.raises(ValueError, match="doesn't match the broadcast shape"):
        x.add_(fastdl.ones(3, 2, dtype=np.int64))


# ---- people's own operations


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


def test_entries_are_forgotten_under_the_lock():
    arrays = [np.zeros(3)]
    _writes.writes.note(arrays[0])
    thread = threading.Thread(target=arrays.clear)
    with _writes.writes._lock:
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
    thread.join()


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


def test_what_was_expanded_is_a_view_of_what_it_was():
    x, w = fastdl.tensor(np.ones(3)), leaf(1.0, 1.0, 1.0)
    product = x.expand(4, 3) * w
    x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.sum().backward()
    with pytest.raises(RuntimeError, match="a view of a leaf Variable"):
        leaf(1.0).expand(1).mul_(2)
    with pytest.raises(RuntimeError, match="refers to a single memory location"):
        fastdl.zeros(1, 3).expand(4, 3).add_(1)
    with pytest.raises(RuntimeError, match="refers to a single memory location"):
        fastdl.zeros(1, 3).expand(4, 3)[0] = 1


@pytest.mark.parametrize("use", ["read", "assign"])
def test_a_saved_index_may_not_change(use):
    x, index = leaf(1.0, 2.0, 3.0), fastdl.tensor([0, 1])
    y = x * 1
    if use == "read":
        y = y[index]
    else:
        y[index] = 0.0
    index += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_quotient_may_change():
    x, y = leaf(6.0), leaf(2.0)
    (x / y).mul_(5).backward()
    assert x.grad.tolist() == [2.5] and y.grad.tolist() == [-7.5]


def test_what_is_overwritten_keeps_a_zero_gradient():
    for overwrite in (
        lambda y: y.zero_(),
        lambda y: y.fill_(3.0),
        lambda y: y.copy_(np.ones(2)),
        lambda y: y.uniform_(),
        lambda y: y.normal_(),
    ):
        x = leaf(np.inf, 1.0)
        y = x * 1
        assert overwrite(y) is y and y.requires_grad and np.isfinite(y.data).all()
        y.sum().backward()
        assert x.grad.tolist() == [0.0, 0.0]
    source, target = leaf(1.0, 2.0), fastdl.zeros(3, 2)
    (target.copy_(source) * 2).sum().backward()
    assert source.grad.tolist() == [6.0, 6.0] and source.grad.dtype == np.float64


def test_augmented_assignment_to_a_part():
    x, w = leaf(1.0, 2.0, 3.0), leaf(5.0)
    y = x * 1
    y[0] *= w[0]
    y[1:] += y[0].clone()
    y[2] *= 2
    assert y.tolist() == [5.0, 7.0, 16.0]
    y.sum().backward()
    assert x.grad.tolist() == [20.0, 1.0, 2.0] and w.grad.tolist() == [4.0]


def test_augmented_assignment_does_not_hide_other_changes():
    x = leaf(1.0, 2.0)
    y = x * 1
    first, second = y[0], y[1]
    second.mul_(3)
    y[1] = second
    with pytest.raises(RuntimeError, match="used after a recorded operation changed its memory"):
        first * 1


def test_retain_grad_follows_a_change_in_place():
    x = leaf(1.0)
    y = x * 1
    y.retain_grad()
    y.mul_(3)
    (y * 2).backward()
    assert y.grad.tolist() == [2.0] and x.grad.tolist() == [6.0]


def test_assigned_values_with_more_axes():
    value, y = leaf(1.0, 2.0), fastdl.zeros(3, 2, dtype=np.float64)
    y[0] = value[None]
    y[1, 0] = value[None, :1]
    (y * y).sum().backward()
    assert y.tolist() == [[1.0, 2.0], [1.0, 0.0], [0.0, 0.0]] and value.grad.tolist() == [4.0, 4.0]


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
