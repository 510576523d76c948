"""What a NumPy program shows of its training: the loss that it keeps, and the updates that it writes by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy

from wellposed import _native
from wellposed.capture.numpy_recorder import FORWARD, OPTIMIZER, NumpyRecorder
from wellposed.record import RecordWriter


@dataclass(slots=True)
class Facts:
    """Of one step."""

    loss: float | None = None
    loss_operation: int = 0
    learning_rate: float | None = None
    gradient_norm: float | None = None
    gradient_nonfinite: int | None = None
    update_norm: float | None = None
    update_site: int = 0


@dataclass(slots=True)
class Updates:
    """How the updates of one variable went over the run."""

    site: int
    rate: float | None
    count: int = 0
    first: float = math.nan
    """Largest norm of the first few."""
    largest: float = 0.0
    reversed: int = 0
    """How often one pointed against the one before."""
    compared: int = 0
    lost_at: int | None = None
    """The step of the first that is not finite."""
    before: numpy.ndarray[Any, Any] | None = None

    def enter(self, norm: float, step: numpy.ndarray[Any, Any], number: int) -> None:
        """One more update, in the step of that number."""
        if not math.isfinite(norm):
            self.lost_at = number if self.lost_at is None else self.lost_at
            return
        self.count += 1
        if self.count <= FIRST:
            self.first = max(norm, self.first) if self.count > 1 else norm
        self.largest = max(norm, self.largest)
        now = _few(step)
        if self.before is not None and self.before.shape == now.shape and norm > 0:
            with numpy.errstate(all="ignore"):
                self.compared += 1
                self.reversed += int(float(now @ self.before) < 0)
        self.before = now

    def details(self, variable: str) -> dict[str, Any]:
        return {
            "variable": variable, "rate": self.rate, "count": self.count, "first": self.first, "largest": self.largest,
            "reversed": self.reversed, "compared": self.compared, "lost_at": self.lost_at,
        }  # fmt: skip


FIRST = 3
"""Updates that tell how large they were at first."""
_MOST_VARIABLES = 100
_MOST_COMPARED = 4_096


class Training:
    """Gathers the facts of each step."""

    def __init__(self, recorder: NumpyRecorder, writer: RecordWriter):
        self._recorder = recorder
        self._writer = writer
        self._facts = Facts()
        self._squares = 0.0
        self._nonfinite = 0
        self._updates = 0
        self._step = 0
        self.variables: dict[str, Updates] = {}
        """By the text of what is updated."""

    def said(self, what: str, name: str, value: Any) -> float | None:
        """What the instrument's ``named`` tells; returns the loss where it is one."""
        recorder = self._recorder
        if what == "update":
            recorder.phase, recorder.label, recorder.last_step = OPTIMIZER, name, None
            rate = _number(value)
            if rate is not None:
                self._facts.learning_rate = max(rate, self._facts.learning_rate or 0.0)
            return None
        if what == "updated":
            self._update(name, recorder.last_step)
            recorder.phase, recorder.label, recorder.last_step = FORWARD, "", None
            return None
        loss = _number(value)
        if loss is not None:
            self._facts.loss = loss
            box = recorder.values.operand(value)
            self._facts.loss_operation = recorder.tape.producer(box) if isinstance(box, numpy.ndarray) else 0
        return loss

    def _update(self, name: str, step: numpy.ndarray[Any, Any] | None) -> None:
        """A variable was changed by `step`."""
        site = self._facts.update_site = self._recorder.sites.here()
        if step is None:
            return
        statistics = _native.summarise(step)
        self._updates += 1
        size = statistics.root_mean_square if statistics.count else 0.0
        self._squares += size * size * statistics.count  # not a power, which would raise where it overflows
        nonfinite = statistics.nan + statistics.positive_infinity + statistics.negative_infinity
        self._nonfinite += nonfinite
        if len(self.variables) < _MOST_VARIABLES or name in self.variables:
            updates = self.variables.setdefault(name, Updates(site, self._facts.learning_rate))
            updates.enter(math.nan if nonfinite else size * math.sqrt(statistics.count), step, self._step)

    def end_step(self, step: int, in_full: bool) -> Facts:
        """The facts of the step that ends; the next one begins with none."""
        self._step = step + 1
        facts, self._facts = self._facts, Facts()
        if self._updates and in_full:
            facts.update_norm = math.sqrt(self._squares) if self._squares >= 0 else math.nan
            facts.gradient_nonfinite = self._nonfinite
            if facts.learning_rate:
                facts.gradient_norm = facts.update_norm / facts.learning_rate
        self._squares, self._nonfinite, self._updates = 0.0, 0, 0
        return facts


def _number(value: Any) -> float | None:
    """A finite or non-finite real number; None for anything else."""
    if isinstance(value, (bool, complex)) or not isinstance(value, (int, float, numpy.generic, numpy.ndarray)):
        return None
    if isinstance(value, (numpy.generic, numpy.ndarray)) and (value.size != 1 or value.dtype.kind not in "iuf"):
        return None
    return float(value) if not isinstance(value, numpy.ndarray) else float(value.reshape(-1)[0])


def _few(array: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """Its first elements scaled to at most 1, copied."""
    flat = array.reshape(-1)[:_MOST_COMPARED].astype(numpy.float64)
    largest = float(numpy.abs(flat).max()) if flat.size else 0.0
    return flat / largest if largest > 0 else flat
