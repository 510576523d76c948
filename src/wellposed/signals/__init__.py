"""Early-warning signals: pure detectors that follow one number of a training step each, one file a signal.

Knows nobody: no torch, no files, no clock.
"""

from wellposed.signals.panel import ANY, BY_NAME, SIGNALS, Panel, check_names, first_crossing
from wellposed.signals.signal import QUANTITIES, Crossing, EarlyWarning, Signal
from wellposed.signals.stopping import InstabilityWarning, StoppedByWatch

__all__ = [
    "ANY",
    "BY_NAME",
    "QUANTITIES",
    "SIGNALS",
    "Crossing",
    "EarlyWarning",
    "InstabilityWarning",
    "Panel",
    "Signal",
    "StoppedByWatch",
    "check_names",
    "first_crossing",
]
