"""What the engine says of NumPy operations: the kinds of error, what moves an output, flips, what it cannot follow."""

from __future__ import annotations

import gc
import math
import operator
from typing import Any

import numpy as np
import pytest

from wellposed.integrations.digits_numpy import digits_of_numpy
from wellposed.shadow.numpy_engine import Engine
from wellposed.shadow.numpy_reference import Reference, UnsuitableReferenceError
from wellposed.shadow.numpy_tape import Tape
from wellposed.shadow.result import DigitsReport, OperatorDigits

U32 = 2.0**-24


def measured(function: Any, *args: Any, reference: str = "auto") -> DigitsReport:
    with np.errstate(all="ignore"):
        return digits_of_numpy(function, args, reference=reference)


def the(report: DigitsReport, name: str, text: str = "") -> OperatorDigits:
    (found,) = (o for o in report.operators if o.where.operator == f"numpy.{name}" and text in o.text)
    return found


def names(report: DigitsReport) -> list[str]:
    return [str(o.where.operator).removeprefix("numpy.") for o in report.operators]


# --- the formulas in which the kinds of error differ ---


def test_the_variance_by_squares_is_guilty_at_its_subtraction() -> None:
    x = (300 + np.random.default_rng(0).standard_normal(1000)).astype(np.float32)

    def variance(x: Any) -> Any:
        squares = (x**2).mean()
        square = x.mean() ** 2
        return squares - square

    report = measured(variance, x)
    guilty = the(report, "subtract")
    assert guilty.rounding == 0, "a difference of close numbers is exact (Sterbenz)"
    assert guilty.formula > 1e-4
    assert guilty.amplification > 1e4
    assert 15 < guilty.cancelled_bits < 18
    assert guilty.digits.normwise < 3 < 7 <= guilty.digits_in
    assert guilty.text == "return squares - square"
    assert all(o.formula < 4 * U32 for o in report.operators if o is not guilty)
    (output,) = report.outputs
    assert output.attribution is not None
    assert abs(output.attribution.residual) < 0.01
    assert sum(o.share for o in report.operators) == pytest.approx(1)


def test_the_log_of_a_softmax_is_guilty_at_the_log() -> None:
    x = np.array([0.0, -16.0, 1.0], np.float16)

    def log_softmax(x: Any) -> Any:
        e = np.exp(x - x.max())
        p = e / e.sum()
        return np.log(p)

    report = measured(log_softmax, x)
    worst = max(report.operators, key=lambda o: o.formula)
    assert worst.where.operator == "numpy.log"


def test_the_log_of_one_minus_a_sigmoid_is_guilty_at_the_difference_or_after() -> None:
    x = np.array([7.5], np.float16)

    def f(x: Any) -> Any:
        s = 1 / (1 + np.exp(-x))
        rest = 1 - s
        return np.log(rest)

    report = measured(f, x)
    assert the(report, "subtract").rounding == 0
    assert the(report, "subtract").formula > 0.05
    assert the(report, "log").rounding < 1e-3


@pytest.mark.parametrize("close", [True, False])
def test_a_squared_distance_is_guilty_only_of_close_points(close: bool) -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal(64).astype(np.float32)
    b = a + 1e-3 * rng.standard_normal(64).astype(np.float32) if close else np.zeros(64, np.float32)

    def distance(a: Any, b: Any) -> Any:
        both = np.sum(a * a) + np.sum(b * b)
        return both - 2 * np.dot(a, b)

    report = measured(distance, a, b)
    if close:
        assert the(report, "subtract").formula > 1e-4
    else:
        assert all(o.formula < 4 * U32 for o in report.operators)
        assert report.outputs[0].digits.normwise > 6.9


def test_a_cancellation_that_moves_nothing_is_not_reported() -> None:
    a = np.float32(1) / np.arange(3, 9, dtype=np.float32)

    def f(a: Any, weight: float) -> Any:
        more = a + 1
        small = (more - 1) - a
        return 1000 + weight * small

    assert "subtract" not in names(measured(f, a, 1e-3))
    assert "subtract" in names(measured(f, a, 1e9))


def test_exact_programs_lose_nothing() -> None:
    x = np.arange(1, 9, dtype=np.float32)
    report = measured(lambda x: (x - x[::-1]) * 2 + x - x, x)
    assert report.operators == ()
    assert report.outputs[0].error == 0 and report.outputs[0].digits.worst == 7.2


def test_a_long_sum_in_float16_is_charged_to_the_line_that_adds() -> None:
    x = np.full(4000, 0.1, np.float16)

    def total(x: Any) -> Any:
        acc = np.zeros((), np.float16)
        for value in x:
            acc = acc + value
        return acc

    report = measured(total, x)
    line = the(report, "add")
    assert line.share == pytest.approx(1)
    assert line.calls == 4000
    assert report.outputs[0].digits.normwise < 1
    assert report.outputs[0].reference == pytest.approx(4000 * float(np.float16(0.1)))
    good = measured(lambda x: np.sum(x, dtype=np.float32), x)
    assert good.outputs[0].digits.normwise > 6


