"""`multi_dot` of operands that are declared to be more than their shape, against dense products and inverses."""

from __future__ import annotations

from functools import reduce
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wellposed import multi_dot
from wellposed.chain import Operand
from wellposed.chain.libraries import library_of

np = pytest.importorskip("numpy")

SIZE = 90
"""Above the block at which halves are solved directly."""


def library(name):
    """Its way from a NumPy array."""
    if name == "numpy":
        return np.asarray
    module = pytest.importorskip(name, reason=f"{name} is not installed")
    if name == "torch":
        return lambda array: module.from_numpy(array.copy())
    if name == "dask.array":
        pytest.importorskip("scipy", reason="SciPy is not installed")
        return lambda array: module.from_array(array, chunks=(30,) * array.ndim)
    return module.asarray


@pytest.fixture(params=["numpy", "torch", "jax.numpy", "dask.array", "array_api_strict"])
def convert(request):
    if request.param == "jax.numpy":
        jax = pytest.importorskip("jax")
        with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
            yield library(request.param)
    else:
        yield library(request.param)


def operand(name, **more):
    return Operand((SIZE, SIZE), name, **more)


def matrices(seed=0):
    """Of bounded condition."""
    random = np.random.default_rng(seed)
    orthogonal = np.linalg.qr(random.standard_normal((SIZE, SIZE)))[0]
    positive = orthogonal * random.uniform(1, 10, SIZE) @ orthogonal.T
    lower = np.tril(random.standard_normal((SIZE, SIZE))) / SIZE + np.diag(random.uniform(1, 2, SIZE))
    return SimpleNamespace(
        general=positive @ orthogonal,
        symmetric=orthogonal * np.where(np.arange(SIZE) % 2, 3.0, -2.0) @ orthogonal.T,
        positive=(positive + positive.T) / 2,
        orthogonal=orthogonal,
        lower=lower,
        upper=lower.T.copy(),
        diagonal=np.diag(random.uniform(1, 3, SIZE)),
        identity=np.eye(SIZE),
        tall=random.standard_normal((SIZE, 7)),
        vector=random.standard_normal(SIZE),
    )


NAMES = {
    "general": "general",
    "symmetric": "symmetric",
    "positive": "positive definite",
    "orthogonal": "orthogonal",
    "lower": "lower triangular",
    "upper": "upper triangular",
    "diagonal": "diagonal",
    "identity": "identity",
}


def entered(array, transposed, inverse):
    array = array.T if transposed else array
    return np.linalg.inv(array) if inverse else array


@given(st.lists(st.tuples(st.sampled_from(sorted(NAMES)), st.booleans(), st.booleans()), min_size=1, max_size=6))
@settings(deadline=None, max_examples=150)
def test_any_chain_is_what_dense_arithmetic_gives(chosen):
    have = matrices()
    arrays = [getattr(have, name) for name, _, _ in chosen]
    structures = [operand(NAMES[name], transposed=turned, inverse=inverse) for name, turned, inverse in chosen]
    dense = reduce(np.matmul, [entered(array, *how) for array, (_, *how) in zip(arrays, chosen, strict=True)])
    ours = multi_dot(arrays, structures=structures)
    assert np.abs(ours - dense).max() <= 1e-11 * max(1, np.abs(dense).max())


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("inverse", [False, True])
def test_every_structure_in_every_library_from_both_sides(convert, name, transposed, inverse):
    have = matrices()
    array, declared = getattr(have, name), operand(NAMES[name], transposed=transposed, inverse=inverse)
    middle = entered(array, transposed, inverse)
    from_the_left = multi_dot([convert(array), convert(have.tall)], structures=[declared, None])
    np.testing.assert_allclose(np.asarray(from_the_left), middle @ have.tall, atol=1e-11)
    from_the_right = multi_dot([convert(have.vector), convert(array)], structures=[None, declared])
    np.testing.assert_allclose(np.asarray(from_the_right), have.vector @ middle, atol=1e-11)


