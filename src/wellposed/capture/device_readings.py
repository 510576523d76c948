"""What is asked of tensors that the processor cannot read, and where the answers go when a stretch of the program ends.

Tensors in the processor's own memory are answered at once, so that whoever asks need not tell the two apart.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes, _get_current_dispatch_mode

from wellposed import _native
from wellposed.capture.device_statistics import Check, DeviceStatistics, Summary
from wellposed.capture.recorder import Recorder

MOST_PENDING = 16_384
"""Answers that may be waited for, about 100 bytes each: a stretch may have no end."""

Columns = tuple[Any, ...]
_NOTHING: Columns = (None,) * 13

LateTrouble = tuple[int, int, int, int]
"""Operation, operator, place in the source, and bits that say what it made."""


class DeviceReadings:
    """Questions are put on the devices' queues as they come; `fetch` waits for the answers."""

    def __init__(
        self,
        tape: _native.Tape,
        threads: int,
        on_late_trouble: Callable[[list[LateTrouble]], None],
        *,
        host: bool = True,
    ):
        """Without `host` the processor's own memory is taken for an accelerator's, which lets every path be tried."""
        self._tape = tape
        self._threads = threads
        self._on_late_trouble = on_late_trouble
        self._host = host
        self._statistics = DeviceStatistics()
        self._waiting: dict[int, Callable[[Any], None]] = {}
        self._asked = 0
        self._afterwards: list[Callable[[], None]] = []
        self._operands_asked = False

    def is_elsewhere(self, tensor: torch.Tensor) -> bool:
        return not (self._host and tensor.device.type == "cpu")

    def read_operands(self) -> None:
        """Ask for what the tape could not read of the operator that has just run."""
        with _alone():
            for key, tensor, in_full, low, high in self._tape.take_unread():
                if in_full or self._statistics.is_fused(tensor):
                    asked = self._statistics.enqueue(key, tensor, None if low is None else (low, high))
                else:
                    asked = self._statistics.enqueue_check(key, tensor)
                if not asked:
                    self._tape.answer_check(key, False, False, False)
        self._operands_asked = True
        if self._statistics.pending > MOST_PENDING:
            self.fetch()

    def statistics(self, tensor: torch.Tensor, then: Callable[[Columns], None]) -> None:
        """Give `then` the columns of `record.schema.STATISTICS_COLUMNS`; all None where nobody can tell them."""
        if not self.is_elsewhere(tensor):
            then(statistics_row(tensor, self._threads))
            return
        with _alone():
            asked = self._statistics.enqueue(-self._asked - 1, tensor)
        if asked:
            self._await(lambda summary: then(_columns(summary)))
        else:
            then(_NOTHING)

    def values(self, tensor: torch.Tensor, then: Callable[[list[float]], None]) -> None:
        """Give `then` a few numbers as they are now."""
        with _alone():
            if not self.is_elsewhere(tensor):
                found = tensor.detach().reshape(-1).double().tolist()
            else:
                self._statistics.enqueue_values(-self._asked - 1, tensor)
                self._await(then)
                return
        then(found)

    def afterwards(self, then: Callable[[], None]) -> None:
        """Call `then` once every question asked so far is answered."""
        if self._statistics.pending:
            self._afterwards.append(then)
        else:
            then()

    def fetch(self) -> None:
        """Wait for the devices and hand the answers out."""
        if not self._statistics.pending:
            return
        with _alone():
            answers = self._statistics.fetch()
        if not answers:  # a CUDA graph is being captured: later
            return
        for key, answer in answers.items():
            assert isinstance(key, int)
            if key < 0:
                self._waiting.pop(key)(answer)
            elif isinstance(answer, Summary):
                self._tape.answer(key, *answer)
            elif isinstance(answer, Check):
                self._tape.answer_check(key, *answer)
        afterwards, self._afterwards = self._afterwards, []
        for then in afterwards:
            then()
        if self._operands_asked:
            self._operands_asked = False
            trouble = self._tape.judge_late()
            if trouble:
                self._on_late_trouble(trouble)

    def _await(self, then: Callable[[Any], None]) -> None:
        """The question that has just been asked under the next number is answered to `then`."""
        self._asked += 1
        self._waiting[-self._asked] = then


def statistics_row(tensor: torch.Tensor, threads: int) -> Columns:
    """The columns of `record.schema.STATISTICS_COLUMNS`; all None where the memory cannot be read from here."""
    try:
        s = _native.summarise(tensor, threads)
    except (TypeError, RuntimeError):
        return _NOTHING
    return (
        s.count, s.nan, s.positive_infinity, s.negative_infinity, s.zero, s.subnormal, _known(s.minimum),
        _known(s.maximum), _known(s.smallest_nonzero), _known(s.mean), _known(s.standard_deviation),
        _known(s.root_mean_square), None,
    )  # fmt: skip


def _columns(summary: Summary) -> Columns:
    return (*summary[:6], *map(_known, summary[6:12]), None)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _alone() -> contextlib.AbstractContextManager[Any]:
    """No mode of the program's sees our own operators. Switching modes off is dear: it is done where there are some."""
    modes = torch._C._len_torch_dispatch_stack()
    if modes == 0 or (modes == 1 and isinstance(_get_current_dispatch_mode(), Recorder)):
        return torch._C.DisableTorchFunction()  # type: ignore[no-any-return]
    return _disable_current_modes()  # type: ignore[no-any-return]
