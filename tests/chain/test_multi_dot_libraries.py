"""`multi_dot` of JAX, Dask, scipy.sparse and the array API; CuPy goes the way of the last."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chain.test_multi_dot import arrays_of, stacks
from wellposed import matrix_chain_multiplication, multi_dot
from wellposed.chain.libraries import library_of

np = pytest.importorskip("numpy")


def library(name):
    return pytest.importorskip(name, reason=f"{name} is not installed")


def jax_flops(function, *arrays):
    """Scalar multiplications of the products in the traced program."""
    jax = library("jax")

    def count(jaxpr):
        total = 0
        for equation in jaxpr.eqns:
            if equation.primitive.name == "dot_general":
                ((contracted, _), _) = equation.params["dimension_numbers"]
                inner = equation.invars[0].aval.shape[contracted[0]]
                total += int(np.prod(equation.outvars[0].aval.shape)) * inner
            if "jaxpr" in equation.params:
                total += count(getattr(equation.params["jaxpr"], "jaxpr", equation.params["jaxpr"]))
        return total

    return count(jax.make_jaxpr(function)(*arrays).jaxpr)


# --- JAX ------------------------------------------------------------------------------------------------------


@given(stacks())
@settings(deadline=None, max_examples=30)
def test_jax(shapes):
    jnp = library("jax.numpy")
    arrays = arrays_of(shapes, "float32")
    ours = multi_dot([jnp.asarray(array) for array in arrays])
    assert isinstance(ours, jnp.ndarray) and ours.dtype == "float32"
    np.testing.assert_array_equal(ours, multi_dot(arrays))


def test_jax_beside_numpy_and_mixed_dtypes():
    jnp = library("jax.numpy")
    a, b, c = arrays_of([(2, 3), (3, 4), (4, 2)], "int32")
    for operands in ([jnp.asarray(a), b, c], [a, b, jnp.asarray(c)]):
        ours = multi_dot(operands)
        assert isinstance(ours, jnp.ndarray) and ours.dtype == "int32"
        np.testing.assert_array_equal(ours, a @ b @ c)
    assert multi_dot([jnp.asarray(a), jnp.ones((3, 4), "bfloat16"), c]).dtype == "bfloat16"


def test_jit_plans_when_it_traces():
    jax = library("jax")
    arrays = arrays_of([(50, 5), (5, 100), (100, 10)], "float32")
    assert jax_flops(lambda *operands: multi_dot(operands), *arrays) == 7500
    np.testing.assert_array_equal(jax.jit(lambda *operands: multi_dot(operands))(*arrays), reduce(np.matmul, arrays))


def test_vmap_of_jax_counts_what_it_maps_over():
    jax = library("jax")
    a, b, c = arrays_of([(50, 4, 5), (5, 6), (6, 7)], "float32")
    mapped = jax.vmap(lambda each: multi_dot([each, b, c]))
    np.testing.assert_array_equal(mapped(a), a @ b @ c)
    assert jax_flops(mapped, a) == 210 + 50 * 4 * 5 * 7
    np.testing.assert_array_equal(jax.jit(mapped)(a), a @ b @ c)
    inner = jax.vmap(jax.vmap(lambda v, each: multi_dot([each, b, v]), (1, None)), (None, 0), 1)
    np.testing.assert_array_equal(inner(c, a).transpose(1, 2, 0), a @ b @ c)


def written_order(operands):
    return reduce(lambda left, right: left @ right, operands)


def squared(product):
    _, b, _ = arrays_of([(8, 10), (10, 4), (4, 3)], "float32")
    return lambda c: product([c.T, b.T, b, c]).sum()


def test_derivatives_of_jax():
    jax = library("jax")
    a, b, c = arrays_of([(8, 10), (10, 4), (4, 3)], "float32")
    loss, written = (lambda c: multi_dot([a, b, c]).sum()), (lambda c: (a @ b @ c).sum())
    np.testing.assert_array_equal(jax.grad(loss)(c), jax.grad(written)(c))
    np.testing.assert_array_equal(jax.jit(jax.grad(loss))(c), jax.grad(written)(c))
    # The order for the forward and the backward pass, 512; that for the forward pass alone takes 720.
    assert jax_flops(jax.grad(loss), c) <= 512
    np.testing.assert_allclose(jax.jacfwd(jax.grad(squared(multi_dot)))(c), jax.hessian(squared(written_order))(c))


def test_jax_refuses_what_does_not_fit():
    jnp = library("jax.numpy")
    with pytest.raises(ValueError, match="operand 0 has 2 columns"):
        multi_dot([jnp.ones((2, 2)), jnp.ones((3, 2)), jnp.ones((2, 2))])
    with pytest.raises(TypeError, match="written to"):
        multi_dot([jnp.ones((2, 2))] * 3, out=jnp.ones((2, 2)))


def test_symbolic_dimensions_of_jax():
    jax = library("jax")
    export = pytest.importorskip("jax.export")
    (size,) = export.symbolic_shape("n")
    exported = export.export(jax.jit(lambda *operands: multi_dot(operands)))(
        *(jax.ShapeDtypeStruct(shape, "float32") for shape in [(size, 5), (5, 6), (6, size)])
    )
    a, b, c = arrays_of([(3, 5), (5, 6), (6, 3)], "float32")
    np.testing.assert_array_equal(exported.call(a, b, c), a @ b @ c)


# --- Dask -----------------------------------------------------------------------------------------------------


@given(stacks())
@settings(deadline=None, max_examples=30)
def test_dask(shapes):
    if any(0 in shape for shape in shapes):
        return
    array = library("dask.array")
    arrays = arrays_of(shapes)
    ours = multi_dot([array.from_array(each, chunks=2) for each in arrays])
    assert isinstance(ours, array.Array)
    np.testing.assert_array_equal(ours.compute(), multi_dot(arrays))


def test_dask_computes_nothing_before_it_is_asked():
    array = library("dask.array")
    touched = []

    def block(value):
        touched.append(value.shape)
        return value

    shapes = [(50, 5), (5, 100), (100, 10)]
    operands = [
        array.ones(shape, chunks=25).map_blocks(block, dtype="float64", meta=np.empty((0, 0))) for shape in shapes
    ]
    result = multi_dot(operands)
    assert not touched and result.shape == (50, 10)
    assert (result.compute() == 500).all() and touched


def test_dask_of_more_than_memory():
    array = library("dask.array")
    # Eighty terabytes, were they ever made.
    tall = array.ones((10**7, 10**6), chunks=10**4)
    result = multi_dot([tall.T, tall, array.ones((10**6,), chunks=10**4)])
    assert result.shape == (10**6,)
    # From the left, the product of the matrices would be there: a million squared.
    assert max(np.prod(each.shape) for each in (tall, result)) == 10**13
    assert len(result.__dask_layers__()) == 1


def test_dask_beside_numpy_and_of_unknown_size():
    array = library("dask.array")
    a, b, c = arrays_of([(6, 3), (3, 4), (4, 2)])
    np.testing.assert_array_equal(multi_dot([a, array.from_array(b), c]).compute(), a @ b @ c)
    lazy = array.from_array(a, chunks=(2, 3))
    some = lazy[lazy[:, 0] > -9]
    np.testing.assert_array_equal(multi_dot([some, b, c]).compute(), a @ b @ c)


# --- scipy.sparse ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csr_array", "csc_matrix", "coo_array"])
def test_sparse_stays_sparse(kind):
    sparse = library("scipy.sparse")
    arrays = arrays_of([(6, 7), (7, 5), (5, 8), (8, 3)])
    operands = [getattr(sparse, kind)(array) for array in arrays]
    ours = multi_dot(operands)
    assert sparse.issparse(ours) and isinstance(ours, sparse.sparray) == kind.endswith("array")
    np.testing.assert_array_equal(ours.toarray(), reduce(np.matmul, arrays))


def test_sparse_beside_dense():
    sparse = library("scipy.sparse")
    a, b, c = arrays_of([(6, 7), (7, 5), (5, 8)])
    for operands in ([sparse.csr_array(a), b, c], [a, sparse.csr_array(b), c], [a, b, sparse.csr_array(c)]):
        ours = multi_dot(operands)
        assert type(ours) is np.ndarray
        np.testing.assert_array_equal(ours, a @ b @ c)
    np.testing.assert_array_equal(multi_dot([a[0], sparse.csr_array(b), c[:, 0]]), a[0] @ b @ c[:, 0])
    np.testing.assert_array_equal(multi_dot([sparse.csr_array(a), sparse.csr_array(b), c[:, 0]]), a @ b @ c[:, 0])
    np.testing.assert_array_equal(multi_dot([sparse.csr_array(a), sparse.csr_array((7, 5)), c]), np.zeros((6, 8)))


def test_sparse_is_ordered_by_what_is_stored():
    sparse = library("scipy.sparse")
    made = []

    class Counted(sparse.csr_array):
        def __matmul__(self, other):
            made.append(self.shape[0])
            return super().__matmul__(other)

    diagonal, full = Counted(sparse.eye_array(40)), Counted(np.ones((40, 40)))
    multi_dot([full, full, diagonal])
    # By shapes alone, from left to right is as good.
    assert matrix_chain_multiplication([40, 40, 40, 40]).expression == "(A0·A1)·A2"
    assert multi_dot([full, diagonal, diagonal]).nnz == 1600
    made.clear()
    ours = multi_dot([full, diagonal, diagonal])
    assert len(made) == 2 and (ours.toarray() == 1).all()


def test_sparse_refuses_batches_and_out():
    sparse = library("scipy.sparse")
    eye = sparse.eye_array(3)
    with pytest.raises(ValueError, match="no batches"):
        multi_dot([eye, np.ones((2, 3, 3)), eye])
    with pytest.raises(ValueError, match="columns"):
        multi_dot([eye, sparse.eye_array(4), eye])
    with pytest.raises(TypeError, match="written to"):
        multi_dot([eye, eye], out=np.empty((3, 3)))


# --- the standard, and others ---------------------------------------------------------------------------------


@given(stacks())
@settings(deadline=None, max_examples=50)
def test_the_standard(shapes):
    strict = library("array_api_strict")
    arrays = arrays_of(shapes)
    ours = multi_dot([strict.asarray(array) for array in arrays])
    assert type(ours).__module__.startswith("array_api_strict")
    np.testing.assert_array_equal(np.asarray(ours), multi_dot(arrays))


def test_the_standard_promotes_and_writes():
    strict = library("array_api_strict")
    a, b, c = (strict.ones(shape, dtype=dtype) for shape, dtype in zip(
        pairwise([2, 3, 4, 2]), (strict.float32, strict.float64, strict.float32), strict=True
    ))  # fmt: skip
    out = strict.zeros((2, 2), dtype=strict.float64)
    assert multi_dot([a, b, c], out=out) is out and out[1, 1] == 12
    with pytest.raises(ValueError, match="out is"):
        multi_dot([a, b, c], out=strict.zeros((2, 2), dtype=strict.float32))


def test_a_class_is_known_by_its_library():
    class FromCuPy:
        __module__ = "cupy"

    class Unknown:
        def __array_namespace__(self):
            return np

    assert library_of([FromCuPy()]).__name__.endswith(".standard")
    assert library_of([Unknown()]).__name__.endswith(".standard")
    assert library_of([[[1.0]], np.ones((1, 1))]).__name__.endswith(".numpy")


def test_libraries_are_not_mixed():
    torch, jnp = library("torch"), library("jax.numpy")
    for operands in ([np.ones((2, 2)), torch.ones(2, 2)], [torch.ones(2, 2), jnp.ones((2, 2))]):
        with pytest.raises(TypeError):
            multi_dot(operands)
        with pytest.raises(TypeError):
            multi_dot(operands[::-1])


@given(st.lists(st.integers(1, 20), min_size=4, max_size=7))
@settings(deadline=None, max_examples=20)
def test_every_library_makes_the_products_of_the_plan(dims):
    arrays = arrays_of(pairwise(dims), "float32")
    assert jax_flops(lambda *operands: multi_dot(operands), *arrays) == matrix_chain_multiplication(dims).cost
