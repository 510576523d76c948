"""`ordered` with NumPy: the same arrays as without, by fewer multiplications; nothing else changes."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import random
import threading
import traceback
from collections import namedtuple
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import wellposed
from tests.chain.expressions import (
    chain,
    evaluated,
    expressions,
    fewest_multiplications,
    integers,
    leaves,
    matrices,
)

RNG = np.random.default_rng(0)


def told(function: Any, *args: Any) -> tuple[Any, Any]:
    """The result under `ordered`, and what it tells."""
    seen: list[Any] = []
    result = wellposed.ordered(explain=seen.append)(function)(*args)
    return result, seen[0]


def multiplications(o: Any) -> int:
    return sum(rewrite.after * rewrite.times for rewrite in o.rewrites)


def both_ways(expression: Any) -> tuple[Any, Any, Any]:
    arrays = {leaf: integers(*leaf) for leaf in leaves(expression)}
    plain = evaluated(expression, lambda *leaf: arrays[leaf])
    ordered, o = told(lambda given: evaluated(expression, lambda *leaf: given[leaf]), arrays)
    return plain, ordered, o


@settings(max_examples=300, deadline=None)
@given(expressions())
def test_the_value_is_the_same(expression):
    plain, ordered, o = both_ways(expression)
    assert type(ordered) is type(plain) and ordered.dtype == plain.dtype and ordered.shape == plain.shape
    assert np.array_equal(ordered, plain)
    assert all(rewrite.after <= rewrite.before for rewrite in o.rewrites)


@settings(max_examples=200, deadline=None)
@given(expressions(batches=True))
def test_the_value_is_the_same_with_batches(expression):
    plain, ordered, _ = both_ways(expression)
    assert ordered.dtype == plain.dtype and ordered.shape == plain.shape
    assert np.array_equal(ordered, plain)


@settings(max_examples=200, deadline=None)
@given(matrices(batches=True))
def test_no_order_has_fewer_multiplications(expression):
    _, _, o = both_ways(expression)
    assert multiplications(o) == fewest_multiplications(chain(expression))


def test_what_is_counted_is_what_is_multiplied(monkeypatch):
    from wellposed.integrations import ordered_numpy_products

    done = []

    def counting(self, left, right):
        done.append(left.size * (right.shape[1] if right.ndim > 1 else 1))
        return np.matmul(left, right)

    monkeypatch.setattr(ordered_numpy_products._NumPy, "matmul", counting)
    H, x = RNG.standard_normal((30, 40)), RNG.standard_normal(40)
    _, o = told(lambda H, x: H.T @ H @ x, H, x)
    (rewrite,) = o.rewrites
    assert sum(done) == rewrite.after == 2 * 30 * 40
    assert rewrite.before == 40 * 30 * 40 + 40 * 40
    assert (rewrite.expression_written, rewrite.expression, rewrite.changed) == ("(A0·A1)·A2", "A0·(A1·A2)", True)
    assert rewrite.site.file == __file__ and rewrite.site.function == "<lambda>"


def test_a_chain_that_was_written_well_is_done_as_written():
    A, B, v = RNG.standard_normal((3, 40)), RNG.standard_normal((40, 30)), RNG.standard_normal(30)
    result, o = told(lambda A, B, v: A @ (B @ v), A, B, v)
    assert np.array_equal(result, A @ (B @ v)) and not o.rewrites[-1].changed


A, B, C = RNG.standard_normal((20, 30)), RNG.standard_normal((30, 25)), RNG.standard_normal((25, 20))
SQUARE, v = RNG.standard_normal((20, 20)), RNG.standard_normal(20)


USES = [
    np.sum, np.exp, np.linalg.norm, np.linalg.eigvals, np.transpose, np.ravel, np.asarray, np.copy, np.real, np.any,
    lambda X: X[3], lambda X: X[:, 2], lambda X: X[X > 0], lambda X: X > 0, lambda X: X == X.T, lambda X: X + X,
    lambda X: 1 / X, lambda X: X * X, lambda X: X**2, lambda X: X.sum(), lambda X: X.mean(axis=0), lambda X: X.dot(X),
    lambda X: np.dot(X, X), lambda X: X.reshape(-1), lambda X: X.copy(), lambda X: X.astype(np.float32),
    lambda X: np.concatenate([X, X]), lambda X: np.einsum("ij->i", X), lambda X: np.stack([X, -X]),
    lambda X: X.real, lambda X: X.flat[3], lambda X: np.linalg.solve(X, X), lambda X: np.linalg.eigh(X @ X.T),
    lambda X: X.T, lambda X: X.mT, lambda X: X.transpose(1, 0), lambda X: X.swapaxes(0, 1), lambda X: X.conj().T,
    lambda X: np.add.reduce(X), lambda X: np.multiply.outer(X, X), lambda X: X.shape, lambda X: X.dtype,
    lambda X: X.ndim, lambda X: len(X), lambda X: X.size, lambda X: X.nbytes, lambda X: X.strides, lambda X: repr(X),
    lambda X: str(X), lambda X: f"{X}", lambda X: list(X)[3], lambda X: X.tolist(), lambda X: float(X[0, 0]),
    lambda X: bool(X[0, 0]), lambda X: X.tobytes(), lambda X: pickle.loads(pickle.dumps(X)), lambda X: copy.copy(X),
    lambda X: copy.deepcopy(X), lambda X: 0.5 in X, lambda X: X * np.float64(2), lambda X: X * np.float32(2),
    lambda X: X * 0, lambda X: X * True, lambda X: X * 1j, lambda X: X / 3, lambda X: -X, lambda X: +X, lambda X: 2 - X,
    lambda X: np.outer(X[0], X[1]), lambda X: X @ X[0], lambda X: X[0] @ X @ X[1], lambda X: np.vdot(X, X),
    lambda X: isinstance(X, np.ndarray), lambda X: np.shape(X), lambda X: np.linalg.multi_dot([X, X, X]),
    lambda X: max(X[0]), lambda X: np.random.default_rng(3).permutation(X), lambda X: np.where(X > 0, X, -X),
    lambda X: (X, [X, {"a": X}]), lambda X: np.divmod(X, 2),
]  # fmt: skip


@pytest.mark.parametrize("use", USES, ids=range(len(USES)))
def test_every_other_use_finds_the_array(use):
    def function(A, B, C):
        return use(A @ B @ C)

    plain, ordered = function(A, B, C), wellposed.ordered(function)(A, B, C)
    assert_same(ordered, plain)


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, dict):
        one, other = list(one.items()), list(other.items())
    if isinstance(one, (tuple, list)):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    elif isinstance(one, (np.ndarray, np.generic)):
        assert one.dtype == other.dtype and one.shape == other.shape
        if one.dtype == object:
            assert np.array_equal(one, other)
        else:
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    elif isinstance(one, float):
        assert one == pytest.approx(other)
    elif isinstance(one, (str, bytes)):
        assert len(one) and len(other)
    else:
        assert one == other


def test_printing():
    out = io.StringIO()
    with redirect_stdout(out):
        wellposed.ordered(lambda A, B: print(A @ B))(np.eye(2), np.ones((2, 1)))
    assert out.getvalue() == "[[1.]\n [1.]]\n"


# --- what is written to ---------------------------------------------------------------------------------------


CHANGES = {
    "item": lambda X: X.__setitem__((0, 0), 9.0),
    "row": lambda X: X.__setitem__(0, 9.0),
    "view": lambda X: X[1].__setitem__(0, 9.0),
    "transposed view": lambda X: X.T.__setitem__(0, 9.0),
    "add": lambda X: X.__iadd__(1.0),
    "matmul": lambda X: X.__imatmul__(np.eye(20)),
    "out": lambda X: np.add(X, 1, out=X),
    "fill": lambda X: X.fill(2.0),
    "sort": lambda X: X.sort(),
    "copyto": lambda X: np.copyto(X, 3.0),
    "at": lambda X: np.add.at(X, (0, 0), 5.0),
    "cumsum": lambda X: np.cumsum(X, axis=0, out=X),
    "memory": lambda X: np.asarray(X).__setitem__(0, 7.0),
    "flat": lambda X: X.flat.__setitem__(0, 7.0),
    "shape": lambda X: setattr(X, "shape", (20, 20)),
    "diagonal": lambda X: np.fill_diagonal(X, 1.0),
    "shuffle": lambda X: np.random.default_rng(1).shuffle(np.asarray(X)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_comes_after_the_products_that_were_written_before_it(change):
    def function(X, v):
        before = X @ X @ v
        change(X)
        return before, X @ X @ v, X

    mine, yours = SQUARE.copy(), SQUARE.copy()
    plain, ordered = function(mine, v), wellposed.ordered(function)(yours, v)
    assert_same(ordered, plain)
    assert np.array_equal(mine, yours) and ordered[2] is yours


def test_memory_that_was_handed_out_may_be_written_to_later():
    def function(X, v):
        memory = np.asarray(X)
        y = X @ X @ v
        memory[:] = 0
        return y

    assert np.allclose(wellposed.ordered(function)(SQUARE.copy(), v), SQUARE @ (SQUARE @ v))


def test_an_array_from_elsewhere_may_be_written_to():
    elsewhere = SQUARE.copy()

    def function(X, v):
        y = X @ elsewhere @ v
        elsewhere[:] = 0
        return y

    assert np.allclose(wellposed.ordered(function)(SQUARE, v), SQUARE @ (SQUARE @ v))


def test_a_product_that_is_written_to_keeps_what_rests_on_it():
    def function(A, B, C, v):
        T = A @ B
        y = T @ C @ v
        T[:] = 0
        return y, T.sum(), (T @ C).sum()

    assert_same(wellposed.ordered(function)(A, B, C, v), function(A, B, C, v))


# --- containers, types, errors --------------------------------------------------------------------------------


def test_containers():
    Pair = namedtuple("Pair", "left right")

    def function(pair, weights, *, more):
        weights.append(weights[0] @ pair.left)
        more["new"] = more["old"] @ pair.right
        more["kept"] = weights
        return Pair(pair.left @ pair.right, weights)

    def run(how):
        weights, more = [C.copy()], {"old": A.copy()}
        inner = weights[0]
        result = how(function)(Pair(A, B), weights, more=more)
        assert weights[0] is inner and result.right is weights and more["kept"] is weights
        return result, weights, more

    assert_same(run(wellposed.ordered)[0].left, run(lambda f: f)[0].left)
    assert_same(run(wellposed.ordered)[1:], run(lambda f: f)[1:])


@pytest.mark.parametrize("dtype", ["f4", "f8", "c8", "c16", "i1", "u2", "i8", "?", "f2", "g"])
def test_dtypes(dtype):
    with np.errstate(all="ignore"):
        X, Y, x = (array.astype(dtype) for array in (3 * SQUARE, 4 * SQUARE.T, 5 * v))
    plain, ordered = X @ Y @ x, wellposed.ordered(lambda X, Y, x: X @ Y @ x)(X, Y, x)
    assert ordered.dtype == plain.dtype
    if np.dtype(dtype).kind in "iub" or dtype == "f2":
        assert np.array_equal(ordered, plain)  # integers wrap around, exactly
    else:
        assert np.allclose(ordered, plain, rtol=1e-3)


def test_objects_and_mixed_dtypes_are_done_as_written():
    X = SQUARE.astype(np.float32)
    plain, (ordered, o) = X @ X @ v, told(lambda X, v: X @ X @ v, X, v)
    assert np.array_equal(plain, ordered) and not any(rewrite.changed for rewrite in o.rewrites)
    objects = np.array([[1, 2], [3, 10**30]], dtype=object)
    assert_same(wellposed.ordered(lambda X: X @ X @ X)(objects), objects @ objects @ objects)


def test_float16_keeps_what_is_finite_as_written():
    P, Q, R = np.full((64, 4), 1e-3, "f2"), np.full((4, 256), 60, "f2"), np.full((256, 1), 60, "f2")
    assert np.isfinite(wellposed.ordered(lambda P, Q, R: P @ Q @ R)(P, Q, R)).all()


@pytest.mark.parametrize(
    "write", [lambda A, v: A @ B @ v, lambda A, v: A @ np.ones(7) @ B, lambda A, v: np.dot(A @ B, A)], ids=range(3)
)
def test_shapes_that_do_not_fit_raise_where_they_are_written_as_numpy_raises(write):
    with pytest.raises(ValueError) as plain:
        write(A, v)
    with pytest.raises(ValueError) as ordered:
        wellposed.ordered(write)(A, v)
    assert str(ordered.value) == str(plain.value)
    assert write.__code__ in [frame.f_code for frame, _ in traceback.walk_tb(ordered.value.__traceback__)]


def test_random_numbers_are_untouched():
    def draw(X, v):
        np.random.seed(3)
        y = X @ X @ v
        return np.random.rand(4), y

    assert np.array_equal(wellposed.ordered(draw)(SQUARE, v)[0], draw(SQUARE, v)[0])


# --- what is shared -------------------------------------------------------------------------------------------


def test_a_shared_product_is_computed_once_where_that_is_cheaper():
    def function(X, Y, many):
        T = X @ Y
        return T @ many[0], T @ many[1]

    big = RNG.standard_normal((2, 20, 20))
    _, o = told(function, SQUARE, SQUARE, big)
    assert multiplications(o) == 3 * 20**3
    thin = RNG.standard_normal((2, 20))
    _, o = told(function, SQUARE, SQUARE, thin)
    assert multiplications(o) == 4 * 20**2


def test_going_around_a_product_costs_at_most_as_much_again():
    def function(X, Y, many):
        T = X @ Y
        return [float((T @ x).sum()) for x in many]

    many = RNG.standard_normal((100, 20))
    result, o = told(function, SQUARE, SQUARE, many)
    assert np.allclose(result, function(SQUARE, SQUARE, many))
    # 20 products go around T, which then is worth being computed.
    assert 20**3 + 100 * 20**2 < multiplications(o) <= 2 * (20**3 + 100 * 20**2)


def test_a_turned_and_scaled_product_is_shared_too():
    def function(X, Y, many):
        T = 2 * (X @ Y).T
        return [float((T @ x).sum()) for x in many]

    many = RNG.standard_normal((100, 20))
    result, o = told(function, SQUARE, SQUARE, many)
    assert np.allclose(result, function(SQUARE, SQUARE, many))
    assert multiplications(o) <= 2 * (20**3 + 100 * 20**2)


def test_long_chains_do_not_recurse():
    def function(X, v):
        for _ in range(3000):
            X = X @ np.eye(2)
        return X @ v

    assert_same(wellposed.ordered(function)(np.ones((2, 2)), np.ones(2)), np.full(2, 2.0))


def program(seed: int, first: list[Any]) -> list[Any]:
    """A random program of products, transposes, factors, changes in place and other uses, over a few names."""
    choose = random.Random(seed)
    pool, out = list(first), []
    for _ in range(12):
        kind = choose.choices(["product", "turned", "scaled", "changed", "used"], [11, 2, 2, 2, 3])[0]
        one = choose.choice(pool)
        if kind == "product":
            pool.append(one @ choose.choice(pool))
        elif kind == "turned":
            pool.append(one.T)
        elif kind == "scaled":
            pool.append(one * 2)
        elif kind == "changed":
            one[0] = 1.0
        else:
            out.append(float(one.sum()))
        if len(pool) > 6:
            pool.pop(choose.randrange(len(pool)))
    return out + [one + 0 for one in pool]


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_random_programs(library):
    make = np.array if library == "numpy" else pytest.importorskip("torch").tensor
    for seed in range(300):
        first = [np.random.default_rng(seed + at).integers(-1, 2, (4, 4)).astype(float) for at in range(3)]
        plain = program(seed, [make(array) for array in first])
        ordered = wellposed.ordered(program)(seed, [make(array) for array in first])
        assert all(np.array_equal(a, b) for a, b in zip(plain, ordered, strict=True)), seed


# --- contexts, nesting, threads -------------------------------------------------------------------------------


def test_a_context_wraps_what_it_is_given():
    with wellposed.ordered() as o:
        y = o(A) @ B @ C @ v
        assert not o.rewrites
    assert isinstance(y, np.ndarray) and np.allclose(np.asarray(y), A @ (B @ (C @ v)))
    assert [rewrite.changed for rewrite in o.rewrites] == [True]


def test_ordered_functions_call_each_other():
    inner = wellposed.ordered(lambda X, Y: X @ Y)

    def outer(X, v):
        return inner(X, X) @ v

    result, o = told(outer, SQUARE, v)
    assert type(result) is np.ndarray and np.allclose(result, outer(SQUARE, v))
    assert multiplications(o) in (0, 2 * 20**2)


def test_threads():
    function = wellposed.ordered(lambda X, v: [float((X @ X @ (k * v)).sum()) for k in range(50)])
    results: list[Any] = []
    threads = [threading.Thread(target=lambda: results.append(function(SQUARE, v))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4 and all(np.allclose(result, results[0]) for result in results)


def test_explain(capsys, caplog):
    def function(X, v):
        return X @ X @ v

    with caplog.at_level(logging.INFO, logger="wellposed.ordered"):
        wellposed.ordered(explain=True)(function)(SQUARE, v)
    printed = capsys.readouterr().err
    line = function.__code__.co_firstlineno + 1
    assert (
        f"{__file__}:{line}" in printed and "(A0·A1)·A2  A0·(A1·A2)      1              800   8,400  10.5×" in printed
    )
    assert f"{__file__}:{line}" in caplog.text


def test_what_cannot_be_ordered_is_said():
    def steps():
        yield 1

    with pytest.raises(TypeError, match="steps is a generator"):
        wellposed.ordered(steps)
    with pytest.raises(TypeError, match="takes a function"):
        wellposed.ordered(3)  # type: ignore[call-overload]
    with wellposed.ordered() as o, pytest.raises(TypeError, match="takes a function or a numpy array"):
        o(3)
