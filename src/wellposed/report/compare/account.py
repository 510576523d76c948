"""The comparison in words fit to be shown. Rendered elsewhere.

Every string in here has been through `plain`: no renderer needs to fear what a record holds.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from wellposed.findings import SEVERITIES
from wellposed.report.compare.model import Comparison, Found, Run, SourceDifference
from wellposed.report.compare.rows import Section, course, given, parting
from wellposed.report.compare.sentences import headline, sentences
from wellposed.report.text import MESSAGE_LIMIT, counted, plain


@dataclass(frozen=True, slots=True)
class Diff:
    title: str
    lines: tuple[str, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Side:
    letter: str
    record: str
    program: str
    facts: str
    verdict: str
    healthy: bool
    ending: str


@dataclass(frozen=True, slots=True)
class OnlyHere:
    """A finding that only one run has."""

    letter: str
    rule: str
    severity: str
    role: str
    step: int | None
    place: str
    message: str


@dataclass(frozen=True, slots=True)
class Account:
    same: bool
    """Whether no number differs beyond rounding."""
    headline: str
    sentences: tuple[str, ...]
    sides: tuple[Side, Side]
    given: Section
    diffs: tuple[Diff, ...]
    parting: Section
    course: Section
    only_here: tuple[OnlyHere, ...]
    command: str
    """Shows it as a page."""


def make_account(comparison: Comparison) -> Account:
    findings = sorted(comparison.findings, key=_seriousness)
    return Account(
        same=comparison.status in ("same", "rounding"),
        headline=headline(comparison),
        sentences=tuple(sentences(comparison)),
        sides=(_side("A", comparison.a), _side("B", comparison.b)),
        given=given(comparison),
        diffs=tuple(map(_diff, comparison.sources)),
        parting=parting(comparison),
        course=course(comparison),
        only_here=tuple(map(_only_here, findings)),
        command=shlex.join(
            ["wellposed", "report", "--compare", "--format", "html"]
            + [plain(run.record, 1000) for run in (comparison.a, comparison.b)]
        ),
    )


def _side(letter: str, run: Run) -> Side:
    steps = counted(run.steps, "step")
    if run.full_steps < run.steps:
        steps += f" ({run.full_steps:,} in full)"
    facts = [steps, counted(run.operations, "operator"), plain(run.precision)]
    ending = ""
    if run.error:
        ending = f"ended with {plain(run.error, 500)}"
    elif run.exit_code is None:
        ending = "had not ended when this was recorded"
    elif run.exit_code:
        ending = f"ended with exit code {run.exit_code}"
    return Side(
        letter=letter,
        record=plain(run.record, 1000),
        program=plain(" ".join(run.argv), 1000) or "(unnamed program)",
        facts=", ".join(filter(None, facts)),
        verdict=plain(run.verdict),
        healthy=run.verdict == "healthy",
        ending=ending,
    )


def _diff(difference: SourceDifference) -> Diff:
    a, b = difference.a, difference.b
    if a is None or b is None:
        return Diff(f"{plain(a or b or '')} is only in {'B' if a is None else 'A'}", (), 0)
    title = plain(a) if a == b else f"{plain(a)} in A, {plain(b)} in B"
    lines = tuple(plain(line.expandtabs(4), 400) for line in difference.diff)
    return Diff(title, lines, difference.left_out)


def _only_here(found: Found) -> OnlyHere:
    line = "" if found.line is None else f":{found.line}"
    return OnlyHere(
        letter=found.run,
        rule=plain(found.rule),
        severity=found.severity,
        role=found.role,
        step=found.step,
        place=f"{plain(found.file)}{line}" if found.file else "",
        message=plain(found.message, MESSAGE_LIMIT),
    )


def _seriousness(found: Found) -> tuple[int, int, str]:
    return ("root", "consequence", "advice").index(found.role), SEVERITIES.index(found.severity), found.run
