"""Stretches of the program that are recorded at one level, and the dispatch mode that comes and goes with it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils import _python_dispatch

from wellposed import _native
from wellposed.capture.budget import Budget
from wellposed.capture.notes import plain
from wellposed.capture.overhead import Overhead
from wellposed.capture.recorder import Recorder
from wellposed.record import Level, RecordWriter

_TAPE_LEVEL = {"check": 1, "full": 2}
_ORDER: Sequence[Level] = ("off", "modules", "check", "full")


class Stretches:
    """Begins and ends stretches. A stretch that was only checked leaves rows behind where `escalate` was called."""

    def __init__(
        self,
        recorder: Recorder,
        tape: _native.Tape,
        budget: Budget,
        writer: RecordWriter,
        overhead: Overhead,
        labels: Callable[[], list[tuple[torch.Tensor, str]]],
        fetch: Callable[[], None],
    ):
        """`labels` gives the live parameters with their names; `fetch` brings over what lies on accelerators."""
        self.level: Level = "off"
        self.step_level: Level = "off"
        """The closest level of any stretch of the step."""
        self.listens: Callable[[], bool] = lambda: False
        """Whether softmaxes are to be listened to in a step that is not watched otherwise."""
        self.budget = budget
        self._recorder = recorder
        self._tape = tape
        self._writer = writer
        self._overhead = overhead
        self._labels = labels
        self._fetch = fetch
        self._began = time.perf_counter()
        self._spent_before = 0.0
        self._active = False
        self._place = (0, 0)
        recorder.on_rows = self._many_rows

    def begin(self, step: int, call: int) -> None:
        self._place = (step, call)
        self._spent_before = self._overhead.seconds()
        level = self.budget.level(step, call, time.perf_counter() - self._began, self._spent_before)
        self.step_level = max(self.step_level, level, key=_ORDER.index) if call else level
        self._set(level)

    def end(self) -> None:
        self._fetch()  # may show trouble, which keeps a stretch that was only checked
        if self.level == "full":
            self._drain()
        else:
            self._tape.discard()
        self.budget.learn(self.level, self._overhead.seconds() - self._spent_before)

    def escalate(self) -> None:
        """Trouble: keep what was seen of this stretch, record the rest and the next steps in full."""
        self.budget.trouble(self._place[0])
        if self.level == "check":
            self.level = self.step_level = "full"
            self._tape.set_level(_TAPE_LEVEL["full"])

    def relabel(self) -> None:
        """Tell the tape where the parameters lie now: they move when a model is cast or sent to a device."""
        if self.level == "full":
            self._tape.forget_labels()
            for parameter, name in self._labels():
                self._tape.label(parameter, name)

    def reaches_here(self) -> bool:
        """Whether the operators of this thread are seen, where any are: a dispatch mode belongs to one thread."""
        if self.level in ("off", "modules"):
            return True
        return self._recorder in _python_dispatch._get_current_dispatch_mode_stack()

    def leave(self) -> None:
        """Take the dispatch mode away."""
        if not self._active:
            return
        # Only the innermost mode can be left; while the program has one of its own above ours, ours stays, silent.
        if _python_dispatch._get_current_dispatch_mode() is self._recorder:
            self._recorder.__exit__(None, None, None)
            self._active = False
        else:
            self._recorder.muted = True

    def _set(self, level: Level) -> None:
        self.level = level
        watches = level in ("check", "full")
        self._recorder.only_hears = not watches
        if not watches and not (self._place[1] == 0 and self.listens()):
            self.leave()
            return
        if watches:
            self._tape.set_level(_TAPE_LEVEL[level])
            self.relabel()
        self._recorder.muted = False
        if not self._active:
            self._recorder.__enter__()
            self._active = True

    def _many_rows(self) -> None:
        if self.level == "full":
            self._fetch()
            self._drain()

    def _drain(self) -> None:
        operations, operands = self._tape.drain(*self._place)
        self._writer.add("operation", [_with_arguments(row) for row in operations])
        self._writer.add("operand", operands)


def _with_arguments(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row if row[-1] is None else (*row[:-1], json.dumps(row[-1], default=plain))
