"""NumPy's functions, methods and operators on followed arrays: results to the bit, digits by brute force."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from wellposed.integrations.digits_numpy import digits_of_numpy

FOLLOWED: dict[str, Callable[[Any, Any], Any]] = {
    "operators": lambda a, b: -a + b * 2 - 1 / (3 + a) + abs(b) ** 0.5 + a**2 + 2.0**b,
    "reflected": lambda a, b: (1 - a) * (2 / (b + 4)) + 3 ** (a / 3),
    "remainders": lambda a, b: a % 0.7 + np.fmod(b, 0.3) + np.mod(a, 0.9),
    "floors": lambda a, b: a // 0.4 + np.floor(b) + np.rint(a) + np.trunc(b) + np.ceil(a),
    "rounded": lambda a, b: np.round(a, 2) + b.round(1),
    "methods": lambda a, b: a.sum() + a.mean() + b.std() + b.var(ddof=1) + a.max() - a.min() + a.prod(),
    "axes": lambda a, b: a.sum(axis=0) + b.mean(axis=0, keepdims=True) - np.std(a, axis=0),
    "mixed-scalars": lambda a, b: np.float32(0.1) * a + b[0, 0] * 3 + a.item(0) * 0.5,
    "float()": lambda a, b: a * float(b[0, 1]) + float(a.sum()),
    "cumulative": lambda a, b: np.cumsum(a, axis=1) + np.cumprod(b, axis=0) + np.diff(a, axis=0, append=1.0),
    "norms": lambda a, b: a / np.linalg.norm(a, axis=1, keepdims=True) + np.linalg.norm(b),
    "products": lambda a, b: a @ b.T + np.dot(a, b.T) + np.inner(a, b) + np.einsum("ij,kj->ik", a, b),
    "outer": lambda a, b: np.outer(a[0], b[1]) + np.multiply.outer(a[1], b[0]) + np.tensordot(a, b, ([0], [0])),
    "vdot": lambda a, b: np.vdot(a, b) + np.trace(a @ b.T) + np.kron(a, b).sum(),
    "clip": lambda a, b: np.clip(a / 3, -0.2, 0.4) + b.clip(0, None) + np.maximum(a, 0),
    "where": lambda a, b: np.where(a > 0, a / 3, b / 7),
    "select": lambda a, b: np.select([a > 0.5, a > 0], [a / 3, b], default=0.25),
    "piecewise": lambda a, b: np.choose((a > 0).astype(int), [a / 3, b / 7]),
    "sorted": lambda a, b: np.sort(a / 3, axis=None)[::2] + np.median(b) + np.percentile(a / 3, 30),
    "quantiles": lambda a, b: np.quantile(a, [0.1, 0.5], axis=0) + np.ptp(b, axis=0),
    "averages": lambda a, b: np.average(a, axis=0, weights=abs(b[:, 0]) + 1) + np.nanmean(b, axis=0),
    "stacked": lambda a, b: np.concatenate([a / 3, b], 1).sum(0)[:4] + np.stack([a, b])[1, 0] + np.vstack([a, b])[4],
    "takes": lambda a, b: np.take(a / 3, [0, 2], axis=0) + b[[1, 2]] + np.repeat(a[0:1], 2, axis=0),
    "masks": lambda a, b: (a / 3)[a > 0].sum() + np.compress([True, False, True], b, axis=0).sum(),
    "shapes": lambda a, b: (a / 3).reshape(2, -1).T.ravel() + b.flatten() + np.expand_dims(b, 0).squeeze().reshape(-1),
    "rolled": lambda a, b: np.roll(a / 3, 1) + np.flip(b) + np.tile(a[0], (3, 1)) + np.pad(b[:2], ((0, 1), (0, 0))),
    "triangles": lambda a, b: np.tril(a / 3) + np.triu(b) + np.diag(np.diag(a[:, :3])).sum() + np.diagonal(b).sum(),
    "transcendental": lambda a, b: (
        np.exp(a) + np.log1p(abs(b)) + np.tanh(a) + np.arctan2(a, b) + np.sinh(a) * np.sin(b)
    ),
    "more": lambda a, b: np.expm1(a) + np.log2(abs(b) + 1) + np.cbrt(a) + np.hypot(a, b) + np.logaddexp(a, b),
    "powers": lambda a, b: np.power(abs(a), b) + np.square(a) + np.reciprocal(b + 4) + np.float_power(abs(a), 0.3),
    "signs": lambda a, b: np.sign(a) * b / 3 + np.copysign(b, a) + np.heaviside(a, 0.5),
    "differences": lambda a, b: np.gradient(a, axis=1) + np.ediff1d(b)[:4] + np.trapezoid(a, axis=0),
    "convolved": lambda a, b: np.convolve(a[0], b[0]) + np.correlate(a[1], b[1], "full"),
    "spectrum": lambda a, b: np.abs(np.fft.rfft(a, axis=1)) + np.fft.ifft(np.fft.fft(b)).real[:, :3],
    "polynomial": lambda a, b: np.polyval([0.1, 0.2, 0.3], a) + np.cov(a, b)[0, 0] + np.corrcoef(a[0], b[0])[0, 1],
    "reduced": lambda a, b: np.add.reduce(a) + np.multiply.reduce(b, axis=0) + np.add.accumulate(a, axis=1)[0],
    "logsum": lambda a, b: np.logaddexp.reduce(a, axis=1) + np.add.reduceat(b, [0, 1, 2], axis=0).sum(1),
    "integers": lambda a, b: a * np.arange(4) / np.array([3, 5, 7, 9]) + a**3 + np.sqrt(np.arange(4)),
    "cast": lambda a, b: (a.astype(np.float16) / 3).astype(a.dtype) + b.astype(np.float64) / 7,
    "likes": lambda a, b: np.zeros_like(a) + np.ones_like(b) / 3 + np.full_like(a, 0.1),
    "in-place": lambda a, b: _in_place(a.copy(), b),
    "plain-accumulator": lambda a, b: _accumulated(a, b),
    "copies": lambda a, b: copy.deepcopy(a) / 3 + copy.copy(b),
    "complex": lambda a, b: ((a + 1j * b) ** 2).imag + np.abs(a - 1j * b) + np.exp(1j * a).real,
    "meshgrid": lambda a, b: np.meshgrid(a[0] / 3, b[0])[0] + np.broadcast_to(a[1], (4, 4)),
    "linear-algebra": lambda a, b: np.linalg.solve(a @ a.T + np.eye(3), b) + np.linalg.inv(b @ b.T + np.eye(3))[0, 0],
    "iteration": lambda a, b: sum(row.sum() / 3 for row in a) + max(b[0]) + min(b[1]),
    "tuples": lambda a, b: (a.mean() / 3, [b.sum(), {"x": a[0] / 7}]),
    "ldexp": lambda a, b: np.ldexp(b / 3, 2),
    "split": lambda a, b: np.split(a / 3, [1])[1] + np.hsplit(np.hstack([b, b]), 2)[0][1:],
    "nan": lambda a, b: np.nan_to_num(np.log(a - 0.2), nan=0.5) + np.nansum(b / 3),
}
NOT_FOLLOWED: dict[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "eigh": ("eigh", lambda a, b: np.linalg.eigh(a[:, :3] + a[:, :3].T).eigenvalues),
    "svd": ("svd", lambda a, b: np.linalg.svd(a)[1]),
    "interp": ("interp", lambda a, b: np.interp(a[0], [0.0, 1.0], [0.0, 3.0])),
    "pickle": ("result", lambda a, b: pickle.loads(pickle.dumps(a / 3))),
    "asarray": ("numpy.asarray", lambda a, b: np.asarray(a / 3)),
    "lists": ("numpy.asarray", lambda a, b: np.array([a[0].sum(), b[0].sum(), 0.5], dtype=a.dtype) / 3),
    "modf": ("modf", lambda a, b: np.modf(a)[0]),
}
"""With the name under which the report tells that they were not followed."""


def _in_place(a: Any, b: Any) -> Any:
    a += b / 3
    a -= 0.1
    a *= b
    a /= 3
    a **= 2
    a[0] = b[1] / 7
    a[1, 2] = b.sum()
    a[a > 0.5] *= 0.3
    a[:, 1:3] += b[:, 1:3]
    a[[0, 1], [1, 2]] = 0.7
    view = a.T
    view[1] -= b[:, 1] / 3
    np.exp(a, out=a)
    np.add(a, 1, out=a, where=b > 0)
    np.subtract.at(a, ([0, 0], [1, 1]), b[0, :2])
    np.copyto(a[2], b[2] / 9)
    np.fill_diagonal(a, 0.125)
    np.put(a, [5], b[0, 0] / 3)
    a.sort(axis=1)
    return a


def _accumulated(a: Any, b: Any) -> Any:
    total = np.zeros(4, a.dtype)
    for row in a:
        total += row / 3
    return total * b[0]


def inputs(dtype: str) -> tuple[Any, Any]:
    rng = np.random.default_rng(11)
    return rng.standard_normal((3, 4)).astype(dtype), rng.standard_normal((3, 4)).astype(dtype)


def same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    if isinstance(one, (list, tuple)):
        for left, right in zip(one, other, strict=True):
            same(left, right)
    elif isinstance(one, dict):
        same(list(one.values()), list(other.values()))
    elif isinstance(one, (np.ndarray, np.generic)):
        assert one.dtype == other.dtype and one.shape == other.shape
        assert one.tobytes() == other.tobytes()
    else:
        assert one == other


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FOLLOWED)
def test_a_followed_call_gives_what_it_gives_without_us(name: str, dtype: str) -> None:
    function = FOLLOWED[name]
    given = inputs(dtype)
    report = digits_of_numpy(function, given)
    result = report.result
    same(result, function(*inputs(dtype)))
    for ours, untouched in zip(given, inputs(dtype), strict=True):
        assert ours.tobytes() == untouched.tobytes()
    assert report.skipped == ()
    assert report.outputs
    if dtype == "float32":
        # Brute force: the same function of float64 arrays is what the shadows are, but where it casts.
        true = function(*(array.astype(np.float64) for array in inputs(dtype)))
        if isinstance(true, np.ndarray) and name != "cast":
            expected = float(np.sqrt(np.mean(np.abs(true) ** 2))) if true.ndim else float(true)
            assert report.outputs[0].reference == pytest.approx(expected, rel=1e-12)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", NOT_FOLLOWED)
def test_a_call_that_cannot_be_followed_gives_the_same_and_is_told(name: str) -> None:
    told, function = NOT_FOLLOWED[name]
    report = digits_of_numpy(function, inputs("float32"))
    result = report.result
    same(result, function(*inputs("float32")))
    assert told in {skipped for skipped, _, _ in report.skipped}
    assert name == "asarray" or report.outputs == ()
