"""How an early warning reaches the user: a callable, Python's warnings, or the log."""

from __future__ import annotations

import difflib
import logging
import sys
import warnings
from collections.abc import Callable

from wellposed.capture.sites import is_user_code
from wellposed.signals import EarlyWarning, InstabilityWarning

Listener = Callable[[EarlyWarning], None]
WAYS = ("warnings", "logging")


def listener_of(wanted: str | Listener | None) -> Listener | None:
    """What to call with an early warning. Raises ValueError for a name that is none of `WAYS`."""
    if wanted is None or callable(wanted):
        return wanted
    if wanted == "warnings":
        return _warn
    if wanted == "logging":
        return _log
    near = difflib.get_close_matches(str(wanted), WAYS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else "it is a callable, 'warnings', 'logging' or None"
    raise ValueError(f"on_warning cannot be {wanted!r}; {hint}")


def _warn(found: EarlyWarning) -> None:
    file, line = "wellposed", 1
    frame = sys._getframe(1)
    while frame is not None:
        if is_user_code(frame.f_code.co_filename):
            file, line = frame.f_code.co_filename, frame.f_lineno
            break
        frame = frame.f_back  # type: ignore[assignment]
    # Without a registry Python does not hold it back; we have done so ourselves.
    warnings.warn_explicit(found.message, InstabilityWarning, file, line)


def _log(found: EarlyWarning) -> None:
    logging.getLogger("wellposed").warning("%s", found.message)
