"""Reductions, softmaxes, norms and scattered sums in double-double against mpmath."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shadow.double_double_oracle import (
    EXACT,
    apply,
    assert_close,
    aten,
    exact,
    floats,
    pair_of,
    part,
    random_pair,
)
from wellposed.shadow.double_double.arithmetic import Pair

m = EXACT


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
