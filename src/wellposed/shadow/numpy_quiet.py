"""NumPy without a word: neither warnings nor floating-point errors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np

from wellposed.shadow.quiet import unwarned


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """No floating-point errors and no warnings inside."""
    with unwarned(), np.errstate(all="ignore"):
        yield
