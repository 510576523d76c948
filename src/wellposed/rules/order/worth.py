"""What wasted multiplications cost a run: the measured time of the products, and its share of the run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wellposed.findings.finding import Evidence, Role, Severity
from wellposed.record import Operation, Record

MATERIAL = 0.1
"""Share of the run's time from which on waste is a root finding and not advice: Amdahl's law gives 1.11 times the speed
at best where it is less."""
NOTICEABLE = 0.01
"""Share of the run's time below which nothing is said."""
LEAST_SECONDS = 1e-3
"""A step's loss of time below this is nobody's concern, whatever its share."""
LEAST_MULTIPLICATIONS = 1_000_000
"""Saved multiplications a step below this take less than a call from Python does (about a microsecond at 10^12 a
second), so that nothing is said."""


@dataclass(frozen=True, slots=True)
class Waste:
    """Of one place in the source, over one step."""

    seconds: float
    """Measured, of the products' forward and backward operations, times the share of them that is wasted."""
    share: float
    """Of the time that the step took without the recording."""

    def evidence(self) -> tuple[Evidence, Evidence]:
        return (
            Evidence("time lost", self.seconds, "s a step"),
            Evidence("share of the step's time", self.share, "", MATERIAL),
        )

    @property
    def noticeable(self) -> bool:
        """Whether it is worth a word."""
        return self.share >= NOTICEABLE

    @property
    def role(self) -> Role:
        return "root" if self.share >= MATERIAL and self.seconds >= LEAST_SECONDS else "advice"

    @property
    def severity(self) -> Severity:
        return "warning" if self.role == "root" else "note"


def measured_step(record: Record) -> int | None:
    """The full step to look at: the middle one of those after the first, in which libraries warm up; None without."""
    full = [step.id for step in record.steps() if step.level == "full"]
    return full[(len(full) + 1) // 2] if len(full) > 2 else full[-1] if full else None


def waste(record: Record, step: int, operations: Iterable[Operation], part: float) -> Waste:
    """`part` of the time of these forward operations, and of the backward operations that differentiate them."""
    forward = {each.id: each.seconds for each in operations}
    backward = sum(each.seconds for each in record.operations(step=step, phase="backward") if each.forward in forward)
    lost = part * (sum(forward.values()) + backward)
    whole = _seconds_of(record, step)
    return Waste(lost, lost / whole if whole > 0 else 0.0)


def _seconds_of(record: Record, step: int) -> float:
    """The step's own time, without the recording; 0 where it is not known."""
    chosen = next((each for each in record.steps() if each.id == step), None)
    if chosen is None or chosen.seconds is None:
        return 0.0
    return max(chosen.seconds - (chosen.recording_seconds or 0.0), 0.0)