def test_two_factors_stay_two(convert):
    have = matrices()
    pair, low = (convert(have.tall), convert(have.tall.T.copy())), have.tall @ have.tall.T
    solved = operand("positive definite", inverse=True)
    ours = multi_dot([convert(have.positive), pair, pair, convert(have.vector)], structures=[solved, None, None, None])
    np.testing.assert_allclose(np.asarray(ours), np.linalg.inv(have.positive) @ low @ low @ have.vector, rtol=1e-9)
    turned = Operand((SIZE, SIZE), rank=7, transposed=True)
    ours = multi_dot([convert(have.diagonal), pair], structures=["diagonal", turned])
    np.testing.assert_allclose(np.asarray(ours), have.diagonal @ low, rtol=1e-9)


def test_a_diagonal_may_be_a_vector(convert):
    have = matrices()
    vector = convert(np.diag(have.diagonal).copy())
    ours = multi_dot([vector, convert(have.general), vector], structures=["diagonal", None, "diagonal"])
    np.testing.assert_allclose(np.asarray(ours), have.diagonal @ have.general @ have.diagonal)


def test_complex_matrices():
    random = np.random.default_rng(1)
    a = random.standard_normal((SIZE, SIZE)) + 1j * random.standard_normal((SIZE, SIZE))
    positive = a @ a.conj().T + SIZE * np.eye(SIZE)
    for transposed in (False, True):
        declared = operand("positive definite", inverse=True, transposed=transposed)
        expected = np.linalg.inv(positive.T if transposed else positive) @ a
        np.testing.assert_allclose(multi_dot([positive, a], structures=[declared, None]), expected, atol=1e-10)
    with pytest.raises(ValueError, match="conjugate transpose"):
        multi_dot([np.linalg.qr(a)[0], a], structures=[operand("orthogonal", inverse=True), None])


def test_no_inverse_is_made_where_a_system_can_be_solved(monkeypatch):
    have = matrices()
    tools = library_of([have.general]).Toolbox
    sides = []

    def solve(self, matrix, right):
        sides.append(right.shape[1])
        return np.linalg.solve(matrix, right)

    monkeypatch.setattr(tools, "solve", solve)
    ours = multi_dot(
        [have.general, have.tall, have.tall.T, have.vector],
        structures=[operand("general", inverse=True), None, None, None],
    )
    assert sides == [1] and ours.shape == (SIZE,)


def test_gradients_pass_through_what_is_solved():
    torch = pytest.importorskip("torch")
    tensor = torch.eye(4, dtype=torch.float64) * 3 + torch.ones(4, 4, dtype=torch.float64)
    b = torch.arange(8.0, dtype=torch.float64).reshape(4, 2)
    declared = [Operand((4, 4), "positive definite", inverse=True), None]
    assert torch.autograd.gradcheck(
        lambda x, b: multi_dot([(x + x.T) / 2, b], structures=declared), (tensor.requires_grad_(), b.requires_grad_())
    )


def test_out_and_plain_entries():
    have = matrices()
    out = np.empty(SIZE)
    ours = multi_dot([have.lower, have.vector], structures=[operand("lower triangular", inverse=True), None], out=out)
    assert ours is out
    np.testing.assert_allclose(have.lower @ out, have.vector)
    np.testing.assert_allclose(multi_dot([have.general] * 2, structures=[None, None]), have.general @ have.general)
    np.testing.assert_array_equal(multi_dot([have.identity] * 2, structures=["identity"] * 2), np.eye(SIZE))


@pytest.mark.parametrize(
    ("structures", "message"),
    [
        (["diagonal"], "1 entries for 2 operands"),
        (["diagnal", None], "there are general, diagonal"),
        ([Operand((3, 3), "diagonal"), None], "declared to have the shape"),
        ([Operand((SIZE, SIZE), rank=3), None], "two factors as a tuple"),
    ],
)
def test_declarations_that_do_not_fit(structures, message):
    have = matrices()
    with pytest.raises(ValueError, match=message):
        multi_dot([have.diagonal, have.tall], structures=structures)


def test_what_structures_are_not_for():
    sparse = pytest.importorskip("scipy.sparse", reason="SciPy is not installed")
    with pytest.raises(TypeError, match="zeros"):
        multi_dot([sparse.eye_array(3)] * 2, structures=[None, None])
    with pytest.raises(ValueError, match="no vectors and batches"):
        multi_dot([np.ones((2, 3, 3)), np.ones((3, 3))], structures=[None, "symmetric"])
    with pytest.raises(np.linalg.LinAlgError):
        multi_dot([np.zeros((3, 3)), np.ones(3)], structures=[Operand((3, 3), inverse=True), None])