def test_warnings_are_the_programs_own() -> None:
    x = np.array([1.0, 0.0], np.float32)
    with np.errstate(all="raise"):
        assert digits_of_numpy(lambda x: np.exp(-(x / 3) * 100) + np.log(x + 1), (x,)).outputs
        with pytest.raises(FloatingPointError, match="divide by zero"):
            digits_of_numpy(lambda x: 1 / x, (x,))
    with np.errstate(all="warn"), pytest.warns(RuntimeWarning) as caught:
        digits_of_numpy(lambda x: np.log(x / 3), (x,))
    assert len(caught) == 1


def test_overflow_leaves_no_digits() -> None:
    report = measured(lambda x: np.sum(x * x), np.full(10, 1e3, np.float16))
    assert report.outputs[0].digits.normwise == 0
    assert report.outputs[0].reference == pytest.approx(1e7)
    assert "multiply" in names(report)


def test_complex_numbers_are_followed() -> None:
    z = np.array([1 + 1e-3j, 2 - 1j], np.complex64)
    report = measured(lambda z: (z * z.conj()).real - z.real**2, z)
    (output,) = report.outputs
    exact = z.astype(np.complex128).imag ** 2
    assert output.reference == pytest.approx(float(np.sqrt(np.mean(exact**2))))
    assert output.digits.worst < 3


def test_the_terms_of_sums_and_the_coarsest_format_are_told() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 50)).astype(np.float32), rng.standard_normal((50, 20)).astype(np.float16)

    def f(a: Any, b: Any) -> Any:
        product = a @ b
        return product.sum(axis=0) / 3

    report = measured(f, a, b)
    assert (the(report, "matmul").terms, the(report, "matmul").coarsest) == (50, "float16")
    assert (the(report, "sum").terms, the(report, "sum").coarsest) == (3, "")
    assert the(report, "divide").terms == 1


# --- another way ---


def third_of(x: Any) -> Any:
    return x / 3


def test_a_comparison_that_the_reference_decides_otherwise_is_a_flip() -> None:
    x = np.array([1.0, 5.0, 30.0, 1e4], np.float32)

    def f(x: Any) -> Any:
        back = third_of(x) * 3 + np.float32(1e8) - np.float32(1e8)
        return np.where(back > 6.0, x, -x)

    report = measured(f, x)
    (flip,) = report.flips
    # Beside 1e8, float32 knows multiples of 8 only: it makes 8 of the 5.
    assert flip.share == pytest.approx(1 / 4) and "back > 6.0" in flip.text
    assert 0 < flip.margin <= 1
    assert measured(lambda x: np.where(third_of(x) > 0.5, x, -x), x).flips == ()


def test_rounding_to_a_whole_number_follows_the_program() -> None:
    def f(x: Any) -> Any:
        nearly = x * 10
        return np.floor(nearly) * 0.5

    report = measured(f, np.array([0.7, 0.25], np.float32))  # 0.7 is 0.69999999, and the product rounds up to 7
    assert [flip.share for flip in report.flips] == [0.5]
    assert report.flips[0].margin < 1e-7
    assert report.outputs[0].error == 0
    assert measured(f, np.array([0.75, 0.25], np.float32)).flips == ()


def test_the_index_of_the_largest_follows_the_program() -> None:
    def f(x: Any, y: Any) -> Any:
        shifted = x + y
        return x[int(np.argmax(shifted))]

    x = np.array([1.0, 2.0], np.float32)
    assert len(measured(f, x, np.float32(1e9)).flips) == 1
    assert measured(f, x, np.float32(1)).flips == ()


# --- what cannot be followed is told ---


def test_arrays_taken_out_are_told_and_their_results_are_not_called_exact() -> None:
    def f(x: Any) -> Any:
        squares = np.asarray(x / 3)
        return squares * 7

    report = measured(f, np.ones(3, np.float32))
    assert report.outputs == ()
    assert any("taken out" in reason for _, reason, _ in report.skipped)
    assert any("left it" in reason for name, reason, _ in report.skipped if name == "result")


def test_numbers_that_python_computes_with_are_told() -> None:
    def f(x: Any) -> Any:
        total = float(np.sum(x / 3))
        return x / math.sqrt(total)

    def near_miss(x: Any) -> Any:
        return x / float(np.sum(x / 3))

    x = np.arange(1, 4, dtype=np.float32)
    assert [name for name, _, _ in measured(f, x).skipped] == ["float"]
    assert measured(near_miss, x).skipped == ()


def test_operations_without_a_counterpart_are_told() -> None:
    matrix = np.array([[2.0, 1.0], [1.0, 3.0]])
    report = measured(lambda a: np.linalg.eigh(a / 3)[0] * 2, matrix)
    assert [name for name, _, _ in report.skipped][:1] == ["eigh"]


