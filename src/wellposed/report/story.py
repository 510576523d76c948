"""The data of a report: what is told, in which order, in words fit to be shown. Rendered elsewhere.

Every string in here has been through `plain`: no renderer needs to fear what a record holds.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from wellposed.findings import Evidence, Finding, Fix, Location, Severity
from wellposed.record import Record
from wellposed.report import opening
from wellposed.report.bars import Picture, picture
from wellposed.report.chain import Link, Unfolding, unfold
from wellposed.report.epsilons import EpsilonSection, epsilons_of, section
from wellposed.report.merge import Facts, Runs, Told, facts, merge, merged_diagnosis
from wellposed.report.text import MESSAGE_LIMIT, counted, gist, human, is_code, plain, plain_lines

_CONTEXT = 2
"""Lines of source shown on either side."""
_LONGEST_LINE = 400
_GIST, _ROOT_GIST = 260, 130
"""Characters of a message in a box of the chain; the root's stands in full above it."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    number: int
    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """A number against its limit; `limit` is empty where the number speaks for itself."""

    name: str
    value: str
    limit: str


@dataclass(frozen=True, slots=True)
class Remedy:
    title: str
    lines: tuple[str, ...]
    code: bool
    proof: str
    """What a re-run said about it; empty where nobody tried."""
    measured: tuple[Measured, ...]


@dataclass(frozen=True, slots=True)
class Happening:
    """A consequence: when, where, what."""

    id: int
    step: int | None
    place: str
    message: str
    rule: str
    severity: Severity
    ranks: str
    confidence: str
    """``likely``, ``possible``; empty where it is certain."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One root, or one piece of advice, with all that belongs to it."""

    id: int
    rule: str
    code: str
    cause: str
    severity: Severity
    step: int | None
    phase: str
    message: str
    place: str
    """``train.py:41 in forward``; empty where unknown."""
    file: str
    line: int | None
    surroundings: tuple[tuple[str, str], ...]
    """Module, operator, library frame: those that are known, each with its name."""
    ranks: str
    """``rank 1``, ``ranks 0, 1``; empty for one process."""
    source: tuple[SourceLine, ...]
    measured: tuple[Measured, ...]
    followed: tuple[Happening, ...]
    remedies: tuple[Remedy, ...]
    pictures: tuple[Picture, ...]
    confidence: str
    """``likely``, ``possible``; empty where it is certain."""
    settled_by: str
    """The observation that would settle it; empty where it is certain, or none is known."""
    unfolding: Unfolding | None
    """How the consequences follow from the root; None where there are none."""


@dataclass(frozen=True, slots=True)
class Story:
    verdict: str
    healthy: bool
    headline: str
    """The verdict in one line."""
    program: str
    watched: str
    ending: str
    chapters: tuple[Chapter, ...]
    untied: tuple[Happening, ...]
    """Consequences whose root is not among the findings."""
    advice: tuple[Chapter, ...]
    records: tuple[str, ...]
    """Paths of the records, quoted for a shell."""
    rules: tuple[str, ...]
    """Names of the rules that found a root or give advice, in the order they are told."""
    epsilons: EpsilonSection | None = None
    """Of the first process; None where there is none."""


def make_story(runs: Runs, *, bars: int = 16) -> Story:
    """Tell a run, with at most `bars` bars a picture. Raises RecordError where a record is damaged."""
    told = merge(runs)
    diagnosis = merged_diagnosis(told)
    about = facts(runs)
    by_id = {each.finding.id: each for each in told}
    chapters = tuple(
        _chapter(by_id[root.id], runs, bars, [by_id[each.id] for each in diagnosis.consequences(root)])
        for root in diagnosis.roots
    )
    tied = {happening.id for chapter in chapters for happening in chapter.followed}
    loose = [each for each in told if each.finding.role == "consequence" and each.finding.id not in tied]
    return Story(
        verdict=plain(diagnosis.verdict),
        healthy=not chapters,
        headline=_headline(chapters, about),
        program=opening.program(about),
        watched=opening.watched(about),
        ending=opening.ending(about),
        chapters=chapters,
        untied=tuple(_happening(each) for each in loose),
        advice=tuple(_chapter(by_id[each.id], runs, bars, []) for each in diagnosis.advice),
        records=tuple(shlex.quote(plain(str(record.path), 1000)) for record, _ in runs),
        rules=tuple(dict.fromkeys(plain(each.finding.rule) for each in told if each.finding.role != "consequence")),
        epsilons=section(epsilons_of(runs[0][0])),
    )


def place(where: Location) -> str:
    """``train.py:41 in forward``; empty where the file is unknown."""
    if where.file is None:
        return ""
    line = "" if where.line is None else f":{where.line}"
    function = f" in {plain(where.function)}" if where.function and where.function != "<module>" else ""
    return f"{plain(where.file)}{line}{function}"


