"""From a record to a diagnosis: run the rules, keep the best explanation of each fault, tie the rest to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from wellposed.diagnosis.causality import SYMPTOMS, explained_by, explains, nearest
from wellposed.diagnosis.diagnosis import Diagnosis
from wellposed.diagnosis.numpy_words import in_numpy, uses_numpy_alone
from wellposed.diagnosis.ties import led_from
from wellposed.findings import SEVERITIES, Finding, all_rules
from wellposed.record import Record, RecordError

LONGEST_CHAIN = 6
"""Links of a chain that are put in order; a story has fewer."""
WASTE: tuple[str, ...] = ("product-order", "python-overhead")
"""Causes that cost time and break nothing: no other finding follows from them, nor they from another."""
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
    ranked = rank(findings, record)
    return Diagnosis(tuple(in_numpy(ranked) if uses_numpy_alone(record) else ranked), failed_rules=tuple(failed))


def rank(findings: Iterable[Finding], record: Record | None = None) -> list[Finding]:
    """One explanation for each fault, roots before their consequences, advice last, numbered from 1.

    With the record, consequences are tied to the roots that data flow leads back to; without, to the first root.
    """
    best = _once_a_place(sorted(_most_specific(findings), key=_time))
    waste = [each for each in best if each.cause in WASTE]
    best = [each for each in best if each.cause not in WASTE]
    advice = [each for each in best if each.role == "advice"]
    proposed = [each for each in best if each.role != "advice"]
    explained = _explained(proposed)
    roots, others = _split([each for each in proposed if each not in explained])
    others += explained
    sources = {each: led_from(record, each, roots) for each in roots} if record is not None else {}
    later = [each for each in roots if sources.get(each)]
    roots = [each for each in roots if each not in later]
    mild = [each for each in others if each.severity != "error" and each.role == "root" and each not in explained]
    advice += [replace(each, role="advice") for each in mild]
    consequences = [each for each in others if each not in mild]
    followed = [each for each in advice if _follows(each, roots)]
    advice = [each for each in advice if each not in followed]
    consequences = _in_order_of_the_chain([*later, *consequences, *followed])
    told_lines = {(each.where.file, each.where.line) for each in [*roots, *consequences] if each.where.line is not None}
    advice = [each for each in advice if (each.where.file, each.where.line) not in told_lines]
    costly = [each for each in waste if each.role == "root"]
    advice += [each for each in waste if each.role != "root"]
    ordered = [*roots, *costly, *consequences, *advice]
    ids = {each: number for number, each in enumerate(ordered, 1)}
    told = [replace(each, id=ids[each]) for each in [*roots, *costly, *advice]]
    for each in consequences:
        known = () if each.rule in SYMPTOMS else [*roots, *consequences]
        causes = nearest([other for other in known if explains(other, each)])
        if not causes and record is not None and each.rule not in SYMPTOMS:
            causes = list(led_from(record, each, roots))
        causes = causes or _last_link(each, roots, consequences)
        tied = tuple(ids[cause] for cause in causes)
        cause = roots[0].cause if roots else each.cause
        told.append(replace(each, id=ids[each], role="consequence", caused_by=tied, cause=cause))
    return sorted(told, key=lambda each: each.id)


def _explained(proposed: list[Finding]) -> list[Finding]:
    """Those of the proposed roots that the causal model derives from another of them."""
    by_position = explained_by(proposed)
    return [each for position, each in enumerate(proposed) if by_position[position]]


def _follows(advice: Finding, roots: list[Finding]) -> bool:
    """Whether what was no fault of its own is part of a root's story."""
    return bool(roots) and (advice.rule in SYMPTOMS or any(explains(root, advice) for root in roots))


def _last_link(symptom: Finding, roots: list[Finding], consequences: list[Finding]) -> list[Finding]:
    """Where nothing else ties it: a symptom follows from the end of the first root's chain, all else from the root."""
    chain = roots[:1]
    if symptom.rule in SYMPTOMS:
        for each in consequences:
            if each.rule not in SYMPTOMS and each.role != "advice" and chain and explains(chain[-1], each):
                chain.append(each)
    return chain[-1:]


def _in_order_of_the_chain(consequences: list[Finding]) -> list[Finding]:
    """In order of time; within a step, what explains another before it; symptoms, which are seen at the end, last."""
    ordered = sorted(consequences, key=_time)
    before = explained_by(ordered)
    links = dict.fromkeys(ordered, 0)
    for _ in range(LONGEST_CHAIN):
        for position, each in enumerate(ordered):
            links[each] = max((links[cause] + 1 for cause in before[position]), default=0)
    return sorted(ordered, key=lambda each: (each.rule in SYMPTOMS, _time(each)[0], links[each], _time(each)))


def _most_specific(findings: Iterable[Finding]) -> list[Finding]:
    """Of the findings that rest on the same guilty operation, the most specific; the rest as they are."""
    kept: dict[int, Finding] = {}
    others: list[Finding] = []
    for finding in _named(list(findings)):
        if not finding.operations or finding.role != "root":
            others.append(finding)
            continue
        guilty = finding.operations[0]
        if guilty not in kept or finding.specificity > kept[guilty].specificity:
            kept[guilty] = finding
    return [*kept.values(), *others]


def _named(findings: list[Finding]) -> list[Finding]:
    """Without what a rule that has no name for the fault measured where another advises against what causes it."""
    advised = {(each.operations[0], each.cause) for each in findings if each.role == "advice" and each.operations}
    return [each for each in findings if not _is_nameless(each) or (each.operations[0], each.cause) not in advised]


def _is_nameless(finding: Finding) -> bool:
    return finding.role == "root" and finding.specificity == -1 and bool(finding.operations)


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
