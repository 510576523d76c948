"""Reductions, products of matrices, convolutions and systems in double-double against mpmath, normwise."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.shadow.double_double_oracle import EXACT, apply, assert_close, aten, exact, floats, pair_of
from wellposed.shadow.double_double.arithmetic import Pair, settle

m = EXACT


def random_pair(*shape: int, seed: int = 0, spread: float = 0.0) -> Pair:
    """Normal numbers with low parts; with a spread, over that many powers of ten."""
    generator = torch.Generator().manual_seed(seed)
    high = torch.randn(shape, generator=generator, dtype=torch.float64)
    high = high * 10 ** (spread * torch.rand(shape, generator=generator, dtype=torch.float64))
    return settle(high, high * torch.randn(shape, generator=generator, dtype=torch.float64) * 2.0**-56)


def part(x: Pair, index: Any) -> Pair:
    return Pair(x.high[index], x.low[index])


def matrix(x: Pair) -> Any:
    return m.matrix([exact(part(x, row)) for row in range(x.shape[0])])


@settings(deadline=None, max_examples=40)
@given(x=floats(-1e200, 1e200))
def test_sums(x: Pair) -> None:
    terms = exact(x)
    size = sum(map(abs, terms))
    assert_close(apply(aten.sum.default, x), [m.fsum(terms)], 2.0**-100, size)
    assert_close(apply(aten.mean.default, x), [m.fsum(terms) / len(terms)], 2.0**-100, size)
    partial = [m.fsum(terms[: place + 1]) for place in range(len(terms))]
    assert_close(apply(aten.cumsum.default, x, 0), partial, 2.0**-100, size)


def test_a_sum_that_cancels_all_of_float64() -> None:
    x = pair_of([1e16, 1.0, -1e16, 1e-10] * 1000)
    assert_close(apply(aten.sum.default, x), [m.fsum(exact(x))], 2.0**-60)


@settings(deadline=None, max_examples=40)
@given(x=floats(0.01, 100))
def test_products(x: Pair) -> None:
    terms = exact(x)
    assert_close(apply(aten.prod.default, x), [m.fprod(terms)])
    assert_close(apply(aten.cumprod.default, x, 0), [m.fprod(terms[: place + 1]) for place in range(len(terms))])


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e8])
def test_moments(offset: float) -> None:
    x = random_pair(7, 5)
    x = apply(aten.add.Scalar, x, offset)
    for column in range(5):
        terms = exact(part(x, (slice(None), column)))
        middle = m.fsum(terms) / 7
        spread = m.fsum((each - middle) ** 2 for each in terms)
        bound = 2.0**-96 * max(1.0, offset)
        variance, mean = apply(aten.var_mean.correction, x, [0], correction=1)
        assert_close(part(mean, column), [middle])
        assert_close(part(variance, column), [spread / 6], bound)
        assert_close(part(apply(aten.std.correction, x, [0], correction=0), column), [m.sqrt(spread / 7)], bound)


@pytest.mark.parametrize("order", [0.0, 1.0, 2.0, 3.0, 0.5, float("inf"), float("-inf")])
@pytest.mark.parametrize("scale", [1.0, 1e300, 1e-280])
def test_norms_neither_overflow_nor_vanish(order: float, scale: float) -> None:
    x = random_pair(3, 4)
    x = Pair(x.high * scale, x.low * scale)
    result = apply(aten.linalg_vector_norm.default, x, order, [1])
    for row in range(3):
        sizes = [abs(each) for each in exact(part(x, row))]
        expected = {0.0: m.mpf(4), float("inf"): max(sizes), float("-inf"): min(sizes)}.get(order)
        if expected is None:
            expected = m.fsum(each ** m.mpf(order) for each in sizes) ** (1 / m.mpf(order))
        assert_close(part(result, row), [expected], 2.0**-94)


@settings(deadline=None, max_examples=40)
@given(x=floats(-300, 300), shift=st.sampled_from([0.0, 1e4, -700.0]))
def test_softmaxes(x: Pair, shift: float) -> None:
    x = apply(aten.add.Scalar, x, shift)
    terms = exact(x)
    powers = [m.exp(each - max(terms)) for each in terms]
    total = m.fsum(powers)
    assert_close(apply(aten._softmax.default, x, 0, False), [each / total for each in powers])
    others = powers[:]
    others.remove(m.mpf(1))
    logarithm = m.log1p(m.fsum(others))
    logarithms = [each - max(terms) - logarithm for each in terms]
    assert_close(apply(aten._log_softmax.default, x, 0, False), logarithms)
    assert_close(apply(aten.logsumexp.default, x, [0]), [max(terms) + logarithm], 2.0**-98, 1 + abs(max(terms)))


def test_the_logarithm_of_a_probability_that_is_almost_one() -> None:
    x = pair_of([0.0, -60.0, -61.0])
    rest = m.exp(-60) + m.exp(-61)
    assert_close(part(apply(aten._log_softmax.default, x, 0, False), slice(0, 1)), [-m.log1p(rest)])


def test_gradients_of_softmaxes() -> None:
    x, gradient = random_pair(6, seed=1), random_pair(6, seed=2)
    y = apply(aten._softmax.default, x, 0, False)
    g, probabilities = exact(gradient), exact(y)
    inner = m.fdot(g, probabilities)
    expected = [each * (slope - inner) for each, slope in zip(probabilities, g, strict=True)]
    result = apply(aten._softmax_backward_data.default, gradient, y, 0, torch.float64)
    assert_close(result, expected, 2.0**-98, 1)
    logarithms = apply(aten._log_softmax.default, x, 0, False)
    expected = [slope - each * m.fsum(g) for each, slope in zip(probabilities, g, strict=True)]
    result = apply(aten._log_softmax_backward_data.default, gradient, logarithms, 0, torch.float64)
    assert_close(result, expected, 2.0**-98, 1)


def test_layer_norm_and_its_gradient() -> None:
    x, weight, bias = random_pair(2, 5), random_pair(5, seed=1), random_pair(5, seed=2)
    result, mean, inverse = apply(aten.native_layer_norm.default, x, [5], weight, bias, 1e-5)
    for row in range(2):
        terms = exact(part(x, row))
        middle = m.fsum(terms) / 5
        root = m.sqrt(m.fsum((each - middle) ** 2 for each in terms) / 5 + m.mpf(1e-5))
        normal = [(each - middle) / root for each in terms]
        affine = [each * w + b for each, w, b in zip(normal, exact(weight), exact(bias), strict=True)]
        assert_close(part(result, row), affine, 2.0**-98, 1)
        gradient = random_pair(2, 5, seed=3)
        got = apply(aten.native_layer_norm_backward.default, gradient, x, [5], mean, inverse, weight, bias, [True] * 3)[
            0
        ]
        inner = [g * w for g, w in zip(exact(part(gradient, row)), exact(weight), strict=True)]
        about, along = m.fsum(inner) / 5, m.fdot(inner, normal) / 5
        expected = [(each - about - n * along) / root for each, n in zip(inner, normal, strict=True)]
        assert_close(part(got, row), expected, 2.0**-95, 1)


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


@settings(deadline=None, max_examples=30)
@given(x=floats(-1e5, 1e5), rows=st.lists(st.integers(0, 2), min_size=12, max_size=12))
def test_sums_that_scatter(x: Pair, rows: list[int]) -> None:
    index = torch.tensor(rows[: len(x.high)])
    terms = exact(x)
    expected = [m.fsum(each for each, row in zip(terms, index.tolist(), strict=True) if row == k) for k in range(3)]
    scale = max(map(abs, terms))
    start = pair_of([0.0] * 3)
    assert_close(apply(aten.scatter_add.default, start, 0, index, x), expected, 2.0**-99, scale)
    assert_close(apply(aten.index_add.default, start, 0, index, x), expected, 2.0**-99, scale)
    assert_close(apply(aten.index_put.default, start, [index], x, True), expected, 2.0**-99, scale)
    column = Pair(x.high[:, None], x.low[:, None])
    embedded = apply(aten.embedding_dense_backward.default, column, index, 3, -1, False)
    assert_close(embedded, expected, 2.0**-99, scale)


def test_extremes_look_at_the_low_half() -> None:
    x = pair_of([1.0, 1.0, 1.0, -2.0], [0.1, 0.5, -0.5, 0.0])
    values, index = apply(aten.max.dim, x, 0)
    assert int(index) == 1 and exact(values)[0] == max(exact(x))
    assert apply(aten.sort.default, x)[1].tolist() == [3, 2, 0, 1]
    assert apply(aten.topk.default, x, 2)[1].tolist() == [1, 0]
    assert int(apply(aten.argmin.default, x)) == 3
    assert exact(apply(aten.median.default, x)) == [sorted(exact(x))[1]]


def test_fused_attention_is_its_formula() -> None:
    q, k, v = (random_pair(1, 2, 4, 3, seed=seed) for seed in range(3))
    mask = torch.ones(4, 4, dtype=torch.bool).tril()
    result, logarithm = apply(aten._scaled_dot_product_flash_attention_for_cpu.default, q, k, v, 0.0, True)
    for head, row in itertools.product(range(2), range(4)):
        scores = [
            m.fdot(exact(part(q, (0, head, row))), exact(part(k, (0, head, place)))) / m.sqrt(3)
            for place in range(4)
            if mask[row, place]
        ]
        powers = [m.exp(each) for each in scores]
        weights = [each / m.fsum(powers) for each in powers]
        expected = [m.fdot(weights, exact(part(v, (0, head, slice(0, row + 1), column)))) for column in range(3)]
        assert_close(part(result, (0, head, row)), expected, 2.0**-97, 1)
        assert_close(part(logarithm, (0, head, row)), [m.log(m.fsum(powers))], 2.0**-97, 1)
