"""Several records as one run: the ranks of a distributed program are told as one story, each finding with its ranks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from wellposed.diagnosis import Diagnosis
from wellposed.findings import SEVERITIES, Finding
from wellposed.record import Record

Runs = Sequence[tuple[Record, Diagnosis]]
"""What every report is made from: a record of each process with its diagnosis; one pair for an ordinary run."""

_ROLES = ("root", "consequence", "advice")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about the run as a whole."""

    argv: tuple[str, ...]
    exit_code: int | None
    error: str | None
    started: str
    steps: int
    """The largest number over the ranks."""
    recorded_steps: int
    """Of them, those with statistics of every operator."""
    operations: int
    """Operators that ran while we watched, over all ranks."""
    wall_seconds: float | None
    """The longest over the ranks; None where no rank has ended."""
    recording_seconds: float | None
    ranks: tuple[int, ...]
    """Empty where the run is one record."""
    versions: dict[str, str]
    gaps: tuple[str, ...] = ()
    """A sentence for everything that kept the record from being complete."""


@dataclass(frozen=True, slots=True)
class Told:
    """A finding, and which processes it was found in."""

    finding: Finding
    ranks: tuple[int, ...]
    run: int
    """Position of the record that it is told from."""


def rank_of(record: Record, position: int) -> int:
    """The rank that wrote this record; its position among the given ones where it does not say."""
    rank = record.program.rank
    return position if rank is None else rank


def facts(runs: Runs) -> Facts:
    """Raises RecordError where a record is damaged, ValueError where none is given."""
    programs = [record.program for record, _ in runs]
    steps = [record.steps() for record, _ in runs]
    failed = [program for program in programs if program.exit_code or program.error]
    ended = (failed or programs)[0]
    return Facts(
        argv=programs[0].argv,
        exit_code=ended.exit_code,
        error=ended.error,
        started=min(program.started for program in programs),
        steps=max(len(each) for each in steps),
        recorded_steps=max(sum(step.level == "full" for step in each) for each in steps),
        # A program that was killed never said how many ran; those that were recorded did.
        operations=sum(max(record.program.operations, record.recorded_operations()) for record, _ in runs),
        wall_seconds=_largest([program.wall_seconds for program in programs]),
        recording_seconds=_largest([program.recording_seconds for program in programs]),
        ranks=tuple(sorted({rank_of(record, n) for n, (record, _) in enumerate(runs)})) if len(runs) > 1 else (),
        versions=programs[0].versions,
        gaps=tuple(dict.fromkeys(gap for record, _ in runs for gap in _gaps(record))),
    )


def _gaps(record: Record) -> Iterator[str]:
    if record.meta.get("size_limit_reached"):
        yield "The record reached its size limit, and leaves out the operators after that (--max-size gives more room)."
    for event in record.events("unwatched-thread"):
        yield f"Training ran in another thread from step {event.step} on: its operators were not watched."
    for event in record.events("recorder-failed"):
        reason = event.details.get("error", "unknown")
        yield f"Recording broke off in step {event.step}, by a fault of wellposed's own ({reason})."


def merge(runs: Runs) -> tuple[Told, ...]:
    """The findings of all processes: the same fault in several is told once, and numbered anew.

    Roots come first, most serious first; then consequences in order of time; then advice. One record's findings are
    left exactly as its diagnosis ordered and numbered them.
    """
    if len(runs) == 1:
        return tuple(Told(finding, (), 0) for finding in runs[0][1].findings)
    groups: dict[tuple[object, ...], list[tuple[int, int, Finding]]] = {}
    for run, (_, diagnosis) in enumerate(runs):
        for position, finding in enumerate(diagnosis.findings):
            groups.setdefault(_sameness(finding), []).append((run, position, finding))
    ordered = sorted(groups.values(), key=_order)
    numbers = {(run, finding.id): n for n, group in enumerate(ordered, 1) for run, _, finding in group}
    return tuple(_told(n, group, numbers, runs) for n, group in enumerate(ordered, 1))


def merged_diagnosis(told: Sequence[Told]) -> Diagnosis:
    return Diagnosis(tuple(each.finding for each in told))


def _told(number: int, group: list[tuple[int, int, Finding]], numbers: dict[tuple[int, int], int], runs: Runs) -> Told:
    run, _, first = min(group, key=lambda member: (_step(member[2]), member[0]))
    causes = {numbers[each, cause] for each, _, f in group for cause in f.caused_by if (each, cause) in numbers}
    severity = min((finding.severity for _, _, finding in group), key=SEVERITIES.index)
    ranks = tuple(sorted({rank_of(runs[each][0], each) for each, _, _ in group}))
    finding = replace(first, id=number, caused_by=tuple(sorted(causes - {number})), severity=severity)
    return Told(finding, ranks, run)


def _sameness(finding: Finding) -> tuple[object, ...]:
    where = finding.where
    return finding.rule, finding.cause, finding.role, where.file, where.line, where.module, where.operator, where.phase


def _order(group: list[tuple[int, int, Finding]]) -> tuple[float, ...]:
    """Roots and advice by severity, then as their own diagnosis ranked them; consequences by time."""
    run, position, finding = min(group, key=lambda member: (member[1], member[0]))
    severity = min(SEVERITIES.index(member.severity) for _, _, member in group)
    step = min(_step(member) for _, _, member in group)
    role = _ROLES.index(finding.role)
    keys = (step, position) if finding.role == "consequence" else (severity, position, step)
    return (role, *keys, run)


def _step(finding: Finding) -> float:
    return math.inf if finding.step is None else finding.step


def _largest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if known else None
