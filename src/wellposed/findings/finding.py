"""What a rule says: one fault, where it stands, the numbers that show it, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from wellposed.findings.causes import Cause

Role = Literal["root", "consequence", "advice"]
Severity = Literal["error", "warning", "note"]
Phase = Literal["forward", "backward", "optimizer"]
Confidence = Literal["certain", "likely", "possible"]
"""``certain`` where the measurement leaves one explanation, ``likely`` where others are far less so, ``possible`` where
the evidence is thin; then the finding says which observation would settle it."""

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Location:
    """A place in the user's program; every part may be unknown (None)."""

    file: str | None = None
    line: int | None = None
    function: str | None = None
    module: str | None = None
    operator: str | None = None
    phase: Phase | None = None
    library: str | None = None
    """The innermost library frame beside the user's line, as ``file:line in function``."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A measured quantity and the limit it crossed."""

    name: str
    value: float | int | str
    unit: str = ""
    threshold: float | int | None = None
    """The limit that `value` is compared with, in the same unit; None where the value speaks for itself."""


@dataclass(frozen=True, slots=True)
class Fix:
    """What to write instead."""

    title: str
    how: str
    """Code, or a sentence where code cannot say it."""
    verified: bool | None = None
    """Whether a re-run with this change alone healed the program; None where nobody tried."""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """A named sequence of measurements that a report may draw (gradient rms per layer, say)."""

    name: str
    labels: tuple[str, ...]
    values: tuple[float, ...]
    unit: str = ""
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault found in a recording.

    A rule fills in everything but `id` and `caused_by`; it proposes a `role`, and the diagnosis decides.
    """

    rule: str
    code: str
    cause: Cause
    severity: Severity
    where: Location
    message: str
    """One sentence in plain words, with the numbers that matter."""
    step: int | None = None
    role: Role = "root"
    evidence: tuple[Evidence, ...] = ()
    fixes: tuple[Fix, ...] = ()
    series: tuple[Series, ...] = ()
    operations: tuple[int, ...] = field(default=())
    """Ids of the recorded operations it rests on, the guilty one first: the diagnosis follows data flow from them."""
    confidence: Confidence = "certain"
    settled_by: str = ""
    """The observation that would settle what is not certain, as one sentence; else empty."""
    specificity: int = 0
    """The rule's: of several findings about the same operation the most specific is kept."""
    id: int = 0
    caused_by: tuple[int, ...] = ()
