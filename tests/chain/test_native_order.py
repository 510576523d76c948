"""The planners in C++: exact optima, whatever the dimensions."""

from __future__ import annotations

import random
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.orders import (
    cost_of_sequence,
    every_tree,
    least_multiplications,
    multiplications,
    own_product,
    products,
)
from wellposed import _native

_small = st.integers(1, 6)
_dimension = st.one_of(_small, st.integers(0, 3), st.integers(1, 1000), st.integers(2**62 - 2, 2**63 - 1))
_near = st.integers(1, 10**7).flatmap(lambda base: st.lists(st.integers(base, base + 2), min_size=2, max_size=40))
chains = st.one_of(
    st.lists(_small, min_size=2, max_size=40),
    st.lists(st.integers(1, 10**7), min_size=2, max_size=40),
    st.lists(_dimension, min_size=2, max_size=25),
    _near,
)


def planned(dimensions: list[int]) -> tuple[int, list[int]]:
    cost, packed = _native.chain_order(dimensions)
    return cost, list(memoryview(packed).cast("i"))


@given(chains)
def test_the_order_is_the_optimum_and_costs_what_is_said(dimensions):
    cost, sequence = planned(dimensions)

    assert cost == least_multiplications(dimensions)
    assert cost == cost_of_sequence(dimensions, sequence)


@given(chains)
def test_both_factors_of_a_product_come_before_it_the_left_one_first(dimensions):
    _, sequence = planned(dimensions)

    done = {}
    low, high = list(range(-1, len(dimensions) - 1)), list(range(1, len(dimensions) + 1))
    for step, k in enumerate(sequence):
        i, j = low[k], high[k]
        inside = [done[middle] for middle in range(i + 1, j) if middle != k]
        # The products inside came just before, without a gap: those left of k, then those right of it.
        assert sorted(inside) == [*range(step - len(inside), step)]
        left = [done[middle] for middle in range(i + 1, k)]
        right = [done[middle] for middle in range(k + 1, j)]
        assert not left or not right or max(left) < min(right)
        done[k] = step
        high[i], low[j] = j, i


@given(st.lists(st.integers(0, 9), min_size=2, max_size=8))
def test_no_order_at_all_is_cheaper(dimensions):
    cost, _ = planned(dimensions)

    assert cost == min(multiplications(tree, dimensions) for tree in every_tree(0, len(dimensions) - 1))


@pytest.mark.parametrize(
    ("dimensions", "cost"),
    [
        ([10, 100, 5, 50], 7500),
        ([11, 10, 8, 9, 21], 3751),  # a well-known port says 3789
        ([30, 35, 15, 5, 10, 20, 25], 15125),  # Cormen, Leiserson, Rivest, Stein: Introduction to Algorithms, 15.2
        ([34, 1, 478, 254, 130, 382], 217_080),  # 32 times this in opt_einsum's `auto`
        ([7, 3], 0),
        ([2, 3, 4], 24),
        ([4, 0, 5, 3], 0),
        ([0, 0, 0], 0),
        ([1, 1, 1, 1], 2),
        ([2**63 - 1] * 4, 2 * (2**63 - 1) ** 3),
    ],
)
def test_known_optima(dimensions, cost):
    assert planned(dimensions)[0] == cost == least_multiplications(dimensions)


def test_equal_dimensions_are_multiplied_from_left_to_right():
    assert planned([5] * 9)[1] == list(range(1, 8))


def test_all_three_widths_of_numbers_agree():
    rng = random.Random(5)
    for _ in range(50):
        dimensions = [rng.randint(1, 9) for _ in range(30)]
        cost, sequence = planned(dimensions)
        for shift in (0, 20, 40, 59):  # 64, 128 and 256 bits
            scaled = [dimension << shift for dimension in dimensions]
            assert planned(scaled) == (cost << 3 * shift, sequence)


@pytest.mark.parametrize("shape", ["rising", "falling", "valley", "saw"])
def test_long_chains_need_no_recursion(shape):
    n = 200_000
    make = {
        "rising": lambda i: i + 1,
        "falling": lambda i: n - i + 1,
        "valley": lambda i: 1 + abs(n // 2 - i),
        "saw": lambda i: 1 + i % 2,
    }[shape]
    dimensions = [make(i) for i in range(n + 1)]

    cost, sequence = planned(dimensions)

    assert sorted(sequence) == list(range(1, n))
    assert 0 < cost <= sum(dimensions[0] * dimensions[k] * dimensions[k + 1] for k in range(1, n))


def test_what_is_no_dimension_is_refused():
    for dimensions in ([2**63, 1, 1], [-1, 2, 3]):
        with pytest.raises((ValueError, TypeError)):
            _native.chain_order(dimensions)


def test_other_threads_run_while_a_long_chain_is_planned():
    dimensions = [1 + (i * 7919) % 1009 for i in range(1_000_001)]
    planning = threading.Thread(target=_native.chain_order, args=(dimensions,))
    turns = 0
    planning.start()
    while planning.is_alive():
        turns += 1
    planning.join()
    # Held, the interpreter would let us in only between two of its own instructions: there is one call here.
    assert turns > 1000


@given(st.lists(st.integers(1, 50), min_size=2, max_size=7), st.data())
def test_products_of_the_backward_pass_are_counted(dimensions, data):
    matrices = len(dimensions) - 1
    gradients = data.draw(st.lists(st.booleans(), min_size=matrices, max_size=matrices))

    def price(tree):
        if isinstance(tree, int):
            return 0, gradients[tree]
        (left, needs_left), (right, needs_right) = price(tree[0]), price(tree[1])
        p, q, r = (dimensions[position] for position in own_product(tree))
        return left + right + p * q * r * (1 + needs_left + needs_right), needs_left or needs_right

    cost, _ = _native.chain_interval_order(dimensions, (), gradients)
    assert cost == min(price(tree)[0] for tree in every_tree(0, matrices))


@given(st.lists(st.integers(0, 2**63 - 1), min_size=2, max_size=12))
def test_the_programme_over_intervals_finds_the_same(dimensions):
    cost, packed = _native.chain_interval_order(dimensions)

    assert cost == planned(dimensions)[0] == cost_of_sequence(dimensions, memoryview(packed).cast("i"))


@given(
    st.lists(st.integers(1, 1000), min_size=2, max_size=7), st.sampled_from([0.0, 1.0]), st.sampled_from([0.5, 64.0])
)
def test_weighted_sums_are_least(dimensions, arithmetic, moved):
    def price(i, k, j):
        p, q, r = dimensions[i], dimensions[k], dimensions[j]
        return arithmetic * p * q * r + moved * (p * q + q * r + p * r)

    cost, packed = _native.chain_weighted_order(dimensions, arithmetic, moved)
    least = min(sum(price(*own) for own in products(tree)) for tree in every_tree(0, len(dimensions) - 1))
    assert cost == pytest.approx(least, rel=1e-12)
    assert len(packed) == 4 * (len(dimensions) - 2)
