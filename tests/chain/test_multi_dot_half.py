"""float16 and bfloat16: where another order leaves the range of the dtype, and where it does not."""

from __future__ import annotations

import warnings

import pytest

from wellposed import matrix_chain_multiplication, multi_dot
from wellposed.chain import HalfPrecisionWarning, half_precision

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def _nothing_warned_of_yet():
    half_precision._warned.clear()


def chain(rows=64):
    """(P @ Q) @ R is 3686.4; Q @ R is 921,600, beyond float16."""
    return [
        np.full((rows, 4), 1e-3, "float16"),
        np.full((4, 256), 60, "float16"),
        np.full((256, 1), 60, "float16"),
    ]


LIBRARIES = {"numpy": np.asarray, "torch": torch.tensor}


@pytest.fixture(params=LIBRARIES)
def convert(request):
    return LIBRARIES[request.param]


def test_the_written_order_is_finite_and_the_cheapest_is_not():
    p, q, r = chain()
    assert matrix_chain_multiplication([p.shape, q.shape, r.shape]).expression == "A0·(A1·A2)"
    with np.errstate(over="ignore"):
        assert np.isfinite((p @ q) @ r).all() and np.isinf(p @ (q @ r)).all()
    assert torch.isinf(torch.linalg.multi_dot([torch.tensor(each) for each in (p, q, r)])).all()


def test_is_multiplied_wider_and_says_so_once(convert):
    operands = [convert(each) for each in chain()]
    with pytest.warns(HalfPrecisionWarning, match="float16 .* float32") as told:
        result = multi_dot(operands)
    assert told[0].filename == __file__
    assert str(result.dtype).endswith("float16")
    exact = np.linalg.multi_dot([each.astype("float64") for each in chain()])
    np.testing.assert_allclose(np.asarray(result, dtype="float64"), exact, rtol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        multi_dot(operands)
    with pytest.warns(HalfPrecisionWarning):
        multi_dot([convert(each) for each in chain(rows=65)])


def test_the_reverse_where_the_cheapest_order_alone_is_finite(convert):
    # Rows first overflow: here the cheapest order is better than the written one, and nothing is said.
    a, b, c = np.full((64, 64), 60, "float16"), np.full((64, 64), 60, "float16"), np.full((64, 1), 1e-4, "float16")
    with np.errstate(over="ignore"):
        assert np.isinf((a @ b) @ c).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = multi_dot([convert(each) for each in (a, b, c)])
    np.testing.assert_allclose(np.asarray(result, dtype="float64"), 60 * 60 * 64 * 64 * 1e-4, rtol=5e-3)


def test_a_result_beyond_the_range_is_infinite_without_a_word(convert):
    operands = [convert(np.full(shape, 60, "float16")) for shape in [(64, 4), (4, 256), (256, 1)]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(np.asarray(multi_dot(operands))).all()


def test_nan_and_infinity_of_operands_stay(convert):
    p, q, r = chain()
    r = r.copy()
    r[:] = 1
    p[0, 0], p[1, 0] = np.nan, np.inf
    result = np.asarray(multi_dot([convert(each) for each in (p, q, r)]))
    assert np.isnan(result[0]) and np.isinf(result[1]) and np.isfinite(result[2:]).all()


def test_out(convert):
    operands = [convert(each) for each in chain()]
    out = convert(np.zeros((64, 1), "float16"))
    with pytest.warns(HalfPrecisionWarning):
        assert multi_dot(operands, out=out) is out
    assert np.isfinite(np.asarray(out)).all()


def test_bfloat16_has_room_for_the_same_and_is_guarded_at_its_own_limit():
    small = [torch.tensor(each).bfloat16() for each in chain()]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.isfinite(multi_dot(small)).all()
    p, q, r = (torch.full(each.shape, value).bfloat16() for each, value in zip(small, [1e-30, 1e25, 1e25], strict=True))
    assert torch.isfinite((p @ q) @ r).all() and torch.isinf(p @ (q @ r)).all()
    with pytest.warns(HalfPrecisionWarning, match="float64"):
        assert torch.isfinite(multi_dot([p, q, r])).all()


def test_gradients_pass_through_the_wider_product():
    p, q, r = (torch.tensor(each, requires_grad=True) for each in chain())
    with pytest.warns(HalfPrecisionWarning):
        multi_dot([p, q, r]).sum().backward()
    assert p.grad.dtype == torch.float16 and torch.isfinite(q.grad).all() and torch.isfinite(r.grad).all()


def test_autocast():
    p, q, r = (torch.tensor(each).float() for each in chain())
    with torch.autocast("cpu", dtype=torch.float16), pytest.warns(HalfPrecisionWarning):
        result = multi_dot([p, q, r])
    assert result.dtype == torch.float16 and torch.isfinite(result).all()
    # A stack, and a gradient of one operand alone, are not PyTorch's own multi_dot.
    r.requires_grad_()
    for operands in ([p[None], q, r.detach()], [p, q, r]):
        half_precision._warned.clear()
        with torch.autocast("cpu", dtype=torch.float16), pytest.warns(HalfPrecisionWarning):
            assert torch.isfinite(multi_dot(operands)).all()
    compiled = torch.compile(lambda *tensors: multi_dot(tensors), fullgraph=True, backend="eager")
    with torch.autocast("cpu", dtype=torch.float16):
        result = compiled(p, q, r)
    assert result.dtype == torch.float16 and torch.isfinite(result).all()


def test_where_values_cannot_be_seen():
    operands = [torch.tensor(each) for each in chain()]
    compiled = torch.compile(lambda *tensors: multi_dot(tensors), fullgraph=True, backend="eager")
    mapped = torch.vmap(lambda p: multi_dot([p, *operands[1:]]))(torch.stack([operands[0]] * 3))
    for result in (compiled(*operands), mapped):
        assert result.dtype == torch.float16 and torch.isfinite(result).all()
    assert multi_dot([each.to("meta") for each in operands]).dtype == torch.float16


def test_jax():
    jnp = pytest.importorskip("jax.numpy")
    import jax

    operands = [jnp.asarray(each) for each in chain()]
    with pytest.warns(HalfPrecisionWarning):
        result = multi_dot(operands)
    for each in (result, jax.jit(lambda *arrays: multi_dot(arrays))(*operands)):
        assert each.dtype == jnp.float16 and jnp.isfinite(each).all()


def test_dask_is_widened_without_looking():
    array = pytest.importorskip("dask.array")
    result = multi_dot([array.from_array(each, chunks=32) for each in chain()])
    assert result.dtype == np.float16 and np.isfinite(result.compute()).all()


def test_the_standard():
    strict = pytest.importorskip("array_api_strict")
    # It has no float16 of its own: the guard leaves its dtypes alone.
    result = multi_dot([strict.asarray(each.astype("float32")) for each in chain()])
    assert result.dtype == strict.float32
