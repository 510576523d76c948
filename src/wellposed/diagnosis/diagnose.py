"""From a record to a diagnosis: run the rules, keep the best explanation of each fault, tie the rest to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from wellposed.diagnosis.diagnosis import Diagnosis
from wellposed.diagnosis.ties import led_from
from wellposed.findings import SEVERITIES, Finding, all_rules
from wellposed.record import Record, RecordError

_PHASES = ("forward", "backward", "optimizer", None)


def diagnose(record: Record, *, disabled: Iterable[str] = ()) -> Diagnosis:
    """All rules but the `disabled` (names or codes) asked of the record.

    A rule that fails on a strange record is left out and named in the result. Raises RecordError where the record is
    damaged.
    """
    unwanted = set(disabled)
    findings: list[Finding] = []
    failed: list[str] = []
    for entry in all_rules():
        if unwanted & {entry.rule.name, entry.rule.code}:
            continue
        try:
            findings.extend(entry.check(record))
        except RecordError:
            raise
        except Exception:  # one rule's fault must not cost the user the others' answers
            failed.append(entry.rule.name)
    return Diagnosis(tuple(rank(findings, record)), failed_rules=tuple(failed))


def rank(findings: Iterable[Finding], record: Record | None = None) -> list[Finding]:
    """One explanation for each fault, roots before their consequences, advice last, numbered from 1.

    With the record, consequences are tied to the roots that data flow leads back to; without, to the first root.
    """
    best = _once_a_place(sorted(_most_specific(findings), key=_time))
    advice = [each for each in best if each.role == "advice"]
    roots, others = _split([each for each in best if each.role != "advice"])
    sources = {each: led_from(record, each, roots) for each in roots} if record is not None else {}
    later = [each for each in roots if sources.get(each)]
    roots = [each for each in roots if each not in later]
    advice += [replace(each, role="advice") for each in others if each.severity != "error" and each.role == "root"]
    consequences = [each for each in others if each.severity == "error" or each.role != "root"]
    consequences = sorted([*later, *consequences], key=_time)
    told_lines = {(each.where.file, each.where.line) for each in [*roots, *consequences] if each.where.line is not None}
    advice = [each for each in advice if (each.where.file, each.where.line) not in told_lines]
    ordered = [*roots, *consequences, *advice]
    ids = {each: number for number, each in enumerate(ordered, 1)}
    told = [replace(each, id=ids[each]) for each in [*roots, *advice]]
    for each in consequences:
        causes = led_from(record, each, roots) if record is not None else ()
        tied = tuple(ids[cause] for cause in causes) or tuple(ids[root] for root in roots[:1])
        cause = (causes or tuple(roots))[0].cause
        told.append(replace(each, id=ids[each], role="consequence", caused_by=tied, cause=cause))
    return sorted(told, key=lambda each: each.id)


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
    """Roots and the rest, in order of time: the first error is at the root, and what broke together with it."""
    if not findings:
        return [], []
    proposed = [each for each in findings if each.role == "root"] or findings[:1]
    first = min(proposed, key=lambda each: SEVERITIES.index(each.severity))
    roots = [each for each in proposed if each is first or _together(first, each)]
    others = [each for each in findings if each not in roots]
    return [replace(each, role="root") for each in roots], others


def _together(first: Finding, other: Finding) -> bool:
    """Whether two faults showed at the same time, so that neither can have caused the other."""
    return first.step == other.step and first.where.phase == other.where.phase and other.specificity >= 0


def _time(finding: Finding) -> tuple[float, int, int]:
    step = float("inf") if finding.step is None else finding.step
    guilty = finding.operations[0] if finding.operations else 0
    return step, _PHASES.index(finding.where.phase), guilty
