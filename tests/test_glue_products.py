"""Products: values against plain NumPy, gradients against finite differences."""

import fastdl
import numpy as np
import pytest

from tests.gradients import assert_close, check_gradients, draw


@pytest.mark.parametrize(
    "left, right",
    [
        ((2, 3), (3, 4)), ((3,), (3,)), ((3,), (3, 4)), ((2, 3), (3,)), ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (5, 3, 4)), ((2, 3), (5, 3, 4)), ((5, 1, 2, 3), (4, 3, 2)), ((3,), (5, 3, 2)),
        ((5, 2, 3), (3,)), ((0, 3), (3, 2)),
        ((2, 0), (0, 3)),
    ],
)  # fmt: skip
def test_matmul(left, right):
    x, y = draw(*left), draw(*right, seed=1)
    assert_close(fastdl.matmul(x, y), x @ y, "same_formula_float64")
    assert_close((fastdl.Tensor(x) @ y).data, x @ y, "same_formula_float64")
    assert_close((x @ fastdl.Tensor(y)).data, x @ y, "same_formula_float64")
    check_gradients(lambda a, b: a @ b, [x, y])


def test_products_of_fixed_rank():
    check_gradients(fastdl.bmm, [draw(2, 2, 3), draw(2, 3, 2)])
    check_gradients(fastdl.mm, [draw(2, 3), draw(3, 2)])
    check_gradients(fastdl.dot, [draw(3), draw(3, seed=1)])
    check_gradients(fastdl.outer, [draw(3), draw(2)])
    with pytest.raises(ValueError, match=r"\[bmm\] input: expected \(B, N, M\), got \(2, 3\)"):
        fastdl.bmm(draw(2, 3), draw(2, 3, 4))
    with pytest.raises(ValueError, match=r"\[matmul\] other: expected 3 rows"):
        fastdl.matmul(draw(2, 3), draw(2, 3))
    with pytest.raises(TypeError, match=r"\[matmul\] other: expected float64 as the other"):
        fastdl.matmul(draw(2, 3), draw(3, 2).astype(np.float32))


EINSUM = {
    "ij,jk->ik": [(2, 3), (3, 4)],
    "ij,kj": [(2, 3), (4, 3)],
    "bij,bjk->bik": [(2, 2, 3), (2, 3, 2)],
    "i,j->ij": [(2,), (3,)],
    "ij->ji": [(2, 3)],
    "ij->": [(2, 3)],
    "ij->i": [(2, 3)],
    "ii->i": [(3, 3)],
    "ii": [(3, 3)],
    "...ij,...jk->...ik": [(2, 2, 3), (3, 2)],
    "bhid,bhjd->bhij": [(1, 2, 3, 2), (1, 2, 2, 2)],
    "i,i,i->": [(3,), (3,), (3,)],
    "ij,ik->ij": [(2, 3), (2, 2)],
}


@pytest.mark.parametrize("equation", EINSUM)
def test_einsum(equation):
    arrays = [draw(*shape, seed=at) for at, shape in enumerate(EINSUM[equation])]
    assert_close(fastdl.einsum(equation, *arrays), np.einsum(equation, *arrays), "same_formula_float64")
    check_gradients(lambda *tensors: fastdl.einsum(equation, *tensors), arrays)


@pytest.mark.parametrize("equation", ["ij->ik", "ij->ii", "...->i", "i1->i", "ij->i->j"])
def test_einsum_refuses_equations_of_no_meaning(equation):
    with pytest.raises(ValueError, match=r"\[einsum\] .*: expected"):
        fastdl.einsum(equation, np.ones((2, 3)))
