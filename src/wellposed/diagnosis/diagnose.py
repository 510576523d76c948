"""From a record to a diagnosis: run the rules, keep the best explanation of each fault, tie the rest to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from wellposed.diagnosis.diagnosis import Diagnosis
from wellposed.findings import SEVERITIES, Finding, all_rules
from wellposed.record import Record

_PHASES = ("forward", "backward", "optimizer", None)


def diagnose(record: Record, *, disabled: Iterable[str] = ()) -> Diagnosis:
    """All rules but the `disabled` (names or codes) asked of the record. Raises RecordError where it is damaged."""
    unwanted = set(disabled)
    findings = [
        finding
        for entry in all_rules()
        if not unwanted & {entry.rule.name, entry.rule.code}
        for finding in entry.check(record)
    ]
    return Diagnosis(tuple(rank(findings)))


def rank(findings: Iterable[Finding]) -> list[Finding]:
    """One explanation for each fault, roots before their consequences, advice last, numbered from 1."""
    best = _once_a_place(sorted(_most_specific(findings), key=_time))
    advice = [each for each in best if each.role == "advice"]
    roots, consequences = _split([each for each in best if each.role != "advice"])
    roots.sort(key=lambda each: SEVERITIES.index(each.severity))
    ordered = [*roots, *consequences, *advice]
    numbered = [replace(each, id=number) for number, each in enumerate(ordered, 1)]
    first = numbered[0] if roots else None
    return [
        replace(each, caused_by=(first.id,), cause=first.cause)
        if first is not None and each.role == "consequence"
        else each
        for each in numbered
    ]


def _most_specific(findings: Iterable[Finding]) -> list[Finding]:
    """Of the findings that rest on the same guilty operation, the most specific; the rest as they are."""
    kept: dict[int, Finding] = {}
    others: list[Finding] = []
    for finding in findings:
        if not finding.operations or finding.role != "root":
            others.append(finding)
            continue
        guilty = finding.operations[0]
        if guilty not in kept or finding.specificity > kept[guilty].specificity:
            kept[guilty] = finding
    return [*kept.values(), *others]


def _once_a_place(findings: list[Finding]) -> list[Finding]:
    """Of one rule at one line only what it found first: its other operands, and its gradient, tell nothing new."""
    kept: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        where = finding.where
        line = (where.file, where.line) if where.line is not None else (finding.message,)
        kept.setdefault((finding.rule, finding.role == "advice", *line), finding)
    return list(kept.values())


def _split(findings: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """Roots and consequences, in order of time: what breaks in the first bad step and phase is at the root, what
    breaks later follows from it."""
    if not findings:
        return [], []
    proposed = [each for each in findings if each.role == "root"] or findings[:1]
    first = proposed[0]
    roots = [each for each in proposed if each is first or _together(first, each)]
    consequences = [replace(each, role="consequence") for each in findings if each not in roots]
    return [replace(each, role="root") for each in roots], consequences


def _together(first: Finding, other: Finding) -> bool:
    """Whether two faults showed at the same time, so that neither can have caused the other."""
    return first.step == other.step and first.where.phase == other.where.phase and other.specificity >= 0


def _time(finding: Finding) -> tuple[float, int, int]:
    step = float("inf") if finding.step is None else finding.step
    guilty = finding.operations[0] if finding.operations else 0
    return step, _PHASES.index(finding.where.phase), guilty
