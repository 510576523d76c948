"""Digits of a function of NumPy arrays: the function runs on arrays that show their operations to a shadow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from wellposed.shadow.numpy_array import followed, plain
from wellposed.shadow.numpy_engine import Engine
from wellposed.shadow.numpy_reference import Reference
from wellposed.shadow.numpy_report import report_of
from wellposed.shadow.result import DigitsReport


def digits_of_numpy(
    fn: Callable[..., Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, reference: str = "auto"
) -> DigitsReport:
    """Run a function of NumPy arrays beside itself in higher precision.

    Args:
        fn: the function. Floating-point arrays (float16, bfloat16, float32, float64, complex) among its arguments,
            also inside lists, tuples and dicts, are followed through NumPy's functions, operators and methods.
        reference: ``auto`` (float64; longdouble beside float64), ``float64``, ``longdouble``, or ``mpmath`` (50
            digits, slow).

    Returns:
        The report. Its `result` is what `fn` returned, in plain arrays and bit for bit what it returns without us; its
        outputs are the floating-point arrays and numbers in that. Where `fn` takes plain arrays out of ours
        (`np.asarray`, an extension in C), what happens to them is not followed: that is told in `skipped`.

    Raises:
        UnsuitableReferenceError: no such reference, or it is not installed; a ValueError.
    """
    engine = Engine(Reference(reference))
    given, named = [followed(arg, engine) for arg in args], followed(dict(kwargs or {}), engine)
    result = plain(fn(*given, **named))
    return report_of(engine, _outputs(result, "result"), result)


def _outputs(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _outputs(part, f"{name}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield from _outputs(part, f"{name}[{index}]")
    else:
        yield name, value
