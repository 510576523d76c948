"""How an early warning reaches a program that did not ask for a callable: as a Python warning, or as an exception."""

from __future__ import annotations

from wellposed.signals.signal import EarlyWarning


class InstabilityWarning(UserWarning):
    """The category of the early warnings that ``wellposed.watch`` gives through Python's ``warnings``."""


class StoppedByWatch(Exception):
    """A signal of ``stop_on`` crossed its threshold: the update that would have come next was not made."""

    def __init__(self, warning: EarlyWarning | str = ""):
        super().__init__(str(warning))
        self.warning = warning if isinstance(warning, EarlyWarning) else None
        """The early warning; None where a callback raised this by itself."""
