"""One line on a terminal that says how a long run goes."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Callable
from typing import TextIO

_PATIENCE_SECONDS = 3.0
"""A run that is over sooner shows no line."""
_INTERVAL_SECONDS = 0.5


class LiveLine:
    """Rewrites one line of `stream`, which is a terminal, at most twice a second. Never raises."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic):
        self._stream = stream
        self._clock = clock
        self._next = clock() + _PATIENCE_SECONDS
        self._shown = False
        self._process = os.getpid()

    def update(self, step: int, loss: float | None, troubles: int, overhead: float) -> None:
        """Show the step, the loss, the number of troubles seen, and recording time over the program's own."""
        now = self._clock()
        if now < self._next or os.getpid() != self._process:
            return
        self._next = now + _INTERVAL_SECONDS
        parts = [f"step {step:,}", f"recording +{overhead:.0%}"]
        if loss is not None:
            parts.insert(1, f"loss {loss:.4g}")
        if troubles:
            parts.append(f"{troubles:,} suspicious value{'s' if troubles > 1 else ''}")
        self._write(f"\r\x1b[K{'wellposed: ' + ', '.join(parts):.{self._width()}}\r")
        self._shown = True

    def clear(self) -> None:
        """Leave no trace of the line, and show it no more."""
        self._next = math.inf
        if self._shown and os.getpid() == self._process:
            self._write("\r\x1b[K")
            self._shown = False

    def _width(self) -> int:
        try:
            columns = os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            columns = 0
        return (columns or 80) - 1

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
