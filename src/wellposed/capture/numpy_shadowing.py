"""Runs a NumPy program's operations beside a shadow of higher precision, and notes which formulas lost digits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from wellposed.shadow.contract import to_plain
from wellposed.shadow.numpy_engine import Engine
from wellposed.shadow.numpy_places import user_place
from wellposed.shadow.numpy_report import report_of_sinks

MOST_OPERATORS = 60
"""Operators that are written down of the report."""
LARGER, SMALLER = 2.0, 0.5
"""Times the free seconds of a PyTorch program: a few operations on millions of float32 numbers are all that some
programs do; beside float64 stand numbers that no processor computes fast with, and it seldom lacks digits."""
SHARE = 0.05
"""Of the program's time that shadows may take beyond what is free at the beginning."""


class NumpyShadowing:
    """An observer of recorded operations, from the program's start until its time is up.

    What a program is after is not declared: it is what was computed and that nothing recorded has read.
    """

    def __init__(self, folder: str, free_seconds: float):
        self._engine = Engine(place=user_place(folder))
        self._free_seconds = free_seconds
        self._began = time.thread_time()
        self._spent = 0.0
        self._is_over = False
        self.failure = ""
        """What went wrong with us; empty while nothing has."""

    def before(self, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> object:
        """As `capture.numpy_recorder.Observer`; None once it is over."""
        if self._is_over:
            return None
        began = time.thread_time()
        try:
            return self._engine.before(function, arguments, keywords)
        except Exception as error:
            self._fail(error)
            return None
        finally:
            self._spent += time.thread_time() - began

    def after(self, token: Any, result: object, operation: int) -> None:
        if self._is_over or token is None:
            return
        began = time.thread_time()
        try:
            self._engine.after(token, result, operation)
        except Exception as error:
            self._fail(error)
        finally:
            now = time.thread_time()
            self._spent += now - began
            own = max(now - self._began - self._spent, 0.0)
            # What is computed from here on has no shadow, so that nothing can be said of it.
            free = (SMALLER if "float64" in self._engine.dtypes else LARGER) * self._free_seconds
            if self._spent > free + SHARE * own:
                self.stop()

    def stop(self) -> None:
        """Follow no more, and let go of the program's arrays."""
        self._is_over = True
        self._engine.store.forget()

    def report(self) -> dict[str, Any] | None:
        """What was lost, as the details of an event ``digits``; None where there is nothing to tell."""
        if self.failure or not self._engine.executed:
            return None
        was_cut, self._is_over = self._is_over, True
        try:
            report = report_of_sinks(self._engine, was_cut)
        except Exception as error:
            self._fail(error)
            return None
        return to_plain(report, MOST_OPERATORS) if report.outputs else None

    def _fail(self, error: Exception) -> None:
        self._is_over = True
        self.failure = f"{type(error).__name__}: {error}"[:300]
