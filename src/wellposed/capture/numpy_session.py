"""One recording at work inside a NumPy program: its steps are the iterations of the outermost loop that runs."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy

from wellposed import _native
from wellposed.capture.alarm import Alarm
from wellposed.capture.budget import LONG_LOOP, Budget
from wellposed.capture.notes import Notes, plain
from wellposed.capture.numpy_functions import Called
from wellposed.capture.numpy_names import Operator
from wellposed.capture.numpy_probes import probe
from wellposed.capture.numpy_recorder import NumpyRecorder
from wellposed.capture.numpy_shadowing import NumpyShadowing
from wellposed.capture.numpy_training import Training
from wellposed.capture.recording import Options, Progress
from wellposed.record import Level, RecordWriter
from wellposed.record.writer import number

GRACE_SECONDS = 3.0
"""Recording may cost this much before the budget counts: a program of numbers in loops is often done by then."""
STEPS_IN_FULL_LENGTH = 1_000
"""Steps from which on rows of them are written at geometrically growing distances: a loop may run a million times."""
_LONGEST_STRETCH = 20_000
"""Operations recorded of one stretch: what follows in it is only looked at for NaN and infinities."""
_LOOKS_A_PLACE = 3
_COMMIT_SECONDS = 1.0
_TAPE_LEVEL = {"check": 1, "full": 2}
_CHEAP, _RECORDING = 1, 2
_ORDER = ("off", "modules", "check", "full")


class NumpySession:
    """Set to work by `install` and ended by `close`. Never raises into the program: a failure of ours ends the
    recording with an event, the program goes on."""

    def __init__(
        self,
        writer: RecordWriter,
        options: Options,
        folder: str,
        on_progress: Callable[[Progress], None] | None = None,
        shadow: NumpyShadowing | None = None,
    ):
        self._writer = writer
        self._on_progress = on_progress
        self._notes = Notes(writer, folder)
        self._tape = _native.Tape(numpy.ndarray, Described(writer), 1)
        self._recorder = NumpyRecorder(self._tape, self._notes.sites, self._trouble, self._fail)
        self._recorder.shadow = self._shadow = shadow
        self._recorder.on_rows = self._drain
        self._training = Training(self._recorder, writer)
        self._budget = Budget(
            options.budget,
            options.full_steps,
            grace_seconds=min(options.grace_seconds, GRACE_SECONDS),
            full_at_first=options.full_at_first,
        )
        self._level: Level = "off"
        self._step_level: Level = "off"
        self._first_level: Level = "off"
        """That the step began with, and goes on with when a loop inside it is over."""
        self._step, self._call = 0, 0
        self._operations_before = 0
        self._spent_before = 0.0
        self._hooks_nanoseconds = 0
        self._looked: Counter[object] = Counter()
        self._troubles = 0
        self._loss_alarm = Alarm()
        self._dead = False
        self._began = self._step_began = self._last_commit = time.perf_counter()
        self._step_began_spent = 0.0

    def install(self) -> None:
        session = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: (alive := session()) and alive._die())
        before = self._recorder.before if self._recorder.shadow is not None else None
        _native.instrument_start(
            numpy.ndarray, numpy.generic, self._recorder.record, self._cheap_trouble, self._boundary, self._said, before
        )
        self._begin_stretch(0)

    def close(self) -> dict[str, Any]:
        """Write what is left and return what the record's meta table should hold."""
        try:
            if not self._dead:
                self._end_stretch()
                self._end_step()
                if self._shadow is not None:
                    self._tell_lost_digits(self._shadow)
                for variable, updates in self._training.variables.items():
                    self._notes.event(0, "updates-by-hand", updates.details(variable), updates.site)
        except Exception as error:
            self._fail(error)
        _native.instrument_stop()
        self._recorder.values.close()
        return {"operations": self._recorder.operations, "recording_seconds": self._spent()}

    def _tell_lost_digits(self, shadow: NumpyShadowing) -> None:
        details = shadow.report()
        if details is not None:
            self._notes.event(0, "digits", details)
        if shadow.failure:
            self._notes.event(0, "shadow-failed", {"error": shadow.failure})

    def abandon(self) -> None:
        """End without a trace: another session takes over."""
        self._die()

    @property
    def operations(self) -> int:
        """Recorded so far."""
        return self._recorder.operations

    def note(self, kind: str, details: dict[str, Any]) -> None:
        """Write an event of the step at hand, once of its kind."""
        self._notes.event(self._step, kind, details, once=True)

    def _die(self) -> None:
        self._dead = True
        _native.instrument_stop()

    def _fail(self, error: BaseException) -> None:
        if self._dead:
            return
        self._die()
        with contextlib.suppress(Exception):
            self._notes.event(self._step, "recorder-failed", {"error": f"{type(error).__name__}: {error}"[:500]})
            self._writer.commit()

    def _spent(self) -> float:
        return (self._recorder.spent_nanoseconds + self._hooks_nanoseconds) * 1e-9

    # Steps and stretches

    def _boundary(self, what: str, step: int, call: int) -> None:
        """A loop's iteration begins (``step``, ``call``), or one ends and what is around it goes on (``rest``,
        ``after``)."""
        began = time.perf_counter_ns()
        try:
            self._end_stretch()
            if what == "step":
                self._end_step()
                self._step, self._call = step, 0
                self._begin_stretch(0)
            else:
                self._begin_stretch(call, around=what in ("rest", "after"))
        except Exception as error:
            self._fail(error)
        finally:
            self._hooks_nanoseconds += time.perf_counter_ns() - began

    def _begin_stretch(self, call: int, *, around: bool = False) -> None:
        self._call = call
        self._spent_before = self._spent()
        self._operations_before = self._recorder.operations
        self._recorder.phase = 0
        elapsed = time.perf_counter() - self._began
        level = self._budget.level(self._step, 0 if around else call, elapsed, self._spent_before)
        if around and level != "off":
            level = self._first_level
        if call == 0:
            self._first_level = self._step_level = level
        self._step_level = max(self._step_level, level, key=_ORDER.index)
        if self._level == "off" and level != "off":
            self._tape.forget_flow()  # what ran unseen may have written anywhere
        self._level = level
        if level == "full" or level == "check":
            self._tape.set_level(_TAPE_LEVEL[level])
            _native.instrument_mode(_RECORDING)
        else:
            _native.instrument_mode(_CHEAP)
            if self._shadow is not None:
                self._shadow.stop()  # what runs unseen may read and write anything
        next_step = self._step + 1 + max(0, self._step - STEPS_IN_FULL_LENGTH) // STEPS_IN_FULL_LENGTH
        next_call = call + 1 if level == "full" or call < LONG_LOOP else call + 1 + call // 20
        _native.instrument_wake(next_step, next_call)

    def _end_stretch(self) -> None:
        if self._level == "full":
            self._drain()
        else:
            self._tape.discard()
        self._budget.learn(self._level, self._spent() - self._spent_before)

    def _end_step(self) -> None:
        facts = self._training.end_step(self._step, self._level == "full" or self._step_level == "full")
        now, spent = time.perf_counter(), self._spent()
        row = (
            self._step, self._step_level, number(facts.loss), facts.learning_rate, number(facts.gradient_norm),
            facts.gradient_nonfinite, number(facts.update_norm), None, 0, now - self._step_began,
            spent - self._step_began_spent, facts.loss_operation or None, None, None, facts.update_site or None,
        )  # fmt: skip
        self._writer.add("step", [row])
        self._step_began, self._step_began_spent = now, spent
        if now - self._last_commit > _COMMIT_SECONDS:
            self._writer.commit()
            self._last_commit = now
        if self._on_progress is not None:
            own = max(now - self._began - spent, 1e-9)
            self._on_progress(Progress(self._step, facts.loss, self._troubles, spent / own))

    def _drain(self) -> None:
        if self._level != "full":
            return
        operations, operands = self._tape.drain(self._step, self._call)
        rows = [row if row[-1] is None else (*row[:-1], json.dumps(row[-1], default=plain)) for row in operations]
        self._writer.add("operation", rows)
        self._writer.add("operand", operands)
        if self._recorder.operations - self._operations_before > _LONGEST_STRETCH:
            _native.instrument_mode(_CHEAP)

    # What the program says of its training

    def _said(self, what: str, name: str, value: Any) -> None:
        """A value was given to a name that reads like a loss; a variable is updated, or was; an array is resized."""
        began = time.perf_counter_ns()
        try:
            if what == "release":
                self._recorder.values.release(value)
                return
            loss = self._training.said(what, name, value)
            if loss is None:
                return
            if not math.isfinite(loss):
                self._loss_is_not_finite(loss)
            elif self._loss_alarm.suspicious(abs(loss)) and self._worth_a_look("loss"):
                self._escalate()
        except Exception as error:
            self._fail(error)
        finally:
            self._hooks_nanoseconds += time.perf_counter_ns() - began

    def _loss_is_not_finite(self, loss: float) -> None:
        if self._worth_a_look("loss"):
            details = {"loss": str(loss), "level": self._level}
            self._notes.event(self._step, "nonfinite-loss", details, self._notes.sites.here(), once=True)
            self._escalate()

    # Trouble

    def _worth_a_look(self, place: object) -> bool:
        self._looked[place] += 1
        return self._looked[place] <= _LOOKS_A_PLACE

    def _trouble(self, called: Called, keywords: dict[str, Any], result: Any, bits: int) -> None:
        """An operation has just made a NaN or an infinity that its inputs did not hold."""
        if not self._worth_a_look((called.operator.name, self._tape.last_site)):
            return
        self._troubles += 1
        operation = self._tape.last
        facts = probe(called, keywords, result)
        self._writer.add("probe", [(operation, name, json.dumps(value)) for name, value in facts.items()])
        self._escalate()

    def _cheap_trouble(
        self,
        what: str,
        arguments: tuple[Any, ...],
        keywords: dict[str, Any] | None,
        result: Any,
        token: object,
        seconds: float,
    ) -> None:
        """A NaN or an infinity came up in a stretch that is not recorded."""
        site = self._notes.sites.here()
        if not self._worth_a_look(("unrecorded", what, site)):
            return
        if self._level != "full":
            self._tape.forget_flow()
            self._escalate()
        self._recorder.record(what, arguments, keywords, result, token, seconds)
        self._drain()

    def _escalate(self) -> None:
        """Keep what was seen of this stretch, record the rest and the next steps in full."""
        self._budget.trouble(self._step)
        if self._level != "full":
            self._level = self._step_level = self._first_level = "full"
            self._operations_before = self._recorder.operations
            self._tape.set_level(_TAPE_LEVEL["full"])
            _native.instrument_mode(_RECORDING)


class Described:
    """Numbers the operators and describes each to the tape, which keeps this and is not known to it."""

    def __init__(self, writer: RecordWriter):
        self._writer = writer
        self._count = 0

    def __call__(self, operator: Operator) -> tuple[Any, ...]:
        """What the tape must know of an operator: see capture/operators.py."""
        self._count += 1
        self._writer.add("operator", [(self._count, operator.name)])
        return (
            self._count, False, operator.uninitialised, operator.arguments, operator.written, operator.saturation,
            operator.replaces,
        )  # fmt: skip
