"""What becomes of an operation of an instrumented NumPy program: a row on the tape. The hot path of such programs."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Protocol

import numpy

from wellposed import _native
from wellposed.capture.numpy_functions import Called, Functions
from wellposed.capture.numpy_names import MAKING, keyword
from wellposed.capture.numpy_values import Values, readable
from wellposed.capture.sites import Sites

FORWARD, OPTIMIZER = 0, 2
CALL_NANOSECONDS = 700
"""What one recorded operation costs outside of `record`: the instrument, and the call from it."""
_TRANSPOSING = frozenset({"numpy_T", "permute", "transpose"})
"""Views that rules about products must see; others are followed by their memory."""


class Observer(Protocol):
    """Runs beside each recorded operation, as a shadow in higher precision does."""

    def before(self, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> object:
        """Called while the arguments still hold what the operation will read.

        An in-place operator is its function with ``out`` among the keywords; ``x[i]`` and ``x[i] = v`` are
        ``operator.getitem`` and ``operator.setitem``. What it returns is handed to `after`.
        """

    def after(self, token: object, result: object, operation: int) -> None:
        """Called once the operation has run; `operation` is its id in the record, 0 where it has no row."""


class NumpyRecorder:
    """Called by the instrument after each operation that an array took part in."""

    def __init__(
        self,
        tape: _native.Tape,
        sites: Sites,
        on_trouble: Callable[[Called, dict[str, Any], Any, int], None],
        on_failure: Callable[[BaseException], None],
    ):
        self.tape = tape
        self.sites = sites
        self.values = Values(tape)
        self.functions = Functions()
        self.shadow: Observer | None = None
        """Set before the recording starts."""
        self.phase = FORWARD
        self.label = ""
        """The variable that a hand-written update is at work on."""
        self.last_step: numpy.ndarray[Any, Any] | None = None
        """What the update at work subtracted or added, where it was an array or a number."""
        self.operations = 0
        self.spent_nanoseconds = 0
        self.rows_wanted = 4_000
        self.on_rows: Callable[[], None] = lambda: None
        self._on_trouble = on_trouble
        self._on_failure = on_failure

    def before(self, what: str, arguments: tuple[Any, ...], keywords: dict[str, Any] | None) -> object:
        """For the observer; None where the operation is none that it is told of."""
        began = perf_counter_ns()
        try:
            called = self._called(what, arguments, keywords or {})
            if called is None or self.shadow is None:
                return None
            given = dict(keywords or {})
            if what[0] == "i" and isinstance(arguments[0], numpy.ndarray) and called.operator.written:
                given["out"] = arguments[0]
            return (self.shadow.before(called.function, called.arguments, given),)
        except Exception as error:
            self._on_failure(error)
            return None
        finally:
            self.spent_nanoseconds += perf_counter_ns() - began

    def record(
        self,
        what: str,
        arguments: tuple[Any, ...],
        keywords: dict[str, Any] | None,
        result: Any,
        token: object,
        seconds: float,
    ) -> None:
        """`arguments` of ``call`` begin with the function. Never raises but what interrupts the program."""
        began = perf_counter_ns()
        try:
            self.operations += 1
            written = 0
            given = dict(keywords) if keywords else {}
            called = self._called(what, arguments, given)
            if called is not None:
                written = self._write(what, called, given, result, seconds)
            if isinstance(token, tuple) and self.shadow is not None:
                self.shadow.after(token[0], result, written)
            if self.tape.pending > self.rows_wanted:
                self.on_rows()
        except Exception as error:
            self._on_failure(error)
        finally:
            self.spent_nanoseconds += perf_counter_ns() - began + CALL_NANOSECONDS

    def _called(self, what: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Called | None:
        if what == "call":
            return self.functions.of_call(arguments[0], arguments[1:], keywords)
        return self.functions.of_operator(what, arguments)

    def _write(self, what: str, called: Called, keywords: dict[str, Any], result: Any, seconds: float) -> int:
        """Put it on the tape; returns its id, 0 where it is none that computes."""
        operator, operands, made = called.operator, called.operands, result
        if what == "getitem":
            if not isinstance(operands[0], numpy.ndarray) or _is_view(result, operands[0]):
                return 0
            if not isinstance(result, numpy.ndarray) and isinstance(result, numpy.generic):
                element = _element(operands[0], operands[1])
                if element is not None:
                    operator, operands = self.functions.selecting(), (element,)
        elif what == "setitem":
            part = _element(operands[0], operands[1])
            if part is not None:
                operator, operands, made = self.functions.copying(), (part, operands[2]), part
        elif not operator.written and operands and _is_view(result, operands[0]) and operator.base not in _TRANSPOSING:
            return 0
        values = self.values
        given = tuple([values.operand(each) for each in operands])
        if operator.base not in MAKING and not any(_holds_array(each) for each in given):
            return 0  # data that comes from outside, or is listed in the program
        named = {keyword(name): values.operand(value) for name, value in keywords.items()} or None
        out = values.result(made)
        if self.label and operator.base in ("sub", "add", "rsub") and len(given) == 2:
            step = given[0 if operator.base == "rsub" else 1]
            self.last_step = step if isinstance(step, numpy.ndarray) else None
        trouble = self.tape.record(
            operator, given, named, out, self.sites.here(), -1, self.phase, seconds, -1, -1
        )  # fmt: skip
        operation = self.tape.last
        if trouble:
            self._on_trouble(called, keywords, result, trouble)
        return operation


def _holds_array(value: Any) -> bool:
    if isinstance(value, list):
        return any(_holds_array(each) for each in value)
    return isinstance(value, numpy.ndarray)


def _is_view(result: Any, source: Any) -> bool:
    if result is source:
        return isinstance(result, numpy.ndarray)
    if not isinstance(result, numpy.ndarray) or not isinstance(source, numpy.ndarray) or result.base is None:
        return False
    return result.base is source or (source.base is not None and result.base is source.base)


def _element(container: Any, index: Any) -> numpy.ndarray[Any, Any] | None:
    """The part of an array that a basic index names, as a view; None for any other index."""
    if not isinstance(container, numpy.ndarray) or not readable(container):
        return None
    parts = index if isinstance(index, tuple) else (index,)
    if not all(each is None or each is Ellipsis or isinstance(each, (int, numpy.integer, slice)) for each in parts):
        return None
    if any(isinstance(each, (bool, numpy.bool_)) for each in parts):
        return None
    whole = parts if any(each is Ellipsis for each in parts) else (*parts, Ellipsis)
    view = container.view(numpy.ndarray)[whole]
    return view if isinstance(view, numpy.ndarray) else None
