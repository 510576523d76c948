"""What a place in the source costs a step: the measured time of its operators, and its part of what Python takes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from wellposed.findings import Evidence
from wellposed.record import Operation, Record

NOTICEABLE = 0.1
"""Share of a step's time below which nothing is said: Amdahl's law gives 1.11 times the speed at best."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of some operations, over one step."""

    seconds: float
    share: float
    """Of the time that the step took without the recording, 0 to 1."""

    def evidence(self) -> tuple[Evidence, Evidence]:
        return (
            Evidence("time it takes, estimated", self.seconds, "s a step"),
            Evidence("share of the step's time", self.share, "", NOTICEABLE),
        )


def cost(record: Record, step: int, operations: Collection[Operation]) -> Cost:
    """The operators' own time, and between operators an equal part for each: what ran there is not recorded.

    A step whose time is not known costs nothing.
    """
    chosen = next((each for each in record.steps() if each.id == step), None)
    if chosen is None or not chosen.seconds:
        return Cost(0.0, 0.0)
    whole = max(chosen.seconds - (chosen.recording_seconds or 0.0), 0.0)
    every, within = 0, 0.0
    for each in record.operations(step=step):
        every += 1
        within += each.seconds
    if not whole or not every:
        return Cost(0.0, 0.0)
    between = max(whole - within, 0.0) / every
    seconds = sum(each.seconds for each in operations) + between * len(operations)
    return Cost(seconds, min(seconds / whole, 1.0))
