"""Plans: every form of the order, against NumPy, opt_einsum and all orders there are."""

from __future__ import annotations

import itertools
import pickle
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wellposed
from tests.chain.orders import every_tree, least_multiplications, multiplications
from wellposed import Plan, matrix_chain_multiplication
from wellposed.chain import Product

numpy = pytest.importorskip("numpy")

_chains = st.lists(st.integers(1, 12), min_size=2, max_size=9)


def test_the_example_of_the_textbooks():
    plan = matrix_chain_multiplication([50, 5, 100, 10])

    assert isinstance(plan, Plan)
    assert plan.cost == plan.value == 7500
    assert plan.cost_as_written == 75_000
    assert plan.cost_right_to_left == 7500
    assert plan.speedup == 10
    assert plan.order == (0, (1, 2))
    assert plan.path == [(1, 2), (0, 1)]
    assert plan.expression == "A0·(A1·A2)"
    assert plan.peak_elements == 50 + 500
    assert list(plan.sequence) == [2, 1]
    assert plan.products[0] == Product(1, 2, 3, 5, 100, 10, 1, 5000, 50)


@given(_chains)
def test_the_nested_order_costs_what_the_plan_says_and_none_costs_less(dimensions):
    plan = matrix_chain_multiplication(dimensions)

    assert multiplications(plan.order, dimensions) == plan.cost == least_multiplications(dimensions)
    assert sum(product.multiplications for product in plan.products) == plan.cost
    left = right = 0
    for operand in range(1, plan.operands):
        left = (left, operand)
    for operand in range(plan.operands - 1):
        right = (plan.operands - 2 - operand, right if operand else plan.operands - 1)
    if plan.operands > 1:
        assert multiplications(left, dimensions) == plan.cost_as_written
        assert multiplications(right, dimensions) == plan.cost_right_to_left


@given(_chains)
def test_expression_and_path_are_the_same_order(dimensions):
    plan = matrix_chain_multiplication(dimensions)

    class Noted:
        """Writes down what is multiplied with what."""

        def __init__(self, order):
            self.order = order

        def __matmul__(self, other):
            return Noted((self.order, other.order))

    python = plan.expression.replace("·", "@")
    names = {f"A{i}": Noted(i) for i in range(plan.operands)}
    assert eval(python, names).order == plan.order

    left = [(i, i + 1, i) for i in range(plan.operands)]
    for step in plan.path:
        taken = sorted(left.pop(at) for at in sorted(step, reverse=True))
        if len(taken) == 2:
            (first, middle, one), (again, end, other) = taken
            assert middle == again
            left.append((first, end, (one, other)))
        else:
            left += taken
    assert [order for _, _, order in left] == [plan.order]


@given(_chains)
def test_numpy_takes_the_path_and_multiplies_by_it(dimensions):
    rng = numpy.random.default_rng(3)
    operands = [rng.integers(-3, 4, size) for size in itertools.pairwise(dimensions)]
    letters = string.ascii_letters
    inputs = ",".join(letters[i : i + 2] for i in range(len(operands)))
    plan = matrix_chain_multiplication(dimensions)

    equation = f"{inputs}->{letters[0]}{letters[len(operands)]}"
    path = ["einsum_path", *plan.path]
    told = numpy.einsum_path(equation, *operands, optimize=path)[0]
    result = numpy.einsum(equation, *operands, optimize=path)

    assert told[1:] == plan.path
    expected = operands[0]
    for operand in operands[1:]:
        expected = expected @ operand
    assert (result == expected).all()


def test_opt_einsum_takes_the_path_and_finds_no_cheaper_one():
    opt_einsum = pytest.importorskip("opt_einsum")
    rng = random.Random(11)
    for _ in range(60):
        dimensions = [rng.randint(2, 60) for _ in range(rng.randint(3, 10))]
        plan = matrix_chain_multiplication(dimensions)
        inputs = ",".join(string.ascii_letters[i : i + 2] for i in range(plan.operands))
        equation = f"{inputs}->a{string.ascii_letters[plan.operands]}"
        shapes = list(itertools.pairwise(dimensions))

        path, ours = opt_einsum.contract_path(equation, *shapes, shapes=True, optimize=plan.path)
        _, theirs = opt_einsum.contract_path(equation, *shapes, shapes=True, optimize="dp")

        assert path == plan.path
        assert ours.opt_cost == 2 * plan.cost  # it counts additions too
        assert ours.opt_cost <= theirs.opt_cost


def test_a_matrix_alone_and_two():
    alone = matrix_chain_multiplication([7, 3])
    assert (alone.cost, alone.order, alone.path, alone.expression, alone.products) == (0, 0, [(0,)], "A0", ())
    assert alone.peak_elements == 0 and alone.speedup == 1

    two = matrix_chain_multiplication([7, 3, 2])
    assert (two.cost, two.order, two.path, two.expression) == (42, (0, 1), [(0, 1)], "A0·A1")


def test_speedups_without_multiplications():
    assert matrix_chain_multiplication([3, 0, 4, 5]).speedup == float("inf")
    assert matrix_chain_multiplication([0, 3, 4, 5]).speedup == 1
    assert matrix_chain_multiplication([0, 3, 4, 5]).cost == 0


def test_costs_are_exact_beyond_any_machine_number():
    edge = 2**63 - 1
    plan = matrix_chain_multiplication([edge, edge, edge, 1])

    assert plan.cost == 2 * edge**2
    assert plan.cost_as_written == edge**3 + edge**2
    assert plan.peak_elements == 2 * edge


def test_the_peak_is_that_of_the_better_sequence_and_the_path_keeps_to_it():
    # Both factors of the last product are intermediates; making the right one needs 1000 elements in passing.
    plan = matrix_chain_multiplication([30, 2, 30, 1, 1000, 1, 30])
    live = peak = 0
    sizes = {}
    for product in plan.products:
        live += product.elements
        peak = max(peak, live)
        sizes[product.first, product.end] = product.elements
        live -= sizes.get((product.first, product.split), 0) + sizes.get((product.split, product.end), 0)

    assert peak == plan.peak_elements
    assert live == 30 * 30


def test_plans_are_values():
    plan = matrix_chain_multiplication([10, 100, 5, 50])

    assert plan == matrix_chain_multiplication((10, 100, 5, 50))
    assert plan != matrix_chain_multiplication([10, 100, 5, 51])
    assert pickle.loads(pickle.dumps(plan)) == plan
    assert len({plan, matrix_chain_multiplication([10, 100, 5, 50])}) == 1


def test_the_public_face():
    assert wellposed.matrix_chain_multiplication is matrix_chain_multiplication
    assert wellposed.Plan is Plan


def test_every_form_of_a_long_chain():
    dimensions = [1 + (i * 7919) % 101 for i in range(50_001)]
    plan = matrix_chain_multiplication(dimensions)

    assert plan.expression.count("(") == plan.expression.count(")") <= 49_998
    assert len(plan.path) == 49_999
    assert len(repr(plan).splitlines()) < 40
    assert plan.cost < plan.cost_as_written


def test_few_trees_are_all_there_are():
    assert [sum(1 for _ in every_tree(0, n)) for n in range(1, 8)] == [1, 1, 2, 5, 14, 42, 132]
