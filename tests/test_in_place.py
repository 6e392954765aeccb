"""Changes in place: which are recorded, what they do to views, and which backward refuses."""

import threading

import fastdl
import numpy as np
import pytest
from fastdl import _writes

from tests.gradients import check_gradients, leaf


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


def test_entries_are_forgotten_under_the_lock():
    arrays = [np.zeros(3)]
    _writes.writes.note(arrays[0])
    thread = threading.Thread(target=arrays.clear)
    with _writes.writes._lock:
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
    thread.join()


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
