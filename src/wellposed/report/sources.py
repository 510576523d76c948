"""The user's source with findings beside their lines, as the page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wellposed.findings import Finding, Severity
from wellposed.report.merge import Runs, Told
from wellposed.report.text import MESSAGE_LIMIT, plain

_WHOLE = 250
"""Lines up to which a file is shown whole."""
_AROUND = 12
_MOST_FILES = 20


@dataclass(frozen=True, slots=True)
class Note:
    id: int
    severity: Severity
    role: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    text: str
    notes: tuple[Note, ...]
    gap: bool
    """Whether lines are left out before this one."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    name: str
    lines: tuple[Line, ...]


def annotated_sources(runs: Runs, told: Sequence[Told]) -> tuple[SourceFile, ...]:
    """The files that findings stand in, in the order of the findings. Raises RecordError where a record is damaged."""
    notes: dict[str, dict[int, list[Note]]] = {}
    run_of: dict[str, int] = {}
    for each in told:
        where = each.finding.where
        if where.file is not None and where.line is not None:
            notes.setdefault(where.file, {}).setdefault(where.line, []).append(_note(each.finding))
            run_of.setdefault(where.file, each.run)
    files = []
    for file, by_line in list(notes.items())[:_MOST_FILES]:
        text = runs[run_of[file]][0].source(file)
        if text is not None:
            files.append(SourceFile(plain(file), _lines(text.splitlines(), by_line)))
    return tuple(files)


def _lines(text: Sequence[str], notes: dict[int, list[Note]]) -> tuple[Line, ...]:
    shown = range(1, len(text) + 1)
    if len(text) > _WHOLE:
        near = {n for line in notes for n in range(line - _AROUND, line + _AROUND + 1)}
        numbers = [n for n in shown if n in near]
    else:
        numbers = list(shown)
    previous = [0, *numbers]
    return tuple(
        Line(n, plain(text[n - 1].expandtabs(4), 400), tuple(notes.get(n, ())), gap=n != before + 1)
        for before, n in zip(previous, numbers, strict=False)
    )


def _note(finding: Finding) -> Note:
    message = plain(finding.message, MESSAGE_LIMIT)
    return Note(finding.id, finding.severity, finding.role, plain(finding.rule), message)