def excerpt(text: str | None, line: int | None, context: int = _CONTEXT) -> tuple[SourceLine, ...]:
    """The line with its context, common indentation removed; empty where there is no such line."""
    lines = text.splitlines() if text else []
    if line is None or not 1 <= line <= len(lines):
        return ()
    first, last = max(1, line - context), min(len(lines), line + context)
    while first < line and not lines[first - 1].strip():
        first += 1
    while last > line and not lines[last - 1].strip():
        last -= 1
    kept = [plain(lines[n - 1].expandtabs(4), _LONGEST_LINE).rstrip() for n in range(first, last + 1)]
    indent = min((len(each) - len(each.lstrip()) for each in kept if each), default=0)
    return tuple(SourceLine(n, each[indent:], n == line) for n, each in enumerate(kept, first))


def ranks_text(ranks: tuple[int, ...]) -> str:
    if not ranks:
        return ""
    listed = ", ".join(map(str, ranks[:8])) + (" …" if len(ranks) > 8 else "")
    return f"{'rank' if len(ranks) == 1 else 'ranks'} {listed}"


def _chapter(told: Told, runs: Runs, bars: int, followed: list[Told]) -> Chapter:
    finding, where = told.finding, told.finding.where
    return Chapter(
        id=finding.id,
        rule=plain(finding.rule),
        code=plain(finding.code),
        cause=plain(finding.cause),
        severity=finding.severity,
        step=finding.step,
        phase=plain(where.phase or ""),
        message=plain(finding.message, MESSAGE_LIMIT),
        place=place(where),
        file=where.file or "",
        line=where.line,
        surroundings=_surroundings(where),
        ranks=ranks_text(told.ranks),
        source=_source(runs[told.run][0], finding),
        measured=_measured(finding.evidence),
        followed=tuple(_happening(each) for each in followed),
        remedies=tuple(_remedy(fix) for fix in finding.fixes),
        pictures=tuple(picture(series, bars) for series in finding.series if series.values),
        confidence=_doubt(finding),
        settled_by=plain(finding.settled_by, MESSAGE_LIMIT) if _doubt(finding) else "",
        unfolding=unfold([_link(told, root=True), *map(_link, followed)]) if followed else None,
    )


def _doubt(finding: Finding) -> str:
    return "" if finding.confidence == "certain" else plain(finding.confidence)


def _link(told: Told, root: bool = False) -> Link:
    finding, happening = told.finding, _happening(told)
    return Link(
        id=finding.id,
        after=finding.caused_by,
        step=finding.step,
        phase=plain(finding.where.phase or ""),
        place=place(finding.where) or plain(finding.where.module or finding.where.operator or ""),
        message=gist(happening.message, _ROOT_GIST if root else _GIST),
        rule=happening.rule,
        severity=finding.severity,
        confidence=happening.confidence,
        ranks=happening.ranks,
    )


def _source(record: Record, finding: Finding) -> tuple[SourceLine, ...]:
    file = finding.where.file
    return () if file is None else excerpt(record.source(file), finding.where.line)


def _surroundings(where: Location) -> tuple[tuple[str, str], ...]:
    named = (("module", where.module), ("operator", where.operator), ("called through", where.library))
    return tuple((name, plain(value)) for name, value in named if value)


def _happening(told: Told) -> Happening:
    finding = told.finding
    where = finding.where
    spot = place(where) or plain(where.module or where.operator or "")
    if where.phase == "backward":
        spot = f"{spot}, backward" if spot else "backward"
    message = plain(finding.message, MESSAGE_LIMIT)
    ranks = ranks_text(told.ranks)
    return Happening(
        finding.id, finding.step, spot, message, plain(finding.rule), finding.severity, ranks, _doubt(finding)
    )


def _measured(evidence: tuple[Evidence, ...]) -> tuple[Measured, ...]:
    return tuple(
        Measured(
            plain(each.name),
            human(each.value, each.unit),
            "" if each.threshold is None else human(each.threshold, each.unit),
        )
        for each in evidence
    )


def _remedy(fix: Fix) -> Remedy:
    proof = {None: "", True: "proved by a re-run", False: "tried in a re-run: it does not heal this program"}
    lines = plain_lines(fix.how.strip("\n"))
    return Remedy(plain(fix.title, 500), tuple(lines), is_code(fix.how), proof[fix.verified], _measured(fix.evidence))


def _headline(chapters: tuple[Chapter, ...], about: Facts) -> str:
    if not chapters:
        if not about.operations:
            return "nothing to judge: no operator ran while we watched"
        return f"healthy: nothing wrong in {counted(about.steps, 'step')}"
    first = chapters[0]
    spot = f" at {first.place}" if first.place else ""
    when = f", step {first.step}" if first.step is not None else ""
    ranks = f", {first.ranks}" if first.ranks else ""
    more = f" (and {counted(len(chapters) - 1, 'other root')})" if len(chapters) > 1 else ""
    return f"{first.cause}{spot}{when}{ranks}{more}"
