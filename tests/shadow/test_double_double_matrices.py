"""Products of matrices, convolutions and systems in double-double against mpmath, normwise."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from tests.shadow.double_double_oracle import (
    EXACT,
    apply,
    assert_close,
    aten,
    exact,
    matrix,
    pair_of,
    part,
    random_pair,
)
from wellposed.shadow.double_double.arithmetic import Pair

m = EXACT


@pytest.mark.parametrize("spread", [0.0, 30.0])
@pytest.mark.parametrize(("rows", "terms", "columns"), [(1, 1, 1), (3, 4, 2), (2, 33, 3), (1, 2000, 1)])
def test_products_of_matrices(rows: int, terms: int, columns: int, spread: float) -> None:
    a, b = random_pair(rows, terms, spread=spread), random_pair(terms, columns, seed=1, spread=spread)
    result = apply(aten.mm.default, a, b)
    for row, column in itertools.product(range(rows), range(columns)):
        left, right = exact(part(a, row)), exact(part(b, (slice(None), column)))
        scale = max(map(abs, left)) * max(map(abs, right))
        assert_close(part(result, (row, column)), [m.fdot(left, right)], 2.0**-99, scale)
        one = apply(aten.dot.default, part(a, row), part(b, (slice(None), column)))
        assert_close(one, [m.fdot(left, right)], 2.0**-99, scale)


@pytest.mark.parametrize("exponent", [1000, -980])
def test_products_of_matrices_at_the_ends_of_the_range(exponent: int) -> None:
    a, b = random_pair(3, 5), random_pair(5, 2, seed=1)
    plain = apply(aten.mm.default, a, b)
    factor = 2.0**exponent
    scaled = apply(aten.mm.default, Pair(a.high * factor, a.low * factor), b)
    assert torch.equal(scaled.high, plain.high * factor)


def test_a_product_that_cancels_all_of_float64() -> None:
    a = pair_of([1e15, 1.0, -1e15]).high.reshape(1, 3)
    b = torch.tensor([[1.0], [1e-10], [1.0]], dtype=torch.float64)
    result = apply(aten.mm.default, a, b)
    assert_close(result, [m.mpf(1e-10)], 2.0**-20)


def test_forms_of_a_product_agree() -> None:
    a, b, x = random_pair(4, 3), random_pair(3, 5, seed=1), random_pair(4, 5, seed=2)
    plain = apply(aten.mm.default, a, b)
    batched = apply(aten.bmm.default, part(a, None), part(b, None))
    assert torch.equal(batched.high[0], plain.high)
    added = apply(aten.addmm.default, x, a, b, beta=0.5, alpha=3)
    expected = [each / 2 + 3 * other for each, other in zip(exact(x), exact(plain), strict=True)]
    assert_close(added, expected, 2.0**-99, 1)
    assert torch.equal(apply(aten.mv.default, a, part(b, (slice(None), 0))).high, plain.high[:, 0])
    ignored = apply(aten.addmm.default, pair_of([float("nan")]), a, b, beta=0)
    assert torch.equal(ignored.high, plain.high)


CONVOLUTIONS = [
    # dimensions, stride, padding, dilation, transposed, output padding, groups
    (1, 1, 0, 1, False, 0, 1),
    (1, 2, 1, 2, False, 0, 2),
    (2, 2, 1, 1, False, 0, 1),
    (2, 1, 1, 1, False, 0, 2),
    (2, 2, 1, 1, True, 1, 1),
    (1, 3, 1, 2, True, 1, 2),
    (3, 2, 1, 1, False, 0, 1),
]


@pytest.mark.parametrize(
    ("dims", "stride", "padding", "dilation", "transposed", "output_padding", "groups"), CONVOLUTIONS
)
def test_convolutions_and_their_gradients(
    dims: int, stride: int, padding: int, dilation: int, transposed: bool, output_padding: int, groups: int
) -> None:
    """Integers small enough for float64 to be exact are the oracle; then full pairs by bilinearity."""
    generator = torch.Generator().manual_seed(3)
    sizes = [7, 6, 5][:dims]

    def integers(*shape: int) -> Tensor:
        return torch.randint(-9, 10, shape, generator=generator).double()

    x, bias = integers(2, 4, *sizes), integers(4)
    weight = integers(4, 4 // groups, *[3] * dims)
    options = ([stride] * dims, [padding] * dims, [dilation] * dims, transposed, [output_padding] * dims, groups)
    plain = aten.convolution(x, weight, bias, *options)
    assert torch.equal(apply(aten.convolution.default, x, weight, bias, *options).high, plain)
    gradient = integers(*plain.shape)
    expected = aten.convolution_backward(gradient, x, weight, [4], *options, [True] * 3)
    got = apply(aten.convolution_backward.default, gradient, x, weight, [4], *options, [True] * 3)
    for mine, theirs in zip(got, expected, strict=True):
        assert torch.equal(mine.high, theirs)
    tiny = 2.0**-70
    low = apply(aten.convolution.default, Pair(x, integers(*x.shape) * tiny), weight, None, *options)
    rest = (low.high - (plain - bias.reshape(1, -1, *[1] * dims))) + low.low
    assert float(rest.abs().max()) > 0 and float(rest.abs().max()) < 1e5 * tiny


def hilbert(size: int) -> Pair:
    rows = [[m.mpf(1) / (i + j + 1) for j in range(size)] for i in range(size)]
    high = torch.tensor([[float(each) for each in row] for row in rows], dtype=torch.float64)
    low = torch.tensor([[float(each - float(each)) for each in row] for row in rows], dtype=torch.float64)
    return Pair(high, low)


@pytest.mark.parametrize(("a", "condition"), [(random_pair(6, 6), 1e3), (hilbert(10), 1e14)], ids=["random", "hilbert"])
def test_systems_of_equations(a: Pair, condition: float) -> None:
    size = a.shape[0]
    b = random_pair(size, 2, seed=5)
    bound = 2.0**-100 * condition
    exact_a = matrix(a)
    inverse = exact_a**-1
    scale = max(map(abs, inverse))
    assert_close(apply(aten.linalg_inv_ex.default, a)[0], list(inverse), bound, scale)
    solution = inverse * matrix(b)
    got = apply(aten._linalg_solve_ex.default, a, b)
    assert_close(got[0], list(solution), bound * 4, scale)
    determinant = m.det(exact_a)
    assert_close(apply(aten._linalg_det.default, a)[0], [determinant], bound)
    sign, logarithm, *_ = apply(aten._linalg_slogdet.default, a)
    assert_close(logarithm, [m.log(abs(determinant))], bound, 1)
    assert float(sign.high) == (1 if determinant > 0 else -1)
    for adjoint, left in itertools.product((False, True), (False, True)):
        right = b if left else Pair(b.high.mT, b.low.mT)
        x = apply(aten.linalg_lu_solve.default, got[1], got[2], right, left=left, adjoint=adjoint)
        turned = inverse.T if adjoint else inverse
        expected = turned * matrix(right) if left else matrix(right) * turned
        assert_close(x, list(expected), bound * 4, scale)


def test_roots_of_matrices() -> None:
    factor = random_pair(5, 5)
    a = apply(aten.mm.default, factor, Pair(factor.high.mT, factor.low.mT))
    root, info = apply(aten.linalg_cholesky_ex.default, a)
    assert int(info) == 0
    assert_close(root, list(m.cholesky(matrix(a))), 2.0**-90, 1)
    _, info = apply(aten.linalg_cholesky_ex.default, torch.diag(torch.tensor([1.0, -1.0, 1.0]).double()))
    assert int(info) == 2


def test_batches_of_systems_pivot_each_for_itself() -> None:
    a = torch.stack([torch.tensor([[0.0, 1.0], [2.0, 0.0]]), torch.tensor([[4.0, 1.0], [2.0, 3.0]])]).double()
    inverse = apply(aten.linalg_inv_ex.default, a)[0]
    assert torch.allclose(inverse.high, torch.linalg.inv(a), rtol=1e-15)
    assert torch.equal(apply(aten._linalg_solve_ex.default, a, a)[2], torch.linalg.lu_factor(a)[1])
    _, info = apply(aten.linalg_inv_ex.default, torch.zeros(2, 2).double())
    assert int(info) == 1
