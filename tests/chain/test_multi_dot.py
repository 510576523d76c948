"""`multi_dot` of NumPy arrays, against `numpy.linalg.multi_dot`, products from left to right, and float64."""

from __future__ import annotations

import threading
from functools import reduce
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wellposed
from wellposed import matrix_chain_multiplication, multi_dot
from wellposed.chain import evaluate, ordering

np = pytest.importorskip("numpy")

DTYPES = ("bool", "int8", "uint16", "int64", "float32", "float64", "complex64", "complex128")


def arrays_of(shapes, dtype="float64", seed=0):
    """Small whole numbers, whose products are exact in every dtype that can hold them."""
    random = np.random.default_rng(seed)
    made = [random.integers(-2, 3, shape) for shape in shapes]
    if np.dtype(dtype).kind == "c":
        made = [array + 1j * random.integers(-2, 3, array.shape) for array in made]
    return [array.astype(dtype) for array in made]


class Noted(np.ndarray):
    """An array that notes the shapes of the products it is in."""

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = [np.asarray(each) for each in inputs]
        self.notes.append(tuple(each.shape for each in plain))
        out = np.asarray(getattr(ufunc, method)(*plain, **kwargs)).view(Noted)
        out.notes = self.notes
        return out


def noted(shapes):
    notes, made = [], []
    for array in arrays_of(shapes):
        view = array.view(Noted)
        view.notes = notes
        made.append(view)
    return made, notes


# --- the same as NumPy's --------------------------------------------------------------------------------------


@st.composite
def chains(draw, smallest=0):
    dims = draw(st.lists(st.integers(smallest, 6), min_size=3, max_size=8))
    shapes = list(pairwise(dims))
    if draw(st.booleans()):
        shapes[0] = shapes[0][1:]
    if draw(st.booleans()):
        shapes[-1] = shapes[-1][:1]
    return shapes


@given(chains(), st.sampled_from(DTYPES))
@settings(deadline=None)
def test_is_numpys_multi_dot(shapes, dtype):
    arrays = arrays_of(shapes, dtype)
    theirs, ours = np.linalg.multi_dot(arrays), multi_dot(arrays)
    assert type(ours) is type(theirs) and ours.dtype == theirs.dtype and ours.shape == theirs.shape
    # Small whole numbers: exact up to 2**53 in float64, and to the wrap-around of integers.
    np.testing.assert_allclose(ours, theirs, rtol=1e-5 if dtype in ("float32", "complex64") else 1e-12, atol=1e-3)


@given(chains(), st.lists(st.sampled_from(DTYPES), min_size=8, max_size=8))
@settings(deadline=None)
def test_mixed_dtypes_end_in_that_of_the_written_order(shapes, dtypes):
    arrays = [array.astype(dtype) for array, dtype in zip(arrays_of(shapes), dtypes, strict=False)]
    written = reduce(np.matmul, arrays)
    ours = multi_dot(arrays)
    assert ours.dtype == written.dtype and ours.shape == written.shape


def test_mixed_dtypes_are_promoted_before_they_are_multiplied():
    large = np.full((1, 4), 100, dtype="int8")
    assert multi_dot([large, large.T, np.ones((1, 1))]) == [[40000.0]]


@st.composite
def stacks(draw):
    dims = draw(st.lists(st.integers(0, 5), min_size=3, max_size=6))
    batch = draw(st.lists(st.integers(1, 3), max_size=3))
    shapes = []
    for rows, columns in pairwise(dims):
        kept = batch[draw(st.integers(0, len(batch))) :]
        shapes.append((*(size if draw(st.booleans()) else 1 for size in kept), rows, columns))
    if draw(st.booleans()):
        shapes[0] = shapes[0][-1:]
    if draw(st.booleans()):
        shapes[-1] = shapes[-1][-2:-1]
    return shapes


