"""Every cost against every order: gradients, batches, memory, time and sums of them, for up to seven matrices."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chain.orders import every_sequence, every_tree, own_product, products, span
from wellposed import matrix_chain_multiplication
from wellposed.chain import calibration

_chains = st.lists(st.integers(1, 40), min_size=2, max_size=8)


@st.composite
def problems(draw, most=6):
    """Shapes with batches, and which operands need a gradient."""
    matrices = draw(st.integers(1, most))
    dimensions = draw(st.lists(st.integers(1, 12), min_size=matrices + 1, max_size=matrices + 1))
    full = draw(st.lists(st.integers(1, 6), max_size=2))
    shapes = []
    for i in range(matrices):
        axes = draw(st.integers(0, len(full)))
        batch = [size if draw(st.booleans()) else 1 for size in full[len(full) - axes :]]
        shapes.append((*batch, *dimensions[i : i + 2]))
    return shapes, draw(st.lists(st.booleans(), min_size=matrices, max_size=matrices))


def batch(shapes, low, high):
    together = {}
    for shape in shapes[low:high]:
        for axis, size in enumerate(reversed(shape[:-2])):
            together[axis] = max(size, together.get(axis, 1))
    return math.prod(together.values())


def elements(shapes, low, high):
    return batch(shapes, low, high) * shapes[low][-2] * shapes[high - 1][-1]


def counted(tree, shapes, gradients):
    """Multiplications of one order: of the products, and of the backward pass of those that need one."""
    total = 0
    for i, k, j in products(tree):
        once = batch(shapes, i, j) * shapes[i][-2] * shapes[k][-2] * shapes[j - 1][-1]
        total += once * (1 + any(gradients[i:k]) + any(gradients[k:j]))
    return total


def moved(tree, shapes, gradients):
    total = 0
    for i, k, j in products(tree):
        once = elements(shapes, i, k) + elements(shapes, k, j) + elements(shapes, i, j)
        total += once * (1 + any(gradients[i:k]) + any(gradients[k:j]))
    return total


def peak(tree, shapes):
    """The least peak of one order, by trying which factor to make first at each product."""
    if isinstance(tree, int):
        return 0
    i, _k, j = own_product(tree)
    sizes = [0 if isinstance(part, int) else elements(shapes, *span(part)) for part in tree]
    peaks = [peak(part, shapes) for part in tree]
    last = sum(sizes) + elements(shapes, i, j)
    return min(max(last, peaks[0], sizes[0] + peaks[1]), max(last, peaks[1], sizes[1] + peaks[0]))


def peak_of_sequence(dimensions, sequence):
    """What is alive at once, counted step by step."""
    left, alive, most = list(range(len(dimensions))), {}, 0
    for k in sequence:
        at = left.index(k)
        i, j = left[at - 1], left[at + 1]
        del left[at]
        alive[i, j] = dimensions[i] * dimensions[j]
        most = max(most, sum(alive.values()))
        alive.pop((i, k), None)
        alive.pop((k, j), None)
    return most


@given(problems())
def test_multiplications_with_batches_and_gradients(problem):
    shapes, gradients = problem
    plan = matrix_chain_multiplication(shapes, requires_grad=gradients)

    assert plan.cost == counted(plan.order, shapes, gradients)
    assert plan.cost == min(counted(tree, shapes, gradients) for tree in every_tree(0, len(shapes)))
    assert plan.cost == sum(product.multiplications for product in plan.products)
    left = 0
    for operand in range(1, len(shapes)):
        left = (left, operand)
    assert plan.cost_as_written == counted(left, shapes, gradients)
    assert plan.peak_elements == peak(plan.order, shapes)


@given(problems())
def test_memory_is_the_least_and_of_those_the_fewest_multiplications(problem):
    shapes, gradients = problem
    plan = matrix_chain_multiplication(shapes, minimize="memory", requires_grad=gradients)

    orders = [(peak(tree, shapes), counted(tree, shapes, gradients)) for tree in every_tree(0, len(shapes))]
    assert (plan.peak_elements, plan.cost) == min(orders)
    assert plan.value == plan.peak_elements


@given(problems(), st.data())
def test_the_front_is_what_no_order_beats_and_limits_cut_it(problem, data):
    shapes, gradients = problem
    plan = matrix_chain_multiplication(shapes, requires_grad=gradients)
    orders = {(peak(tree, shapes), counted(tree, shapes, gradients)) for tree in every_tree(0, len(shapes))}

    front = [(each.peak_elements, each.cost) for each in plan.pareto()]
    unbeaten = [
        one for one in orders if not any(other != one and other[0] <= one[0] and other[1] <= one[1] for other in orders)
    ]
    assert front == sorted(unbeaten)

    limit = data.draw(st.sampled_from(sorted({one for one, _ in orders})))
    limited = matrix_chain_multiplication(shapes, memory_limit=limit, requires_grad=gradients)
    assert limited.peak_elements <= limit
    assert limited.cost == min(cost for one, cost in orders if one <= limit)
    if front[0][0]:
        with pytest.raises(ValueError, match=f"the least possible is {front[0][0]:,}"):
            matrix_chain_multiplication(shapes, memory_limit=front[0][0] - 1)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 30), min_size=2, max_size=8))
def test_no_interleaving_of_products_needs_less_memory(dimensions):
    plan = matrix_chain_multiplication(dimensions, minimize="memory")

    assert plan.peak_elements == peak_of_sequence(dimensions, plan.sequence)
    assert plan.peak_elements == min(
        peak_of_sequence(dimensions, sequence) for sequence in every_sequence(len(dimensions) - 1)
    )


@given(
    problems(),
    st.fixed_dictionaries(
        {"multiplications": st.integers(0, 3), "moved": st.integers(0, 9), "memory": st.integers(0, 50)}
    ).filter(lambda weights: any(weights.values())),
    st.booleans(),
)
def test_weighted_sums(problem, weights, limited):
    shapes, gradients = problem
    orders = [
        (
            weights["multiplications"] * counted(tree, shapes, gradients)
            + weights["moved"] * moved(tree, shapes, gradients)
            + weights["memory"] * peak(tree, shapes),
            peak(tree, shapes),
        )
        for tree in every_tree(0, len(shapes))
    ]
    limit = sorted(one for _, one in orders)[len(orders) // 2] if limited else None
    plan = matrix_chain_multiplication(shapes, minimize=weights, requires_grad=gradients, memory_limit=limit)

    assert plan.value == pytest.approx(min(value for value, one in orders if limit is None or one <= limit))


def test_time_trades_multiplications_for_elements_moved(monkeypatch, tmp_path):
    monkeypatch.setattr(calibration, "cache_file", lambda: tmp_path / "times.json")
    dimensions = [6, 154, 718, 2, 2]
    shapes = list(itertools.pairwise(dimensions))

    for arithmetic, element in ((1e-11, 1e-10), (1e-12, 1e-9)):
        monkeypatch.setattr(calibration, "DEFAULT", calibration.Coefficients(arithmetic, element))
        plan = matrix_chain_multiplication(dimensions, minimize="time")
        best = min(
            arithmetic * counted(tree, shapes, [False] * 4) + element * moved(tree, shapes, [False] * 4)
            for tree in every_tree(0, 4)
        )
        assert plan.value == pytest.approx(best)
        assert plan.minimize.name == "time"


def test_coefficients_are_measured_kept_and_read_again(monkeypatch, tmp_path):
    pytest.importorskip("numpy")
    file = tmp_path / "deep" / "times.json"
    monkeypatch.setattr(calibration, "cache_file", lambda: file)
    monkeypatch.setattr(calibration, "_SQUARE", 64)
    monkeypatch.setattr(calibration, "_LONG", 64)

    assert calibration.coefficients() == calibration.DEFAULT
    measured, where = calibration.calibrate()
    assert where == file
    assert calibration.coefficients() == measured
    for damaged in ("{", "[]", '{"seconds_per_multiplication": -1, "seconds_per_element": 1}', "\xff"):
        file.write_text(damaged, encoding="latin-1")
        assert calibration.coefficients() == calibration.DEFAULT


def test_two_equations_give_both_coefficients():
    def seconds(multiplications, elements):
        return 2e-11 * multiplications + 3e-10 * elements, multiplications, elements

    solved = calibration.solve(seconds(10**9, 3 * 10**6), seconds(10**7, 10**7 + 6000))
    assert solved.seconds_per_multiplication == pytest.approx(2e-11)
    assert solved.seconds_per_element == pytest.approx(3e-10)
    noisy = calibration.solve((1.0, 10**9, 3 * 10**6), (1e-9, 10**7, 10**7))
    assert noisy.seconds_per_multiplication > 0 and noisy.seconds_per_element > 0
