"""Our own operations warn nobody, and leave no trace in what decides whether the program's warnings are shown."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def unwarned() -> Iterator[None]:
    """No Python warnings inside.

    `warnings.catch_warnings` would make every module forget which of its warnings were shown already.
    """
    warn = warnings.warn
    warnings.warn = _nothing
    try:
        yield
    finally:
        warnings.warn = warn


def _nothing(*_: Any, **__: Any) -> None:
    pass
