"""`wellposed.jax.ordered`: the same values and derivatives, by fewer multiplications, under every transformation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import wellposed
from tests.chain.expressions import chain, evaluated, expressions, fewest_multiplications, integers, leaves, matrices

jax = pytest.importorskip("jax")

import jax.numpy as jnp  # noqa: E402
from jax import lax  # noqa: E402
from jax.extend import core  # noqa: E402

ordered = wellposed.jax.ordered
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def float64():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def told(function: Any, *args: Any) -> tuple[Any, list[Any]]:
    seen: list[Any] = []
    result = ordered(function, explain=seen.append)(*args)
    return result, seen[0].rewrites


def multiplications(function: Any, *args: Any) -> int:
    """Of all products in the jaxpr, bodies counted once."""

    def count(jaxpr: Any) -> int:
        total = 0
        for equation in jaxpr.eqns:
            if equation.primitive.name == "dot_general":
                (inner, _), _ = equation.params["dimension_numbers"]
                left, out = equation.invars[0].aval, equation.outvars[0].aval
                total += math.prod(out.shape) * math.prod(left.shape[axis] for axis in inner)
            for value in equation.params.values():
                for entry in value if isinstance(value, tuple) else (value,):
                    if isinstance(entry, (core.Jaxpr, core.ClosedJaxpr)):
                        total += count(getattr(entry, "jaxpr", entry))
        return total

    return count(jax.make_jaxpr(function)(*args).jaxpr)


def function_of(expression: Any) -> tuple[Any, list[Any]]:
    order = leaves(expression)

    def function(*arrays: Any) -> Any:
        found = dict(zip(order, arrays, strict=True))
        return evaluated(expression, lambda *leaf: found[leaf])

    return function, [jnp.asarray(integers(*leaf)) for leaf in order]


@settings(max_examples=12, deadline=None)
@given(expressions())
def test_the_value_is_the_same(expression):
    function, arrays = function_of(expression)
    plain, result = function(*arrays), ordered(function)(*arrays)
    assert result.dtype == plain.dtype and result.shape == plain.shape and result.weak_type == plain.weak_type
    assert jnp.array_equal(result, plain)
    assert multiplications(ordered(function), *arrays) <= multiplications(function, *arrays)


@settings(max_examples=10, deadline=None)
@given(expressions(batches=True))
def test_the_value_is_the_same_with_batches(expression):
    function, arrays = function_of(expression)
    plain, result = function(*arrays), ordered(function)(*arrays)
    assert result.shape == plain.shape and jnp.array_equal(result, plain)


@settings(max_examples=10, deadline=None)
@given(matrices())
def test_no_order_has_fewer_multiplications(expression):
    function, arrays = function_of(expression)
    assert multiplications(ordered(function), *arrays) == fewest_multiplications(chain(expression))


@settings(max_examples=5, deadline=None)
@given(expressions())
def test_gradients_are_the_same(expression):
    function, arrays = function_of(expression)
    every = tuple(range(len(arrays)))
    plain = jax.grad(lambda *given: function(*given).sum(), every)(*arrays)
    result = jax.grad(lambda *given: ordered(function)(*given).sum(), every)(*arrays)
    assert all(jnp.array_equal(one, other) for one, other in zip(plain, result, strict=True))


H, x = RNG.standard_normal((30, 40)), RNG.standard_normal(40)
S, v = RNG.standard_normal((20, 20)) / 5, RNG.standard_normal(20)


def normal(H, x):
    return 2 * (H.T @ H) @ x / 3


COMPOSITIONS = {
    "itself": lambda f: f,
    "jit": jax.jit,
    "grad": lambda f: jax.grad(lambda *a: f(*a).sum(), (0, 1)),
    "jit of grad": lambda f: jax.jit(jax.grad(lambda *a: f(*a).sum())),
    "value and grad": lambda f: jax.value_and_grad(lambda *a: (f(*a) ** 2).sum()),
    "vmap": lambda f: lambda H, x: jax.vmap(f, (None, 0))(H, jnp.stack([x, -x, 2 * x])),
    "vmap of both": lambda f: lambda H, x: jax.vmap(f)(jnp.stack([H, 2 * H]), jnp.stack([x, -x])),
    "vmap of grad": lambda f: lambda H, x: jax.vmap(jax.grad(lambda x: f(H, x).sum()))(jnp.stack([x, -x])),
    "grad of vmap": lambda f: lambda H, x: jax.grad(lambda H: jax.vmap(f, (None, 0))(H, jnp.stack([x, x])).sum())(H),
    "jvp": lambda f: lambda H, x: jax.jvp(f, (H, x), (H, x)),
    "linearize": lambda f: lambda H, x: jax.linearize(f, H, x)[1](H, x),
    "checkpoint": lambda f: jax.grad(lambda *a: jax.checkpoint(f)(*a).sum()),
    "jacobian": lambda f: jax.jacrev(f, 1),
    "eval_shape": lambda f: lambda H, x: jax.eval_shape(f, H, x).shape,
}


@pytest.mark.parametrize("compose", COMPOSITIONS.values(), ids=COMPOSITIONS)
def test_transformations(compose):
    args = jnp.asarray(H), jnp.asarray(x)
    plain, result = compose(normal)(*args), compose(ordered(normal))(*args)
    for one, other in zip(jax.tree.leaves(plain), jax.tree.leaves(result), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_second_derivatives():
    plain, result = (jax.hessian(lambda x, f=f: (f(H, x) ** 2).sum())(x) for f in (normal, ordered(normal)))
    np.testing.assert_allclose(plain, result, rtol=1e-9)


TRANSFORMED = {
    "jit": (jax.jit(normal), (H, x)),
    "a batch of vectors": (jax.vmap(normal, (None, 0)), (H, np.ones((3, 40)))),
    "a batch of columns": (jax.vmap(normal, (None, 1)), (H, np.ones((40, 3)))),
    "a batch of matrices": (jax.vmap(normal, (0, None)), (np.stack([H, 2 * H]), x)),
    "a batch of both": (jax.vmap(normal), (np.stack([H, 2 * H]), np.stack([x, -x]))),
    "two batches": (jax.vmap(jax.vmap(normal)), (np.stack([[H, 2 * H]] * 3), np.stack([[x, -x]] * 3))),
}


@pytest.mark.parametrize(("function", "args"), TRANSFORMED.values(), ids=TRANSFORMED)
def test_ordered_of_transformed_functions(function, args):
    np.testing.assert_allclose(ordered(function)(*args), function(*args), rtol=1e-9)
    assert 5 * multiplications(ordered(function), *args) < multiplications(function, *args)


def test_the_batch_counts():
    # One matrix for all: multiplied once before the batch comes in, and not once for each of it.
    def function(X, Y, many):
        return X @ Y @ many

    many = jnp.ones((50, 20, 3))
    mapped = jax.vmap(function, (None, None, 0))
    assert multiplications(ordered(mapped), S, S, many) <= multiplications(mapped, S, S, many)
    np.testing.assert_allclose(ordered(mapped)(S, S, many), mapped(S, S, many), rtol=1e-9)


def test_the_backward_pass_counts():
    X, Y, Z = (RNG.standard_normal(shape) for shape in ((8, 10), (10, 4), (4, 3)))
    seen: list[Any] = []
    function = ordered(lambda X, Y, Z: X @ (Y @ Z), explain=seen.append)
    function(X, Y, Z)
    jax.grad(lambda Z: function(X, Y, Z).sum())(Z)
    assert [entry.rewrites[0].expression for entry in seen] == ["A0·(A1·A2)", "(A0·A1)·A2"]


# --- bodies ---------------------------------------------------------------------------------------------------


def scan(S, v):
    return lax.scan(lambda c, _: (S @ S @ c, (S @ S.T @ c).sum()), v, None, length=3)


def loop(S, v):
    return lax.fori_loop(0, 3, lambda _, c: S @ S @ c, v)


def branch(S, v):
    return lax.cond(v[0] > 0, lambda: S @ S @ v, lambda: S.T @ S @ v)


def inner_jit(S, v):
    return jax.jit(lambda S, v: S @ S @ v)(S, v)


def checkpointed(S, v):
    return jax.checkpoint(lambda S, v: jnp.tanh(S @ S @ v))(S, v)


@jax.custom_jvp
def _custom(S, v):
    return S @ S @ v


_custom.defjvp(lambda primals, tangents: (_custom(*primals), 7 * tangents[1]))


def custom_jvp(S, v):
    return _custom(S, v)


BODIES = [scan, loop, branch, inner_jit, checkpointed, custom_jvp]


@pytest.mark.parametrize("function", BODIES, ids=lambda function: function.__name__)
def test_bodies(function):
    result, rewrites = told(function, jnp.asarray(S), jnp.asarray(v))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), result, function(S, v))
    assert any(rewrite.changed for rewrite in rewrites)
    assert 5 * multiplications(ordered(function), S, v) < multiplications(function, S, v)

    def loss(how):
        return jax.grad(lambda v: sum(leaf.sum() for leaf in jax.tree.leaves(how(function)(S, v))))

    np.testing.assert_allclose(loss(ordered)(v), loss(lambda f: f)(v), rtol=1e-9)


# --- what is shared, what is left alone -----------------------------------------------------------------------


def test_several_users():
    def once(S, X):
        T = S @ S
        return T @ X, T @ (2 * X)

    def around(S, v):
        T = S @ S
        return T @ v, T @ (2 * v)

    def wanted(S, v):
        T = S @ S
        return jnp.tanh(T).sum() + T @ v

    X = jnp.asarray(S)
    assert multiplications(ordered(once), S, X) == 3 * 20**3
    assert multiplications(ordered(around), S, v) == 4 * 20**2
    assert multiplications(ordered(wanted), S, v) == 20**3 + 20**2
    for function, last in ((once, X), (around, v), (wanted, v)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), ordered(function)(S, last),
                     function(S, last))  # fmt: skip


def test_other_code_is_left_alone():
    def function(S, key):
        noise = jax.random.normal(key, (20,))
        return {"a": jnp.sort(S @ noise), "b": [jnp.linalg.inv(S + jnp.eye(20)), None], "c": (S > 0).sum()}

    key = jax.random.key(3)
    plain, result = function(jnp.asarray(S), key), ordered(function)(jnp.asarray(S), key)
    assert jax.tree.structure(plain) == jax.tree.structure(result)
    assert all(jnp.array_equal(a, b) for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(result), strict=True))
    text = str(jax.make_jaxpr(function)(S, key))
    assert str(jax.make_jaxpr(ordered(function))(S, key)) == text


def test_half_precision_and_mixed_dtypes_are_left_alone():
    for dtype in (jnp.float16, jnp.bfloat16):
        X, y = jnp.asarray(S, dtype), jnp.asarray(v, dtype)
        assert not told(lambda X, y: X @ X @ y, X, y)[1]
    X = jnp.asarray(S, jnp.float32)
    result, rewrites = told(lambda X, v: X @ X @ v, X, jnp.asarray(v))
    assert jnp.array_equal(result, X @ X @ v) and not any(rewrite.changed for rewrite in rewrites)


def test_einsum_is_reordered_too():
    def function(S, v):
        return jnp.einsum("ij,kj,k->i", S, S, v, optimize=[(0, 1), (0, 1)])

    np.testing.assert_allclose(ordered(function)(S, v), function(S, v), rtol=1e-9)
    assert multiplications(ordered(function), S, v) == 2 * 20**2


def test_one_trace_for_each_set_of_shapes():
    traces = 0

    @ordered
    def function(X, power, *, y=None):
        nonlocal traces
        traces += 1
        for _ in range(power):
            X = X @ S
        return X if y is None else X @ y

    for args in ((S, 2), (2 * S, 2), (S, 3), (S[:5], 2), (S, 2)):
        np.testing.assert_allclose(
            function(jnp.asarray(args[0]), args[1]), args[0] @ np.linalg.matrix_power(S, args[1])
        )
    assert traces == 3
    np.testing.assert_allclose(function(S, 2, y=v), S @ S @ S @ v)


def test_values_of_an_outer_trace_are_not_kept():
    @jax.jit
    def outer(S, v):
        return ordered(lambda v: S @ S @ v)(v)

    np.testing.assert_allclose(outer(S, v), S @ S @ v)
    closed_over: list[Any] = []
    function = ordered(lambda v: closed_over[-1] @ closed_over[-1] @ v)

    @jax.jit
    def again(S, v):
        closed_over.append(S)
        return function(v)

    np.testing.assert_allclose(again(S, v), S @ S @ v)
    np.testing.assert_allclose(again(S[:, ::-1].astype(np.float32).astype(float), v), S[:, ::-1] @ S[:, ::-1] @ v, 1e-5)


def test_explain(capsys):
    ordered(lambda S, v: S @ S @ v, explain=True)(S, v)
    printed = capsys.readouterr().err
    assert __file__ in printed and "(A0·A1)·A2  A0·(A1·A2)      1              800   8,400  10.5×" in printed


def test_shapes_that_do_not_fit_raise_as_jax_raises():
    with pytest.raises(TypeError, match="dot_general requires contracting dimensions"):
        ordered(lambda S, v: S @ S @ v)(S, np.ones(7))
    with pytest.raises(TypeError, match="takes a function"):
        ordered(3)
