"""What is a chain and what is not: shapes, vectors, batches, and the sentence for everything else."""

from __future__ import annotations

import pytest

from wellposed import matrix_chain_multiplication
from wellposed.chain.dimensions import batch_sizes, parse

numpy = pytest.importorskip("numpy")


def test_shapes_are_the_same_chain():
    plain = matrix_chain_multiplication([10, 100, 5, 50])

    assert matrix_chain_multiplication([(10, 100), (100, 5), (5, 50)]) == plain
    assert matrix_chain_multiplication([[10, 100], [100, 5], [5, 50]]) == plain
    assert matrix_chain_multiplication(iter([10, 100, 5, 50])) == plain
    assert matrix_chain_multiplication(numpy.array([10, 100, 5, 50])) == plain
    assert matrix_chain_multiplication([numpy.int64(10), 100, numpy.uint8(5), 50]) == plain


def test_vectors_at_the_ends():
    both = parse([(4,), (4, 5), (5,)])
    assert both.dimensions == (1, 4, 5, 1)
    assert both.starts_with_vector and both.ends_with_vector
    assert matrix_chain_multiplication([(9, 9), (9, 9), (9,)]).order == (0, (1, 2))
    assert matrix_chain_multiplication([(4,), (4,)]).cost == 4
    assert parse([(4,)]).dimensions == (1, 4)


@pytest.mark.parametrize("dims", [[3, 4], [0, 0], [1, 1, 1], [(0, 3), (3, 0)], [2**63 - 1, 1]])
def test_small_and_empty_chains_are_chains(dims):
    assert matrix_chain_multiplication(dims).cost >= 0


@pytest.mark.parametrize(
    ("dims", "sentence"),
    [
        ([], "at least one matrix"),
        ([3], "so at least two; there is one"),
        ([3, -1, 2], "dimension 1 is -1, but no dimension is negative"),
        ([3, 2.0, 4], "dimension 1 is 2.0, which is no whole number"),
        ([3, 4, True], "dimension 2 is True, which is no whole number"),
        ([numpy.True_, 4], "dimension 0 is .*True.*, which is no whole number"),
        ([3, None], "dimension 1 is None, which is no whole number"),
        ([3, "4"], "dimension 1 is '4', which is no whole number"),
        ([2**63, 1], "dimension 0 is 9223372036854775808, but dimensions are below 2"),
        ("3x4", "dims are the dimensions or the shapes of a chain"),
        (34, "dims are the dimensions or the shapes of a chain"),
        ([4, (4, 3)], "dimension 1 is .*, which is no whole number"),
        ([(2, 3), 4], "operand 1 is 4, where a shape is expected"),
        ([(2, 3), ()], "operand 1 has the shape"),
        ([(2, 3), (3, 1.5)], "dimension 1 of operand 1 is 1.5, which is no whole number"),
        ([(2, 3), (4, 5)], "operand 0 has 3 columns, but operand 1 has 4 rows: 2×3 times 4×5"),
        ([(2, 3), (3, 4), (5,)], "operand 1 has 4 columns, but operand 2 has 5 rows"),
        ([(2, 3), (3,), (3, 4)], "operand 1 is a vector, of shape .*only the first and the last"),
        ([(2, 3, 4), (4, 4), (5, 4, 5)], r"the batches of operands 0 and 2 do not broadcast: \(2,\) and \(5,\)"),
    ],
    ids=str,
)
def test_what_is_no_chain_is_said_in_one_sentence(dims, sentence):
    with pytest.raises(ValueError, match=sentence):
        matrix_chain_multiplication(dims)


def test_batch_sizes_are_those_of_numpy():
    shapes = [(3, 1, 2, 4), (4, 5), (8, 5, 6), (1, 1, 6, 7)]
    table = batch_sizes(parse(shapes))

    for i in range(4):
        for j in range(i + 1, 5):
            expected = numpy.broadcast_shapes(*(shape[:-2] for shape in shapes[i:j]))
            assert table[i * 5 + j] == numpy.prod(expected, dtype=int)


def test_an_empty_batch_empties_every_product_with_it():
    plan = matrix_chain_multiplication([(5, 6), (0, 6, 7), (1, 7, 8)])

    assert plan.cost == 0


def test_batches_beyond_counting_are_refused():
    with pytest.raises(ValueError, match="too many to plan with"):
        matrix_chain_multiplication([(2**62, 2, 2), (2**62, 1, 2, 2)])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"minimize": "memroy"}, "minimize is 'memroy', but there are .*did you mean 'memory'"),
        ({"minimize": {"move": 1}}, "did you mean 'moved'"),
        ({"minimize": {"moved": -1}}, "finite and not negative"),
        ({"minimize": {"moved": float("nan")}}, "finite and not negative"),
        ({"minimize": {"moved": "1"}}, "is no number"),
        ({"minimize": {}}, "no weight to anything"),
        ({"minimize": {"memory": 0}}, "no weight to anything"),
        ({"minimize": 3}, "minimize is one of"),
        ({"memory_limit": -1}, "memory_limit is -1"),
        ({"memory_limit": 2.5}, "memory_limit is 2.5"),
        ({"memory_limit": True}, "memory_limit is True"),
        ({"memory_limit": 549}, "no order fits into 549 elements: the least possible is 550"),
        ({"requires_grad": [True]}, "requires_grad has 1 entries for 3 operands"),
        ({"requires_grad": [True, 1, False]}, "requires_grad of operand 1 is 1"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_for_is_said_in_one_sentence(asked, sentence):
    with pytest.raises(ValueError, match=sentence):
        matrix_chain_multiplication([10, 100, 5, 50], **asked)


@pytest.mark.parametrize(
    "asked", [{"minimize": "memory"}, {"memory_limit": 10**9}, {"minimize": {"moved": 1}}], ids=str
)
def test_chains_too_long_for_a_dynamic_programme_are_refused(asked):
    with pytest.raises(ValueError, match="are too many"):
        matrix_chain_multiplication([2] * 4000, **asked)
