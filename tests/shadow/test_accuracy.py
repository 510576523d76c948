"""The digits that are reported are the true ones, within 0.3: FPBench's expressions and what arrays are made for.

The truth is mpmath's at 400 bits, of the same inputs, against what plain NumPy computes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.shadow import exact
from tests.shadow.expressions import EXPRESSIONS, Expression
from tests.shadow.known_answers import KNOWN, WITHOUT_KERNEL, Known
from wellposed.integrations.digits_numpy import digits_of_numpy

TOLERANCE = 0.3
SAMPLES = 40

Measure = Callable[[Callable[..., Any], tuple[Any, ...]], tuple[Any, float, float]]
"""Runs a function of a namespace and arrays; gives its result, its digits normwise and of the worst element."""


def by_numpy(function: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[Any, float, float]:
    with np.errstate(all="ignore"):
        report = digits_of_numpy(lambda *arrays: function(np, *arrays), inputs)
    (output,) = report.outputs
    return np.asarray(report.result), output.digits.normwise, output.digits.worst


ENGINES: dict[str, Measure] = {"numpy": by_numpy}
"""Engines that are held to the truth; another library's engine takes and gives NumPy arrays here."""


@pytest.fixture(params=list(ENGINES))
def measure(request: pytest.FixtureRequest) -> Measure:
    return ENGINES[request.param]


def sampled(name: str, ranges: tuple[tuple[float, float], ...], dtype: str) -> tuple[Any, ...]:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    with np.errstate(over="ignore"):
        return tuple(rng.uniform(low, high, SAMPLES).astype(dtype) for low, high in ranges)


def check(computed: Any, true: list[Any], dtype: str, normwise: float, worst: float) -> None:
    true_normwise, true_worst = exact.digits(computed, true, dtype)
    assert normwise == pytest.approx(true_normwise, abs=TOLERANCE)
    assert worst == pytest.approx(true_worst, abs=TOLERANCE)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_fpbench(expression: Expression, dtype: str, measure: Measure) -> None:
    inputs = sampled(expression.name, expression.ranges, dtype)
    computed, normwise, worst = measure(expression.function, inputs)
    if dtype == "float16" and not all(np.isfinite(array).all() for array in (*inputs, computed)):
        pytest.skip("beyond the range of float16")
    try:
        true = exact.elementwise(expression.function, *inputs)
    except ZeroDivisionError:
        pytest.skip("rounding the inputs to float16 made a denominator 0")
    check(computed, true, dtype, normwise, worst)


def test_enough_of_fpbench_is_measured() -> None:
    assert len({expression.name for expression in EXPRESSIONS}) == len(EXPRESSIONS) >= 80


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
@pytest.mark.parametrize("known", KNOWN, ids=str)
def test_known_answers(known: Known, dtype: str, measure: Measure) -> None:
    if dtype == "bfloat16":
        dtype_or_type = pytest.importorskip("ml_dtypes", reason="NumPy gets bfloat16 from ml_dtypes").bfloat16
    else:
        dtype_or_type = np.dtype(dtype)
    if known.name in WITHOUT_KERNEL.get(dtype, ()):
        pytest.skip("NumPy has no kernel for it")
    inputs = tuple(array.astype(dtype_or_type) for array in known.inputs(np.random.default_rng(7)))
    computed, normwise, worst = measure(known.function, inputs)
    true = known.exact(*(np.vectorize(exact.number, otypes=[object])(array).tolist() for array in inputs))
    # The dtype of the result: NumPy computes the norm of a bfloat16 array in float64.
    check(computed, true, computed.dtype.name, normwise, worst)


# --- the worked example of the field: what is left of the variance of three numbers near 1000 ---

X = [1000.001, 1000.002, 1000.003]
VARIANCE = 6.67e-7


def by_squares(x: Any) -> Any:
    return np.mean(x * x) - np.mean(x) ** 2


def by_deviations(x: Any) -> Any:
    return np.mean((x - np.mean(x)) ** 2)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32", "float64"])
def test_the_worked_example(dtype: str) -> None:
    kind = pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    # The numbers are given in float64; putting them into the format is a part of the program.
    results = {}
    for formula in (by_squares, by_deviations):
        with np.errstate(all="ignore"):
            report = digits_of_numpy(lambda x, formula=formula: formula(x.astype(kind)), (np.array(X),))
        (output,) = report.outputs
        true = exact.digits(np.asarray(report.result), _variance_of_x(), dtype)
        assert output.reference == pytest.approx(VARIANCE, rel=1e-3)
        assert output.digits.normwise == pytest.approx(true[0], abs=TOLERANCE)
        results[formula] = output.digits.normwise
    if dtype == "float64":
        assert results[by_squares] < 7 < 9 < results[by_deviations]
    else:
        # Nothing is left by squares. By deviations float32 keeps what its inputs keep: 1000.001 is known to 6e-5.
        assert results[by_squares] == 0
        assert results[by_deviations] < 2


def _variance_of_x() -> list[Any]:
    x = [exact.number(a) for a in X]
    mean = sum(x) / 3
    return [sum((a - mean) ** 2 for a in x) / 3]


# --- the parts of the error add up to the error ---


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_the_operations_explain_the_error_of_fpbench(expression: Expression, dtype: str) -> None:
    inputs = sampled(expression.name, expression.ranges, dtype)
    report = digits_of_numpy(lambda *arrays: expression.function(np, *arrays), inputs)
    (output,) = report.outputs
    assert output.attribution is not None
    if output.attribution.true_error != 0:
        assert abs(output.attribution.residual) < 0.01
        assert sum(operator.share for operator in report.operators) == pytest.approx(1, abs=0.1), (
            "but for the negligible"
        )
