"""What recording costs the program: the sum of every second that would not have been spent without us."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import torch

from wellposed.capture.budget import DISPATCH_SECONDS
from wellposed.capture.recorder import Recorder


class Overhead:
    """Adds up the recorder's own time, the dispatching to it, and the work of hooks."""

    def __init__(self, recorder: Recorder):
        self._recorder = recorder
        self._hooks_seconds = 0.0

    def seconds(self) -> float:
        inside = self._recorder.spent_nanoseconds * 1e-9
        return inside + self._recorder.operators * DISPATCH_SECONDS + self._hooks_seconds

    @contextlib.contextmanager
    def own_work(self) -> Iterator[None]:
        """Our own tensors are none of the program's operators; the time they take is ours."""
        began = time.perf_counter()
        # A thread without a mode has nothing to pause, and putting back what it saw could undo another thread's doing.
        seen = torch._C._len_torch_dispatch_stack() > 0
        paused = self._recorder.paused
        if seen:
            self._recorder.paused = True
        try:
            with torch.no_grad():
                yield
        finally:
            if seen:
                self._recorder.paused = paused
            self._hooks_seconds += time.perf_counter() - began