def test_wrong_calls_fail_as_they_fail_without_us() -> None:
    with pytest.raises(ValueError, match="could not be broadcast"):
        digits_of_numpy(lambda a, b: a + b, (np.ones(2), np.ones(3)))
    with pytest.raises(IndexError):
        digits_of_numpy(lambda a: operator.setitem(a, 5, 1.0), (np.ones(2),))
    with pytest.raises(AttributeError, match="nothing_such"):
        digits_of_numpy(lambda a: a.nothing_such, (np.ones(2),))


def test_an_unknown_reference_is_refused_in_a_sentence() -> None:
    with pytest.raises(UnsuitableReferenceError, match="choose from auto, float64, longdouble, mpmath"):
        digits_of_numpy(lambda x: x, (np.ones(2),), reference="quad")


def test_more_digits_cancel_than_extended_precision_holds() -> None:
    def f(a: Any, b: Any) -> Any:
        return (a * a + 1e-22) - b * b - (a - b) * (a + b)

    a, b = np.array([1.1]), np.array([0.7])
    report = measured(f, a, b)
    assert any(o.limited for o in report.operators)
    assert report.reference.startswith("longdouble")
    fifty = measured(f, a, b, reference="mpmath")
    assert not any(o.limited for o in fifty.operators)
    assert fifty.reference == "mpmath"
    assert fifty.outputs[0].reference == pytest.approx(1e-22)


# --- driven by somebody who sees operations on the program's own objects ---


def seen(engine: Engine, function: Any, *args: Any, **kwargs: Any) -> Any:
    call = engine.before(function, args, kwargs)
    result = function(*args, **kwargs)
    engine.after(call, result)
    return result


def test_pythons_own_floats_are_followed_by_their_objects() -> None:
    engine = Engine()
    root = seen(engine, math.sqrt, 2.0)
    square = seen(engine, operator.mul, root, root)
    rest = seen(engine, operator.sub, square, 2.0)
    found, _, digits = engine.digits_of(rest)
    assert rest != 0 and digits.normwise < 0.5
    assert abs(float(found.shadow)) < 1e-18 < rest
    assert engine.dtypes == {"float64"}


@pytest.mark.parametrize("way", ["bound", "descriptor", "function", "reduce", "builtin"])
def test_the_ways_to_say_sum_are_one(way: str) -> None:
    engine = Engine()
    x = seen(engine, np.divide, np.arange(1, 4, dtype=np.float32), np.float32(3))
    total = {
        "bound": lambda: seen(engine, x.sum),
        "descriptor": lambda: seen(engine, np.ndarray.sum, x),
        "function": lambda: seen(engine, np.sum, x),
        "reduce": lambda: seen(engine, np.add.reduce, x),
        "builtin": lambda: seen(engine, sum, x),
    }[way]()
    assert engine.digits_of(total)[0].shadow == pytest.approx(2.0, abs=1e-15)
    assert not engine.table.skips


def test_numbers_that_an_operation_hands_back_keep_their_shadow() -> None:
    engine = Engine()
    zero, small = 0.0, seen(engine, operator.sub, 0.3, 0.1 + 0.2)
    assert seen(engine, max, small, zero) is zero
    assert float(engine.digits_of(zero)[0].shadow) == 0


def test_an_operator_that_is_told_where_to_write_is_in_place() -> None:
    engine = Engine()
    x, y = np.ones(3, np.float32), np.full(3, 3, np.float32)
    call = engine.before(operator.truediv, (x, y), {"out": x})
    x /= y
    engine.after(call, x, 17)
    assert np.array_equal(engine.digits_of(x)[0].shadow, np.ones(3) / 3)


def test_writes_behind_our_back_start_anew() -> None:
    engine = Engine()
    x = seen(engine, np.divide, np.ones(4, np.float32), np.float32(3))
    x[1] = 5
    found, error, _ = engine.digits_of(x)
    assert found.relifted
    assert error[1] == 0 and error[0] != 0


def test_shadows_go_with_their_arrays() -> None:
    engine = Engine(tape=Tape(overrun="not kept"))
    kept = seen(engine, np.divide, np.ones(4), 3.0)
    for _ in range(50):
        seen(engine, np.multiply, seen(engine, np.multiply, kept, kept), kept)[1:]
    gc.collect()
    assert len(engine.store) <= 2


def test_inputs_are_read_only_to_us() -> None:
    x = np.ones(3, np.float32)
    x.flags.writeable = False
    state = np.random.get_state()[1].copy()
    assert measured(lambda x: np.sqrt(x * 2), x).outputs[0].digits.worst > 7
    assert (np.random.get_state()[1] == state).all()


def test_a_tape_that_is_full_says_so_and_the_digits_stay() -> None:
    engine = Engine(Reference(), tape=Tape())
    engine.tape.overrun = "more than 1 operation"
    x = seen(engine, np.divide, np.ones(4, np.float32), np.float32(3))
    from wellposed.shadow.numpy_report import report_of

    report = report_of(engine, [("x", x)])
    assert report.outputs[0].attribution is None
    assert report.notes == ("No attribution: more than 1 operation to run again.",)
    assert names(report) == ["divide"]