@given(stacks())
@settings(deadline=None)
def test_batches_broadcast(shapes):
    arrays = arrays_of(shapes)
    matrices = list(arrays)
    if arrays[0].ndim == 1:
        matrices[0] = arrays[0][None, :]
    if arrays[-1].ndim == 1:
        matrices[-1] = arrays[-1][:, None]
    written = reduce(np.matmul, matrices)
    if arrays[-1].ndim == 1:
        written = written[..., 0]
    if arrays[0].ndim == 1:
        written = written[..., 0, :] if arrays[-1].ndim != 1 else written[..., 0]
    ours = multi_dot(arrays)
    assert ours.shape == written.shape
    np.testing.assert_array_equal(ours, written)


def test_a_long_chain():
    random = np.random.default_rng(1)
    arrays = [np.linalg.qr(random.standard_normal((8, 8)))[0] for _ in range(1500)]
    np.testing.assert_allclose(multi_dot(arrays), reduce(np.matmul, arrays), atol=1e-11)


def test_lists_iterators_stacks_and_subclasses():
    a, b, c = arrays_of([(2, 3), (3, 4), (4, 2)])
    expected = a @ b @ c
    for given_ in ([a.tolist(), b, c.tolist()], iter([a, b, c]), (a, b, c), [np.asmatrix(a), np.asmatrix(b), c]):
        np.testing.assert_array_equal(multi_dot(given_), expected)
    np.testing.assert_array_equal(multi_dot(np.stack([a[:, :2]] * 3)), a[:, :2] @ a[:, :2] @ a[:, :2])
    assert type(multi_dot([np.asmatrix(a), np.asmatrix(b), np.asmatrix(c)])) is np.matrix


def test_views_of_any_layout():
    random = np.random.default_rng(2)
    a, b, c = random.random((9, 5)).T, random.random((27, 8))[::3, ::-1], np.asfortranarray(random.random((8, 3)))
    np.testing.assert_allclose(multi_dot([a, b, c]), a @ b @ c)


def test_objects():
    from fractions import Fraction

    a = np.array([[Fraction(1, 3), Fraction(1, 7)], [Fraction(2, 3), Fraction(5, 7)]])
    assert (multi_dot([a, a, a]) == a.dot(a).dot(a)).all()


def test_one_array_is_its_own_product():
    (a,) = arrays_of([(3, 4)])
    assert multi_dot([a]) is a
    out = np.empty((3, 4))
    assert multi_dot([a], out=out) is out and (out == a).all()
    assert multi_dot([np.arange(3)]).shape == (3,)


# --- errors ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 3), (4, 2)],
        [(2, 3), (3, 4), (3, 2)],
        [(2, 3), (3,), (3, 2)],
        [(2, 3), (3, 2), ()],
        [(), (2, 3), (3, 2)],
        [(3,), (4,)],
    ],
)
def test_errors_are_of_numpys_kind(shapes):
    arrays = [np.ones(shape) for shape in shapes]
    if () not in shapes[-1:] or len(shapes) > 2:
        with pytest.raises(ValueError):
            np.linalg.multi_dot(arrays)
    for call in (lambda: multi_dot(arrays), lambda: multi_dot(arrays, out=np.empty((2, 2)))):
        with pytest.raises(np.linalg.LinAlgError, match="operand"):
            call()


def test_batches_that_do_not_broadcast_are_named():
    with pytest.raises(ValueError, match="batches of operands 0 and 2"):
        multi_dot([np.ones((2, 3, 3)), np.ones((3, 3)), np.ones((4, 3, 3))])


@pytest.mark.parametrize("nothing", [[], (), iter([])])
def test_nothing_is_no_product(nothing):
    with pytest.raises(ValueError, match="at least one"):
        multi_dot(nothing)


@pytest.mark.parametrize("odd", [3, None, "ab", [1.0, 2.0]])
def test_what_is_no_chain(odd):
    with pytest.raises((TypeError, ValueError)):
        multi_dot(odd)


# --- the order ------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 9), min_size=4, max_size=9))
@settings(deadline=None)
def test_makes_the_products_of_the_plan(dims):
    shapes = list(pairwise(dims))
    arrays, notes = noted(shapes)
    multi_dot(arrays)
    assert sum(a[0] * a[1] * b[1] for a, b in notes) == matrix_chain_multiplication(shapes).cost


