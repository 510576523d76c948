"""One peer a file. An adapter holds, without importing the peer:

- `NAME`, `DISTRIBUTION` (whose version is told) and `HOW` it is put to work on an unmodified program;
- `CAUSES`: its kinds of message, and the causes that each is generously taken to name;
- `install(watch)`: puts it on the program about to run; returns `collect(ended, printed)`, which gives its messages and
  whether there was anything to put it on. A peer that runs programs itself has `command` and `read` instead.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from types import ModuleType

PEERS = ("anomaly_mode", "underflow_overflow", "torch_audit", "neuraldbg", "stabilityguard", "trainscope", "wellposed")
"""Every peer, in the order of the tables."""


@functools.cache
def adapter(peer: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{peer}")


def version(peer: str) -> str | None:
    """The installed version, None where the peer is not installed."""
    try:
        return importlib.metadata.version(adapter(peer).DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return None
