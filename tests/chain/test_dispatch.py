"""The essential orders: which they are, what they cost, and how far from the optimum the best of them is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.orders import every_tree, multiplications, products
from wellposed import matrix_chain_multiplication
from wellposed.chain import dispatcher

_sizes = st.integers(0, 30)


@pytest.mark.parametrize("matrices", range(1, 8))
def test_they_are_the_orders_with_one_dimension_in_every_product(matrices):
    fans = set()
    for tree in every_tree(0, matrices):
        spans = [set(span) for span in products(tree)]
        if not spans or set.intersection(*spans):
            fans.add(tree)

    few = dispatcher(matrices)
    assert {each.order for each in few.orders} == fans
    assert sorted(hub for each in few.orders for hub in each.hubs) == list(range(matrices + 1))
    for each in few.orders:
        assert all(set(each.hubs) <= set(span) for span in products(each.order))


@given(st.lists(_sizes, min_size=2, max_size=12))
def test_the_cheapest_is_chosen_and_is_at_most_twice_the_optimum(dimensions):
    few = dispatcher(len(dimensions) - 1)
    chosen = few.choose(dimensions)
    best = matrix_chain_multiplication(dimensions).cost

    costs = [multiplications(each.order, dimensions) for each in few.orders]
    assert few.cost(dimensions) == multiplications(chosen.order, dimensions) == min(costs)
    assert best <= min(costs) <= 2 * best
    if len(dimensions) <= 5:
        assert min(costs) == best


def test_sizes_by_name():
    few = dispatcher(["n", "n", 3, "m"])

    assert few.cost({"n": 4, "m": 5}) == matrix_chain_multiplication([4, 4, 3, 5]).cost
    assert few.choose([4, 4, 3, 5]) == few.choose({"n": 4, "m": 5, "other": 7})


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: dispatcher(0), "at least one matrix, not 0"),
        (lambda: dispatcher(True), "not True"),
        (lambda: dispatcher("nm"), "not 'nm'"),
        (lambda: dispatcher(["n"]), "at least two"),
        (lambda: dispatcher(["n", -1]), "dimension 1 is -1"),
        (lambda: dispatcher(["n", "m"]).choose({"n": 3}), "there is no size for 'm'"),
        (lambda: dispatcher(["n", "m"]).choose([3, 4, 5]), "3 dimensions were given for a chain that has 2"),
        (lambda: dispatcher(["n", "n"]).choose([3, 4]), "dimension 1, 'n', is 4, but 3 elsewhere"),
        (lambda: dispatcher(["n", 3]).choose([3, 4]), "dimension 1, 3, is 4, but 3 elsewhere"),
    ],
    ids=range(9),
)
def test_what_is_wrong_is_said(ask, sentence):
    with pytest.raises(ValueError, match=sentence):
        ask()
