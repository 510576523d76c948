"""Operands with a structure: counts against counting, structures against matrices, orders against all orders."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chain.orders import every_tree, products
from wellposed import matrix_chain_multiplication
from wellposed.chain import Operand
from wellposed.chain.operand import STRUCTURES, Products, matrix_of, multiplications, product_of

numpy = pytest.importorskip("numpy")

_patterns = ["general", "diagonal", "lower triangular", "upper triangular"]


def pattern(operand: Operand):
    """Where a matrix of this structure may have elements, as ones."""
    ones = numpy.ones(operand.shape, dtype=int)
    made = {
        "diagonal": lambda: numpy.eye(operand.shape[0], dtype=int),
        "lower triangular": lambda: numpy.tril(ones),
        "upper triangular": lambda: numpy.triu(ones),
    }.get(operand.structure, lambda: ones)()
    return made.T if operand.transposed else made


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("left", _patterns)
@pytest.mark.parametrize("right", _patterns)
@pytest.mark.parametrize("transposed", [False, True])
def test_multiplications_are_the_pairs_of_elements_that_meet(left, right, transposed, size):
    one, other = Operand((size, size), left, transposed=transposed), Operand((size, size), right)
    meeting = int((pattern(one).sum(0) * pattern(other).sum(1)).sum())

    assert multiplications(matrix_of(one), matrix_of(other)) == meeting
    made = product_of(matrix_of(one), matrix_of(other))
    filled = (pattern(one) @ pattern(other)) != 0
    assert made.lower == bool((filled == numpy.tril(filled)).all()) or size == 1
    assert made.upper == bool((filled == numpy.triu(filled)).all()) or size == 1


def cost(*operands):
    return matrix_chain_multiplication(operands).cost


def test_what_each_structure_saves():
    square, wide = (6, 6), (6, 4)
    assert cost(Operand(square), wide) == 6 * 6 * 4
    assert cost(Operand(square, "symmetric"), wide) == 6 * 6 * 4
    assert cost(Operand(square, "identity"), wide) == 0
    assert cost(Operand(square, "diagonal"), wide) == 6 * 4
    assert cost(Operand(square, "diagonal", inverse=True), wide) == 6 * 4
    assert cost(Operand(square, "lower triangular"), wide) == 21 * 4
    assert cost(Operand(square, "lower triangular", inverse=True), wide) == 21 * 4
    assert cost(Operand(square, "orthogonal", inverse=True), wide) == 6 * 6 * 4
    assert cost(Operand(square, inverse=True), wide) == 72 + 36 * 4
    assert cost(Operand(square, "positive definite", inverse=True), wide) == 36 + 36 * 4
    assert cost((4, 6), Operand(square, inverse=True)) == 72 + 36 * 4
    assert cost(Operand(square, inverse=True), Operand(square, inverse=True)) == 72 + 2 * 216
    assert cost(Operand(square, density=0.25), wide) == 36
    assert cost(Operand(square, density=0.25), Operand(wide, density=0.5)) == 18
    assert cost(Operand((4, 6), transposed=True), Operand((4, 3))) == 6 * 4 * 3
    # Held as 60×2 · 2×50: times a vector, and then made one array.
    assert cost(Operand((60, 50), rank=2), (50,)) == 2 * 50 + 60 * 2


def test_an_inverse_is_applied_to_the_thin_side():
    plan = matrix_chain_multiplication([Operand((100, 100), inverse=True), (100, 100), (100, 1)])
    assert plan.expression == "A0·(A1·A2)"
    assert plan.cost == 100 * 100 + 333_334 + 100 * 100
    assert plan.cost_as_written == 333_334 + 100**3 + 100 * 100
    assert sum(product.multiplications for product in plan.products) == plan.cost


def test_a_diagonal_changes_the_order():
    shapes = [(50, 50), (50, 50), (50, 20)]
    assert matrix_chain_multiplication(shapes).expression == "A0·(A1·A2)"
    # A product with a diagonal matrix costs as many multiplications as the other has elements.
    scaled = matrix_chain_multiplication([(50, 50), Operand((50, 50), "diagonal"), (50, 20)])
    assert scaled.cost == 50 * 20 + 50 * 50 * 20


def declared(structure, transposed, inverse, sparse, rank, rows, columns):
    """An operand that contradicts nothing; square where its structure says so."""
    if structure != "general" or inverse:
        return Operand((rows, rows), structure, transposed=transposed, inverse=inverse)
    shape = (columns, rows) if transposed else (rows, columns)
    if rank:
        return Operand(shape, transposed=transposed, rank=min(rank, *shape))
    return Operand(shape, transposed=transposed, density=0.5 if sparse else 1.0)


@st.composite
def chains(draw):
    rows, operands = draw(st.integers(1, 9)), []
    for _ in range(draw(st.integers(1, 6))):
        operand = declared(
            draw(st.sampled_from(STRUCTURES)), draw(st.booleans()), draw(st.booleans()), draw(st.booleans()),
            draw(st.integers(0, 2)), rows, draw(st.integers(1, 9)),
        )  # fmt: skip
        operands.append(operand)
        rows = matrix_of(operand).columns
    return operands


@settings(max_examples=60)
@given(chains())
def test_no_order_has_fewer_multiplications(operands):
    plan = matrix_chain_multiplication(operands)
    table = Products(operands)

    assert plan.cost == sum(table.cost(*spans) for spans in products(plan.order))
    assert plan.cost == min(
        sum(table.cost(*spans) for spans in products(tree)) for tree in every_tree(0, len(operands))
    )


@settings(max_examples=60)
@given(chains())
def test_what_a_product_is_depends_on_no_order(operands):
    """But for densities, which are estimates: the dynamic programme relies on it."""

    def made(tree):
        if isinstance(tree, int):
            return matrix_of(operands[tree])
        return product_of(made(tree[0]), made(tree[1]))

    kinds = {
        (each.rows, each.columns, each.lower, each.upper, each.identity, each.orthogonal, each.solved, each.rank)
        for each in map(made, every_tree(0, len(operands)))
    }
    assert len(kinds) == 1


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Operand((3, 4), "diagonal"), "is not square, so it is not diagonal"),
        (lambda: Operand((3, 4), inverse=True), "is not square, so it is not inverse"),
        (lambda: Operand((3, 3), "triangular"), "there are general, .*did you mean"),
        (lambda: Operand((2, 3, 3)), "has two dimensions"),
        (lambda: Operand((3, 3), density=0.0), "density is 0.0"),
        (lambda: Operand((3, 3), rank=4), "rank is 4"),
        (lambda: Operand((3, 3), "diagonal", rank=1), "no other structure"),
        (lambda: cost(Operand((3, 4), transposed=True), (4, 3)), "operand 0 has 3 columns, but operand 1 has 4 rows"),
        (lambda: cost(Operand((3, 3)), (2, 3, 4)), "no batch dimensions"),
        (lambda: matrix_chain_multiplication([Operand((3, 3))], minimize="memory"), "fewest multiplications"),
        (lambda: matrix_chain_multiplication([Operand((3, 3))]).pareto(), "fewest multiplications"),
        (lambda: matrix_chain_multiplication([Operand((3, 3))] * 201), "are too many with structures"),
    ],
    ids=range(12),
)
def test_what_contradicts_itself_is_said(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()
