"""Our own NumPy operations warn nobody, and leave no trace in what decides whether the program's warnings are shown."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """No floating-point errors and no warnings inside.

    `warnings.catch_warnings` would make every module forget which of its warnings were shown already.
    """
    warn = warnings.warn
    warnings.warn = _nothing
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        warnings.warn = warn


def _nothing(*_: Any, **__: Any) -> None:
    pass