def test_batches_count_in_the_order():
    # Two stacks of one row: of single matrices, the order from the left is cheaper.
    arrays, notes = noted([(50, 4, 5), (5, 6), (6, 7)])
    multi_dot(arrays)
    assert notes[0] == ((5, 6), (6, 7))
    arrays, notes = noted([(4, 5), (5, 6), (6, 7)])
    multi_dot(arrays)
    assert notes[0] == ((4, 5), (5, 6))


# --- out ------------------------------------------------------------------------------------------------------


@given(stacks() | chains(), st.sampled_from(["int64", "float32", "float64", "complex128"]))
@settings(deadline=None)
def test_out_holds_the_result(shapes, dtype):
    arrays = arrays_of(shapes, dtype)
    expected = np.asarray(multi_dot(arrays))
    out = np.full(expected.shape, 77, dtype)
    assert multi_dot(arrays, out=out) is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("vectors", list(product([False, True], repeat=2)))
def test_out_as_numpy_wants_it_for_vectors(vectors):
    shapes = [(3,) if vectors[0] else (2, 3), (3, 4), (4,) if vectors[1] else (4, 5)]
    arrays = arrays_of(shapes)
    out = np.empty((1 if vectors[0] else 2, 1 if vectors[1] else 5))
    theirs = np.linalg.multi_dot(arrays, out=out.copy())
    ours = multi_dot(arrays, out=out)
    assert np.shape(ours) == np.shape(theirs)
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(out.ravel(), np.ravel(theirs))


@pytest.mark.parametrize("number", range(2, 6))
@pytest.mark.parametrize("batch", [(), (3,)])
def test_out_may_be_an_operand(number, batch):
    for which in range(number):
        arrays = arrays_of([(*batch, 4, 4)] * number)
        expected = reduce(np.matmul, arrays)
        assert multi_dot(arrays, out=arrays[which]) is arrays[which]
        np.testing.assert_array_equal(arrays[which], expected)


def test_out_may_overlap_an_operand():
    memory = np.arange(20.0)
    a, out = memory[:16].reshape(4, 4), memory[4:].reshape(4, 4)
    expected = a @ a @ a
    multi_dot([a, a, a], out=out)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    "out",
    [np.empty((2, 3)), np.empty((2, 2), "float32"), np.empty((2, 2), order="F"), np.empty((4, 4))[::2, ::2], [[0.0]]],
)
def test_out_that_cannot_hold_the_result(out):
    arrays = [np.ones((2, 2))] * 3
    with pytest.raises((ValueError, TypeError)):
        np.linalg.multi_dot(arrays, out=out)
    with pytest.raises(ValueError, match="out"):
        multi_dot(arrays, out=out)


# --- kept plans -----------------------------------------------------------------------------------------------


def test_plans_are_kept_and_bounded():
    arrays = [np.ones((2, 3)), np.ones((3, 4)), np.ones((4, 2))]
    multi_dot(arrays)
    before = ordering.order_of.cache_info().misses
    multi_dot(arrays)
    assert ordering.order_of.cache_info().misses == before
    assert ordering.order_of.cache_info().maxsize == ordering.REMEMBERED


def test_threads_at_once():
    random = np.random.default_rng(3)
    chains_ = [arrays_of(pairwise(random.integers(1, 7, 5))) for _ in range(200)]
    expected = [reduce(np.matmul, arrays) for arrays in chains_]
    wrong: list[int] = []
    ordering.order_of.cache_clear()
    evaluate._known.clear()
    start = threading.Barrier(8)

    def work():
        start.wait()
        wrong.extend(at for at, arrays in enumerate(chains_) if not np.array_equal(multi_dot(arrays), expected[at]))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_is_exported():
    assert wellposed.multi_dot is evaluate.multi_dot and "multi_dot" in wellposed.__all__
